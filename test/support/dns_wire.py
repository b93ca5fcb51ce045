"""DNS messages for tests: enough to ask, to compare what two servers say, and to send what nobody should."""

import random
import socket
import struct
import time

TYPES = {"A": 1, "NS": 2, "CNAME": 5, "SOA": 6, "PTR": 12, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "DNAME": 39, "OPT": 41,
         "DS": 43, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48, "NSEC3": 50, "NSEC3PARAM": 51, "TLSA": 52, "SMIMEA": 53,
         "OPENPGPKEY": 61, "SVCB": 64, "HTTPS": 65, "IXFR": 251, "AXFR": 252, "ANY": 255, "CAA": 257}
NAMES = {number: name for name, number in TYPES.items()}
RCODES = {0: "NOERROR", 1: "FORMERR", 2: "SERVFAIL", 3: "NXDOMAIN", 4: "NOTIMP", 5: "REFUSED", 6: "YXDOMAIN",
          7: "YXRRSET", 8: "NXRRSET", 9: "NOTAUTH", 10: "NOTZONE", 16: "BADVERS"}
# RDATA in which names may be compressed (RFC 1035): octets before them, and how many.
WITH_NAMES = {2: (0, 1), 5: (0, 1), 6: (0, 2), 12: (0, 1), 15: (2, 1), 33: (6, 1), 39: (0, 1)}


def type_number(text):
    return TYPES[text] if text in TYPES else int(text.removeprefix("TYPE"))


def wire_name(text):
    """"a.b." or "a.b"; backslash and three digits, or a character, as in zone files."""
    octets, label, at = b"", b"", 0
    while at < len(text):
        if text[at] == "\\" and text[at + 1].isdigit():
            label += bytes([int(text[at + 1:at + 4])])
            at += 4
        elif text[at] == "\\":
            label += text[at + 1].encode()
            at += 2
        elif text[at] == ".":
            octets, label = octets + (bytes([len(label)]) + label if label else b""), b""
            at += 1
        else:
            label += text[at].encode()
            at += 1
    return octets + (bytes([len(label)]) + label if label else b"") + b"\0"


def read_name(octets, at):
    """The name at `at`, in lower case as labels on the wire, and the place behind it."""
    name, end, hops = b"", None, 0
    while True:
        length = octets[at]
        if length >= 0xc0:
            end = end or at + 2
            at = struct.unpack_from("!H", octets, at)[0] & 0x3fff
            hops += 1
            if hops > 128:
                raise ValueError("a loop of pointers")
        else:
            name += octets[at:at + 1 + length].lower()
            at += 1 + length
            if length == 0:
                return name, end or at


def name_text(wire):
    parts, at = [], 0
    while wire[at]:
        parts.append("".join(chr(c) if 33 <= c < 127 and c not in b'.\\"' else f"\\{c:03}"
                             for c in wire[at + 1:at + 1 + wire[at]]))
        at += 1 + wire[at]
    return ".".join(parts) + "."


def query(name, qtype, number=None, rd=False, edns=None, do=False, ad=False, options=b"", opcode=0, version=0, qclass=1):
    """A question; `edns` is the size that is offered, None without EDNS."""
    number = random.randrange(65536) if number is None else number
    flags = opcode << 11 | (0x100 if rd else 0) | (0x20 if ad else 0)
    message = struct.pack("!6H", number, flags, 1, 0, 0, 0 if edns is None else 1)
    message += wire_name(name) + struct.pack("!2H", type_number(qtype) if isinstance(qtype, str) else qtype, qclass)
    if edns is not None:
        message += b"\0" + struct.pack("!2H4BH", 41, edns, 0, version, 0x80 if do else 0, 0, len(options)) + options
    return message


# An OPT record that offers 1232 octets.
OPT = b"\0" + struct.pack("!2HIH", 41, 1232, 0, 0)


def packet(flags=0, counts=(1, 0, 0, 0), body=b""):
    """A message whose header may lie about what follows."""
    return struct.pack("!6H", 0x4711, flags, *counts) + body


