"""Proxies: who speaks for a client, and who serves that client as if it had come itself: PROXY headers, XCLIENT, XFORWARD."""

import smtplib
import socket

from adapters.postfix import Postfix
from adapters.posthorn import Deliverd, Queue, Submissiond
from adapters.stores import Posthorn, context_of, fill
from messages import ANN, Letter, check_arrival, connect, send, with_subject
from seams import Seam
from work import DOMAIN, PASSWORD, Failed, free_port, is_open, need, wait_until

CLIENT, PROXY = "127.0.0.9", "127.0.0.2"  # where a client connects from, and where HAProxy does
STRANGER = "192.0.2.77"                   # whom XCLIENT and XFORWARD name
HAPROXY = """defaults
  mode tcp
  timeout connect 30s
  timeout client 60s
  timeout server 60s
frontend door
  bind 127.0.0.1:{door} {accept}
  default_backend agents
backend agents
  server agent 127.0.0.1:{port} source {proxy} {header}
"""
LETTER = Letter("by-proxy", [f"u1@{DOMAIN}"], b"hello\r\n")


class Smtp:
    """smtpd or submissiond with a queue and deliverd behind it."""

    def __init__(self, work, program, flags):
        self.work = work
        self.program = program
        self.delivery = Deliverd(work)
        self.log = work.directory / f"{program}.out"
        userdb = f"unix:{work.directory}/posthorn/run/userdb.sock"
        self.port = Queue(work, self.delivery, userdb, smtpd_flags=flags if program == "smtpd" else ()).port
        if program == "submissiond":
            self.port = Submissiond(work, site="mta", flags=["--userdb", userdb, *flags]).port

    def visit(self, port, source):
        with smtplib.SMTP("127.0.0.1", port, timeout=60, source_address=(source, 0)) as client:
            client.ehlo("client.test")
            if self.program == "submissiond":
                client.starttls(context=context_of(self.work))
                client.ehlo("client.test")
                client.login(ANN, PASSWORD)
            send(client, LETTER)

    def check(self, client):
        """The letter is there once, and its Received names the client."""
        check_arrival(LETTER, self.delivery.maildir)
        head = with_subject(self.delivery.maildir("u1"), LETTER.name)[0]
        if f"[{client}]".encode() not in head:
            raise Failed(f"no Received names {client}: {head[:600]!r}")


class Noted:
    """A delivery agent: deliverd --exec, whose program writes down what it is told. seen: where."""

    def __init__(self, work):
        folder = work.folder("exec")
        self.lmtp = f"unix:{folder}/lmtp.sock"
        self.seen = folder / "seen"
        script = work.put("note.sh", f'#!/bin/sh\ncat > /dev/null\necho "$@" >> {self.seen}\n', mode=0o755)
        work.agent("deliverd", "--listen", self.lmtp, "--listen-mode", "0666", "--domains", DOMAIN, "--exec",
                   f"{script} ${{client_address}} ${{client_hostname}}", "--queue", "", "--userdb", "", name="exec", site="exec")


class Mailboxes:
    """imapd or pop3d, TLS first."""

    def __init__(self, work, program, flags):
        self.work = work
        server = Posthorn(work, fill(work, []), flags=flags)
        self.log = work.directory / f"{program}.out"
        self.port = server.imaps if program == "imapd" else server.pop3s
        self.words = [f"a LOGIN {ANN} {PASSWORD}", "b LOGOUT"] if program == "imapd" else [f"USER {ANN}", f"PASS {PASSWORD}", "QUIT"]

    def visit(self, port, source):
        with socket.create_connection(("127.0.0.1", port), 60, (source, 0)) as plain, \
                context_of(self.work).wrap_socket(plain, server_hostname="localhost") as client:
            lines = client.makefile("rb")
            lines.readline()
            for word in self.words:
                client.sendall(word.encode() + b"\r\n")
                said = lines.readline()
                while said.startswith(b"* "):
                    said = lines.readline()
                if not said.startswith((b"+OK", b"a OK", b"b OK")):
                    raise Failed(f"{word} is answered {said}")

    def check(self, client):
        """The log is enough."""


RIGHT = {"smtpd": Smtp, "submissiond": Smtp, "imapd": Mailboxes, "pop3d": Mailboxes, "Postfix": None, "HAProxy": None}


