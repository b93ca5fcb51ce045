#!/usr/bin/env python3
"""Operating a site: curl at each ops socket, confinement, tables, SIGHUP, SIGTERM, the drop directory."""

import json
import os
import pathlib
import re
import signal
import smtplib
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import NOBODY, Failed, has_landlock, main, need, run  # noqa: E402
from ports import is_open  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"
DAEMONS = ("authd", "deliverd", "dnsd", "imapd", "pop3d", "queued", "relayd", "smtpd", "submissiond")
SOCKETS = DAEMONS + ("imapd-worker", "pop3d-worker")
# One line of the Prometheus text format: a comment, or name{labels} value.
METRIC = re.compile(r'# (HELP|TYPE) [a-z0-9_]+ .+|[a-z0-9_]+(\{[a-z0-9_]+="[^"]*"(,[a-z0-9_]+="[^"]*")*\})? -?[0-9.e+-]+')


def curl(site, agent, path, *words):
    return run(["curl", "--silent", "--show-error", "--fail-with-body", "--max-time", "20", "--unix-socket",
                site.directory / f"run/{agent}.ops", f"http://{agent}{path}", *words])


def metric(site, agent, name):
    found = [line.rsplit(" ", 1)[1] for line in curl(site, agent, "/metrics").splitlines() if line.startswith(name + " ")]
    if not found:
        raise Failed(f"{agent} has no metric {name}")
    return float(found[0])


def line_count(site, agent, event):
    return site.log(agent).count(f" {event} ")


def ops(site):
    """curl: /health, /metrics and /options of each daemon"""
    for agent in SOCKETS:
        if json.loads(curl(site, agent, "/health")) != {"status": "ok"}:
            raise Failed(f"{agent} is not well: " + curl(site, agent, "/health"))
        wrong = [line for line in curl(site, agent, "/metrics").splitlines() if not METRIC.fullmatch(line)]
        if wrong:
            raise Failed(f"{agent} has lines that are no metrics: {wrong[:3]}")
        if "drain_time" not in curl(site, agent, "/options"):
            raise Failed(f"{agent} does not show its options")


def restarts(site):
    """curl: the supervisor counts an agent that it had to start again"""
    if json.loads(curl(site, "posthorn", "/health")) != {"status": "ok"}:
        raise Failed("the supervisor is not well")
    name = 'posthorn_agent_starts{agent="authd"}'
    before = metric(site, "posthorn", name)
    site.kill("authd")
    wait_until("authd is started again", lambda: metric(site, "posthorn", name) == before + 1)
    wait_until("authd is ready again", lambda: metric(site, "posthorn", 'posthorn_agent_ready{agent="authd"}') == 1)
    wrong = [line for line in curl(site, "posthorn", "/metrics").splitlines() if not METRIC.fullmatch(line)]
    if wrong:
        raise Failed(f"lines that are no metrics: {wrong[:3]}")


def counters(site):
    """curl: the counters of each hop move with a message"""
    hops = [("smtpd", 'posthorn_smtpd_messages_total{result="taken"}'),
            ("queued", 'posthorn_queued_recipients_total{status="sent"}'),
            ("deliverd", 'posthorn_connections_total{listener="listen"}')]
    before = [metric(site, *hop) for hop in hops]
    site.inject(ALICE, [BOB], f"From: <{ALICE}>\r\nSubject: counted\r\n\r\nx\r\n")
    site.wait_for_messages(BOB, 1)
    wait_until("the queue is empty", lambda: not json.loads(curl(site, "queued", "/queue"))["messages"])
    for hop, old in zip(hops, before):
        wait_until(f"{hop[0]}: {hop[1]} is more than {old}", lambda h=hop, o=old: metric(site, *h) > o)


