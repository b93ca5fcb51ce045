#!/usr/bin/env python3
"""IMAP beside Dovecot on the same mailboxes. Called by scripts/bench imap; README.md explains the numbers."""

import argparse
import hashlib
import json
import multiprocessing
import os
import pathlib
import shutil
import signal
import socket
import ssl
import statistics
import subprocess
import sys
import tempfile
import time

import letters
from imap_servers import PASSWORD, Dovecot, DovecotForLogins, Posthorn, address

SETTLE = 0.3  # seconds: what is done behind a command's answer belongs to its CPU time
APPENDS = 1000
BODIES = 2000
LOGINS = 600
TESTS = ("mailbox", "login", "lmtp", "idle", "million")


class Client:
    """A connection that reads as fast as it comes and looks at the last line only."""

    def __init__(self, server, tls=False):
        self.socket = socket.create_connection(("127.0.0.1", server.imaps if tls else server.imap), 600)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            self.socket = context.wrap_socket(self.socket)
        self.count, self.octets, self.buffer = 0, 0, bytearray(1 << 20)
        self.until(b"* OK")

    def until(self, tag, keep=False):
        """Reads up to the line that begins with `tag` OK; gives what came before it, too, if it is to be kept."""
        kept, tail = [], b""
        while True:
            got = self.socket.recv_into(self.buffer)
            if got == 0:
                raise SystemExit(f"bench: the server closed the connection: {tail[-300:]!r}")
            self.octets += got
            if keep:
                kept.append(bytes(self.buffer[:got]))
            tail = tail[-1000:] + bytes(self.buffer[max(0, got - 1000):got])
            if not tail.endswith(b"\r\n"):
                continue
            last = tail[tail.rfind(b"\n", 0, -2) + 1:]
            if last.startswith(tag):
                return b"".join(kept)
            if last.startswith(tag.split()[0] + b" "):
                raise SystemExit(f"bench: {last!r}")

    def do(self, text, keep=False):
        self.count += 1
        tag = b"a%d" % self.count
        self.socket.sendall(tag + b" " + text.encode() + b"\r\n")
        return self.until(tag + b" OK", keep)

    def append(self, octets):
        self.count += 1
        tag = b"a%d" % self.count
        self.socket.sendall(tag + b" APPEND INBOX {%d+}\r\n" % len(octets) + octets + b"\r\n")
        self.until(tag + b" OK")


def log_in(server, user, tls=False):
    client = Client(server, tls)
    client.do(f"LOGIN {address(user)} {PASSWORD}")
    return client


class Taken:
    """What one step took of one server."""

    def __init__(self, seconds, cpu, items):
        self.seconds, self.cpu, self.items = seconds, cpu, items


class Results:
    """{case: {server name: [Taken, ...]}}, in the order they came, and answers that have to be the same."""

    def __init__(self):
        self.taken, self.answers, self.memory = {}, {}, {}

    def take(self, server, case, items, work):
        cpu, start = server.group.cpu(), time.monotonic()
        answer = work()
        seconds = time.monotonic() - start
        time.sleep(SETTLE)
        taken = Taken(seconds, server.group.cpu() - cpu, items)
        self.taken.setdefault(case, {}).setdefault(server.name, []).append(taken)
        print(f"# {case} {server.name} {seconds:.4f} s, CPU {taken.cpu:.4f} s", file=sys.stderr, flush=True)
        if answer is not None:
            known = self.answers.setdefault(case, (answer, server.name))
            if known[0] != answer:
                print(f"bench: {case}: {server.name} answers otherwise than {known[1]}: {answer} and {known[0]}", file=sys.stderr)


# ---- a mailbox of n messages ----

def digest(reply, word):
    """How many a SEARCH, SORT or THREAD found, and a hash of its answer."""
    line = next(line for line in reply.split(b"\r\n") if line.startswith(b"* " + word))
    return len(line.split()) - 2, hashlib.sha256(line.strip()).hexdigest()[:12]