def start_haproxy(work, door, port, header, accept=""):
    conf = work.put("haproxy.cfg", HAPROXY.format(door=door, port=port, proxy=PROXY, header=header, accept=accept))
    work.start("haproxy", [need("haproxy"), "-db", "-f", conf], lambda: is_open(door))


def haproxy(header):
    def through(work, right):
        served = RIGHT[right](work, right, ["--proxy-networks", f"{PROXY}/32"])
        door = free_port()
        start_haproxy(work, door, served.port, header)
        served.visit(door, CLIENT)
        wait_until(f"{right} knows the client", lambda: f"client={CLIENT}" in served.log.read_text(), 60)
        served.check(CLIENT)
        # Who is no proxy needs no header, and who is one must have it.
        served.visit(served.port, "127.0.0.1")
        with socket.create_connection(("127.0.0.1", served.port), 60, (PROXY, 0)) as client:
            client.sendall(b"EHLO client.test\r\n")
            if client.recv(100):
                raise Failed("a proxy without a header is served")
        return ["the client's address is known"]
    return through


def swaks(work, right):
    served = RIGHT[right](work, right, ["--xclient-networks", "127.0.0.0/8"])
    words = ["--server", "127.0.0.1", "--port", served.port, "--helo", "client.test", "--from", ANN, "--to", LETTER.recipients[0],
             "--data", work.put("letter", LETTER.data.decode().replace("\r\n", "\n").removesuffix("\n")), "--xclient-addr", STRANGER, "--xclient-name", "stranger.test"]
    if right == "submissiond":
        words += ["--xclient-login", ANN]
    said = work.run([need("swaks"), *words])
    if "XCLIENT " not in said:
        raise Failed(f"swaks did not say XCLIENT: {said[-500:]}")
    wait_until(f"{right} knows the client", lambda: f"client={STRANGER}" in served.log.read_text(), 60)
    served.check(STRANGER)
    return ["logged in by XCLIENT" if right == "submissiond" else "the client's address is known"]


def postfix(work, right):
    """Postfix's smtpd_proxy_filter: a message passes through it while it arrives; it says by XFORWARD where it came from."""
    delivery = Noted(work)
    mta = Queue(work, delivery, smtpd_flags=["--xforward-networks", "127.0.0.0/8"])
    front = Postfix(work, main=f"smtpd_proxy_filter = inet:127.0.0.1:{mta.port}\nsmtpd_authorized_xclient_hosts = 127.0.0.0/8\n"
                    f"relay_domains = {DOMAIN}\nsmtpd_relay_restrictions = permit_mynetworks, permit_auth_destination, reject\n")
    with connect(front.port) as client:
        client.docmd(f"XCLIENT ADDR={STRANGER} NAME=stranger.test")
        client.ehlo("client.test")
        send(client, LETTER)
    wait_until("it is delivered", delivery.seen.exists, 60)
    wait_until("the delivery agent knows the client", lambda: f"{STRANGER} stranger.test" in delivery.seen.read_text(), 30)
    return [f"{right}, queued and deliverd know whose it is"]


def submissiond(work, right):
    """submissiond passes each message on while it arrives; the next hop believes it who has logged in."""
    if right == "Postfix":
        work.posthorn_users()
        work.agent("authd", "--listen-mode", "0666", "--listen-userdb-mode", "0666")
        # Whom it relays for, it does because of the log-in.
        auth = f"smtpd_sasl_auth_enable = yes\nsmtpd_sasl_type = dovecot\nsmtpd_sasl_path = {work.directory}/posthorn/run/auth.sock\n"
        hop = Postfix(work, Noted(work), f"mynetworks = 192.0.2.0/24\nsmtpd_authorized_xclient_hosts = 127.0.0.0/8\n{auth}"
                      "smtpd_recipient_restrictions = permit_sasl_authenticated, reject\n")
        log = hop.log
    else:
        served = Smtp(work, right, ["--xclient-networks", "127.0.0.0/8"])
        hop, log = served, served.log.read_text
    front = Submissiond(work, flags=["--userdb", "", "--next-hop", f"smtp:inet:127.0.0.1:{hop.port}", "--next-hop-xclient"])
    with smtplib.SMTP("127.0.0.1", front.port, timeout=60, source_address=(CLIENT, 0)) as client:
        client.ehlo("client.test")
        client.starttls(context=context_of(work))
        client.ehlo("client.test")
        client.login(ANN, PASSWORD)
        for _ in range(2):
            send(client, LETTER)
    wanted = f"[{CLIENT}], sasl_method=XCLIENT, sasl_username={ANN}" if right == "Postfix" else f"client={CLIENT}"
    wait_until(f"{right} knows the client: {wanted}", lambda: log().count(wanted) >= 2, 30)
    return ["the client and the log-in are known"]


