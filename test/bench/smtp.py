#!/usr/bin/env python3
"""SMTP in, durable, delivered into a Maildir. Called by scripts/bench smtp; README.md explains the numbers."""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

from measure import Counters, Peak
from systems import DOMAIN, SYSTEMS, USERS, available

DEFAULT_CASES = "10/4096/many,100/4096/many"
# Microseconds a message at 10 sessions and 4 KiB: the design's budget.
BUDGET = {"smtpd": 60, "queued": 20, "deliverd": 65, "everything else": 5}


class Case:
    def __init__(self, text):
        if not re.fullmatch(r"[1-9][0-9]*/[0-9]+/(one|many)", text):
            raise ValueError(text)
        sessions, size, mode = text.split("/")
        self.text, self.sessions, self.size, self.many = text, int(sessions), int(size), mode == "many"


def load(system, user, case, count):
    argv = ["smtp-source", "-s", str(case.sessions), "-m", str(count), "-l", str(case.size), "-C", "20",
            "-f", f"sender@{DOMAIN}", "-t", f"{user}@{DOMAIN}"]
    argv += ["-d"] if case.many else []
    if subprocess.run([*argv, "%s:%d" % system.smtp], check=False).returncode != 0:
        raise SystemExit(f"bench: {system.name} did not take {count} messages from smtp-source")


def delivered(system, user):
    try:
        return len(os.listdir(system.maildir(user) / "new"))
    except FileNotFoundError:
        return 0


class Run:
    """One system, one case, `count` messages."""

    def __init__(self, system, case, count, counters=False):
        user = f"u{system.next_user}"
        system.next_user += 1
        if system.next_user > USERS:
            raise SystemExit("bench: more runs than mailboxes; lower --runs or the number of cases")
        counter = Counters(system.group) if counters else None
        peak = Peak(system.group)
        before, by_program = system.group.cpu(), system.group.cpu_by_program()
        start = time.time()
        try:
            load(system, user, case, count)
        except SystemExit:
            peak.stop()
            raise
        deadline = time.time() + 120
        while delivered(system, user) < count and time.time() < deadline:
            time.sleep(0.02)
        arrived = delivered(system, user)
        if arrived < count:
            raise SystemExit(f"bench: {system.name} accepted {count} messages and delivered {arrived}")
        new = system.maildir(user) / "new"
        end = max(entry.stat().st_ctime for entry in os.scandir(new))
        time.sleep(0.5)  # what is done behind the last delivery counts too
        self.rate = count / (end - start)
        self.cpu_ms = 1e3 * (system.group.cpu() - before) / count
        self.pss_mib = peak.stop()
        self.programs = {name: 1e6 * (spent - by_program.get(name, 0.0)) / count
                         for name, spent in system.group.cpu_by_program().items()}
        self.calls, self.syncs = counter.stop() if counter else (None, None)
        self.count = count


def median(runs, name):
    return statistics.median(getattr(run, name) for run in runs)


def measure(systems, case, runs, seconds):
    """{system: [Run, ...]} taken in turns, and one counted run each."""
    results, counted = {s: [] for s in systems}, {}
    counts = {}
    for system in systems:
        pilot = Run(system, case, max(50, 2 * case.sessions))
        counts[system] = int(max(100, 2 * case.sessions, min(30000, seconds * pilot.rate)))
    for _ in range(runs):
        for system in systems:
            results[system].append(Run(system, case, counts[system]))
    for system in systems:
        run = Run(system, case, min(counts[system], 500), counters=True)
        counted[system] = tuple(None if v is None else v / run.count for v in (run.calls, run.syncs))
    return results, counted


