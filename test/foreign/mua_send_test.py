#!/usr/bin/env python3
"""mua sends and fetches: submission and sendmail, an editor, the outbox, POP3 into Maildir, mbox and a program; scripts/examples."""

import email
import email.policy
import json
import os
import pathlib
import shutil
import socketserver
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import run  # noqa: E402
from mua_world import ALICE, BOB, DORA, World, account, expect, make_maildir, put_into  # noqa: E402
from peak import run_measured  # noqa: E402
from ports import free_port, serve  # noqa: E402
from posthorn_site import Workshop, is_sanitized, programs, wait_until  # noqa: E402
from steps import run_in  # noqa: E402


def send_and_get(world):
    """send by submission, get by POP3 into Maildir, mbox and a program"""
    site = world.site
    picture = world.home / "Bild ü.png"
    picture.write_bytes(bytes(range(256)) * 300)
    sent = world.one("--account", "bob", "send", "--to", f"Alice <{ALICE}>", "--subject", "Grüße aus Köln", "--attach", picture,
                     "--header", "X-Test: ja", "--body", "Erste Zeile\n\nund *mehr*", "--markdown", "--notify", "FAILURE")
    expect(f"sent with a copy: {sent}", sent["status"] == "sent" and sent["folder"] == "Sent")
    raw = site.wait_for_messages(ALICE, 1)[0]
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    expect("the subject is read back", mail["Subject"] == "Grüße aus Köln")
    expect("the name too", mail["From"].addresses[0].display_name == "Bob Bünting")
    expect("the field more", mail["X-Test"] == "ja")
    expect("text and HTML", "<em>mehr</em>" in mail.get_body(("html",)).get_content() and "Erste Zeile" in mail.get_body(("plain",)).get_content())
    attached = next(mail.iter_attachments())
    expect("the file", attached.get_filename() == "Bild ü.png" and attached.get_content() == picture.read_bytes())
    clear = world.one("--account", "alice-stls", "get", "--to", f"maildir:{world.home}/stls", "--keep")
    expect(f"by STLS: {clear}", clear["fetched"] == 1)
    kept = world.one("--account", "alice", "get", "--to", f"maildir:{world.home}/kept", "--keep")
    expect(f"fetched and kept: {kept}", (kept["fetched"], kept["left"]) == (1, 1))
    expect("kept mail is fetched once", world.one("--account", "alice", "get", "--keep", "--to", f"maildir:{world.home}/kept", exit=1)["fetched"] == 0)
    expect("into a Maildir", b"X-Test: ja" in next((world.home / "kept/new").iterdir()).read_bytes())
    site.inject("x@beta.test", [ALICE], "Subject: two\r\n\r\nFrom here\r\n")
    site.wait_for_messages(ALICE, 2)
    failed = world.call("--account", "alice", "get", "--exec", "exit 75", exit=75)
    expect("a program that fails keeps the message there", b"stays on the server" in failed.stderr and len(site.messages(ALICE)) == 2)
    got = world.one("--account", "alice", "get", "--to", f"mbox:{world.home}/box")
    expect(f"what went elsewhere is new here, and all is deleted: {got}", (got["fetched"], got["left"]) == (2, 0))
    wait_until("the server's Maildir is empty", lambda: not site.messages(ALICE))
    box = (world.home / "box").read_text()
    expect("an mbox", box.startswith("From ") and "\n>From here\n" in box)
    site.inject("x@beta.test", [ALICE], "Subject: three\r\n\r\npiped\r\n")
    site.wait_for_messages(ALICE, 1)
    site.inject("x@beta.test", [ALICE], "Subject: four\r\n\r\nx\r\n")
    site.wait_for_messages(ALICE, 2)
    world.call("--account", "alice", "get", "--exec", "! grep -q '^Subject: three'", exit=69)
    wait_until("a message that fails blocks none behind it", lambda: len(site.messages(ALICE)) == 1)
    world.call("--account", "alice", "get", "--exec", f"cat > '{world.home}/piped'")
    expect("a program gets the message", "Subject: three" in (world.home / "piped").read_text())


