#!/usr/bin/env python3
"""Clients of others at pop3d: Python's poplib, fetchmail, getmail, curl, openssl s_client."""

import os
import poplib
import socket
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, give_to_nobody, main, need, run  # noqa: E402
from getmail import Getmail  # noqa: E402
from posthorn_site import programs, wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"
COUNT = 5


def fill(site):
    """five messages wait for bob"""
    for number in range(COUNT):
        site.inject(ALICE, [BOB], f"From: <{ALICE}>\r\nSubject: letter {number}\r\n\r\nThis is letter {number}.\r\n.dot\r\n")
    site.wait_for_messages(BOB, COUNT)


def poplib_reads(site):
    """poplib: STLS, every command; QUIT deletes, a lost connection does not"""
    client = poplib.POP3(site.address, site.port("pop3"), timeout=60)
    client.stls(context=site.tls())
    client.user(BOB)
    client.pass_(site.password(BOB))
    count, octets = client.stat()
    sizes = [int(line.split()[1]) for line in client.list()[1]]
    if count != COUNT or sum(sizes) != octets:
        raise Failed(f"STAT says {count} {octets}, LIST says {sizes}")
    for number, size in enumerate(sizes, 1):
        got = client.retr(number)[1]
        if sum(len(line) + 2 for line in got) != size:
            raise Failed(f"message {number} has {sum(len(line) + 2 for line in got)} octets, LIST says {size}")
    if b"This is letter" in b"".join(client.top(1, 0)[1]):
        raise Failed("TOP 1 0 shows the body")
    client.dele(1)
    client.rset()
    client.dele(1)
    client.close()  # no QUIT
    client = wait_until("the first session is over", lambda: unless_in_use(site))
    if client.stat()[0] != COUNT:
        raise Failed("a message was deleted without QUIT")
    client.quit()


def unless_in_use(site):
    try:
        return site.pop3(BOB)
    except poplib.error_proto as refused:
        if "[IN-USE]" in str(refused):
            return None
        raise


def in_use(site):
    """poplib: a second session on the same maildrop is told [IN-USE]"""
    first = site.pop3(BOB)
    try:
        site.pop3(BOB)
        raise Failed("two sessions share a maildrop")
    except poplib.error_proto as refused:
        if "[IN-USE]" not in str(refused):
            raise Failed(f"expected [IN-USE], got {refused}") from None
    first.quit()


def left_lock(site):
    """poplib: a lock on dovecot-uidlist that a killed program left is nobody's"""
    dead = subprocess.Popen(["true"])
    dead.wait()
    lock = site.maildir(BOB) / "dovecot-uidlist.lock"
    lock.write_text(f"{dead.pid}:{socket.gethostname()}")
    start = time.monotonic()
    site.pop3(BOB).quit()
    if time.monotonic() - start > 10:
        raise Failed("the session waited for a process that is gone")
    if lock.exists():
        raise Failed("the lock is still there")


def wrong_password(site):
    """poplib: a wrong password is [AUTH]"""
    client = poplib.POP3_SSL(site.address, site.port("pop3s"), context=site.tls(), timeout=60)
    try:
        client.user(BOB)
        client.pass_("wrong")
        raise Failed("a wrong password was taken")
    except poplib.error_proto as refused:
        if "[AUTH]" not in str(refused):
            raise Failed(f"expected [AUTH], got {refused}") from None


def getmail_keeps(site):
    """getmail: fetches all, and nothing the second time: the UIDLs stay"""
    client = Getmail(site.directory / "getmail", site.address, site.port("pop3s"), BOB, site.password(BOB))
    prefix = []
    if os.geteuid() == 0:  # getmail does not deliver as root
        give_to_nobody(client.home)
        for parent in (site.directory, site.directory.parent):
            parent.chmod(0o755)
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    client.fetch(prefix)
    first = len(client.letters())
    client.fetch(prefix)
    second = len(client.letters())
    if (first, second) != (COUNT, COUNT):
        raise Failed(f"getmail has {first} messages after the first run and {second} after the second")


def curl_reads(site):
    """curl: LIST and RETR over TLS, the certificate checked"""
    base = ["curl", "--silent", "--show-error", "--cacert", site.facts["ca"], "--user", f"{BOB}:{site.password(BOB)}"]
    listing = run([*base, f"pop3s://localhost:{site.port('pop3s')}/"])
    if len(listing.splitlines()) != COUNT:
        raise Failed("LIST: " + listing)
    message = run([*base, f"pop3s://localhost:{site.port('pop3s')}/1"])
    if "\r\n.dot\r\n" not in message:
        raise Failed("the dot line came out otherwise:\n" + message)
    run([*base, "--ssl-reqd", f"pop3://localhost:{site.port('pop3')}/2"])


def s_client(site):
    """openssl s_client: STLS and a dialogue by hand"""
    said = run(["openssl", "s_client", "-quiet", "-ign_eof", "-starttls", "pop3", "-CAfile", site.facts["ca"],
                "-verify_return_error", "-connect", f"{site.address}:{site.port('pop3')}"],
               f"CAPA\r\nUSER {BOB}\r\nPASS {site.password(BOB)}\r\nSTAT\r\nQUIT\r\n")
    if f"+OK {COUNT} " not in said:
        raise Failed(said)


def fetchmail_takes(site):
    """fetchmail: takes all away and hands them to deliverd --stdin as its MDA"""
    home = site.directory / "fetchmail"
    (home / "Maildir").mkdir(parents=True)
    (home / "rc").write_text(f"""poll localhost protocol pop3 port {site.port('pop3s')}
  user "{BOB}" password "{site.password(BOB)}" ssl sslcertck sslcertfile "{site.facts['ca']}"
  no rewrite mda "{programs()}/deliverd --site {site.directory} --stdin -f %F -d {ALICE}"
""")
    (home / "rc").chmod(0o600)
    run(["fetchmail", "--fetchmailrc", home / "rc", "--nodetach", "--nosyslog", "--pidfile", home / "pid"],
        env=dict(os.environ, HOME=str(home), FETCHMAILHOME=str(home)))
    site.wait_for_messages(ALICE, COUNT)
    wait_until("fetchmail leaves nothing behind", lambda: not site.messages(BOB))


if __name__ == "__main__":
    need("fetchmail", "getmail", "curl", "openssl", "setpriv")
    main("pop3", [fill, poplib_reads, in_use, left_lock, wrong_password, getmail_keeps, curl_reads, s_client, fetchmail_takes],
         [ALICE, BOB])