def confined(site):
    """seccomp and no_new_privs hold for every thread of every daemon, Landlock for every daemon"""
    for agent in DAEMONS:
        pids = site.pids(agent)
        if len(pids) != (2 if agent in ("imapd", "pop3d") else 1):  # a front and a worker
            raise Failed(f"{agent} has the processes {pids}")
        for pid in pids:
            for status in pathlib.Path(f"/proc/{pid}/task").glob("*/status"):
                facts = dict(line.split(":\t", 1) for line in status.read_text().splitlines() if ":\t" in line)
                if (facts["Seccomp"], facts["NoNewPrivs"]) != ("2", "1"):
                    raise Failed(f"{status}: Seccomp {facts['Seccomp']}, NoNewPrivs {facts['NoNewPrivs']}")
    for agent in SOCKETS:
        log = site.log(agent.removesuffix("-worker"))
        ready = re.findall(rf" {agent}\[\d+\]: - ready .*landlock=(\d+) seccomp=(\w+)", log)
        if not ready or ready[-1][1] != "true" or (has_landlock() and ready[-1][0] == "0"):
            raise Failed(f"{agent} says of its confinement: {ready}")


def refused_by_smtpd(site, address):
    with smtplib.SMTP(site.address, site.port("smtp"), timeout=60) as client:
        client.helo()
        client.mail("x@elsewhere.test")
        return client.rcpt(address)[0] == 550


def tables(site):
    """tables and users that are replaced are known, at the intake and in the queue"""
    def replace(name, text):
        fresh = site.directory / f"conf/.{name}.new"
        fresh.write_text(text)
        fresh.rename(site.directory / "conf" / name)

    for number in range(3):
        replace("aliases", f"team{number}@alpha.test {BOB}\n")
        wait_until("a new alias is taken", lambda n=number: not refused_by_smtpd(site, f"team{n}@alpha.test"))
    replace("aliases", "")
    wait_until("an alias that went is refused", lambda: refused_by_smtpd(site, "team2@alpha.test"))
    site.posthorn("user", "add", "carol@alpha.test", text="secret-carol\n")
    wait_until("a new user is taken", lambda: not refused_by_smtpd(site, "carol@alpha.test"))
    before = len(site.messages(BOB))
    replace("aliases", f"late@alpha.test {BOB}\n")
    wait_until("a new alias is taken", lambda: not refused_by_smtpd(site, "late@alpha.test"))
    site.inject(ALICE, ["late@alpha.test"], "Subject: to an alias\r\n\r\nx\r\n")
    site.wait_for_messages(BOB, before + 1)


def size_offered(site):
    with smtplib.SMTP(site.address, site.port("smtp"), timeout=60) as client:
        client.ehlo()
        return client.esmtp_features.get("size")


def reload(site):
    """SIGHUP: a limit changes under a session that stays, a listener answers `needs restart`, an error changes nothing"""
    path = site.directory / "conf/smtpd.toml"
    with smtplib.SMTP(site.address, site.port("smtp"), timeout=60) as old:
        old.ehlo()
        path.write_text('message_size = "10k"\nlisten = ["inet:127.0.0.1:1"]\n')
        os.kill(site.pids("smtpd")[0], signal.SIGHUP)
        wait_until("smtpd says what needs a restart", lambda: re.search(r"needs-restart .*key=listen", site.log("smtpd")))
        wait_until("the new limit is offered", lambda: size_offered(site) == "10240")
        path.write_text('mesage_size = "20k"\n')
        os.kill(site.pids("smtpd")[0], signal.SIGHUP)
        wait_until("smtpd names the wrong key", lambda: "mesage_size" in site.log("smtpd"))
        if size_offered(site) != "10240":
            raise Failed(f"SIZE is {size_offered(site)} after a reload with an error")
        if old.noop()[0] != 250:
            raise Failed("the session that was there did not survive the reload")
    path.unlink()
    for agent in DAEMONS:
        pids = site.pids(agent)
        os.kill(pids[0], signal.SIGHUP)
        wait_until(f"{agent} reads its configuration again", lambda a=agent: line_count(site, a, "reloaded"))
        if site.pids(agent) != pids:
            raise Failed(f"{agent} did not survive SIGHUP")


