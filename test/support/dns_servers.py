"""Name servers for tests, ours and those of others: each in a folder of its own, on 127.0.0.1, ended by its pid."""

import os
import pathlib
import re
import signal
import subprocess

from dns_wire import Message, ask, query
from foreign import run
from ports import free_port
from posthorn_site import programs, wait_until
from steps import Failed, Place, run_in

ADDRESS = "127.0.0.1"


class Server:
    """`files` (name: text) may use {d} for the folder and {port}; so may `argv`."""

    def __init__(self, name, directory, argv, files, port=None, address=ADDRESS):
        self.name, self.directory, self.process = name, pathlib.Path(directory), None
        self.port = port or free_port(address)
        self.address = (address, self.port)
        self.directory.mkdir(parents=True, exist_ok=True)
        self.directory.chmod(0o777)
        for path, text in files.items():
            self.write(path, text)
        self.argv = [self.fill(str(word)) for word in argv]

    def fill(self, text):
        return text.replace("{d}", str(self.directory)).replace("{port}", str(self.port))

    def write(self, path, text):
        """Puts a file in place, by renaming."""
        target = self.directory / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.test")
        fresh.write_bytes(self.fill(text).encode() if isinstance(text, str) else text)
        fresh.rename(target)

    def read(self, path):
        return (self.directory / path).read_text()

    def start(self, zone=None, more=()):
        """Returns when it answers for the SOA of `zone` (without: when it answers at all)."""
        self.launch(more)
        wait_until(f"{self.name} answers", lambda: self.is_up(zone))
        return self

    def launch(self, more=()):
        with open(self.directory / "errors", "ab") as errors:
            self.process = subprocess.Popen([*self.argv, *map(str, more)], stdout=errors, stderr=errors,
                                            stdin=subprocess.DEVNULL, cwd=self.directory)

    def is_up(self, zone):
        if self.process.poll() is not None:
            raise Failed(f"{self.name} ended with {self.process.returncode}:\n{self.log()[-2000:]}")
        reply = ask(self.address, query(zone or ".", "SOA"), 0.3)
        return reply is not None and (zone is None or self.serial(zone) is not None)

    def log(self):
        path = self.directory / "errors"
        return path.read_text(errors="replace") if path.exists() else ""

    def tails(self):
        return f"--- {self.directory.name}\n" + "\n".join(self.log().splitlines()[-25:])

    def ask(self, name, qtype, **keywords):
        """The answer by UDP."""
        reply = ask(self.address, query(name, qtype, **keywords))
        if reply is None:
            raise Failed(f"{self.name} does not answer {name} {qtype}")
        return Message(reply)

    def serial(self, zone):
        """Of the SOA that it answers with; None if it doesn't with authority."""
        reply = ask(self.address, query(zone, "SOA"))
        message = Message(reply) if reply else None
        found = [record for record in message.answer if record[1] == 6] if message and message.aa else []
        return int.from_bytes(found[0][3][-20:-16], "big") if found else None

    def wait_for_serial(self, zone, serial, seconds=60.0):
        wait_until(f"{self.name} has {zone} with serial {serial}", lambda: self.serial(zone) == serial, seconds, 0.1)

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self, seconds=60.0):
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise Failed(f"{self.name} did not end within {seconds:g} s of SIGTERM") from None
        finally:
            self.process = None


def rss(pid):
    """Octets of memory that a process has."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def descriptors(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def dnsd(directory, zones, options=(), files=(), **keywords):
    """Ours. `zones` is name: text."""
    wanted = {f"zones/{name}.zone": text for name, text in zones.items()} or {"zones/.keep": ""}
    wanted |= dict(files)
    argv = [programs() / "dnsd", "--site", "{d}", "--listen", f"inet:{keywords.get('address', ADDRESS)}:{{port}}"]
    if "--rate-limit" not in options:
        argv += ["--rate-limit", "0"]  # a test may ask for the same name faster than strangers should
    return Server("dnsd", directory, [*argv, *options], wanted, **keywords)


def key_text(name, secret, algorithm="hmac-sha256"):
    """As tsig-keygen writes it; named reads it, too."""
    return f'key "{name}" {{\n\talgorithm {algorithm};\n\tsecret "{secret}";\n}};\n'


def named(directory, body, files, options="", **keywords):
    """BIND; `body` has keys and zones."""
    address = keywords.get("address", ADDRESS)
    config = f"""
