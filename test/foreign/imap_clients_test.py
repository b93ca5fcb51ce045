#!/usr/bin/env python3
"""More clients of others at imapd: interimap with QRESYNC, offlineimap3, getmail6, neomutt in a terminal, doveadm backup over imapc."""

import hashlib
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dovecot import write_dovecot  # noqa: E402
from foreign import Failed, as_nobody, give_to_nobody, main, name_of_nobody, need, run  # noqa: E402
from imap_wire import Refused, Wire  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

USERS = [f"{name}@alpha.test" for name in ("inter", "inter2", "offline", "getter", "mutt", "backup")]
COUNT = 3


def letter(number):
    return (f"From: Alice <alice@alpha.test>\r\nTo: bob@alpha.test\r\nSubject: number {number}\r\n"
            f"Date: Mon, 23 Nov 2026 07:00:{number:02} +0000\r\nMessage-ID: <{number}@alpha.test>\r\n\r\nText {number}\r\n").encode()


def connect(site, name):
    wire = Wire(site.address, site.port("imaps"), site.tls())
    wire.do(f"LOGIN {name}@alpha.test {site.password(name + '@alpha.test')}")
    return wire


def filled(site, name):
    wire = connect(site, name)
    for number in range(COUNT):
        wire.do("APPEND INBOX" + (" (\\Seen)" if number == 1 else ""), letter(number))
    return wire


