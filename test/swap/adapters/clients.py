"""Clients that fetch ann's mail, each in a home of its own. fetch() gives the octets of each message that it has then."""

import os
import pty
import select
import subprocess
import time

from messages import ANN, stored_in
from work import PASSWORD, Failed, need


def environment(home):
    return {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "TERM": "vt100", "USER": "nobody"}


def maildir(work, name):
    for sub in ("tmp", "new", "cur"):
        work.folder(f"{name}/Maildir/{sub}")
    work.folder(f"{name}/Maildir")
    return work.folder(name)


class Mbsync:
    def __init__(self, work, server):
        self.work, self.home = work, maildir(work, "mbsync")
        self.rc = work.put("mbsync/rc", f"""IMAPAccount site
Host localhost
Port {server.imap}
User {ANN}
Pass {PASSWORD}
SSLType STARTTLS
CertificateFile {work.bench.certificate}

IMAPStore far
Account site

MaildirStore near
Path {self.home}/
Inbox {self.home}/Maildir

Channel all
Far :far:
Near :near:
Sync All
SyncState {self.home}/state
""", mode=0o600)

    def fetch(self):
        self.work.run([need("mbsync"), "-c", self.rc, "-a"], env=environment(self.home))
        return list(stored_in(self.home / "Maildir").values())


class Getmail:
    def __init__(self, work, server):
        self.work, self.home = work, maildir(work, "getmail")
        work.folder("getmail/state")
        self.rc = work.put("getmail/rc", f"""[retriever]
type = SimplePOP3SSLRetriever
server = 127.0.0.1
port = {server.pop3s}
username = {ANN}
password = {PASSWORD}
[destination]
type = Maildir
path = {self.home}/Maildir/
[options]
delete = false
read_all = false
delivered_to = false
received = false
""")

    def fetch(self):
        self.work.run([need("getmail"), f"--getmaildir={self.home}/state", f"--rcfile={self.rc}"], env=environment(self.home))
        return list(stored_in(self.home / "Maildir").values())


class Fetchmail:
    def __init__(self, work, server):
        self.work, self.home = work, maildir(work, "fetchmail")
        store = work.put("fetchmail/store", f"#!/bin/sh\nf=$(mktemp {self.home}/Maildir/tmp/XXXXXX) && cat > $f && mv $f {self.home}/Maildir/new/\n",
                         mode=0o755)
        self.rc = work.put("fetchmail/rc", f"""poll localhost protocol pop3 port {server.pop3s} uidl
  user "{ANN}" password "{PASSWORD}" ssl sslcertck sslcertfile "{work.bench.certificate}"
  no rewrite keep mda "{store}"
""", mode=0o600)

    def fetch(self):
        # 1: there was nothing new.
        said = self.work.run([need("fetchmail"), "--fetchmailrc", self.rc, "--nodetach", "--nosyslog", "--invisible", "--pidfile",
                              self.home / "pid"], expect=None, env=dict(environment(self.home), FETCHMAILHOME=str(self.home)))
        found = list(stored_in(self.home / "Maildir").values())
        if not found:
            raise Failed(f"fetchmail fetched nothing: {said[-600:]}")
        return found


class Mutt:
    """mutt on a terminal of its own: marks all, saves copies, leaves."""

    def __init__(self, work, server):
        self.work, self.home = work, maildir(work, "mutt")
        self.count = 0
        self.rc = work.put("mutt/rc", f"""set imap_user="{ANN}" imap_pass="{PASSWORD}" ssl_starttls=yes ssl_force_tls=yes ssl_verify_host=no
set certificate_file={work.bench.certificate} mbox_type=Maildir confirmcreate=no confirmappend=no wait_key=no quit=yes move=no
set folder=imap://127.0.0.1:{server.imap}/ spoolfile=imap://127.0.0.1:{server.imap}/INBOX header_cache= sort=mailbox-order
set delete=no copy=no print=no record= mark_old=no
push "<tag-pattern>~A<enter><tag-prefix><copy-message><kill-line>{self.home}/Maildir<enter><quit>"
""")

    def fetch(self):
        if self.count:
            return list(stored_in(self.home / "Maildir").values())
        self.count += 1
        terminal, side = pty.openpty()
        process = subprocess.Popen([need("mutt"), "-n", "-F", str(self.rc)], stdin=side, stdout=side, stderr=side,
                                   env=environment(self.home), start_new_session=True, **self.work.identity("nobody"))
        os.close(side)
        deadline, said = time.monotonic() + 60, b""
        while process.poll() is None and time.monotonic() < deadline:
            if select.select([terminal], [], [], 0.2)[0]:
                try:
                    said += os.read(terminal, 65536)
                except OSError:
                    break
        if process.poll() is None:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise Failed(f"mutt does not end: {said[-1500:]!r}") from None
        os.close(terminal)
        return list(stored_in(self.home / "Maildir").values())


CLIENTS = {"mbsync": Mbsync, "getmail": Getmail, "fetchmail": Fetchmail, "mutt": Mutt}
