"""sendmail(1): programs that call it, and our sendmail while submissiond runs and while it doesn't."""

import base64
import os
import quopri

from adapters.posthorn import Deliverd, Queue, Submissiond
from messages import ANN, stored_in
from seams import Seam
from work import DOMAIN, Failed, need, wait_until

TO = f"u1@{DOMAIN}"
BODY = "Grüße aus der Wanne\n.\n.. two dots\nFrom the last line on\n"
HEAD = f"From: {ANN}\nTo: {TO}\nSubject: called\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n"


class Caller:
    """What a caller has: the program's path, an environment, a folder."""

    def __init__(self, work):
        self.work = work
        self.home = work.folder("caller")
        self.sendmail = work.bench.bin / "sendmail"
        self.environment = {"HOME": str(self.home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "LOGNAME": "nobody", "USER": "nobody",
                            "POSTHORN_SITE": str(work.directory / "mta"), "EMAIL": ANN}

    def run(self, argv, text=None):
        return self.work.run(argv, text, env=self.environment, cwd=self.home)


def cron(caller):
    """As cron does for a job that wrote something."""
    caller.run([caller.sendmail, "-i", "-FCronDaemon", "-B8BITMIME", "-oem", TO], HEAD.replace("called", "Cron <root@host> job") + BODY)


def logcheck(caller):
    """A pipe that ends in sendmail -t, with LF and a Bcc that nobody may see."""
    caller.run(["sh", "-c", f'{{ cat; }} | "{caller.sendmail}" -oi -t -f {ANN}'], HEAD.replace("Subject:", "Bcc: u2@site.test\nSubject:") + BODY)


def git(caller):
    program = need("git")
    if not os.path.exists("/usr/lib/git-core/git-send-email"):
        need("git-send-email")
    patch = caller.work.put("caller/0001.patch", "From 1111111111111111111111111111111111111111 Mon Sep 17 00:00:00 2001\n"
                            f"From: Ann <{ANN}>\nDate: Mon, 23 Nov 2026 09:00:00 +0000\nSubject: [PATCH] called\nMIME-Version: 1.0\n"
                            f"Content-Type: text/plain; charset=UTF-8\nContent-Transfer-Encoding: 8bit\n\n{BODY}")
    caller.run([program, "send-email", f"--smtp-server={caller.sendmail}", f"--from=Ann <{ANN}>", f"--envelope-sender={ANN}", f"--to={TO}",
                "--confirm=never", "--suppress-cc=all", "--quiet", "--no-validate", patch])


def mutt(caller):
    rc = caller.work.put("caller/muttrc", f'set sendmail="{caller.sendmail} -oem -oi" use_envelope_from=yes envelope_from_address={ANN}\n'
                         f'set from={ANN} copy=no charset=utf-8 send_charset="us-ascii:utf-8" sendmail_wait=0 record=\n')
    caller.run([need("mutt"), "-n", "-F", rc, "-s", "called", TO], BODY)


def s_nail(caller):
    rc = caller.work.put("caller/nailrc", f"set v15-compat mta={caller.sendmail} from={ANN} sendwait ttycharset=utf-8 nosave\n")
    caller.environment["MAILRC"] = str(rc)
    caller.run([need("s-nail"), "-n", "-s", "called", "-r", ANN, TO], BODY)


def mailx(caller):
    """bsd-mailx ends a message at a lone dot only from a terminal."""
    caller.work.put("caller/.mailrc", f"set sendmail={caller.sendmail} nosave\n")
    caller.run([need("bsd-mailx"), "-s", "called", "-a", "MIME-Version: 1.0", "-a", "Content-Type: text/plain; charset=utf-8", TO], BODY)


def drop_only(work):
    """submissiond is away: what is sent waits as a file that queued takes."""


def to_submissiond(work):
    Submissiond(work, site="mta", flags=["--listen", f"unix:{work.directory}/mta/run/submission.sock", "--userdb", "", "--auth", ""])


LEFT = {"cron": cron, "a pipe to sendmail -t": logcheck, "git send-email": git, "mutt": mutt, "s-nail": s_nail, "bsd-mailx": mailx}
RIGHT = {"sendmail -> submissiond": to_submissiond, "sendmail -> queue/drop": drop_only}


def test(work, left, right):
    delivery = Deliverd(work)
    Queue(work, delivery)
    RIGHT[right](work)
    LEFT[left](Caller(work))
    found = wait_until("the message is there", lambda: list(stored_in(delivery.maildir("u1")).values()), 60, 0.1)
    text = found[0].decode(errors="replace")
    head, body = text.split("\n\n", 1)
    if len(found) != 1 or "called" not in head and "Cron" not in head:
        raise Failed(f"{len(found)} messages, the first: {text}")
    if "Bcc" in head:
        raise Failed("Bcc is still there")
    for line in BODY.splitlines():
        if line not in decoded(head, body):
            raise Failed(f"{line!r} is not in {text}")
    return ["the text arrived as it was written"]


def decoded(head, body):
    """mutt may have chosen another transfer encoding."""
    if "quoted-printable" in head.lower():
        return quopri.decodestring(body.encode()).decode(errors="replace").splitlines()
    if "base64" in head.lower():
        return base64.b64decode(body).decode(errors="replace").splitlines()
    return body.splitlines()


SEAM = Seam("sendmail", "who calls sendmail(1) -> where ours puts it", LEFT, RIGHT, test,
            quick=[("cron", "sendmail -> submissiond"), ("git send-email", "sendmail -> queue/drop")])
