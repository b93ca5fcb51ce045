"""The folder of one cell, the programs that run in it, and the ways to start them: as whom, and with which view of the machine.

Whatever is started here ends by its pid when the cell ends. Nothing outside the folder is changed: a peer that has paths compiled
in sees private ones, in a mount namespace of its own.
"""

import os
import pathlib
import pwd
import shlex
import shutil
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from foreign import NOBODY, make_certificate  # noqa: E402 (nobody owns all mail here; agents of ours run so, and peers that can)
from ports import accepts, free_port, is_open  # noqa: E402, F401 (adapters and seams take them from here)
from posthorn_site import ROOT, programs, wait_until  # noqa: E402
from steps import Failed, Place, Skip  # noqa: E402

DOMAIN = "site.test"
USERS = ["ann", *(f"u{number}" for number in range(1, 20)), "dörte"]
PASSWORD = "secret"
PEERS = pathlib.Path(os.environ.get("POSTHORN_PEERS") or ROOT / "build/peers")
QUIET = dict(stdin=subprocess.DEVNULL)

def need(*names):
    """Paths of these programs; Skip names one that is not installed."""
    found = [shutil.which(name, path="/usr/bin:/bin:/usr/sbin:/sbin:/usr/lib/dovecot") for name in names]
    for name, path in zip(names, found):
        if not path:
            raise Skip(f"{name} is not installed")
    return found if len(found) > 1 else found[0]


def need_root(what):
    if os.geteuid() != 0:
        raise Skip(f"{what} starts as root only")


class Workbench(Place):
    """What the cells of one run share: our programs where nobody may read them, and a certificate."""

    def __init__(self, large):
        super().__init__("swap")
        self.large = large  # octets of the large message
        self.bin = self.directory / "bin"
        self.bin.mkdir()
        for program in programs().iterdir():
            if program.is_file() and os.access(program, os.X_OK) and "_" not in program.name:
                try:
                    os.link(program, self.bin / program.name)
                except OSError:
                    shutil.copy(program, self.bin)
        self.peers = self.reachable(PEERS)
        self.certificate, self.key = self.directory / "cert.pem", self.directory / "key.pem"
        make_certificate(self.certificate, self.key, "DNS:localhost,DNS:mail.site.test,IP:127.0.0.1")
        self.key.chmod(0o644)  # every peer reads it, whoever it runs as

    def reachable(self, folder):
        """The folder, or a copy of it if it lies where only its owner may go: peers run as users of their own."""
        if not folder.exists() or all(part.stat().st_mode & 0o001 for part in (folder, *folder.parents)):
            return folder
        copy = self.directory / folder.name
        shutil.copytree(folder, copy, symlinks=True)
        return copy

    def work(self, name):
        return Work(self, self.directory / name)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)


