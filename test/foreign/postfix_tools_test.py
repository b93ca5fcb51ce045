#!/usr/bin/env python3
"""Postfix's smtp-source and smtp-sink: as a client of smtpd, as an LMTP client of deliverd, as the host that relayd sends to."""

import os
import re
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, need, run  # noqa: E402
from ports import accepts, free_port, greets  # noqa: E402
from posthorn_site import Workshop, programs, wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"


def source(to, count, *words):
    run(["smtp-source", "-m", count, "-f", "stranger@elsewhere.test", "-t", BOB, *words, to], timeout=120)


def expect(site, count):
    wait_until(f"bob has {count} messages", lambda: len(site.messages(BOB)) >= count)
    if len(site.messages(BOB)) != count:
        raise Failed(f"bob has {len(site.messages(BOB))} messages instead of {count}")


class Sink:
    """smtp-sink on a free port, run as nobody, counting."""

    def __init__(self, *words):
        self.port = free_port()
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        self.process = subprocess.Popen(["smtp-sink", *user, *words, f"127.0.0.1:{self.port}", "100"],
                                        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        wait_until("smtp-sink listens", lambda: greets(self.port))

    def stop(self):
        self.process.terminate()
        self.process.wait(60)


def check_source(site):
    source(f"{site.address}:{site.port('smtp')}", 50)
    expect(site, 50)
    print("ok      smtp-source, one session", flush=True)
    source(f"{site.address}:{site.port('smtp')}", 500, "-s", 20, "-l", 4096, "-d")
    expect(site, 550)
    print("ok      smtp-source, 20 sessions", flush=True)
    source(f"unix:{site.facts['sockets']['lmtp']}", 100, "-L", "-s", 5, "-l", 10000)
    expect(site, 650)
    print("ok      smtp-source, LMTP to deliverd", flush=True)


def relayd_counts(site, name):
    metrics = run(["curl", "--silent", "--show-error", "--unix-socket", site.directory / "run/relayd.ops",
                   "http://x/metrics"])
    return sum(int(line.rsplit(" ", 1)[1]) for line in metrics.splitlines() if line.startswith(name + " "))


def check_sink(site, sinks):
    for number in range(20):
        site.submit(ALICE, ["eve@plain.test", "adam@plain.test"], f"From: <{ALICE}>\r\nSubject: {number}\r\n\r\nhello\r\n")
    site.wait_for_empty_queue()
    counter = 'posthorn_relayd_recipients_total{result="sent"}'
    wait_until("relayd has counted them", lambda: relayd_counts(site, counter) >= 40)
    sent = relayd_counts(site, counter)
    opened = relayd_counts(site, 'posthorn_relayd_connections_total{result="opened"}')
    reused = relayd_counts(site, 'posthorn_relayd_connections_total{result="reused"}')
    if sent != 40 or reused == 0 or opened + reused != 20:
        raise Failed(f"{sent} recipients instead of 40, over {opened} connections, {reused} times one that was there")
    print(f"ok      relayd to smtp-sink, 20 messages over {opened} connections", flush=True)

    site.submit(ALICE, ["eve@without-dsn.test"], f"From: <{ALICE}>\r\nSubject: told\r\n\r\nhello\r\n",
                rcpt_options=["NOTIFY=SUCCESS"])
    report = site.wait_for_messages(ALICE, 1)[0].decode()
    for pattern in (r"^Action: relayed$", r"^Final-Recipient: rfc822; ?eve@without-dsn\.test$", r"^Status: 2\.",
                    r"^Reporting-MTA: dns; ?mail\.alpha\.test$"):
        if not re.search(pattern, report, re.M):
            raise Failed(f"the report does not match {pattern}:\n{report}")
    print("ok      smtp-sink without DSN: relayd reports `relayed`", flush=True)

    site.submit(ALICE, ["eve@refusing.test"], f"From: <{ALICE}>\r\nSubject: refused\r\n\r\nhello\r\n")
    report = site.wait_for_messages(ALICE, 2)[-1].decode()
    if not re.search(r"^Status: 5\.", report, re.M) or "said:" not in report:
        raise Failed("the report does not hold the sink's words:\n" + report)
    print("ok      smtp-sink refuses RCPT for good: a report with its words", flush=True)

    site.submit(ALICE, ["eve@trying.test"], f"From: <{ALICE}>\r\nSubject: deferred\r\n\r\nhello\r\n")
    wait_until("the message is deferred", lambda: "status=deferred" in site.log("queued"))
    wait_until("the queue holds the deferred one alone", lambda: len(site.queue()) == 1)
    print("ok      smtp-sink refuses for now: deferred, not bounced", flush=True)

    site.submit(ALICE, ["eve@hanging-up.test"], f"From: <{ALICE}>\r\nSubject: lost\r\n\r\nhello\r\n")
    wait_until("both are in the queue", lambda: len(site.queue()) == 2 and
               site.log("queued").count("status=deferred") >= 2)
    time.sleep(0.5)
    print("ok      smtp-sink hangs up behind DATA: deferred", flush=True)
    for sink in sinks.values():
        if sink.process.poll() is not None:
            raise Failed("smtp-sink died")


def check_next_hop(directory):
    """smtpd and submissiond stand alone between smtp-source and smtp-sink, that takes what it gets or refuses it."""
    for agent in ("smtpd", "submissiond"):
        for protocol, words in (("smtp", []), ("lmtp", ["-L"])):
            taking, refusing = Sink(*words), Sink(*words, "-f", "DATA,.")
            home = directory / f"{agent}-{protocol}"
            (home / "run").mkdir(parents=True)
            in_front = {}
            try:
                for sink in (taking, refusing):
                    path = home / f"run/{sink.port}.sock"
                    with open(home / "log", "ab") as log:
                        in_front[sink] = subprocess.Popen(
                            [programs() / agent, "--site", home, "--listen", f"unix:{path}", "--userdb", "", "--domains",
                             "alpha.test", "--name", f"sink{sink.port}", "--next-hop", f"{protocol}:inet:127.0.0.1:{sink.port}"],
                            stdin=subprocess.DEVNULL, stderr=log)
                    wait_until(f"{agent} listens", lambda: accepts(path))
                source(f"unix:{home}/run/{taking.port}.sock", 200, "-s", 10, "-l", 20000, "-r", 2)
                said = run(["smtp-source", "-m", 1, "-f", "a@alpha.test", "-t", BOB, f"unix:{home}/run/{refusing.port}.sock"],
                           expect=None)
                if not re.search(r"5\d\d 5\.\d\.\d", said):
                    raise Failed(f"{agent} before a {protocol} sink that refuses: smtp-source said {said!r}\n" +
                                 (home / "log").read_text()[-1500:])
            finally:
                for process in in_front.values():
                    process.terminate()
                    process.wait(60)
                taking.stop()
                refusing.stop()
            if (home / "log").read_text().count(" taken ") != 200:
                raise Failed((home / "log").read_text()[-1500:])
            print(f"ok      smtp-source, {agent} --next-hop {protocol}, smtp-sink: 200 messages, and a refused one", flush=True)


def main():
    need("smtp-source", "smtp-sink", "curl")
    sinks = {}
    try:
        sinks = {"plain.test": Sink(), "without-dsn.test": Sink("-N"), "refusing.test": Sink("-f", "rcpt"),
                 "trying.test": Sink("-r", "rcpt"), "hanging-up.test": Sink("-q", ".")}
        with Workshop("postfix-tools") as workshop:
            routes = [f"{domain}=127.0.0.1:{sink.port}" for domain, sink in sinks.items()]
            site = workshop.site("alpha", ["alpha.test"], [ALICE, BOB], routes=routes).start()
            check_source(site)
            check_sink(site, sinks)
            check_next_hop(workshop.directory)
    except Failed as problem:
        sys.exit(f"failed: {problem}")
    finally:
        for sink in sinks.values():
            sink.stop()


if __name__ == "__main__":
    main()
