#!/usr/bin/env python3
"""pop3d and Dovecot take turns on one Maildir, and then share it: getmail downloads nothing a second time.

getmail knows one server; which of the two is behind that name is the test's choice. So getmail sees what a user's
client sees when the site swaps its agent. Dovecot reads the site's own users file and runs unprivileged, from a
configuration in a directory of its own.
"""

import os
import poplib
import shutil
import socket
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import dovecot  # noqa: E402
from foreign import Failed, become_nobody, main, need  # noqa: E402
from getmail import Getmail  # noqa: E402
from ports import free_port  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"
DOVECOT, OURS = "Dovecot", "pop3d"
AGENTS = ("posthorn", "authd", "dnsd", "smtpd", "submissiond", "queued", "relayd", "deliverd", "pop3d", "imapd")


class Door:
    """The one address that a client knows: passes each connection on to the port that `target` names then."""

    def __init__(self):
        self.target = None
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            client = self.listener.accept()[0]
            try:
                server = socket.create_connection(("127.0.0.1", self.target))
            except OSError:
                client.close()
                continue
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self.carry, args=(source, sink), daemon=True).start()

    @staticmethod
    def carry(source, sink):
        try:
            while octets := source.recv(65536):
                sink.sendall(octets)
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # one side is gone; the other sees it by its own socket


def dovecot_on(site):
    """Dovecot's pop3s on the Maildirs of a site, as whoever runs the test."""
    home = site.directory / "dovecot"
    home.mkdir()
    port = free_port()
    maildir = str(site.maildir(BOB)).replace("alpha.test/bob", "%d/%n")
    return dovecot.Server(home, f"""
protocols = pop3
ssl = required
ssl_cert = <{site.directory}/tls/cert.pem
ssl_key = <{site.directory}/tls/key.pem
mail_location = maildir:{maildir}
passdb {{
  driver = passwd-file
  args = {site.directory}/conf/users
}}
userdb {{
  driver = static
  args = uid={os.geteuid()} gid={os.getegid()} home={home}/home/%u
}}
service pop3-login {{
  chroot =
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {port}
    ssl = yes
  }}
}}
""", [port])


class Client:
    """getmail as bob's, and what it has downloaded so far."""

    def __init__(self, site, door):
        self.getmail = Getmail(site.directory / "getmail", "127.0.0.1", door.port, BOB, site.password(BOB))

    def fetch(self, expected):
        """One run of getmail, which must bring `expected` messages, none of them known already."""
        before = len(self.subjects())
        self.getmail.fetch()
        found = self.subjects()
        twice = sorted(subject for subject in set(found) if found.count(subject) > 1)
        if twice or len(found) - before != expected:
            raise Failed(f"getmail downloaded {len(found) - before} messages instead of {expected}; twice: {twice}")

    def subjects(self):
        return [subject_of(letter.splitlines()) for letter in self.getmail.letters()]


class World:
    """What the steps share: the door, Dovecot, getmail, and how many letters bob was sent."""

    def __init__(self):
        self.door = Door()
        self.dovecot = None
        self.getmail = None
        self.sent = 0

    def open(self, site):
        self.dovecot = dovecot_on(site)
        self.getmail = Client(site, self.door)

    def swap_to(self, site, which):
        """As README says: one line in posthorn.toml, here with a restart of the whole site."""
        self.dovecot.stop()
        path = site.directory / "conf/posthorn.toml"
        lines = path.read_text().splitlines()
        row = lines.index("[agents.pop3d]") + 1
        lines[row] = "run = false" if which == DOVECOT else "run = true"
        site.stop()
        path.write_text("\n".join(["# edited by hand", *lines]) + "\n")
        site.start()
        if which == DOVECOT:
            if site.pids("pop3d"):
                raise Failed("pop3d runs although posthorn.toml says run = false")
            self.dovecot.start()
            self.door.target = self.dovecot.port
        else:
            self.door.target = site.port("pop3s")

    def deliver(self, site, count):
        for _ in range(count):
            self.sent += 1
            text = f"From: <{ALICE}>\r\nSubject: letter {self.sent}\r\n\r\nLetter {self.sent}.\r\n"
            site.inject(ALICE, [BOB], text)


def subject_of(lines):
    return next(line for line in lines if line.startswith(b"Subject:")).decode()


def open_pop3(site, port):
    client = poplib.POP3_SSL("127.0.0.1", port, context=site.tls(), timeout=60)
    client.user(BOB)
    client.pass_(site.password(BOB))
    return client


def listing(site, port):
    """UIDL -> subject, as the server at `port` tells it."""
    client = open_pop3(site, port)
    found = {}
    for row in client.uidl()[1]:
        number, uidl = row.decode().split()
        found[uidl] = subject_of(client.top(int(number), 0)[1])
    client.quit()
    return found