def subjects(site, name, mailbox="INBOX"):
    """{subject number: flags} as a new client sees them."""
    wire = connect(site, name)
    untagged, _ = wire.do(f"EXAMINE {mailbox}")
    found = {}
    if b"* 0 EXISTS" not in untagged:
        for text in wire.do("FETCH 1:* (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[0]:
            if b"Subject: number " in text:
                flags = text.split(b"FLAGS (")[1].split(b")")[0].split()
                found[int(text.split(b"Subject: number ")[1].split()[0])] = sorted(set(flags) - {b"\\Recent"})
    wire.close()
    return found


def settled(site, name):
    try:
        return subjects(site, name)
    except Refused:  # somebody expunges just now
        return None


def scratch(name):
    return pathlib.Path(tempfile.mkdtemp(prefix=f"posthorn-{name}-"))


def read_all(folder):
    return sorted(path.read_bytes().replace(b"\r\n", b"\n").split(b"Subject: ")[1].split(b"\n")[0] for sub in ("new", "cur")
                  for path in (folder / sub).glob("*"))


ALL = [f"number {n}".encode() for n in range(COUNT)]


def interimap_both_ways(site):
    """interimap: two accounts become the same by QRESYNC, flags and expunges travel, the third run has nothing to do"""
    home = scratch("interimap")
    sides = "".join(f"[{side}]\ntype = imaps\nhost = {site.address}\nport = {site.port('imaps')}\nusername = {name}@alpha.test\n"
                    f"password = {site.password(name + '@alpha.test')}\nSSL_verify = no\n"
                    for side, name in (("local", "inter"), ("remote", "inter2")))
    (home / "config").write_text(f"database = {home}/state.db\nlist-mailbox = INBOX\n{sides}")
    (home / "config").chmod(0o600)
    words = ["interimap", f"--config={home}/config"]
    environment = {"HOME": str(home), "PATH": os.environ["PATH"], "XDG_DATA_HOME": str(home)}
    wire = filled(site, "inter")
    run(words, env=environment)
    if subjects(site, "inter2") != subjects(site, "inter"):
        raise Failed(f"interimap: {subjects(site, 'inter2')} is not {subjects(site, 'inter')}")
    wire.do("SELECT INBOX")
    wire.do("STORE 1 +FLAGS (\\Flagged)")
    wire.do("STORE 3 +FLAGS (\\Deleted)")
    wire.do("EXPUNGE")
    wire.close()
    run(words, env=environment)
    if subjects(site, "inter2") != {0: [b"\\Flagged"], 1: [b"\\Seen"]}:
        raise Failed(f"interimap: the other side has {subjects(site, 'inter2')}")
    said = run([*words, "--debug"], env=environment)
    if "QRESYNC" not in said:
        raise Failed("interimap did not use QRESYNC: " + said[-1000:])
    if " APPEND " in said or " STORE " in said or " EXPUNGE" in said.replace("UID EXPUNGE", ""):
        raise Failed("interimap changes something the third time: " + said[-2000:])
    shutil.rmtree(home)


def offlineimap_both_ways(site):
    """offlineimap3: a Maildir of all messages, and a flag and a new message from there"""
    home = scratch("offlineimap")
    (home / "rc").write_text(f"""[general]
accounts = a
metadata = {home}/state
ui = basic
[Account a]
localrepository = l
remoterepository = r
[Repository l]
type = Maildir
localfolders = {home}/mail
[Repository r]
type = IMAP
remotehost = {site.address}
remoteport = {site.port('imaps')}
ssl = yes
cert_fingerprint = {fingerprint(site)}
remoteuser = offline@alpha.test
remotepass = {site.password('offline@alpha.test')}
folderfilter = lambda name: name == 'INBOX'
""")
    filled(site, "offline").close()
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin"}
    run(["/usr/bin/offlineimap", "-c", home / "rc", "-o"], env=environment)
    folder = home / "mail/INBOX"
    if read_all(folder) != ALL:
        raise Failed(f"offlineimap has {read_all(folder)}")
    first = next(path for sub in ("new", "cur") for path in (folder / sub).glob("*") if b"number 0" in path.read_bytes())
    first.rename(folder / "cur" / (first.name.split(":2,")[0] + ":2,FS"))
    (folder / "new" / "1.new.host").write_bytes(letter(9).replace(b"\r\n", b"\n"))
    run(["/usr/bin/offlineimap", "-c", home / "rc", "-o"], env=environment)
    wanted = {0: [b"\\Flagged", b"\\Seen"], 1: [b"\\Seen"], 2: [], 9: []}
    if subjects(site, "offline") != wanted:
        raise Failed(f"behind offlineimap there is {subjects(site, 'offline')}")
    shutil.rmtree(home)


def fingerprint(site):
    with socket.create_connection((site.address, site.port("imaps"))) as plain, site.tls().wrap_socket(plain) as secure:
        return hashlib.sha1(secure.getpeercert(True)).hexdigest()


def getmail_fetches(site):
    """getmail6: takes all messages and deletes them"""
    home = scratch("getmail")
    for sub in ("new", "cur", "tmp"):
        (home / "mail" / sub).mkdir(parents=True)
    (home / "getmailrc").write_text(f"""[retriever]
type = SimpleIMAPSSLRetriever
server = {site.address}
port = {site.port('imaps')}
username = getter@alpha.test
password = {site.password('getter@alpha.test')}
mailboxes = ("INBOX",)
[destination]
type = Maildir
path = {home}/mail/
[options]
delete = true
read_all = true
""")
    filled(site, "getter").close()
    give_to_nobody(home)
    run(["/usr/bin/getmail", f"--getmaildir={home}"], env={"HOME": str(home), "PATH": "/usr/bin:/bin"}, cwd=home, **as_nobody())
    if read_all(home / "mail") != ALL:
        raise Failed(f"getmail has {read_all(home / 'mail')}")
    if subjects(site, "getter"):
        raise Failed("getmail deleted nothing")
    shutil.rmtree(home)


def neomutt_in_a_terminal(site):
    """neomutt in tmux: lists, opens, flags and deletes"""
    home = scratch("neomutt")
    (home / "rc").write_text(f"""set folder = "imaps://mutt%40alpha.test@{site.address}:{site.port('imaps')}/"
set spool_file = "+INBOX"
set imap_pass = "{site.password('mutt@alpha.test')}"
set ssl_ca_certificates_file = "{site.facts['ca']}"
set ssl_verify_host = no
set ssl_verify_dates = no
set quit = yes
set delete = yes
set sort = date
set wait_key = no
""")
    filled(site, "mutt").close()
    tmux = ["tmux", "-L", home.name, "-f", "/dev/null"]
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "TERM": "xterm", "LANG": "C.UTF-8"}
    run([*tmux, "new-session", "-d", "-x", "120", "-y", "30", f"neomutt -n -F {home}/rc"], env=environment)

    def screen():
        return run([*tmux, "capture-pane", "-p"], env=environment)

    def keys(*names):
        run([*tmux, "send-keys", *names], env=environment)

    try:
        wait_until("neomutt lists the messages", lambda: "number 0" in screen() and "number 2" in screen(), pause=0.2)
        keys("1", "Enter")
        keys("Enter")
        wait_until("neomutt shows the first message", lambda: "Text 0" in screen(), pause=0.2)
        keys("q")
        wait_until("neomutt is back in the list", lambda: "number 2" in screen(), pause=0.2)
        keys("1", "Enter")
        keys("F")
        keys("3", "Enter")
        keys("d")
        keys("$")
        wanted = {0: [b"\\Flagged", b"\\Seen"], 1: [b"\\Seen"]}
        wait_until("neomutt has flagged, read and deleted", lambda: settled(site, "mutt") == wanted, pause=0.3)
        keys("q")
    finally:
        subprocess.run([*tmux, "kill-server"], env=environment, capture_output=True, check=False)
    shutil.rmtree(home)


