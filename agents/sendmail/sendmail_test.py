#!/usr/bin/env python3
"""sendmail and mailq on a running site, as programs call them: sendmail_test.py DIRECTORY-OF-PROGRAMS."""

import os
import pathlib
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test/support"))
os.environ["POSTHORN_BIN"] = sys.argv[1]
from posthorn_site import Failed, Workshop, programs, wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"


def expect(what, condition):
    if not condition:
        raise Failed(what)


class Caller:
    """Calls a program with the site in the environment; counts bob's messages."""

    def __init__(self, site):
        self.site = site
        self.count = 0

    def call(self, *words, text="", exit=0, program="sendmail"):
        done = subprocess.run([programs() / program, *words], input=text.encode(), capture_output=True, timeout=60,
                              env=dict(os.environ, POSTHORN_SITE=str(self.site.directory)), check=False)
        said = (done.stdout + done.stderr).decode()
        expect(f"{program} {' '.join(words)}: ends with {exit}, not {done.returncode}: {said}", done.returncode == exit)
        return said

    def arrives(self, *words, text, has=(), lacks=()):
        """bob gets the message, with each of `has` and none of `lacks`."""
        expect("sendmail that succeeds says nothing", self.call(*words, text=text) == "")
        self.count += 1
        message = self.site.wait_for_messages(BOB, self.count)[-1].decode()
        for part in has:
            expect(f"sendmail {' '.join(words)}: {part!r} is in\n{message}", part in message)
        for part in lacks:
            expect(f"sendmail {' '.join(words)}: {part!r} is not in\n{message}", part not in message)
        return message


def check_delivery(caller):
    text = "Subject: one\n\nfirst\n.\nbehind the dot\n"
    caller.arrives(BOB, text=text, has=["\nfirst\n", "\nFrom: ", "\nDate: ", "\nMessage-ID: <"], lacks=["behind the dot"])
    for flag in ("-i", "-oi"):
        caller.arrives(flag, BOB, text=text, has=["\nfirst\n.\nbehind the dot\n"])
    caller.arrives("-t", "-oi", text=f"To: Bob <{BOB}>\nBcc: {BOB}\nSubject: header\n\nx\n", lacks=["Bcc:"],
                   has=[f"To: Bob <{BOB}>"])
    caller.arrives("-f", ALICE, "-F", "Alice \"W\" Liddell", BOB, text="Subject: names\n\nx\n",
                   has=[f"Return-Path: <{ALICE}>", f'From: "Alice \\"W\\" Liddell" <{ALICE}>'])
    caller.arrives("-r", "", BOB, text="From: x@y.test\n\nnull sender\n", has=["Return-Path: <>"])
    caller.arrives("--", BOB, text="Subject: dashes\r\n\r\nCRLF\r\n", has=["\nCRLF\n"], lacks=["\r"])
    caller.arrives("-B", "8BITMIME", BOB, text="Subject: b\n\nä\n", has=["\nä\n"])
    caller.arrives("-G", "-odi", "-oem", "-v", BOB, text="Subject: old letters\n\nx\n", has=["old letters"])


def check_dsn(caller, site):
    caller.arrives("-f", ALICE, "-N", "success", "-R", "hdrs", "-V", "env+2Bid", BOB, text="Subject: dsn\n\nbody here\n",
                   has=["Subject: dsn"])
    report = site.wait_for_messages(ALICE, 1)[0].decode()
    for part in ("Original-Envelope-Id: env+id", "Action: delivered", f"rfc822;{BOB}"):
        expect(f"{part!r} is in the report:\n{report}", part in report)
    expect("-R hdrs: the body is not in it", "body here" not in report)
    # A name that any resolver denies by itself (RFC 6761 6.4): no network is asked, so none has to answer.
    caller.call("-f", ALICE, "-N", "never", "nobody@elsewhere.invalid", text="Subject: x\n\nx\n")
    wait_until("a message nobody is told about is gone", lambda: not site.queue())
    expect("and nobody was told", len(site.messages(ALICE)) == 1)


def check_smtp(caller):
    """-bs, with and without pipelining"""
    said = caller.call("-bs", text=f"EHLO x\r\nMAIL FROM:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\nRCPT TO:<nobody@alpha.test>\r\n"
                       "DATA\r\nFrom: a@b.test\r\n\r\nby -bs\r\n.\r\nQUIT\r\n")
    codes = [line[:3] for line in said.splitlines() if line[3:4] != "-"]
    expect(f"the dialogue: {codes}", codes == ["220", "250", "250", "250", "550", "354", "250", "221"])
    caller.count += 1
    caller.site.wait_for_messages(BOB, caller.count)


