#!/usr/bin/env python3
"""SEARCH with an index finds what SEARCH without one finds: before there is one, beside it, after expunges, and when it is
damaged or deleted. Python's imaplib asks, and Python's own str.find knows the answers for a few of them."""

import base64
import imaplib
import os
import random
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, main  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ANN = "ann@alpha.test"
COUNT = 250
WORDS = ["straße", "İstanbul", "ıssız", "café", "cafe\u0301", "Σίσυφος", "中文字", "AND", "NEAR(", "\"quoted\"", "a*b", "{col}:",
         "100%", "tea", "coffee", "xylophone", "Ångström", "o'clock", "back\\slash", "ﬁne"]
NEEDLES = ["strasse", "STRASSE", "straße", "istanbul", "i", "ı", "café", "caf", "σίσυφοσ", "中", "文字", "and", "NEAR(", "\"quo", "a*b",
           "{col}", "0%", "te", "xylophone", "ångström", "o'c", "k\\s", "fine", "ﬁne", "nothing like this", "a b", "zz"]
FEW = ["straße", "i", "café", "te"]
KEYS = ["SUBJECT %s", "FROM %s", "TO %s", "CC %s", "BCC %s", "HEADER X-Note %s", "HEADER Subject %s", "BODY %s", "TEXT %s", "NOT BODY %s",
        "OR BODY tea SUBJECT %s", "NOT SUBJECT %s"]


def letter(number, dice):
    """A message of random words: raw UTF-8, encoded words, base64, Latin-1 that is not said to be any."""
    def some(most):
        return " ".join(dice.choice(WORDS) for _ in range(dice.randrange(1, most)))

    def encoded(text):
        return f"=?UTF-8?B?{base64.b64encode(text.encode()).decode()}?="

    subject = dice.choice([some, lambda most: encoded(some(most))])(4)
    note = "".join(dice.choice(["\xe4", "x", "tea "]) for _ in range(5))
    head = (f"From: {encoded(some(3))} <p{number}@alpha.test>\r\nTo: =?ISO-8859-1?Q?J=FCrgen?= <j@x>\r\nSubject: {subject}\r\n"
            f"Message-ID: <{number}@alpha.test>\r\n").encode() + b"X-Note: " + note.encode("latin-1") + b"\r\n"
    if number % 3 == 0:
        head += b"Cc: " + some(3).encode() + b"\r\n"
    body = some(30)
    kind = number % 4
    if kind == 0:
        return head + b"\r\n" + body.encode() + b"\r\n"
    text = b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n" + base64.encodebytes(body.encode())
    if kind == 1:
        return head + text
    return (head + b"Content-Type: multipart/mixed; boundary=q\r\n\r\n--q\r\n" + text + b"\r\n--q\r\nContent-Type: message/rfc822\r\n\r\n"
            b"Subject: inner " + some(3).encode() + b"\r\n\r\ninner text tea\r\n--q--\r\n")


def connect(site):
    client = imaplib.IMAP4(site.address, site.port("imap"))
    client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.starttls(site.tls())
    client.login(ANN, site.password(ANN))
    client.select()
    return client


def search(client, key, needle):
    client.literal = needle.encode()
    # imaplib sends a literal at the end of a command: the text comes last.
    kind, data = client.uid("SEARCH", "CHARSET", "UTF-8", key.removesuffix(" %s"))
    if kind != "OK":
        raise Failed(f"SEARCH {key} {needle!r}: {kind} {data}")
    return data[0].split()


def all_answers(client, needles=NEEDLES):
    return {(key, needle): search(client, key, needle) for key in KEYS for needle in needles}


def compare(what, found, wanted):
    for question, answer in wanted.items():
        if found[question] != answer:
            raise Failed(f"{what}: {question} gives {len(found[question])} messages, not {len(answer)}: "
                         f"{sorted(set(found[question]) ^ set(answer))[:10]}")


def index_file(site):
    return site.maildir(ANN) / "posthorn.search"


def wait_for_index(site, client):
    """The filler has come to the end: what SQLite keeps beside the file while it is open is gone. It gives up where the file is removed
    under it, until the next search."""
    def is_filled():
        search(client, "BODY %s", "xylophone")
        return index_file(site).exists() and not index_file(site).with_name("posthorn.search-wal").exists()
    wait_until("the index is filled", is_filled, 60, 0.5)


