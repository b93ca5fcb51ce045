#!/usr/bin/env python3
"""mua ui in tmux, as a person sees it: against a sandbox (our imapd), Dovecot, a large Maildir and a server that says nothing."""

import email
import email.policy
import email.utils
import imaplib
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dovecot import need_imap  # noqa: E402
from foreign import Failed, need  # noqa: E402
from mua_world import ALICE, BOB, CARL, PASSWORD, Dovecot, account, expect, served  # noqa: E402
from posthorn_site import Workshop, programs, wait_until  # noqa: E402
from steps import run_in  # noqa: E402

WIDE = "日本語の件名"
HTML = """<html><head><style>p{}</style><script>alert(1)</script></head><body><h1>Grüße</h1>
<p>Ein <b>Absatz</b> mit <a href="https://example.org/x">Verweis</a> und 山田さん.</p></body></html>"""


class Terminal:
    """A window of a tmux of its own. The shell in it says what came of mua when it has ended."""

    def __init__(self, world, account, width=100, height=30, words=""):
        self.world = world
        self.socket = world.home / f"tmux-{time.monotonic_ns()}"
        self.states = world.home / "states"
        self.number = world.home / "number"
        command = (f"echo $$ > {self.number}; stty -g > {self.states}.before; {programs()}/mua --account {account} ui {words}; echo ended with $?; "
                   f"stty -g > {self.states}.after; cat")
        environment = {**os.environ, **world.environment(), "LANG": "C.UTF-8", "TERM": "screen-256color"}
        environment.pop("TMUX", None)
        self.tmux("-f", "/dev/null", "-u", "new-session", "-d", "-x", width, "-y", height, "sh", "-c", command, env=environment)
        self.tmux("set", "-g", "window-size", "manual")
        self.tmux("resize-window", "-x", width, "-y", height)

    def tmux(self, *words, env=None):
        return subprocess.run(["tmux", "-S", str(self.socket), *map(str, words)], check=True, capture_output=True, timeout=60, env=env).stdout.decode()

    def text(self):
        return self.tmux("capture-pane", "-p")

    def press(self, *keys):
        """Names of keys as tmux has them; what is longer than that and has blanks is typed."""
        for key in keys:
            self.tmux("send-keys", *(["-l", key] if len(key) > 1 and (" " in key or ":" in key or "/" in key or "@" in key) else [key]))

    def wait_for(self, *texts, absent=(), seconds=60):
        """Until all of these are on the screen, and none of those; the screen."""
        def seen():
            screen = self.text()
            return screen if all(t in screen for t in texts) and not any(t in screen for t in absent) else None
        try:
            return wait_until(f"{texts} on the screen, without {absent}", seen, seconds, 0.03)
        except Failed as problem:
            raise Failed(f"{problem}; it shows\n{self.text()}") from None

    def resize(self, width, height):
        self.tmux("resize-window", "-x", width, "-y", height)

    def ended(self, seconds=60):
        screen = self.wait_for("ended with", seconds=seconds)
        before, after = (pathlib.Path(f"{self.states}.{when}") for when in ("before", "after"))
        wait_until("the shell goes on", lambda: after.exists() and after.read_text())
        before, after = before.read_text(), after.read_text()
        pathlib.Path(f"{self.states}.after").unlink()
        expect(f"the terminal is as it was: {before} {after}", before == after)
        expect(f"and mua is content:\n{screen}", "ended with 0" in screen)

    def terminate(self):
        """SIGTERM to mua, which is the one child of the shell."""
        shell = self.number.read_text().strip()
        child = pathlib.Path(f"/proc/{shell}/task/{shell}/children").read_text().split()[0]
        os.kill(int(child), signal.SIGTERM)

    def __enter__(self):
        return self

    def __exit__(self, *what):
        self.tmux("kill-server")


class World:
    def __init__(self, workshop):
        self.site = workshop.site("alpha", ["alpha.test"], [ALICE, BOB]).start()
        self.home = workshop.directory / "home"
        self.home.mkdir()
        self.dovecot = workshop.hold(Dovecot(workshop.directory / "dovecot", self.site.directory / "tls")).start()
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.editor = self.home / "editor"
        self.script = self.home / "script"
        self.editor.write_text(f'#!/bin/sh\ncp "$1" {self.home}/offered\nsh {self.script} "$1"\n')
        self.editor.chmod(0o755)
        (self.home / "secret").write_text(PASSWORD + "\n")
        (self.home / "secret").chmod(0o600)
        ca = self.site.facts["ca"]
        self.config = self.home / "mua.toml"
        self.config.write_text("\n".join([
            'outbox = "outbox"',
            served("alice", ALICE, "imap", self.site.port("imaps"), ca, name="Alice", signature="Alice",
                   password_command=["printf", "%s\\n", self.site.password(ALICE)]),
            account("alice.submission", host="127.0.0.1", port=self.site.port("submissions"), ca_file=ca),
            served("carl", CARL, "imap", self.dovecot.port, ca, password_file="secret"),
            served("silent", BOB, "imap", self.silent.getsockname()[1], tls="none"),
            account("large", address=BOB, store="maildir", path=f"{self.home}/large")]))

    def environment(self):
        return {"POSTHORN_MUA_CONFIG": str(self.config), "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data"),
                "VISUAL": str(self.editor), "TMPDIR": str(self.home), "TZ": "UTC"}

    def imap(self):
        client = imaplib.IMAP4_SSL(self.site.address, self.site.port("imaps"), ssl_context=self.site.tls())
        client.login(ALICE, self.site.password(ALICE))
        return client


