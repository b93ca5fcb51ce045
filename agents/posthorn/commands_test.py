#!/usr/bin/env python3
"""posthorn's commands on a running site: commands_test.py DIRECTORY-OF-PROGRAMS.

queue: with queued, which is asked over its ops socket. The same on the files of a stopped queue is in queue_test.cc.
"""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test/support"))
os.environ["POSTHORN_BIN"] = sys.argv[1]
from posthorn_site import Failed, Workshop, wait_until  # noqa: E402

BATCH = ("MAIL FROM:<ann@alpha.test>\r\nRCPT TO:<bob@nowhere.test>\r\nDATA\r\nFrom: ann@alpha.test\r\nSubject: one\r\n"
         "\r\n..dot\r\n.\r\n"
         "MAIL FROM:<>\r\nRCPT TO:<ann@alpha.test>\r\nRCPT TO:<carol@nowhere.test>\r\nDATA\r\nFrom: x@y.test\r\n"
         "Subject: two\r\n\r\nhello\r\n.\r\n")


def expect(what, condition):
    if not condition:
        raise Failed(what)


class Posthorn:
    """The commands, as a person types them."""

    def __init__(self, site):
        self.site = site

    def __call__(self, *words, exit=0, text=None):
        done = self.site.posthorn(*words, check=False, text=text)
        expect(f"posthorn {' '.join(words)} ends with {exit}, not {done.returncode}: {done.stderr}",
               done.returncode == exit)
        return done

    def json(self, *words, exit=0):
        return json.loads(self(*words, "--json", exit=exit).stdout)

    def messages(self, *words):
        return self.site.posthorn("queue", "list", "--json", *words).stdout and \
            json.loads(self.site.posthorn("queue", "list", "--json", *words).stdout)["messages"]


def check_queue(site):
    run = Posthorn(site)
    run("queue", "list", exit=1)
    ids = run("queue", "import", text=BATCH).stdout.split()
    expect(f"an import of two messages gives two ids, not {ids}", len(ids) == 2)
    first, second = ids
    site.wait_for_messages("ann@alpha.test", 1)
    wait_until("both wait for nowhere.test", lambda: [m["id"] for m in run.messages("--state", "deferred")] == ids)

    run("queue", "hold", first, "--reason", "look here")
    held = run.messages("--state", "held")
    expect(f"one is held, with the reason: {held}", [m["id"] for m in held] == [first] and
           held[0]["hold_reason"] == "look here")
    expect("--from finds the null path", [m["id"] for m in run.messages("--from", "<>")] == [second])
    expect("--to finds a domain", len(run.messages("--to", "@nowhere.test")) == 2)
    expect("the table has a line for each open recipient",
           run("queue", "list").stdout.count("@nowhere.test") == 2)

    shown = run.json("queue", "show", second)
    states = {to["to"]: to["status"] for to in shown["recipients"]}
    expect(f"one recipient is done, one is open: {states}",
           states == {"ann@alpha.test": "sent", "carol@nowhere.test": "pending"})
    expect("the table shows them too", "carol@nowhere.test" in run("queue", "show", second).stdout)
    expect("cat undoes the dots", run("queue", "cat", first).stdout.endswith("\n\n.dot\n"))

    batch = run("queue", "export").stdout
    expect("export has the open recipients only",
           "bob@nowhere.test" in batch and "carol@nowhere.test" in batch and "ann@alpha.test>\n" not in
           batch.replace("MAIL FROM:<ann@alpha.test>\n", ""))
    run("queue", "release", first)
    expect("a released message is no longer held", not run.messages("--state", "held"))
    expect("flush tells how many it tries", set(run.json("queue", "flush")) == {"messages"})
    wait_until("requeue finds it unattended", lambda: site.posthorn("queue", "requeue", first, check=False).returncode == 0)
    expect("delete --all goes by the selection",
           run.json("queue", "delete", "--all", "--from", "<>") == {"messages": 1})
    expect("the other one stays", [m["id"] for m in run.messages()] == [first])
    run("queue", "delete", first)
    run("queue", "list", exit=1)
    again = run("queue", "import", "-", text=batch).stdout.split()
    expect("what was exported can be imported", len(again) == 2)
    run("queue", "delete", *again)

    error = json.loads(run("queue", "show", "0000000000000000", "--json", exit=67).stderr)["error"]
    expect(f"an error has code, message and hint: {error}", error["code"] == "not-found" and
           error["message"] and error["hint"])
    run("queue", "import", text="HELO\r\nnonsense\r\n", exit=65)
    run("queue", "delete", exit=64)
    run("queue", "hold", first, exit=67)


def check_check(site):
    run = Posthorn(site)
    found = run.json("check")["findings"]
    errors = [f for f in found if f["grade"] == "error"]
    expect(f"a running sandbox has no errors: {errors}", not errors)
    wrong = site.directory / "conf/smtpd.toml"
    wrong.write_text("hostnam = 1\n")
    said = run("check", "--quiet", exit=1).stdout
    expect(f"an error has its file, line and nearest key: {said}",
           "smtpd.toml:1: unknown key hostnam, did you mean hostname?" in said)
    wrong.unlink()


def check_supervisor(site):
    run = Posthorn(site)
    second = run("run", exit=69)
    expect("a site is run once", "another posthorn runs this site" in second.stderr)
    before = site.pids("smtpd")
    site.kill("smtpd")
    after = wait_until("smtpd runs again", lambda: [p for p in site.pids("smtpd") if p not in before])
    expect("there is one smtpd", len(after) == 1)
    site.inject("x@y.test", ["ann@alpha.test"], b"From: x@y.test\r\n\r\nafter the kill\r\n")


def main():
    with Workshop("commands") as workshop:
        site = workshop.site("alpha", ["alpha.test"], ["ann@alpha.test"], routes=["nowhere.test=127.0.0.1:1"]).start()
        check_queue(site)
        check_check(site)
        check_supervisor(site)


main()
