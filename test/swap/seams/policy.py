"""Policy: who takes mail, and who is asked whether to (Postfix's policy delegation)."""

import smtplib

from policy_server import PolicyServer

from adapters.posthorn import Deliverd, Queue, Submissiond
from messages import ANN, Letter, check_arrival, connect, send, stored_in, with_subject
from seams import Seam
from work import DOMAIN, PASSWORD, Failed, free_port, is_open, need, wait_until

STRANGER = "192.0.2.77"  # whom XCLIENT names: postgrey does not know what is on this machine


class Site:
    """The one who asks, a queue behind it, deliverd; clients come as STRANGER, or as ann with her password."""

    def __init__(self, work, program, policy):
        self.work = work
        self.delivery = Deliverd(work)
        self.program = program
        userdb = f"unix:{work.directory}/posthorn/run/userdb.sock"
        flags = ["--policy", policy.stages + policy.at]
        self.queue = Queue(work, self.delivery, userdb, smtpd_flags=[*flags, "--xclient-networks", "127.0.0.0/8"] if program == "smtpd" else [])
        self.port = self.queue.port
        if program == "submissiond":
            self.port = Submissiond(work, site="mta", flags=["--userdb", userdb, *flags]).port

    def client(self):
        if self.program == "submissiond":
            return connect(self.port, True, (ANN, PASSWORD), self.work.bench.certificate)
        client = connect(self.port)
        code, said = client.docmd(f"XCLIENT ADDR={STRANGER} NAME=stranger.test")
        if code != 220:
            raise Failed(f"XCLIENT is answered {code} {said}")
        client.ehlo("stranger.test")
        return client

    def rcpt(self, recipient=f"u1@{DOMAIN}"):
        """The reply to RCPT."""
        with self.client() as client:
            client.mail(ANN)
            return client.rcpt(recipient)


class Postgrey:
    stages = ""  # RCPT

    def __init__(self, work):
        port = free_port()
        folder = work.folder("postgrey")
        self.at = f"inet:127.0.0.1:{port}"
        empty = work.put("postgrey-whitelist", "")
        work.start("postgrey", [need("postgrey"), f"--inet=127.0.0.1:{port}", f"--dbdir={folder}", f"--pidfile={folder}/pid", "--delay=1",
                                "--user=nobody", "--group=nogroup", f"--whitelist-clients={empty}", f"--whitelist-recipients={empty}"],
                   lambda: is_open(port), "root")

    @staticmethod
    def judge(site):
        code, said = site.rcpt()
        if (code, b"Greylisted" in said) != (450, True):
            raise Failed(f"the first RCPT is answered {code} {said}")
        letter = Letter("plain", [f"u1@{DOMAIN}"], b"the second time\r\n")
        wait_until("RCPT is taken when it comes again", lambda: site.rcpt()[0] == 250, 30, 0.3)
        with site.client() as client:
            send(client, letter)
        check_arrival(letter, site.delivery.maildir)
        return ["450 first, then taken"]


class Script:
    """Decides by the recipient; at the end of a message, by its size."""
    stages = "rcpt,end-of-message="

    def __init__(self, work):
        del work
        self.server = PolicyServer(self.answer)
        self.at = self.server.at

    @staticmethod
    def answer(question):
        if question["protocol_state"] == "END-OF-MESSAGE":
            return "552 5.3.4 no letters of this size today" if int(question["size"]) > 50000 else "DUNNO"
        return {"u1": "PREPEND X-Greylist: by a script", "u2": "REJECT 5.7.1 not to u2", "u3": "DEFER not yet", "u4": "DISCARD",
                "u5": f"REDIRECT u6@{DOMAIN}", "u7": f"BCC u8@{DOMAIN}", "u9": "HOLD to be looked at", "u10": "WARN u10 gets mail",
                "u11": None, "u12": "FILTER smtp:[127.0.0.1]:10025"}.get(question["recipient"].split("@")[0], "DUNNO")

    def judge(self, site):
        for user, wanted in (("u2", (554, b"5.7.1 not to u2")), ("u3", (450, b"4.7.1 not yet")), ("u11", (451, b"4.3.0")), ("u12", (451, b"4.3.0"))):
            code, said = site.rcpt(f"{user}@{DOMAIN}")
            if code != wanted[0] or not said.startswith(wanted[1]):
                raise Failed(f"RCPT {user} is answered {code} {said}")
        letters = {user: Letter(f"to-{user}", [f"{user}@{DOMAIN}"], b"judged\r\n") for user in ("u1", "u4", "u5", "u7", "u9", "u10")}
        with site.client() as client:
            for letter in letters.values():
                send(client, letter)
        self.check(site, letters)
        self.check_end(site)
        self.check_question(site)
        return ["every action"]

    @staticmethod
    def check(site, letters):
        letters["u5"].recipients = [f"u6@{DOMAIN}"]
        letters["u7"].recipients = [f"u7@{DOMAIN}", f"u8@{DOMAIN}"]
        for user in ("u1", "u5", "u7", "u10"):
            check_arrival(letters[user], site.delivery.maildir)
        head = with_subject(site.delivery.maildir("u1"), "to-u1")[0].split(b"\nFrom: Ann")[0]
        if b"X-Greylist: by a script\n" not in head + b"\n":
            raise Failed(f"the field is not on top: {head!r}")
        wait_until("u9's letter is held", lambda: " held " in site.queue.log.read_text(), 60)
        for user in ("u4", "u5", "u9"):
            if stored_in(site.delivery.maildir(user)):
                raise Failed(f"{user} has got mail")

    @staticmethod
    def check_end(site):
        large = Letter("large", [f"u1@{DOMAIN}"], (b"y" * 70 + b"\r\n") * 800)
        try:
            with site.client() as client:
                send(client, large)
        except Failed as refused:
            if "552" not in str(refused):
                raise
        else:
            raise Failed("a letter that is too large at its end was taken")

    def check_question(self, site):
        question = self.server.asked(protocol_state="RCPT", recipient=f"u1@{DOMAIN}")[0]
        wanted = {"sender": ANN, "protocol_name": "ESMTP", "server_address": "127.0.0.1", "server_port": str(site.port)}
        if site.program == "smtpd":
            wanted.update(client_address=STRANGER, client_name="stranger.test", helo_name="stranger.test", encryption_protocol="")
        else:
            wanted.update(client_address="127.0.0.1", sasl_username=ANN, encryption_protocol="TLSv1.3")
        wrong = {name: question.get(name) for name, value in wanted.items() if question.get(name) != value}
        if wrong:
            raise Failed(f"the server is told {wrong} instead of {wanted}")


LEFT = dict.fromkeys(("smtpd", "submissiond"))
RIGHT = {"postgrey": Postgrey, "a script": Script}


def test(work, left, right):
    policy = RIGHT[right](work)
    try:
        return policy.judge(Site(work, left, policy))
    except smtplib.SMTPException as problem:
        raise Failed(f"{left} says {problem!r}") from problem


SEAM = Seam("policy", "who takes mail -> who says whether to", LEFT, RIGHT, test, quick=[(left, right) for left in LEFT for right in RIGHT])
