#!/usr/bin/env python3
"""Who means no good at dnsd, over real sockets: broken packets, floods, slow and greedy streams, forged signatures.
The numbers are rows of the list of attacks in libdns/README.md."""

import base64
import hashlib
import hmac
import os
import random
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import descriptors, dnsd, key_text, main, rss  # noqa: E402
from dns_wire import OPT, Message, Stream, ask, ask_stream, packet, query, wire_name  # noqa: E402
from foreign import Failed  # noqa: E402
from posthorn_site import is_sanitized, wait_until  # noqa: E402

ZONE, OTHER, STRANGER = "own.test", "other.test", "127.0.0.9"
SECRET = "dGhlIHNlY3JldCB0aGF0IG5vYm9keSBndWVzc2Vz"
HEAD = "$TTL 300\n@ IN SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"
STRINGS = " ".join(['"' + "x" * 250 + '"'] * 4)
TEXT = HEAD + f"www A 192.0.2.2\nbig TXT {STRINGS}\n"


def start(bench):
    """dnsd with a zone, a forwarder, and recursion for 127.0.0.1 alone"""
    other = bench.add(dnsd, "other", {OTHER: HEAD + "www A 192.0.2.77\n"}, ["--no-recursion"]).start(OTHER)
    large = HEAD + "".join(f"h{i} TXT \"{'y' * 200}\"\n" for i in range(4000))
    silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    silent.bind(("127.0.0.1", 0))
    bench.shared["silent"] = silent
    ours = bench.add(dnsd, "ours", {ZONE: TEXT, "large.test": large},
                     ["--recursion-networks", "127.0.0.1/32", "--forward", f"{OTHER}=127.0.0.1:{other.port}", "--ask-loopback",
                      "--forward", f"silent.test=127.0.0.1:{silent.getsockname()[1]}",
                      "--no-validate", "--idle-time", "2s", "--rate-limit", "20", "--transfer-networks", "127.0.0.0/8",
                      "--grant", f"admin subdomain {ZONE}"], {"conf/dns.keys": key_text("admin", SECRET)})
    bench.shared["ours"] = ours.start(ZONE)
    ours.ask(f"www.{ZONE}", "A")
    bench.shared["before"] = (descriptors(ours.process.pid), rss(ours.process.pid))


def well(bench):
    """It answers as it should."""
    ours = bench.shared["ours"]
    if ours.process.poll() is not None:
        raise Failed(f"dnsd has died with {ours.process.returncode}")
    answer = ours.ask(f"www.{ZONE}", "A", edns=1232)
    if answer.rcode != "NOERROR" or not answer.aa or len(answer.answer) != 1:
        raise Failed(f"dnsd answers wrongly: {answer.text()}")