def whole_messages(world):
    """a whole message on standard input, dry run, sendmail, errors as JSON"""
    message = f"From: Bob <{BOB}>\nTo: {ALICE}\nBcc: {BOB}\nSubject: whole\n\ntext\n"
    printed = world.call("--account", "bob", "send", "--dry-run", text=message).stdout
    expect("Bcc is taken away, Date and Message-ID added", b"Bcc" not in printed and b"Date: " in printed and b"Message-ID: " in printed)
    before = len(world.site.messages(BOB))
    sent = world.one("--account", "mbox", "send", text=message)
    expect(f"by sendmail to To and Bcc: {sent}", sorted(sent["recipients"]) == [ALICE, BOB] and sent["status"] == "sent")
    world.site.wait_for_messages(BOB, before + 1)
    refused = world.call("--account", "bob", "send", "--json", "--to", "nobody@alpha.test", "--body", "x", exit=67)
    error = json.loads(refused.stderr)["error"]
    expect(f"an unknown recipient: {error}", error["code"] == "not-found" and "nobody@alpha.test" in error["message"])
    world.call("--account", "bob", "send", "--to", "x@y.test", "--header", "X: a\nBcc: b@c.test", "--body", "x", exit=64)
    world.call("--account", "bob", "send", "--body", "x", exit=64)
    for option in (("--markdown",), ("--header", "X: y"), ("--edit",)):
        world.call("--account", "bob", "send", "--dry-run", *option, text=message, exit=64)
    world.call("--account", "nobody", "list", exit=78)
    expect("unknown words say what is near", b"did you mean send" in world.call("snd", exit=64).stderr)
    world.site.wait_for_empty_queue()  # the next step counts what arrives


def editor(world):
    """an editor: nothing changed is nothing sent, and nothing typed is lost"""
    draft = ("--account", "bob", "send", "--edit", "--to", ALICE, "--body", "as it was")
    before = len(world.site.messages(ALICE))
    world.call(*draft, editor="true", exit=1)
    world.call(*draft, editor="sed -i '/^Subject/,$d'", exit=1)
    expect("no file stays of what nobody typed", not list(world.home.glob("mua-*")))
    said = world.call(*draft, editor="sed -i 's/^To:.*/To: nobody@alpha.test/; s/as it was/typed/'", exit=67).stderr.decode()
    kept = [f for f in world.home.glob("mua-*") if str(f) in said]
    expect(f"an error says where the text is: {said}", len(kept) == 1 and "typed" in kept[0].read_text())
    kept[0].unlink()
    printed = world.call(*draft, "--dry-run", editor="sed -i 's/^Subject:.*/Subject: edited/; s/as it was/typed/'").stdout
    expect("what was typed goes", b"Subject: edited" in printed and b"typed" in printed)
    expect("and the file too", not list(world.home.glob("mua-*")) and len(world.site.messages(ALICE)) == before)


