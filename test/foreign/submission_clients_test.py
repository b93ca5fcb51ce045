#!/usr/bin/env python3
"""Clients of others at submissiond: swaks, msmtp, Python's smtplib, openssl s_client, gsasl."""

import base64
import os
import smtplib
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, main, need, run  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"
MESSAGE = f"From: <{ALICE}>\nTo: <{BOB}>\nSubject: %s\n\nhello from %s\n"


def arrives(site, subject):
    """The message with this subject lies in bob's Maildir."""
    wait_until(f"'{subject}' arrives", lambda: any(f"Subject: {subject}\n".encode() in m for m in site.messages(BOB)))


def swaks(site, subject, *words, expect=0):
    where = [] if "--socket" in words else ["--server", site.address]
    said = run(["swaks", *where, "--from", ALICE, "--to", BOB, "--header", f"Subject: {subject}", "--timeout", "60", *words],
               expect=expect)
    if expect == 0:
        arrives(site, subject)
    return said


def swaks_starttls(site):
    """swaks: STARTTLS and AUTH PLAIN, LOGIN on 587"""
    for mechanism in ("PLAIN", "LOGIN"):
        swaks(site, f"swaks-{mechanism}", "--port", site.port("submission"), "-tls", "--auth", mechanism, "--auth-user",
              ALICE, "--auth-password", site.password(ALICE))


def swaks_implicit_tls(site):
    """swaks: implicit TLS on 465, pipelined"""
    swaks(site, "swaks-465", "--port", site.port("submissions"), "--tls-on-connect", "--pipeline", "--auth", "PLAIN",
          "--auth-user", ALICE, "--auth-password", site.password(ALICE))


def swaks_unix_socket(site):
    """swaks: the Unix socket, where the peer's uid is the log-in"""
    swaks(site, "swaks-unix", "--socket", site.facts["sockets"]["submission"])


def swaks_wrong_password(site):
    """swaks: a wrong password is 535, no AUTH in clear text, no mail without AUTH"""
    said = swaks(site, "never", "--port", site.port("submission"), "-tls", "--auth", "PLAIN", "--auth-user", ALICE,
                 "--auth-password", "wrong", expect=28)
    if "535 5.7.8" not in said:
        raise Failed("no 535 5.7.8 in:\n" + said)
    said = swaks(site, "never", "--port", site.port("submission"), "--auth", "PLAIN", "--auth-user", ALICE,
                 "--auth-password", site.password(ALICE), expect=28)
    if "250-AUTH" in said or "250 AUTH" in said:
        raise Failed("AUTH was offered in clear text:\n" + said)
    said = swaks(site, "never", "--port", site.port("submission"), "-tls", expect=None)
    if "530 5.7.0" not in said:
        raise Failed("no 530 5.7.0 in:\n" + said)


def swaks_forged_sender(site):
    """swaks: a sender that is somebody else's is refused"""
    said = run(["swaks", "--server", site.address, "--port", site.port("submission"), "-tls", "--auth", "PLAIN",
                "--auth-user", ALICE, "--auth-password", site.password(ALICE), "--from", BOB, "--to", BOB], expect=None)
    if "553 5.7.1" not in said:
        raise Failed("no 553 5.7.1 in:\n" + said)


def msmtp(site):
    """msmtp: PLAIN and SCRAM-SHA-256 over STARTTLS, the certificate checked"""
    for mechanism in ("plain", "scram-sha-256"):
        subject = f"msmtp-{mechanism}"
        run(["msmtp", "--host=localhost", "--port", site.port("submission"), "--tls=on", f"--tls-trust-file={site.facts['ca']}",
             f"--auth={mechanism}", f"--user={ALICE}", f"--passwordeval=echo {site.password(ALICE)}", f"--from={ALICE}", BOB],
            MESSAGE % (subject, "msmtp"), env=dict(os.environ, HOME=str(site.directory)))
        arrives(site, subject)


