"""The systems that are measured. Each has: name, group, smtp (host, port), maildir(user), users, stop()."""

import json
import os
import pathlib
import pwd
import shutil
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from ports import free_port  # noqa: E402
from posthorn_site import programs  # noqa: E402

from measure import Group  # noqa: E402

DOMAIN = "example.test"
USERS = 64  # a fresh one for each run


def put(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def start_sandbox(server, users):
    """Into server.process; gives its facts. users: (address, password)."""
    argv = [str(programs() / "posthorn"), "sandbox", "--dir", str(server.directory), "--port-base", "0", "--domain", DOMAIN,
            "--start-time", "60s"]
    for user in users:
        argv += ["--user", ":".join(user)]
    server.process = server.group.start(argv, stdout=subprocess.PIPE, stderr=server.errors, text=True)
    line = server.process.stdout.readline()
    if not line:
        raise SystemExit("bench: the sandbox did not start: " + (server.directory / "errors").read_text()[-2000:])
    return json.loads(line)


class Posthorn:
    name = "posthorn"

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.group = Group(self.name)
        # One client stands for 100, and its connections last: only these two limits are raised.
        put(self.directory / "conf/smtpd.toml", "max_connections_per_client = 1000\nmax_messages = 1000000\n")
        self.errors = open(self.directory / "errors", "w", encoding="utf-8")
        facts = start_sandbox(self, [(f"u{number}@{DOMAIN}", "secret") for number in range(USERS)])
        self.smtp = ("127.0.0.1", facts["ports"]["smtp"])
        self.maildirs = {u["address"].split("@")[0]: pathlib.Path(u["maildir"]) for u in facts["users"]}

    def maildir(self, user):
        return self.maildirs[user]

    def stop(self):
        self.process.terminate()
        self.process.wait(30)
        self.group.remove()


MASTER = """
127.0.0.1:{port} inet n - n -     -  smtpd
pickup    unix  n - n 60    1  pickup
cleanup   unix  n - n -     0  cleanup
qmgr      unix  n - n 300   1  qmgr
tlsmgr    unix  - - n 1000? 1  tlsmgr
rewrite   unix  - - n -     -  trivial-rewrite
bounce    unix  - - n -     0  bounce
defer     unix  - - n -     0  bounce
trace     unix  - - n -     0  bounce
verify    unix  - - n -     1  verify
flush     unix  n - n 1000? 0  flush
proxymap  unix  - - n -     -  proxymap
error     unix  - - n -     -  error
retry     unix  - - n -     -  error
virtual   unix  - n n -     -  virtual
anvil     unix  - - n -     1  anvil
postlog   unix-dgram n - n - 1 postlogd
"""

MAIN = """
compatibility_level = 3.6
queue_directory = {d}/queue
data_directory = {d}/data
maillog_file = {d}/mail.log
maillog_file_prefixes = {d}
myhostname = mx.example.test
mydestination =
mynetworks = 127.0.0.0/8
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
smtpd_peername_lookup = no
virtual_mailbox_domains = example.test
virtual_mailbox_base = {d}/maildirs
virtual_mailbox_maps = hash:{d}/users
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
"""


class Postfix:
    """Defaults for durability and concurrency; local clients are exempt from its per-client limits (mynetworks)."""
    name = "postfix"

    def __init__(self, directory):
        d = self.directory = pathlib.Path(directory)
        owner, daemon = pwd.getpwnam("nobody"), pwd.getpwnam("postfix")
        self.group = Group(self.name)
        port = free_port()
        for sub in ("etc", "queue"):
            (d / sub).mkdir(parents=True)
        (d / "data").mkdir()
        os.chown(d / "data", daemon.pw_uid, daemon.pw_gid)
        for number in range(USERS):
            for sub in ("tmp", "new", "cur"):
                (d / "maildirs" / f"u{number}" / sub).mkdir(parents=True)
        for path in [d / "maildirs", *(d / "maildirs").rglob("*")]:
            os.chown(path, owner.pw_uid, owner.pw_gid)
        put(d / "users", "".join(f"u{n}@{DOMAIN} u{n}/\n" for n in range(USERS)))
        put(d / "etc/main.cf", MAIN.format(d=d, uid=owner.pw_uid, gid=owner.pw_gid))
        put(d / "etc/master.cf", MASTER.format(port=port))
        subprocess.run(["postmap", "-c", d / "etc", f"hash:{d}/users"], check=True)
        self.errors = open(d / "errors", "w", encoding="utf-8")
        self.process = self.group.start(["postfix", "-c", str(d / "etc"), "start-fg"], stdout=self.errors,
                                        stderr=self.errors)
        self.smtp = ("127.0.0.1", port)
        deadline = time.monotonic() + 20
        while subprocess.run(["smtp-source", "-m", "1", "-f", f"a@{DOMAIN}", "-t", f"u0@{DOMAIN}",
                              f"127.0.0.1:{port}"], capture_output=True, check=False).returncode != 0:
            if time.monotonic() > deadline:
                raise SystemExit("bench: postfix did not start: " + (d / "errors").read_text()[-2000:])
            time.sleep(0.2)

    def maildir(self, user):
        return self.directory / "maildirs" / user

    def stop(self):
        subprocess.run(["postfix", "-c", str(self.directory / "etc"), "stop"], capture_output=True, check=False)
        self.process.wait(30)
        self.group.remove()


SYSTEMS = {"posthorn": Posthorn, "postfix": Postfix}


def available(name):
    return name != "postfix" or shutil.which("postfix") is not None
