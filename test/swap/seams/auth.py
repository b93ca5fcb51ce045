"""Auth: who knows the passwords and the users, and who asks. A right password, a wrong one, and somebody unknown."""

import imaplib
import poplib
import smtplib

from adapters.dovecot import Dovecot
from adapters.posthorn import Queue, Submissiond
from adapters.stores import Posthorn, context_of, fill, log_in
from messages import ANN, UNKNOWN, connect
from seams import Seam
from seams.submission import exim, postfix
from work import DOMAIN, PASSWORD, Failed, free_port


class Authd:
    def __init__(self, work):
        work.posthorn_users()
        work.agent("authd", "--listen-mode", "0666", "--listen-userdb-mode", "0666")
        self.auth, self.userdb = (f"unix:{work.directory}/posthorn/run/{name}.sock" for name in ("auth", "userdb"))


class Hop:
    """Where a server would send what it takes; nothing is sent here."""

    def __init__(self):
        self.port = free_port()


def smtp(work, port):
    def attempt(password, user=ANN):
        with connect(port, tls=True, ca=work.bench.certificate) as client:
            try:
                client.login(user, password)
            except smtplib.SMTPAuthenticationError:
                return False
        return True
    return attempt


def imap(work, port):
    def attempt(password, user=ANN):
        try:
            log_in(work, port, user, password).logout()
        except imaplib.IMAP4.error:
            return False
        return True
    return attempt


def pop3(work, port):
    def attempt(password, user=ANN):
        client = poplib.POP3_SSL("127.0.0.1", port, context=context_of(work), timeout=60)
        try:
            client.user(user)
            client.pass_(password)
        except poplib.error_proto:
            return False
        finally:
            client.close()
        return True
    return attempt


def rcpt(port, lmtp=False):
    """Not a log-in: whether a recipient is taken."""
    def attempt(_, user=ANN):
        with (smtplib.LMTP if lmtp else smtplib.SMTP)("127.0.0.1", port, timeout=60) as client:
            client.ehlo("client.test")
            client.mail("x@elsewhere.test")
            return client.rcpt(user)[0] == 250
    return attempt


def dovecot_lmtp(work, server):
    """Dovecot asks authd where a user's mail lies."""
    port = free_port()
    dovecot = Dovecot(work, more=f"""
auth_socket_path = {server.userdb[5:]}
service lmtp {{
  inet_listener lmtp {{
    port = {port}
  }}
}}
""")
    return rcpt(port, lmtp=True), dovecot


def deliverd(work, server):
    port = free_port()
    work.agent("deliverd", "--listen", f"inet:127.0.0.1:{port}", "--domains", DOMAIN, "--userdb", server.userdb, "--queue", "", site="mda")
    return rcpt(port, lmtp=True)


class Silent:
    lmtp = "unix:/nowhere"


RIGHT = {
    "Postfix": lambda work, server: smtp(work, postfix(work, Hop()).port),
    "Exim": lambda work, server: smtp(work, exim(work, Hop()).port),
    "Dovecot LMTP": lambda work, server: dovecot_lmtp(work, server)[0],
    "submissiond": lambda work, server: smtp(work, Submissiond(work, auth=server.auth, site="mta", flags=queue_of(work)).port),
    "smtpd": lambda work, server: rcpt(Queue(work, Silent, server.userdb).port),
    "deliverd": deliverd,
    "imapd": lambda work, server: imap(work, store(work, server).imap),
    "pop3d": lambda work, server: pop3(work, store(work, server).pop3s),
}
USERDB = ("smtpd", "deliverd", "Dovecot LMTP")


def queue_of(work):
    for sub in ("queue", "queue/segments", "queue/free", "queue/spool", "queue/drop"):
        work.folder(f"mta/{sub}")
    return ["--userdb", ""]


def store(work, server):
    return Posthorn(work, fill(work, []), server.auth, server.userdb)


def test(work, left, right):
    attempt = RIGHT[right](work, LEFT[left](work))
    if not attempt(PASSWORD):
        raise Failed(f"{right} does not take {ANN}")
    if attempt(PASSWORD, UNKNOWN):
        raise Failed(f"{right} takes an unknown user")
    if right in USERDB:
        return ["asked whether a user exists"]
    if attempt("wrong"):
        raise Failed(f"{right} takes a wrong password")
    if not attempt(PASSWORD):
        raise Failed(f"{right} does not take {ANN} after a wrong password")
    return ["PLAIN over TLS: right, wrong, unknown"]


LEFT = {"authd": Authd, "Dovecot auth": lambda work: Dovecot(work, protocols="lmtp")}
OTHERS = "nothing of ours stands at this seam"
SEAM = Seam("auth", "who knows the users -> who asks", LEFT, RIGHT, test,
            {("Dovecot auth", "Postfix"): OTHERS, ("Dovecot auth", "Exim"): OTHERS, ("Dovecot auth", "Dovecot LMTP"): OTHERS},
            [("authd", "Postfix"), ("Dovecot auth", "submissiond")])