def steps_of(n):
    """(name, command, the word of the answer to compare, again on a new connection)"""
    body = min(n, BODIES)
    many = min(n // 2, 10000)
    return [
        ("fetch flags", "FETCH 1:* (UID FLAGS)", None, n, False),
        ("fetch size cold", "FETCH 1:* (UID RFC822.SIZE)", None, n, False),
        ("fetch envelope cold", "FETCH 1:* (ENVELOPE)", None, n, False),
        ("fetch envelope warm", "FETCH 1:* (ENVELOPE)", None, n, True),
        ("fetch bodystructure cold", "FETCH 1:* (BODYSTRUCTURE)", None, n, False),
        ("fetch bodystructure warm", "FETCH 1:* (BODYSTRUCTURE)", None, n, True),
        ("fetch header fields cold", "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT)])", None, n, False),
        ("fetch header fields warm", "FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (DATE FROM TO SUBJECT)])", None, n, True),
        ("fetch bodies", f"FETCH 1:{body} (BODY.PEEK[])", None, body, False),
        ("search subject", "SEARCH SUBJECT quarterly", b"SEARCH", n, False),
        ("search subject again", "SEARCH SUBJECT quarterly", b"SEARCH", n, False),
        ("search body", "SEARCH BODY xylophone", b"SEARCH", n, False),
        ("search body again", "SEARCH BODY xylophone", b"SEARCH", n, False),
        ("search text", "SEARCH TEXT xylophone", b"SEARCH", n, False),
        ("sort subject", "SORT (SUBJECT) UTF-8 ALL", b"SORT", n, True),
        ("sort reverse date", "SORT (REVERSE DATE) UTF-8 ALL", b"SORT", n, False),
        ("thread references", "THREAD REFERENCES UTF-8 ALL", b"THREAD", n, False),
        ("thread references again", "THREAD REFERENCES UTF-8 ALL", b"THREAD", n, True),
        ("store 1:*", "STORE 1:* +FLAGS (\\Flagged)", None, n, False),
        ("append x 1000", None, None, APPENDS, False),
        ("store deleted", f"STORE 1:{many} +FLAGS.SILENT (\\Deleted)", None, many, False),
        ("expunge", "EXPUNGE", None, many, False)]


def expected(case, n):
    if case.startswith("search subject"):
        return sum(map(letters.subject_has_word, range(n)))
    if case.startswith(("search body", "search text")):
        return sum(map(letters.text_has_word, range(n)))
    return None


def mailbox_run(server, template, n, results, wanted, new_letters):
    user = server.new_user(template)
    client = log_in(server, user)

    def select(count):
        if b"* %d EXISTS" % count not in client.do("SELECT INBOX", keep=True):
            raise SystemExit(f"bench: {server.name} does not find {count} messages")

    def again():
        client.do("LOGOUT")
        client.socket.close()
        return log_in(server, user)

    results.take(server, f"select cold/{n}", n, lambda: select(n))
    client = again()
    results.take(server, f"select warm/{n}", n, lambda: select(n))
    for case, command, word, items, anew in steps_of(n):
        if wanted and not any(w in case for w in wanted):
            continue
        if anew:
            client = again()
            select(n)

        def work(case=case, command=command, word=word):
            if command is None:
                for octets in new_letters:
                    client.append(octets)
                return None
            reply = client.do(command, keep=word is not None)
            if word is None:
                return None
            count, hashed = digest(reply, word)
            if expected(case, n) not in (None, count):
                raise SystemExit(f"bench: {server.name}: {command}: {count} messages, not {expected(case, n)}")
            return hashed

        results.take(server, f"{case}/{n}", items, work)
    client.do("LOGOUT")
    client.socket.close()
    server.forget(user)


def mailbox_test(servers, sizes, args, results):
    new_letters = [letters.letter(2_000_000 + i).replace(b"\n", b"\r\n") for i in range(APPENDS)]
    for n in sizes:
        template = letters.template(args.letters, n)
        for _ in range(args.runs if n < 50_000 else args.runs_large):
            for server in servers:
                mailbox_run(server, template, n, results, args.only, new_letters)


# ---- log-in, delivery, memory, a million ----

def log_ins(server, users, count, tls):
    for i in range(count):
        client = log_in(server, users[i % len(users)], tls)
        client.do("LOGOUT")
        client.socket.close()


def login_test(servers, args, results):
    context = multiprocessing.get_context("fork")
    for tls in (False, True):
        for server in servers:
            users = [server.new_user() for _ in range(8)]
            log_ins(server, users, len(users), tls)

            def work(server=server, users=users, tls=tls):
                clients = [context.Process(target=log_ins, args=(server, users, LOGINS // 4, tls)) for _ in range(4)]
                for client in clients:
                    client.start()
                for client in clients:
                    client.join()
                    if client.exitcode:
                        raise SystemExit(f"bench: log-ins at {server.name} failed")

            for _ in range(args.runs):
                results.take(server, "login, TLS" if tls else "login", LOGINS, work)


def lmtp_test(servers, args, results):
    for _ in range(args.runs):
        for server in servers:
            user = server.new_user()
            new = server.maildir(user) / "new"
            count = 1000

            def work(server=server, user=user, new=new, count=count):
                subprocess.run(["smtp-source", "-L", "-s", "10", "-m", str(count), "-l", "4096", "-d", "-f", address("sender"), "-t",
                                address(user), f"unix:{server.lmtp}"], check=True)
                if len(os.listdir(new)) != count:
                    raise SystemExit(f"bench: {server.name} did not deliver {count} messages")

            results.take(server, "lmtp delivery", count, work)
            server.forget(user)


def idle_test(servers, args, results):
    template = letters.template(args.letters, 1000)
    for tls in (False, True):
        for server in servers:
            users = [server.new_user(template, 10) for _ in range(args.idle)]
            warm = log_in(server, users[0], tls)  # what the first one loads is not the others' cost
            warm.do("SELECT INBOX")
            time.sleep(1)
            before, clients = server.group.pss_mib(), []
            for user in users:
                client = log_in(server, user, tls)
                client.do("SELECT INBOX")
                client.socket.sendall(b"i IDLE\r\n")
                client.until(b"+ ")
                clients.append(client)
            time.sleep(3)
            each = 1024 * (server.group.pss_mib() - before) / len(users)
            results.memory.setdefault("idle session, TLS" if tls else "idle session", {})[server.name] = each
            for client in [warm, *clients]:
                client.socket.close()
            time.sleep(1)
            for user in users:
                server.forget(user)


def million_test(args, results):
    """A mailbox of --million messages in memory: opened cold, then warm."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-bench-", dir="/dev/shm"))
    folder.chmod(0o755)
    servers, n = [], args.million
    try:
        servers.append(Posthorn(folder / "posthorn", 1))
        servers.append(Dovecot(folder / "dovecot", 1, servers[0]))
        letter = letters.letter(3)[:300]  # one page of memory each; SELECT reads none
        for server in servers:
            user = server.new_user()
            cur = server.maildir(user) / "cur"
            for i in range(n):
                (cur / letters.name_of(i, len(letter))).write_bytes(letter)
            for case in ("cold", "warm", "warm"):
                client = log_in(server, user)
                results.take(server, f"select {case}/{n} in memory", n, lambda c=client: c.do("SELECT INBOX") and None)
                client.do("LOGOUT")
                client.socket.close()
            server.forget(user)
    finally:
        for server in servers:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


# ---- what is printed ----

def rows(results):
    for case, by_server in results.taken.items():
        first = None
        for name, runs in sorted(by_server.items()):
            seconds = statistics.median(r.seconds for r in runs)
            cpu, items = statistics.median(r.cpu for r in runs), runs[0].items
            row = {"bench": "imap", "case": case, "system": name, "seconds": round(seconds, 5), "rate": round(items / seconds, 1),
                   "cpu_ms": round(1e3 * cpu / items, 5)}
            first = first or row
            row["rate_ratio"] = round(row["rate"] / first["rate"], 2)
            row["cpu_ratio"] = round(row["cpu_ms"] / first["cpu_ms"], 3) if first["cpu_ms"] else None
            yield row
    for case, by_server in results.memory.items():
        first = None
        for name, each in sorted(by_server.items()):
            row = {"bench": "imap", "case": case, "system": name, "pss_kib": round(each, 1)}
            first = first or row
            row["memory_ratio"] = round(row["pss_kib"] / first["pss_kib"], 4)
            yield row


def show(table):
    print(f"{'case':<38}{'system':<14}{'seconds':>10}{'a second':>12}{'CPU us each':>13}{'rate x':>8}{'CPU x':>8}")
    for row in table:
        if "seconds" in row:
            ratio = "-" if row["cpu_ratio"] is None else format(row["cpu_ratio"], ".3f")
            print(f"{row['case']:<38}{row['system']:<14}{row['seconds']:>10.4f}{row['rate']:>12.0f}{1e3 * row['cpu_ms']:>13.2f}"
                  f"{row['rate_ratio']:>8.2f}{ratio:>8}")
        else:
            print(f"{row['case']:<38}{row['system']:<14}{row['pss_kib']:>10.1f} KiB{'':>29}{row['memory_ratio']:>8.3f}")


def options():
    parser = argparse.ArgumentParser(prog="scripts/bench imap", description=__doc__)
    parser.add_argument("--messages", default="1000,100000", help="sizes of the mailboxes (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="1000 and 10000 messages, one run each")
    parser.add_argument("--tests", default="mailbox,login,lmtp,idle", help=f"of {', '.join(TESTS)} (%(default)s)")
    parser.add_argument("--only", type=lambda text: text.split(","), help="of a mailbox only these: \"envelope,sort\"")
    parser.add_argument("--runs", type=int, default=3, help="of each server (%(default)s)")
    parser.add_argument("--runs-large", type=int, default=1, help="with 50000 messages and more (%(default)s)")
    parser.add_argument("--idle", type=int, default=200, help="sessions whose memory is measured (%(default)s)")
    parser.add_argument("--million", type=int, default=1_000_000, help="messages of the mailbox in memory (%(default)s)")
    parser.add_argument("--letters", default="/var/tmp/posthorn-bench-mail", help="where messages are kept from run to run")
    parser.add_argument("--ours-only", action="store_true", help="without Dovecot: for a profiler")
    parser.add_argument("--json", action="store_true", help="one object a line")
    args = parser.parse_args()
    if args.quick:
        args.messages, args.runs = "1000,10000", 1
    args.tests = args.tests.split(",")
    for test in args.tests:
        if test not in TESTS:
            parser.error(f"no test {test}; there are {', '.join(TESTS)}")
    return args


def end(*_):
    raise SystemExit("bench: stopped")


def main():
    args = options()
    signal.signal(signal.SIGTERM, end)
    if os.geteuid() != 0:
        sys.exit("scripts/bench imap: needs root: it makes control groups and mailboxes of other users")
    sizes = [int(size) for size in args.messages.split(",")]
    runs = sum(args.runs if size < 50_000 else args.runs_large for size in sizes)
    users = max(8 + runs + 16 + args.runs, 2 * args.idle + runs + 16 + args.runs if "idle" in args.tests else 0)
    letters_at = pathlib.Path(args.letters)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-bench-", dir=letters_at.parent))  # hard links go no further
    folder.chmod(0o755)
    results, servers, fast = Results(), [], None
    try:
        servers.append(Posthorn(folder / "posthorn", users))
        if not args.ours_only:
            servers.insert(0, Dovecot(folder / "dovecot", users, servers[0]))
        if "mailbox" in args.tests:
            mailbox_test(servers, sizes, args, results)
        if "login" in args.tests:
            if not args.ours_only:
                fast = DovecotForLogins(folder / "fast", 16, servers[-1])
            login_test([*servers, *([fast] if fast else [])], args, results)
        if "lmtp" in args.tests:
            lmtp_test(servers, args, results)
        if "idle" in args.tests:
            idle_test(servers, args, results)
    finally:
        for server in [*servers, *([fast] if fast else [])]:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    if "million" in args.tests:
        million_test(args, results)
    table = list(rows(results))
    if args.json:
        for row in table:
            print(json.dumps(row), flush=True)
    else:
        show(table)


if __name__ == "__main__":
    main()
