"""Hostile peers: an agent of ours that asks somebody who answers with garbage, endlessly, by halves, not at all, or goes. Nothing is
taken that could not be judged, the message waits, and the agent goes on serving others: the same process, at once."""

import smtplib
import socketserver
import time

from ports import serve

from adapters.posthorn import Queue, Submissiond
from messages import ANN, connect, letters, send_all
from seams import Seam
from work import DOMAIN, PASSWORD, Failed, free_port, wait_until

GREETING = {"lmtp": b"220 hostile.test LMTP\r\n", "auth": b"", "userdb": b"VERSION\t1\t1\nSPID\t1\n", "tcp": b"", "socketmap": b"", "policy": b"",
            "milter": b""}
HALF = {"lmtp": b"220 hosti", "auth": b"VERSION\t1\t1\nMECH\tPLA", "userdb": b"VERSION\t1\t1\nSPI", "tcp": b"20", "socketmap": b"10:OK u1",
        "policy": b"action=DUNNO\n", "milter": b"\0\0\0\x0dO\0\0"}


class Hostile:
    """Speaks `protocol` as badly as `mood` says. seen: connections so far."""

    def __init__(self, protocol, mood):
        self.seen = 0
        outer = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                outer.seen += 1
                try:
                    outer.speak(self.request, protocol, mood)
                except OSError:
                    pass  # the agent has had enough
        self.at = f"inet:127.0.0.1:{serve(Handler)}"

    @staticmethod
    def speak(peer, protocol, mood):
        if mood == "closes at once":
            return
        if mood == "says half, then closes":
            peer.sendall(HALF[protocol])
            return
        if mood == "closes when asked":
            peer.sendall(GREETING[protocol])
            peer.recv(4096)
            return
        if mood == "speaks garbage":
            peer.sendall(bytes(range(256)) * 4 + b"\r\n\n")
            peer.recv(4096)
            peer.sendall(b"\xff\xfe\0 999 what?\r\n" * 20)
        elif mood == "never ends its line":
            peer.recv(4096) if protocol in ("tcp", "socketmap", "policy") else None
            for _ in range(4000):
                peer.sendall(b"9" * 1000)
        time.sleep(60)  # silence


class Nobody:
    """A delivery agent that is not asked."""
    lmtp = "unix:/nowhere"


def refused_for_now(port):
    """RCPT is answered 4xx: the agent has a deadline of its own."""
    with smtplib.SMTP("127.0.0.1", port, timeout=90) as client:
        client.ehlo("client.test")
        client.mail(ANN)
        code, said = client.rcpt(f"u1@{DOMAIN}")
        if code // 100 != 4:
            raise Failed(f"RCPT is answered {code} {said!r}")
        return f"RCPT gets {code}"


def asked_at_rcpt(work, protocol, mood):
    peer = Hostile(protocol, mood)
    if protocol == "userdb":
        mta = Queue(work, Nobody, peer.at)
    elif protocol == "policy":
        mta = Queue(work, Nobody, smtpd_flags=["--policy", peer.at, "--policy-time", "5s"])
    else:
        table = f"tcp:{peer.at}" if protocol == "tcp" else f"socketmap:{peer.at}:virtual"
        mta = Queue(work, Nobody, flags=["--virtual", table])
    return peer, mta.port, refused_for_now(mta.port)


IMPATIENT = ["--milter-connect-time", "1s", "--milter-command-time", "1s"]


def asked_at_mail(work, protocol, mood):
    peer = Hostile(protocol, mood)
    port = Queue(work, Nobody, smtpd_flags=["--milters", peer.at, *IMPATIENT]).port
    return peer, port, mail_refused_for_now(smtplib.SMTP, port)


def asked_before_delivery(work, protocol, mood):
    peer = Hostile(protocol, mood)
    port = free_port()
    work.agent("deliverd", "--listen", f"inet:127.0.0.1:{port}", "--queue", "", "--domains", DOMAIN, "--milters", peer.at, *IMPATIENT)
    return peer, port, mail_refused_for_now(smtplib.LMTP, port)


def mail_refused_for_now(protocol, port):
    with protocol("127.0.0.1", port, timeout=45) as client:
        client.ehlo("client.test")
        code, said = client.mail(ANN)
        if code // 100 != 4:
            raise Failed(f"MAIL is answered {code} {said!r}")
        return f"MAIL gets {code}"


def asked_at_auth(work, protocol, mood):
    peer = Hostile(protocol, mood)
    msa = Submissiond(work, site="mta", auth=peer.at, flags=["--userdb", "", "--next-hop", "lmtp:inet:127.0.0.1:9"])
    client = connect(msa.port, tls=True, ca=work.bench.certificate)
    client.sock.settimeout(3)
    try:
        client.login(ANN, PASSWORD)
    except smtplib.SMTPNotSupportedError:
        return peer, msa.port, "AUTH is not offered"
    except smtplib.SMTPAuthenticationError as refused:
        if refused.smtp_code // 100 != 4:
            raise Failed(f"AUTH is answered {refused}") from refused
        return peer, msa.port, f"AUTH gets {refused.smtp_code}"
    except (TimeoutError, smtplib.SMTPServerDisconnected):
        return peer, msa.port, "waits"
    finally:
        client.close()
    raise Failed("a log-in was taken that nobody judged")


def handed_over(work, protocol, mood):
    class Delivery:
        lmtp = None
    peer = Hostile(protocol, mood)
    Delivery.lmtp = peer.at
    mta = Queue(work, Delivery)
    send_all(mta.port, letters(1000)[:1])
    wait_until("it was tried", lambda: peer.seen)
    time.sleep(1)
    if "status=sent" in mta.log.read_text() or "status=bounced" in mta.log.read_text():
        raise Failed("the message did not wait: " + mta.log.read_text()[-400:])
    return peer, mta.port, "the message waits"


LEFT = {"queued asks by LMTP": (handed_over, "lmtp"), "smtpd asks a tcp_table": (asked_at_rcpt, "tcp"),
        "smtpd asks a socketmap": (asked_at_rcpt, "socketmap"), "smtpd asks a userdb": (asked_at_rcpt, "userdb"),
        "smtpd asks a policy server": (asked_at_rcpt, "policy"), "smtpd asks a milter": (asked_at_mail, "milter"),
        "deliverd asks a milter": (asked_before_delivery, "milter"),
        "submissiond asks an auth server": (asked_at_auth, "auth")}
RIGHT = dict.fromkeys(("speaks garbage", "never ends its line", "says half, then closes", "closes when asked", "closes at once", "is silent"))


def test(work, left, right):
    ask, protocol = LEFT[left]
    peer, port, said = ask(work, protocol, right)
    if not peer.seen:
        raise Failed("the peer was never asked")
    running = {name: process for name, process, _ in work.processes}
    begin = time.monotonic()
    with connect(port) as client:
        client.noop()
    if time.monotonic() - begin > 30:
        raise Failed("another client had to wait")
    dead = [name for name, process in running.items() if process.poll() is not None]
    if dead:
        raise Failed(f"{dead} ended")
    return [said]


SEAM = Seam("hostile", "an agent of ours -> a peer that misbehaves", LEFT, RIGHT, test,
            quick=[(left, right) for left in LEFT for right in ("speaks garbage", "says half, then closes") if not left.startswith("deliverd")])
