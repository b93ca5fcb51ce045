"""Our agents, each alone and started from flags: taking mail into a queue, delivering, sending."""

import re

from work import DOMAIN, Failed, free_port

USERDB = ["--userdb", ""]  # whoever delivers knows who exists


class Deliverd:
    """deliverd by LMTP with authd as its userdb. where: unix or inet."""
    name = "deliverd"
    features = {"smtputf8", "dsn"}

    def __init__(self, work, where="unix", users=None):
        self.work = work
        work.posthorn_users(users)
        work.agent("authd", "--listen-mode", "0666", "--listen-userdb-mode", "0666")
        at = f"unix:{work.directory}/posthorn/run/lmtp.sock" if where == "unix" else f"inet:127.0.0.1:{free_port()}"
        # No queue of ours is there: reports of success are the duty of whoever hands over.
        work.agent("deliverd", "--listen", at, "--listen-mode", "0666", "--domains", DOMAIN, "--hostname", "mda.site.test",
                   "--queue", "")
        self.lmtp = at
        self.command = None

    def maildir(self, user):
        return self.work.directory / f"posthorn/mail/{DOMAIN}/{user}/Maildir"


class Stdin:
    """deliverd --stdin, started for each recipient by whoever has the message; authd is its userdb."""
    name = "deliverd --stdin"
    features = {"smtputf8", "dsn"}

    def __init__(self, work):
        self.work = work
        work.posthorn_users()
        work.agent("authd", "--listen-mode", "0666", "--listen-userdb-mode", "0666")
        self.lmtp = None
        self.command = [work.bench.bin / "deliverd", "--site", work.directory / "posthorn", "--stdin", "-f", "${sender}", "-d",
                        "${recipient}"]

    maildir = Deliverd.maildir


class Exec:
    """deliverd --exec in front of a program that is no LMTP server."""

    def __init__(self, work, program):
        self.features = program.features
        self.work = work
        self.program = program
        self.name = f"deliverd --exec {program.name}"
        self.command = None
        self.lmtp = f"unix:{work.folder('exec')}/lmtp.sock"
        words = " ".join(str(word) for word in program.command)
        work.agent("deliverd", "--listen", self.lmtp, "--listen-mode", "0666", "--domains", DOMAIN, "--exec", words, "--exec-flags",
                   "D", "--queue", "", "--userdb", "", "--hostname", "mda.site.test", name="exec", site="exec")
        self.maildir = program.maildir


class Queue:
    """smtpd, queued and a delivery agent. next: an LMTP endpoint."""
    name = "smtpd+queued"
    features = {"smtputf8", "dsn"}

    def __init__(self, work, delivery, userdb=None, flags=(), smtpd_flags=()):
        """flags: for queued and smtpd alike."""
        if not delivery.lmtp:
            raise Failed("queued speaks LMTP only")  # the table of seams keeps these apart
        self.work = work
        self.port = free_port()
        # Its own folder: the delivery agent may be ours as well.
        for sub in ("conf", "queue", "queue/segments", "queue/free", "queue/spool", "queue/drop"):
            work.folder(f"mta/{sub}", mode=0o755)
        shared = ["--hostname", "mail.site.test", "--domains", DOMAIN, "--local-transport", "lmtp:" + delivery.lmtp]
        who = ["--userdb", userdb] if userdb else USERDB
        self.log = work.agent("queued", *shared, *who, *flags, site="mta")
        work.agent("smtpd", *shared, *who, "--listen", f"inet:127.0.0.1:{self.port}", "--tls-cert", work.bench.certificate,
                   "--tls-key", work.bench.key, *flags, *smtpd_flags, site="mta")

    def logged(self, recipient):
        return re.search(rf" sent .*to=<{re.escape(recipient)}>.*status=sent", self.log.read_text())


class Submissiond:
    """Submission for ann and the others; its log-ins are authd's, which Deliverd has started."""
    name = "submissiond"
    features = {"smtputf8", "dsn"}

    def __init__(self, work, site="msa", auth=None, flags=()):
        self.port = free_port()
        self.work = work
        auth = auth or f"unix:{work.directory}/posthorn/run/auth.sock"
        self.log = work.agent("submissiond", "--listen", f"inet:127.0.0.1:{self.port}", "--hostname", "msa.site.test", "--domains",
                              DOMAIN, "--auth", auth, "--tls-cert", work.bench.certificate, "--tls-key", work.bench.key, *flags,
                              site=site)


class Relay:
    """smtpd, queued and relayd of a site that sends everything to one other; relayd alone speaks to that."""
    name = "relayd"
    features = {"smtputf8", "dsn"}

    def __init__(self, work, port, relay_flags=None, route=True):
        self.port = free_port()
        relay = f"unix:{work.directory}/sender/run/relay.sock"
        for sub in ("", "/conf", "/queue", "/queue/segments", "/queue/free", "/queue/spool", "/queue/drop"):
            work.folder("sender" + sub)
        if route:
            work.put("sender/conf/routes", f"{DOMAIN} [127.0.0.1]:{port}\n")
        shared = ["--hostname", "out.sender.test", "--domains", "sender.test", "--remote-transport", "lmtp:" + relay, *USERDB]
        self.log = work.agent("relayd", "--listen", relay, "--hostname", "out.sender.test", *(relay_flags or []), site="sender")
        work.agent("queued", *shared, site="sender", name="sender-queued")
        work.agent("smtpd", *shared, "--listen", f"inet:127.0.0.1:{self.port}", "--relay-networks", "127.0.0.0/8", site="sender",
                   name="sender-smtpd")
