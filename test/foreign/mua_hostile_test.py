#!/usr/bin/env python3
"""mua against servers that want its memory or its time: each case ends, in little memory, with a sentence on what was wrong."""

import contextlib
import os
import re
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed  # noqa: E402
from peak import run_measured  # noqa: E402
from posthorn_site import is_sanitized, programs  # noqa: E402

CAPABILITIES = "IMAP4rev1 ESEARCH IDLE ENABLE CONDSTORE QRESYNC UIDPLUS LIST-EXTENDED"
EVERY_UID = "1:4294967295"


class Imap(socketserver.StreamRequestHandler):
    """Says OK to everything; `answers` of the server says what comes before, by command."""

    def handle(self):
        with contextlib.suppress(OSError):
            self.say(f"* PREAUTH [CAPABILITY {CAPABILITIES}] hello")
            for line in self.rfile:
                tag, command = line.decode().rstrip("\r\n").split(" ", 1)
                for pattern, answer in self.server.answers.items():
                    if re.match(pattern, command):
                        answer(self.say)
                        break
                else:
                    self.common(command)
                if command == "IDLE":
                    self.say("+ idling")
                    self.rfile.readline()
                self.say(f"{tag} OK done")

    def say(self, text):
        self.wfile.write(text.encode() + b"\r\n")

    def common(self, command):
        if command.startswith("ENABLE"):
            self.say("* ENABLED QRESYNC")
        if command.startswith("LIST"):
            self.say('* LIST () "/" INBOX')
        if command.startswith(("SELECT", "EXAMINE")):
            selected(self.say, 3)


class Pop3(socketserver.StreamRequestHandler):
    def handle(self):
        with contextlib.suppress(OSError):
            self.wfile.write(b"+OK hello\r\n")
            for line in self.rfile:
                command = line.decode().strip()
                self.wfile.write(b"+OK\r\n")
                if command == "CAPA":
                    self.wfile.write(b"USER\r\nUIDL\r\n.\r\n")
                if command in ("LIST", "UIDL"):
                    endless(self.wfile.write, b"%d " + b"x" * 60 + b"\r\n")
                if command == "QUIT":
                    return


def endless(write, line):
    """Until the other side has had enough."""
    number = 0
    while True:
        write(b"".join(line % (number + i + 1) for i in range(1000)))
        number += 1000


def selected(say, exists, more=()):
    say("* FLAGS (\\Seen \\Deleted)")
    say(f"* {exists} EXISTS")
    say("* OK [UIDVALIDITY 7] x")
    say("* OK [UIDNEXT 4294967295] x")
    say("* OK [HIGHESTMODSEQ 90] x")
    for line in more:
        say(line)


@contextlib.contextmanager
def server(handler, answers=None):
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as listening:
        listening.daemon_threads = True
        listening.block_on_close = False
        listening.answers = answers or {}
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        try:
            yield listening.server_address[1]
        finally:
            listening.shutdown()


def mua(home, port, store, *words):
    """Its exit code, standard output and error, and KiB."""
    (home / "mua.toml").write_text(f'[accounts.a]\naddress = "a@x.test"\nstore = "{store}"\nhost = "127.0.0.1"\n'
                                   f'port = {port}\ntls = "none"\n' + ('user = "a"\npassword_command = "echo x"\n' if store == "pop3" else ""))
    environment = {**os.environ, "POSTHORN_MUA_CONFIG": str(home / "mua.toml"), "HOME": str(home)}
    done, kib = run_measured([programs() / "mua", *words, "--timeout", "200s"], 240, stdin=subprocess.DEVNULL, capture_output=True, text=True, env=environment)
    return done.returncode, done.stdout, done.stderr, kib


def expect(title, result, code, sentence):
    got, out, err, kib = result
    if got != code or sentence not in out + err or kib > (500 if is_sanitized() else 200) * 1024:
        raise Failed(f"{title}: ended with {got} (not {code}) with {kib // 1024} MiB: {out[-500:]} {err[-500:]}")
    print(f"ok      {title}: {kib // 1024} MiB", flush=True)


def many(say, line, count):
    for i in range(count):
        say(line % (i + 10))