def smtplib_all(site):
    """smtplib: several messages on one connection, a refused recipient among accepted ones"""
    with smtplib.SMTP_SSL(site.address, site.port("submissions"), context=site.tls(), timeout=60) as client:
        client.login(ALICE, site.password(ALICE))
        for number in range(3):
            refused = client.sendmail(ALICE, [BOB, f"nobody-{number}@alpha.test"], MESSAGE % (f"smtplib-{number}", "smtplib"))
            if list(refused) != [f"nobody-{number}@alpha.test"] or next(iter(refused.values()))[0] != 550:
                raise Failed(f"refused: {refused}")
            arrives(site, f"smtplib-{number}")
        if client.verify(BOB)[0] != 250 or client.verify("nobody@alpha.test")[0] != 550:
            raise Failed("VRFY does not tell an authenticated client who exists")


def s_client(site):
    """openssl s_client: STARTTLS by hand, and what it says of the certificate"""
    login = base64.b64encode(f"\0{ALICE}\0{site.password(ALICE)}".encode()).decode()
    # -quiet and -ign_eof: s_client must not take lines that begin with R or Q for its own commands.
    script = f"EHLO client\r\nAUTH PLAIN {login}\r\nMAIL FROM:<{ALICE}>\r\nRCPT TO:<{BOB}>\r\nDATA\r\n" \
             f"{(MESSAGE % ('s_client', 'openssl')).replace(chr(10), chr(13) + chr(10))}.\r\nQUIT\r\n"
    said = run(["openssl", "s_client", "-quiet", "-ign_eof", "-starttls", "smtp", "-CAfile", site.facts["ca"],
                "-verify_return_error", "-connect", f"{site.address}:{site.port('submission')}"], script)
    for code in ("235 2.7.0", "354", "221 2.0.0"):
        if code not in said:
            raise Failed(f"no {code} in:\n{said}")
    arrives(site, "s_client")


def s_client_renegotiates(site):
    """openssl s_client: TLS 1.2 renegotiation is refused, and nobody else notices"""
    # "R" on a line of its own is s_client's command; it needs an input that stays open behind it.
    words = ["openssl", "s_client", "-tls1_2", "-connect", f"{site.address}:{site.port('submissions')}"]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as client:
        said = b""
        while b"220 " not in said:
            octets = client.stdout.read1(4096)
            if not octets:
                raise Failed("no greeting:\n" + said.decode(errors="replace"))
            said += octets
        client.stdin.write(b"R\n")
        client.stdin.flush()
        said, _ = client.communicate(timeout=60)
    if b"no renegotiation" not in said:
        raise Failed("renegotiation was not refused:\n" + said.decode(errors="replace"))
    smtplib.SMTP_SSL(site.address, site.port("submissions"), context=site.tls(), timeout=60).quit()


def gsasl(site):
    """gsasl: SCRAM-SHA-256, right and wrong password"""
    words = ["gsasl", "--smtp", "--connect", f"{site.address}:{site.port('submission')}", "--mechanism", "SCRAM-SHA-256",
             "--authentication-id", ALICE, "--x509-ca-file", site.facts["ca"], "--no-cb"]
    said = run([*words, "--password", site.password(ALICE)], expect=None)
    if "235 2.7.0" not in said:
        raise Failed("SCRAM did not succeed:\n" + said)
    said = run([*words, "--password", "wrong"], expect=None)
    if "535 5.7.8" not in said:
        raise Failed("a wrong password was not refused:\n" + said)


def gsasl_plus(site):
    """gsasl: SCRAM-SHA-256-PLUS, bound to the TLS channel"""
    said = run(["gsasl", "--smtp", "--connect", f"{site.address}:{site.port('submission')}", "--mechanism", "SCRAM-SHA-256-PLUS",
                "--authentication-id", ALICE, "--x509-ca-file", site.facts["ca"], "--password", site.password(ALICE)],
               expect=None)
    if "235 2.7.0" not in said:
        raise Failed("SCRAM-PLUS did not succeed:\n" + said)


if __name__ == "__main__":
    need("swaks", "msmtp", "gsasl", "openssl")
    main("submission", [swaks_starttls, swaks_implicit_tls, swaks_unix_socket, swaks_wrong_password, swaks_forged_sender,
                        msmtp, smtplib_all, s_client, s_client_renegotiates, gsasl, gsasl_plus], [ALICE, BOB])
