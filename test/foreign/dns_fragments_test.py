#!/usr/bin/env python3
"""Row 7 of the attacks: who can't see a reply may still forge its second fragment. Raw sockets in a network of our own: what came
in pieces is not believed, and dnsd sends nothing in pieces."""

import os
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import dnsd, main  # noqa: E402
from dns_wire import Message, ask, ask_stream, query  # noqa: E402
from foreign import Failed  # noqa: E402
from network import inside, make_network, set_mtu  # noqa: E402

VICTIM, OURS, OTHER, VICTIM6 = "10.53.0.1", "10.53.0.10", "10.53.0.20", "fd53::1"
CUT = 504  # octets of the datagram in its first fragment
FORGED = socket.inet_aton("203.0.113.66")
STRINGS = {size: " ".join(['"' + "x" * 99 + '"'] * (size // 100)) for size in (1000, 2000)}
ZONE = f"""$TTL 300
@ IN SOA ns1 hostmaster 1 7200 900 1209600 300
@ NS ns1
ns1 A {OURS}
big TXT {STRINGS[1000]}
huge TXT {STRINGS[2000]}
"""


def answer(message, records=40):
    """So many addresses, 192.0.2.1 and on; forty take 700 octets."""
    end = message.index(b"\0", 12) + 5
    data = b"".join(b"\xc0\x0c" + struct.pack("!2HIH", 1, 1, 300, 4) + bytes([192, 0, 2, number + 1]) for number in range(records))
    return message[:2] + struct.pack("!5H", 0x8580, 1, records, 0, 0) + message[12:end] + data


def words_sum(octets):
    """As the Internet's checksum adds."""
    octets += b"\0" * (len(octets) % 2)
    total = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return total


def datagram(client, message):
    ends = socket.inet_aton(VICTIM) + socket.inet_aton(client[0])
    head = struct.pack("!3H", 53, client[1], 8 + len(message))
    total = words_sum(ends + struct.pack("!2H", 17, 8 + len(message)) + head + message)
    return head + struct.pack("!H", ~total & 0xffff or 0xffff) + message


def forge(rest):
    """Another last address, and the same sum: the TTL before it makes up for it. Nothing that the first fragment has need be known."""
    forged = bytearray(rest[:-4] + FORGED)
    ttl = len(rest) - 10
    word = ttl + ttl % 2
    forged[word:word + 2] = b"\0\0"
    missing = (words_sum(rest) - words_sum(bytes(forged))) % 0xffff
    forged[word:word + 2] = struct.pack("!H", missing)
    if words_sum(bytes(forged)) != words_sum(rest):
        raise Failed("the forged fragment has another sum")
    return bytes(forged)


class Victim:
    """An authority that somebody forges: by UDP as `manner` says, by TCP always the truth."""

    def __init__(self):
        self.manner, self.number, self.streams = "whole", 1, 0  # streams: questions that came by TCP
        self.raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        for family, address in ((socket.AF_INET, VICTIM), (socket.AF_INET6, VICTIM6)):
            datagrams = socket.socket(family, socket.SOCK_DGRAM)
            datagrams.bind((address, 53))
            listening = socket.create_server((address, 53), family=family)
            threading.Thread(target=self.serve_datagrams, args=[datagrams], daemon=True).start()
            threading.Thread(target=self.serve_streams, args=[listening], daemon=True).start()

    def serve_datagrams(self, own):
        while True:
            message, client = own.recvfrom(4096)
            if self.manner == "long":  # the kernel cuts it
                own.sendto(answer(message, 90), client)
            elif self.manner == "whole":
                own.sendto(answer(message), client)
            else:
                self.send_pieces(datagram(client, answer(message)), client)

    def send_pieces(self, whole, client):
        self.number += 1
        first, rest = whole[:CUT], whole[CUT:]
        if self.manner == "forged":
            self.send_piece(forge(rest), CUT // 8, client)  # it lies there already when the first one comes
        self.send_piece(first, 0x2000, client)
        self.send_piece(rest, CUT // 8, client)

    def send_piece(self, piece, offset, client):
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(piece), self.number, offset, 64, 17, 0)
        self.raw.sendto(head + socket.inet_aton(VICTIM) + socket.inet_aton(client[0]) + piece, (client[0], 0))

    def serve_streams(self, listening):
        while True:
            client, _ = listening.accept()
            threading.Thread(target=self.serve_stream, args=[client], daemon=True).start()

    def serve_stream(self, client):
        with client:
            while True:
                head = client.recv(2, socket.MSG_WAITALL)
                if len(head) < 2:
                    return
                self.streams += 1
                reply = answer(client.recv(struct.unpack("!H", head)[0], socket.MSG_WAITALL))
                client.sendall(struct.pack("!H", len(reply)) + reply)


class Sniffer:
    """What leaves `address` by IP while it is entered: length and fragment field of each packet of UDP."""

    def __init__(self, address):
        self.address, self.seen = socket.inet_aton(address), []

    def __enter__(self):
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800))
        self.socket.bind(("lo", 0x0800))
        return self

    def __exit__(self, *_):
        time.sleep(0.1)
        self.socket.setblocking(False)
        try:
            while True:
                packet = self.socket.recv(65535)
                length, _, fragment = struct.unpack_from("!3H", packet, 2)
                if packet[12:16] == self.address and packet[9] == 17:
                    self.seen.append((length, fragment & 0x3fff))
        except BlockingIOError:
            self.socket.close()

    def check(self, longest):
        if not self.seen:
            raise Failed("nothing was seen")
        for length, fragment in self.seen:
            if fragment or length > longest:
                raise Failed(f"a packet of {length} octets, fragment field {fragment:#x}")


def start(bench):
    """dnsd with a zone, and the victim as forwarder"""
    options = ["--recursion-networks", "10.53.0.0/16", "--no-validate", "--forward", f"victim.test={VICTIM}", "--forward",
               f"six.test={VICTIM6}"]
    bench.shared["victim"] = Victim()
    bench.shared["ours"] = bench.add(dnsd, "ours", {"own.test": ZONE}, options, address=OURS, port=53).start("own.test")


def addresses(octets):
    return [record[3] for record in Message(octets).answer]


def forging_works(bench):
    """an ordinary client does believe the forged fragment: without a rule the attack works here"""
    bench.shared["victim"].manner = "forged"
    found = addresses(ask((VICTIM, 53), query("a.victim.test", "A", edns=1232), source=OTHER))
    if len(found) != 40 or found[-1] != FORGED:
        raise Failed("the forged fragment was not taken: this test shows nothing")


def found_by_stream(bench, name, manner):
    ours, victim = bench.shared["ours"], bench.shared["victim"]
    victim.manner, before = manner, victim.streams
    found = addresses(ask_stream(ours.address, query(name, "A", rd=True), source=OTHER))
    if len(found) != 40 or FORGED in found or bytes([192, 0, 2, 40]) not in found:
        raise Failed(f"{name}: {len(found)} addresses, the last {found[-1:]}")
    return victim.streams > before


def forged(bench):
    """dnsd asks again by TCP, and the forged address is neither told nor kept"""
    for number in range(10):
        if not found_by_stream(bench, f"forged{number}.victim.test", "forged"):
            raise Failed("a reply in fragments was believed")
    for number in range(10):
        if found_by_stream(bench, f"forged{number}.victim.test", "forged"):
            raise Failed("the answer was not kept")


def pieces(bench):
    """honest fragments can't be told from those: TCP, by IPv4 and IPv6; replies in one piece need none"""
    if found_by_stream(bench, "whole.victim.test", "whole"):
        raise Failed("a reply in one piece was not believed")
    if not found_by_stream(bench, "pieces.victim.test", "pieces"):
        raise Failed("a reply in fragments was believed")
    set_mtu(1280)
    for name in ("long.six.test", "long.victim.test"):
        if not found_by_stream(bench, name, "long"):
            raise Failed(f"{name}: a reply in fragments was believed")


def offered(bench):
    """however much a client offers to take, it gets 1232 octets at most by UDP, or TC"""
    ours = bench.shared["ours"]
    set_mtu(1500)
    with Sniffer(OURS) as sniffer:
        for size in (1232, 4096, 65535):
            big = Message(ask(ours.address, query("big.own.test", "TXT", edns=size), source=OTHER))
            huge = Message(ask(ours.address, query("huge.own.test", "TXT", edns=size), source=OTHER))
            if big.tc or not big.answer or not huge.tc or huge.answer:
                raise Failed(f"{size}: {big.text()}\n{huge.text()}")
    sniffer.check(1232 + 28)


def forged_limits(bench):
    """a forged "fragmentation needed" (ICMP) makes dnsd send no fragments"""
    ours = bench.shared["ours"]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client, socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as icmp:
        client.bind((OTHER, 0))
        client.connect(ours.address)
        client.settimeout(10)
        ends = socket.inet_aton(OURS) + socket.inet_aton(OTHER)
        sent = struct.pack("!BBHHHBBH", 0x45, 0, 1100, 1, 0x4000, 64, 17, 0) + ends + struct.pack("!4H", 53, client.getsockname()[1], 1080, 0)
        body = struct.pack("!2H", 0, 552) + sent
        head = struct.pack("!2B", 3, 4)
        with Sniffer(OURS) as sniffer:
            for _ in range(3):
                icmp.sendto(head + struct.pack("!H", ~words_sum(head + b"\0\0" + body) & 0xffff) + body, (OURS, 0))
                client.send(query("big.own.test", "TXT", edns=1232))
                if Message(client.recv(4096)).tc:
                    raise Failed("the forged limit is believed")
    sniffer.check(1232 + 28)


def narrow(bench):
    """where even 1232 octets don't leave in one piece, TC is sent in place of fragments, and TCP has it all"""
    ours = bench.shared["ours"]
    set_mtu(600)
    with Sniffer(OURS) as sniffer:
        for message in (query("big.own.test", "TXT", edns=4096), query("long.victim.test", "A", edns=4096, rd=True)):
            cut = Message(ask(ours.address, message, source=OTHER))
            if not cut.tc or cut.answer or cut.number != struct.unpack_from("!H", message)[0]:
                raise Failed(f"not just TC: {cut.text()}")
            if not Message(ask_stream(ours.address, message, source=OTHER)).answer:
                raise Failed("no answer by TCP")
    sniffer.check(600)


if __name__ == "__main__":
    if sys.argv[1:] != ["inside"]:
        inside(__file__)
    make_network(VICTIM, OURS, OTHER, VICTIM6)
    main("dns-fragments", [start, forging_works, forged, pieces, offered, forged_limits, narrow])
