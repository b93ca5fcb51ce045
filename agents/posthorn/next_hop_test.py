#!/usr/bin/env python3
"""submissiond and smtpd before any other MTA: next_hop_test.py DIRECTORY-OF-PROGRAMS.

Each runs alone, from flags, with --next-hop smtp: and lmtp: on unix: and inet:. The next hop is one of the test's, so that
it can refuse, be slow and go away; Postfix's smtp-sink is asked in test/foreign.
"""

import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

WAIT = 60.0
BODY = b"".join(b"%07d %s\r\n" % (number, b"x" * 60) for number in range(4000))  # 280 KB, more than is held anywhere


class Failed(Exception):
    pass


def expect(what, condition):
    if not condition:
        raise Failed(what)


class Lines:
    """A connection, read line by line."""

    def __init__(self, connection):
        self.connection = connection
        self.buffer = b""

    def line(self):
        while b"\r\n" not in self.buffer:
            octets = self.connection.recv(65536)
            if not octets:
                return None
            self.buffer += octets
        line, self.buffer = self.buffer.split(b"\r\n", 1)
        return line.decode()

    def octets(self, count):
        while len(self.buffer) < count:
            octets = self.connection.recv(65536)
            if not octets:
                return None
            self.buffer += octets
        found, self.buffer = self.buffer[:count], self.buffer[count:]
        return found


class NextHop:
    """An SMTP or LMTP server of the test's. `mood` says what it does with the next message."""

    def __init__(self, kind, protocol, path):
        self.protocol = protocol
        self.listener = socket.socket(socket.AF_UNIX) if kind == "unix" else socket.socket()
        self.listener.bind(str(path) if kind == "unix" else ("127.0.0.1", 0))
        self.listener.listen(20)
        self.endpoint = f"unix:{path}" if kind == "unix" else f"inet:127.0.0.1:{self.listener.getsockname()[1]}"
        self.commands = []
        self.body = b""
        self.mood = "takes"
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.serve, args=[connection], daemon=True).start()

    def serve(self, connection):
        with connection:
            try:
                self.talk(connection, Lines(connection))
            except OSError:
                pass

    def talk(self, connection, lines):
        def say(*replies):
            connection.sendall("".join(reply + "\r\n" for reply in replies).encode())

        say("220 hop.test ready")
        accepted = 0
        while (command := lines.line()) is not None:
            self.commands.append(command)
            verb = command.split()[0].upper()
            if verb in ("EHLO", "LHLO"):
                say("250-hop.test", "250-PIPELINING", "250-CHUNKING", "250-DSN", "250-8BITMIME", "250-ENHANCEDSTATUSCODES",
                    "250 XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE")
            elif verb == "RCPT" and "nobody@" in command:
                say("550 5.1.1 the next hop knows nobody of this name")
            elif verb == "RCPT":
                accepted += 1
                say("251 2.1.5 the next hop takes this one")
            elif verb == "BDAT":
                if not self.chunk(command, lines):
                    return
                if command.endswith(" LAST"):
                    say(*self.verdict(accepted))
                    accepted = 0
                else:
                    say("250 2.0.0 go on")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                if verb == "MAIL":
                    accepted, self.body = 0, b""
                say("250 2.1.0 the next hop agrees")

    def chunk(self, command, lines):
        """False where the next hop goes away: in the middle of the message, or behind its end without a reply."""
        octets = lines.octets(int(command.split()[1]))
        if octets is None:
            return False
        self.body += octets
        return not (self.mood == "leaves-in-body" or (self.mood == "leaves-at-end" and command.endswith(" LAST")))

    def verdict(self, accepted):
        if self.mood == "refuses":
            replies = ["554 5.7.1 the next hop does not like it"] * accepted
        elif self.mood == "mixed":
            replies = ["250 2.0.0 one is stored", "452 4.2.2 one mailbox is full"][:accepted]
        else:
            replies = ["250 2.0.0 the next hop has it as H00P"] * accepted
        return replies if self.protocol == "lmtp" else replies[:1]

    def close(self):
        """Nobody listens from here on; the thread in accept() is woken."""
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Client:
    """A client of the agent."""

    def __init__(self, path):
        deadline = time.monotonic() + WAIT
        while True:
            self.connection = socket.socket(socket.AF_UNIX)
            try:
                self.connection.connect(str(path))
                break
            except OSError:
                self.connection.close()
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
        self.connection.settimeout(WAIT)
        self.lines = Lines(self.connection)
        self.reply()
        self.say("EHLO client.test", 250)

    def reply(self):
        while True:
            line = self.lines.line()
            if line is None:
                raise Failed("the agent has closed the connection")
            if line[3:4] != "-":
                return line

    def say(self, command, code):
        self.connection.sendall(command.encode() + b"\r\n")
        reply = self.reply()
        expect(f"{command[:60]!r} is answered {code}, not {reply}", reply.startswith(str(code)))
        return reply

    def begin(self, *recipients, parameters=""):
        self.say(f"MAIL FROM:<ann@here.test>{parameters}", 250)
        for recipient in recipients:
            self.say(f"RCPT TO:<{recipient}@there.test>", 251)
        self.say("DATA", 354)
        self.connection.sendall(b"From: ann@here.test\r\nSubject: way\r\n\r\n")

    def end(self, code):
        self.connection.sendall(b".\r\n")
        reply = self.reply()
        expect(f"the final dot is answered {code}, not {reply}", reply.startswith(str(code)))
        return reply

    def close(self):
        self.connection.close()