options {{
    directory "{{d}}"; pid-file "{{d}}/named.pid"; session-keyfile none; lock-file none; managed-keys-directory "{{d}}";
    listen-on port {{port}} {{ {address}; }}; listen-on-v6 {{ none; }}; notify explicit;
    {options or "recursion no; dnssec-validation no;"}
}};
controls {{ }};
logging {{ channel here {{ stderr; severity info; }}; category default {{ here; }}; }};
{body}
"""
    return Server("named", directory, ["named", "-f", "-n", "1", "-c", "{d}/named.conf"], {"named.conf": config, **files},
                  **keywords)


def nsd(directory, body, files, options="", **keywords):
    """NSD; `body` has keys and zones."""
    config = f"""
server:
    ip-address: {keywords.get("address", ADDRESS)}@{{port}}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{{d}}"
    pidfile: "{{d}}/nsd.pid"
    database: ""
    zonelistfile: "{{d}}/zone.list"
    xfrdfile: "{{d}}/xfrd.state"
    xfrdir: "{{d}}"
    xfrd-reload-timeout: 0
    rrl-ratelimit: 0
    {options}
remote-control:
    control-enable: no
{body}
"""
    return Server("nsd", directory, ["nsd", "-d", "-c", "{d}/nsd.conf"], {"nsd.conf": config, **files}, **keywords)


def knotd(directory, body, files, options="", **keywords):
    """Knot DNS; `body` has keys, remotes, acls and zones."""
    config = f"""
server:
    rundir: {{d}}
    listen: {keywords.get("address", ADDRESS)}@{{port}}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
    {options}
log:
  - target: stderr
    any: info
database:
    storage: {{d}}
{body}
"""
    return Server("knotd", directory, ["knotd", "-c", "{d}/knot.conf"], {"knot.conf": config, **files}, **keywords)


def unbound(directory, body, files, **keywords):
    """Unbound; `body` goes on in its server clause."""
    config = f"""
server:
    interface: {keywords.get("address", ADDRESS)}
    port: {{port}}
    num-threads: 1
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{{d}}"
    pidfile: "{{d}}/unbound.pid"
    use-syslog: no
    log-replies: no
{body}
remote-control:
    control-enable: no
"""
    return Server("unbound", directory, ["unbound", "-d", "-c", "{d}/unbound.conf"], {"unbound.conf": config, **files},
                  **keywords)


def sign_zone(directory, zone, text, *words):
    """By dnssec-signzone, with two keys of algorithm 13: the signed text, its key records, the DS for its parent."""
    directory.mkdir(parents=True)
    for flags in ([], ["-f", "KSK"]):
        run(["dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-K", directory, *flags, zone])
    (directory / "plain").write_text(text)
    run(["dnssec-signzone", "-q", "-S", "-P", "-x", "-K", directory, "-d", directory, "-o", zone, "-O", "full", *words, "-f",
         directory / "signed", directory / "plain"])
    signed = (directory / "signed").read_text()
    keys = [line.split(";")[0] for line in signed.splitlines() if re.search(r"\sIN\s+DNSKEY\s+257\s", line)]
    return signed, keys, (directory / f"dsset-{zone.rstrip('.')}.").read_text()


class Bench(Place):
    """A place with servers in it."""

    def __init__(self, name):
        super().__init__(name)
        self.shared = {}

    def add(self, kind, folder, *arguments, **keywords):
        """Makes a server of the `kind` (a function of this module), which is stopped at the end."""
        return self.hold(kind(self.directory / folder, *arguments, **keywords))


def main(name, steps):
    """Calls each step with one Bench."""
    run_in(Bench(name), steps)