def next_hop(program, version):
    """smtpd or submissiond passes each message on while it arrives, over a connection that begins with whose it is."""
    def through(work, right):
        if right == "Postfix":
            hop = Postfix(work, Noted(work), "mynetworks = 192.0.2.0/24\nsmtpd_upstream_proxy_protocol = haproxy\n")
            port, log, wanted = hop.port, hop.log, f"client=unknown[{CLIENT}]"
        else:
            served = Smtp(work, "smtpd", ["--proxy-networks", "127.0.0.0/8"])
            port, log, wanted = served.port, served.log.read_text, f"client={CLIENT}"
        if right == "HAProxy":
            port = free_port()
            start_haproxy(work, port, served.port, "send-proxy", "accept-proxy")
        flags = ["--userdb", "", "--next-hop", f"smtp:inet:127.0.0.1:{port}", "--next-hop-proxy", version]
        if program == "submissiond":
            work.posthorn_users()
            if right == "Postfix":
                work.agent("authd", "--listen-mode", "0666", "--listen-userdb-mode", "0666")
            front = Submissiond(work, flags=flags).port
        else:
            front = free_port()
            work.agent("smtpd", "--hostname", "front.site.test", "--domains", DOMAIN, "--listen", f"inet:127.0.0.1:{front}", *flags, name="front",
                       site="front")
        for _ in range(2):
            with smtplib.SMTP("127.0.0.1", front, timeout=60, source_address=(CLIENT, 0)) as client:
                client.ehlo("client.test")
                if program == "submissiond":
                    client.starttls(context=context_of(work))
                    client.ehlo("client.test")
                    client.login(ANN, PASSWORD)
                send(client, LETTER)
                send(client, LETTER)
        wait_until(f"{right} knows the client: {wanted}", lambda: log().count(wanted) >= 4, 30)
        return ["the client's address is known"]
    return through


LEFT = {"HAProxy (PROXY 1)": haproxy("send-proxy"), "HAProxy (PROXY 2)": haproxy("send-proxy-v2"), "swaks (XCLIENT)": swaks,
        "Postfix (XFORWARD)": postfix, "submissiond (XCLIENT)": submissiond,
        "smtpd (PROXY 1)": next_hop("smtpd", "1"), "submissiond (PROXY 2)": next_hop("submissiond", "2")}


def test(work, left, right):
    return LEFT[left](work, right)


NO_SMTP = "XCLIENT and XFORWARD are commands of SMTP"
NOT_OURS = "nothing of ours stands at this seam"
PASS_ON = ("smtpd (PROXY 1)", "submissiond (PROXY 2)")
SEAM = Seam("proxy", "who speaks for a client -> who serves it", LEFT, RIGHT, test,
            {**{(left, right): NO_SMTP for left in ("swaks (XCLIENT)", "Postfix (XFORWARD)", "submissiond (XCLIENT)")
                for right in ("imapd", "pop3d", "HAProxy")},
             **{(left, right): NOT_OURS for left in LEFT if left not in PASS_ON for right in ("Postfix", "HAProxy")
                if (left, right) != ("submissiond (XCLIENT)", "Postfix") and (right == "Postfix" or left.startswith("HAProxy"))},
             **{(left, right): "a next hop speaks SMTP or LMTP" for left in PASS_ON for right in ("imapd", "pop3d")},
             **{(left, "submissiond"): "who passes messages on does not log in" for left in PASS_ON},
             ("Postfix (XFORWARD)", "submissiond"): "Postfix does not log in at its filter",
             ("submissiond (XCLIENT)", "submissiond"): "the same on both sides"},
            quick=[("HAProxy (PROXY 1)", "smtpd"), ("HAProxy (PROXY 2)", "imapd"), ("swaks (XCLIENT)", "submissiond"),
                   ("Postfix (XFORWARD)", "smtpd"), ("submissiond (XCLIENT)", "Postfix"), ("submissiond (PROXY 2)", "Postfix")])
