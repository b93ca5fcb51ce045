"""IMAP as it stands on the wire, for tests that look closer than imaplib: a connection, and the view that a client must keep."""

import re
import socket


class Ended(Exception):
    """The server has closed the connection."""


class Refused(Exception):
    """NO or BAD."""


class Wire:
    """One connection. Untagged data are octets without the last CRLF, literals in their place."""

    def __init__(self, address, port, tls=None, timeout=60):
        self.socket = socket.create_connection((address, port), timeout)
        if tls:
            self.socket = tls.wrap_socket(self.socket)
        self.buffer, self.count = b"", 0
        self.view = None
        self.response()

    def fill(self):
        try:
            octets = self.socket.recv(1 << 16)
        except ConnectionError as problem:
            raise Ended(str(problem)) from problem
        if not octets:
            raise Ended("closed")
        self.buffer += octets

    def line(self):
        while b"\r\n" not in self.buffer:
            self.fill()
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line

    def response(self):
        text = self.line()
        while literal := re.search(rb"\{(\d+)\}$", text):
            size = int(literal[1])
            while len(self.buffer) < size:
                self.fill()
            text += b"\r\n" + self.buffer[:size]
            self.buffer = self.buffer[size:]
            text += self.line()
        return text

    def send(self, text, literal=None):
        """Gives the tag. A literal goes behind the text, unasked (LITERAL+)."""
        self.count += 1
        tag = b"a%d" % self.count
        octets = tag + b" " + (text.encode() if isinstance(text, str) else text)
        if literal is not None:
            octets += b" {%d+}\r\n" % len(literal) + literal
        try:
            self.socket.sendall(octets + b"\r\n")
        except OSError as problem:
            raise Ended(str(problem)) from problem
        return tag

    def finish(self, tag):
        """(untagged data, the tagged line's text behind OK); the view hears all of it."""
        untagged = []
        while True:
            text = self.response()
            if text.startswith(tag + b" "):
                condition, _, rest = text[len(tag) + 1:].partition(b" ")
                if self.view:
                    self.view.hear(b"* " + condition + b" " + rest)
                if condition != b"OK":
                    raise Refused(text.decode(errors="replace"))
                return untagged, rest
            if text.startswith(b"* BYE"):
                raise Ended(text.decode(errors="replace"))
            if self.view:
                self.view.hear(text)
            untagged.append(text)

    def do(self, text, literal=None):
        return self.finish(self.send(text, literal))

    def close(self):
        self.socket.close()


def numbers(text):
    """"1:3,5" in order."""
    found = []
    for piece in text.decode().split(",") if text else []:
        first, _, last = piece.partition(":")
        low, high = sorted((int(first), int(last or first)))
        found += range(low, high + 1)
    return found


class Wrong(Exception):
    """The server said what can't be."""


class View:
    """What a client with a mailbox selected knows, from untagged data alone: UIDs by message number, flags by UID."""

    def __init__(self):
        self.uids = []      # of message 1, 2, ...; None: not heard of yet
        self.flags = {}     # UID: set of flags
        self.modseq = {}
        self.highest = 0
        self.validity = None

    def hear(self, text):
        if found := re.match(rb"\* (\d+) (EXISTS|EXPUNGE)\b", text):
            self.count(int(found[1]), found[2])
        elif found := re.match(rb"\* (\d+) FETCH \((.*)\)$", text, re.S):
            self.fetched(int(found[1]), found[2])
        elif found := re.match(rb"\* VANISHED (\(EARLIER\) )?([0-9:,]+)$", text):
            for uid in numbers(found[2]):
                self.vanished(uid, found[1])
        if found := re.match(rb"\* OK \[UIDVALIDITY (\d+)\]", text):
            if self.validity not in (None, int(found[1])):
                raise Wrong(f"UIDVALIDITY was {self.validity} and is {found[1]}")
            self.validity = int(found[1])
        if found := re.search(rb"\[HIGHESTMODSEQ (\d+)\]", text):
            self.highest = max(self.highest, int(found[1]))

    def count(self, number, what):
        if what == b"EXISTS":
            if number < len(self.uids):
                raise Wrong(f"EXISTS {number} with {len(self.uids)} messages")
            self.uids += [None] * (number - len(self.uids))
            return
        if not 0 < number <= len(self.uids):
            raise Wrong(f"EXPUNGE {number} with {len(self.uids)} messages")
        uid = self.uids.pop(number - 1)
        self.flags.pop(uid, None)

    def fetched(self, number, items):
        if not 0 < number <= len(self.uids):
            raise Wrong(f"FETCH {number} with {len(self.uids)} messages")
        if uid := re.search(rb"\bUID (\d+)", items):
            known, uid = self.uids[number - 1], int(uid[1])
            if known not in (None, uid):
                raise Wrong(f"message {number} had UID {known} and has {uid}")
            before = [u for u in self.uids[:number - 1] if u is not None]
            if before and before[-1] >= uid:
                raise Wrong(f"message {number} has UID {uid} behind {before[-1]}")
            self.uids[number - 1] = uid
        uid = self.uids[number - 1]
        if uid is None:
            return
        if found := re.search(rb"MODSEQ \((\d+)\)", items):
            self.modseq[uid] = int(found[1])
        if found := re.search(rb"FLAGS \(([^)]*)\)", items):
            self.flags[uid] = set(found[1].decode().split()) - {"\\Recent"}

    def vanished(self, uid, earlier):
        if uid in self.uids:
            self.uids.remove(uid)
            self.flags.pop(uid, None)
        elif not earlier:
            self.uids.pop(self.place_of_stranger(uid))

    def place_of_stranger(self, uid):
        """Which of the messages that nobody has named yet can have this UID."""
        for place, known in enumerate(self.uids):
            before = [u for u in self.uids[:place] if u is not None]
            behind = [u for u in self.uids[place + 1:] if u is not None]
            if known is None and (not before or before[-1] < uid) and (not behind or behind[0] > uid):
                return place
        raise Wrong(f"VANISHED {uid}, which was not there")
