"""Postfix, installed; everything of its own lies in the cell's folder. Its master runs as root only."""

import re

from work import DOMAIN, free_port, is_open, need, need_root

MASTER = """
{port} inet n - n - - smtpd
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
mynetworks = 127.0.0.0/8
alias_maps =
alias_database =
smtpd_peername_lookup = no
message_size_limit = 50000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
smtp_host_lookup = native
"""


class Postfix:
    """Takes mail for the site and hands it to `delivery`: LMTP, or a command by pipe(8). main, master: more lines."""
    name = "Postfix"
    features = {"smtputf8", "dsn"}

    def __init__(self, work, delivery=None, main="", master="", prefix=()):
        need("postfix")
        need_root("Postfix's master")
        self.work = work
        self.port = free_port()
        self.home = work.folder("postfix", "root")
        work.folder("postfix/spool", "root")
        work.folder("postfix/data", "postfix")
        main = MAIN.format(home=self.home, certificate=work.bench.certificate, key=work.bench.key) + self.way(delivery) + main
        services = MASTER.format(port=f"127.0.0.1:{self.port}") + self.pipe(delivery) + master
        work.put("postfix/conf/main.cf", main, "root")
        work.put("postfix/conf/master.cf", services, "root")
        words = [*prefix, "postfix", "-c", self.home / "conf"]
        work.start("postfix", [*words, "start-fg"], lambda: is_open(self.port), "root", [*words, "stop"])

    @staticmethod
    def way(delivery):
        if not delivery:
            return ""
        text = f"virtual_mailbox_domains = {DOMAIN}\n"
        if delivery.lmtp:
            return text + f"virtual_transport = lmtp:{delivery.lmtp}\n"
        return text + "virtual_transport = swap\nswap_destination_recipient_limit = 1\n"

    @staticmethod
    def pipe(delivery):
        if not delivery or delivery.lmtp:
            return ""
        words = " ".join(str(word) for word in delivery.command)
        return f"swap unix - n n - 2 pipe\n  flags=DR user=nobody null_sender= argv={words}\n"

    def log(self):
        path = self.home / "postfix.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logged(self, recipient):
        return re.search(rf"to=<{re.escape(recipient)}>.*status=sent", self.log())
