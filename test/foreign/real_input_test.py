#!/usr/bin/env python3
"""Real messages, there and back: Debian's corpus of e-mail test messages and generated ones, each sent twice.

What goes in at smtpd comes out of POP3 octet for octet below the fields we put on top. At submissiond the same, plus the Date and
Message-ID that were absent, minus Bcc; a message without From, or with a line that is no header field, is refused with 554 5.6.0.
"""

import os
import poplib
import re
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import corpus  # noqa: E402
from posthorn_site import Failed, Workshop  # noqa: E402

CORPUS_REFUSED = 10
DOMAIN = "alpha.test"
SENDER = "sender@" + DOMAIN
TRACE = re.compile(rb"(?:Return-Path|Delivered-To|Received):[^\r]*\r\n(?:[ \t][^\r]*\r\n)*", re.I)
FIELD = re.compile(rb"[\x21-\x39\x3b-\x7e]+[ \t]*:|[ \t]")
poplib._MAXLINE = 1 << 20  # poplib's own limit is below the 998 octets and CRLF it has to take in pieces


def crlf(octets):
    octets = octets.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    return octets if octets.endswith(b"\r\n") or not octets else octets + b"\r\n"


def header(subject, extra=b""):
    return (b"From: <sender@alpha.test>\r\nTo: <someone@alpha.test>\r\nSubject: " + subject + b"\r\n" + extra + b"\r\n")


