#!/usr/bin/env python3
"""mua stays up to date: watch by IDLE and on a Maildir, sync with Dovecot and with imapd."""

import functools
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dovecot import need_imap  # noqa: E402
from mua_world import CARL, DORA, World, account, deliver_three, expect, make_maildir, put_into, watches  # noqa: E402
from posthorn_site import Workshop, wait_until  # noqa: E402
from steps import run_in  # noqa: E402


def watch(world):
    """watch: IDLE, a JSON stream, --exec"""
    facts = world.home / "facts"
    make_maildir(world.home / "bob")
    process = world.start("--account", "carl,bob", "watch", "--json", "--once", "--duration", "60s", "--exec",
                          f'printf "%s|%s|%s" "$MUA_ACCOUNT" "$MUA_SUBJECT" "$MUA_FROM" > {facts}.new && mv {facts}.new {facts}-$MUA_ACCOUNT',
                          stderr=subprocess.PIPE)
    try:
        first = [json.loads(process.stdout.readline()) for _ in range(2)]
        expect(f"both are watched: {first}", {(e["event"], e["account"]) for e in first} == {("watching", "carl"), ("watching", "bob")})
        world.dovecot.deliver("From: x@beta.test\nSubject: neu; $(touch evil)\nMessage-ID: <w@beta.test>\n\nx\n")
        event = json.loads(process.stdout.readline())
        expect(f"told: {event}", event["event"] == "arrived" and event["account"] == "carl" and event["message"]["subject"].startswith("neu"))
        wait_until("the command ran", lambda: (world.home / "facts-carl").exists())
        expect("with the facts", (world.home / "facts-carl").read_text() == "carl|neu; $(touch evil)|x@beta.test")
        (world.home / "bob/new" / "1795378460.M1P1.test").write_text("From: y@beta.test\nSubject: here\n\nx\n")
        event = json.loads(process.stdout.readline())
        expect(f"the Maildir too: {event}", event["event"] == "arrived" and event["account"] == "bob")
        expect("then it ends", process.wait(60) == 0)
    finally:
        process.kill()
        process.wait()


def nothing(result):
    return all(result[key] == 0 for key in ("fetched", "removed", "flags_here", "flags_there", "appended", "removed_there"))


def syncs_two_ways(world, there, target, copy):
    run_ = ("sync", "inbox", "--to", target)
    (target / "new/1795378461.M1P1.test").write_text("From: me@beta.test\nSubject: from here\nMessage-ID: <h@beta.test>\n\nx\n")
    expect("what is new here stays here", nothing(world.one(*there, *run_)))
    dry = world.one(*there, *run_, "--two-way", "--dry-run")
    expect(f"a dry run says what would be: {dry}", dry["appended"] == 1 and not world.rows(*there, "search", "subject:from", exit=1))
    both = world.one(*there, *run_, "--two-way")
    expect(f"an addition goes there: {both}", (both["appended"], both["removed_there"], both["fetched"]) == (1, 0, 0))
    expect("as it is", world.one(*there, "search", "id:h@beta")["subject"] == "from here")
    expect("and comes back no second time", nothing(world.one(*there, *run_, "--two-way")))
    uid = world.one(*copy, "search", "id:h@beta")["uid"]
    world.call(*copy, "delete", "--forever", uid)
    expect("a deletion alone changes nothing there", nothing(world.one(*there, *run_)))
    gone = world.one(*there, *run_, "--two-way")
    expect(f"with --two-way it goes: {gone}", gone["removed_there"] == 1)
    world.call(*there, "search", "id:h@beta", exit=1)
    local = world.rows(*copy, "list")
    world.call(*copy, "flag", local[0]["uid"], "+$OneWay")
    expect("one way is one way", nothing(world.one(*there, *run_, "--one-way")))
    world.call(*there, "search", "keyword:$OneWay", exit=1)
    expect("the flag is not forgotten", world.one(*there, *run_)["flags_there"] == 1)


def syncs(world, where, deliver):
    there = ("--account", where)
    target = world.home / f"synced-{where}"
    count = len(world.rows(*there, "list"))
    first = world.one(*there, "sync", "INBOX", "--to", target)
    expect(f"all is fetched: {first}", first["fetched"] == count)
    again = world.one(*there, "sync", "INBOX", "--to", target)
    expect(f"nothing twice: {again}", (again["fetched"], again["removed"], again["flags_here"], again["flags_there"]) == (0, 0, 0, 0))
    files = [f for sub in ("new", "cur") for f in (target / sub).iterdir()]
    expect("on disk", len(files) == count)
    world.write_config()
    world.add_account(account("copy", address=CARL, store="maildir", path=str(target)))
    rows = world.rows(*there, "list")
    local = world.rows("--account", "copy", "list")
    expect("the same mail", sorted(r["message_id"] for r in rows) == sorted(r["message_id"] for r in local))
    deliver("From: x@beta.test\nSubject: fresh\nMessage-ID: <f@beta.test>\n\nx\n")
    world.call(*there, "flag", rows[0]["uid"], "+flagged")
    world.call("--account", "copy", "flag", local[-1]["uid"], "+$Later")
    delta = world.one(*there, "sync", "INBOX", "--to", target)
    expect(f"what is new on both sides: {delta}", (delta["fetched"], delta["flags_here"], delta["flags_there"]) == (1, 1, 1))
    marked = world.one(*there, "search", "keyword:$Later")
    expect(f"the flag went there: {marked}", marked["message_id"] == local[-1]["message_id"])
    world.one("--account", "copy", "search", "is:flagged", "id:" + rows[0]["message_id"].strip("<>"))
    world.call(*there, "delete", "--forever", rows[0]["uid"])
    expect("what was deleted there goes here", world.one(*there, "sync", "INBOX", "--to", target)["removed"] == 1)
    expect("nothing twice with QRESYNC", nothing(world.one(*there, "sync", "inbox", "--to", target)))
    syncs_two_ways(world, there, target, ("--account", "copy"))
    # A level below another, by the server's separator.
    name = "v1.2" if where == "dora" else "v1/2"
    world.call(*there, "folders", "create", name)
    world.call(*there, "copy", world.rows(*there, "list")[0]["uid"], name)
    dotted = world.one(*there, "sync", "--to", target)
    expect(f"a folder below another, too: {dotted}", dotted["fetched"] >= 1 and (target / ".v1.2/cur").is_dir())
    expect("and nothing of all folders twice", nothing(world.one(*there, "sync", "--to", target)))
    world.call(*there, "sync", "nowhere", "--to", target, exit=67)
    world.call(*there, "folders", "delete", name, "--force")


def sync(world):
    """sync: new mail, flags both ways, expunges, nothing twice; two ways, one way, names with dots"""
    deliver_three(CARL, world.dovecot.deliver)
    syncs(world, "carl", world.dovecot.deliver)


def imapd(world):
    """the same at the sandbox's imapd"""
    deliver = functools.partial(put_into, world.site.maildir(DORA))
    deliver_three(DORA, deliver)
    watches(world, "dora", deliver)
    syncs(world, "dora", deliver)


if __name__ == "__main__":
    need_imap()
    run_in(Workshop("mua-sync"), [watch, sync, imapd], lambda workshop: World(workshop).start_dovecot())