class Work:
    def __init__(self, bench, directory):
        self.bench = bench
        self.directory = directory
        self.directory.mkdir()
        self.processes = []  # (name, Popen, how to stop it), in the order of their start
        self.notes = []      # what was left out, for the matrix
        self.large = bench.large

    def peer(self, name, path):
        """A program that scripts/lib/peers unpacked."""
        found = self.bench.peers / name / path
        if not found.exists():
            raise Skip(f"{name} could not be unpacked (scripts/lib/peers)")
        return found

    # --- files -------------------------------------------------------------------------------------------

    def folder(self, name, owner="nobody", mode=0o755):
        path = self.directory / name
        path.mkdir(parents=True, exist_ok=True)
        self.give(path, owner)
        path.chmod(mode)
        return path

    def put(self, path, text, owner="nobody", mode=0o644):
        path = self.directory / path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        self.give(path, owner)
        path.chmod(mode)
        return path

    @staticmethod
    def give(path, owner):
        if os.geteuid() == 0:
            entry = pwd.getpwnam(owner)
            os.chown(path, entry.pw_uid, entry.pw_gid)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    # --- programs ----------------------------------------------------------------------------------------

    def start(self, name, argv, ready, user="nobody", stop=None, seconds=90, **keywords):
        """Starts a daemon that stays in the foreground, and waits until ready(). stop: a command that ends it, if SIGTERM isn't it."""
        path = self.directory / f"{name}.out"
        keywords.setdefault("cwd", self.directory)  # where it may be: who builds may have a home that is closed to others
        with open(path, "ab") as output:
            process = subprocess.Popen([str(word) for word in argv], **QUIET, stdout=output, stderr=output,
                                       **self.identity(user), **keywords)
        self.processes.append((name, process, stop))

        def check():
            if process.poll() is not None:
                raise Failed(f"{name} ended with {process.returncode}: " + path.read_text(errors="replace")[-800:])
            return ready()
        wait_until(f"{name} is ready", check, seconds)
        return process

    @staticmethod
    def identity(user):
        if os.geteuid() != 0 or user == "root":
            return {}
        entry = pwd.getpwnam(user)
        return dict(user=entry.pw_uid, group=entry.pw_gid, extra_groups=[])

    def run(self, argv, text=None, expect=0, user="nobody", timeout=60, **keywords):
        """Runs a program to its end and gives its output."""
        octets = text.encode() if isinstance(text, str) else text
        done = subprocess.run([str(word) for word in argv], input=octets or b"", capture_output=True, timeout=timeout, check=False,
                              **self.identity(user), **keywords)
        said = (done.stdout + done.stderr).decode(errors="replace")
        if expect is not None and done.returncode != expect:
            raise Failed(f"{argv[0]} ended with {done.returncode}: {said[-600:]}")
        return said

    def agent(self, program, *flags, name=None, site="posthorn", user="nobody"):
        """Starts an agent of ours by itself, from flags. Gives its log."""
        name = name or program
        home = self.folder(site)
        for sub in ("conf", "run", "log", "mail"):
            self.folder(f"{site}/{sub}")
        self.folder(f"{site}/queue", mode=0o755)
        log = self.directory / f"{name}.out"
        self.start(name, [self.bench.bin / program, "--site", home, "--name", name, *flags],
                   lambda: log.exists() and " ready " in log.read_text(errors="replace"), user)
        return log

    def posthorn_users(self, users=None):
        """conf/users of ours: everybody's password is PASSWORD."""
        lines = [f"{user}@{DOMAIN}:{{PLAIN}}{PASSWORD}\n" for user in users or USERS]
        return self.put("posthorn/conf/users", "".join(lines))

    def private(self, name, users=(), etc=(), binds=()):
        """The words in front of a command that let it see an /etc with these users more and these files, and a folder of this
        cell's in place of each in binds."""
        need_root("a peer with paths compiled in")
        if subprocess.run(["unshare", "-m", "true"], capture_output=True, check=False).returncode != 0:
            raise Skip("this machine allows no mount namespace, and the peer has paths compiled in")
        copy = self.directory / f"{name}-etc"
        shutil.copytree("/etc", copy, symlinks=True)
        copy.chmod(0o755)
        for number, user in enumerate(users):
            for file, line in (("passwd", f"{user}:x:{64100 + number}:{64100 + number}::/:/usr/sbin/nologin\n"),
                               ("group", f"{user}:x:{64100 + number}:\n")):
                with open(copy / file, "a", encoding="utf-8") as table:
                    table.write(line)
        for path, text in etc:
            (copy / path).parent.mkdir(parents=True, exist_ok=True)
            (copy / path).unlink(missing_ok=True)
            (copy / path).write_text(text)
        script = f"mount --bind {copy} /etc"
        for place, folder in binds:
            script += f" && mount --bind {folder} {place}"
        return ["unshare", "-m", "sh", "-c", script + ' && exec "$@"', name]

    def script(self, name, delivery):
        """A delivery agent's command as a script that finds sender and recipient in the environment, where Postfix's local, Exim
        and OpenSMTPD put them."""
        words = " ".join(shlex.quote(str(word)) for word in delivery.command)
        for macro, variable in (("${sender}", "$SENDER"), ("${recipient}", "$RECIPIENT"), ("${user}", "${RECIPIENT%@*}")):
            words = words.replace(f"'{macro}'", f'"{variable}"')
        return self.put(f"{name}-deliver", f"#!/bin/sh\nexec {words}\n", mode=0o755)

    def stop(self):
        for name, process, command in reversed(self.processes):
            if command:
                subprocess.run([str(word) for word in command], capture_output=True, timeout=60, check=False)
            if process.poll() is None:
                process.terminate()
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                self.note(f"{name} had to be killed")
        self.processes = []

    def tails(self):
        """The ends of all logs, for a failure."""
        said = []
        for path in sorted([*self.directory.glob("*.out"), *self.directory.glob("*/*.log")]):
            text = path.read_text(errors="replace").splitlines()[-8:]
            if text:
                said.append(f"--- {path.relative_to(self.directory)}\n" + "\n".join(line[:300] for line in text))
        return "\n".join(said)

    def remove(self):
        shutil.rmtree(self.directory, ignore_errors=True)

    def beside(self, name):
        """A folder for a second one of a kind; its programs end with this cell."""
        other = Work(self.bench, self.directory / name)
        other.processes, other.notes = self.processes, self.notes
        return other