class Watch:
    """A client that goes on asking meanwhile; how long each answer took. What is too long is so on a busy machine, too."""

    def __init__(self, bench):
        self.address, self.times, self.stopping = bench.shared["ours"].address, [], False
        self.thread = threading.Thread(target=self.run)

    def run(self):
        while not self.stopping:
            begun = time.monotonic()
            if ask(self.address, query(f"www.{ZONE}", "A"), 20.0) is None:
                self.times.append(20.0)
            self.times.append(time.monotonic() - begun)
            time.sleep(0.01)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.stopping = True
        self.thread.join()
        times = sorted(self.times)
        if kind is None and (not times or times[len(times) // 2] > 1.0 or times[len(times) * 9 // 10] > 5.0):
            raise Failed(f"meanwhile others waited: {len(times)} answers, median {times[len(times) // 2]:.3f} s, "
                         f"longest {times[-1]:.3f} s")


# --- packets ---------------------------------------------------------------------------------------------


QUESTION = wire_name(f"www.{ZONE}") + b"\0\1\0\1"


def with_opt(options=b"", length=None, more=b"", additional=1):
    opt = b"\0" + struct.pack("!2HIH", 41, 1232, 0, len(options) if length is None else length) + options
    return packet(counts=(1, 0, 0, additional), body=QUESTION + opt + more)


# What it is, the packet, the rcode that has to come; None: silence.
PACKETS = (
    ("nothing", b"", None),
    ("half a header", packet()[:7], None),
    ("an answer", packet(0x8000, body=QUESTION), None),
    ("an answer with everything", packet(0x8580, (1, 1, 0, 0), QUESTION + b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4abcd"), None),
    ("a header alone", packet(counts=(0, 0, 0, 0)), "FORMERR"),
    ("no question that is promised", packet(), "FORMERR"),
    ("65535 questions", packet(counts=(65535, 0, 0, 0), body=QUESTION), "FORMERR"),
    ("65535 of everything", packet(counts=(65535,) * 4, body=QUESTION), "FORMERR"),
    ("65535 additional records", packet(counts=(1, 0, 0, 65535), body=QUESTION), "FORMERR"),
    ("two questions", packet(counts=(2, 0, 0, 0), body=QUESTION * 2), "FORMERR"),
    ("a pointer to itself", packet(body=b"\xc0\x0c\0\1\0\1"), "FORMERR"),
    ("a pointer forward", packet(body=b"\xc0\x20\0\1\0\1" + b"\0" * 40), "FORMERR"),
    ("a pointer past the end", packet(body=b"\xff\xff\0\1\0\1"), "FORMERR"),
    ("pointers in a circle", packet(body=b"\1a\xc0\x10\1b\xc0\x0c\0\1\0\1"), "FORMERR"),
    ("a label of type 01", packet(body=b"\x41a\0\0\1\0\1"), "FORMERR"),
    ("a label of type 10", packet(body=b"\x81a\0\0\1\0\1"), "FORMERR"),
    ("a label beyond the end", packet(body=b"\x3fabc"), "FORMERR"),
    ("a name of 300 octets", packet(body=(b"\x3f" + b"a" * 63) * 5 + b"\0\0\1\0\1"), "FORMERR"),
    ("octets behind the question", packet(body=QUESTION + b"abc"), "FORMERR"),
    ("two OPTs", with_opt(more=OPT, additional=2), "FORMERR"),
    ("an OPT with a name", packet(counts=(1, 0, 0, 1), body=QUESTION + b"\1a" + OPT), "FORMERR"),
    ("an OPT in the answer", packet(counts=(1, 1, 0, 0), body=QUESTION + OPT), "FORMERR"),
    ("an OPT that is too long", with_opt(b"\0\12\0\10abcdefgh", length=40), "FORMERR"),
    ("an option that is too long", with_opt(b"\0\12\0\xffabcdefgh"), "FORMERR"),
    ("5000 options", with_opt(b"\xfd\xe9\0\0" * 5000), "FORMERR"),
    ("5000 NSIDs and cookies", with_opt(b"\0\3\0\0\0\12\0\10abcdefgh" * 2500), "FORMERR"),
    ("a cookie of 3 octets", with_opt(b"\0\12\0\3abc"), "FORMERR"),
    ("EDNS version 200", packet(counts=(1, 0, 0, 1), body=QUESTION + b"\0" + struct.pack("!2H4BH", 41, 1232, 0, 200, 0, 0, 0)),
     "BADVERS"),
    ("opcode 9", packet(9 << 11, body=QUESTION), "NOTIMP"),
    ("type OPT", packet(body=wire_name(ZONE) + b"\0\x29\0\1"), "FORMERR"),
    ("type MAILB", packet(body=wire_name(ZONE) + b"\0\xfd\0\1"), "FORMERR"),
    ("class ANY", packet(body=wire_name(ZONE) + b"\0\1\0\xff"), "REFUSED"),
    ("class CHAOS, version.bind", packet(body=wire_name("version.bind") + b"\0\x10\0\3"), "REFUSED"),
    ("an UPDATE of no zone", packet(5 << 11, (0, 0, 0, 0)), "FORMERR"),
    ("an UPDATE unsigned", packet(5 << 11, body=wire_name(ZONE) + b"\0\6\0\1"), "REFUSED"),
    ("a NOTIFY for a zone that is ours alone", packet(4 << 11, body=wire_name(ZONE) + b"\0\6\0\1"), "REFUSED"),
)


def reply_to(address, message, source=None):
    """What comes back before the answer to a good question, which is sent right behind: None if nothing does."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        if source:
            client.bind((source, 0))
        client.connect(address)
        client.settimeout(10)
        client.send(message)
        client.send(query(ZONE, "SOA", 0x0815))
        found = None
        while True:
            octets = client.recv(65535)
            if octets[:2] == b"\x08\x15":
                return found
            found = octets


def crafted(bench):
    """8, 9, 10: packets that lie: FORMERR and the like or silence, and the next question is answered"""
    ours, wrong = bench.shared["ours"], []
    for what, message, expected in PACKETS:
        octets = reply_to(ours.address, message)
        said = Message(octets).rcode if octets else None
        if said != expected:
            wrong.append(f"{what}: {said} instead of {expected}")
        if octets and len(octets) > max(len(message) + 12, 512):
            wrong.append(f"{what}: {len(octets)} octets for {len(message)}")
        if len(message) >= 12 and expected:  # the same in a stream
            try:
                said = Message(ask_stream(ours.address, message)).rcode
            except EOFError:
                said = None
            if said != expected:
                wrong.append(f"{what} by TCP: {said} instead of {expected}")
    if wrong:
        raise Failed("\n        ".join(wrong))
    well(bench)


def garbage(bench):
    """8: thousands of random and mutilated packets: no answer to answers, none that is too long, and no harm"""
    ours, chance = bench.shared["ours"], random.Random(4711)
    models = [query(f"www.{ZONE}", "A", 1, edns=1232, do=True, options=b"\0\12\0\10abcdefgh"), query(ZONE, "SOA", 2, opcode=5),
              query(ZONE, "IXFR", 3), signed(query(ZONE, "SOA", 4))] + [p for _, p, _ in PACKETS]
    with Watch(bench), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind(("127.0.0.1", 0))
        client.connect(ours.address)
        client.setblocking(False)
        for number in range(6000):
            message = bytearray(chance.choice(models))
            for _ in range(chance.randrange(4)):
                if message:
                    message[chance.randrange(len(message))] = chance.randrange(256)
            if number % 3 == 0:
                message = message[:chance.randrange(len(message) + 1)]
            if number % 7 == 0:
                message = chance.randbytes(chance.randrange(600))
            client.send(bytes(message))
            if number % 100 == 0:
                time.sleep(0.002)
            try:
                while True:
                    octets = client.recv(65535)
                    if len(octets) > 1232 or not octets[2] & 0x80:
                        raise Failed(f"an answer of {len(octets)} octets: {octets[:40].hex()}")
            except BlockingIOError:
                pass
    well(bench)


# --- who asks --------------------------------------------------------------------------------------------


def refusals(bench):
    """20, 27: strangers are refused with no more octets than they sent, and learn nothing of the cache"""
    ours = bench.shared["ours"]
    if ours.ask(f"www.{OTHER}", "A", rd=True).rcode != "NOERROR":
        raise Failed("a client with rights is not answered by the forwarder")
    for keywords in ({"rd": True}, {"rd": False}, {"rd": True, "edns": 4096, "do": True}, {"edns": 1232, "options": b"\0\12\0\10abcdefgh"}):
        for name, qtype in ((f"www.{OTHER}", "A"), ("www.example.org", "ANY"), (".", "NS"), ("version.bind", "TXT")):
            message = query(name, qtype, **keywords)
            octets = ask(ours.address, message, source=STRANGER)
            answer = Message(octets) if octets else None
            cookie = 16 if keywords.get("options") else 0  # a server's cookie comes with it (RFC 7873 5.2.3)
            if answer is None or answer.rcode != "REFUSED" or answer.answer or len(octets) > len(message) + cookie:
                raise Failed(f"{name} {qtype} {keywords}: {answer and answer.rcode}, {octets and len(octets)} octets for {len(message)}")
    if Message(ask(ours.address, query(f"www.{ZONE}", "A"), source=STRANGER)).rcode != "NOERROR":
        raise Failed("a stranger is not served our own zone")


def amplification(bench):
    """20: a flood in another's name gets little: answers are limited, some truncated; those with rights are not"""
    ours = bench.shared["ours"]
    message = query(f"big.{ZONE}", "TXT", edns=4096)
    sent = full = cut = octets_out = 0
    with Watch(bench), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.bind((STRANGER, 0))
        client.connect(ours.address)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        begun = time.monotonic()
        for _ in range(2000):
            client.send(message)
            sent += 1
            if sent % 50 == 0:
                time.sleep(0.005)
        client.settimeout(2.0)
        try:
            while True:
                octets = client.recv(65535)
                octets_out += len(octets)
                if Message(octets).tc:
                    cut += 1
                else:
                    full += 1
        except TimeoutError:
            pass
        took = time.monotonic() - begun
    if full == 0 or full > 20 * (took + 2) or cut == 0:
        raise Failed(f"{sent} questions in {took:.1f} s: {full} full answers, {cut} truncated")
    if octets_out > 3 * sent * len(message):
        raise Failed(f"{octets_out} octets for {sent * len(message)}")
    for kind in ("ANY", "DNSKEY"):
        answer = ask(ours.address, query(ZONE, kind, edns=65535), source="127.7.7.7")
        if len(answer) > 1232 or len(Message(answer).answer) > 1:
            raise Failed(f"{kind} gets {len(answer)} octets")


# --- streams ---------------------------------------------------------------------------------------------


def pipelining(bench):
    """22: 1000 questions on one connection are all answered; so are those of a client that has closed its half"""
    ours = bench.shared["ours"]
    with Stream(ours.address) as stream:
        def send():
            for number in range(1000):
                stream.send(query(f"h{number}.large.test" if number % 2 else f"www.{OTHER}", "TXT", number, rd=True))
        sender = threading.Thread(target=send)
        sender.start()
        found = {Message(stream.receive()).number for _ in range(1000)}
        sender.join()
    if found != set(range(1000)):
        raise Failed(f"{len(found)} of 1000 questions were answered")
    with Stream(ours.address) as stream:
        for number in range(200):
            stream.send(query(f"h{number}.large.test", "TXT", number))
        stream.socket.shutdown(socket.SHUT_WR)
        found = {Message(stream.receive()).number for _ in range(200)}
        if found != set(range(200)) or stream.socket.recv(1):
            raise Failed("a half-closed stream lacks answers, or does not end")
    with Stream(ours.address) as stream:  # the longest message there can be, then a good one
        stream.send(b"\0" * 65535)
        if Message(stream.receive()).rcode != "FORMERR":
            raise Failed("a message of 65535 octets of nothing is no FORMERR")
        stream.send(query(ZONE, "SOA", 7))
        if Message(stream.receive()).number != 7:
            raise Failed("after a broken message the stream is at an end")


def served_stream(address):
    """A stream that was let in: those of the step before may still count for a moment, and only so many of one client are."""
    def attempt():
        stream = Stream(address, 60.0)
        try:
            stream.send(query(ZONE, "SOA", 65000))
            stream.receive()
            return stream
        except (OSError, EOFError):
            stream.close()
            return None
    return wait_until("a stream that is served", attempt)


def greedy_recursion(bench):
    """22: one client fills all its streams with questions that nobody answers: it gets SERVFAIL, and others are served at once"""
    ours, streams, questions = bench.shared["ours"], 20, 100
    with Watch(bench):
        clients = [served_stream(ours.address) for _ in range(streams)]
        for number, client in enumerate(clients):
            for index in range(questions):
                client.send(query(f"n{number}-{index}.silent.test", "A", index, rd=True))
        time.sleep(0.5)
        try:
            Stream(ours.address, 5.0).receive()
            raise Failed(f"stream {streams + 1} of one client is served")
        except (OSError, EOFError):
            pass
        begun = time.monotonic()
        if Message(ask_stream(ours.address, query(ZONE, "SOA"), source=STRANGER)).rcode != "NOERROR" or time.monotonic() - begun > 5:
            raise Failed(f"another client's stream waited for {time.monotonic() - begun:.1f} s")
        if ours.ask(f"www.{OTHER}", "A", rd=True).rcode != "NOERROR" or time.monotonic() - begun > 8:
            raise Failed("the same client's other questions wait")
        for client in clients:
            answers = [Message(client.receive()) for _ in range(questions)]
            if {answer.rcode for answer in answers} != {"SERVFAIL"} or {answer.number for answer in answers} != set(range(questions)):
                raise Failed(f"{len(answers)} answers: { {answer.rcode for answer in answers} }")
            client.close()
        if time.monotonic() - begun > 60:
            raise Failed(f"it took {time.monotonic() - begun:.1f} s")
    well(bench)


def hang(address, source, octets):
    """A connection that has sent this and says no more; None if it was not let in."""
    client = socket.socket()
    client.settimeout(5)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.bind((source, 0))
    try:
        client.connect(address)
        client.sendall(octets)
    except OSError:
        client.close()
        return None
    return client


def ended(client):
    """The server has closed or reset it."""
    client.setblocking(False)
    try:
        while client.recv(65536):
            pass
        return True
    except BlockingIOError:
        return False
    except OSError:
        return True


def is_served(address):
    try:
        return Message(ask_stream(address, query(f"www.{ZONE}", "A"))).rcode == "NOERROR"
    except (OSError, EOFError):  # too many connections, still
        return False


def slow_streams(bench):
    """22: silence, a length and silence, an octet a second, AXFR that nobody reads, 1000 connections: all end, others are served"""
    ours = bench.shared["ours"]
    transfer = query("large.test", "AXFR")
    first = {"silence": b"", "a length": b"\x40\0", "half a question": struct.pack("!H", 40) + b"abc",
             "AXFR unread": struct.pack("!H", len(transfer)) + transfer}
    with Watch(bench):
        clients = []
        for number, octets in enumerate(first.values()):
            clients += [hang(ours.address, f"127.1.{number}.{i + 1}", octets) for i in range(15)]
        slow = [client for client in (hang(ours.address, f"127.2.0.{i + 1}", b"\0") for i in range(15)) if client]
        many = [hang(ours.address, f"127.3.{i // 20}.{i % 20 + 1}", b"") for i in range(1000)]
        greedy = [hang(ours.address, "127.4.0.1", b"") for _ in range(60)]
        wait_until("a good stream gets its turn", lambda: is_served(ours.address), pause=0.2)
        if descriptors(ours.process.pid) > bench.shared["before"][0] + 520:
            raise Failed(f"{descriptors(ours.process.pid)} descriptors are open")
        everybody = [client for client in (*clients, *many, *greedy) if client]

        def all_ended():
            for client in slow:
                try:
                    client.send(b"\1")
                except OSError:
                    pass
            return all([ended(client) for client in (*everybody, *slow)])
        wait_until("the slow streams are ended", all_ended, 120, 1.0)
        for client in (*everybody, *slow):
            client.close()
    well(bench)


def unread(bench):
    """22: who asks for much and reads nothing holds little memory, and is ended"""
    ours = bench.shared["ours"]
    transfer = query("large.test", "AXFR")
    octets = (struct.pack("!H", len(transfer)) + transfer) * 200
    before = rss(ours.process.pid)
    with Watch(bench):
        clients = [client for client in (hang(ours.address, f"127.5.0.{i + 1}", octets) for i in range(30)) if client]
        # On a busy machine the first ones are ended before the last ones are there.
        wait_until("they are let in", lambda: descriptors(ours.process.pid) >= bench.shared["before"][0] + 25 or any(map(ended, clients)))
        if rss(ours.process.pid) > before + (200 << 20):
            raise Failed(f"unread transfers take {(rss(ours.process.pid) - before) >> 20} MiB")
        wait_until("they are ended", lambda: descriptors(ours.process.pid) <= bench.shared["before"][0] + 4, 120, 0.5)
        for client in clients:
            client.close()
    well(bench)


def flat(bench):
    """after all that: as many descriptors as before, hardly more memory"""
    ours = bench.shared["ours"]
    before = bench.shared["before"]
    wait_until("the descriptors are back", lambda: descriptors(ours.process.pid) <= before[0] + 4)
    if not is_sanitized() and rss(ours.process.pid) > before[1] + (96 << 20):
        raise Failed(f"{rss(ours.process.pid) >> 20} MiB now, {before[1] >> 20} MiB before")
    well(bench)


# --- signatures ------------------------------------------------------------------------------------------


def signed(message, name="admin", secret=SECRET, when=None, fudge=300, spoil=0, keep=None, algorithm="hmac-sha256"):
    """With a TSIG (RFC 8945 4.2); `spoil` is added to its last octet, `keep` is how many octets of the MAC are sent."""
    when = int(time.time()) if when is None else when
    head = wire_name(algorithm) + struct.pack("!HIH", when >> 32, when & 0xffffffff, fudge)
    variables = wire_name(name).lower() + struct.pack("!HI", 255, 0) + head + struct.pack("!HH", 0, 0)
    mac = hmac.new(base64.b64decode(secret), message + variables, hashlib.sha256).digest()
    mac = (mac[:-1] + bytes([mac[-1] + spoil & 255]))[:keep]
    data = head + struct.pack("!H", len(mac)) + mac + message[:2] + struct.pack("!HH", 0, 0)
    count = struct.unpack_from("!H", message, 10)[0]
    record = wire_name(name) + struct.pack("!2HIH", 250, 255, 0, len(data)) + data
    return message[:10] + struct.pack("!H", count + 1) + message[12:] + record


def tsig_error(octets):
    """The error field of the TSIG, which is the last record."""
    message = Message(octets)
    record = message.additional[-1]
    if record[1] != 250:
        raise Failed("the answer has no TSIG")
    at = record[3].index(b"\0") + 1 + 8
    size = struct.unpack_from("!H", record[3], at)[0]
    return message.rcode, struct.unpack_from("!H", record[3], at + 2 + size + 2)[0], size


def signatures(bench):
    """24: good, spoiled, truncated, late, unknown, twice; as question and as UPDATE"""
    ours, now = bench.shared["ours"], int(time.time())
    question = query(ZONE, "SOA")
    for what, message, expected in (
            ("good", signed(question), ("NOERROR", 0)), ("good, key in capitals", signed(question, "ADMIN"), ("NOERROR", 0)),
            ("spoiled", signed(question, spoil=1), ("NOTAUTH", 16)), ("unknown key", signed(question, "nobody"), ("NOTAUTH", 17)),
            ("unknown algorithm", signed(question, algorithm="hmac-md5.sig-alg.reg.int"), ("NOTAUTH", 17)),
            ("an hour late", signed(question, when=now - 3600), ("NOTAUTH", 18)),
            ("an hour early", signed(question, when=now + 3600), ("NOTAUTH", 18))):
        rcode, error, size = tsig_error(ask(ours.address, message))
        if (rcode, error) != expected or (size == 0) != (error in (16, 17)):
            raise Failed(f"TSIG {what}: {rcode}, error {error}, MAC of {size} octets")
    for what, message in (("a MAC of 4 octets", signed(question, keep=4)), ("no MAC", signed(question, keep=0)),
                          ("two TSIGs", signed(signed(question))),
                          ("a TSIG before the OPT", signed(question)[:11] + b"\2" + signed(question)[12:] + OPT)):
        answer = Message(ask(ours.address, message))
        if answer.rcode not in ("FORMERR", "NOTAUTH") or answer.answer:
            raise Failed(f"{what}: {answer.rcode}")
    change = packet(5 << 11, (1, 0, 1, 0), wire_name(ZONE) + b"\0\6\0\1" + wire_name(f"evil.{ZONE}") + b"\0\1\0\1\0\0\0\1\0\4abcd")
    for message in (change, signed(change, spoil=1), signed(change, when=now - 3600), signed(change, "nobody"), signed(change, keep=12)):
        if Message(ask(ours.address, message)).rcode in ("NOERROR", "NXDOMAIN"):
            raise Failed("an UPDATE that nobody signed well is acknowledged")
    if ours.ask(f"evil.{ZONE}", "A").rcode != "NXDOMAIN":
        raise Failed("an UPDATE that nobody signed well was done")


if __name__ == "__main__":
    main("dns-hostile", [start, crafted, garbage, refusals, amplification, pipelining, greedy_recursion, slow_streams, unread, flat, signatures])
