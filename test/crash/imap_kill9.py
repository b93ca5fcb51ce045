#!/usr/bin/env python3
"""imapd's worker killed with SIGKILL in mid-command, again and again; then its index deleted, cut and scribbled on under clients.

After each kill: no UID stands for another message than before, UIDVALIDITY is the same, no message of which an answer spoke is lost or
there twice, and flags that were acknowledged are there. A QRESYNC and a CONDSTORE client that were away while the index was
damaged know in the end exactly what a new client sees. POSTHORN_IMAP_KILLS: how often (20; for proof 200).
"""

import os
import pathlib
import random
import re
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from imap_wire import Ended, Refused, View, Wire, Wrong, numbers  # noqa: E402
from posthorn_site import Failed, Workshop, wait_until  # noqa: E402

KILLS = int(os.environ.get("POSTHORN_IMAP_KILLS", "20"))
USER = "ann@alpha.test"
MAILBOXES = ("INBOX", "Archive")
INDEX = "posthorn.index"


def connect(site):
    wire = Wire(site.address, site.port("imaps"), site.tls(), timeout=60)
    wire.do(f"LOGIN {USER} {site.password(USER)}")
    return wire


def connected(site):
    """A session with the worker, which may be starting just now."""
    def attempt():
        try:
            return connect(site)
        except (Ended, Refused, OSError):
            return None
    return wait_until("a session after a kill", attempt, pause=0.1)


def worker(site):
    for pid in site.pids("imapd"):
        try:
            if b"--worker" in pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0"):
                return pid
        except OSError:  # it has ended meanwhile
            pass
    return None


def kill_worker(site):
    """Its front ends with it; until the next one is there a client might still meet the old one."""
    old = wait_until("a worker to kill", lambda: worker(site))
    os.kill(old, 9)
    wait_until("the next worker", lambda: worker(site) not in (None, old))


def opened(wire, mailbox, how="EXAMINE"):
    view = View()
    untagged, rest = wire.do(f"{how} {mailbox}")
    for text in [*untagged, b"* OK " + rest]:
        view.hear(text)
    return view