def wait_until(what, check):
    deadline = time.monotonic() + WAIT
    while not check():
        expect(f"{what}: not within {WAIT:g} s", time.monotonic() < deadline)
        time.sleep(0.01)


def passes_on_while_it_arrives(client, hop):
    client.say("XFORWARD NAME=first.test ADDR=192.0.2.9 PORT=4711 PROTO=ESMTP HELO=h.test IDENT=TRACE7 SOURCE=REMOTE", 250)
    client.say("MAIL FROM:<ann@here.test> RET=HDRS ENVID=env+2B1 BODY=8BITMIME", 250)
    client.say("RCPT TO:<bob@there.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;bob+2Bx@there.test", 251)
    client.say("DATA", 354)
    client.connection.sendall(b"From: ann@here.test\r\n\r\n" + BODY)
    wait_until("the next hop has most of a message whose end nobody has sent", lambda: len(hop.body) > len(BODY) - 100000)
    reply = client.end(250)
    expect(f"the reply to the final dot is the next hop's: {reply}", reply == "250 2.0.0 the next hop has it as H00P")
    expect("the message arrives whole, below our Received", hop.body.startswith(b"Received: from ") and
           b"id " in hop.body[:400] and hop.body.endswith(b"\r\n\r\n" + BODY))
    said = "\n".join(hop.commands)
    for part in (" RET=HDRS", " ENVID=env+2B1", " NOTIFY=SUCCESS,DELAY", " ORCPT=rfc822;bob+2Bx@there.test",
                 "XFORWARD NAME=first.test ADDR=192.0.2.9 PORT=4711 PROTO=ESMTP HELO=h.test IDENT=TRACE7 SOURCE=REMOTE"):
        expect(f"the next hop is told {part!r}: {said}", part in said)


def recipient_refused(client, hop):
    client.say("MAIL FROM:<ann@here.test>", 250)
    client.say("RCPT TO:<bob@there.test>", 251)
    reply = client.say("RCPT TO:<nobody@there.test>", 550)
    expect(f"a refused recipient gets the next hop's words: {reply}",
           reply == "550 5.1.1 the next hop knows nobody of this name")
    client.say("DATA", 354)
    client.connection.sendall(b"From: ann@here.test\r\n\r\nhello\r\n")
    client.end(250)