def imap_cases(home):
    def endless_list(say):
        endless(lambda octets: say(octets.decode()[:-2]), b'* LIST () "/" "box%d"\r\n')

    def endless_search(say):
        endless(lambda octets: say(octets.decode()[:-2]), b"* SEARCH " + b"1 2 3 4 5 6 7 8 9 " * 40 + b"%d\r\n")

    for title, answers, words, code, sentence in (
            ("LIST without end", {"LIST": endless_list}, ["folders", "list"], 69, "has more than 200000 lines"),
            ("SEARCH without end", {"UID SEARCH": endless_search}, ["list"], 69, "the server's answer has"),
            ("ESEARCH of every UID there can be", {"UID SEARCH": lambda say: say(f"* ESEARCH UID ALL {EVERY_UID}")}, ["list"], 69,
             "has more than 10000000 UIDs"),
            ("a structure of a million parts", {"UID SEARCH": lambda say: say("* ESEARCH UID ALL 5"),
                                                "UID FETCH": lambda say: say('* 1 FETCH (UID 5 BODYSTRUCTURE (' +
                                                                             '("a" "b" NIL NIL NIL "7bit" 1)' * 400000 + ' "mixed"))')},
             ["list"], 69, "fewer parts"),
            ("messages that nobody asked for", {"UID SEARCH": lambda say: say("* ESEARCH UID ALL 5"),
                                                "UID FETCH": lambda say: many(say, "* 2 FETCH (UID 5 FLAGS ())\r\n* %d EXISTS", 20000)},
             ["list"], 1, "")):
        if "without end" in title and is_sanitized():  # 64 MiB take it half a minute
            continue
        with server(Imap, answers) as port:
            expect(title, mua(home, port, "imap", *words), code, sentence)


def watches(home):
    """4294967295 messages that are only counted."""
    with server(Imap, {"(SELECT|EXAMINE)": lambda say: selected(say, 4294967295)}) as port:
        expect("watching 4294967295 messages", mua(home, port, "imap", "watch", "--duration", "2s"), 1, "")


def syncs(home):
    """Three messages, then all UIDs there can be have vanished."""
    def fetch(say):
        for uid in (1, 2, 3):
            say(f'* {uid} FETCH (UID {uid} FLAGS () INTERNALDATE "01-Jan-2026 00:00:00 +0000" BODY[] "x: y")')

    words = ["sync", "inbox", "--json", "--to", str(home / "copy")]
    with server(Imap, {"UID FETCH": fetch}) as port:
        first = mua(home, port, "imap", *words)
    expect("a sync", first, 0, '"fetched":3')
    vanished = [f"* VANISHED (EARLIER) {EVERY_UID}"]
    with server(Imap, {"SELECT": lambda say: selected(say, 0, vanished)}) as port:
        expect("VANISHED of every UID there can be", mua(home, port, "imap", *words), 0, '"removed":3')


def watches_on(home):
    """What comes while there is no connection is told, too."""
    seen = []

    def examine(say):
        seen.append(1)
        selected(lambda text: say(text.replace("4294967295", "5" if len(seen) == 1 else "7")), 3)

    def idle(say):
        if len(seen) == 1:
            raise OSError("hung up")
        say("+ idling")
        time.sleep(10)

    def fetch(say):
        for uid in (5, 6):
            say(f'* {uid - 3} FETCH (UID {uid} FLAGS () BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 1 1) BODY[HEADER] {{0}}\r\n)')

    with server(Imap, {"(SELECT|EXAMINE)": examine, "IDLE": idle, "UID SEARCH": lambda say: say("* ESEARCH UID ALL 5:6"),
                       "UID FETCH": fetch}) as port:
        result = mua(home, port, "imap", "watch", "--json", "--once", "--duration", "60s")
    expect("mail between two connections", result, 0, '"uid":6')


def watches_at_once(home):
    """What comes between the folder's opening and the first IDLE is told, too."""
    def learn(say):
        for uid in (1, 2, 3):
            say(f"* {uid} FETCH (UID {uid} FLAGS ())")
        say("* 4 EXISTS\r\n* 4 FETCH (UID 5 FLAGS ())")

    def fetch(say):
        say('* 4 FETCH (UID 5 FLAGS () BODYSTRUCTURE ("text" "plain" NIL NIL NIL "7bit" 1 1) BODY[HEADER] {0}\r\n)')

    examine = {"(SELECT|EXAMINE)": lambda say: selected(lambda text: say(text.replace("4294967295", "5")), 3)}
    with server(Imap, {**examine, "FETCH": learn, "UID FETCH": fetch}) as port:
        result = mua(home, port, "imap", "watch", "--json", "--once", "--duration", "60s")
    expect("mail before the first IDLE", result, 0, '"uid":5')


def pops(home):
    if is_sanitized():
        return
    with server(Pop3) as port:
        expect("UIDL without end", mua(home, port, "pop3", "get", "--to", f"maildir:{home}/pop"), 69, "list is too long")


def main():
    try:
        with tempfile.TemporaryDirectory() as directory:
            home = Path(directory)
            for step in (imap_cases, watches, watches_on, watches_at_once, syncs, pops):
                step(home)
    except Failed as problem:
        sys.exit(f"failed: {problem}")


if __name__ == "__main__":
    main()