def messages(to):
    """A conversation with Bob, and HTML with a file whose name and text try to steer the terminal."""
    return (
        f"From: Bob <{BOB}>\r\nTo: {to}\r\nSubject: Plan\r\nMessage-ID: <1@alpha.test>\r\nDate: Mon, 2 Nov 2026 10:00:00 +0000\r\n\r\nthe first\r\n",
        f"From: Bob <{BOB}>\r\nTo: {to}\r\nSubject: Re: Plan\r\nMessage-ID: <2@alpha.test>\r\nReferences: <1@alpha.test>\r\n"
        "Date: Mon, 2 Nov 2026 11:00:00 +0000\r\n\r\nthe \x1b[2J\x1b]0;title\x07 second\r\n",
        f"From: =?utf-8?q?=E5=B1=B1=E7=94=B0?= <y@beta.test>\r\nTo: {to}\r\nSubject: =?utf-8?b?5pel5pys6Kqe44Gu5Lu25ZCN?=\r\nMessage-ID: <3@alpha.test>\r\n"
        "Date: Mon, 2 Nov 2026 12:00:00 +0000\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n"
        "Content-Type: text/html; charset=utf-8\r\n\r\n" + HTML.replace("\n", "\r\n") + "\r\n--b\r\nContent-Type: text/plain; name=note.txt\r\n"
        "Content-Disposition: attachment; filename=note.txt\r\n\r\nkept\r\n--b--\r\n")


def sandbox(world):
    """our imapd: conversations, a message, search, files, other sizes"""
    for text in messages(ALICE):
        world.site.inject("x@beta.test", [ALICE], text.encode())
        time.sleep(0.05)
    world.site.wait_for_messages(ALICE, 3)
    client = world.imap()
    for folder in ("Trash", "Archive", "Sent", "Drafts"):
        client.create(folder)
    client.logout()
    with Terminal(world, "alice") as window:
        screen = window.wait_for(WIDE, "└─Re: Plan", "3 messages, 3 new", "Archive")
        expect(f"the newest first:\n{screen}", screen.index(WIDE) < screen.index("Plan"))
        expect("who wrote it", "山田" in screen and "Bob" in screen)
        window.press("Enter")
        screen = window.wait_for("Grüße", "山田さん", "[2] note.txt", "https://example.org/x")
        expect(f"HTML as text:\n{screen}", "alert" not in screen and "<b>" not in screen and "Verweis" in screen)
        window.wait_for("2 new")
        window.press("h")
        window.wait_for("Content-Type: multipart/mixed")
        window.press("h", "End")
        window.wait_for("<h1>Grüße<")
        window.press("h", "s")
        window.wait_for("Save in: .")
        window.press("C-u", str(world.home) + "/", "Enter")
        window.wait_for("saved as")
        expect("the file", (world.home / "note.txt").read_text().strip() == "kept")
        window.press("n", "n")
        screen = window.wait_for("Subject: Re: Plan", "second")
        expect("no escape reaches the terminal", "<U+001B>" in screen and "title" in screen)
        window.resize(40, 10)
        window.wait_for("Subject: Re: Plan", absent=["Archive"])
        window.press("Escape")
        window.wait_for("11-02 山田", "?:help")
        window.resize(39, 9)
        window.wait_for("39x9 is too small: mua needs 40x10")
        window.resize(100, 30)
        window.wait_for("Archive", "└─Re: Plan", "3 messages")
        window.press("/", "subject:plan -from:y@beta.test", "Enter")
        window.wait_for("2 found", absent=[WIDE])
        window.press("/", "C-u", "larger:nonsense", "Enter")
        window.wait_for("larger:", "character")
        window.press("Escape")
        window.wait_for(WIDE, "3 messages")
        window.press("t")
        window.press("Home", "j", "t")
        window.wait_for("[+1] Plan", absent=["└─"])
        window.press("t", "?")
        window.wait_for("Keys", "Esc gives up")
        window.press("?", "q")
        window.ended()


