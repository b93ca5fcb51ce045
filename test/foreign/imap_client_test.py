#!/usr/bin/env python3
"""Our IMAP and POP3 clients at Dovecot, and the POP3 client at pop3d: what they send, foreign servers understand, and the
other way round. mail_client (test/mail_client) is driven by lines."""

import os
import re
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import dovecot  # noqa: E402
from foreign import Failed, become_nobody, main, make_certificate, need  # noqa: E402
from ports import free_port  # noqa: E402
from posthorn_site import programs  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"
AGENTS = ("posthorn", "authd", "dnsd", "smtpd", "submissiond", "queued", "relayd", "deliverd", "pop3d", "imapd",
          "mail_client")
SERVERS = {}


LISTENERS = """
service {protocol}-login {{
  chroot =
  inet_listener {protocol} {{
    port = {clear}
  }}
  inet_listener {protocol}s {{
    port = {encrypted}
    ssl = yes
  }}
}}
"""


class Dovecot(dovecot.Server):
    """Dovecot's imap, imaps, pop3 and pop3s on a Maildir of its own, as whoever runs the test."""

    def __init__(self, directory):
        self.directory = directory
        directory.mkdir()
        self.ports = {name: free_port() for name in ("imap", "imaps", "pop3", "pop3s")}
        make_certificate(directory / "cert.pem", directory / "key.pem")
        (directory / "users").write_text("bob:{PLAIN}secret\n")
        listeners = "".join(LISTENERS.format(protocol=protocol, clear=self.ports[protocol], encrypted=self.ports[protocol + "s"])
                            for protocol in ("imap", "pop3"))
        super().__init__(directory, f"""
protocols = imap pop3
ssl = yes
ssl_cert = <{directory}/cert.pem
ssl_key = <{directory}/key.pem
auth_mechanisms = plain login scram-sha-256
mail_location = maildir:{directory}/mail
mailbox_idle_check_interval = 1s
passdb {{
  driver = passwd-file
  args = {directory}/users
}}
userdb {{
  driver = static
  args = uid={os.geteuid()} gid={os.getegid()} home={directory}/home/%u
}}
namespace inbox {{
  inbox = yes
  separator = .
}}
{listeners}""", [*self.ports.values()])

    def deliver(self, name, text):
        """Puts a message into INBOX as any delivery agent does."""
        box = self.directory / "mail"
        for folder in ("cur", "new", "tmp"):
            (box / folder).mkdir(parents=True, exist_ok=True)
        (box / "tmp" / name).write_bytes(text)
        (box / "tmp" / name).rename(box / "new" / name)


