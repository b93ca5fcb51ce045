#!/usr/bin/env python3
"""dnsd with three workers: all of them answer, all of them know what one was told, and they end together. nsupdate and dig
are the clients that change and sign."""

import http.client
import json
import os
import pathlib
import re
import signal
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import Server, dnsd, key_text, main  # noqa: E402
from dns_wire import Message, query  # noqa: E402
from foreign import need, run  # noqa: E402
from posthorn_site import Failed, programs, wait_until  # noqa: E402

ZONE = "site.test"
SECRET = "c2l4dGVlbiBvY3RldHMgYXQgbGVhc3QhIQ=="
WORKERS = 3
CLIENTS = 60  # the chance that none of so many ports is some worker's is 1 in 10^10


def zone_text(serial, more=""):
    return f"""$TTL 300
@ IN SOA ns1 hostmaster {serial} 3600 900 1209600 300
@ NS ns1
ns1 A 192.0.2.1
www A 192.0.2.2
{more}"""


class Ops(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("dnsd", timeout=60)
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


def ops(server, target, body=None):
    """What the ops socket says; text if it is no JSON."""
    door = Ops(server.directory / "run/dnsd.ops")
    door.request("POST" if body is not None else "GET", target, body=json.dumps(body) if body is not None else None)
    reply = door.getresponse()
    text = reply.read().decode()
    door.close()
    if reply.status != 200:
        raise Failed(f"{target}: {reply.status} {text}")
    return json.loads(text) if text.startswith("{") else text


def ask_from_ports(address, questions, seconds=60.0, **keywords):
    """Each (name, type) from a port of its own; the answers in that order."""
    sockets = []
    for name, qtype in questions:
        client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        client.connect(address)
        client.send(query(name, qtype, **keywords))
        sockets.append(client)
    answers = []
    for client in sockets:
        client.settimeout(seconds)
        try:
            answers.append(Message(client.recv(65535)))
        except TimeoutError:
            raise Failed(f"no answer to port {client.getsockname()[1]}") from None
        finally:
            client.close()
    return answers


def serials(server, zone=ZONE):
    """What clients at many ports are told. None for an answer without the SOA."""
    found = set()
    for message in ask_from_ports(server.address, [(zone, "SOA")] * CLIENTS):
        soa = [record for record in message.answer if record[1] == 6]
        found.add(int.from_bytes(soa[0][3][-20:-16], "big") if soa else None)
    return found


def wait_for_all(server, serial, zone=ZONE):
    wait_until(f"all workers have {zone} {serial}", lambda: serials(server, zone) == {serial}, pause=0.1)


def children(pid):
    return [int(word) for word in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def is_there(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def make(bench, folder, *options, **keywords):
    files = {"conf/dns.keys": key_text("updater", SECRET), "run/.keep": ""}
    options = ["--workers", WORKERS, "--grant", f"updater subdomain {ZONE}", *options]
    return bench.add(dnsd, folder, {ZONE: zone_text(100)}, options, files, **keywords)


def server(bench):
    """The one that most steps share, and one that it asks about other.test."""
    if "server" not in bench.shared:
        names = "".join(f"n{i} A 198.51.100.{i}\n" for i in range(CLIENTS))
        other = bench.add(dnsd, "other", {"other.test": zone_text(1, names)}, ["--no-recursion"]).start("other.test")
        forward = f"other.test={other.address[0]}:{other.port}"
        bench.shared["server"] = make(bench, "three", "--forward", forward, "--ask-loopback", "--no-validate").start(ZONE)
    return bench.shared["server"]


def update(at, *lines, key=True):
    words = ["nsupdate", "-t", "5", *(["-y", f"hmac-sha256:updater:{SECRET}"] if key else [])]
    return run(words, text="\n".join([f"server {at.address[0]} {at.port}", f"zone {ZONE}", *lines, "send", ""]),
               expect=None)


def answering(bench):
    """300 questions from 300 ports reach all three workers, and are counted once"""
    at = server(bench)
    before = ops(at, "/stats")["questions"]["udp"]
    for message in ask_from_ports(at.address, [(f"www.{ZONE}", "A")] * 300):
        if message.answer[0][3] != bytes([192, 0, 2, 2]) or not message.aa:
            raise Failed(f"a wrong answer: {message.answer}")
    stats = ops(at, "/stats")
    counts = {each["worker"]: each["stats"]["questions"]["udp"] for each in stats["workers"]}
    if sorted(counts) != [0, 1, 2] or min(counts.values()) < 30:
        raise Failed(f"questions of each worker: {counts}")
    if stats["questions"]["udp"] != sum(counts.values()) or stats["questions"]["udp"] - before != 300:
        raise Failed(f"{stats['questions']['udp'] - before} questions were counted, {counts}")


def metrics(bench):
    """/metrics has the sum of all workers"""
    at = server(bench)
    text = ops(at, "/metrics")
    counted = int(re.search(r"^posthorn_dnsd_questions_udp (\d+)$", text, re.M)[1])
    if counted != ops(at, "/stats")["questions"]["udp"]:
        raise Failed(f"{counted} in /metrics, {ops(at, '/stats')['questions']['udp']} in /stats")


def updates(bench):
    """UPDATEs by nsupdate, whichever worker they come to, are seen by all"""
    at = server(bench)
    for number in range(1, 9):
        said = update(at, f"update add u{number}.{ZONE} 60 A 192.0.2.{100 + number}")
        if said:
            raise Failed(f"nsupdate: {said}")
        wait_for_all(at, 100 + number)
    for message in ask_from_ports(at.address, [(f"u8.{ZONE}", "A")] * CLIENTS):
        if message.answer[0][3] != bytes([192, 0, 2, 108]):
            raise Failed(f"a wrong answer: {message.answer}")
    specials = [each["stats"]["questions"]["udp"] for each in ops(at, "/stats")["workers"]]
    for _ in range(8):
        said = update(at, f"update add evil.{ZONE} 60 A 192.0.2.66", key=False)
        if "REFUSED" not in said:
            raise Failed(f"an unsigned update: {said!r}, {specials}")
    if serials(at) != {108}:
        raise Failed(f"serials after refused updates: {serials(at)}")


def signed(bench):
    """Signed questions are answered, and signed, whichever worker they come to; IXFR by UDP gets the SOA"""
    at = server(bench)
    place = [f"@{at.address[0]}", "-p", at.port, "+tries=1", "+time=5"]
    for _ in range(9):
        said = run(["dig", *place, "-y", f"hmac-sha256:updater:{SECRET}", f"www.{ZONE}", "A"])
        if "192.0.2.2" not in said or "NOERROR" not in said or "Couldn't verify" in said:
            raise Failed(f"dig:\n{said}")
        said = run(["dig", *place, "+notcp", "IXFR=100", ZONE])
        if " 108 3600 " not in said:
            raise Failed(f"dig IXFR:\n{said}")


def zone_files(bench):
    """A zone file that changes, one that comes and one that goes are seen by all"""
    at = server(bench)
    at.write("zones/new.test.zone", zone_text(1))
    at.process.send_signal(signal.SIGHUP)
    wait_for_all(at, 1, "new.test")
    at.write("zones/new.test.zone", zone_text(2, "more A 192.0.2.9\n"))
    wait_for_all(at, 2, "new.test")
    (at.directory / "zones/new.test.zone").unlink()
    at.process.send_signal(signal.SIGHUP)
    wait_until("no worker has new.test", lambda: serials(at, "new.test") == {None}, pause=0.1)
    wait_until("all workers have said twice that they have reloaded",
               lambda: at.log().count("reloaded") >= 2 * WORKERS, pause=0.1)


def many_records(bench):
    """A zone of 20000 names reaches all workers whole"""
    at = server(bench)
    at.write("zones/big.test.zone", zone_text(7, "".join(f"h{i} A 10.0.{i // 250}.{i % 250}\n" for i in range(20000))))
    at.process.send_signal(signal.SIGHUP)
    wait_until("all workers have big.test", lambda: serials(at, "big.test") == {7}, pause=0.2)
    for i, message in enumerate(ask_from_ports(at.address, [(f"h{i * 300}.big.test", "A") for i in range(CLIENTS)])):
        if message.answer[0][3] != bytes([10, 0, i * 300 // 250, i * 300 % 250]):
            raise Failed(f"h{i * 300}: {message.answer}")


def caches(bench):
    """The caches are shown as one and forgotten at once"""
    at = server(bench)
    questions = [(f"n{i}.other.test", "A") for i in range(CLIENTS)]
    for message in ask_from_ports(at.address, questions, rd=True):
        if not message.answer:
            raise Failed("other.test is not answered")
    ask_from_ports(at.address, [("n0.other.test", "A")] * CLIENTS, rd=True)  # each worker has this one
    shown = ops(at, "/cache?below=other.test&type=A")
    names = [line["name"].rstrip(".") for line in shown["lines"]]
    if sorted(names) != sorted(name for name, _ in questions) or shown["more"]:
        raise Failed(f"{len(names)} lines, {len(set(names))} names, more: {shown['more']}")
    if any(not line["source"].startswith("inet:127.0.0.1:") for line in shown["lines"]):
        raise Failed(f"the cache does not tell who said it: {shown['lines'][0]}")
    if min(each["stats"]["cache"]["entries"] for each in ops(at, "/stats")["workers"]) == 0:
        raise Failed("a worker's cache is empty")
    if len(ops(at, "/cache?limit=5")["lines"]) != 5 or not ops(at, "/cache?limit=5")["more"]:
        raise Failed("the limit is not kept")
    flushed = ops(at, "/cache/flush", {"below": "other.test"})["flushed"]
    left = ops(at, "/cache?below=other.test")["lines"]
    if flushed < CLIENTS + WORKERS - 1 or left:
        raise Failed(f"{flushed} entries were flushed, left: {left}")


def silent(bench):
    """A worker that does not answer an operator is named, and its numbers are missing"""
    at = server(bench)
    stopped = children(at.process.pid)[1]
    os.kill(stopped, signal.SIGSTOP)
    try:
        stats = ops(at, "/stats")
        if stats.get("silent_workers") != [2] or [each["worker"] for each in stats["workers"]] != [0, 1]:
            raise Failed(f"silent: {stats.get('silent_workers')}")
    finally:
        os.kill(stopped, signal.SIGCONT)
    wait_until("it is silent no longer", lambda: "silent_workers" not in ops(at, "/stats"))


def wildcard(bench):
    """At all addresses: an update is answered by the address that was asked, whichever worker it comes to"""
    at = make(bench, "wildcard", address="0.0.0.0").start(ZONE)
    at.address = ("127.0.0.2", at.port)  # nsupdate's socket is connected: from elsewhere it would hear nothing
    for number in range(1, 7):
        said = update(at, f"update add u{number}.{ZONE} 60 A 192.0.2.{100 + number}")
        if said:
            raise Failed(f"nsupdate: {said}")
    wait_for_all(at, 106)
    at.stop()


def killed_worker(bench):
    """A worker that is killed ends dnsd with 75, and nobody stays behind"""
    at = make(bench, "killed").start(ZONE)
    pids = children(at.process.pid)
    if len(pids) != WORKERS - 1:
        raise Failed(f"children: {pids}")
    os.kill(pids[0], signal.SIGKILL)
    code, at.process = at.process.wait(60), None
    if code != 75 or "worker-ended" not in at.log():
        raise Failed(f"it ended with {code}:\n{at.log()[-1000:]}")
    wait_until("the others have ended", lambda: not any(map(is_there, pids)))


def killed_first(bench):
    """Worker 0 that is killed takes the others with it"""
    at = make(bench, "first").start(ZONE)
    pids = children(at.process.pid)
    at.kill()
    wait_until("the others have ended", lambda: not any(map(is_there, pids)))


def stopping(bench):
    """SIGTERM ends all in good order; to a worker alone it says nothing"""
    at = make(bench, "stopping").start(ZONE)
    pids = children(at.process.pid)
    os.kill(pids[0], signal.SIGTERM)
    time.sleep(0.3)
    if len(ops(at, "/stats")["workers"]) != WORKERS:
        raise Failed("a worker took SIGTERM")
    process = at.process
    at.stop()
    if process.returncode != 0 or any(map(is_there, pids)):
        raise Failed(f"it ended with {process.returncode}, still there: {[pid for pid in pids if is_there(pid)]}")
    for name in ("dnsd/1", "dnsd/2"):
        if not re.search(rf" {name}\[\d+\]: - stopped exit=0", at.log()):
            raise Failed(f"{name} did not stop in good order:\n{at.log()[-1500:]}")


def supervised(bench):
    """posthorn starts all again when one is killed; workers are as many as its sockets allow, and no socket is left unread"""
    def config(workers):
        return f'listen = ["inet:127.0.0.1:{{port}}"]\nworkers = {workers}\n'

    files = {"conf/posthorn.toml": "[agents.dnsd]\nrun = true\n", "conf/dnsd.toml": config(WORKERS),
             f"zones/{ZONE}.zone": zone_text(100), "run/.keep": "", "log/.keep": ""}
    words = [programs() / "posthorn", "run", "--site", "{d}"]
    at = bench.add(lambda directory: Server("posthorn", directory, words, files), "supervised").start(ZONE)
    for wanted, running in ((WORKERS, WORKERS), (WORKERS - 1, WORKERS - 1), (WORKERS + 2, WORKERS)):
        at.write("conf/dnsd.toml", config(wanted))
        first = children(at.process.pid)[0]
        old = children(first)
        os.kill(old[0], signal.SIGKILL)
        wait_until("dnsd runs again", lambda: children(at.process.pid) not in ([], [first]))
        if serials(at) != {100}:
            raise Failed(f"{wanted} workers: {serials(at)}")
        now = children(children(at.process.pid)[0])
        if len(now) != running - 1:
            raise Failed(f"{wanted} workers are wanted: {len(now) + 1} run")
        wait_until("the others have ended", lambda: not any(map(is_there, old)))
    at.stop()
    wait_until("no worker is left", lambda: not any(map(is_there, now)))


if __name__ == "__main__":
    need("nsupdate", "dig")
    main("dns-workers", [answering, metrics, updates, signed, zone_files, many_records, caches, silent, wildcard,
                         killed_worker, killed_first, stopping, supervised])
