#!/usr/bin/env python3
"""What libmail/message builds, as libmail/message, Python's email and GMime read it: the same as went in.

Hand-picked drafts (long and foreign names, every kind of file name, texts that need each encoding, images within HTML, messages within
messages, attachments that are streamed) and random ones with a fixed seed. Each message also has to keep the rules of the line: CRLF
alone ends one, none is longer than 998 octets, 7-bit where 8 bits aren't allowed.
"""

import email
import email.policy
import email.utils
import json
import os
import pathlib
import random
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
from foreign import skip  # noqa: E402
from posthorn_site import programs  # noqa: E402

try:
    import gi

    gi.require_version("GMime", "3.0")
    from gi.repository import GMime
except (ImportError, ValueError) as problem:
    if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
        os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])  # the bindings are Debian's Python's
    skip(f"GMime can't be used from Python: {problem} (packages python3-gi gir1.2-gmime-3.0)")

GMime.init()


def as_code_points(octets):
    return octets.decode("latin-1")


def octets_of(text):
    return text.encode("latin-1")


def draft(**more):
    return {"from": [["Ann Example", "ann", "a.test"]], "to": [["", "bob", "b.test"]], "subject": "Hello", "text": "text\n"} | more


def file(content, filename="file.bin", kind="application/octet-stream", **more):
    return {"type": kind, "filename": filename, "content": as_code_points(content)} | more


NAMES = ["", "Ann", "Example, Ann", 'Ann "X" \\ Example', "Jürgen Müller", "こんにちは世界、これはとても長い名前ですから折り返されます",
         "😀 and more 😀", "(comment) <x@y>", "a@b.test", "John Q. Public", "=?utf-8?Q?x?="]
SUBJECTS = ["", "plain", "Grüße aus Köln und noch viel mehr Wörter, damit die Zeile länger wird als erlaubt", "x" * 300, "日本語" * 40,
            "=?utf-8?Q?trick?=", "word " * 60, "a  b", "mixed ascii then ünïcödé then ascii again", "Привет"]
FILENAMES = ["file.bin", "my file (1).pdf", "größe.txt", "日本語のとても長いファイル名です" * 4 + ".docx", "a;b=c\"d.txt", "quote'd%20.txt",
             "x" * 150 + ".txt", "=?utf-8?Q?a?=.txt", "%41.txt", "back'slash*.txt"]
TEXTS = ["text\n", "", "no end", "Grüße\n", "Привет, мир\n" * 20, "From here\n.\n..\n", "blank at end \n\ttab\t\n", "x" * 998 + "\n", "x" * 999 + "\n",
         "--=_0000000000000001_0000\n--=_0000000000000001\n", "a=b =20 =\n", "ü" * 500, "=C3\n" * 30]
CONTENTS = [b"", b"\0", bytes(range(256)), b"line\nline\r\nline\r", b"x" * 5000, bytes(range(256)) * 400, b"plain ascii\r\n", b"From x\n.\n"]


def hand_picked():
    for name in NAMES:
        yield draft(**{"from": [[name, "ann", "a.test"]], "to": [[name, "a b", "b.test"], [name, "x.y", "[192.0.2.1]"]]})
    for subject in SUBJECTS:
        yield draft(subject=subject)
    for text in TEXTS:
        yield draft(text=text)
        yield draft(text=text, allow_8bit=True, attachments=[file(b"x")])
        yield draft(text=text, html=f"<p>{text}</p>\n")
    for filename in FILENAMES:
        yield draft(attachments=[file(b"content", filename)])
    for content in CONTENTS:
        yield draft(attachments=[file(content), file(content, "t.txt", "text/plain"), file(content, streamed=True)])
        yield draft(attachments=[file(content)], allow_8bit=True)
    yield draft(html="<img src='cid:i@a.test'>\n", related=[file(b"\x89PNG", "i.png", "image/png", cid="i@a.test")], attachments=[file(b"x")])
    yield draft(cc=[[f"Recipient, No {i}", f"r{i}", "c.test"] for i in range(500)], references=[f"<{i}@a.test>" for i in range(100)])
    yield draft(forward="Subject: inner\n\nbody\n")
    inner = "Subject: ü\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nbödy\n"
    yield draft(forward=as_code_points(inner.encode()), allow_8bit=True)
    yield draft(forward=as_code_points(inner.encode()))
    yield draft(text="> quoted \n> text that is rather long and has to be wrapped since it has more than seventy columns\n indented\n", flowed=True)


def at_random(count):
    dice = random.Random(20261123)
    for number in range(count):
        one = draft(subject=dice.choice(SUBJECTS), text=dice.choice(TEXTS), allow_8bit=dice.random() < .5, random=number)
        one["from"] = [[dice.choice(NAMES), "ann", "a.test"]]
        one["cc"] = [[dice.choice(NAMES), f"r{i}", "c.test"] for i in range(dice.randrange(5))]
        if dice.random() < .5:
            one["html"] = f"<p>{dice.choice(TEXTS)}</p>"
        one["attachments"] = [file(dice.randbytes(dice.randrange(300)), dice.choice(FILENAMES), dice.choice(["image/png", "text/x-diff"]),
                                   streamed=dice.random() < .3) for _ in range(dice.randrange(4))]
        yield one


def lines_of(text):
    """Text as a reader sees it: lines, whatever ended them; the last may have got an end."""
    return text.replace("\r\n", "\n").rstrip("\n")


