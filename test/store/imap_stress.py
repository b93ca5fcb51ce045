#!/usr/bin/env python3
"""Clients that do at random what IMAP clients do, all in the same mailboxes; each keeps its view from untagged data alone.

Checked all the time: message numbers and UIDs of each view make sense, a UID shows the message it always showed, SEARCH tells of
nothing that was not announced. At checkpoints everybody rests: all views of a mailbox are equal, and equal to what a new
client sees, and no message is missing that nobody deleted or moved.

  imap_stress.py [--seconds 10] [--clients 6] [--seed N]
"""

import argparse
import pathlib
import random
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from imap_wire import Ended, Refused, View, Wire, Wrong, numbers  # noqa: E402
from posthorn_site import Failed, Workshop  # noqa: E402

USER = "ann@alpha.test"
MAILBOXES = ("INBOX", "A", "B")      # selected; they stay
OTHERS = ("T0", "T1", "T2", "T2.x")  # made, renamed, deleted
FLAGS = ("\\Seen", "\\Flagged", "\\Answered", "\\Draft", "$Work", "$Home", "\\Deleted")


class Ledger:
    """What all clients know together."""

    def __init__(self):
        self.lock = threading.Lock()
        self.subjects = {}   # (mailbox, UID): subject
        self.present = {}    # mailbox: UIDs that answers have told of
        self.touched = set() # (mailbox, UID) that somebody deletes or moves
        self.count = 0
        self.commands = {}

    def next_subject(self):
        with self.lock:
            self.count += 1
            return f"n{self.count}"

    def came(self, mailbox, uid, subject):
        with self.lock:
            known = self.subjects.setdefault((mailbox, uid), subject)
            if known != subject:
                raise Wrong(f"UID {uid} of {mailbox} was {known} and is {subject}")
            self.present.setdefault(mailbox, set()).add(uid)

    def touch(self, mailbox, uids):
        with self.lock:
            self.touched.update((mailbox, uid) for uid in uids)

    def missing(self, mailbox, uids):
        return sorted(u for u in self.present.get(mailbox, set()) - set(uids) if (mailbox, u) not in self.touched)


