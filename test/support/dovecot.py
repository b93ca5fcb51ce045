"""A Dovecot of a test's own: a configuration in a folder, with nothing of the machine's, its server, and sessions without a log-in."""

import imaplib
import os
import pwd
import subprocess

from foreign import need, skip
from ports import accepts, is_open
from posthorn_site import wait_until
from steps import Failed, tail

# What every one of them says; it goes in front of what a test wants.
HEAD = """
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/dovecot.log
listen = 127.0.0.1
default_internal_user = {user}
default_internal_group =
default_login_user = {login}
first_valid_uid = 1
first_valid_gid = 1
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""


def need_imap():
    """Skips the test if there is none."""
    need("dovecot", "doveadm")
    if not os.path.exists("/usr/lib/dovecot/imap"):
        skip("Dovecot has no imap (package dovecot-imapd); scripts/test installs it")


def write_dovecot(home, more, user=None, login=None):
    """dovecot.conf in that folder, for servers that run as `user` (without: as who runs the test), log-ins as `login`."""
    user = user or pwd.getpwuid(os.geteuid()).pw_name
    conf = home / "dovecot.conf"
    conf.write_text(HEAD.format(home=home, user=user, login=login or user) + more)
    return conf


class Server:
    """Runs in the foreground. When it is ready it listens on these ports and Unix sockets."""

    def __init__(self, home, more, doors, **users):
        self.home, self.doors, self.process = home, doors, None
        self.conf = write_dovecot(home, more, **users)

    @property
    def port(self):
        return self.doors[0]

    def start(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.conf], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until("Dovecot listens", self.listens)
        return self

    def listens(self):
        if self.process.poll() is not None:
            raise Failed("Dovecot ended:\n" + self.tails())
        return all(is_open(door) if isinstance(door, int) else accepts(door) for door in self.doors)

    def tails(self):
        return tail("Dovecot", self.home / "dovecot.log")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait(60)
            self.process = None


class Session(imaplib.IMAP4_stream):
    """IMAP with a process of Dovecot's imap, whose user is logged in. start(words) runs it, with pipes."""

    def __init__(self, conf, start):
        self.words = ["doveadm", "-c", conf, "exec", "imap"]
        self.start = start
        super().__init__("")

    def open(self, host=None, port=None, timeout=None):
        self.host = self.port = self.sock = None
        self.process = self.start(self.words)
        self.writefile = self.process.stdin
        self.readfile = os.fdopen(os.dup(self.process.stdout.fileno()), "rb")

    def shutdown(self):
        self.readfile.close()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(60)
