#!/usr/bin/env python3
"""The store and Dovecot's imap work on one Maildir at the same time, while a third program delivers, renames and moves files.

In the end both show the same UIDs, flags and keywords, no message is lost, and no UID ever meant two messages. Our index is
deleted in between. Dovecot's imap runs preauthenticated on its standard input and output, one process of each kind a mailbox.
"""

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
from posthorn_site import programs  # noqa: E402
from steps import Place, run_in, tail  # noqa: E402

SECONDS = float(os.environ.get("POSTHORN_STORE_SECONDS", "20"))
LETTERS = {"\\Draft": "D", "\\Flagged": "F", "\\Answered": "R", "\\Seen": "S", "\\Deleted": "T"}


class Ground(Place):
    """A directory of the unprivileged user that everything here runs as: a Maildir, Dovecot's configuration, the tool."""

    def __init__(self):
        super().__init__("store")
        self.maildir = self.directory / "Maildir"
        shutil.copy(programs() / "store_tool", self.directory / "store_tool")
        write_dovecot(self.directory, f"""
ssl = no
mail_location = maildir:{self.maildir}
mail_max_userip_connections = 0
mail_debug = no
""", name_of_nobody())
        give_to_nobody(self.directory)
        self.environment = {"USER": name_of_nobody(), "HOME": str(self.directory), "PATH": os.environ["PATH"]}
        self.run(["mkdir", "-p", self.maildir / "cur", self.maildir / "new", self.maildir / "tmp"])

    def start(self, words):
        return subprocess.Popen([str(w) for w in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                stderr=subprocess.DEVNULL, cwd=self.directory, env=self.environment, bufsize=0, **as_nobody())

    def run(self, words):
        subprocess.run([str(w) for w in words], check=True, cwd=self.directory, env=self.environment, **as_nobody())

    def tails(self):
        return tail("Dovecot", self.directory / "dovecot.log")


class Dovecot(Session):
    """Of Dovecot's, for ann's Maildir."""

    def __init__(self, ground):
        super().__init__(ground.directory / "dovecot.conf", ground.start)

    def must(self, answer):
        if answer[0] != "OK":
            raise Failed(f"Dovecot said {answer}")
        return answer[1]

    def messages(self):
        """{UID: (flags, keywords, subject)} of the selected mailbox."""
        self.must(self.noop())
        data = self.must(self.uid("FETCH", "1:*", "(UID FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
        found = {}
        for part in data:
            if not isinstance(part, tuple):
                continue
            uid = int(re.search(rb"UID (\d+)", part[0]).group(1))
            flags = re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).decode().split()
            letters = "".join(sorted(LETTERS[f] for f in flags if f in LETTERS))
            keywords = sorted(f for f in flags if not f.startswith("\\"))
            found[uid] = (letters, tuple(keywords), part[1].decode().strip())
        return found


class Tool:
    """store_tool, on one mailbox."""

    def __init__(self, ground, watch):
        self.process = ground.start([ground.directory / "store_tool", ground.maildir, *(["watch"] if watch else [])])
        self.reader = os.fdopen(os.dup(self.process.stdout.fileno()), "rb")

    def ask(self, *words):
        self.process.stdin.write((" ".join(str(w) for w in words) + "\n").encode())
        lines = []
        while True:
            line = self.reader.readline()
            if not line:
                raise Failed(f"store_tool ended with {self.process.wait(60)} at {words}")
            line = line.decode(errors="replace").rstrip("\n")
            if line == "ok":
                return lines
            if line.startswith("error "):
                raise Failed(f"store_tool {words}: {line}")
            lines.append(line)

    def messages(self):
        self.ask("sync")
        found = {}
        for line in self.ask("list"):
            uid, letters, keywords, subject = line.split("\t")
            found[int(uid)] = ("".join(sorted(letters)), tuple(sorted(k for k in keywords.split(",") if k)), subject)
        return found

    def stop(self):
        self.process.stdin.close()
        self.reader.close()
        self.process.stdout.close()
        if self.process.wait(60) != 0:
            raise Failed(f"store_tool ended with {self.process.returncode}")


class Records:
    """What was delivered, what was expunged on purpose, and which UID was which message."""

    def __init__(self):
        self.lock = threading.Lock()
        self.count = 0
        self.delivered = set()
        self.removed = set()
        self.uids = {}
        self.failures = []

    def new(self):
        with self.lock:
            self.count += 1
            return f"Subject: n{self.count}"

    def arrived(self, subject):
        with self.lock:
            self.delivered.add(subject)

    def remove(self, subjects):
        with self.lock:
            self.removed.update(subjects)

    def seen(self, who, messages):
        with self.lock:
            for uid, (_, _, subject) in messages.items():
                if subject in ("gone", ""):
                    continue
                known, by = self.uids.setdefault(uid, (subject, who))
                if known != subject:
                    self.failures.append(f"UID {uid} was {known} for {by} and is {subject} for {who}")


def deliver_and_rename(ground, records, chance, until):
    """A delivery agent and a careless mail reader in one."""
    number = 0
    owner = as_nobody().get("user")
    while time.monotonic() < until:
        time.sleep(chance.random() * 0.05)
        if chance.random() < 0.6:
            number += 1
            subject = records.new()
            base = f"{int(time.time())}.M{int(time.time() * 1e6) % 1000000}P{os.getpid()}Q{number}.foreign"
            path = ground.maildir / "tmp" / base
            path.write_text(f"{subject}\n\nbody\n")
            if owner is not None:
                os.chown(path, owner, owner)
            path.rename(ground.maildir / "new" / base)
            records.arrived(subject)
            continue
        names = os.listdir(ground.maildir / "cur")
        if names:
            name = chance.choice(names)
            flags = "".join(sorted(chance.sample("FRS", chance.randrange(4))))
            keep = re.sub("[A-Z]", "", name.split(":2,")[1]) if ":2," in name else ""
            try:
                os.rename(ground.maildir / "cur" / name, ground.maildir / "cur" / (name.split(":")[0] + ":2," + flags + keep))
            except FileNotFoundError:
                pass  # somebody was quicker


def use_ours(ground, records, chance, until):
    """A session of our store: flags, keywords, expunges, appends; its index goes now and then."""
    rounds = 0
    while time.monotonic() < until:
        rounds += 1
        if rounds > 1:
            (ground.maildir / "posthorn.index").unlink(missing_ok=True)
        tool = Tool(ground, watch=rounds % 2 == 1)
        tool.ask("open", "INBOX")
        for _ in range(60):
            if time.monotonic() > until:
                break
            messages = tool.messages()
            records.seen("ours", messages)
            some = chance.sample(sorted(messages), min(len(messages), chance.randrange(1, 6))) if messages else []
            what = chance.randrange(6)
            if what < 3 and some:
                letters = "".join(chance.sample("DFRS", chance.randrange(4))) or "-"
                keyword = chance.choice(["-", "red", "blue", "red,green"])
                tool.ask("flags", chance.choice(["add", "remove", "replace"]), letters, keyword, *sorted(some))
            elif what == 3:
                subject = records.new()
                tool.ask("append", subject.replace(" ", "_"))
                records.arrived(subject)
            elif what == 4 and some and len(messages) > 15:
                records.remove(messages[uid][2] for uid in some[:2])
                tool.ask("expunge", *sorted(some[:2]))
            else:
                tool.ask("sync", "new")
        tool.stop()


def use_dovecot(ground, records, chance, until):
    """A session of Dovecot's that does the same."""
    client = Dovecot(ground)
    client.must(client.select("INBOX"))
    while time.monotonic() < until:
        messages = client.messages()
        records.seen("Dovecot", messages)
        some = chance.sample(sorted(messages), min(len(messages), chance.randrange(1, 6))) if messages else []
        what = chance.randrange(6)
        if what < 3 and some:
            flags = chance.sample(["\\Seen", "\\Flagged", "\\Answered", "red", "yellow"], chance.randrange(1, 4))
            client.must(client.uid("STORE", ",".join(map(str, some)), chance.choice(["+FLAGS", "-FLAGS"]),
                                   "(" + " ".join(flags) + ")"))
        elif what == 3:
            subject = records.new()
            client.must(client.append("INBOX", "", None, f"{subject}\r\n\r\nbody\r\n".encode()))
            records.arrived(subject)
        elif what == 4 and some and len(messages) > 15:
            uids = ",".join(map(str, some[:2]))
            records.remove(messages[uid][2] for uid in some[:2])
            client.must(client.uid("STORE", uids, "+FLAGS", "(\\Deleted)"))
            client.must(client.uid("EXPUNGE", uids))
        else:
            client.must(client.noop())
    client.logout()


def guarded(records, work, *arguments):
    def run():
        try:
            work(*arguments)
        except Exception as problem:
            records.failures.append(f"{work.__name__}: {problem!r}")
    return threading.Thread(target=run)


def both_at_once(ground):
    """Two servers and a third program on one mailbox, under load."""
    records = Records()
    seed = random.randrange(1 << 30)
    print(f"        seed {seed}", flush=True)
    until = time.monotonic() + SECONDS
    threads = [guarded(records, work, ground, records, random.Random(seed + i), until)
               for i, work in enumerate((deliver_and_rename, use_ours, use_dovecot))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS + 120)
    compare(ground, records)


def compare(ground, records):
    """Both, started afresh, show the same; and everything that was delivered and not removed."""
    time.sleep(1.1)  # Dovecot trusts a directory's time after a second
    client = Dovecot(ground)
    client.must(client.select("INBOX"))
    theirs = client.messages()
    tool = Tool(ground, watch=True)
    tool.ask("open", "INBOX")
    ours = tool.messages()
    again = client.messages()
    client.logout()
    tool.stop()
    records.seen("ours", ours)
    records.seen("Dovecot", theirs)
    if records.failures:
        raise Failed("; ".join(records.failures[:5]))
    if ours != again:
        differing = {uid: (ours.get(uid), again.get(uid)) for uid in ours.keys() | again.keys()
                     if ours.get(uid) != again.get(uid)}
        raise Failed(f"ours and Dovecot's differ: {dict(list(differing.items())[:5])}")
    there = {subject for _, _, subject in ours.values()}
    lost = records.delivered - records.removed - there
    if lost:
        raise Failed(f"{len(lost)} of {len(records.delivered)} messages are lost: {sorted(lost)[:5]}")
    if len(there) != len(ours):
        raise Failed("a message is there twice")
    if there - records.delivered:
        raise Failed(f"unheard-of messages: {there - records.delivered}")
    log = ground.directory / "dovecot.log"
    for line in log.read_text(errors="replace").splitlines() if log.exists() else ():
        if re.search(r"Panic|Fatal|assert", line):
            raise Failed(f"Dovecot: {line}")
    print(f"        {len(records.delivered)} delivered, {len(records.removed)} removed, {len(ours)} there", flush=True)


def mailboxes(ground):
    """Mailboxes, subscriptions, copies and moves that one makes are the other's, too."""
    tool = Tool(ground, watch=False)
    client = Dovecot(ground)
    tool.ask("create", "Lists.C++")
    tool.ask("create", "Entwürfe")
    tool.ask("subscribe", "Entwürfe")
    client.must(client.create("Theirs"))
    client.must(client.subscribe("Theirs"))
    names = {line.decode().split(' "." ')[1].strip('"') for line in client.must(client.list())}
    if names != {"INBOX", "Lists.C++", "Lists", "Entw&APw-rfe", "Theirs"}:
        raise Failed(f"Dovecot lists {names}")
    subscribed = {line.decode().split(' "." ')[1] for line in client.must(client.lsub())}
    if subscribed != {"Entw&APw-rfe", "Theirs"}:
        raise Failed(f"Dovecot has {subscribed} subscribed")
    if set(tool.ask("names")) != {"INBOX", "Lists.C++", "Entwürfe subscribed", "Theirs subscribed"}:
        raise Failed(f"we list {tool.ask('names')}")

    client.must(client.append("Theirs", "\\Seen kw", None, b"Subject: moved\r\n\r\nx\r\n"))
    client.must(client.append("Theirs", "", None, b"Subject: copied\r\n\r\nx\r\n"))
    tool.ask("open", "Theirs")
    tool.ask("move", "Lists.C++", 1)
    tool.ask("copy", "Lists.C++", 2)
    client.must(client.select("Lists.C++"))
    if client.messages() != {1: ("S", ("kw",), "Subject: moved"), 2: ("", (), "Subject: copied")}:
        raise Failed(f"Dovecot finds {client.messages()}")
    client.must(client.uid("COPY", "1:2", "Theirs"))
    if tool.messages() != {2: ("", (), "Subject: copied"), 3: ("S", ("kw",), "Subject: moved"),
                           4: ("", (), "Subject: copied")}:
        raise Failed(f"we find {tool.messages()}")
    client.must(client.select("INBOX"))
    tool.ask("rename", "Lists.C++", "Old")
    client.must(client.rename("Theirs", "Ours"))
    tool.ask("open", "Ours")
    if sorted(tool.messages()) != [2, 3, 4]:
        raise Failed(f"after the renaming we find {tool.messages()}")
    client.must(client.select("Old"))
    if sorted(client.messages()) != [1, 2]:
        raise Failed(f"after the renaming Dovecot finds {client.messages()}")
    client.must(client.select("INBOX"))
    tool.ask("delete", "Old")
    client.must(client.delete("Ours"))
    if set(tool.ask("names")) != {"INBOX", "Entwürfe subscribed"}:
        raise Failed(f"after deletions we list {tool.ask('names')}")
    client.logout()
    tool.stop()


if __name__ == "__main__":
    need("doveadm", "dovecot")
    run_in(Ground(), [mailboxes, both_at_once])