def doveadm_backs_up(site):
    """doveadm backup over imapc: the same messages and flags in a Dovecot mailbox, then what changed"""
    home = scratch("doveadm")
    conf = write_dovecot(home, f"""
ssl = no
mail_location = maildir:{home}/Maildir
imapc_host = {site.address}
imapc_port = {site.port('imaps')}
imapc_ssl = imaps
imapc_ssl_verify = no
ssl_client_ca_file = {home}/ca.pem
imapc_user = backup@alpha.test
imapc_password = {site.password('backup@alpha.test')}
imapc_features = rfc822.size fetch-headers modseq
mail_prefetch_count = 20
""", name_of_nobody())
    (home / "ca.pem").write_bytes(pathlib.Path(site.facts["ca"]).read_bytes())
    give_to_nobody(home)
    wire = filled(site, "backup")
    words = ["doveadm", "-c", conf, "backup", "-R", "imapc:"]
    environment = {"HOME": str(home), "USER": name_of_nobody(), "PATH": os.environ["PATH"]}
    run(words, env=environment, cwd=home, **as_nobody())
    if read_all(home / "Maildir") != ALL:
        raise Failed(f"doveadm backed up {read_all(home / 'Maildir')}")
    seen = [path for path in (home / "Maildir/cur").glob("*") if "S" in path.name.partition(":2,")[2]]
    if len(seen) != 1 or b"number 1" not in seen[0].read_bytes():
        raise Failed(f"doveadm backed up as seen: {seen}")
    wire.do("SELECT INBOX")
    wire.do("STORE 1 +FLAGS (\\Deleted)")
    wire.do("EXPUNGE")
    wire.do("APPEND INBOX", letter(COUNT))
    wire.close()
    run(words, env=environment, cwd=home, **as_nobody())
    if read_all(home / "Maildir") != [*ALL[1:], b"number %d" % COUNT]:
        raise Failed(f"the second backup has {read_all(home / 'Maildir')}")
    shutil.rmtree(home)


if __name__ == "__main__":
    need("interimap", "offlineimap", "getmail", "neomutt", "tmux", "doveadm")
    main("imap-clients", [interimap_both_ways, offlineimap_both_ways, getmail_fetches, neomutt_in_a_terminal, doveadm_backs_up], USERS)
