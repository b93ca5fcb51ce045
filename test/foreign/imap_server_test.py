#!/usr/bin/env python3
"""Clients of others at imapd: Python's imaplib, curl, mbsync twice with nothing to do the second time."""

import imaplib
import os
import pathlib
import re
import sys
import zlib

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, main, need, run  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"
COUNT = 5
LETTER = (b"From: Alice <alice@alpha.test>\r\nTo: bob@alpha.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= %d\r\n"
          b"Date: Mon, 23 Nov 2026 07:00:%02d +0000\r\nMessage-ID: <%d@alpha.test>\r\nMIME-Version: 1.0\r\n"
          b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\nContent-Type: text/plain; charset=utf-8\r\n"
          b"Content-Transfer-Encoding: quoted-printable\r\n\r\nStra=C3=9Fe %d\r\n--q\r\nContent-Type: text/html\r\n\r\n"
          b"<b>x</b>\r\n--q--\r\n")


def letter(number):
    return LETTER % (number, number, number, number)


def connect(site, user):
    client = imaplib.IMAP4(site.address, site.port("imap"))
    client.starttls(site.tls())
    client.login(user, site.password(user))
    return client


def ask(client, verb, *words):
    """The lines that came for a command; Failed if it did not end with OK."""
    kind, data = client.uid(verb[4:], *words) if verb.startswith("UID ") else getattr(client, verb)(*words)
    if kind != "OK":
        raise Failed(f"{verb} {words} says {kind} {data}")
    return data


def expect(what, found, wanted):
    if found != wanted:
        raise Failed(f"{what}: {found}, not {wanted}")


def read_until(client, is_last):
    """The first line for which is_last() is true."""
    while not is_last(line := client.readline()):
        if not line:
            raise Failed("the connection ended")
    return line


def flat(data):
    return b" ".join(b" ".join(item) if isinstance(item, tuple) else item or b"" for item in data)


