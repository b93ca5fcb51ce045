#!/usr/bin/env python3
"""kill -9, fifty times (sixteen with sanitizers): whatever got 250 arrives, undamaged; duplicates are counted.

Two sites. In each round ten senders have at least 200 messages under way, half submitted at alpha for bob@beta.test (by
submissiond, queued, relayd, smtpd, queued, deliverd), half given to beta's smtpd. At a random moment one agent is killed with
SIGKILL; the supervisor starts it again. A sender that lost its connection says the message again: that may make a
duplicate, and never a loss. The rounds go evenly over all agents of both sites.
"""

import argparse
import collections
import hashlib
import os
import pathlib
import poplib
import random
import re
import smtplib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from posthorn_site import Failed, Workshop, is_sanitized  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@beta.test"
VICTIMS = [("alpha", "submissiond"), ("beta", "smtpd"), ("alpha", "queued"), ("alpha", "relayd"), ("beta", "deliverd"),
           ("beta", "pop3d"), ("alpha", "authd"), ("beta", "queued")]
MARK = re.compile(rb"^X-Mark: (\S+) (\S+)\r?$", re.M)


def make_message(mark):
    body = f"{mark}\r\n" + "".join(f"line {n} of {mark}\r\n.{n}\r\n" for n in range(random.randint(1, 200)))
    digest = hashlib.sha256(body.replace("\r\n", "\n").encode()).hexdigest()
    return (f"From: <{ALICE}>\r\nTo: <{BOB}>\r\nSubject: {mark}\r\nDate: Sun, 22 Nov 2026 12:00:00 +0000\r\n"
            f"Message-ID: <{mark}@alpha.test>\r\nX-Mark: {mark} {digest}\r\n\r\n{body}").encode()


class Sender(threading.Thread):
    """Sends its messages one after the other until each has its 250; notes those that have."""

    def __init__(self, marks, connect):
        super().__init__(daemon=True)
        self.marks, self.connect, self.acknowledged, self.problem = list(marks), connect, [], None

    def run(self):
        client, deadline = None, time.monotonic() + 180
        for mark in self.marks:
            while True:
                if time.monotonic() > deadline:
                    self.problem = f"{mark} was not taken within 180 s"
                    return
                try:
                    client = client or self.connect()
                    client.sendmail(ALICE, [BOB], make_message(mark))
                    self.acknowledged.append(mark)
                    break
                except (smtplib.SMTPException, OSError):
                    client = None
                    time.sleep(0.1)
        try:
            client.quit()
        except (smtplib.SMTPException, OSError):
            pass


class Reader(threading.Thread):
    """Reads by POP3 meanwhile; deletes nothing, so a killed pop3d can't be an excuse for a missing message."""

    def __init__(self, site):
        super().__init__(daemon=True)
        self.site, self.over, self.read = site, threading.Event(), 0

    def run(self):
        while not self.over.is_set():
            try:
                client = self.site.pop3(BOB)
                for number in range(1, min(client.stat()[0], 20) + 1):
                    client.retr(number)
                    self.read += 1
                client.quit()
            except (poplib.error_proto, OSError):
                pass
            self.over.wait(0.3)


def connect_submission(site):
    client = smtplib.SMTP(site.address, site.port("submission"), timeout=60)
    client.starttls(context=site.tls())
    client.login(ALICE, site.password(ALICE))
    return client


def connect_smtp(site):
    return smtplib.SMTP(site.address, site.port("smtp"), timeout=60)


