#!/usr/bin/env python3
"""mua and mail in a store: Maildir and mbox on disk, Dovecot's IMAP and imapd. Reading, searching, flags, folders, drafts, answers."""

import email
import email.policy
import functools
import json
import os
import pty
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dovecot import need_imap  # noqa: E402
from foreign import read_terminal  # noqa: E402
from mua_world import ALICE, BOB, CARL, DORA, PASSWORD, World, deliver_three, expect, put_into, watches  # noqa: E402
from posthorn_site import Workshop, programs  # noqa: E402
from steps import run_in  # noqa: E402


def work_with_mail(world, account):
    """Everything that is done with mail in a store; the same for each kind."""
    on = ("--account", account)
    rows = world.rows(*on, "list")
    expect(f"{account}: newest first: {[r['subject'] for r in rows]}", [r["subject"] for r in rows] == ["files", "Re: Plan", "Plan"])
    files, answer, plan = rows
    expect("decoded names, and a sender who claims to be another", plan["from"][0]["name"] == "Jürgen" and files.get("suspicious_sender"))
    expect("attachments are seen", files["attachment"] and not plan["attachment"])
    expect("all unread", all("\\Seen" not in r["flags"] for r in rows))
    text = world.call(*on, "read", answer["uid"]).stdout.decode()
    expect(f"no escape reaches the terminal: {text!r}", "\x1b" not in text and "answer" in text)
    read = world.one(*on, "read", files["uid"], "--peek")
    expect(f"HTML as text: {read['text']!r}", "See" in read["text"] and "both" in read["text"] and "x()" not in read["text"])
    expect("parts", [p["part"] for p in read["parts"]] == ["", "1", "2", "3"])
    raw = world.call(*on, "read", plan["uid"], "--raw", "--peek").stdout.replace(b"\r\n", b"\n")
    expect("raw", raw.endswith(b"\n\nfirst\n"))
    seen = {r["uid"]: "\\Seen" in r["flags"] for r in world.rows(*on, "list")}
    expect(f"read marks, peek does not: {seen}", seen == {files["uid"]: False, answer["uid"]: True, plan["uid"]: False})

    def found(*query):
        out = subprocess.run([str(programs() / "mua"), *on, "search", "--json", *query], capture_output=True, env=world.environment(), timeout=60)
        expect(f"search {query}: {out.stderr.decode()}", out.returncode in (0, 1))
        return [json.loads(line)["subject"] for line in out.stdout.splitlines()]

    for query, subjects in ((["from:jürgen"], ["Plan"]), (["is:unread", "-subject:plan"], ["files"]), (["subject:plan"], ["Re: Plan", "Plan"]),
                            (["has:attachment"], ["files"]), (["-has:attachment", "is:read"], ["Re: Plan"]), (["body:first", "or", "body:answer"], ["Re: Plan", "Plan"]),
                            (["-is:read", "(from:evil or from:ann)"], ["files"]), (["larger:1M"], []), (["id:2@beta"], ["Re: Plan"]),
                            (["from:nobody"], [])):
        expect(f"{account}: {query} finds {subjects}, not {found(*query)}", found(*query) == subjects)
    world.call(*on, "search", "larger:x", exit=64)

    names = world.rows(*on, "attachments", "list", files["uid"])
    expect(f"names of files: {names}", [n["saved_as"] for n in names] == ["invoice.pdf.exe", "n.txt"] and names[0]["hidden_extension"])
    out = world.home / f"out-{account}"
    out.mkdir()
    for _ in range(2):
        world.call(*on, "attachments", "save", files["uid"], "--dir", out)
    expect("saved within the directory, over nothing", sorted(f.name for f in out.iterdir()) ==
           ["invoice.pdf-2.exe", "invoice.pdf.exe", "n-2.txt", "n.txt"] and (out / "invoice.pdf.exe").read_bytes() == b"hello")
    expect("a part to standard output", world.call(*on, "attachments", "save", files["uid"], "3", "--stdout").stdout.strip() == b"plain")

    world.call(*on, "flag", answer["uid"], "+flagged", "-read", "+$Work")
    flags = world.one(*on, "search", f"uid:{answer['uid']}")["flags"]
    expect(f"flags: {flags}", set(flags) >= {"\\Flagged", "$Work"} and "\\Seen" not in flags)
    thread = world.rows(*on, "thread", answer["uid"])
    expect(f"a conversation: {thread}", [(t["subject"], t["depth"]) for t in thread] == [("Plan", 0), ("Re: Plan", 1)])
    world.call(*on, "read", 4711, exit=67)


