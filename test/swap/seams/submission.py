"""Submission: what users' programs send to, over TLS and with a log-in, and what has the queue behind it."""

import smtplib
import ssl

from adapters.exim import Exim
from adapters.opensmtpd import OpenSmtpd
from adapters.postfix import Postfix
from adapters.posthorn import Deliverd, Queue, Submissiond
from messages import ANN, check_all, connect, send_all
from seams import Seam
from seams.delivery import check_log, choose
from work import DOMAIN, PASSWORD, USERS, Failed, Skip, wait_until

POSTFIX = """
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_tls_auth_only = yes
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
relayhost = [127.0.0.1]:{port}
"""
EXIM_LOGIN = """authd:
  driver = dovecot
  public_name = PLAIN
  server_socket = {auth}
  server_set_id = $auth1
  server_advertise_condition = ${{if def:tls_in_cipher}}
"""
EXIM_ROUTE = """away:
  driver = manualroute
  route_list = * 127.0.0.1::{port} byname
  self = send
  transport = smtp
"""
EXIM_SMTP = """smtp:
  driver = smtp
  hosts_try_fastopen =
"""
OPENSMTPD = """
table logins {{ {logins} }}
listen on 127.0.0.1 port PORT hostname msa.site.test tls-require pki site auth <logins>
"""


def auth_of(work):
    return str(work.directory / "posthorn/run/auth.sock")


def submissiond(work, mta):
    """Into the queue beside it, or message by message to another's door."""
    if isinstance(mta, Queue):
        return Submissiond(work, site="mta", flags=["--userdb", ""])
    return Submissiond(work, flags=["--userdb", "", "--next-hop", f"smtp:inet:127.0.0.1:{mta.port}"])


def postfix(work, mta):
    return Postfix(work, main=POSTFIX.format(auth=auth_of(work), port=mta.port))


def exim(work, mta):
    return Exim(work, authenticators=EXIM_LOGIN.format(auth=auth_of(work)), routers=EXIM_ROUTE.format(port=mta.port),
                transports=EXIM_SMTP, acl="check:\n  accept authenticated = *\n  deny", acl_rcpt="check")


def opensmtpd(work, mta):
    hashed = work.run(["openssl", "passwd", "-6", PASSWORD]).strip()
    logins = ", ".join(f'"{user}@{DOMAIN}" = "{hashed}"' for user in USERS if user.isascii())
    return OpenSmtpd(work, listen=OPENSMTPD.format(logins=logins), more=(
        f'action "away" relay host "smtp://127.0.0.1:{mta.port}"\nmatch auth from any for any action "away"\nmatch for any action "away"'))


LEFT = {"submissiond": submissiond, "Postfix": postfix, "Exim": exim, "OpenSMTPD": opensmtpd}
RIGHT = {"queued": Queue, "Postfix": Postfix, "Exim": Exim}


def refuse_strangers(work, port):
    """Without a log-in nothing is taken, and a wrong password is none."""
    with connect(port, tls=True, ca=work.bench.certificate) as client:
        client.docmd(f"MAIL FROM:<{ANN}>")
        code, said = client.docmd(f"RCPT TO:<u1@{DOMAIN}>")
        if code < 400:
            raise Failed(f"a stranger's RCPT is answered {code} {said!r}")
        client.docmd("RSET")
        try:
            client.login(ANN, "wrong")
        except smtplib.SMTPAuthenticationError:
            return
        raise Failed("a wrong password is taken")


def test(work, left, right):
    delivery = Deliverd(work)
    # Two of one kind would share a folder; the table of seams keeps them apart.
    mta = RIGHT[right](work, delivery)
    msa = LEFT[left](work, mta)
    try:
        refuse_strangers(work, msa.port)
    except ssl.SSLError as problem:
        if left != "OpenSMTPD":
            raise
        wait_until("OpenSMTPD says why", lambda: "EVP lib" in msa.log())
        raise Skip("OpenSMTPD 6.8 can't use its TLS key with this OpenSSL (RSA and EC alike), and offers AUTH only inside TLS") from problem
    chosen = choose(work, msa, mta, delivery)
    refused = send_all(msa.port, chosen, True, work.bench.certificate)
    said = check_all(chosen, refused, delivery.maildir, mta)
    check_log(mta, chosen)
    return said


OTHERS = "nothing of ours stands at this seam"
SEAM = Seam("submission", "who takes mail from users (TLS, AUTH) -> who has the queue", LEFT, RIGHT, test,
            {(left, right): OTHERS for left in LEFT if left != "submissiond" for right in ("Postfix", "Exim")},
            [("submissiond", "Postfix"), ("Postfix", "queued")])