class Message:
    """What a message says. A record is (owner, type, TTL, RDATA), names in it in full and in lower case."""

    def __init__(self, octets):
        self.octets = octets
        self.number, flags, questions, *counts = struct.unpack_from("!6H", octets)
        self.is_answer, self.opcode = bool(flags & 0x8000), flags >> 11 & 15
        self.aa, self.tc, self.rd, self.ra, self.ad = (bool(flags & bit) for bit in (0x400, 0x200, 0x100, 0x80, 0x20))
        self.code, self.opt, at = flags & 15, None, 12
        self.question = []
        for _ in range(questions):
            name, at = read_name(octets, at)
            self.question.append((name, *struct.unpack_from("!2H", octets, at)))
            at += 4
        self.answer, self.authority, self.additional = sections = [], [], []
        for section, count in zip(sections, counts):
            for _ in range(count):
                at = self.take_record(section, at)
        if at != len(octets):
            raise ValueError(f"{len(octets) - at} octets behind the message")

    def take_record(self, section, at):
        owner, at = read_name(self.octets, at)
        rtype, rclass, ttl, length = struct.unpack_from("!2HIH", self.octets, at)
        at += 10
        data = self.octets[at:at + length]
        if len(data) != length:
            raise ValueError("a record that goes beyond the message")
        if rtype == 41:
            self.opt = (rclass, ttl, data)
            self.code |= (ttl >> 24) << 4
            return at + length
        if rtype in WITH_NAMES:
            before, names = WITH_NAMES[rtype]
            place, data = at + before, self.octets[at:at + before]
            for _ in range(names):
                name, place = read_name(self.octets, place)
                data += name
            data += self.octets[place:at + length]
        section.append((owner, rtype, ttl, data))
        return at + length

    @property
    def rcode(self):
        return RCODES.get(self.code, str(self.code))

    def text(self):
        flags = " ".join(flag for flag in ("aa", "tc", "rd", "ra", "ad") if getattr(self, flag))
        parts = [f"{self.rcode} [{flags}]"]
        for title in ("answer", "authority", "additional"):
            parts += [f"  {title}: {record_text(record)}" for record in sorted(getattr(self, title))]
        return "\n".join(parts)


def record_text(record):
    owner, rtype, ttl, data = record
    return f"{name_text(owner)} {ttl} {NAMES.get(rtype, f'TYPE{rtype}')} {data.hex()}"


def ask(address, message, seconds=10.0, source=None):
    """By UDP, asked again every two seconds: the answer as octets; None if there is none in time."""
    deadline = time.monotonic() + seconds
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        if source:
            client.bind((source, 0))
        client.connect(address)
        while time.monotonic() < deadline:
            try:
                client.send(message)
                client.settimeout(min(2.0, max(0.01, deadline - time.monotonic())))
                while True:
                    reply = client.recv(65535)
                    if reply[:2] == message[:2]:
                        return reply
            except (TimeoutError, ConnectionRefusedError):
                time.sleep(0.02)
    return None


def ask_all(address, messages, seconds=30.0, window=64):
    """By UDP, some at a time: the answers in the order of the messages, each sent again while none comes."""
    deadline, answers = time.monotonic() + seconds, {}
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect(address)
        for start in range(0, len(messages), window):
            waiting = {number: struct.pack("!H", number) + messages[number][2:]
                       for number in range(start, min(start + window, len(messages)))}
            while waiting and time.monotonic() < deadline:
                for message in waiting.values():
                    client.send(message)
                client.settimeout(2.0)
                try:
                    while waiting:
                        reply = client.recv(65535)
                        number = struct.unpack_from("!H", reply)[0]
                        if waiting.pop(number, None):
                            answers[number] = reply
                except TimeoutError:
                    pass
    return [answers.get(number) for number in range(len(messages))]


class Stream:
    """DNS over TCP."""

    def __init__(self, address, seconds=20.0, source=None):
        self.socket = socket.create_connection(address, seconds, source_address=(source, 0) if source else None)
        self.kept = b""

    def send(self, message):
        self.socket.sendall(struct.pack("!H", len(message)) + message)

    def take(self, count):
        while len(self.kept) < count:
            octets = self.socket.recv(65536)
            if not octets:
                raise EOFError("the stream has ended")
            self.kept += octets
        taken, self.kept = self.kept[:count], self.kept[count:]
        return taken

    def receive(self):
        return self.take(struct.unpack("!H", self.take(2))[0])

    def close(self):
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def ask_stream(address, message, seconds=20.0, source=None):
    with Stream(address, seconds, source) as stream:
        stream.send(message)
        return stream.receive()
