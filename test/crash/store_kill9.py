#!/usr/bin/env python3
"""The store killed with SIGKILL in the middle of flags, expunges, appends and moves, again and again.

Afterwards no UID stands for another message than before, no message that an answer spoke of is lost, none is there twice, and the
index has made itself anew or gone on.
"""

import os
import pathlib
import random
import sys
import threading

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "support"), str(HERE.parent / "foreign")]
from posthorn_site import Failed  # noqa: E402
from store_dovecot_test import Ground, Tool  # noqa: E402

KILLS = int(os.environ.get("POSTHORN_STORE_KILLS", "100"))


class Truth:
    """What answers have told: which UID is which message in which mailbox, and which messages must be there."""

    def __init__(self):
        self.uids = {}
        self.there = set()
        self.uncertain = set()
        self.count = 0

    def look(self, tool):
        """Both mailboxes as they are, held against what is known."""
        found = []
        for name in ("INBOX", "Archive"):
            tool.ask("open", name)
            for uid, (_, _, subject) in tool.messages().items():
                known = self.uids.setdefault((name, uid), subject)
                if known != subject:
                    raise Failed(f"UID {uid} of {name} was {known} and is {subject}")
                found.append(subject)
        twice = {s for s in found if found.count(s) > 1}
        if twice:
            raise Failed(f"there twice: {sorted(twice)[:5]}")
        lost = self.there - self.uncertain - set(found)
        if lost:
            raise Failed(f"lost: {sorted(lost)[:5]}")
        self.there = set(found)
        self.uncertain = set()


def work(tool, truth, chance, ended):
    """Commands without end; what is under way when the tool dies is uncertain."""
    try:
        while True:
            tool.ask("open", "INBOX")
            messages = tool.messages()
            some = [uid for uid in messages if chance.random() < 0.4]
            what = chance.randrange(5)
            if what < 2:
                truth.count += 1
                subject = f"Subject: n{truth.count}"
                uid = int(tool.ask("append", subject.replace(" ", "_"))[0])
                truth.there.add(subject)
                truth.uids[("INBOX", uid)] = subject
            elif what == 2 and some:
                tool.ask("flags", "replace", chance.choice(["S", "FS", "-"]), chance.choice(["-", "a", "b,c"]), *some)
            elif what == 3 and len(messages) > 10:
                truth.uncertain.update(messages[uid][2] for uid in some[:3])
                tool.ask("expunge", *some[:3])
            elif what == 4 and some:
                tool.ask("move", "Archive", *some[:5])
    except (Failed, OSError, IndexError, ValueError):
        ended.set()  # killed


def is_nameless(lock):
    """A lock whose maker was killed before it could write its name: others believe in it for 20 s."""
    return lock.exists() and lock.stat().st_size == 0


def play(ground):
    truth = Truth()
    chance = random.Random(int(os.environ.get("POSTHORN_SEED", str(random.randrange(1 << 30)))))
    lock = ground.maildir / "dovecot-uidlist.lock"
    nameless = 0
    tool = Tool(ground, watch=False)
    tool.ask("create", "Archive")
    tool.stop()
    for kill in range(KILLS):
        tool = Tool(ground, watch=kill % 2 == 0)
        truth.look(tool)
        ended = threading.Event()
        thread = threading.Thread(target=work, args=(tool, truth, chance, ended))
        thread.start()
        ended.wait(chance.random() * 0.15)
        tool.process.kill()
        thread.join(60)
        tool.process.wait(60)
        tool.reader.close()
        nameless += is_nameless(lock)
        if nameless > 1 and is_nameless(lock):
            lock.unlink()  # the first of them was waited for
        if chance.random() < 0.1:
            (ground.maildir / "posthorn.index").unlink(missing_ok=True)
    tool = Tool(ground, watch=False)
    truth.look(tool)
    tool.stop()
    print(f"{KILLS} kills, {truth.count} messages appended, {len(truth.there)} there, "
          f"{nameless} locks left without a name")


def main():
    try:
        with Ground() as ground:
            play(ground)
    except Failed as problem:
        sys.exit(f"failed: {problem}")


if __name__ == "__main__":
    main()
