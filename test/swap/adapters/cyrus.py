"""Cyrus, unpacked: its master and lmtpd as nobody, from a configuration in the cell's folder. Its mailboxes are folders of files "1.", "2."."""

import pathlib
import smtplib

from work import DOMAIN, USERS, free_port, is_open

CONF = """configdirectory: {home}/conf
partition-default: {home}/spool
defaultpartition: default
sievedir: {home}/sieve
lmtpsocket: {home}/socket/lmtp
idlesocket: {home}/socket/idle
notifysocket: {home}/socket/notify
proc_path: {home}/proc
mboxname_lockpath: {home}/lock
cyrus_user: nobody
servername: mda.site.test
unixhierarchysep: yes
mailbox_legacy_dirs: yes
autocreate_quota: 0
autocreate_post: yes
autocreate_users: {users}
duplicatesuppression: no
reject8bit: no
munge8bit: no
"""
MASTER = """START {{
  recover cmd="{bin}/ctl_cyrusdb -C {home}/imapd.conf -r"
}}
SERVICES {{
  lmtp cmd="{bin}/lmtpd -C {home}/imapd.conf -a" listen="127.0.0.1:{port}" prefork=0 maxchild=100
}}
"""


class File(pathlib.PosixPath):
    """A message as a Maildir would have it: Cyrus keeps CRLF."""

    def read_bytes(self):
        return super().read_bytes().replace(b"\r\n", b"\n")


class Folder:
    """A mailbox of Cyrus as those who look into Maildirs see it: all its messages are new."""

    def __init__(self, path):
        self.path = path

    def glob(self, pattern):
        return [File(path) for path in self.path.glob("[0-9]*.")] if pattern.startswith("new/") else []


class Cyrus:
    """lmtpd behind its master; each user's mailbox is made by a message that comes before all others and goes at once: two that come
    together both make it, and one of them is answered "451 Mailbox already exists", which may take its sender minutes."""
    name = "Cyrus LMTP"
    features = set()

    def __init__(self, work):
        program = work.peer("cyrus", "usr/lib/cyrus/bin/master")
        port = free_port()
        home = self.home = work.folder("cyrus")
        for name in ("conf", "spool", "socket", "proc", "sieve", "lock"):
            work.folder(f"cyrus/{name}")
        work.put("cyrus/imapd.conf", CONF.format(home=home, users=" ".join(user for user in USERS if user.isascii())))
        work.put("cyrus/cyrus.conf", MASTER.format(home=home, bin=program.parent, port=port))
        # A session of its own: its master ends with a signal to its whole process group.
        libraries = str(program.parents[2] / "x86_64-linux-gnu")
        work.start("cyrus", [program, "-D", "-C", home / "imapd.conf", "-M", home / "cyrus.conf", "-p", home / "pid"],
                   lambda: is_open(port), start_new_session=True, env={"LD_LIBRARY_PATH": libraries, "PATH": "/usr/bin:/bin"})
        self.lmtp = f"inet:127.0.0.1:{port}"
        self.command = None
        with smtplib.LMTP("127.0.0.1", port, timeout=60) as client:
            for user in USERS:
                if user.isascii():
                    client.sendmail("", [f"{user}@{DOMAIN}"], b"Subject: the first\r\n\r\n")
                    for path in self.maildir(user).path.glob("1."):
                        path.unlink()

    def maildir(self, user):
        return Folder(self.home / "spool/user" / user)