def work_with_folders(world, account):
    """Folders, moves and copies, drafts, for stores that have folders."""
    on = ("--account", account)
    level = "." if account == "dora" else "/"  # imapd's separator
    books, old = f"Work{level}Bücher", f"Work{level}Altes"
    uids = {r["subject"]: r["uid"] for r in world.rows(*on, "list")}
    world.call(*on, "folders", "create", books)
    world.call(*on, "copy", uids["Plan"], books)
    world.call(*on, "move", uids["files"], books)
    rows = world.rows(*on, "list", books)
    expect(f"copied and moved: {[r['subject'] for r in rows]}", sorted(r["subject"] for r in rows) == ["Plan", "files"])
    expect("moved away", sorted(r["subject"] for r in world.rows(*on, "list")) == ["Plan", "Re: Plan"])
    expect("everywhere", len(world.rows(*on, "search", "--all-folders", "subject:plan")) >= 3)
    world.call(*on, "folders", "rename", books, old)
    folders = {f["folder"]: f for f in world.rows(*on, "folders", "list", "--counts")}
    expect(f"folders: {list(folders)}", folders[old]["messages"] == 2 and folders["INBOX"]["role"] == "inbox")
    world.call(*on, "folders", "delete", old, exit=65)
    world.call(*on, "folders", "delete", old, "--force")
    world.call(*on, "list", old, exit=67)
    world.call(*on, "folders", "create", "INBOX", exit=1) if account == "bob" else None
    world.call(*on, "delete", uids["Plan"], "--forever")
    expect("gone for good", [r["subject"] for r in world.rows(*on, "list")] == ["Re: Plan"])
    draft = world.one(*on, "send", "--draft", "--to", ALICE, "--bcc", BOB, "--subject", "half", "--body", "...")
    expect(f"a draft: {draft}", draft["status"] == "draft")
    row = world.one(*on, "drafts", "list")
    expect("with its flag", "\\Draft" in row["flags"] and row["folder"] == "Drafts")
    expect("Bcc stays in a draft", b"Bcc: " in world.call(*on, "read", row["uid"], "--folder", "drafts", "--raw", "--peek").stdout)
    world.call(*on, "drafts", "delete", row["uid"])
    world.call(*on, "drafts", "list", exit=1)
    if account == "carl":  # has no submission where there is no Postfix
        return
    before = len(world.site.messages(ALICE))
    world.one(*on, "send", "--draft", "--to", ALICE, "--bcc", BOB, "--subject", "whole now", "--body", "...")
    sent = world.one(*on, "drafts", "send", world.one(*on, "drafts", "list")["uid"])
    expect(f"a draft is sent to its Bcc, too: {sent}", sent["status"] == "sent" and sorted(sent["recipients"]) == sorted([ALICE, BOB]))
    raw = world.site.wait_for_messages(ALICE, before + 1)[-1]
    expect("without saying so", b"whole now" in raw and b"Bcc" not in raw)
    world.call(*on, "drafts", "list", exit=1)


def maildir(world):
    """Maildir on disk"""
    deliver = functools.partial(put_into, world.home / "bob")
    deliver_three(BOB, deliver)
    work_with_mail(world, "bob")
    work_with_folders(world, "bob")
    deliver("From: x@beta.test\nSubject: steers\nContent-Type: text/html\n\n<p>\x1b]0;owned\x07</p>\n")
    uid = world.one("--account", "bob", "search", "subject:steers")["uid"]
    read = ("--account", "bob", "read", uid, "--html")
    expect("HTML in a pipe is as it was sent", b"\x1b]0;owned" in world.call(*read).stdout)
    ours, terminal = pty.openpty()
    subprocess.run([str(programs() / "mua"), *map(str, read)], stdout=terminal, env=world.environment(), timeout=60, check=True)
    shown = read_terminal(ours)
    os.close(ours)
    os.close(terminal)
    expect(f"but steers no terminal: {shown}", b"owned" in shown and b"\x1b]" not in shown)
    deliver("From: x@beta.test\nSubject: c1\nContent-Type: text/plain; charset=utf-8\n\n\u009b31mred \x7f\n")
    c1 = world.one("--account", "bob", "search", "subject:c1")["uid"]
    printed = world.call("--account", "bob", "read", c1, "--json").stdout
    expect(f"JSON steers none either: {printed}", b"\xc2\x9b" not in printed and b"\x7f" not in printed and "\u009b" in json.loads(printed)["text"])
    world.call("--account", "bob", "delete", "--forever", c1)
    world.call("--account", "bob", "delete", "--forever", f"{uid + 50}:*", exit=67)
    world.call("--account", "bob", "delete", "--forever", uid)