def expected(one):
    """What a reader has to see: a dictionary of plain values."""
    files = [(f["filename"], octets_of(f["content"])) for f in one.get("related", []) + one.get("attachments", [])]
    return {
        "from": [(n, f'"{l}"@{d}' if " " in l else f"{l}@{d}") for n, l, d in one["from"]],
        "to": [(n, f'"{l}"@{d}' if " " in l else f"{l}@{d}") for n, l, d in one["to"]],
        "cc": [(n, f"{l}@{d}") for n, l, d in one.get("cc", [])],
        "subject": one["subject"].strip(),
        "text": None if one.get("flowed") or (not one["text"] and one.get("html")) else lines_of(one["text"]),
        "html": lines_of(one["html"]) if one.get("html") else None,
        "files": files,
    }


def python_name(address):
    """Python 3.11 keeps the blank between two encoded-words of a name (RFC 2047 6.2 wants it gone); the only such name has none."""
    name = address.display_name
    return name.replace(" ", "") if name.startswith("こ") else name


def by_python(octets):
    message = email.message_from_bytes(octets, policy=email.policy.default)
    seen = {"subject": str(message.get("subject", "")), "text": None, "html": None, "files": []}
    for key in ("from", "to", "cc"):
        field = message.get(key)
        seen[key] = [(python_name(a), a.addr_spec) for a in field.addresses] if field else []
    for part in message.walk():
        if part.defects:
            raise AssertionError(f"Python finds defects: {part.defects}")
        if part.is_multipart() or part.get_content_type() == "message/rfc822":
            continue
        if part.get_filename():
            seen["files"].append((part.get_filename(), part.get_payload(decode=True)))
        elif part.get_content_type() == "text/html":
            seen["html"] = lines_of(part.get_content())
        elif seen["text"] is None and part.get_content_type() == "text/plain":
            seen["text"] = lines_of(part.get_content())
    return seen


def gmime_content(part):
    stream = GMime.StreamMem.new()
    part.get_content().write_to_stream(stream)
    return bytes(stream.get_byte_array())


def by_gmime(octets):
    parser = GMime.Parser.new_with_stream(GMime.StreamMem.new_with_buffer(octets))
    message = parser.construct_message(None)
    seen = {"subject": message.get_subject() or "", "text": None, "html": None, "files": []}
    for key, kind in (("from", GMime.AddressType.FROM), ("to", GMime.AddressType.TO), ("cc", GMime.AddressType.CC)):
        listed = message.get_addresses(kind)
        every = [listed.get_address(i) for i in range(listed.length())]
        seen[key] = [(a.get_name() or "", a.get_addr()) for a in every]

    def walk(part):
        if isinstance(part, GMime.Multipart):
            for i in range(part.get_count()):
                walk(part.get_part(i))
        elif isinstance(part, GMime.MessagePart):
            return
        elif part.get_filename():
            seen["files"].append((part.get_filename(), gmime_content(part)))
        else:
            kind = part.get_content_type().get_mime_type()
            text = lines_of(gmime_content(part).decode())
            if kind == "text/html":
                seen["html"] = text
            elif seen["text"] is None:
                seen["text"] = text

    walk(message.get_mime_part())
    return seen


def by_ourselves(directory, messages):
    """mime_dump of every message: names of files and decoded bodies; the rest is what the other two are asked."""
    paths = []
    for number, octets in enumerate(messages):
        paths.append(os.path.join(directory, f"{number}.eml"))
        pathlib.Path(paths[-1]).write_bytes(octets)
    done = subprocess.run([programs() / "mime_dump", "--bodies", *paths], capture_output=True, check=True, timeout=60)
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_lines(one, octets):
    if b"\n" in octets.replace(b"\r\n", b"") or b"\r" in octets.replace(b"\r\n", b""):
        raise AssertionError("a bare CR or LF")
    longest = max(len(line) for line in octets.split(b"\r\n"))
    if longest > 998:
        raise AssertionError(f"a line of {longest} octets")
    if not one.get("allow_8bit") and any(octet > 127 for octet in octets):
        raise AssertionError("8 bits where 7 are allowed")


def differences(want, seen):
    for key, value in want.items():
        if key == "text" and value is None:
            continue
        got = seen[key]
        if key == "files":  # forwarded.eml is the builder's own
            got = [f for f in got if f[0] != "forwarded.eml"]
        if value != got and not (value == "" and got is None):
            yield f"{key}: {value!r:.300} became {got!r:.300}"


def main():
    drafts = list(hand_picked()) + list(at_random(150))
    text = "".join(json.dumps(one) + "\n" for one in drafts).encode()
    done = subprocess.run([programs() / "mime_build"], input=text, capture_output=True, check=True, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    errors = [a for a in answers if not isinstance(a, str)]
    assert not errors and len(answers) == len(drafts), errors
    messages = [octets_of(a) for a in answers]
    with tempfile.TemporaryDirectory() as directory:
        ours = by_ourselves(directory, messages)
    failures = 0
    for number, (one, octets) in enumerate(zip(drafts, messages)):
        found = []
        try:
            check_lines(one, octets)
        except AssertionError as problem:
            found.append(str(problem))
        if ours[number].get("anomalies"):
            found.append(f"we find anomalies: {ours[number]['anomalies']}")
        for name, reader in (("Python", by_python), ("GMime", by_gmime)):
            try:
                found += [f"{name}: {d}" for d in differences(expected(one), reader(octets))]
            except AssertionError as problem:
                found.append(str(problem))
        for problem in found:
            failures += 1
            print(f"FAILED  draft {number}: {problem}")
    print(f"{len(drafts)} messages built, read by Python and GMime and held against the drafts")
    if failures:
        sys.exit(f"failed: {failures} differences")


main()
