#!/usr/bin/env python3
"""Questions a second, CPU a question, memory an RRset. Called by scripts/bench dns; README.md explains the numbers."""

import argparse
import json
import os
import pathlib
import random
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import name_servers
from name_servers import ZONE, zone_text

HOSTS = 1000
MIX = (("A", 60), ("AAAA", 20), ("MX", 10), ("TXT", 8), ("NX", 2))
CASES = {  # the first one is the measure
    "authoritative": ("knot", "nsd", "posthorn"),
    "cached": ("unbound", "posthorn"),
}


def write_questions(path):
    """A fixed sequence; 2 of 100 ask for a name that is not there."""
    dice = random.Random(1)
    kinds, weights = zip(*MIX)
    with open(path, "w", encoding="ascii") as file:
        for _ in range(100000):
            kind, number = dice.choices(kinds, weights)[0], dice.randrange(HOSTS)
            file.write(f"nx{number}.{ZONE} A\n" if kind == "NX" else f"h{number}.{ZONE} {kind}\n")


def write_every_name(path, hosts):
    """Each of the zone's RRsets once."""
    with open(path, "w", encoding="ascii") as file:
        for number in range(hosts):
            for kind in ("A", "AAAA", "MX", "TXT"):
                file.write(f"h{number}.{ZONE} {kind}\n")


def dnsperf(server, path, args, *limit):
    argv = ["taskset", "-c", str(args.load_cpu), "dnsperf", "-s", server.address[0], "-p", str(server.address[1]), "-d",
            str(path), "-c", "10", "-T", "1", "-q", "200", *limit] + (["-m", "tcp"] if args.tcp else [])
    out = subprocess.run(argv, capture_output=True, text=True, check=True).stdout

    def number(what):
        return float(re.search(what + r":\s+([0-9.]+)", out).group(1))

    wrong = re.findall(r"(SERVFAIL|REFUSED|FORMERR) (\d+)", out)
    if wrong:
        raise SystemExit(f"bench: {server.name} answered {wrong}")
    return {"rate": number("Queries per second"), "completed": number("Queries completed"), "lost": number("Queries lost")}


class Run:
    def __init__(self, server, path, args):
        before = server.group.cpu()
        facts = dnsperf(server, path, args, "-l", str(args.seconds))
        spent = server.group.cpu() - before
        self.rate, self.lost = facts["rate"], facts["lost"]
        self.cpu_us = 1e6 * spent / facts["completed"]
        self.busy = spent / facts["completed"] * facts["rate"]
        self.pss_mib = server.group.pss_mib()


def start(case, folder, args, systems, upstream):
    makers = {"knot": name_servers.knot, "nsd": name_servers.nsd, "unbound": name_servers.unbound,
              "posthorn": name_servers.authoritative_posthorn if case == "authoritative" else name_servers.caching_posthorn}
    source = zone_text(HOSTS) if case == "authoritative" else upstream
    for name in CASES[case]:
        systems.append(makers[name](folder / case / name, args.server_cpu, source))


def measure(case, folder, args):
    systems, extra = [], []
    try:
        upstream = None
        if case == "cached":
            extra.append(name_servers.nsd(folder / case / "upstream", args.load_cpu, zone_text(HOSTS)))
            upstream = extra[0].address
        start(case, folder, args, systems, upstream)
        questions = folder / "questions"
        runs = {system: [] for system in systems}
        for system in systems:
            dnsperf(system, questions, args, "-n", "1")  # fills caches
        for _ in range(args.runs):
            for system in systems:
                runs[system].append(Run(system, questions, args))
                time.sleep(0.3)
    finally:
        for system in systems + extra:
            system.stop()

    def median(system, name):
        return statistics.median(getattr(run, name) for run in runs[system])

    first = None
    for system in systems:
        row = {"bench": "dns", "case": case, "transport": "tcp" if args.tcp else "udp", "system": system.name,
               "rate": round(median(system, "rate")), "cpu_us": round(median(system, "cpu_us"), 2),
               "busy": round(median(system, "busy"), 2), "lost": round(median(system, "lost")),
               "pss_mib": round(median(system, "pss_mib"), 1)}
        first = first or row
        row["rate_ratio"] = round(row["rate"] / first["rate"], 2)
        row["cpu_ratio"] = round(row["cpu_us"] / first["cpu_us"], 2)
        yield row


def measure_memory(folder, args):
    """What the caches take for each RRset when they are filled."""
    systems, extra = [], []
    path = folder / "every-name"
    write_every_name(path, args.memory_hosts)
    try:
        extra.append(name_servers.nsd(folder / "memory/upstream", args.load_cpu, zone_text(args.memory_hosts)))
        for maker, name in ((name_servers.unbound, "unbound"), (name_servers.caching_posthorn, "posthorn")):
            systems.append(maker(folder / "memory" / name, args.server_cpu, extra[0].address))
        first = None
        for system in systems:
            before = system.group.pss_mib()
            dnsperf(system, path, args, "-n", "1")
            octets = (system.group.pss_mib() - before) * 1024 * 1024 / (4 * args.memory_hosts)
            row = {"bench": "dns", "case": "memory", "system": system.name, "rrsets": 4 * args.memory_hosts,
                   "octets_per_rrset": round(octets)}
            first = first or row
            row["ratio"] = round(row["octets_per_rrset"] / first["octets_per_rrset"], 2)
            yield row
    finally:
        for system in systems + extra:
            system.stop()


def show(rows):
    for row in rows:
        if row["case"] == "memory":
            print(f"  {row['system']:<10}{row['octets_per_rrset']:>8} octets an RRset ({row['rrsets']} of them)"
                  f"{row['ratio']:>8.2f}")
        else:
            print(f"  {row['system']:<10}{row['rate']:>9} q/s{row['cpu_us']:>8.2f} us CPU{100 * row['busy']:>6.0f} % busy"
                  f"{row['pss_mib']:>7.1f} MiB{row['lost']:>6} lost   rate x{row['rate_ratio']:.2f}  CPU x{row['cpu_ratio']:.2f}")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench dns", description=__doc__)
    parser.add_argument("--cases", default="authoritative,cached,memory", help="(%(default)s)")
    parser.add_argument("--tcp", action="store_true", help="ask by TCP")
    parser.add_argument("--runs", type=int, default=3, help="of each server in each case (%(default)s)")
    parser.add_argument("--seconds", type=int, default=4, help="length of a run (%(default)s)")
    parser.add_argument("--memory-hosts", type=int, default=25000, help="names that fill the caches (%(default)s)")
    parser.add_argument("--server-cpu", type=int, default=1, help="the core of the servers (%(default)s)")
    parser.add_argument("--load-cpu", type=int, default=0, help="the core of dnsperf (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one object a line")
    args = parser.parse_args()
    cases = args.cases.split(",")
    for case in cases:
        if case not in (*CASES, "memory"):
            sys.exit(f"scripts/bench dns: '{case}' is no case; known: {', '.join(CASES)}, memory")
    if os.geteuid() != 0:
        sys.exit("scripts/bench dns: needs root: it makes control groups")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-bench-dns-"))
    folder.chmod(0o755)
    try:
        write_questions(folder / "questions")
        for case in cases:
            rows = list(measure_memory(folder, args) if case == "memory" else measure(case, folder, args))
            if args.json:
                for row in rows:
                    print(json.dumps(row), flush=True)
            else:
                print(f"\n{case}" + (" (TCP)" if args.tcp and case != "memory" else ""))
                show(rows)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
