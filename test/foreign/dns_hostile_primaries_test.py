#!/usr/bin/env python3
"""Primaries that mean no good to dnsd, their secondary: transfers that are broken, and NOTIFY without end. Rows of the list of attacks
in libdns/README.md."""

import os
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import dnsd, main  # noqa: E402
from dns_wire import OPT, ask, packet, query, wire_name  # noqa: E402
from foreign import Failed  # noqa: E402
from ports import free_port  # noqa: E402
from posthorn_site import wait_until  # noqa: E402


def record(name, rtype, data, rclass=1):
    return wire_name(name) + struct.pack("!2HIH", rtype, rclass, 300, len(data)) + data


def soa(serial, name="copy.test"):
    return record(name, 6, wire_name("ns.copy.test") + wire_name("x.copy.test") + struct.pack("!5I", serial, 3600, 600, 86400, 300))


class Primary:
    """Answers SOA by UDP with a serial, and AXFR by TCP with what it is told: a function of the question."""

    def __init__(self):
        self.port = free_port()
        self.serial, self.answer, self.asked, self.transfers = 1, None, 0, 0
        self.datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.datagrams.bind(("127.0.0.1", self.port))
        self.streams = socket.create_server(("127.0.0.1", self.port))
        for target in (self.serve_datagrams, self.serve_streams):
            threading.Thread(target=target, daemon=True).start()

    def serve_datagrams(self):
        while True:
            message, client = self.datagrams.recvfrom(4096)
            self.asked += 1
            end = message.index(b"\0", 12) + 5
            self.datagrams.sendto(message[:2] + struct.pack("!5H", 0x8400, 1, 1, 0, 0) + message[12:end] + soa(self.serial), client)

    def serve_streams(self):
        while True:
            client, _ = self.streams.accept()
            try:
                with client:
                    client.settimeout(10)
                    size = struct.unpack("!H", client.recv(2))[0]
                    message = client.recv(size)
                    self.transfers += 1
                    for part in self.answer(message):
                        client.sendall(struct.pack("!H", len(part)) + part)
            except OSError:
                pass


def transfer(message, *records, flags=0x8400, number=None):
    head = message[:2] if number is None else struct.pack("!H", number)
    question = message[12:message.index(b"\0", 12) + 5]
    return head + struct.pack("!5H", flags, 1, len(records), 0, 0) + question + b"".join(records)


NS, HOST = record("copy.test", 2, wire_name("ns.copy.test")), record("ns.copy.test", 1, bytes(4))
TRANSFERS = (
    ("REFUSED", lambda m: [transfer(m, flags=0x8405)]),
    ("nothing at all", lambda m: []),
    ("no SOA first", lambda m: [transfer(m, NS, HOST, soa(2))]),
    ("no end", lambda m: [transfer(m, soa(2), NS, HOST)]),
    ("another SOA at the end", lambda m: [transfer(m, soa(2), NS, HOST, soa(3))]),
    ("a SOA in the middle", lambda m: [transfer(m, soa(2), NS, soa(7), HOST, soa(2))]),
    ("a SOA of another name", lambda m: [transfer(m, soa(2), NS, soa(2, "a.copy.test"), HOST, soa(2))]),
    ("class CHAOS inside", lambda m: [transfer(m, soa(2), NS, record("c.copy.test", 1, bytes(4), 3), soa(2))]),
    ("a name outside", lambda m: [transfer(m, soa(2), NS, record("www.bank.test", 1, bytes(4)), soa(2))]),
    ("another id", lambda m: [transfer(m, soa(2), NS, HOST, soa(2), number=1)]),
    ("not an answer", lambda m: [transfer(m, soa(2), NS, HOST, soa(2), flags=0x0400)]),
    ("an OPT inside", lambda m: [transfer(m, soa(2), NS, OPT, HOST, soa(2))]),
    ("a record that goes beyond", lambda m: [transfer(m, soa(2), NS, HOST, soa(2))[:-3]]),
    ("no message", lambda m: [b"\xff" * 500]),
    ("RDATA too short", lambda m: [transfer(m, soa(2), NS, record("h.copy.test", 1, b"ab"), soa(2))]),
)


def hostile_primaries(bench):
    """25, 26: of a broken transfer nothing is taken, what was served still is; NOTIFY makes nobody ask for ever"""
    theirs = Primary()
    theirs.answer = lambda m: [transfer(m, soa(1), NS, HOST, soa(1))]
    ours = bench.add(dnsd, "copying", {}, ["--no-recursion", "--secondary", f"copy.test=127.0.0.1:{theirs.port}"]).start("copy.test")
    theirs.serial = 2
    for what, answer in TRANSFERS:
        theirs.answer = answer
        before = ours.log().count("transfer-failed")
        done = theirs.transfers
        ask(ours.address, query("copy.test", "SOA", opcode=4))
        wait_until(f"the transfer with {what} is given up",
                   lambda: ours.log().count("transfer-failed") > before and theirs.transfers > done)
        if ours.serial("copy.test") != 1:
            raise Failed(f"{what}: serial {ours.serial('copy.test')} is served after {theirs.transfers - done} transfers")
    asked = theirs.asked
    for number in range(500):
        soa_ahead = soa(1_000_000 + number)
        message = packet(0x2400, (1, 1, 0, 0), wire_name("copy.test") + b"\0\6\0\1" + soa_ahead)
        ask(ours.address, message)
    wait_until("all is quiet", lambda: ours.serial("copy.test") == 1)
    if theirs.asked - asked > 520:
        raise Failed(f"500 NOTIFYs made dnsd ask {theirs.asked - asked} times")
    asked = theirs.asked
    # A primary that knows no IXFR is none of those: then the whole zone is asked for.
    theirs.answer = lambda m: [transfer(m, flags=0x8404) if b"\0\xfb\0\1" in m else transfer(m, soa(2), NS, HOST, soa(2))]
    ask(ours.address, query("copy.test", "SOA", opcode=4))
    ours.wait_for_serial("copy.test", 2)
    ours.stop()


if __name__ == "__main__":
    main("dns-hostile-primaries", [hostile_primaries])