def greylisting():
    """A submission server that says 451 4.7.1 to every recipient; its port."""
    class Grey(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 grey\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                self.wfile.write({b"RCPT": b"451 4.7.1 greylisted\r\n", b"DATA": b"503 5.5.1 no\r\n"}.get(verb, b"250 ok\r\n"))
    return serve(Grey)


def outbox(world):
    """what can't be sent waits in the outbox"""
    world.write_config(submission_port=free_port())
    queued = world.one("--account", "bob", "send", "--to", ALICE, "--subject", "later", "--body", "x", exit=75)
    expect(f"queued: {queued}", queued["status"] == "queued")
    row = world.one("outbox", "list")
    expect(f"listed: {row}", row["id"] == queued["outbox_id"] and row["recipients"] == [ALICE] and row["attempts"] == 1)
    world.call("outbox", "flush", exit=75)
    expect("tried again", world.one("outbox", "list")["attempts"] == 2)
    world.write_config()
    before = len(world.rows("--account", "bob", "list", "sent"))
    expect("sent", world.one("outbox", "flush")["status"] == "sent")
    expect("with a copy", len(world.rows("--account", "bob", "list", "sent")) == before + 1)
    world.write_config(submission_port=free_port())
    world.one("--account", "bob", "send", "--to", ALICE, "--no-copy", "--body", "x", exit=75)
    world.write_config()
    world.one("outbox", "flush")
    expect("and without one if none was wanted", len(world.rows("--account", "bob", "list", "sent")) == before + 1)
    wait_until("it has arrived", lambda: any(b"Subject: later" in m for m in world.site.messages(ALICE)))
    world.call("outbox", "list", exit=1)
    world.call("outbox", "delete", "../x", exit=67)
    world.add_account(account("grey", address=BOB, store="maildir", path=f"{world.home}/grey")
                      + account("grey.submission", host="127.0.0.1", port=greylisting(), tls="none"))
    grey = world.one("--account", "grey", "send", "--to", ALICE, "--body", "x", exit=75)
    expect(f"who is asked to come back later does: {grey}", grey["status"] == "queued" and "greylisted" in grey["trouble"])
    world.call("outbox", "delete", grey["outbox_id"])
    world.write_config()
    world.site.wait_for_empty_queue()


def measured(world, *words):
    """What it printed; Failed if it needed more memory than a program that streams."""
    done, kib = run_measured([programs() / "mua", *words], stdin=subprocess.DEVNULL, capture_output=True, env=world.environment())
    title = f"mua {' '.join(map(str, words[:4]))}"
    expect(f"{title} ends with {done.returncode}: {done.stderr.decode()}", done.returncode == 0)
    expect(f"{title} needs {kib >> 10} MiB", kib < world.bound)
    world.most = max(world.most, kib)
    return done.stdout


def large(world):
    """a file of 60 MiB passes without being in memory: send, get, attachments save, sync"""
    world.most = 0
    size = 12 if is_sanitized() else 60
    world.bound = (400 if is_sanitized() else 40) << 10  # KiB
    out = world.home / "out"
    out.mkdir()
    file = world.home / "large.bin"
    file.write_bytes(os.urandom(1 << 20) * size)
    start = len(world.site.messages(ALICE))
    measured(world, "--account", "bob", "send", "--to", ALICE, "--subject", "large", "--body", "x", "--attach", file, "--timeout", "60s")
    wait_until("it is delivered", lambda: len(world.site.messages(ALICE)) > start, 60)
    measured(world, "--account", "alice", "get", "--to", f"maildir:{world.home}/large-box", "--timeout", "60s")
    world.add_account(account("large", address=BOB, store="maildir", path=f"{world.home}/large-box"))
    uid = world.one("--account", "large", "search", "subject:large")["uid"]
    measured(world, "--account", "large", "attachments", "save", uid, "--dir", out)
    expect("octet for octet", (out / "large.bin").read_bytes() == file.read_bytes())
    octets = next(f for f in (world.home / "large-box").glob("*/*") if b"Subject: large" in f.read_bytes()[:4000])
    shutil.copy(octets, make_maildir(world.site.maildir(DORA)) / "new/1795379999.M1P1.test")
    measured(world, "--account", "dora", "sync", "inbox", "--to", world.home / "large-sync", "--timeout", "60s")
    uid = world.one("--account", "dora", "search", "subject:large")["uid"]
    measured(world, "--account", "dora", "attachments", "save", uid, "--dir", world.home / "large-sync")
    expect("from IMAP, too", (world.home / "large-sync/large.bin").read_bytes() == file.read_bytes())
    world.call("--account", "dora", "delete", "--forever", uid)
    print(f"        (at most {world.most >> 10} MiB)")
    shutil.rmtree(world.home / "large-box")
    world.write_config()


def examples(world):
    """scripts/examples"""
    folder = pathlib.Path(__file__).resolve().parents[2] / "scripts/examples"
    environment = {**world.environment(), "PATH": f"{programs()}:{os.environ['PATH']}"}
    world.call("--account", "alice", "get", "--to", f"maildir:{world.home}/rest") if world.site.messages(ALICE) else None
    wait_until("the server has nothing", lambda: not world.site.messages(ALICE))
    world.site.inject("x@beta.test", [ALICE], "Subject: chained\r\n\r\nx\r\n")
    world.site.wait_for_messages(ALICE, 1)
    before = len(world.site.messages(BOB))
    chain = [folder / "get-filter-deliver.sh", "alice", "sed 's/^Subject: /Subject: filtered /'",
             f"deliverd --site {world.site.directory} --stdin -d {BOB}"]
    run(chain, env=environment)
    world.site.wait_for_messages(BOB, before + 1)
    expect("filtered and delivered", any(b"Subject: filtered chained" in m for m in world.site.messages(BOB)))
    wait_until("it is gone from the server", lambda: not world.site.messages(ALICE))
    world.site.inject("x@beta.test", [ALICE], "Subject: again\r\n\r\nx\r\n")
    world.site.wait_for_messages(ALICE, 1)
    run([chain[0], "alice", "false", chain[3]], env=environment, expect=69)
    expect("a filter that fails keeps the message there", len(world.site.messages(ALICE)) == 1)
    run([folder / "mail-report.sh", "bob", ALICE, "sh", "-c", "echo disk full; exit 3"], env=environment)
    wait_until("the report arrives", lambda: any(b"disk full" in m and b"ended with 3" in m for m in world.site.messages(ALICE)))
    put_into(
        world.home / "bob",
        "From: bill@beta.test\nSubject: invoice\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n"
        "--b\nContent-Type: text/csv; name=i.csv\nContent-Disposition: attachment; filename=i.csv\n\n1,2\n--b--\n")
    run([folder / "save-attachments.sh", "bob", world.home / "invoices", "from:bill", "-keyword:Saved"], env=environment)
    run([folder / "save-attachments.sh", "bob", world.home / "invoices", "from:bill", "-keyword:Saved"], env=environment, expect=None)
    expect("saved once", [f.name for f in (world.home / "invoices").iterdir()] == ["i.csv"])


if __name__ == "__main__":
    run_in(Workshop("mua-send"), [send_and_get, whole_messages, editor, outbox, large, examples], World)