def drain(site):
    """SIGTERM: a message under way is still taken, then the session ends; smtpd comes back"""
    before = len(site.messages(BOB))
    pid = site.pids("smtpd")[0]
    with socket.create_connection((site.address, site.port("smtp")), timeout=60) as client:
        lines = client.makefile("rb")

        def ask(text):
            client.sendall(text.encode() + b"\r\n")
            return lines.readline().decode()
        lines.readline()
        ask("HELO x")
        ask("MAIL FROM:<x@elsewhere.test>")
        ask(f"RCPT TO:<{BOB}>")
        if not ask("DATA").startswith("354"):
            raise Failed("no 354")
        os.kill(pid, signal.SIGTERM)
        wait_until("smtpd is ending", lambda: "stopping why=SIGTERM" in site.log("smtpd"))
        said = ask("Subject: in the last moment\r\n\r\nx\r\n.")
        if not said.startswith("250"):
            raise Failed(f"the message that was under way got {said!r}")
        end = lines.readline()
        if end and not end.startswith(b"421"):
            raise Failed(f"the session ended with {end!r}")
    site.wait_for_messages(BOB, before + 1)
    wait_until("smtpd runs again", lambda: [p for p in site.pids("smtpd") if p != pid] and is_open(site.port("smtp"), site.address))
    site.inject(ALICE, [BOB], "Subject: to the new one\r\n\r\nx\r\n")
    site.wait_for_messages(BOB, before + 2)


def drop(site):
    """queue/drop: LF and CRLF, the sender rule by the file's owner, a file without its end"""
    directory = site.directory / "queue/drop"
    before = len(site.messages(BOB))

    def put(name, text, owner=None):
        hidden = directory / f".{name}"
        hidden.write_bytes(text.encode())
        if owner is not None:
            os.chown(hidden, owner, owner)
        hidden.rename(directory / name)

    def batch(sender, subject, end="\n"):
        return f"MAIL FROM:<{sender}>\nRCPT TO:<{BOB}>\nDATA\nFrom: <{ALICE}>\nSubject: {subject}\n\n..dots\n.\n".replace("\n", end)

    put("lf", batch(ALICE, "lf"))
    put("crlf", batch(ALICE, "crlf", "\r\n"))
    found = site.wait_for_messages(BOB, before + 2)
    if not all(text.endswith(b"\n\n.dots\n") for text in found[-2:]):
        raise Failed(f"a dropped message came out as {found[-1]!r}")
    put("torn", batch(ALICE, "torn")[:-2])
    wait_until("queued names the torn file", lambda: "drop-unreadable" in site.log("queued"))
    time.sleep(1.5)
    if not (directory / "torn").exists() or len(site.messages(BOB)) != before + 2:
        raise Failed("a file without its final dot was taken")
    with open(directory / "torn", "a") as torn:
        torn.write(".\n")
    site.wait_for_messages(BOB, before + 3)
    wait_until("what was taken is gone", lambda: not [f for f in directory.iterdir() if f.name[0] != "."])
    if os.geteuid() != 0:
        print("        (the owner's rule needs root: only root can give a file away)")
        return
    put("foreign", batch(ALICE, "foreign"), NOBODY)
    wait_until("a sender that is not the owner's is refused", lambda: (directory / ".refused-foreign").exists())
    put("null", batch("", "null"), NOBODY)
    found = site.wait_for_messages(BOB, before + 4)
    if len(found) != before + 4 or b"Subject: null" not in found[-1]:
        raise Failed(f"expected the message with the null sender, got {found[-1]!r}")


def queue_verbs(site):
    """curl: list, hold, show and delete at queued"""
    site.wait_for_empty_queue()
    for pid in site.pids("deliverd"):
        os.kill(pid, signal.SIGSTOP)
    try:
        site.inject(ALICE, [BOB], "Subject: waits\r\n\r\nx\r\n")
        messages = wait_until("the message is listed", lambda: json.loads(curl(site, "queued", "/queue"))["messages"])
        target = f"/queue/{messages[0]['id']}"
        curl(site, "queued", target + "/hold", "--data", '{"reason":"by curl"}')
        held = json.loads(curl(site, "queued", "/queue?state=held"))["messages"]
        if [m["id"] for m in held] != [messages[0]["id"]]:
            raise Failed(f"held: {held}")
        if "Subject: waits" not in curl(site, "queued", target + "/message"):
            raise Failed("the message is not shown")
        curl(site, "queued", target + "/delete", "-X", "POST")
    finally:
        for pid in site.pids("deliverd"):
            os.kill(pid, signal.SIGCONT)
    wait_until("the queue is empty", lambda: not json.loads(curl(site, "queued", "/queue"))["messages"])


if __name__ == "__main__":
    need("curl")
    main("operating", [ops, restarts, counters, confined, tables, reload, drain, drop, queue_verbs], [ALICE, BOB])
