"""Who serves a mailbox: our imapd and pop3d, Dovecot, Courier, each on the same Maildirs. A server has imap() and, if it listens,
the ports of IMAP (with STARTTLS) and POP3 (TLS first)."""

import imaplib

from adapters.dovecot import Dovecot
from messages import ANN
from posthorn_site import trusting
from work import PASSWORD, free_port


def context_of(work):
    return trusting(work.bench.certificate)


def log_in(work, port, user=ANN, password=PASSWORD):
    client = imaplib.IMAP4("127.0.0.1", port, timeout=60)
    client.starttls(context_of(work))
    client.login(user, password)
    return client


class Posthorn:
    """authd, imapd and pop3d, each alone."""
    name = "imapd+pop3d"

    def __init__(self, work, mail, auth=None, userdb=None, flags=()):
        self.work = work
        self.imap, self.imaps, self.pop3s = free_port(), free_port(), free_port()
        if not auth:
            work.posthorn_users()
            work.agent("authd", "--listen-mode", "0666", "--listen-userdb-mode", "0666")
            auth, userdb = (f"unix:{work.directory}/posthorn/run/{name}.sock" for name in ("auth", "userdb"))
        shared = ["--auth", auth, "--userdb", userdb, "--tls-cert", work.bench.certificate, "--tls-key", work.bench.key,
                  "--mail-location", f"maildir:{mail}/%n", "--mail-directories", mail, *flags]
        work.agent("imapd", "--listen", f"inet:127.0.0.1:{self.imap}", "--listen-tls", f"inet:127.0.0.1:{self.imaps}", *shared)
        work.agent("pop3d", "--listen", f"inet:127.0.0.1:{free_port()}", "--listen-tls", f"inet:127.0.0.1:{self.pop3s}", *shared)

    def open(self):
        return log_in(self.work, self.imap)


class DovecotStore(Dovecot):
    def __init__(self, work, mail):
        super().__init__(work, mail=f"maildir:{mail}/%n", protocols="imap pop3")

    def open(self):
        return log_in(self.work, self.imap)


class Courier:
    """Courier's imapd, unpacked; it serves one user on its standard input and output, as its own log-in program starts it."""
    name = "Courier"

    def __init__(self, work, mail):
        self.work = work
        self.mail = mail
        self.program = work.peer("courier", "usr/bin/imapd")

    def open(self):
        script = self.work.put("courier.sh", f"""#!/bin/sh
cd {self.mail}/ann || exit 1
export AUTHENTICATED={ANN} AUTHADDR={ANN} HOME={self.mail}/ann MAILDIR={self.mail}/ann TCPREMOTEIP=127.0.0.1 PROTOCOL=IMAP
export IMAP_CAPABILITY="IMAP4rev1 UIDPLUS CHILDREN NAMESPACE" IMAP_KEYWORDS=1 IMAP_EMPTYTRASH= IMAP_USELOCKS=1
exec setpriv --reuid=65534 --regid=65534 --clear-groups {self.program} {self.mail}/ann
""", mode=0o755)
        return imaplib.IMAP4_stream(str(script))


SERVERS = {"imapd+pop3d": Posthorn, "Dovecot": DovecotStore, "Courier": Courier}


def fill(work, letters):
    """ann's Maildir, with these letters as a delivery agent leaves them."""
    mail = work.folder("mail")
    for sub in ("", "tmp", "new", "cur"):
        work.folder(f"mail/ann/{sub}", mode=0o700)
    for number, letter in enumerate(letters):
        path = work.put(f"mail/ann/new/{1795430000 + number}.M{number}P1.swap,S={len(letter.stored)}", "", mode=0o600)
        path.write_bytes(letter.stored)
    return mail
