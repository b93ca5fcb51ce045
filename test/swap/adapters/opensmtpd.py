"""OpenSMTPD, unpacked; the folders that are compiled into it are the cell's in its own view of the machine."""

import re

from work import DOMAIN, free_port, is_open

RESOLV = "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n"


def action(work, delivery):
    """How OpenSMTPD hands over to this delivery agent."""
    if not delivery.lmtp:
        script = work.script("opensmtpd", delivery)
        return f'mda "{script}" virtual <users>'
    to = delivery.lmtp[5:]
    return f'lmtp "{to}" rcpt-to virtual <users>'


class OpenSmtpd:
    """Takes mail for the site and hands it to `delivery`."""
    name = "OpenSMTPD"
    # 6.8 has no SMTPUTF8.
    features = {"dsn"}

    def __init__(self, work, delivery=None, more="", listen=""):
        program = work.peer("opensmtpd", "usr/sbin/smtpd")
        self.work = work
        if delivery and delivery.lmtp:
            self.waits_for, self.waits_because = self.refused_by_lmtp, "OpenSMTPD's mail.lmtp takes every refusal for temporary"
        self.port = free_port()
        self.home = work.folder("opensmtpd", "root")
        lib, spool, libexec, run = (work.folder(f"opensmtpd/{sub}", "root", 0o711) for sub in ("lib", "spool", "libexec", "run"))
        work.folder("opensmtpd/lib/opensmtpd/empty", "root", 0o755)
        work.folder("opensmtpd/spool/smtpd", "root", 0o711)
        (libexec / "opensmtpd").symlink_to(work.peer("opensmtpd", "usr/libexec/opensmtpd"))
        way = ""
        if delivery:
            way = (f'table users {{ "@{DOMAIN}" = "nobody" }}\naction "site" {action(work, delivery)}\n'
                   f'match from any for domain "{DOMAIN}" action "site"\n')
        listen = listen or f"listen on 127.0.0.1 port {self.port} hostname mail.site.test"
        path = work.put("opensmtpd/smtpd.conf", f"""
smtp max-message-size "50M"
pki site cert "{work.bench.certificate}"
pki site key "{work.put('opensmtpd/key.pem', work.bench.key.read_text(), 'root', 0o600)}"
{listen.replace("PORT", str(self.port))}
{way}
{more}
""", "root", 0o600)
        private = work.private("opensmtpd", ["opensmtpd", "opensmtpq"], [("resolv.conf", RESOLV), ("mailname", "mail.site.test\n")],
                               [("/var/lib", lib), ("/var/spool", spool), ("/usr/libexec", libexec), ("/run", run)])
        self.words = [*private, program, "-f", path]
        work.start("opensmtpd", [*self.words, "-d"], lambda: is_open(self.port), "root")

    def log(self):
        return (self.work.directory / "opensmtpd.out").read_text(errors="replace")

    def refused_by_lmtp(self, recipient):
        return re.search(rf"to=<{re.escape(recipient)}>.*result=TempFail.*LMTP server error: 550", self.log())

    def logged(self, recipient):
        return re.search(rf"delivery .*<?{re.escape(recipient)}>?.*result=\"?Ok", self.log())