def changes(world):
    """our imapd: delete and undo, flags, move, new mail without a key"""
    with Terminal(world, "alice") as window:
        window.wait_for("└─Re: Plan", "3 messages", "Archive")
        window.press("Home", "d")
        window.wait_for("moved to Trash", "2 messages", absent=[WIDE])
        window.press("u")
        window.wait_for(WIDE, "3 messages")
        window.press("Home", "*", "N")
        window.wait_for("N*")
        window.press("u", "u")
        window.wait_for(WIDE, absent=["N*"])
        window.press("m")
        window.wait_for("Move to")
        window.press("a", "r", "c", "Enter")
        window.wait_for("moved to Archive", "2 messages", absent=[WIDE])
        client = world.imap()
        client.select("Archive")
        expect("it is there", client.search(None, "ALL")[1] == [b"1"])
        client.logout()
        started = time.monotonic()
        world.site.inject("x@beta.test", [ALICE], f"From: x@beta.test\r\nTo: {ALICE}\r\nSubject: fresh mail\r\n\r\nx\r\n".encode())
        window.wait_for("fresh mail", "3 messages")
        print(f"        new mail is seen {time.monotonic() - started:.1f} s after it was handed to smtpd")
        window.press("Tab", "End")
        window.wait_for("Trash")
        window.press("q", "Home", "d")  # the newest message of INBOX
        window.wait_for("moved to Trash", "2 messages", absent=["fresh mail"])
        window.press("Tab", "End", "Enter")
        window.wait_for("1 messages", "fresh mail")
        window.press("d")
        window.wait_for("for good?")
        window.press("y")
        window.wait_for("0 messages", "no messages", absent=["fresh mail"])
        window.press("q")
        window.ended()


def takes_up(world, window):
    """The draft "not yet", with its file, is kept once more, then sent."""
    offered = world.home / "offered"
    offered.unlink()
    window.press("r")
    wait_until("the editor has the answer", offered.exists)  # the screen still shows what was said before
    window.wait_for("nothing was written")
    window.press("e")
    window.wait_for("this is no draft")
    window.press("Tab")
    screen = window.text()
    folders = sorted((line.split()[0] for line in screen.splitlines() if line.split() and line.split()[0] in ("Archive", "Drafts", "INBOX", "Sent", "Trash")),
                     key=lambda name: screen.index(name))
    window.press("Home", *["j"] * folders.index("Drafts"), "Enter")
    window.wait_for("not yet", "1 message")
    window.press("e")
    window.wait_for("Subject: not yet", "note.txt", "y:send")
    window.press("q")
    window.wait_for("kept as a draft in Drafts")
    window.wait_for("not yet", "1 message", absent=["2 messages"])
    window.press("e")
    window.wait_for("Subject: not yet", "y:send")
    world.script.write_text(f"sed -i 's/^To:.*/To: {BOB}/' \"$1\"\n")
    window.press("e")
    window.wait_for(f"To: {BOB}", "note.txt", "y:send")
    window.press("y")
    window.wait_for(" sent", absent=["not yet"])
    mail = email.message_from_bytes(world.site.wait_for_messages(BOB, 3)[2], policy=email.policy.default)
    expect("with its file", [part.get_filename() for part in mail.iter_attachments()] == ["note.txt"])


def letters(world):
    """compose in an editor, reply, drafts; what is sent arrives"""
    with Terminal(world, "alice") as window:
        window.wait_for("└─Re: Plan", "Archive")
        world.script.write_text(f"sed -i -e 's/^To:.*/To: {BOB}/' -e 's/^Subject:.*/Subject: aus dem Terminal ü/' -e '7i Hallo Bob' \"$1\"\n")
        window.press("c")
        screen = window.wait_for(f"To: {BOB}", "Subject: aus dem Terminal ü", "Hallo Bob", "y:send")
        expect(f"the signature:\n{screen}", "--\nAlice" in screen)
        expect("the editor had the fields", "From: Alice <" in (world.home / "offered").read_text())
        window.press("y")
        window.wait_for(" sent")
        raw = world.site.wait_for_messages(BOB, 1)[0]
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        expect(f"it arrived: {raw}", mail["Subject"] == "aus dem Terminal ü" and "Hallo Bob" in mail.get_content())
        world.script.write_text("sed -i '/^$/a Antwort' \"$1\"\n")
        window.press("End")  # Re: Plan
        window.press("r")
        window.wait_for("Subject: Re: Plan", "Antwort", "> the", "y:send")
        window.press("y")
        window.wait_for("A ")
        raw = world.site.wait_for_messages(BOB, 2)[1]
        mail = email.message_from_bytes(raw, policy=email.policy.default)
        expect(f"an answer: {raw}", mail["In-Reply-To"] == "<2@alpha.test>" and mail["References"] == "<1@alpha.test> <2@alpha.test>")
        world.script.write_text("sed -i 's/^Subject:.*/Subject: not yet/' \"$1\"\n")
        window.press("c")
        window.wait_for("Subject: not yet", "q:keep as draft")
        window.press("y")
        window.wait_for("the message goes to nobody", "y:send")
        window.press("a")
        window.wait_for("Attach file")
        window.press(str(world.home) + "/note.txt", "Enter")
        window.wait_for("Attach: ")
        window.press("q")
        window.wait_for("kept as a draft in Drafts")
        world.script.write_text("true\n")
        window.press("c")
        window.wait_for("nothing was written")
        takes_up(world, window)
        window.press("q")
        window.ended()
    client = world.imap()
    client.select("Drafts")
    expect("no draft is left", client.search(None, "ALL")[1] == [b""])
    client.select("Sent")
    expect("copies of all", client.search(None, "ALL")[1] == [b"1 2 3"])
    client.logout()
    expect("no file of the editor stays", not list(world.home.glob("mua-*")))