def generated():
    """{name: octets}"""
    every = bytes(c for c in range(1, 256) if c not in (10, 13))
    return {
        "empty": b"",
        "only-a-header": header(b"no body"),
        "50-megabytes": header(b"50 MB") + (b"0123456789abcdef" * 4 + b"\r\n") * (50 * 1024 * 1024 // 66),
        "100000-lines": header(b"100000 lines") + b"".join(b"%d\r\n" % n for n in range(100000)),
        "every-octet-but-nul": header(b"every octet") + every + b"\r\n" + every[::-1] + b"\r\n",
        "8-bit": header(b"8 bit", b"Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n") +
                 "Gr\u00fc\u00dfe\r\n".encode("latin-1") * 50,
        "utf-8-header": header("Gr\u00fc\u00dfe \U0001f4ef".encode()) + "Gr\u00fc\u00dfe\r\n".encode(),
        "998-octets": header(b"long lines") + (b"x" * 998 + b"\r\n") * 20,
        "dots": header(b"dots") + b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
        "from-lines": header(b"From_") + b"From the post\r\n>From the post\r\n>>From x\r\n",
        "blank-lines": header(b"blank") + b"\r\n\r\n \r\n\t\r\n\r\n",
    }


def split_header(message):
    """Lines of the header, and the rest from its empty line on."""
    lines, rest = [], message
    while rest and not rest.startswith(b"\r\n"):
        line, rest = rest.split(b"\r\n", 1)
        lines.append(line + b"\r\n")
    return lines, rest


def fields(lines):
    """Header lines joined to fields."""
    found = []
    for line in lines:
        if line[:1] in b" \t" and found:
            found[-1] += line
        else:
            found.append(line)
    return found


def is_refused(message):
    """Whether RFC 6409 lets an MSA refuse it: no From, or a line that is no header field."""
    lines, _ = split_header(message)
    return not any(f.lower().startswith(b"from:") for f in lines) or not all(FIELD.match(line) for line in lines)


def say(client, sender, recipient, message, options=()):
    """smtplib.sendmail, but with exactly these octets."""
    for code, text in (client.mail(sender, options), client.rcpt(recipient)):
        if code != 250:
            raise Failed(f"{code} {text.decode()}")
    client.putcmd("data")
    code, text = client.getreply()
    if code != 354:
        raise Failed(f"{code} {text.decode()}")
    client.send(re.sub(rb"(?m)^\.", b"..", message) + b".\r\n")
    code, text = client.getreply()
    return f"{code} {text.decode(errors='replace')}"


def below_trace(octets, name):
    """The message without the fields that smtpd or submissiond and deliverd put on top."""
    names = []
    for _ in range(4):
        match = TRACE.match(octets)
        if not match:
            break
        names.append(match.group().split(b":")[0].lower())
        octets = octets[match.end():]
    if names != [b"return-path", b"delivered-to", b"received", b"received"]:
        raise Failed(f"{name}: the fields on top are {names}")
    return octets


def retrieve(site, user, name):
    client = site.pop3(user)
    count = client.stat()[0]
    if count != 2:
        raise Failed(f"{name}: {count} messages instead of 2")
    found = []
    for number in (1, 2):
        lines = client.retr(number)[1]
        found.append(b"".join(line + b"\r\n" for line in lines))
    client.quit()
    return found


def difference(expected, got):
    at = next((i for i, (a, b) in enumerate(zip(expected, got)) if a != b), min(len(expected), len(got)))
    return f"{len(expected)} octets expected, {len(got)} got, they part at {at}: " \
           f"{expected[max(0, at - 30):at + 30]!r} / {got[max(0, at - 30):at + 30]!r}"


def check_relayed(site, user, name, sent):
    for octets in retrieve(site, user, name):
        got = below_trace(octets, name)
        if got != sent:
            raise Failed(f"{name} by smtpd: {difference(sent, got)}")


def check_submitted(site, user, name, sent):
    lines, body = split_header(sent)
    kept = [f for f in fields(lines) if not f.lower().startswith(b"bcc:")]
    absent = [n for n in (b"date:", b"message-id:") if not any(f.lower().startswith(n) for f in kept)]
    for octets in retrieve(site, user, name):
        got_lines, got_body = split_header(below_trace(octets, name))
        got = fields(got_lines)
        for field in absent:
            added = [f for f in got if f.lower().startswith(field)]
            if len(added) != 1:
                raise Failed(f"{name} by submissiond: {len(added)} fields {field.decode()} were added")
            got.remove(added[0])
        if got != kept or got_body != body:
            raise Failed(f"{name} by submissiond: {difference(b''.join(kept) + body, b''.join(got) + got_body)}")


def send_all(site, messages):
    """Each message twice at smtpd, twice at submissiond. Gives the names that submissiond refused."""
    refused = []
    with smtplib.SMTP(site.address, site.port("smtp"), timeout=120) as smtp, \
            smtplib.SMTP(site.address, site.port("submission"), timeout=120) as submission:
        smtp.ehlo()
        submission.starttls(context=site.tls())
        submission.login(SENDER, site.password(SENDER))
        for index, (name, message) in enumerate(messages.items()):
            for _ in range(2):
                said = say(smtp, SENDER, f"c{index}@{DOMAIN}", message, ["BODY=8BITMIME"])
                if not said.startswith("250"):
                    raise Failed(f"{name} at smtpd: {said}")
                said = say(submission, SENDER, f"s{index}@{DOMAIN}", message, ["BODY=8BITMIME"])
                if is_refused(message):
                    if not said.startswith("554 5.6.0"):
                        raise Failed(f"{name} at submissiond: expected 554 5.6.0, got {said}")
                    if name not in refused:
                        refused.append(name)
                        print(f"  refused: {name}: {said}")
                elif not said.startswith("250"):
                    raise Failed(f"{name} at submissiond: {said}")
    return refused


def many_recipients(site):
    """One message for 1000 recipients."""
    recipients = [f"many+{n}@{DOMAIN}" for n in range(1000)]
    site.inject(SENDER, recipients, header(b"1000 recipients") + b"to all\r\n")
    found = site.wait_for_messages("many@" + DOMAIN, 1000, 60)
    if len(found) != 1000:
        raise Failed(f"1000 recipients: {len(found)} messages")
    print("  1000 recipients: 1000 copies")


def utf8_addresses(site):
    """A user whose local-part is not ASCII, and a sender with such a domain."""
    user = f"j\u00fcrgen@{DOMAIN}"
    message = header(b"SMTPUTF8", f"X-Name: {user}\r\n".encode()) + b"hello\r\n"
    for _ in range(2):
        site.inject("pel\u00e9@ex\u00e4mple.test", [user], message, ["SMTPUTF8", "BODY=8BITMIME"])
    found = site.wait_for_messages(user, 2)
    if not all(m.replace(b"\n", b"\r\n").endswith(message) for m in found):
        raise Failed(f"the message to {user} came out otherwise")
    print("  UTF-8 addresses: arrived")


def main():
    messages = {**{name: crlf(octets) for name, octets in corpus().items()}, **generated()}
    cases = list(enumerate(messages.items()))
    users = [f"{kind}{index}@{DOMAIN}" for index, _ in cases for kind in "cs"]
    users += [SENDER, "many@" + DOMAIN, f"j\u00fcrgen@{DOMAIN}"]
    try:
        with Workshop("input") as workshop:
            site = workshop.site("alpha", [DOMAIN], users).start()
            refused = send_all(site, messages)
            of_corpus = sum(name.startswith("msg_") for name in refused)
            if of_corpus != CORPUS_REFUSED:
                raise Failed(f"{of_corpus} messages of the corpus were refused instead of {CORPUS_REFUSED}")
            site.wait_for_empty_queue(120)
            for index, (name, message) in cases:
                check_relayed(site, f"c{index}@{DOMAIN}", name, message)
                if name not in refused:
                    check_submitted(site, f"s{index}@{DOMAIN}", name, message)
            many_recipients(site)
            utf8_addresses(site)
    except Failed as problem:
        sys.exit(f"failed: {problem}")
    print(f"{len(messages)} messages, each twice by smtpd and by submissiond; {len(refused)} refused, the others unchanged")


if __name__ == "__main__":
    main()
