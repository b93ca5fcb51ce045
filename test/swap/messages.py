"""The messages that go through every seam, and what must have become of them.

All are from ann, so that reports come back to where they are read. A letter names the extensions it needs; a side that lacks one
is not sent it, and the matrix says so.
"""

import email
import email.policy
import smtplib
import time

from posthorn_site import stored_in, trusting
from work import DOMAIN, PASSWORD, Failed, wait_until

WAIT = 90  # seconds; the machine may be busy
ANN = f"ann@{DOMAIN}"
UNKNOWN = f"nobody-here@{DOMAIN}"
# What a hop puts on top (RFC 5321 4.4, RFC 9228, and the names that are customary).
TRACE = {b"received", b"return-path", b"delivered-to", b"x-original-to", b"envelope-to", b"delivery-date", b"dkim-signature",
         b"x-spam-status", b"x-spamd-bar", b"authentication-results", b"x-virus-scanned", b"x-virus-status", b"x-greylist", b"x-cyrus-session-id", b"x-sieve"}


class Letter:
    """One message, with CRLF. needs: extensions; report: what a report to its sender must say of which address."""

    def __init__(self, name, recipients, body, headers=(), options=(), rcpt_options=(), needs=(), unknown=None, report=None):
        self.name = name
        self.recipients = recipients
        self.options = list(options)
        self.rcpt_options = list(rcpt_options)
        self.needs = set(needs)
        self.unknown = unknown
        self.report = report
        lines = [f"From: Ann <{ANN}>", f"To: {', '.join(recipients[:3])}", f"Subject: swap {name}",
                 "Date: Mon, 23 Nov 2026 09:00:00 +0000", f"Message-ID: <swap-{name}@{DOMAIN}>", *headers]
        self.data = "".join(line + "\r\n" for line in lines).encode() + b"\r\n" + body

    @property
    def stored(self):
        return self.data.replace(b"\r\n", b"\n")