class Client:
    def __init__(self, site, ledger, seed, number):
        self.chance = random.Random(f"{seed}/{number}")
        self.site, self.ledger, self.number, self.mailbox = site, ledger, number, None
        self.wire = Wire(site.address, site.port("imaps"), site.tls())
        self.do(f"LOGIN {USER} {site.password(USER)}")
        self.qresync = self.chance.random() < 0.5
        self.do("ENABLE QRESYNC" if self.qresync else "ENABLE CONDSTORE")
        self.select(self.chance.choice(MAILBOXES))

    def do(self, text, literal=None):
        return self.wire.do(text, literal)

    def select(self, mailbox):
        self.wire.view, self.mailbox = None, mailbox
        untagged, rest = self.do(f"SELECT {mailbox}")
        view = View()
        for text in [*untagged, b"* OK " + rest]:
            view.hear(text)
        self.wire.view = view
        self.learn()

    def learn(self):
        """UIDs and flags of all messages: they must fit to what is known already."""
        if self.wire.view.uids:
            try:
                self.do("FETCH 1:* (UID FLAGS MODSEQ)")
            except Refused as reply:
                if "EXPUNGEISSUED" not in str(reply):
                    raise
                self.do("NOOP")

    def reselect(self):
        """Away and back with QRESYNC: the view is the old one and what the answer tells."""
        old = self.wire.view
        if not self.qresync or None in old.uids or not old.highest:
            return self.select(self.chance.choice(MAILBOXES))
        self.do("NOOP")
        if None in old.uids:
            self.learn()
        if None in old.uids:
            return self.select(self.mailbox)
        since = old.highest
        self.wire.view = None
        if self.chance.random() < 0.5:
            self.do("UNSELECT")
            time.sleep(self.chance.random() * 0.1)
        untagged, rest = self.do(f"SELECT {self.mailbox} (QRESYNC ({old.validity} {since}))")
        for text in untagged:
            if b" VANISHED (EARLIER) " in text:
                old.hear(text)
        for text in [*untagged, b"* OK " + rest]:
            if b" VANISHED (EARLIER) " not in text:
                old.hear(text)
        self.wire.view = old
        if None in old.uids:
            raise Wrong(f"QRESYNC does not tell of messages {[i + 1 for i, u in enumerate(old.uids) if u is None]}")
        return None

    def some(self, most=5):
        known = [u for u in self.wire.view.uids if u is not None]
        return sorted(self.chance.sample(known, min(len(known), self.chance.randrange(1, most + 1))))

    def append(self):
        target = self.chance.choice((*MAILBOXES, self.chance.choice(OTHERS)))
        subject = self.ledger.next_subject()
        flag = self.chance.choice(["", " (\\Seen)", " ($Work \\Flagged)"])
        body = b"Subject: %s\r\n\r\n%s\r\n" % (subject.encode(), b"x" * self.chance.randrange(2000))
        _, rest = self.do(f"APPEND {target}{flag}", body)
        uid = int(re.search(rb"APPENDUID \d+ (\d+)", rest)[1])
        if target in MAILBOXES:
            self.ledger.came(target, uid, subject)

    def carry(self, verb):
        uids = self.some()
        if not uids:
            return
        target = self.chance.choice([*MAILBOXES, *OTHERS])
        if verb == "MOVE":
            self.ledger.touch(self.mailbox, uids)
        untagged, rest = self.do(f"UID {verb} {','.join(map(str, uids))} {target}")
        found = re.search(rb"COPYUID \d+ ([0-9:,]+) ([0-9:,]+)", b" ".join([*untagged, rest]))
        if not found or target not in MAILBOXES:
            return
        source, copies = numbers(found[1]), numbers(found[2])
        if len(source) != len(copies):
            raise Wrong(f"COPYUID of {len(source)} and {len(copies)}")
        for uid, copy in zip(source, copies):
            with self.ledger.lock:
                subject = self.ledger.subjects.get((self.mailbox, uid))
                if (self.mailbox, uid) in self.ledger.touched:
                    self.ledger.touched.add((target, copy))  # \Deleted comes along
            if subject:
                self.ledger.came(target, copy, subject)

    def store(self):
        uids = self.some()
        if not uids:
            return
        flags = self.chance.sample(FLAGS, self.chance.randrange(1, 4))
        kind = self.chance.choice(["FLAGS", "+FLAGS", "+FLAGS", "-FLAGS"])
        silent = ".SILENT" if self.chance.random() < 0.2 else ""
        if "\\Deleted" in flags:
            self.ledger.touch(self.mailbox, uids)
        if silent:  # nobody tells: the view has to ask
            self.do(f"UID STORE {','.join(map(str, uids))} {kind}{silent} ({' '.join(flags)})")
            self.do(f"UID FETCH {','.join(map(str, uids))} (FLAGS)")
        elif self.chance.random() < 0.3 and None not in self.wire.view.uids:
            named = [self.wire.view.uids.index(u) + 1 for u in uids]
            self.do(f"STORE {','.join(map(str, named))} {kind} ({' '.join(flags)})")
        else:
            self.do(f"UID STORE {','.join(map(str, uids))} {kind} ({' '.join(flags)})")

    def expunge(self):
        self.do("EXPUNGE" if self.chance.random() < 0.5 else "UID EXPUNGE 1:*")

    def fetch(self):
        uids = self.some()
        if not uids:
            return
        untagged, _ = self.do(f"UID FETCH {','.join(map(str, uids))} (FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
        for text in untagged:
            uid, subject = re.search(rb"\bUID (\d+)", text), re.search(rb"\}\r\nSubject: (\S+)", text)
            if uid and subject:
                with self.ledger.lock:
                    known = self.ledger.subjects.setdefault((self.mailbox, int(uid[1])), subject[1].decode())
                if known != subject[1].decode():
                    raise Wrong(f"UID {uid[1]} of {self.mailbox} was {known} and is {subject[1]}")

    def search(self):
        known = set(self.wire.view.uids)
        untagged, _ = self.do("UID SEARCH " + self.chance.choice(["ALL", "SEEN", "UNDELETED", "SUBJECT n1", "KEYWORD $Work"]))
        line = next(t for t in untagged if t.startswith((b"* SEARCH", b"* ESEARCH")))
        found = {int(word) for word in line.split(b"(MODSEQ")[0].split()[2:] if word.isdigit()}
        if None not in known and not found <= known | set(self.wire.view.uids):
            raise Wrong(f"SEARCH tells of {sorted(found - known)}, which nobody announced")

    def mailboxes(self):
        first, second = self.chance.choice(OTHERS), self.chance.choice(OTHERS)
        self.do(self.chance.choice([f"CREATE {first}", f"CREATE {first}", f"DELETE {first}", f"RENAME {first} {second}"]))

    def idle(self):
        tag = self.wire.send("IDLE")
        while not (text := self.wire.response()).startswith(b"+"):
            self.wire.view.hear(text)
        time.sleep(self.chance.random() * 0.1)
        self.wire.socket.sendall(b"DONE\r\n")
        self.wire.finish(tag)

    def step(self):
        verbs = {"append": 6, "COPY": 3, "MOVE": 3, "store": 8, "expunge": 1, "fetch": 5, "search": 3, "mailboxes": 1, "idle": 2,
                 "reselect": 2, "NOOP": 2}
        verb = self.chance.choices(list(verbs), list(verbs.values()))[0]
        try:
            if verb in ("COPY", "MOVE"):
                self.carry(verb)
            elif verb == "NOOP":
                self.do("NOOP")
            else:
                getattr(self, verb)()
        except Refused as reply:
            if " BAD " in str(reply):
                raise Wrong(str(reply)) from reply
            if self.wire.view is None:
                self.select(self.mailbox)
        if None in self.wire.view.uids and self.chance.random() < 0.7:
            self.learn()
        with self.ledger.lock:
            self.ledger.commands[verb] = self.ledger.commands.get(verb, 0) + 1

    def rest(self):
        """All that the others did is heard."""
        self.do("NOOP")
        if None in self.wire.view.uids:
            self.learn()
            self.do("NOOP")


def shown(view):
    return {uid: sorted(view.flags.get(uid, {"?"})) for uid in view.uids}


def compare(clients, site, ledger):
    fresh = Wire(site.address, site.port("imaps"), site.tls())
    fresh.do(f"LOGIN {USER} {site.password(USER)}")
    for mailbox in MAILBOXES:
        untagged, rest = fresh.do(f"EXAMINE {mailbox}")
        truth = View()
        for text in [*untagged, b"* OK " + rest]:
            truth.hear(text)
        for text in fresh.do("FETCH 1:* (UID FLAGS)")[0] if truth.uids else ():
            truth.hear(text)
        for client in clients:
            if client.mailbox != mailbox or shown(client.wire.view) == shown(truth):
                continue
            seen, real = shown(client.wire.view), shown(truth)
            differ = [f"UID {u}: {seen.get(u)} not {real.get(u)}" for u in sorted(seen.keys() | real.keys())
                      if seen.get(u) != real.get(u)]
            raise Wrong(f"client {client.number} shows another {mailbox}: {'; '.join(differ[:5])}")
        if gone := ledger.missing(mailbox, truth.uids):
            raise Wrong(f"{mailbox} has lost {[(u, ledger.subjects[mailbox, u]) for u in gone[:5]]}")
    fresh.close()


def play(site, seconds, count, seed):
    ledger = Ledger()
    maker = Wire(site.address, site.port("imaps"), site.tls())
    maker.do(f"LOGIN {USER} {site.password(USER)}")
    for mailbox in MAILBOXES[1:]:
        maker.do(f"CREATE {mailbox}")
    maker.close()
    clients = [Client(site, ledger, seed, number) for number in range(count)]
    until, problems, checkpoints = time.monotonic() + seconds, [], 0

    def work(client, end):
        try:
            while time.monotonic() < end and not problems:
                client.step()
            client.rest()
        except (Wrong, Ended, Refused, OSError, AttributeError, TypeError, StopIteration) as problem:
            problems.append(f"client {client.number}: {problem!r}")

    while time.monotonic() < until and not problems:
        end = min(until, time.monotonic() + 2)
        threads = [threading.Thread(target=work, args=(client, end)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for client in clients if not problems else ():
            client.rest()
        if not problems:
            compare(clients, site, ledger)
            checkpoints += 1
    for client in clients:
        client.wire.close()
    if problems:
        raise Wrong("; ".join(problems))
    total = sum(ledger.commands.values())
    print(f"ok      {count} clients, {total} commands, {ledger.count} messages appended, {checkpoints} checkpoints: all views equal")
    if total < 20 * checkpoints or not checkpoints:
        raise Failed(f"only {total} commands between {checkpoints} checkpoints")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 30))
    args = parser.parse_args()
    print(f"seed {args.seed}", flush=True)
    try:
        with Workshop("imap-stress") as workshop:
            play(workshop.site("alpha", ["alpha.test"], [USER]).start(), args.seconds, args.clients, args.seed)
    except (Failed, Wrong, Ended) as problem:
        sys.exit(f"failed: {problem}")


if __name__ == "__main__":
    main()
