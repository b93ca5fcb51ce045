"""A whole site for a test: `posthorn sandbox` in a temporary directory, and the few things a test does to it.

Everything is stopped by pid. Nothing is left behind but, after a failure, the directory, whose path is printed.
"""

import functools
import json
import os
import pathlib
import poplib
import re
import signal
import smtplib
import ssl
import subprocess
import time

from steps import Failed, Place, tail

ROOT = pathlib.Path(__file__).resolve().parents[2]


def programs():
    """Where the agents are: $POSTHORN_BIN, else the release build."""
    return pathlib.Path(os.environ.get("POSTHORN_BIN") or ROOT / "build/release/bin")


@functools.cache
def is_sanitized():
    """Whether these are built with AddressSanitizer, which reserves terabytes, and keeps what was freed."""
    return b"__asan_init" in (programs() / "mua").read_bytes()


def wait_until(what, check, seconds=60.0, pause=0.05):
    """The first true value of check(); Failed, naming `what`, when the time is up. It is meant for a machine that is busy."""
    deadline = time.monotonic() + seconds
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Failed(f"{what}: not within {seconds:g} s")
        time.sleep(pause)


def trusting(authority):
    """A client's TLS that believes certificates of this authority (a file), whatever their name."""
    context = ssl.create_default_context(cafile=str(authority))
    context.check_hostname = False
    return context


def stored_in(maildir):
    """Each message of a Maildir that is there now, by its path, oldest first."""
    while True:
        found = []
        try:
            for path in [*maildir.glob("new/*"), *maildir.glob("cur/*")]:
                found.append((path.stat().st_mtime_ns, path, path.read_bytes()))
        except FileNotFoundError:
            continue  # moved, or removed
        return {path: octets for _, path, octets in sorted(found)}


