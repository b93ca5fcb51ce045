#!/usr/bin/env python3
"""Rights that doveadm gives, imapd keeps to; what imapd's SETACL writes, doveadm reads: dovecot-acl and the list of shares.

Only imapd and authd run, as an unprivileged user, since Dovecot handles no mail as root.
"""

import imaplib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, become_nobody, need  # noqa: E402
from posthorn_site import programs, wait_until  # noqa: E402


class Worker(imaplib.IMAP4):
    """The mail worker's door for local agents: the user is named, no password is asked."""

    def __init__(self, path, user):
        self.path = path
        super().__init__()
        self.authenticate("EXTERNAL", lambda _: user.encode())

    def _create_socket(self, timeout):
        door = socket.socket(socket.AF_UNIX)
        door.settimeout(20)
        door.connect(str(self.path))
        return door


class Ground:
    def __init__(self, binaries):
        self.path = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-acl-"))
        for name in ("conf", "run", "mail/ann", "mail/bob"):
            (self.path / name).mkdir(parents=True)
        (self.path / "conf/users").write_text("ann:{PLAIN}secret\nbob:{PLAIN}secret\n")
        (self.path / "dovecot.conf").write_text(f"""
base_dir = {self.path}/dovecot
log_path = {self.path}/dovecot.log
first_valid_uid = 1
first_valid_gid = 1
ssl = no
mail_plugins = acl
mail_location = maildir:{self.path}/mail/ann/Maildir
plugin {{
  acl = vfile
  acl_shared_dict = file:{self.path}/mail/shared-mailboxes
}}
""")
        self.processes = [self.start(binaries / "authd"),
                          self.start(binaries / "imapd", "--worker", "--shared-prefix=user.")]
        self.door = self.path / "run/imap-worker.sock"
        wait_until("the worker listens", self.door.exists)

    def start(self, program, *words):
        return subprocess.Popen([program, f"--site={self.path}", "--log-level=error", *words])

    def doveadm(self, *words):
        environment = {"USER": "ann", "HOME": str(self.path / "mail/ann"), "PATH": os.environ["PATH"]}
        done = subprocess.run(["doveadm", "-c", self.path / "dovecot.conf", *words], env=environment, timeout=30,
                              capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise Failed(f"doveadm {words}: {done.stderr}")
        return done.stdout

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(20)
        shutil.rmtree(self.path, ignore_errors=True)


def expect(what, got, wanted):
    if got != wanted:
        raise Failed(f"{what}: {got} instead of {wanted}")


def seen_by_bob(ground):
    bob = Worker(ground.door, "bob")
    names = [line.decode().split(' "." ')[1] for line in bob.list('""', '"user.*"')[1] if line]
    rights = {name: bob.myrights(name)[1][0].decode().split()[-1] for name in names if name.count(".") > 1}
    bob.logout()
    return rights


def play(ground):
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


def main():
    need("doveadm")
    copied = become_nobody(("authd", "imapd"))
    ground = Ground(copied or programs())
    try:
        play(ground)
    finally:
        ground.stop()
        if copied:
            shutil.rmtree(copied, ignore_errors=True)
    print("ok: rights go both ways between imapd and doveadm")


if __name__ == "__main__":
    main()
