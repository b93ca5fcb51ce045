"""The IMAP servers that are measured. Each has: name, group, imap and imaps (addresses), lmtp (a path), maildir(user), stop()."""

import os
import pathlib
import pwd
import shutil
import socket
import time

from measure import Group
from systems import DOMAIN, put, start_sandbox  # and where test/support is
from ports import free_port

PASSWORD = "secret"


def address(user):
    return f"{user}@{DOMAIN}"


class Server:
    """What both have: users u0, u1, ... , each once, and their Maildirs."""

    def __init__(self, name, directory, users):
        self.name, self.directory, self.users = name, pathlib.Path(directory), users
        self.directory.mkdir(parents=True)
        self.group = Group(name)
        self.errors = open(self.directory / "errors", "w", encoding="utf-8")
        self.next_user = 0

    def new_user(self, letters=None, count=None):
        """A user whose INBOX is hard links to `letters`: nobody made an index of it yet."""
        user = f"u{self.next_user}"
        self.next_user += 1
        if self.next_user > self.users:
            raise SystemExit("bench: more runs than mailboxes; lower --runs")
        folder = self.maildir(user)
        for sub in ("tmp", "new", "cur"):
            (folder / sub).mkdir(parents=True)
        for name in sorted(os.listdir(letters))[:count] if letters else ():
            os.link(letters / name, folder / "cur" / name)
        for path in (folder.parent, folder, *folder.iterdir()):
            os.chown(path, *self.owner)
        return user

    def forget(self, user):
        shutil.rmtree(self.maildir(user), ignore_errors=True)

    def wait_for(self, port):
        deadline = time.monotonic() + 20
        while True:
            try:
                return socket.create_connection(("127.0.0.1", port), 1).close()
            except OSError:
                if time.monotonic() > deadline or self.process.poll() is not None:
                    raise SystemExit(f"bench: {self.name} did not start: "
                                     + (self.directory / "errors").read_text()[-2000:]) from None
                time.sleep(0.1)

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.group.remove()


class Posthorn(Server):
    owner = (0, 0)

    def __init__(self, directory, users):
        super().__init__("posthorn", directory, users)
        # One client stands for hundreds, without TLS where that isn't what is measured.
        put(self.directory / "conf/imapd.toml", "max_connections_per_client = 10000\nplaintext_in_clear = true\n")
        put(self.directory / "conf/authd.toml", "plaintext_in_clear = true\n")
        facts = start_sandbox(self, [(address(f"u{number}"), PASSWORD) for number in range(users)])
        self.imap, self.imaps = facts["ports"]["imap"], facts["ports"]["imaps"]
        self.lmtp = facts["sockets"]["lmtp"]
        self.maildirs = {u["address"]: pathlib.Path(u["maildir"]) for u in facts["users"]}

    def maildir(self, user):
        return self.maildirs[address(user)]


CONFIGURATION = """
base_dir = {d}/run
state_dir = {d}/state
log_path = {d}/log
protocols = imap lmtp
listen = 127.0.0.1
ssl = yes
ssl_cert = <{tls}/cert.pem
ssl_key = <{tls}/key.pem
disable_plaintext_auth = no
mail_location = maildir:{d}/mail/%n/Maildir
first_valid_uid = 1
auth_username_format = %n
postmaster_address = postmaster@{domain}
passdb {{
  driver = passwd-file
  args = {d}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={d}/mail/%n
}}
mail_max_userip_connections = 10000
service imap-login {{
  inet_listener imap {{
    port = {imap}
  }}
  inet_listener imaps {{
    port = {imaps}
  }}
  process_limit = 1000
{login}
}}
service imap {{
  vsz_limit = 4G
{reuse}
}}
service lmtp {{
  unix_listener {d}/lmtp.sock {{
    mode = 0666
  }}
}}
"""


class Dovecot(Server):
    """Debian's, with the same certificate and password hashes as ours; only limits on many clients from one address are raised."""

    def __init__(self, directory, users, like, name="dovecot", login="", reuse=""):
        super().__init__(name, directory, users)
        nobody = pwd.getpwnam("nobody")
        self.owner = (nobody.pw_uid, nobody.pw_gid)
        self.imap, self.imaps, self.lmtp = free_port(), free_port(), str(self.directory / "lmtp.sock")
        hashes = [line.split(":")[1] for line in (like.directory / "conf/users").read_text().splitlines() if ":" in line]
        put(self.directory / "users", "".join(f"u{n}:{hashes[n]}\n" for n in range(users)))
        put(self.directory / "dovecot.conf", CONFIGURATION.format(
            d=self.directory, tls=like.directory / "tls", domain=DOMAIN, uid=nobody.pw_uid, gid=nobody.pw_gid,
            imap=self.imap, imaps=self.imaps, login=login, reuse=reuse))
        (self.directory / "mail").mkdir()
        os.chown(self.directory / "mail", *self.owner)
        self.process = self.group.start(["dovecot", "-F", "-c", str(self.directory / "dovecot.conf")],
                                        stdout=self.errors, stderr=self.errors)
        self.wait_for(self.imap)

    def maildir(self, user):
        return self.directory / "mail" / user / "Maildir"


class DovecotForLogins(Dovecot):
    """In the mode that its manual recommends for many log-ins: processes are used again."""

    def __init__(self, directory, users, like):
        super().__init__(directory, users, like, "dovecot-fast", "  service_count = 0\n  process_min_avail = 2",
                         "  service_count = 1000")