class Arrivals:
    """What lies in bob's Maildir; each file is read and checked once."""

    def __init__(self, site):
        self.site, self.seen, self.counts = site, set(), collections.Counter()

    def look(self):
        folder = self.site.maildir(BOB)
        for sub in ("new", "cur"):
            try:
                names = os.listdir(folder / sub)
            except FileNotFoundError:
                continue
            for name in names:
                base = name.split(":")[0]
                if base in self.seen:
                    continue
                try:
                    octets = (folder / sub / name).read_bytes()
                except FileNotFoundError:
                    continue  # from new to cur in between; it is seen in the next look
                self.seen.add(base)
                self.note(name, octets)
        return self.counts

    def note(self, name, octets):
        found = MARK.search(octets)
        if not found:
            raise Failed(f"{name} is damaged: no X-Mark in its {len(octets)} octets")
        body = octets.split(b"\n\n", 1)[1]
        if hashlib.sha256(body).hexdigest().encode() != found.group(2):
            raise Failed(f"{name} ({found.group(1).decode()}) is damaged: its body is not what was sent")
        self.counts[found.group(1).decode()] += 1


def one_round(number, sites, victim, arrivals, messages):
    half = messages // 2
    alpha, beta = sites["alpha"], sites["beta"]
    senders = [Sender((f"r{number}-a{i}-{m}" for m in range(half // 5)), lambda: connect_submission(alpha)) for i in range(5)]
    senders += [Sender((f"r{number}-b{i}-{m}" for m in range(half // 5)), lambda: connect_smtp(beta)) for i in range(5)]
    reader = Reader(beta)
    for thread in [*senders, reader]:
        thread.start()
    time.sleep(random.uniform(0.02, 0.6))
    sites[victim[0]].kill(victim[1])
    for sender in senders:
        sender.join()
        if sender.problem:
            raise Failed(sender.problem)
    reader.over.set()
    reader.join()
    acknowledged = {mark for sender in senders for mark in sender.acknowledged}
    deadline = time.monotonic() + 180
    while (missing := acknowledged - set(arrivals.look())) and time.monotonic() < deadline:
        time.sleep(0.2)
    if missing:
        raise Failed(f"round {number}: {victim[1]} of {victim[0]} was killed, and {len(missing)} messages that got 250 "
                     f"did not arrive, {sorted(missing)[0]} among them")
    return len(acknowledged)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    # Sanitizers have nothing to say of an agent's death, only of the way up again: each agent twice is enough of that.
    rounds = 2 * len(VICTIMS) if is_sanitized() else 50
    parser.add_argument("--rounds", type=int, default=rounds)
    parser.add_argument("--messages", type=int, default=200, help="in flight, each round (%(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="of the random moments; printed, to tell a failure again")
    args = parser.parse_args()
    seed = args.seed if args.seed is not None else random.randrange(1 << 30)
    random.seed(seed)
    print(f"seed {seed}")
    try:
        with Workshop("kill9") as workshop:
            sites = {"beta": workshop.site("beta", ["beta.test"], [BOB], address="127.0.0.2")}
            beta_socket = sites["beta"].directory / "run/smtp.sock"
            sites["alpha"] = workshop.site("alpha", ["alpha.test"], [ALICE], routes=[f"beta.test=unix:{beta_socket}"])
            for site in sites.values():
                conf = site.directory / "conf"
                conf.mkdir(parents=True)
                # What meets an agent that is down waits for the next attempt, by default for a minute.
                (conf / "queued.toml").write_text('retry_first = "2s"\n')
                site.start()
            arrivals, total = Arrivals(sites["beta"]), 0
            for number in range(args.rounds):
                victim, start = VICTIMS[number % len(VICTIMS)], time.monotonic()
                total += one_round(number, sites, victim, arrivals, args.messages)
                print(f"round {number + 1}: {victim[1]} of {victim[0]} killed, all arrived "
                      f"in {time.monotonic() - start:.1f} s", flush=True)
            for site in sites.values():
                site.wait_for_empty_queue()
            arrivals.look()
            extra = sum(arrivals.counts.values()) - len(arrivals.counts)
    except Failed as problem:
        sys.exit(f"failed: {problem}")
    print(f"{args.rounds} kills, {total} messages got 250, all arrived undamaged, {extra} duplicates")


if __name__ == "__main__":
    main()