def dovecot(world):
    """Dovecot: the same, and mail that Dovecot tells of in IDLE"""
    for text in messages(CARL):
        world.dovecot.deliver(text.replace("\r\n", "\n"))
    with Terminal(world, "carl", 80, 24) as window:
        window.wait_for(WIDE, "└─Re: Plan", "3 messages, 3 new")
        window.press("Enter")
        window.wait_for("山田さん", "[2] note.txt", "2 new")
        window.press("d")
        window.wait_for("Subject: Plan", "moved to Bin")
        window.press("q", "u")
        window.wait_for(WIDE, "3 messages")
        window.press("/", "山田", "Enter")
        window.wait_for("1 found", WIDE)
        window.press("Escape")
        window.wait_for("3 messages")
        world.dovecot.deliver("From: x@beta.test\nSubject: fresh mail\nMessage-ID: <w@beta.test>\n\nx\n")
        window.wait_for("fresh mail", "4 messages")
        window.press("Tab")
        window.wait_for(" Bin", " Drafts", " Sent")
        window.press("q", "q")
        window.ended()


def silent(world):
    """a server that says nothing: the screen answers keys, Esc gives up, another account works, q ends at once"""
    with Terminal(world, "silent", 80, 24) as window:
        window.wait_for("opening INBOX, waiting for 127.0.0.1: 1 s")
        window.press("?")
        window.wait_for("Keys")
        window.press("q")
        window.wait_for("Esc gives up", absent=["Keys"])
        window.resize(60, 20)
        window.press("Escape")
        window.wait_for("given up: opening INBOX")
        window.press("A", "c", "a", "r", "l", "Enter")
        window.wait_for("└─Re: Plan")
        window.press("A", "s", "i", "l", "Enter")
        window.wait_for("waiting for 127.0.0.1")
        window.press("q")
        window.ended(20)  # at once, not when the server's time is up


def large(world):
    """ten thousand messages: the first screen at once, older ones as they are asked for"""
    for sub in ("cur", "new", "tmp"):
        (world.home / "large" / sub).mkdir(parents=True)
    for i in range(1, 10_001):
        (world.home / f"large/cur/{1_700_000_000 + i}.M{i}P1.test:2,S").write_text(
            f"From: <x{i % 50}@beta.test>\nSubject: number {i}\nMessage-ID: <{i}@beta.test>\n"
            f"Date: {email.utils.formatdate(1_790_000_000 + i)}\n\nx\n")
    started = time.monotonic()
    with Terminal(world, "large") as window:
        window.wait_for("number 10000", "10000 messages")
        print(f"        the first screen of 10 000 after {time.monotonic() - started:.1f} s")
        # End goes to the last one that is loaded, and being near the end loads more: how many, if the screen is slow, nobody knows.
        def older():
            window.press("End")
            shown = [int(number) for number in re.findall(r"number (\d+)", window.text())]
            return shown and max(shown) < 9800
        wait_until("older messages come", older, pause=0.3)
        window.press("Enter")
        window.wait_for("Subject: number ")
        window.press("q", "q")
        window.ended()


def no_terminal(world):
    """without a terminal it is a usage error; SIGTERM gives the terminal back"""
    done = subprocess.run([programs() / "mua", "ui"], stdin=subprocess.DEVNULL, capture_output=True, env={**os.environ, **world.environment()}, timeout=60)
    expect(f"64: {done}", done.returncode == 64 and b"terminal" in done.stderr)
    with Terminal(world, "carl") as window:
        window.wait_for("└─Re: Plan")
        window.terminate()
        window.ended()


if __name__ == "__main__":
    need("tmux")
    need_imap()
    steps = [sandbox, changes, letters, dovecot, silent, large, no_terminal]
    run_in(Workshop("mua-ui"), [step for step in steps if step.__name__ in sys.argv[1:] or not sys.argv[1:]], World)