class Truth:
    """What answers have told."""

    def __init__(self):
        self.subjects, self.validity = {}, {}
        self.there, self.uncertain = set(), set()
        self.flagged, self.count, self.lines = {}, 0, 0

    def look(self, wire):
        found, flagged = [], {}
        for mailbox in MAILBOXES:
            view = opened(wire, mailbox)
            if self.validity.setdefault(mailbox, view.validity) != view.validity:
                raise Failed(f"UIDVALIDITY of {mailbox} was {self.validity[mailbox]} and is {view.validity}")
            for text in wire.do("FETCH 1:* (UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[0] if view.uids else ():
                uid = int(re.search(rb"\bUID (\d+)", text)[1])
                subject = re.search(rb"\r\nSubject: (\S+)", text)[1].decode()
                if self.subjects.setdefault((mailbox, uid), subject) != subject:
                    raise Failed(f"UID {uid} of {mailbox} was {self.subjects[mailbox, uid]} and is {subject}")
                found.append(subject)
                flagged[subject] = b"\\Flagged" in text
        twice = sorted({s for s in found if found.count(s) > 1})
        if twice:
            raise Failed(f"there twice: {twice[:5]}")
        lost = sorted(self.there - self.uncertain - set(found))
        if lost:
            raise Failed(f"lost: {lost[:5]}")
        for subject, wanted in self.flagged.items():
            if subject in flagged and flagged[subject] != wanted:
                raise Failed(f"{subject} was answered to be {'' if wanted else 'not '}\\Flagged, and is not so")
        self.there, self.uncertain, self.flagged = set(found), set(), flagged


def step(wire, view, truth, chance):
    known = [u for u in view.uids if u is not None]
    some = sorted(chance.sample(known, min(len(known), chance.randrange(1, 6))))
    names = [truth.subjects.get(("INBOX", u)) for u in some]
    uids, act = ",".join(map(str, some)), chance.random()
    if act < 0.4 or not some:
        truth.count += 1
        subject = f"n{truth.count}"
        _, rest = wire.do("APPEND INBOX", b"Subject: %s\r\n\r\n%s" % (subject.encode(), b"line\r\n" * 100))
        truth.subjects["INBOX", int(re.search(rb"APPENDUID \d+ (\d+)", rest)[1])] = subject
        truth.there.add(subject)
        truth.flagged[subject] = False
        wire.do("NOOP")
        wire.do("FETCH 1:* (UID)")
    elif act < 0.7:
        add = chance.random() < 0.5
        for name in names:
            truth.flagged.pop(name, None)
        wire.do(f"UID STORE {uids} {'+' if add else '-'}FLAGS (\\Flagged)")
        truth.flagged.update((name, add) for name in names if name)
    elif act < 0.85:
        untagged, rest = wire.do(f"UID MOVE {uids} Archive")
        found = re.search(rb"COPYUID \d+ ([0-9:,]+) ([0-9:,]+)", b" ".join([*untagged, rest]))
        for source, target in zip(numbers(found[1]), numbers(found[2])) if found else ():
            truth.subjects["Archive", target] = truth.subjects["INBOX", source]
    elif len(known) > 10:
        truth.uncertain.update(names)
        wire.do(f"UID STORE {uids} +FLAGS.SILENT (\\Deleted)")
        wire.do(f"UID EXPUNGE {uids}")


def work(wire, truth, chance, ended):
    try:
        view = wire.view = opened(wire, "INBOX", "SELECT")
        if view.uids:
            wire.do("FETCH 1:* (UID)")
        while True:
            step(wire, view, truth, chance)
            truth.lines += 1
    except (Ended, OSError, Refused):
        wire.close()
        ended.set()


def fresh_supervisor(site):
    """It starts what dies often later and later, up to 30 s."""
    site.stop()
    site.start()


def kills(site, chance):
    truth = Truth()
    wire = connected(site)
    wire.do("CREATE Archive")
    wire.close()
    index = site.maildir(USER) / INDEX
    for number in range(KILLS):
        if number % 5 == 4:
            fresh_supervisor(site)
        wire = connected(site)
        truth.look(wire)
        ended = threading.Event()
        thread = threading.Thread(target=work, args=(wire, truth, chance, ended))
        thread.start()
        ended.wait(0.05 + chance.random() * 0.4)
        kill_worker(site)
        thread.join(60)
        if not ended.is_set():
            raise Failed("a session outlived its worker")
        damage = chance.random()
        if damage < 0.1:
            index.unlink(missing_ok=True)
        elif damage < 0.2 and index.exists():
            os.truncate(index, chance.randrange(index.stat().st_size + 1))
    wire = connected(site)
    truth.look(wire)
    wire.close()
    log = (site.directory / "log/imapd.log").read_text()
    if "gave-up" in log:
        raise Failed("a front waited for sessions whose worker was dead")
    print(f"ok      {KILLS} kills in {truth.lines} commands, {truth.count} messages appended, {len(truth.there)} there", flush=True)


# ---- the index damaged under clients that come back ----

def delete(index, _):
    index.unlink()


def cut(index, chance):
    os.truncate(index, chance.choice([0, 100, 4096, index.stat().st_size // 2]))


def scribble(index, chance):
    with open(index, "r+b") as file:
        for _ in range(20):
            file.seek(chance.randrange(index.stat().st_size))
            file.write(chance.randbytes(64))


class Away:
    """A client that keeps its view while it is not there."""

    def __init__(self, site):
        wire = connected(site)
        wire.do("ENABLE QRESYNC")
        self.view = opened(wire, "INBOX")
        wire.view = self.view
        wire.do("FETCH 1:* (UID FLAGS)")
        wire.do("NOOP")
        wire.close()

    def by_qresync(self, site):
        wire, view = connected(site), self.view
        wire.do("ENABLE QRESYNC")
        untagged, rest = wire.do(f"EXAMINE INBOX (QRESYNC ({view.validity} {view.highest}))")
        for text in sorted([*untagged, b"* OK " + rest], key=lambda text: b" VANISHED (EARLIER)" not in text):
            view.hear(text)
        wire.close()

    def by_condstore(self, site):
        """RFC 4549: new and changed flags since, then which of the old UIDs are left."""
        wire, old = connected(site), self.view
        view = opened(wire, "INBOX")
        if view.validity != old.validity:
            raise Failed(f"UIDVALIDITY was {old.validity} and is {view.validity}")
        wire.view = view
        untagged, _ = wire.do("UID SEARCH ALL")
        uids = [int(word) for word in next(t for t in untagged if t.startswith(b"* SEARCH")).split()[2:]]
        view.uids = uids
        view.flags = {uid: old.flags[uid] for uid in uids if uid in old.flags}
        wire.do(f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {old.highest})")
        self.view = view
        wire.close()

    def check(self, site, how):
        wire = connected(site)
        truth = wire.view = opened(wire, "INBOX")
        wire.do("FETCH 1:* (UID FLAGS)")
        wire.close()
        if self.view.uids != truth.uids:
            raise Failed(f"{how}: knows {self.view.uids}, there are {truth.uids}")
        if self.view.flags != truth.flags:
            wrong = [(u, self.view.flags.get(u), f) for u, f in truth.flags.items() if self.view.flags.get(u) != f]
            raise Failed(f"{how}: shows (UID, flags, and those it has) {wrong[:5]}")
        letters = [path.name for sub in ("new", "cur") for path in (site.maildir(USER) / sub).iterdir()]
        flagged = sum("\\Flagged" in flags for flags in truth.flags.values())
        if len(letters) != len(truth.uids) or flagged != sum("F" in name.partition(":2,")[2] for name in letters):
            raise Failed(f"{how}: the Maildir says otherwise")


def change(site, chance):
    """Another client is at work."""
    wire = connected(site)
    view = wire.view = opened(wire, "INBOX", "SELECT")
    wire.do("FETCH 1:* (UID)")
    some = sorted(chance.sample(view.uids, 4))
    wire.do(f"UID STORE {some[0]},{some[1]} {chance.choice('+-')}FLAGS (\\Flagged \\Seen)")
    wire.do(f"UID STORE {some[2]} +FLAGS.SILENT (\\Deleted)")
    wire.do(f"UID EXPUNGE {some[2]}")
    for _ in range(2):
        wire.do("APPEND INBOX", b"Subject: later\r\n\r\nx\r\n")
    wire.close()


def survive(deaths, step, *arguments):
    """A worker dies of a damaged index, or says that it has no answer, as soon as it comes to the damage, once; then the
    index is made anew."""
    try:
        step(*arguments)
    except (Ended, Refused) as problem:
        if isinstance(problem, Refused) and "[UNAVAILABLE]" not in str(problem):
            raise
        deaths[0] += 1
        if deaths[0] > 1:
            raise Failed(f"a second time the same index is in the way: {problem!r}") from None
        step(*arguments)


def damaged_index(site, chance, damage, running, times):
    for _ in range(times):
        fresh_supervisor(site)
        (site.maildir(USER) / INDEX).unlink(missing_ok=True)  # may have damage of the last time that nobody met
        qresync, condstore = Away(site), Away(site)
        holder = connected(site)  # keeps the mailbox open
        opened(holder, "INBOX", "SELECT")
        change(site, chance)
        index = site.maildir(USER) / INDEX
        wait_until("an index", index.exists)
        if not running:
            kill_worker(site)
        damage(index, chance)
        how = f"index {damage.__name__}, worker {'running' if running else 'killed'}"
        deaths = [0]
        survive(deaths, change, site, chance)
        holder.close()
        survive(deaths, qresync.by_qresync, site)
        survive(deaths, qresync.check, site, how + ", QRESYNC")
        survive(deaths, condstore.by_condstore, site)
        survive(deaths, condstore.check, site, how + ", CONDSTORE")
    print(f"ok      index damaged by {damage.__name__} {times} times, worker {'running' if running else 'killed'}", flush=True)


def main():
    seed = int(os.environ.get("POSTHORN_SEED", str(random.randrange(1 << 30))))
    chance = random.Random(seed)
    print(f"seed {seed}", flush=True)
    started = time.monotonic()
    try:
        with Workshop("imap-kill9") as workshop:
            site = workshop.site("alpha", ["alpha.test"], [USER]).start()
            kills(site, chance)
            wire = connected(site)
            for number in range(20):
                wire.do("APPEND INBOX", b"Subject: m%d\r\n\r\nx\r\n" % number)
            wire.close()
            for damage in (delete, cut, scribble):
                for running in (False, True):
                    damaged_index(site, chance, damage, running, max(1, KILLS // 20))
    except (Failed, Wrong, Ended, Refused) as problem:
        sys.exit(f"failed: {problem!r}")
    print(f"{time.monotonic() - started:.0f} s")


if __name__ == "__main__":
    main()