STATE = {}


def deliver(site, numbers):
    dice = random.Random(COUNT)
    letters = [letter(number, dice) for number in range(COUNT + 50)]
    for number in numbers:
        name = f"{1700000000 + number}.M{number}P1Q{number}.else"
        (site.maildir(ANN) / "new" / name).write_bytes(letters[number].replace(b"\r\n", b"\n"))


def without_index(site):
    """without an index every message is read"""
    connect(site).logout()
    deliver(site, range(COUNT))
    client = connect(site)
    found = search(client, "BODY %s", "xylophone")
    if not 10 < len(found) < COUNT:
        raise Failed(f"{len(found)} messages have the word; the test is worth nothing")
    if search(client, "SUBJECT %s", "") != search(client, "TEXT %s", "e"):
        raise Failed("not all messages have a subject and an e")
    # The first search made an index: so the answers to compare with come from a server that has it switched off.
    client.logout()
    switch(site, "search_index = false\n")
    client = connect(site)
    STATE["answers"] = all_answers(client)
    client.logout()
    switch(site, "")


def switch(site, line):
    (site.directory / "conf/imapd.toml").write_text(line)
    site.stop()
    site.start()


def with_index(site):
    """with a whole index every answer is the same"""
    client = connect(site)
    search(client, "BODY %s", "xylophone")
    wait_for_index(site, client)
    compare("with an index", all_answers(client), STATE["answers"])
    client.logout()


def with_new_messages(site):
    """messages that came behind the index, and messages that went"""
    client = connect(site)
    deliver(site, range(COUNT, COUNT + 50))
    client.noop()
    found = all_answers(client, FEW)
    for question in found:
        answer = STATE["answers"][question]
        if [uid for uid in found[question] if int(uid) <= COUNT] != answer:
            raise Failed(f"{question} changed its answer for old messages")
    if len(found["TEXT %s", "i"]) <= COUNT:
        raise Failed("new messages are not found")
    client.uid("STORE", "1:20", "+FLAGS", "(\\Deleted)")
    client.expunge()
    STATE["answers"] = all_answers(client, FEW)
    for question, answer in STATE["answers"].items():
        if answer != [uid for uid in found[question] if int(uid) > 20]:
            raise Failed(f"{question} after EXPUNGE")
    client.logout()


def with_damage(site):
    """a damaged index is thrown away with a line in the log, a deleted one is made again"""
    client = connect(site)
    wait_for_index(site, client)
    with open(index_file(site), "r+b") as file:
        file.seek(4096)
        file.write(b"\x5a" * (os.path.getsize(index_file(site)) - 4096))
    compare("with a damaged index", all_answers(client, FEW), STATE["answers"])
    wait_until("the log says that the index was damaged", lambda: "search-index" in site.log("imapd"))
    wait_for_index(site, client)
    compare("after that", all_answers(client, FEW), STATE["answers"])
    index_file(site).unlink()
    compare("without it", all_answers(client, FEW), STATE["answers"])
    wait_for_index(site, client)
    client.create("Other")
    client.select("Other")
    client.rename("Other", "Third")
    client.delete("Third")
    client.logout()


def for_operators(site):
    """posthorn mailbox check finds damage, rebuild-index mends it"""
    client = connect(site)
    search(client, "BODY %s", "xylophone")
    wait_for_index(site, client)
    client.logout()
    size = os.path.getsize(index_file(site))
    if "in order" not in site.posthorn("mailbox", "check", ANN, "INBOX").stdout:
        raise Failed("check complains")
    with open(index_file(site), "r+b") as file:
        file.seek(size // 2)
        file.write(b"\x5a" * (size // 4))
    said = site.posthorn("mailbox", "check", ANN, "INBOX", check=False).stdout
    if "search index" not in said:
        raise Failed(f"check says {said}")
    said = site.posthorn("mailbox", "rebuild-index", ANN, "INBOX").stdout
    if "and the search index" not in said or "in order" not in site.posthorn("mailbox", "check", ANN, "INBOX").stdout:
        raise Failed(f"rebuild-index says {said}")
    client = connect(site)
    compare("with an index of rebuild-index", all_answers(client, FEW), STATE["answers"])
    client.logout()


if __name__ == "__main__":
    main("imap-search-index", [without_index, with_index, with_new_messages, with_damage, for_operators], [ANN])
