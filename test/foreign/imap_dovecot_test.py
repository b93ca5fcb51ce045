#!/usr/bin/env python3
"""imapd and Dovecot's imap serve one account at the same time, each to clients that append, flag, move and expunge at random.

In the end both show the same UIDs, flags, keywords and subjects in every mailbox, and the same UIDVALIDITY and UIDNEXT. Then one
goes on alone where the other stopped, and back. All of it
runs as an unprivileged user, because Dovecot gives no mail to root.
"""

import imaplib
import json
import os
import random
import re
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dovecot import Session, write_dovecot  # noqa: E402
from foreign import Failed, as_nobody, give_to_nobody, name_of_nobody, need  # noqa: E402
from posthorn_site import programs, trusting, wait_until  # noqa: E402
from steps import Place, run_in, tail  # noqa: E402

SECONDS = float(os.environ.get("POSTHORN_STORE_SECONDS", "10"))
USER = "ann@alpha.test"
AGENTS = ("posthorn", "authd", "imapd", "dnsd", "queued", "deliverd", "relayd", "smtpd", "submissiond", "pop3d")


class Ground(Place):
    """A site of the unprivileged user, and Dovecot's configuration for ann's Maildir in it."""

    def __init__(self):
        super().__init__("imap-dovecot")
        (self.directory / "bin").mkdir()
        for agent in AGENTS:
            shutil.copy(programs() / agent, self.directory / "bin" / agent)
        self.conf = write_dovecot(self.directory, f"""
ssl = no
mail_location = maildir:{self.directory}/site/mail/alpha.test/ann/Maildir
mail_max_userip_connections = 0
""", name_of_nobody())
        give_to_nobody(self.directory)
        self.environment = {"USER": name_of_nobody(), "HOME": str(self.directory), "PATH": os.environ["PATH"]}
        self.sandbox = None

    def start_ours(self):
        self.sandbox = self.start([self.directory / "bin/posthorn", "sandbox", "--dir", self.directory / "site", "--port-base", "0",
                                   "--domain", "alpha.test", "--user", f"{USER}:secret", "--start-time", "60s"])  # a loaded machine
        self.facts = json.loads(self.sandbox.stdout.readline() or b"{}")
        if not self.facts:
            raise Failed("the sandbox did not start")
        self.tls = trusting(self.facts["ca"])

    def start(self, words):
        return subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, cwd=self.directory, env=self.environment, bufsize=0, **as_nobody())

    def ours(self):
        client = imaplib.IMAP4_SSL("127.0.0.1", self.facts["ports"]["imaps"], ssl_context=self.tls, timeout=60)
        client.login(USER, "secret")
        return client

    def dovecot(self):
        return Session(self.conf, self.start)

    def stop_ours(self):
        self.sandbox.terminate()
        self.sandbox.wait(60)

    def stop(self):
        if self.sandbox:
            self.stop_ours()

    def tails(self):
        return tail("Dovecot", self.directory / "dovecot.log")


def must(answer):
    if answer[0] != "OK":
        raise Failed(f"a server said {answer}")
    return answer[1]


def messages(client, mailbox):
    """{UID: (flags, subject)}"""
    must(client.select(mailbox))
    found = {}
    for part in must(client.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")):
        if isinstance(part, tuple):
            flags = re.search(rb"FLAGS \(([^)]*)\)", part[0])[1].decode().split()
            found[int(re.search(rb"UID (\d+)", part[0])[1])] = (sorted(set(flags) - {"\\Recent"}), part[1].strip())
    return found


def one_step(client, chance, subject):
    act = chance.random()
    if act < 0.3:
        must(client.append("INBOX", None, None, b"Subject: %s\r\n\r\nx\r\n" % subject))
        return
    uids = must(client.uid("SEARCH", "ALL"))[0].split()
    if not uids:
        return
    uid = chance.choice(uids).decode()
    if act < 0.7:
        flags = chance.choice(["(\\Seen)", "(\\Flagged)", "($Work)", "(\\Answered $Home)"])
        client.uid("STORE", uid, chance.choice(["+FLAGS", "-FLAGS"]), flags)
    elif act < 0.8:
        client.uid("MOVE", uid, "Other")
    elif act < 0.85:
        client.uid("STORE", uid, "+FLAGS", "(\\Deleted)")
        client.expunge()
    else:
        must(client.noop())


def work(make, seed, until, problems):
    chance = random.Random(seed)
    try:
        client = make()
        must(client.select("INBOX"))
        number = 0
        while time.monotonic() < until:
            number += 1
            one_step(client, chance, b"%d-%d" % (seed, number))
        client.logout()
        if number < 20:
            problems.append(f"client {seed} came no further than {number} commands")
    except Exception as problem:  # the other clients go on, the test fails
        problems.append(f"client {seed}: {problem!r}")


def side_by_side(ground):
    """Both serve at once, and show the same in the end."""
    ground.start_ours()
    one, other = ground.ours(), ground.dovecot()
    must(one.create("Other"))
    problems = []
    until = time.monotonic() + SECONDS
    clients = [threading.Thread(target=work, args=(make, seed, until, problems))
               for seed, make in enumerate([ground.ours, ground.dovecot, ground.ours, ground.dovecot])]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if problems:
        raise Failed("; ".join(problems))
    for mailbox in ("INBOX", "Other"):
        def same(name=mailbox):
            return messages(one, name) == messages(other, name)
        wait_until(f"both show the same in {mailbox}", same)
        facts = [sorted(must(client.status(mailbox, "(UIDVALIDITY UIDNEXT MESSAGES)"))[0].split()) for client in (one, other)]
        if facts[0] != facts[1]:
            raise Failed(f"STATUS {mailbox}: {facts[0]} and {facts[1]}")
        print(f"        {mailbox}: {len(messages(one, mailbox))} messages", flush=True)
    one.logout()
    other.logout()


def facts_of(client):
    return [(name, messages(client, name), sorted(must(client.status(name, "(UIDVALIDITY UIDNEXT)"))[0].split()))
            for name in ("INBOX", "Other")]


def in_turns(ground):
    """Dovecot goes on where imapd stopped, and imapd where Dovecot stopped: neither shows anything else than the other left."""
    left = None
    for turn in range(4):
        ours = turn % 2 == 1
        if not ours:
            ground.stop_ours()
        elif turn > 0:
            ground.start_ours()
        client = ground.ours() if ours else ground.dovecot()
        if left is not None and facts_of(client) != left:
            raise Failed(f"turn {turn}: {facts_of(client)} is not what was left: {left}")
        must(client.select("INBOX"))
        chance = random.Random(turn)
        for number in range(40):
            one_step(client, chance, b"turn-%d-%d" % (turn, number))
        left = facts_of(client)
        client.logout()
    print(f"        taken over four times: {', '.join(f'{len(found)} messages in {name}' for name, found, _ in left)}", flush=True)


if __name__ == "__main__":
    need("doveadm")
    run_in(Ground(), [side_by_side, in_turns])