def message_refused(client, hop):
    hop.mood = "refuses"
    client.begin("bob", "eve")
    reply = client.end(554)
    expect(f"a refused message gets the next hop's words: {reply}", reply == "554 5.7.1 the next hop does not like it")


def mixed_verdicts(client, hop):
    hop.mood = "mixed"
    client.begin("bob", "eve")
    if hop.protocol == "smtp":
        client.end(250)
        return
    reply = client.end(452)  # who tries again gives bob a second one; who does not loses eve's
    expect(f"one who is to be tried again decides for all: {reply}", "4.2.2 one mailbox is full" in reply)


def lost_in_the_middle(client, hop):
    hop.mood = "leaves-in-body"
    client.begin("bob")
    client.connection.sendall(BODY)
    client.end("451 4.4.2")


def lost_at_the_end(client, hop):
    hop.mood = "leaves-at-end"
    client.begin("bob")
    client.end("451 4.4.2")


def client_lost_in_the_middle(client, hop):
    """What is cut is not delivered: the next hop never gets an end."""
    client.begin("bob")
    client.connection.sendall(BODY)
    wait_until("the next hop has begun", lambda: hop.body)
    client.close()
    time.sleep(0.3)
    expect("a cut message has no end at the next hop", not any(c.endswith(" LAST") for c in hop.commands))


CASES = [passes_on_while_it_arrives, recipient_refused, message_refused, mixed_verdicts, lost_in_the_middle,
         lost_at_the_end, client_lost_in_the_middle]


def nobody_there(client):
    reply = client.say("MAIL FROM:<ann@here.test>", 451)
    expect(f"nobody there is 4.4.1: {reply}", reply.startswith("451 4.4.1 "))


def check(programs, agent, protocol, kind, site):
    hop = NextHop(kind, protocol, site / "hop.sock")
    argv = [programs / agent, "--site", site, "--listen", f"unix:{site}/in.sock", "--userdb", "", "--domains", "there.test",
            "--hostname", "mx.there.test", "--next-hop", f"{protocol}:{hop.endpoint}", "--max-errors", "100"]
    with open(site / "log", "w+", encoding="utf-8") as log:
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log)
        try:
            for case in CASES:
                hop.mood, hop.commands, hop.body = "takes", [], b""
                client = Client(site / "in.sock")
                case(client, hop)
                if client.connection.fileno() >= 0:  # a failure is the message's, not the session's
                    hop.mood = "takes"
                    client.begin("bob")
                    client.end(250)
                    client.say("QUIT", 221)
                    client.close()
            hop.close()
            pathlib.Path(site / "hop.sock").unlink(missing_ok=True)
            # A new one: the old has connections that the test's threads still answer.
            process.send_signal(signal.SIGTERM)
            expect("SIGTERM ends it with 0", process.wait(20) == 0)
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stderr=log)
            nobody_there(Client(site / "in.sock"))
        except (Failed, OSError) as problem:
            log.seek(0)
            raise Failed(f"{agent} --next-hop {protocol}:{kind}: {problem}\n{log.read()[-2000:]}") from None
        finally:
            process.terminate()
            process.wait(20)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    programs = pathlib.Path(sys.argv[1]).resolve()
    failures = 0
    for agent in ("submissiond", "smtpd"):
        for protocol in ("smtp", "lmtp"):
            for kind in ("unix", "inet"):
                with tempfile.TemporaryDirectory(prefix="posthorn-next-hop-") as name:
                    site = pathlib.Path(name)
                    for part in ("conf", "run"):
                        (site / part).mkdir()
                    try:
                        check(programs, agent, protocol, kind, site)
                        print(f"ok      {agent} --next-hop {protocol}:{kind}", flush=True)
                    except Failed as problem:
                        failures += 1
                        print(f"FAILED  {problem}", flush=True)
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
