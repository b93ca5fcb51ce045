"""Filters: who takes mail, and what looks at it by the milter protocol. Postfix with the same filters is there to compare."""

import smtplib

import milter_server as milter
from milter_server import MilterServer

from adapters.filters import GTUBE, Clamav, Opendkim, Rspamd, Spamassassin
from adapters.posthorn import Deliverd, Queue, Submissiond
from adapters.postfix import Postfix
from messages import ANN, Letter, check_arrival, connect, letters, send, with_subject
from seams import Seam
from work import DOMAIN, PASSWORD, Failed, free_port, wait_until


class Site:
    """The one who takes mail, with deliverd behind it. Mail is ann's, whose domain is ours."""

    def __init__(self, work, program):
        self.work = work
        self.program = program
        self.delivery = Deliverd(work)
        self.userdb = f"unix:{work.directory}/posthorn/run/userdb.sock"
        if program == "submissiond":
            self.queue = Queue(work, self.delivery, self.userdb)

    def open(self, *filters, program=None):
        """A client of one that asks these filters."""
        program = program or self.program
        work = self.work.beside(f"asks-{len(self.work.processes)}")
        if program == "deliverd":
            return self.lmtp(work, filters)
        if program == "Postfix":
            names = ", ".join(each.at for each in filters)
            port = Postfix(work, self.delivery, main=f"smtpd_milters = {names}\nsmtpd_tls_security_level = may\n").port
            return connect(port)
        flags = [word for each in filters for word in ("--milters", each.at)]
        if program == "smtpd":
            self.queue = Queue(work, self.delivery, self.userdb, smtpd_flags=flags)
            return connect(self.queue.port)
        queue = f"{self.work.directory}/mta/queue"
        flags += ["--userdb", self.userdb, "--queue", queue]
        auth = f"unix:{self.work.directory}/posthorn/run/auth.sock"
        return connect(Submissiond(work, auth=auth, flags=flags).port, True, (ANN, PASSWORD), self.work.bench.certificate)

    def lmtp(self, work, filters):
        """A client of a deliverd that asks these filters and has the same mailboxes."""
        home, port = self.work.directory / "posthorn", free_port()
        flags = [word for each in filters for word in ("--milters", each.at)]
        work.agent("deliverd", "--listen", f"inet:127.0.0.1:{port}", "--domains", DOMAIN, "--hostname", "mda.site.test", "--queue", "",
                   "--userdb", self.userdb, "--mail-location", f"maildir:{home}/mail/%d/%n/Maildir", "--mail-directories", f"{home}/mail",
                   *flags, name="filtered")
        client = smtplib.LMTP("127.0.0.1", port, timeout=60)
        client.ehlo("client.test")
        return client

    def stored(self, letter, user):
        wait_until(f"{letter.name} reaches {user}", lambda: with_subject(self.delivery.maildir(user), letter.name), 90, 0.1)
        return with_subject(self.delivery.maildir(user), letter.name)


def signed(site):
    """opendkim signs, and another finds its signatures good in what was stored: filters see the octets that are sent on."""
    with site.open(Opendkim(site.work, "s")) as client:
        chosen = [letter for letter in letters(100000) if letter.name in ("plain", "mime", "8bit", "large")]
        for letter in chosen:
            send(client, letter)
        for letter in chosen:
            check_arrival(letter, site.delivery.maildir)
    # What a user who has logged in sends is not verified.
    verifier = "smtpd" if site.program == "submissiond" else None
    with site.open(Opendkim(site.work, "v"), program=verifier) as client:
        for letter in chosen:
            user = letter.recipients[0].split("@")[0]
            text = site.stored(letter, user)[0]
            if not text[text.find(b"\nReceived"):].count(b"\nDKIM-Signature:"):
                raise Failed(f"{letter.name} has no signature: {text[:1500]!r}")
            again = Letter(letter.name, [f"u9@{DOMAIN}"], b"", options=letter.options)
            again.data = text[text.index(b"DKIM-Signature:"):].replace(b"\n", b"\r\n")
            send(client, again)
            verdict = site.stored(again, "u9")[0]
            if b"dkim=pass" not in verdict.split(b"\n\n")[0]:
                raise Failed(f"{letter.name} is verified as {verdict[:1500]!r}")
    return ["signed and verified"]


def judged(site, judge, bad, words, fields):
    """A filter refuses one message at its end, in these words, and lets others pass, with fields: body -> field."""
    with site.open(judge) as client:
        try:
            send(client, Letter("bad", [f"u1@{DOMAIN}"], b"here: " + bad + b"\r\n"))
        except Failed as refused:
            if words not in str(refused):
                raise
        else:
            raise Failed("a message that is to be refused was taken")
        for number, (body, field) in enumerate(fields.items()):
            letter = Letter(f"good-{number}", [f"u1@{DOMAIN}"], body + b"\r\n")
            send(client, letter)
            head = site.stored(letter, "u1")[0].split(b"\n\n")[0]
            if field not in head:
                raise Failed(f"{body!r} has no {field!r}: {head!r}")
    return ["refused at the end of the message"]