class Site:
    """One sandbox. `users` are addresses; each has the password "secret-" + its local part."""

    def __init__(self, directory, domains, users=(), address="127.0.0.1", port_base=0, routes=(), forwards=(),
                 zones=()):
        self.directory = pathlib.Path(directory)
        self.domains = list(domains)
        self.users = list(users)
        self.address = address
        self.port_base = port_base
        self.routes = list(routes)
        self.forwards = list(forwards)
        self.zones = list(zones)
        self.process = None
        self.facts = {}

    @staticmethod
    def password(user):
        return "secret-" + user.split("@")[0]

    def command(self):
        words = [str(programs() / "posthorn"), "sandbox", "--dir", str(self.directory), "--port-base",
                 str(self.port_base), "--address", self.address, "--start-time", "60s"]  # a loaded machine
        for domain in self.domains:
            words += ["--domain", domain]
        for user in self.users:
            words += ["--user", f"{user}:{self.password(user)}"]
        for route in self.routes:
            words += ["--route", route]
        for forward in self.forwards:
            words += ["--forward", forward]
        for zone in self.zones:
            words += ["--zone", str(zone)]
        return words

    def start(self):
        self.directory.mkdir(parents=True, exist_ok=True)
        errors = open(self.directory / "sandbox.err", "ab")
        self.process = subprocess.Popen(self.command(), stdout=subprocess.PIPE, stderr=errors,
                                        stdin=subprocess.DEVNULL, text=True)
        line = self.process.stdout.readline()
        if not line:
            self.process.wait(60)
            said = (self.directory / "sandbox.err").read_text(errors="replace").strip()
            raise Failed(f"the sandbox of {self.domains[0]} did not start: {said[-2000:]}")
        self.facts = json.loads(line)
        return self

    def stop(self):
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"the sandbox of {self.domains[0]} did not end within 60 s of SIGTERM") from None
        finally:
            self.process.stdout.close()
            self.process = None

    def tails(self):
        return "\n".join(tail(f"{self.domains[0]} {log.name}", log) for log in sorted((self.directory / "log").glob("*.log")))

    def port(self, name):
        return self.facts["ports"][name]

    def table(self, name, text):
        """Replaces a table as an editor does, by renaming, and waits until those who use it have read it."""
        readers = ("relayd",) if name == "routes" else ("queued", "smtpd", "submissiond")

        def times_read(agent):
            return len(re.findall(f" table-(?:read|error) .*conf/{name}\\b", self.log(agent)))

        before = {agent: times_read(agent) for agent in readers if self.pids(agent)}
        fresh = self.directory / "conf" / f".{name}.new"
        fresh.write_text(text)
        fresh.rename(self.directory / "conf" / name)
        for agent, times in before.items():
            wait_until(f"{agent} has read {name} again", lambda a=agent, t=times: times_read(a) > t)

    # --- agents ------------------------------------------------------------------------------------------

    def pids(self, agent):
        """The processes of an agent that run now (the supervisor may have restarted it)."""
        found = []
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if os.path.basename(words[0]) != agent.encode():
                    continue
                state = (entry / "stat").read_text().rsplit(")", 1)[1].split()[0]
                environment = (entry / "environ").read_bytes()
            except OSError:  # gone, or somebody else's
                continue
            if state != "Z" and str(self.directory).encode() in b"\0".join(words) + environment:
                found.append(int(entry.name))
        return sorted(found)

    def kill(self, agent):
        """kill -9; gives the pids that were hit. The supervisor starts it again."""
        hit = self.pids(agent)
        if not hit:
            raise Failed(f"{agent} does not run, so it can't be killed")
        for pid in hit:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        return hit

    def log(self, agent):
        path = self.directory / "log" / f"{agent}.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def posthorn(self, *words, check=True, text=None):
        done = subprocess.run([str(programs() / "posthorn"), "--site", str(self.directory), *words],
                              capture_output=True, text=True, input=text, timeout=60)
        if check and done.returncode not in (0, 1):
            raise Failed(f"posthorn {' '.join(words)}: exit {done.returncode}: {done.stderr.strip()}")
        return done

    def queue(self):
        """The messages in the queue, as `posthorn queue list --json` tells."""
        out = self.posthorn("queue", "list", "--json").stdout
        value = json.loads(out) if out.strip() else []
        return value.get("messages", []) if isinstance(value, dict) else value

    def wait_for_empty_queue(self, seconds=60.0):
        wait_until(f"the queue of {self.domains[0]} is empty", lambda: not self.queue(), seconds, 0.2)

    # --- mail in and out ---------------------------------------------------------------------------------

    def tls(self):
        return trusting(self.facts["ca"])

    def submit(self, sender, recipients, message, user=None, mail_options=(), rcpt_options=()):
        """By authenticated submission over STARTTLS; smtplib's exceptions are the refusals."""
        with smtplib.SMTP(self.address, self.port("submission"), timeout=60) as client:
            client.starttls(context=self.tls())
            client.login(user or sender, self.password(user or sender))
            return client.sendmail(sender, recipients, message, mail_options, rcpt_options)

    def inject(self, sender, recipients, message, mail_options=(), rcpt_options=()):
        """At smtpd, as another site's MTA does."""
        with smtplib.SMTP(self.address, self.port("smtp"), timeout=60) as client:
            return client.sendmail(sender, recipients, message, mail_options, rcpt_options)

    def maildir(self, user):
        for entry in self.facts["users"]:
            if entry["address"] == user:
                return pathlib.Path(entry["maildir"])
        raise Failed(f"the sandbox knows no user {user}")

    def messages(self, user):
        """The messages in a Maildir, oldest first, as octets with LF."""
        return list(stored_in(self.maildir(user)).values())

    def wait_for_messages(self, user, count, seconds=60.0):
        return wait_until(f"{user} has {count} messages", lambda: (
            lambda found: found if len(found) >= count else None)(self.messages(user)), seconds)

    def pop3(self, user):
        client = poplib.POP3_SSL(self.address, self.port("pop3s"), context=self.tls(), timeout=60)
        client.user(user)
        client.pass_(self.password(user))
        return client


class Workshop(Place):
    """A place with sites in it."""

    def site(self, name, *arguments, **keywords):
        return self.hold(Site(self.directory / name, *arguments, **keywords))