def imaplib_stores_and_reads(site):
    """imaplib: APPEND, FETCH of parts, SEARCH in encoded text, STORE, COPY, MOVE, EXPUNGE"""
    client = connect(site, ALICE)
    ask(client, "select")
    for number in range(COUNT):
        data = ask(client, "append", "INBOX", "(\\Seen)" if number == 1 else None, None, letter(number))
        if b"APPENDUID" not in data[0]:
            raise Failed(f"APPEND says {data}")
    expect("EXISTS", client.untagged_responses["EXISTS"][-1], b"%d" % COUNT)
    whole = ask(client, "fetch", "2", "(RFC822.SIZE BODY.PEEK[])")
    expect("the message that was stored", whole[0][1], letter(1))
    expect("its size", re.search(rb"RFC822.SIZE (\d+)", whole[0][0])[1], b"%d" % len(letter(1)))
    part = ask(client, "fetch", "3", "(BODY.PEEK[1] BINARY.PEEK[1] BODY.PEEK[HEADER.FIELDS (SUBJECT)])")
    for wanted in (b"Stra=C3=9Fe 2", "Straße 2".encode(), b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= 2\r\n\r\n"):
        if wanted not in flat(part):
            raise Failed(f"FETCH of parts has no {wanted}: {part}")
    structure = ask(client, "fetch", "1", "(ENVELOPE BODYSTRUCTURE)")[0]
    for wanted in (b'"mixed"', b'"quoted-printable"', b'"<0@alpha.test>"', b'("Alice" NIL "alice" "alpha.test")'):
        if wanted.lower() not in structure.lower():
            raise Failed(f"ENVELOPE or BODYSTRUCTURE has no {wanted}: {structure}")
    expect("UNSEEN", ask(client, "search", None, "UNSEEN"), [b"1 3 4 5"])
    client.literal = "STRASSE 4".encode()
    expect("SEARCH TEXT folds case", ask(client, "search", "UTF-8", "TEXT"), [b"5"])
    client.literal = "grüße 3".encode()
    expect("SEARCH SUBJECT decodes words", ask(client, "search", "UTF-8", "SUBJECT"), [b"4"])
    expect("SORT", ask(client, "sort", "(REVERSE DATE)", "UTF-8", "ALL"), [b"5 4 3 2 1"])
    ask(client, "store", "1:2", "+FLAGS", "(\\Deleted $Forwarded)")
    expect("FLAGS", flat(ask(client, "fetch", "1", "(FLAGS)")), b"1 (FLAGS (\\Deleted \\Recent $Forwarded))")
    ask(client, "create", "Archive")
    ask(client, "copy", "1:3", "Archive")
    ask(client, "UID MOVE", "4", "Archive")
    ask(client, "expunge")
    expect("messages left", ask(client, "search", None, "ALL"), [b"1 2"])
    expect("messages in Archive", ask(client, "select", "Archive"), [b"4"])
    client.logout()


def imaplib_names(site):
    """imaplib: CREATE, LIST, RENAME, SUBSCRIBE, STATUS, DELETE with names of all kinds"""
    client = connect(site, ALICE)
    for name in ("Lists.C++", '"Entw&APw-rfe"', "Old"):
        ask(client, "create", name)
    expect("RENAME", ask(client, "rename", "Old", "Older.Still")[0][:6], b"RENAME")
    names = {line.rsplit(b' "." ', 1)[1].strip(b'"') for line in ask(client, "list")}
    expect("LIST", names, {b"INBOX", b"Archive", b"Lists", b"Lists.C++", b"Entw&APw-rfe", b"Older", b"Older.Still"})
    if client.create("&AGE-")[0] != "NO":
        raise Failed("a name that is no canonical UTF-7 was made")
    for bad in ('"../x"', '"a..b"', '"x/cur"'):
        if client.create(bad)[0] == "OK" and not (site.maildir(ALICE).parent.resolve() / "Maildir").is_dir():
            raise Failed(f"CREATE {bad} left the Maildir")
    ask(client, "subscribe", "Archive")
    if not any(line.endswith(b"Archive") for line in ask(client, "lsub")):
        raise Failed("LSUB does not know Archive")
    status = ask(client, "status", "Archive", "(MESSAGES UNSEEN UIDNEXT)")[0]
    expect("STATUS", status, b"Archive (MESSAGES 4 UIDNEXT 5 UNSEEN 3)")
    ask(client, "delete", "Older.Still")
    client.logout()


def idle_hears(site):
    """a delivery and another client's flags reach an idling client at once"""
    first, second = connect(site, BOB), connect(site, BOB)
    ask(first, "select")
    first.send(b"I1 IDLE\r\n")
    read_until(first, lambda line: line.startswith(b"+ "))
    site.inject(ALICE, [BOB], "From: <alice@alpha.test>\r\nSubject: one\r\n\r\nfirst\r\n")
    first.sock.settimeout(60)
    read_until(first, lambda line: line == b"* 1 EXISTS\r\n")
    ask(second, "select")
    ask(second, "store", "1", "+FLAGS", "(\\Flagged)")
    read_until(first, lambda line: b"FETCH (FLAGS (\\Flagged" in line)
    first.send(b"DONE\r\n")
    read_until(first, lambda line: line.startswith(b"I1 OK"))
    second.logout()
    first.logout()


def new_validity_ends_sessions(site):
    """a mailbox whose UIDs begin anew: an open session ends before it touches a message that has an old one's UID"""
    client = connect(site, BOB)
    ask(client, "select")
    path = site.maildir(BOB) / "dovecot-uidlist"
    anew = path.with_name("dovecot-uidlist.anew")
    anew.write_text(re.sub(r" V(\d+)", lambda found: f" V{int(found[1]) + 7}", path.read_text(), count=1))
    anew.rename(path)
    letters = site.maildir(BOB)
    (letters / "tmp/1790000000.M1P1.other").write_text("Subject: two\n\nsecond\n")
    (letters / "tmp/1790000000.M1P1.other").rename(letters / "new/1790000000.M1P1.other")
    kind, said = "NO", []
    try:
        kind, said = client.store("1", "+FLAGS", "(\\Deleted)")
    except imaplib.IMAP4.abort:
        pass
    if kind == "OK":
        raise Failed(f"STORE by the old UIDs says {kind} {said}")
    client.shutdown()
    client = connect(site, BOB)
    ask(client, "select")
    expect("messages marked", ask(client, "search", None, "DELETED"), [b""])
    client.logout()


def deflated(site):
    """zlib of Python's: COMPRESS=DEFLATE over TLS, partial flushes too; UNAUTHENTICATE changes the user of one connection"""
    client = connect(site, ALICE)
    client.send(b"U1 UNAUTHENTICATE\r\n")
    read_until(client, lambda line: line.startswith(b"U1 OK"))
    client.send(b"U2 LOGIN %s %s\r\n" % (BOB.encode(), site.password(BOB).encode()))
    line = read_until(client, lambda line: line.startswith(b"U2 "))
    expect("the second log-in", line[:5], b"U2 OK")
    client.send(b"U3 COMPRESS DEFLATE\r\n")
    read_until(client, lambda line: line.startswith(b"U3 OK"))
    pack, unpack = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)
    said, octets = b"", 0

    def ask_packed(command, flush):
        nonlocal said, octets
        client.sock.sendall(pack.compress(command + b"\r\n") + pack.flush(flush))
        tag = command.split()[0]
        while re.search(rb"^%s [^\r]*\r\n" % tag, said, re.M) is None:
            came = client.sock.recv(65536)
            if not came:
                raise Failed(f"the connection ended at {command}")
            octets += len(came)
            said += unpack.decompress(came)
        answer, said = said, b""
        return answer

    ask_packed(b"D1 SELECT INBOX", zlib.Z_SYNC_FLUSH)
    letter_text = b"Subject: packed\r\n\r\n" + b"the same line again and again\r\n" * 5000
    ask_packed(b"D2 APPEND INBOX {%d+}\r\n%s" % (len(letter_text), letter_text), zlib.Z_PARTIAL_FLUSH)
    octets = 0
    answer = ask_packed(b"D3 UID FETCH * BODY.PEEK[]", zlib.Z_FULL_FLUSH)
    if letter_text not in answer:
        raise Failed("the message is not what it was")
    if octets > len(letter_text) // 10:
        raise Failed(f"{len(letter_text)} octets came as {octets}")
    for number in range(200):
        ask_packed(b"E%d NOOP" % number, (zlib.Z_SYNC_FLUSH, zlib.Z_PARTIAL_FLUSH, zlib.Z_FULL_FLUSH)[number % 3])
    ask_packed(b"D4 UID STORE * +FLAGS.SILENT (\\Deleted)", zlib.Z_SYNC_FLUSH)
    ask_packed(b"D5 EXPUNGE", zlib.Z_SYNC_FLUSH)
    client.sock.close()