def rows(case, results, counted):
    first = None
    for system, runs in results.items():
        calls, syncs = counted[system]
        row = {"bench": "smtp", "case": case.text, "system": system.name, "rate": round(median(runs, "rate"), 1),
               "cpu_ms": round(median(runs, "cpu_ms"), 4), "syscalls": calls and round(calls, 1),
               "syncs": None if syncs is None else round(syncs, 3), "pss_mib": round(median(runs, "pss_mib"), 1)}
        first = first or row
        row["rate_ratio"] = round(row["rate"] / first["rate"], 2)
        row["cpu_ratio"] = round(row["cpu_ms"] / first["cpu_ms"], 3)
        yield row


def show_case(table):
    def cell(value, form):
        return "-" if value is None else format(value, form)

    print(f"\n{table[0]['case']}  (sessions/octets/messages per connection)")
    print(f"  {'system':<12}{'msg/s':>10}{'CPU ms':>9}{'syscalls':>10}{'syncs':>8}{'PSS MiB':>9}{'rate x':>8}{'CPU x':>8}")
    for row in table:
        print(f"  {row['system']:<12}{row['rate']:>10.0f}{row['cpu_ms']:>9.3f}{cell(row['syscalls'], '10.0f'):>10}"
              f"{cell(row['syncs'], '8.2f'):>8}{row['pss_mib']:>9.1f}{row['rate_ratio']:>8.2f}{row['cpu_ratio']:>8.3f}")


def show_budget(runs):
    """CPU of each agent against the budget, microseconds a message."""
    middle = {name: statistics.median(run.programs.get(name, 0.0) for run in runs)
              for name in {n for run in runs for n in run.programs}}
    rest = sum(spent for name, spent in middle.items() if name not in BUDGET)
    print(f"\n  {'CPU of our agents':<24}{'us/message':>12}{'budget':>9}")
    for name, budget in BUDGET.items():
        spent = rest if name == "everything else" else middle.get(name, 0.0)
        print(f"  {name:<24}{spent:>12.1f}{budget:>9}")
    print(f"  {'sum':<24}{sum(middle.values()):>12.1f}{sum(BUDGET.values()):>9}")


def main():
    parser = argparse.ArgumentParser(prog="scripts/bench smtp", description=__doc__)
    parser.add_argument("--cases", default=DEFAULT_CASES, help="SESSIONS/BYTES/one|many,... (%(default)s)")
    parser.add_argument("--peers", default="postfix", help="systems beside us, the first is the measure (%(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="of each system in each case (%(default)s)")
    parser.add_argument("--seconds", type=float, default=4, help="aimed length of a run (%(default)s)")
    parser.add_argument("--json", action="store_true", help="one object a line")
    args = parser.parse_args()
    try:
        cases = [Case(text) for text in args.cases.split(",")]
    except ValueError as wrong:
        sys.exit(f"scripts/bench smtp: '{wrong}' is no case; a case is SESSIONS/BYTES/one or SESSIONS/BYTES/many")
    names = [*(n for n in args.peers.split(",") if n), "posthorn"]
    for name in names:
        if name not in SYSTEMS or not available(name):
            sys.exit(f"scripts/bench smtp: '{name}' is not here; known: {', '.join(SYSTEMS)}")
    if os.geteuid() != 0:
        sys.exit("scripts/bench smtp: needs root: it makes control groups and mailboxes of other users")
    folder = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-bench-", dir=os.environ.get("BENCH_DIR", "/var/tmp")))
    folder.chmod(0o755)
    # ext4 puts what is below such a folder far apart. It steps over inodes that were freed in the last minutes, which
    # costs whoever makes files near them: Postfix frees two a message, an earlier run leaves thousands.
    subprocess.run(["chattr", "+T", folder], capture_output=True, check=False)
    systems = []
    try:
        for name in names:
            systems.append(SYSTEMS[name](folder / name))
            systems[-1].next_user = 1
        for case in cases:
            results, counted = measure(systems, case, args.runs, args.seconds)
            table = list(rows(case, results, counted))
            if args.json:
                for row in table:
                    print(json.dumps(row), flush=True)
            else:
                show_case(table)
                show_budget(results[systems[-1]])
    finally:
        for system in systems:
            system.stop()
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
