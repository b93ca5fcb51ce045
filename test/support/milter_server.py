"""A filter for tests: speaks the milter protocol (versions 2 to 6) from its own side, does whatever the test says, and remembers what
it was told. Threads of the test's process; it ends with the test."""

import socket
import struct
import threading

ALL_ACTIONS = 0x1FF
NO_UNKNOWN = 0x100
SKIP = 0x400
LEADING_SPACE = 0x100000


def packet(letter, data=b""):
    return struct.pack(">I", len(data) + 1) + letter.encode() + data


def text(*values):
    return b"".join(value.encode() + b"\0" for value in values)


# The answers, by their names in libmilter.
CONTINUE, ACCEPT, REJECT, TEMPFAIL, DISCARD, PROGRESS = (packet(letter) for letter in "cartdp")
SKIP_REST, SHUTDOWN, CONN_FAIL = packet("s"), packet("4"), packet("f")


def reply(words):
    return packet("y", text(words))


def add_header(name, value):
    return packet("h", text(name, value))


def insert_header(index, name, value):
    return packet("i", struct.pack(">I", index) + text(name, value))


def change_header(index, name, value):
    return packet("m", struct.pack(">I", index) + text(name, value))


def replace_body(octets):
    return b"".join(packet("b", octets[at:at + 65535]) for at in range(0, len(octets), 65535)) or packet("b")


def add_rcpt(path, arguments=None):
    return packet("+", text(path)) if arguments is None else packet("2", text(path, arguments))


def delete_rcpt(path):
    return packet("-", text(path))


def change_sender(path, arguments=""):
    return packet("e", text(path, arguments) if arguments else text(path))


def quarantine(reason):
    return packet("q", text(reason))


class Told:
    """One step: its letter, its texts (or octets), and the macros that came before it."""

    def __init__(self, letter, data, macros):
        self.letter = letter
        self.data = data
        self.macros = macros

    @property
    def texts(self):
        return [part.decode(errors="replace") for part in self.data.split(b"\0")[:-1]]


class MilterServer:
    """answers: octets by letter of the step, or a function of Told; CONTINUE where there is none. They may be changed between two
    messages. told: every step so far, of all connections."""

    def __init__(self, port=0, version=6, steps=0, actions=ALL_ACTIONS, macros=b"", answers=None):
        self.agreement = packet("O", struct.pack(">III", version, actions, steps) + macros)
        self.answers = dict(answers or {})
        self.told = []
        self.offers = []
        self.quits = 0
        self.listener = socket.create_server(("127.0.0.1", port))
        self.at = "inet:127.0.0.1:%d" % self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                peer = self.listener.accept()[0]
            except OSError:
                return  # closed
            threading.Thread(target=self.talk, args=(peer,), daemon=True).start()

    def close(self):
        self.listener.close()

    def steps(self, letter):
        return [told for told in self.told if told.letter == letter]

    def talk(self, peer):
        try:
            with peer, peer.makefile("rb") as octets:
                self.listen(peer, octets)
        except OSError:
            pass  # gone: as it likes

    def listen(self, peer, octets):
        macros = {}
        while head := octets.read(5):
            letter = chr(head[4])
            data = octets.read(struct.unpack(">I", head[:4])[0] - 1)
            if letter == "O":
                self.offers.append(struct.unpack(">III", data))
                if not self.say(peer, self.agreement):
                    return
            elif letter == "D":
                parts = [part.decode(errors="replace") for part in data[1:].split(b"\0")[:-1]]
                macros.update(zip(parts[::2], parts[1::2]))
            elif letter == "Q":
                self.quits += 1
                return
            elif letter == "A":
                self.told.append(Told(letter, data, {}))
            else:
                told = Told(letter, data, dict(macros))
                self.told.append(told)
                answer = self.answers.get(letter, CONTINUE)
                if not self.say(peer, answer(told) if callable(answer) else answer):
                    return

    @staticmethod
    def say(peer, answer):
        """None: it goes away; (octets,): behind these. False if it has gone."""
        if answer is None:
            return False
        peer.sendall(answer[0] if isinstance(answer, tuple) else answer)
        return not isinstance(answer, tuple)
