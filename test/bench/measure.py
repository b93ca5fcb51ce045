"""CPU, memory, system calls and syncs of a group of processes (a cgroup v2 of its own)."""

import os
import pathlib
import shutil
import signal
import subprocess
import threading
import time

ROOTS = ("/sys/fs/cgroup/unified", "/sys/fs/cgroup")
EVENTS = ("raw_syscalls:sys_enter", "syscalls:sys_enter_fsync", "syscalls:sys_enter_fdatasync",
          "syscalls:sys_enter_syncfs")


class Group:
    """A control group: what is started in it, and its children, counts."""

    def __init__(self, name):
        root = next((r for r in ROOTS if os.path.exists(r + "/cgroup.controllers")), None)
        if root is None:
            raise SystemExit("bench: needs cgroup v2, to count the CPU time of processes that have ended")
        self.path = pathlib.Path(root, f"posthorn-bench.{name}.{os.getpid()}")
        self.path.mkdir(exist_ok=True)

    def start(self, argv, **keywords):
        enter = str(self.path / "cgroup.procs")

        def join():
            with open(enter, "w", encoding="ascii") as file:
                file.write("0")

        return subprocess.Popen(argv, preexec_fn=join, **keywords)

    def pids(self):
        return [int(line) for line in (self.path / "cgroup.procs").read_text().split()]

    def cpu(self):
        """Seconds of user and system time so far."""
        stat = dict(line.split() for line in (self.path / "cpu.stat").read_text().splitlines())
        return int(stat["usage_usec"]) / 1e6

    def cpu_by_program(self):
        """{program: seconds}, of the processes that live."""
        used = {}
        for pid in self.pids():
            try:
                name = pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
                tasks = pathlib.Path(f"/proc/{pid}/task").iterdir()
                spent = sum(int((t / "schedstat").read_text().split()[0]) for t in tasks)
            except OSError:
                continue
            used[name] = used.get(name, 0.0) + spent / 1e9
        return used

    def pss_mib(self):
        total = 0
        for pid in self.pids():
            try:
                lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
        return total / 1024

    def remove(self):
        """Waits a moment for those that are still ending; after that nobody of ours may be left."""
        deadline = time.monotonic() + 5
        while self.pids() and time.monotonic() < deadline:
            time.sleep(0.05)
        for pid in self.pids():
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.1)
        try:
            self.path.rmdir()
        except OSError:
            pass


class Peak(threading.Thread):
    """Samples a group's memory until stop(); gives the peak."""

    def __init__(self, group):
        super().__init__(daemon=True)
        self.group, self.peak, self.done = group, 0.0, threading.Event()
        self.start()

    def run(self):
        while not self.done.wait(0.5):
            self.peak = max(self.peak, self.group.pss_mib())

    def stop(self):
        self.done.set()
        self.join()
        self.peak = max(self.peak, self.group.pss_mib())
        return self.peak


class Counters:
    """System calls and syncs of a group between start and stop(); None each where the kernel or perf refuses."""

    def __init__(self, group):
        self.process = None
        if shutil.which("perf"):
            self.process = subprocess.Popen(
                ["perf", "stat", "-a", "-x", ",", "-e", ",".join(EVENTS), "-G", ",".join([group.path.name] * len(EVENTS)),
                 "cat"], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            threading.Event().wait(0.5)

    def stop(self):
        counted = {}
        if self.process:
            for line in self.process.communicate()[1].splitlines():
                fields = line.split(",")
                if len(fields) > 2 and fields[0].isdigit():
                    counted[fields[2]] = int(fields[0])
        calls = counted.get(EVENTS[0])
        syncs = [counted[e] for e in EVENTS[1:] if e in counted]
        return calls, sum(syncs) if syncs else None