class Client:
    """mail_client, one command a call."""

    def __init__(self, protocol, port, ca, *more, tls="implicit", user="bob", password="secret"):
        self.process = subprocess.Popen(
            [programs() / "mail_client", protocol, "--server", f"inet:127.0.0.1:{port}", "--user", user, "--password", password,
             "--tls", tls, "--ca", ca, "--name", "localhost", *more],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.greeting = self.answer()

    def answer(self, until=("ok", "error")):
        lines = []
        for line in self.process.stdout:
            line = line.rstrip("\n")
            if line.split(" ")[0] in until:
                if line.startswith("error"):
                    raise Failed(line)
                return lines
            lines.append(line)
        raise Failed(f"mail_client ended with {self.process.wait(60)} behind {lines}")

    def say(self, *words):
        self.process.stdin.write("\t".join(str(word) for word in words) + "\n")
        self.process.stdin.flush()

    def ask(self, *words):
        self.say(*words)
        return self.answer()

    def end(self):
        self.process.stdin.close()
        if self.process.wait(60) != 0:
            raise Failed(f"mail_client ended with {self.process.returncode}")
        self.process.stdout.close()


def imap(*more, tls="implicit", **keywords):
    server = SERVERS["dovecot"]
    port = server.ports["imaps" if tls == "implicit" else "imap"]
    return Client("imap", port, server.directory / "cert.pem", *more, tls=tls, **keywords)


def must(condition, what, shown):
    if not condition:
        raise Failed(f"{what}: {shown}")


def message(number, size=100):
    return f"From: <ann@x.test>\r\nSubject: letter {number}\r\n\r\n.line\r\n{'x' * size}\r\n".encode()


def dovecot_starts(site):
    """Dovecot starts"""
    SERVERS["dovecot"] = Dovecot(site.directory / "dovecot").start()


def logs_in(site):
    """IMAP: TLS first, STARTTLS, in clear, by SCRAM, PLAIN and LOGIN; a wrong password and a wrong name are refused"""
    del site
    for tls in ("implicit", "starttls", "never"):
        client = imap(tls=tls)
        facts = client.ask("facts")
        must((facts[2] == "tls none") == (tls == "never"), f"TLS with --tls {tls}", facts)
        client.end()
    for mechanism in ("SCRAM-SHA-256", "PLAIN", "LOGIN"):
        imap("--mechanism", mechanism).end()
    for bad in ({"password": "wrong"}, {"password": "wrong", "tls": "never"}):
        try:
            imap(**bad)
        except Failed as refused:
            must("AUTHENTICATE" in str(refused), "a wrong password", refused)
        else:
            raise Failed("a wrong password was taken")
    try:
        server = SERVERS["dovecot"]
        Client("imap", server.ports["imaps"], site_ca(), tls="implicit")
    except Failed as refused:
        must("TLS" in str(refused), "a certificate of a stranger", refused)
    else:
        raise Failed("a stranger's certificate was taken")


def site_ca():
    return SERVERS["site"].facts["ca"]


def remembers_site(site):
    """the site is there, for its certificates"""
    SERVERS["site"] = site


def reads_and_writes(site):
    """IMAP: list, create, append, fetch, search, sort, thread, store, copy, move, expunge, with LITERAL+ and without"""
    client = imap()
    files = site.directory / "files"
    files.mkdir()
    client.ask("create", "Entwürfe")
    client.ask("create", "Ablage.2026")
    client.ask("subscribe", "Entwürfe")
    boxes = client.ask("list", "*")
    must("box Entwürfe ." in boxes and "box Ablage.2026 ." in boxes, "LIST", boxes)
    sizes = {1: 100, 2: 5000, 3: 3_000_000}
    for number, size in sizes.items():
        path = files / f"in{number}"
        path.write_bytes(message(number, size))
        must(client.ask("append", "INBOX", path) == [f"uid {number}"], "APPENDUID", number)
    selected = client.ask("select", "INBOX")[-1].split()
    must(selected[1] == "3", "SELECT", selected)
    rows = client.ask("fetch", "1:*", files)
    must(len(rows) == 3 and all("(\\Seen" in row and "parts=1" in row and "modseq=yes" in row for row in rows), "FETCH", rows)
    must("letter 2" in rows[1], "ENVELOPE", rows)
    for number in sizes:
        must((files / str(number)).read_bytes() == (files / f"in{number}").read_bytes(), "the octets", number)
    must(client.ask("search", "letter") == ["uids 1:3"], "SEARCH", None)
    must(client.ask("search", "für 'Käse'") == ["uids "], "SEARCH in UTF-8", None)
    must(client.ask("sort", "letter") == ["uids 3 2 1"], "SORT", None)
    must(client.ask("thread", "letter") == ["threads (1)(2)(3)"], "THREAD", None)
    client.ask("store", "1:2", "$Junk")
    client.ask("pipeline", "1:3")
    rows = client.ask("fetch", "1")
    must("$Junk" in rows[0] and "three" in rows[0], "STORE", rows)
    must(client.ask("copy", "1:2", "Entwürfe") == ["to 1:2"], "COPYUID", None)
    must(client.ask("move", "1,3", "Ablage.2026") == ["to 1:2"], "COPYUID of MOVE", None)
    must(client.ask("facts")[0] == "uids 2", "the view after MOVE", client.ask("facts"))
    must(client.ask("status", "Entwürfe") == ["messages 2"], "STATUS", None)
    client.ask("store", "2", "\\Deleted")
    client.ask("expunge", "2")
    client.ask("rename", "Entwürfe", "Drafts & more")
    must("box Drafts & more ." in client.ask("list", "D%"), "RENAME", client.ask("list", "*"))
    client.ask("unselect")
    client.ask("remove", "Drafts & more")
    for refused in (("select", "no such box"), ("remove", "no such box")):
        try:
            client.ask(*refused)
            raise Failed(f"{refused} was taken")
        except Failed as problem:
            must("error" in str(problem), "a refusal", problem)
    client.end()


def idles(site):
    """IMAP: IDLE sees a delivery, and another task can end it"""
    del site
    client = imap()
    client.ask("select", "INBOX")
    must(client.ask("idle", "wake")[1] == "woken", "IDLE woken", None)
    client.say("idle")
    client.answer(until=("idling",))
    SERVERS["dovecot"].deliver("1700000000.M1P1.x", message(50))
    seen = client.answer()
    must(seen == ["changed", "exists 1"], "IDLE", seen)
    client.end()


def resynchronises(site):
    """IMAP: QRESYNC tells what went and what changed while the client was away; all of it compressed"""
    del site
    server = SERVERS["dovecot"]
    for number in range(51, 56):
        server.deliver(f"{1700000000 + number}.M1P1.x", message(number))
    first = imap("--enable", "QRESYNC", "--compress", "yes")
    exists, validity, uid_next, modseq = first.ask("select", "INBOX")[-1].split()[1:]
    must(exists == "6" and modseq != "0", "SELECT", (exists, modseq))
    uids = [int(row.split()[1]) for row in first.ask("fetch", "1:*")]
    must(len(uids) == 6 and int(uid_next) == max(uids) + 1, "UIDs", uids)
    second = imap()
    second.ask("select", "INBOX")
    second.ask("store", uids[0], "$Changed")
    second.ask("store", uids[1], "\\Deleted")
    second.ask("expunge", uids[1])
    second.end()
    seen = first.ask("facts")
    must(seen[0].startswith("uids"), "facts", seen)
    again = imap("--enable", "QRESYNC", "--compress", "yes")
    rows = again.ask("select", "INBOX", validity, modseq)
    must(f"vanished earlier {uids[1]}" in rows, "VANISHED (EARLIER)", rows)
    must(any(re.match(rf"fetch {uids[0]} .*\$Changed", row) for row in rows), "the changed flags", rows)
    must(rows[-1].split()[1] == "5", "the count", rows)
    # Having seen it expunged, the first client's numbers have moved.
    must(first.ask("facts")[0] == "uids " + ranges([uid for uid in uids if uid != uids[1]]), "VANISHED", first.ask("facts"))
    first.end()
    again.end()


def ranges(numbers):
    parts, numbers = [], sorted(numbers)
    for number in numbers:
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in parts)


