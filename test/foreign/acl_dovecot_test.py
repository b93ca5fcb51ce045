#!/usr/bin/env python3
"""Rights that doveadm gives, imapd keeps to; what imapd's SETACL writes, doveadm reads: dovecot-acl and the list of shares.

Only imapd and authd run, as an unprivileged user, since Dovecot handles no mail as root.
"""

import imaplib
import os
import shutil
import socket
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dovecot import write_dovecot  # noqa: E402
from foreign import Failed, become_nobody, need  # noqa: E402
from ports import accepts  # noqa: E402
from posthorn_site import programs, wait_until  # noqa: E402
from steps import Place, run_in, tail  # noqa: E402


class Worker(imaplib.IMAP4):
    """The mail worker's door for local agents: the user is named, no password is asked."""

    def __init__(self, path, user):
        self.path = path
        super().__init__()
        self.authenticate("EXTERNAL", lambda _: user.encode())

    def _create_socket(self, timeout):
        door = socket.socket(socket.AF_UNIX)
        door.settimeout(60)
        door.connect(str(self.path))
        return door


class Ground(Place):
    def __init__(self, binaries):
        super().__init__("acl")
        for name in ("conf", "run", "mail/ann", "mail/bob"):
            (self.directory / name).mkdir(parents=True)
        (self.directory / "conf/users").write_text("ann:{PLAIN}secret\nbob:{PLAIN}secret\n")
        self.conf = write_dovecot(self.directory, f"""
ssl = no
mail_plugins = acl
mail_location = maildir:{self.directory}/mail/ann/Maildir
plugin {{
  acl = vfile
  acl_shared_dict = file:{self.directory}/mail/shared-mailboxes
}}
""")
        self.binaries = binaries
        self.processes = []
        self.door = self.directory / "run/imap-worker.sock"

    def begin(self):
        self.start("authd")
        self.start("imapd", "--worker", "--shared-prefix=user.")
        wait_until("the worker listens", lambda: accepts(self.door))
        return self

    def start(self, program, *words):
        self.processes.append(subprocess.Popen([self.binaries / program, f"--site={self.directory}", "--log-level=error", *words]))

    def doveadm(self, *words):
        environment = {"USER": "ann", "HOME": str(self.directory / "mail/ann"), "PATH": os.environ["PATH"]}
        done = subprocess.run(["doveadm", "-c", self.conf, *words], env=environment, timeout=60,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"doveadm {words}: {done.stderr}")
        return done.stdout

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(60)

    def tails(self):
        return tail("Dovecot", self.directory / "dovecot.log")


def expect(what, got, wanted):
    if got != wanted:
        raise Failed(f"{what}: {got} instead of {wanted}")


def seen_by_bob(ground):
    bob = Worker(ground.door, "bob")
    names = [line.decode().split(' "." ')[1] for line in bob.list('""', '"user.*"')[1] if line]
    rights = {name: bob.myrights(name)[1][0].decode().split()[-1] for name in names if name.count(".") > 1}
    bob.logout()
    return rights


def both_ways(ground):
    """rights go both ways between imapd and doveadm"""
    ground.doveadm("mailbox", "create", "Work")
    expect("nothing is shared", seen_by_bob(ground), {})
    ground.doveadm("acl", "set", "Work", "user=bob", "lookup", "read", "write-seen")
    expect("what doveadm gave", seen_by_bob(ground), {"user.ann.Work": "lrs"})
    ann = Worker(ground.door, "ann")
    ann.setacl("Work", "bob", "+i")
    ann.setacl("Work", "$staff", "lr")
    ann.setacl("INBOX", "bob", "l")
    told = ground.doveadm("-f", "tab", "acl", "get", "Work").splitlines()[1:]
    rights = {line.split("\t")[0]: set(line.split("\t")[-1].split()) for line in told}
    expect("bob's rights", rights.get("user=bob"), {"lookup", "read", "write-seen", "insert"})
    expect("the group's rights", rights.get("group=staff"), {"lookup", "read"})
    expect("two mailboxes", seen_by_bob(ground), {"user.ann.INBOX": "l", "user.ann.Work": "lrsi"})
    ground.doveadm("acl", "delete", "Work", "user=bob")
    expect("what doveadm took", seen_by_bob(ground), {"user.ann.INBOX": "l"})
    ann.deleteacl("INBOX", "bob")
    ann.logout()
    expect("nothing is left", seen_by_bob(ground), {})


if __name__ == "__main__":
    need("doveadm")
    copied = become_nobody(("authd", "imapd"))
    try:
        run_in(Ground(copied or programs()), [both_ways], Ground.begin)
    finally:
        if copied:
            shutil.rmtree(copied, ignore_errors=True)
