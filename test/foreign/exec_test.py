#!/usr/bin/env python3
"""deliverd --exec beside the site's own: mail for a domain goes to a shell script, and its exit code decides."""

import os
import pathlib
import re
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, has_landlock, main, need  # noqa: E402
from posthorn_site import programs, wait_until  # noqa: E402

ALICE = "alice@alpha.test"
SCRIPT = """#!/bin/sh
grep -E '^(Seccomp|Seccomp_filters|NoNewPrivs):' /proc/self/status > "$OUT/$1.status"
{ echo "$*"; echo "$SENDER $RECIPIENT $LOCAL $EXTENSION $DOMAIN"; cat; } > "$OUT/$1"
case $1 in
  busy) exit 75 ;;
  gone) echo "5.2.1 this list has been closed"; exit 69 ;;
  nobody) exit 67 ;;
  killed) kill -9 $$ ;;
esac
"""
agent = None


def run_deliverd(site):
    global agent
    before = site.log("pipe").count(" ready ")
    with open(site.directory / "log/pipe.log", "ab") as log:
        agent = subprocess.Popen([str(programs() / "deliverd"), "--site", str(site.directory), "--name", "pipe"],
                                 stdin=subprocess.DEVNULL, stderr=log)
    wait_until("it is ready", lambda: site.log("pipe").count(" ready ") > before)


def begin(site):
    """a second deliverd, for one domain, with a program in place of mailboxes"""
    (site.directory / "out").mkdir()
    script = site.directory / "script"
    script.write_text(SCRIPT.replace("$OUT", str(site.directory / "out")))
    script.chmod(0o755)
    (site.directory / "conf/pipe.toml").write_text(
        f'listen = ["unix:run/pipe.sock"]\nexec = "{script} ${{user}} ${{sender}} ${{recipient}}"\nexec_flags = "R"\n')
    run_deliverd(site)
    site.table("transports", "list.test lmtp:unix:run/pipe.sock\n")
    for name in ("fine+more", "busy", "gone", "nobody", "killed"):
        site.submit(ALICE, [f"{name}@list.test"], f"From: <{ALICE}>\r\nSubject: for {name}\r\n\r\nFrom here\r\n.dot\r\n")


def delivered(site):
    """exit 0: the program has the arguments, the environment and the message with LF"""
    path = site.directory / "out/fine"
    wait_until("it was sent", lambda: re.search(r"sent .*to=<fine\+more@list\.test>.*status=sent", site.log("queued")))
    lines = path.read_text().split("\n")
    if lines[0] != f"fine {ALICE} fine+more@list.test" or lines[1] != f"{ALICE} fine+more@list.test fine+more more list.test":
        raise Failed(f"the program saw {lines[:2]}")
    if lines[2] != f"Return-Path: <{ALICE}>" or lines[-4:] != ["", "From here", ".dot", ""] or "\r" in path.read_text():
        raise Failed("the program read:\n" + path.read_text())


def facts_of(text):
    """what /proc/PID/status says of confinement"""
    facts = dict(line.split(":\t", 1) for line in text.splitlines() if ":\t" in line)
    return {name: facts.get(name) for name in ("Seccomp", "Seccomp_filters", "NoNewPrivs")}


def children_of(pid):
    return [int(child) for child in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def confined(site):
    """deliverd is locked in, every thread of it; the program it runs is as free as we are"""
    for status in pathlib.Path(f"/proc/{agent.pid}/task").glob("*/status"):
        facts = facts_of(status.read_text())
        if (facts["Seccomp"], facts["NoNewPrivs"]) != ("2", "1"):
            raise Failed(f"{status}: {facts}")
    ready = re.findall(r" ready .*landlock=(\d+) seccomp=(\w+)", site.log("pipe"))
    if not ready or ready[-1][1] != "true" or (has_landlock() and ready[-1][0] == "0"):
        raise Failed(f"deliverd says of its confinement: {ready}")
    ours = facts_of(pathlib.Path("/proc/self/status").read_text())
    if facts_of((site.directory / "out/fine.status").read_text()) != ours:
        raise Failed("the program ran with " + (site.directory / "out/fine.status").read_text())
    large = "x" * 70 + "\r\n"
    site.submit(ALICE, ["large@list.test"], f"From: <{ALICE}>\r\nSubject: large\r\n\r\n" + large * 30000)
    wait_until("a message in a spool file was sent", lambda: re.search(r"sent .*to=<large@list\.test>.*status=sent", site.log("queued")))
    size = (site.directory / "out/large").stat().st_size
    if size < 71 * 30000:
        raise Failed(f"the program read {size} octets of the large message")


def reload(site):
    """a reload that takes the program away is refused, and mail still goes to it"""
    path = site.directory / "conf/pipe.toml"
    text = path.read_text()
    path.write_text(text.splitlines()[0] + "\n")
    os.kill(agent.pid, signal.SIGHUP)
    wait_until("it refuses", lambda: "reload-refused level=error" in site.log("pipe"))
    path.write_text(text)
    site.submit(ALICE, ["still@list.test"], f"From: <{ALICE}>\r\nSubject: still\r\n\r\nx\r\n")
    wait_until("it was sent", lambda: re.search(r"sent .*to=<still@list\.test>.*status=sent", site.log("queued")))


def starter(site):
    """without its starter deliverd ends with 75 and says so; the next one has another"""
    children = children_of(agent.pid)
    if len(children) != 1 or pathlib.Path(f"/proc/{children[0]}/comm").read_text() != "starter\n":
        raise Failed(f"deliverd has the children {children}")
    os.kill(children[0], signal.SIGKILL)
    if agent.wait(60) != 75 or "starter-ended level=error" not in site.log("pipe"):
        raise Failed(f"deliverd ended with {agent.returncode}")
    run_deliverd(site)
    site.submit(ALICE, ["again@list.test"], f"From: <{ALICE}>\r\nSubject: again\r\n\r\nx\r\n")
    wait_until("it was sent", lambda: re.search(r"sent .*to=<again@list\.test>.*status=sent", site.log("queued")))
    left = children_of(agent.pid)
    agent.terminate()
    if agent.wait(60) != 0:
        raise Failed(f"deliverd ended with {agent.returncode} after SIGTERM")
    wait_until("the starter ended with it", lambda: not os.path.exists(f"/proc/{left[0]}"))


def failed(site):
    """67 and 69: the sender gets the program's words"""
    reports = b"\n".join(site.wait_for_messages(ALICE, 2)).decode()
    for pattern in (r"^Final-Recipient: rfc822; ?nobody@list\.test\nAction: failed\nStatus: 5\.1\.1$",
                    r"^Final-Recipient: rfc822; ?gone@list\.test\nAction: failed\nStatus: 5\.2\.1$",
                    r"this list has been closed"):
        if not re.search(pattern, reports, re.M):
            raise Failed(f"the reports do not match {pattern}:\n{reports}")


def deferred(site):
    """75, and a program that dies by a signal: the message waits"""
    waiting = wait_until("two wait", lambda: (lambda found: found if len(found) == 2 and all(
        m["state"] == "deferred" for m in found) else None)(site.queue()))
    recipients = sorted(m["recipients"][0]["to"] for m in waiting)
    if recipients != ["busy@list.test", "killed@list.test"]:
        raise Failed(f"there wait {recipients}")


if __name__ == "__main__":
    need("sh")
    try:
        main("exec", [begin, delivered, confined, failed, deferred, reload, starter], [ALICE])
    finally:
        if agent:
            agent.terminate()
            agent.wait(60)