def curl_reads(site):
    """curl: a message and a search, imaps and STARTTLS"""
    need("curl")
    base = ["curl", "-sS", "--cacert", site.facts["ca"], "--user", f"{ALICE}:{site.password(ALICE)}", "--resolve",
            f"localhost:{site.port('imaps')}:{site.address}", "--resolve", f"localhost:{site.port('imap')}:{site.address}"]
    message = run([*base, f"imaps://localhost:{site.port('imaps')}/INBOX;MAILINDEX=1"])
    if "Stra=C3=9Fe 2" not in message:
        raise Failed(f"curl reads {message!r}")
    found = run([*base, "--ssl-reqd", f"imap://localhost:{site.port('imap')}/INBOX?ALL"])
    expect("curl's search", found.split(), ["*", "SEARCH", "1", "2"])


def mbsync_twice(site):
    """mbsync takes all mailboxes, then both ways; the second time it has nothing to do"""
    need("mbsync")
    home = site.directory / "mbsync"
    home.mkdir()
    (home / "mail").mkdir()
    (home / "rc").write_text(f"""IMAPAccount site
Host localhost
Port {site.port('imaps')}
User {ALICE}
Pass {site.password(ALICE)}
SSLType IMAPS
CertificateFile {site.facts['ca']}

IMAPStore far
Account site

MaildirStore near
Path {home}/mail/
Inbox {home}/mail/INBOX
SubFolders Verbatim

Channel all
Far :far:
Near :near:
Patterns *
Create Near
Sync All
Expunge Both
SyncState *
""")
    words = ["mbsync", "-V", "-c", str(home / "rc"), "-a"]
    run(words)
    here = sorted(path.parent.parent.name for path in (home / "mail").glob("*/*/*") if path.parent.name in ("cur", "new"))
    # Two of the four in Archive are \Deleted: mbsync leaves those.
    expect("messages that mbsync took", [here.count("INBOX"), here.count("Archive")], [2, 2])
    path = next(path for path in pathlib.Path(home / "mail/INBOX").glob("*/*U=*") if path.parent.name in ("cur", "new"))
    base = path.name.split(":2,")[0]
    path.rename(home / "mail/INBOX/cur" / f"{base}:2,FS")
    run(words)
    client = connect(site, ALICE)
    ask(client, "select")
    expect("flags that mbsync stored", ask(client, "search", None, "FLAGGED", "SEEN") != [b""], True)
    client.logout()
    said = run(["mbsync", "-D", "-c", str(home / "rc"), "-a"])
    if re.search(r"(STORE|APPEND|EXPUNGE|BODY)", "\n".join(line for line in said.splitlines() if ">>>" in line)):
        raise Failed("mbsync changes something the second time: " + said[-2000:])


if __name__ == "__main__":
    main("imap", [imaplib_stores_and_reads, imaplib_names, idle_hears, deflated, new_validity_ends_sessions, curl_reads,
                  mbsync_twice], [ALICE, BOB])
