"""The name servers that are measured. Each has: name, group, address (host, port), stop(). One worker each."""

import os
import pathlib
import socket
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "support"))
from ports import free_port  # noqa: E402
from posthorn_site import programs  # noqa: E402

from measure import Group  # noqa: E402

ZONE = "bench.test"


def zone_text(hosts):
    """A, AAAA, MX and TXT of h0 to h<hosts - 1>."""
    lines = ["$TTL 86400", f"@ IN SOA ns.{ZONE}. root.{ZONE}. 1 3600 600 86400 3600", f"@ IN NS ns.{ZONE}.",
             "ns IN A 127.0.0.1"]
    for i in range(hosts):
        lines += [f"h{i} IN A 192.0.2.{i % 250 + 1}", f"h{i} IN AAAA 2001:db8::{i + 1:x}",
                  f"h{i} IN MX 10 h{(i + 1) % hosts}.{ZONE}.", f'h{i} IN TXT "v=spf1 ip4:192.0.2.{i % 250 + 1} -all"']
    return "\n".join(lines) + "\n"


class NameServer:
    """`argv` and `files` (name: text) may use {d} for the folder and {port}."""

    def __init__(self, name, directory, argv, files, server_cpu):
        self.name, self.directory = name, pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.directory.chmod(0o777)
        port = free_port()
        self.address = ("127.0.0.1", port)
        for path, text in files.items():
            target = self.directory / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text.replace("{d}", str(self.directory)).replace("{port}", str(port)))
        argv = [word.replace("{d}", str(self.directory)).replace("{port}", str(port)) for word in argv]
        self.group = Group(name)
        self.errors = open(self.directory / "errors", "w", encoding="utf-8")
        self.process = self.group.start(argv, stdout=self.errors, stderr=self.errors)
        self.wait()
        for pid in self.group.pids():
            for task in os.listdir(f"/proc/{pid}/task"):
                os.sched_setaffinity(int(task), {server_cpu})

    def wait(self):
        # SOA of the zone; id 1.
        query = bytes.fromhex("000101000001000000000000") + b"\x05bench\x04test\x00" + bytes.fromhex("00060001")
        deadline = time.monotonic() + 60
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(0.3)
            while time.monotonic() < deadline and self.process.poll() is None:
                try:
                    client.sendto(query, self.address)
                    reply = client.recv(4096)
                except OSError:
                    continue
                if reply[3] & 15 == 0 and reply[6:8] != b"\0\0":
                    return
        raise SystemExit(f"bench: {self.name} does not answer: " + (self.directory / "errors").read_text()[-2000:])

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            pass
        self.group.remove()


def posthorn(name, directory, cpu, extra, zone):
    return NameServer(name, directory, [str(programs() / "dnsd"), "--site", "{d}", "--listen", "inet:127.0.0.1:{port}",
                                        *extra], {f"zones/{ZONE}.zone": zone} if zone else {"zones/.keep": ""}, cpu)


def authoritative_posthorn(directory, cpu, zone):
    return posthorn("posthorn", directory, cpu, ["--no-recursion", "--rate-limit", "0"], zone)


def caching_posthorn(directory, cpu, upstream):
    return posthorn("posthorn", directory, cpu,
                    ["--forward", f"{ZONE}={upstream[0]}:{upstream[1]}", "--no-validate", "--cache-size", "256M",
                     "--max-negative-ttl", "86400"], None)


def knot(directory, cpu, zone):
    return NameServer("knot", directory, ["knotd", "-c", "{d}/knot.conf"], {"bench.zone": zone, "knot.conf": """
server:
    rundir: {d}
    listen: 127.0.0.1@{port}
    udp-workers: 1
    tcp-workers: 1
    background-workers: 1
log:
  - target: stderr
    any: warning
database:
    storage: {d}
zone:
  - domain: bench.test
    file: {d}/bench.zone
"""}, cpu)


def nsd(directory, cpu, zone):
    return NameServer("nsd", directory, ["nsd", "-d", "-c", "{d}/nsd.conf"], {"bench.zone": zone, "nsd.conf": """
server:
    ip-address: 127.0.0.1@{port}
    server-count: 1
    username: ""
    chroot: ""
    zonesdir: "{d}"
    pidfile: "{d}/nsd.pid"
    database: ""
    zonelistfile: "{d}/zone.list"
    xfrdfile: "{d}/xfrd.state"
    rrl-ratelimit: 0
remote-control:
    control-enable: no
zone:
    name: bench.test
    zonefile: {d}/bench.zone
"""}, cpu)


def unbound(directory, cpu, upstream):
    return NameServer("unbound", directory, ["unbound", "-d", "-c", "{d}/unbound.conf"], {"unbound.conf": f"""
server:
    interface: 127.0.0.1
    port: {{port}}
    num-threads: 1
    do-daemonize: no
    username: ""
    chroot: ""
    directory: "{{d}}"
    pidfile: "{{d}}/unbound.pid"
    use-syslog: no
    do-not-query-localhost: no
    module-config: "iterator"
    local-zone: "test." nodefault
    msg-cache-size: 256m
    rrset-cache-size: 256m
    cache-max-negative-ttl: 86400
remote-control:
    control-enable: no
forward-zone:
    name: "{ZONE}."
    forward-addr: {upstream[0]}@{upstream[1]}
"""}, cpu)