def uidlist(site):
    """The header of dovecot-uidlist without its next UID, and UID -> base name."""
    header, *rows = (site.maildir(BOB) / "dovecot-uidlist").read_text().splitlines()
    words = [word for word in header.split() if not word.startswith("N")]
    return words, {int(row.split()[0]): row.split(":", 1)[1].split(":")[0] for row in rows}


world = World()


def ours_first(site):
    """pop3d serves first: getmail downloads three letters"""
    world.open(site)
    world.door.target = site.port("pop3s")
    world.deliver(site, 3)
    site.wait_for_messages(BOB, 3)
    world.getmail.fetch(3)
    world.getmail.fetch(0)


def dovecot_instead(site):
    """Dovecot takes over: nothing is downloaded again, and it kept our list of UIDs"""
    ours = uidlist(site)
    world.swap_to(site, DOVECOT)
    world.getmail.fetch(0)
    if uidlist(site) != ours:
        raise Failed(f"Dovecot made {uidlist(site)} of {ours}")


def dovecot_sees_it_first(site):
    """new mail that Dovecot serves first: it downloads once"""
    world.deliver(site, 3)
    site.wait_for_messages(BOB, 6)
    world.getmail.fetch(3)
    world.getmail.fetch(0)


def ours_again(site):
    """pop3d takes over again: nothing is downloaded again, and it kept Dovecot's list"""
    theirs = uidlist(site)
    if len(theirs[1]) != 6:
        raise Failed(f"Dovecot's list has {theirs[1]}")
    world.swap_to(site, OURS)
    world.getmail.fetch(0)
    if uidlist(site) != theirs:
        raise Failed(f"pop3d made {uidlist(site)} of {theirs}")
    world.deliver(site, 2)
    site.wait_for_messages(BOB, 8)
    world.getmail.fetch(2)


def same_answers(site):
    """both run: UIDL and sizes are the same at either, also after a letter is deleted at each"""
    world.dovecot.start()
    for port, number in ((site.port("pop3s"), 2), (world.dovecot.port, 4)):
        client = open_pop3(site, port)
        client.dele(number)
        client.quit()
    ours, theirs = listing(site, site.port("pop3s")), listing(site, world.dovecot.port)
    if ours != theirs or len(ours) != 6:
        raise Failed(f"pop3d says {ours}, Dovecot says {theirs}")
    sizes = []
    for port in (site.port("pop3s"), world.dovecot.port):
        client = open_pop3(site, port)
        sizes.append(client.list()[1])
        client.quit()
    if sizes[0] != sizes[1]:
        raise Failed(f"pop3d says {sizes[0]}, Dovecot says {sizes[1]}")
    for port in (site.port("pop3s"), world.dovecot.port):
        world.door.target = port
        world.getmail.fetch(0)


def both_at_once(site):
    """both serve while mail comes in and goes out: a UIDL names one letter for ever, and no letter has two"""
    seen, problems, done = {}, [], threading.Event()

    def watch(port):
        rounds = 0
        while not (done.is_set() and rounds > 3):
            rounds += 1
            try:
                found = listing(site, port)
            except poplib.error_proto as refused:
                if "[IN-USE]" in str(refused):
                    continue
                problems.append(f"port {port}: {refused}")
                return
            for uidl, subject in found.items():
                if seen.setdefault(uidl, subject) != subject:
                    problems.append(f"{uidl} was {seen[uidl]} and is {subject}")

    watchers = [threading.Thread(target=watch, args=(port,)) for port in (site.port("pop3s"), world.dovecot.port)]
    for watcher in watchers:
        watcher.start()
    world.deliver(site, 60)
    wait_until("the queue is empty", lambda: not site.queue(), pause=0.2)
    done.set()
    for watcher in watchers:
        watcher.join(60)
    if problems:
        raise Failed("; ".join(problems[:5]))
    subjects = list(seen.values())
    if len(set(subjects)) != len(subjects):
        raise Failed("a letter has two UIDLs: " + str(sorted(s for s in set(subjects) if subjects.count(s) > 1)))
    ours, theirs = listing(site, site.port("pop3s")), listing(site, world.dovecot.port)
    if ours != theirs or len(ours) != 66:
        raise Failed(f"pop3d has {len(ours)} letters, Dovecot {len(theirs)}, and 66 are there")
    world.door.target = site.port("pop3s")
    world.getmail.fetch(60)
    world.door.target = world.dovecot.port
    world.getmail.fetch(0)
    world.dovecot.stop()


if __name__ == "__main__":
    need("dovecot", "getmail")
    own_directory = become_nobody(AGENTS)
    try:
        main("dovecot-swap", [ours_first, dovecot_instead, dovecot_sees_it_first, ours_again, same_answers, both_at_once],
             [ALICE, BOB])
    finally:
        if world.dovecot:
            world.dovecot.stop()
        if own_directory:
            shutil.rmtree(own_directory)
