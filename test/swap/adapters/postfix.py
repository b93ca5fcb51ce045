"""Postfix, installed; everything of its own lies in the cell's folder."""

import re

from postfix_files import write_postfix

from work import DOMAIN, free_port, is_open, need, need_root

MAIN = """mynetworks = 127.0.0.0/8
message_size_limit = 50000000
mailbox_size_limit = 0
virtual_mailbox_limit = 0
smtpd_tls_cert_file = {certificate}
smtpd_tls_key_file = {key}
smtpd_tls_security_level = may
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
        main = MAIN.format(certificate=work.bench.certificate, key=work.bench.key) + self.way(delivery) + main
        words = [*prefix, *write_postfix(self.home, self.port, main, self.pipe(delivery) + master)]
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
