"""Exim, unpacked; it sees an /etc with its user and with our configuration among those it trusts."""

import re

from work import DOMAIN, free_port, is_open

MAIN = """
exim_path = {program}
spool_directory = {home}/spool
log_file_path = {home}/%s.log
pid_file_path = {home}/exim.pid
primary_hostname = mail.site.test
local_interfaces = 127.0.0.1
daemon_smtp_ports = {port}
tls_advertise_hosts = *
tls_certificate = {certificate}
tls_privatekey = {key}
smtputf8_advertise_hosts = *
dsn_advertise_hosts = *
message_size_limit = 50M
host_lookup =
rfc1413_query_timeout = 0s
keep_environment =
trusted_users = nobody
acl_smtp_rcpt = {acl_rcpt}
smtp_accept_queue_per_connection = 0
no_write_rejectlog
{main}
begin acl
{acl}
begin authenticators
{authenticators}
begin routers
{routers}
begin transports
{transports}
begin retry
* * F,2h,1m
"""
SITE = """site:
  driver = accept
  domains = {domain}
  transport = out
"""


def transport(work, delivery):
    """out: how Exim hands over to this delivery agent."""
    if not delivery.lmtp:
        script = work.script("exim", delivery)
        return f"""out:
  driver = pipe
  command = {script}
  user = nobody
  initgroups = false
  message_prefix =
  message_suffix =
  return_path_add
  temp_errors = 71 : 75
  return_fail_output
"""
    if delivery.lmtp.startswith("unix:"):
        return f"out:\n  driver = lmtp\n  socket = {delivery.lmtp[5:]}\n  batch_max = 100\n"
    host, port = delivery.lmtp[5:].split(":")
    return f"out:\n  driver = smtp\n  protocol = lmtp\n  hosts = {host}\n  port = {port}\n  hosts_override\n  allow_localhost\n"


class Exim:
    """Takes mail for the site and hands it to `delivery`."""
    name = "Exim"

    def __init__(self, work, delivery=None, main="", routers=SITE.format(domain=DOMAIN), transports="", acl="", acl_rcpt="accept",
                 authenticators=""):
        program = work.peer("exim", "usr/sbin/exim4")
        # Its lmtp driver and its pipes know neither SMTPUTF8 nor DSN; its smtp driver does, also when it speaks LMTP.
        self.features = {"dsn", "smtputf8"}
        if delivery and not (delivery.lmtp or "").startswith("inet:"):
            self.features -= {"smtputf8"}
        self.work = work
        self.port = free_port()
        self.home = work.folder("exim")
        configuration = MAIN.format(
            program=program, home=self.home, port=self.port, certificate=work.bench.certificate, key=work.bench.key, main=main, acl=acl,
            acl_rcpt=acl_rcpt, authenticators=authenticators, routers=routers, transports=(transport(work, delivery) if delivery else "") + transports)
        path = work.put("exim/exim.conf", configuration, "root")
        private = work.private("exim", ["Debian-exim"], [("exim4/trusted_configs", f"{path}\n")])
        # Its user exists in that view of the machine only.
        work.run([*private, "sh", "-c", f"mkdir {self.home}/spool && chown -R Debian-exim:Debian-exim {self.home} && chown root {path}"],
                 user="root")
        self.words = [*private, program, "-C", path]
        work.start("exim", [*self.words, "-bdf", "-q1m"], lambda: is_open(self.port), "root")

    def log(self):
        path = self.home / "main.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def logged(self, recipient):
        user = re.escape(recipient.split("@")[0])
        return re.search(rf" [=-]> {user}[ @]", self.log())
