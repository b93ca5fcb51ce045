#!/usr/bin/env python3
"""Policy servers (Postfix's policy delegation): smtpd asks what Postfix asks, and outlives every way to answer badly.

The seams `policy` and `hostile` of test/swap try postgrey, every action, and the ways to misbehave one by one; here one server goes
away behind each octet of its answer, and one session of smtpd has to do with all of that.
"""

import pathlib
import smtplib
import socketserver
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test/support"), str(ROOT / "test/swap")]
from policy_server import PolicyServer  # noqa: E402
from ports import serve  # noqa: E402
from steps import run_in  # noqa: E402
from adapters.postfix import Postfix  # noqa: E402
from adapters.posthorn import Queue  # noqa: E402
from work import DOMAIN, Failed, Workbench, wait_until  # noqa: E402

ANSWER = b"action=DUNNO\n\n"
# What each of the two makes up itself, or only Postfix knows.
OWN = {"queue_id", "instance", "server_port", "client_port", "compatibility_level", "mail_version"}


class Nobody:
    """A delivery agent that is not asked."""
    lmtp = "unix:/nowhere"


class Cut:
    """Closes behind as many octets of its answer as there were questions; then answers well, forever."""

    def __init__(self):
        self.asked = 0
        outer = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                for line in self.rfile:
                    if line != b"\n":
                        continue
                    outer.asked += 1
                    self.wfile.write(ANSWER[:outer.asked - 1])
                    if outer.asked <= len(ANSWER):
                        return
        self.at = f"inet:127.0.0.1:{serve(Handler)}"


def rcpt(port, count=1, recipient=f"u1@{DOMAIN}"):
    """The codes that RCPT gets, in one session."""
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo("client.test")
        client.mail("ann@elsewhere.test")
        return [client.rcpt(recipient)[0] for _ in range(count)]


def attributes(bench):
    """smtpd tells a policy server what Postfix tells it, in names and in values."""
    work = bench.hold(bench.work("attributes"))
    policy = PolicyServer(lambda question: "DUNNO")
    ours = Queue(work, Nobody, smtpd_flags=["--policy", "mail,rcpt=" + policy.at])
    theirs = Postfix(work, main=f"relay_domains = {DOMAIN}\nmynetworks = 192.0.2.0/24\nsmtpd_delay_reject = no\n"
                     f"smtpd_sender_restrictions = check_policy_service {policy.at}\n"
                     f"smtpd_recipient_restrictions = check_policy_service {policy.at}, permit_auth_destination, reject\n")
    for port in (ours.port, theirs.port):
        rcpt(port)
    for state in ("MAIL", "RCPT"):
        asked = policy.asked(protocol_state=state)
        if len(asked) != 2:
            raise Failed(f"{len(asked)} of two asked at {state}")
        mine, wanted = ({name: value for name, value in question.items() if name not in OWN} for question in asked)
        # Neither looks up who the client is; Postfix says so in words of its own.
        if mine != wanted:
            wrong = {name: (mine.get(name), wanted.get(name)) for name in {*mine, *wanted} if mine.get(name) != wanted.get(name)}
            raise Failed(f"at {state} smtpd and Postfix say {wrong}")
        missing = {"queue_id", "instance", "server_port", "client_port"} - set(asked[0])
        if missing:
            raise Failed(f"smtpd does not say {missing}")


def cuts(bench):
    """A server that goes away behind each octet of its answer: DUNNO or 451, as configured, and smtpd lives."""
    work = bench.hold(bench.work("cuts"))
    for name, flags, code in (("later", [], 451), ("taken", ["--policy-unavailable", "DUNNO"], 250)):
        policy = Cut()
        mta = Queue(work.beside(name), Nobody, smtpd_flags=["--policy", policy.at, *flags])
        # Each question that fails on a kept connection is asked once more; here every connection is a new one.
        codes = rcpt(mta.port, len(ANSWER))
        if codes != [code] * len(ANSWER):
            raise Failed(f"a server that says half is answered {codes}")
        if rcpt(mta.port, 3) != [250] * 3:
            raise Failed("the server answers again, and smtpd does not hear it")
        log = mta.log.with_name("smtpd.out")
        wait_until("each answer that failed has a line", lambda: log.read_text().count(" policy-failed ") >= len(ANSWER))
        failures = log.read_text().count(" policy-failed ")
        if failures != len(ANSWER):
            raise Failed(f"{failures} lines tell of {len(ANSWER)} answers that failed")


def restarted(bench):
    """A server that is restarted between two questions is asked on a new connection, and nobody notices."""
    work = bench.hold(bench.work("restarted"))
    once = []

    def answer(question):
        once.append(question)
        return "DUNNO" if len(once) % 2 else None
    policy = PolicyServer(answer)
    mta = Queue(work, Nobody, smtpd_flags=["--policy", policy.at])
    codes = rcpt(mta.port, 9)
    if codes != [250] * 9:
        raise Failed(f"RCPT gets {codes}")


if __name__ == "__main__":
    run_in(Workbench(1000), [attributes, cuts, restarted])