def check_queue(caller, site):
    for program, words in (("mailq", []), ("sendmail", ["-bp"])):
        expect(f"{program} of an empty queue", caller.call(*words, program=program) == "Mail queue is empty\n")
    caller.call("-f", ALICE, "carl@later.test", text="Subject: waits\n\nx\n")
    listed = wait_until("it is in the queue", lambda: next(iter(m for m in site.queue() if m["state"] == "deferred"), None))
    for program, words in (("mailq", []), ("sendmail", ["-bp"])):
        said = caller.call(*words, program=program)
        expect(f"{program} shows id, sender and recipient: {said}", listed["id"] in said and ALICE in said and
               "carl@later.test" in said)
    caller.call("-q")
    caller.call("-qI", listed["id"])
    caller.call(f"-qI{listed['id']}")
    caller.call("-qI0000000000000000", exit=67)
    site.posthorn("queue", "delete", listed["id"])
    caller.call(program="newaliases")
    caller.call("-bi")


def check_refusals(caller):
    text = "Subject: x\n\nx\n"
    rows = [
        (["nobody@alpha.test"], text, 67, "sendmail: nobody@alpha.test: 5.1.1 User unknown"),
        ([BOB, "nobody@alpha.test"], text, 67, "nobody@alpha.test"),
        (["-bv", BOB, "nobody@alpha.test"], "", 67, "nobody@alpha.test: 5.1.1 User unknown"),
        ([], text, 64, "no recipients; name them, or use -t"),
        (["-t"], text, 64, "To, Cc and Bcc name nobody"),
        (["-Q"], text, 64, "unknown option -Q; sendmail --help tells more"),
        (["-bd"], "", 64, "start the site with posthorn run"),
        (["-N", "sometimes", BOB], text, 64, "-N sometimes: expected never, or success,failure,delay"),
        (["-R", "half", BOB], text, 64, "-R half: expected full or hdrs"),
        (["-V", "a b", BOB], text, 64, "-V a b: expected"),
        (["a b"], text, 65, "recipient 'a b': "),
        (["-f", "a b", BOB], text, 65, "sender 'a b': "),
        (["-t"], "To: a@@b\n\nx\n", 65, "To field in line 1"),
        (["-t"], f"To: {BOB}\nFrom: a@b.test\nFrom: c@d.test\n\nx\n", 65, "From field in line 3: a second one"),
        (["--site", "/nonexistent", BOB], text, 75, "/nonexistent/run/submission.sock: No such file or directory"),
    ]
    for words, body, code, part in rows:
        said = caller.call(*words, text=body, exit=code)
        expect(f"sendmail {' '.join(words)}: says {part!r}, not {said!r}", part in said)
    site_user = ["-bv", BOB]
    expect("-bv of one who exists", caller.call(*site_user) == f"{BOB}: 2.1.5 OK\n")


def check_foreign_sender(caller, site):
    """A user of the machine may write his own addresses only. Needs root, to be somebody else."""
    if os.geteuid() != 0:
        return
    site.directory.parent.chmod(0o755)
    for folder in (site.directory, site.directory / "run"):
        folder.chmod(0o755)
    words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", programs() / "sendmail", "--site", site.directory]
    done = subprocess.run([*words, "-f", ALICE, BOB], input=b"Subject: forged\n\nx\n", capture_output=True, timeout=60, check=False)
    said = done.stderr.decode()
    expect(f"nobody can't be alice: {done.returncode} {said}", done.returncode == 77 and "5.7.1" in said)
    caller.count = len(site.messages(BOB))


def main():
    with Workshop("sendmail") as workshop:
        site = workshop.site("alpha", ["alpha.test"], [ALICE, BOB], routes=["later.test=127.0.0.1:1"]).start()
        caller = Caller(site)
        check_delivery(caller)
        check_smtp(caller)
        check_queue(caller, site)
        check_dsn(caller, site)
        check_refusals(caller)
        check_foreign_sender(caller, site)
        expect("nothing else arrived", len(site.messages(BOB)) == caller.count)


try:
    main()
except Failed as failed:
    sys.exit(f"failed: {failed}")