def infected(site):
    pattern = b"swap-test-pattern-of-our-own"
    return judged(site, Clamav(site.work, pattern), pattern, "found Swap.Test", {b"nothing bad": b"\nX-Virus-Status: Clean"})


def rspamd(site):
    """It refuses one test pattern, and only marks another."""
    return judged(site, Rspamd(site.work), GTUBE, "Gtube pattern", {b"nothing bad": b"", b"Y" + GTUBE[1:]: b"\nX-Spam: Yes"})


def spamassassin(site):
    return judged(site, Spamassassin(site.work), GTUBE, "Blocked by SpamAssassin", {b"nothing bad": b"\nX-Spam-Status: No"})


def every_action(site):
    """All that a filter may do; Postfix makes the same of it."""
    server = MilterServer(answers={
        "R": lambda told: milter.reply("550-5.7.1 not\r\n550 5.7.1 u2") if "u2@" in told.texts[0] else milter.CONTINUE,
        "E": milter.add_header("X-Added", "one\n two") + milter.insert_header(1, "X-Second", "second") + milter.insert_header(0, "X-Top", "top")
             + milter.change_header(1, "Subject", "swap changed") + milter.change_header(1, "To", "") + milter.replace_body(b"new\r\n.body\r\n")
             + milter.add_rcpt(f"<u3@{DOMAIN}>") + milter.add_rcpt(f"<u4@{DOMAIN}>", "NOTIFY=NEVER") + milter.delete_rcpt(f"<u1@{DOMAIN}>")
             + milter.change_sender(f"<u9@{DOMAIN}>") + milter.CONTINUE})
    with site.open(server) as client:
        client.mail(ANN)
        said = client.rcpt(f"u2@{DOMAIN}")
        if said != (550, b"5.7.1 not\n5.7.1 u2"):
            raise Failed(f"a refused recipient hears {said}")
        client.rset()
        send(client, Letter("actions", [f"u1@{DOMAIN}"], b"old\r\n"))
        changed = Letter("changed", [], b"")
        for user in ("u3", "u4"):
            text = site.stored(changed, user)[0].decode()
            head, body = text.split("\n\n", 1)
            names = [line.split(":")[0] for line in head.split("\n") if not line[0].isspace()]
            names = names[names.index("X-Top"):]
            received = [] if site.program == "deliverd" else ["Received"]  # its own stands above what filters see
            if (names != ["X-Top", *received, "X-Second", "From", "Subject", "Date", "Message-ID", "X-Added"] or body != "new\n.body\n"
                    or f"Return-Path: <u9@{DOMAIN}>" not in head or "X-Added: one\n two" not in head):
                raise Failed(f"{user} has {text}")
        if with_subject(site.delivery.maildir("u1"), "changed"):
            raise Failed("a recipient who was deleted has it")
        server.answers = {"M": milter.TEMPFAIL}
        code = client.docmd(f"MAIL FROM:<{ANN}>")[0]
        if code not in (450, 451):
            raise Failed(f"MAIL is answered {code}")
        server.answers = {"E": milter.quarantine("to be looked at") + milter.CONTINUE}
        try:
            send(client, Letter("held", [f"u1@{DOMAIN}"], b"held\r\n"))
        except Failed as refused:
            if site.program != "deliverd" or "answered 451" not in str(refused):
                raise
        if site.program in ("smtpd", "submissiond"):
            wait_until("it is held", lambda: " held " in site.queue.log.read_text(), 60)
    told = "".join(each.letter for each in server.told)
    if "MRLLLLLNBE" not in told.replace("T", ""):
        raise Failed(f"the filter was told {told}")
    return ["every action"]


LEFT = dict.fromkeys(("smtpd", "submissiond", "deliverd", "Postfix"))
RIGHT = {"opendkim": signed, "clamav-milter": infected, "rspamd": rspamd, "spamass-milter": spamassassin,
         "a milter that uses every action": every_action}


def test(work, left, right):
    try:
        return RIGHT[right](Site(work, left))
    except smtplib.SMTPException as problem:
        raise Failed(f"{left} says {problem!r}") from problem


SEAM = Seam("filter", "who takes mail -> what looks at it (milter)", LEFT, RIGHT, test,
            quick=[("smtpd", "opendkim"), ("Postfix", "a milter that uses every action"), ("deliverd", "rspamd"),
                   ("submissiond", "a milter that uses every action")])