def answers(world):
    """reply and forward from a Maildir by submission"""
    uid = world.one("--account", "bob", "list")["uid"]
    printed = world.call("--account", "bob", "reply", uid, "--body", "Danke", "--dry-run").stdout.decode()
    mail = email.message_from_string(printed, policy=email.policy.default)
    expect(f"an answer: {printed}", mail["To"].addresses[0].addr_spec == "a@beta.test" and mail["Subject"] == "Re: Plan" and
           mail["In-Reply-To"] == "<2@beta.test>" and mail["References"] == "<1@beta.test> <2@beta.test>")
    expect("quoted", "\n> answer" in mail.get_content().replace("\r\n", "\n") and mail.get_content().startswith("Danke"))
    before = len(world.site.messages(ALICE))
    sent = world.one("--account", "bob", "forward", uid, "--to", ALICE, "--body", "fyi")
    expect(f"forwarded: {sent}", sent["status"] == "sent")
    raw = world.site.wait_for_messages(ALICE, before + 1)[-1]
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    inner = [p for p in mail.walk() if p.get_content_type() == "message/rfc822"]
    expect("whole, as an attachment", (inner and inner[0].get_payload(0)["Message-ID"] == "<2@beta.test>") or b"forwarded.eml" in raw)
    expect("marked", "$Forwarded" in world.one("--account", "bob", "list")["flags"])


def leaves_by_mail(world):
    """unsubscribe by a message, to all the list names"""
    (world.home / "bob/new/1795378470.M1P1.test").write_text(
        f"From: l@beta.test\nSubject: by mail\nList-Unsubscribe: <mailto:{ALICE},{DORA.replace('@', '%40')}?subject=leave%20me>\n\nx\n")
    uid = world.one("--account", "bob", "search", "subject:mail")["uid"]
    would = world.one("--account", "bob", "unsubscribe", uid)
    expect(f"says to whom: {would}", would["mailto"] == f"{ALICE},{DORA}" and would["status"] == "not-done")
    before = {who: len(world.site.messages(who)) for who in (ALICE, DORA)}
    done = world.one("--account", "bob", "unsubscribe", uid, "--yes")
    expect(f"one message to both: {done}", sorted(done["recipients"]) == sorted([ALICE, DORA]))
    for who, count in before.items():
        expect("it asks to leave", b"Subject: leave me" in world.site.wait_for_messages(who, count + 1)[-1])
    world.call("--account", "bob", "delete", "--forever", uid)
    world.call("--account", "dora", "delete", "--forever", "1:*")


def mbox(world):
    """an mbox on disk"""
    texts = []
    deliver_three(BOB, texts.append)
    (world.home / "mbox").write_text("".join("From x@beta.test Mon Nov  2 10:00:00 2026\n" + t + "\n" for t in texts))
    rows = world.rows("--account", "mbox", "list")
    expect(f"listed: {[r['subject'] for r in rows]}", [r["subject"] for r in rows] == ["files", "Re: Plan", "Plan"])
    expect("searched", world.one("--account", "mbox", "search", "from:jürgen")["subject"] == "Plan")
    expect("read", "first" in world.one("--account", "mbox", "read", rows[2]["uid"], "--peek")["text"])
    expect("reading it changes nothing", "\\Seen" not in world.one("--account", "mbox", "search", "from:jürgen")["flags"])
    names = world.rows("--account", "mbox", "attachments", "list", rows[0]["uid"])
    expect(f"attachments: {names}", [n["saved_as"] for n in names] == ["invoice.pdf.exe", "n.txt"])
    expect("a part", world.call("--account", "mbox", "attachments", "save", rows[0]["uid"], "3", "--stdout").stdout.strip() == b"plain")
    world.call("--account", "mbox", "flag", rows[0]["uid"], "+flagged", exit=69)
    world.call("--account", "mbox", "folders", "create", "x", exit=65)
    watches(world, "mbox", lambda text: (world.home / "mbox").open("a").write("From x@beta.test Mon Nov  2 10:00:00 2026\n" + text + "\n"))
    world.call("--account", "mbox", "delete", "--forever", rows[0]["uid"])
    expect("one is gone", [r["subject"] for r in world.rows("--account", "mbox", "list")] == ["seen by IDLE", "Re: Plan", "Plan"])


def wrong_password(world):
    world.secret.write_text("wrong\n")
    done = world.call("--account", "carl", "list", exit=77)
    world.secret.chmod(0o644)
    world.call("--account", "carl", "list", exit=78)
    world.secret.chmod(0o600)
    world.secret.write_text(PASSWORD + "\n")
    return done


def dovecot(world):
    """Dovecot's IMAP"""
    deliver_three(CARL, world.dovecot.deliver)
    work_with_mail(world, "carl")
    work_with_folders(world, "carl")
    uid = world.one("--account", "carl", "list")["uid"]
    expect("the trash is the one the server says", world.one("--account", "carl", "delete", uid)["to"] == "Bin")
    world.call("--account", "carl", "list", exit=1)
    expect("wrong password is 77", b"" != wrong_password(world).stderr)


def imapd(world):
    """the sandbox's imapd"""
    deliver_three(DORA, functools.partial(put_into, world.site.maildir(DORA)))
    work_with_mail(world, "dora")
    work_with_folders(world, "dora")


if __name__ == "__main__":
    need_imap()
    run_in(Workshop("mua-stores"), [maildir, answers, leaves_by_mail, mbox, dovecot, imapd],
           lambda workshop: World(workshop).start_dovecot())