def pop3_session(client, count, directory, expect):
    rows = [row.split(" ") for row in client.ask("list")]
    must(len(rows) == count and all(row[2] for row in rows), "LIST and UIDL", rows)
    client.ask("retr", count, directory)
    for number, _, _ in rows:
        text = (directory / number).read_bytes()
        must(expect in text and b"\r\n.line\r\n" in text, "the octets", text[:300])
    must(int(client.ask("top", 1)[0]) < (directory / "1").stat().st_size, "TOP", None)
    client.ask("dele", 1)


def pop3_at_dovecot(site):
    """POP3 at Dovecot: STLS, TLS first; LIST, UIDL, RETR pipelined, TOP; QUIT deletes, a lost connection does not"""
    server = SERVERS["dovecot"]
    directory = site.directory / "pop3"
    directory.mkdir()
    ca = server.directory / "cert.pem"
    client = Client("pop3", server.ports["pop3s"], ca)
    pop3_session(client, 5, directory, b"Subject: letter 5")
    client.end()  # no QUIT
    client = Client("pop3", server.ports["pop3"], ca, tls="starttls")
    pop3_session(client, 5, directory, b"Subject: letter 5")
    client.ask("quit")
    client.end()
    client = Client("pop3", server.ports["pop3s"], ca, "--mechanism", "SCRAM-SHA-256")
    must(len(client.ask("list")) == 4, "what is left", client.ask("list"))
    client.end()
    server.stop()


def pop3_at_pop3d(site):
    """POP3 at pop3d: the same"""
    for number in range(3):
        site.inject(ALICE, [BOB], message(number).decode())
    site.wait_for_messages(BOB, 3)
    directory = site.directory / "pop3d"
    directory.mkdir()
    keywords = {"user": BOB, "password": site.password(BOB)}
    client = Client("pop3", site.port("pop3"), site.facts["ca"], tls="starttls", **keywords)
    pop3_session(client, 3, directory, b"Subject: letter")
    client.ask("quit")
    client.end()
    client = Client("pop3", site.port("pop3s"), site.facts["ca"], "--mechanism", "SCRAM-SHA-256", **keywords)
    must(len(client.ask("list")) == 2, "what is left", None)
    client.end()


if __name__ == "__main__":
    need("openssl")
    dovecot.need_imap()
    own_directory = become_nobody(AGENTS)
    try:
        main("imap-client", [remembers_site, dovecot_starts, logs_in, reads_and_writes, idles, resynchronises, pop3_at_dovecot,
                             pop3_at_pop3d], [ALICE, BOB])
    finally:
        if "dovecot" in SERVERS and SERVERS["dovecot"].process:
            print(SERVERS["dovecot"].tails())
            SERVERS["dovecot"].stop()
        if own_directory:
            shutil.rmtree(own_directory)
