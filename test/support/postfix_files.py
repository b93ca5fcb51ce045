"""A Postfix of a test's own, with nothing of the machine's: its two files in a folder. Its master runs as root only."""

import os
import pathlib
import pwd

from foreign import run
from ports import free_port, greets
from posthorn_site import wait_until
from steps import tail

MASTER = """{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
local unix - n n - - local
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""
MAIN = """compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
maillog_file = {home}/postfix.log
maillog_file_prefixes = {home}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mail.site.test
mydestination =
alias_maps =
alias_database =
smtpd_peername_lookup = no
smtp_host_lookup = native
"""


def write_postfix(home, port, main="", master=""):
    """Folders and configuration for an smtpd on this port of 127.0.0.1; main, master: more lines. Gives the words that
    `start`, `start-fg`, `stop` and the others follow."""
    home = pathlib.Path(home)
    for name in ("conf", "spool", "data"):
        (home / name).mkdir(parents=True, exist_ok=True)
    owner = pwd.getpwnam("postfix")
    os.chown(home / "data", owner.pw_uid, owner.pw_gid)
    (home / "conf/main.cf").write_text(MAIN.format(home=home) + main)
    (home / "conf/master.cf").write_text(MASTER.format(port=f"127.0.0.1:{port}") + master)
    return ["postfix", "-c", home / "conf"]


class Postfix:
    """The whole of it, on a port of 127.0.0.1."""

    def __init__(self, home, main="", master=""):
        self.port = free_port()
        self.home = home
        self.words = write_postfix(home, self.port, main, master)

    def do(self, verb):
        run([*self.words, verb], expect=None)

    def start(self):
        self.do("start")
        wait_until("Postfix answers", lambda: greets(self.port))
        return self

    def stop(self):
        self.do("stop")

    def tails(self):
        return tail("Postfix", self.home / "postfix.log")