def letters(large):
    """The set; `large` octets in the large one."""
    lines = b"From the first line on\r\n.a dot\r\n..two dots\r\n-- \r\n\tthe end  \r\n"
    mime = (b"--=_b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n"
            b"--=_b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\nAAECAwQF/v8=\r\n--=_b--\r\n")
    row = b"".join(b"%02x" % number for number in range(38)) + b"\r\n"
    return [
        Letter("plain", [f"u1@{DOMAIN}"], lines),
        Letter("mime", [f"u2@{DOMAIN}"], mime, ["MIME-Version: 1.0", 'Content-Type: multipart/mixed; boundary="=_b"']),
        Letter("8bit", [f"u3@{DOMAIN}"], "Grüße, Größe, 日本\r\n".encode() + b"latin \xe4\xf6\xfc\r\n",
               ["MIME-Version: 1.0", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit"],
               options=["BODY=8BITMIME"]),
        Letter("utf8", [f"dörte@{DOMAIN}"], b"to an address in UTF-8\r\n", options=["SMTPUTF8"], needs=["smtputf8"]),
        Letter("many", [*(f"u{number}@{DOMAIN}" for number in range(1, 20)), UNKNOWN], b"twenty recipients, one unknown\r\n",
               unknown=UNKNOWN),
        Letter("large", [f"u4@{DOMAIN}"], row * (large // len(row))),
        Letter("dsn", [f"u5@{DOMAIN}"], b"report success\r\n", options=["RET=HDRS", "ENVID=swap+2B1"],
               rcpt_options=["NOTIFY=SUCCESS,FAILURE", f"ORCPT=rfc822;u5@{DOMAIN}"], needs=["dsn"], report=f"u5@{DOMAIN}"),
    ]


def connect(port, tls=False, auth=None, ca=None):
    """A client of a submission or SMTP port."""
    client = smtplib.SMTP("127.0.0.1", port, timeout=60)
    client.ehlo("client.test")
    if tls:
        client.starttls(context=trusting(ca))
        client.ehlo("client.test")
    if auth:
        client.login(*auth)
    return client


def send(client, letter):
    """Hands the letter over; gives the recipients that were refused for being unknown."""
    options = [option for option in letter.options if option.split("=")[0].lower() in client.esmtp_features
               or option.startswith(("RET", "ENVID", "BODY"))]
    code, said = client.docmd(f"MAIL FROM:<{ANN}> {' '.join(options)}".strip()) if "SMTPUTF8" not in options else utf8(
        client, f"MAIL FROM:<{ANN}> {' '.join(options)}")
    if code != 250:
        raise Failed(f"{letter.name}: MAIL is answered {code} {said.decode(errors='replace')}")
    refused = []
    for recipient in letter.recipients:
        code, said = utf8(client, f"RCPT TO:<{recipient}> {' '.join(letter.rcpt_options)}".strip())
        if recipient == letter.unknown and code == 550:
            refused.append(recipient)
        elif code not in (250, 251):
            raise Failed(f"{letter.name}: RCPT {recipient} is answered {code} {said.decode(errors='replace')}")
    code, said = client.docmd("DATA")
    if code != 354:
        raise Failed(f"{letter.name}: DATA is answered {code} {said.decode(errors='replace')}")
    client.send(letter.data.replace(b"\r\n.", b"\r\n..") + b".\r\n")
    code, said = client.getreply()
    if code != 250:
        raise Failed(f"{letter.name}: the message is answered {code} {said.decode(errors='replace')}")
    return refused


def utf8(client, line):
    client.send(line.encode() + b"\r\n")
    return client.getreply()


def send_all(port, chosen, authenticated=False, ca=None):
    """All letters over one connection; gives the unknown recipients that were refused at once."""
    refused = []
    client = connect(port, authenticated, (ANN, PASSWORD) if authenticated else None, ca)
    with client:
        for letter in chosen:
            refused += send(client, letter)
    return refused


# --- what arrived --------------------------------------------------------------------------------------------


def with_subject(maildir, name):
    line = f"\nSubject: swap {name}\n".encode()
    return [text for text in stored_in(maildir).values() if line in b"\n" + text[:20000]]


def difference(letter, arrived):
    """None if these are the letter's octets below trace fields; else where they part."""
    arrived = arrived.replace(b"\r\n", b"\n")
    if not arrived.endswith(letter.stored):
        body, wanted = arrived.split(b"\n\n", 1)[-1], letter.stored.split(b"\n\n", 1)[-1]
        at = next((i for i, (a, b) in enumerate(zip(body, wanted)) if a != b), min(len(body), len(wanted)))
        return (f"{letter.name} was changed: {len(arrived)} octets, of them {len(letter.stored)} sent; the body parts at octet {at}: "
                f"{body[max(0, at - 10):at + 40]!r} instead of {wanted[max(0, at - 10):at + 40]!r}; head {arrived[:300]!r}")
    for line in arrived[:-len(letter.stored)].splitlines():
        if not line[:1].isspace() and line.split(b":")[0].lower() not in TRACE:
            return f"{letter.name} has {line[:80]!r} on top"
    return None


def check_arrival(letter, maildir_of, seconds=WAIT):
    """Once in each recipient's Maildir, octet by octet."""
    for recipient in letter.recipients:
        if recipient == letter.unknown:
            continue
        user = recipient.split("@")[0]
        wait_until(f"{letter.name} reaches {user}", lambda u=user: with_subject(maildir_of(u), letter.name), seconds, 0.1)
        found = with_subject(maildir_of(user), letter.name)
        if len(found) != 1:
            raise Failed(f"{user} has {letter.name} {len(found)} times")
        problem = difference(letter, found[0])
        if problem:
            raise Failed(f"{user}: {problem}")


def reports(maildir):
    return [text.decode(errors="replace") for text in stored_in(maildir).values() if b"report" in text.lower()
            and b"\nsubject: swap " not in b"\n" + text.split(b"\n\n")[0].lower()]


def check_report(maildir, what, address, actions, seconds=WAIT):
    """A report to ann about this address, with one of these actions (RFC 3464 2.3.3)."""
    def find():
        for text in reports(maildir):
            message = email.message_from_string(text, policy=email.policy.default)
            for part in message.walk():
                if part.get_content_type() != "message/delivery-status":
                    continue
                said = part.as_string().lower()
                if address in said and any(f"action: {action}" in said for action in actions):
                    return text
        return None
    return wait_until(f"a report of {what} about {address}", find, seconds, 0.2)


def check_all(chosen, refused, maildir_of, mta=None, seconds=WAIT):
    """Arrival of every letter, the bounce of the unknown recipient if it wasn't refused at once, the report of success."""
    for letter in chosen:
        check_arrival(letter, maildir_of, seconds)
    said = []
    for letter in chosen:
        if letter.unknown:
            if letter.unknown in refused:
                said.append("the unknown one refused at RCPT")
            elif getattr(mta, "waits_for", None):
                wait_until("the unknown one waits", lambda u=letter.unknown: mta.waits_for(u), seconds, 0.2)
                said.append(f"the unknown one waits: {mta.waits_because}")
            else:
                check_report(maildir_of("ann"), "failure", letter.unknown, ["failed"], seconds)
                said.append("the unknown one bounced")
        if letter.report:
            check_report(maildir_of("ann"), "success", letter.report, ["delivered", "relayed", "expanded"], seconds)
            said.append("success reported")
    time.sleep(0.3)  # a second copy would be there by now
    for letter in chosen:
        check_arrival(letter, maildir_of, 1)
    return said
