#!/usr/bin/env python3
"""What libmail/message sees in a message, beside what Python's email, GMime and Dovecot see in it.

Debian's corpus of e-mail test messages and the torture messages of mime_torture.py are read by all four. Structure and decoded bodies
are compared with Python and GMime, ENVELOPE, BODYSTRUCTURE and the octets of each section with Dovecot. Where a reader differs from
us, mime_differences.py says why; a difference that isn't there, or one that is there no longer, fails. So does one that matters in a
message that we don't call ambiguous: that is what the word promises. The torture messages must have their anomalies, those that grow their bound of memory, and the
tree of every corpus message is held against test/mime/corpus.golden.

  mime_test.py --show READER NAME   what we and that reader see
  mime_test.py --golden             writes corpus.golden anew
"""

import difflib
import email
import email.policy
import imaplib
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import zlib

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "support"))
import mime_differences  # noqa: E402
import mime_torture  # noqa: E402
from dovecot import need_imap  # noqa: E402
from foreign import corpus, skip  # noqa: E402
from posthorn_site import programs  # noqa: E402

GOLDEN = HERE.parent / "mime/corpus.golden"
DUMP, BENCH = programs() / "mime_dump", programs() / "mime_bench"


def messages():
    """{name: octets}"""
    return {**corpus(), **{name: octets for name, (octets, _) in mime_torture.messages().items()}}


def octets_of(text):
    """mime_dump shows octets as code points."""
    return text.encode("latin-1")


# A structure is [type, [structure...]] or [type, octets]. A multipart without parts is [type, []] whatever its octets; some readers
# take a delivery report apart, so of that only the type is compared.
def leaf(kind, octets):
    return [kind, [] if kind.startswith("multipart/") else b"" if kind == "message/delivery-status" else octets]


def ours(seen):
    parts = seen["parts"]
    children = {}
    for index, part in enumerate(parts):
        children.setdefault(part["parent"], []).append(index)

    def structure(index):
        if "octets" in parts[index]:
            return leaf(parts[index]["type"], octets_of(parts[index]["octets"]))
        return [parts[index]["type"], [structure(child) for child in children.get(index, [])]]

    return structure(0)


def by_python(octets):
    def structure(message):
        kind = message.get_content_type()
        if message.is_multipart() and kind != "message/delivery-status":
            return [kind, [structure(child) for child in message.get_payload()]]
        return leaf(kind, b"" if message.is_multipart() else message.get_payload(decode=True) or b"")

    return structure(email.message_from_bytes(octets, policy=email.policy.compat32))


class GMime:
    def __init__(self):
        try:
            import gi
            gi.require_version("GMime", "3.0")
            from gi.repository import GMime as library
        except (ImportError, ValueError) as problem:
            if sys.executable != "/usr/bin/python3" and os.path.exists("/usr/bin/python3"):
                os.execv("/usr/bin/python3", ["/usr/bin/python3", *sys.argv])  # the bindings are Debian's Python's
            skip(f"GMime can't be used from Python: {problem} (packages python3-gi gir1.2-gmime-3.0)")
        self.library = library
        library.init()

    def __call__(self, octets):
        library = self.library
        parser = library.Parser.new_with_stream(library.StreamMem.new_with_buffer(octets))
        message = parser.construct_message(None)
        return self.structure(message.get_mime_part()) if message else ["none", b""]

    def structure(self, part):
        library = self.library
        if part is None:
            return ["none", b""]
        kind = part.get_content_type().get_mime_type().lower() if part.get_content_type() else "text/plain"
        if isinstance(part, library.Multipart):
            return [kind, [self.structure(part.get_part(i)) for i in range(part.get_count())]]
        if isinstance(part, library.MessagePart):
            message = part.get_message()
            return [kind, [self.structure(message.get_mime_part())] if message else []]
        content = part.get_content()
        if content is None:
            return leaf(kind, b"")
        stream = library.StreamMem.new()
        content.write_to_stream(stream)
        return leaf(kind, bytes(stream.get_byte_array()))


class Dovecot:
    """Dovecot's imap on a Maildir with all messages, its UIDs in their order."""

    def __init__(self, everything, sections):
        need_imap()
        self.directory = tempfile.TemporaryDirectory(prefix="posthorn-mime.")
        place = pathlib.Path(self.directory.name)
        for folder in ("cur", "new", "tmp"):
            (place / "mail" / folder).mkdir(parents=True)
        for number, octets in enumerate(everything.values()):
            (place / f"mail/cur/{1700000000 + number}.M{number}P1.host:2,S").write_bytes(octets)
        user = "nobody" if os.geteuid() == 0 else str(os.geteuid())
        group = "nogroup" if os.geteuid() == 0 else str(os.getegid())
        if os.geteuid() == 0:
            subprocess.run(["chown", "-R", f"{user}:{group}", place], check=True)
        (place / "dovecot.conf").write_text(
            f"base_dir = {place}/run\nstate_dir = {place}/run\nlog_path = {place}/log\nprotocols = imap\nssl = no\n"
            f"mail_location = maildir:{place}/mail\nmail_uid = {user}\nmail_gid = {group}\nfirst_valid_uid = 0\n"
            "default_internal_user = nobody\ndefault_internal_group = nogroup\ndefault_login_user = nobody\n"
            "mail_cache_min_mail_count = 1000000\n")
        os.chmod(place, 0o755)
        command = f"env USER=nobody HOME={place} doveadm -c {place}/dovecot.conf exec imap 2>{place}/errors"
        with imaplib.IMAP4_stream(command) as session:
            count = int(session.select("INBOX")[1][0])
            if count != len(everything):
                raise SystemExit(f"failed: Dovecot has {count} messages of {len(everything)}")
            answers = self.read(session.fetch("1:*", "(ENVELOPE BODYSTRUCTURE)")[1])
            # The order of readdir is Dovecot's: the base name says which is which.
            uids = (place / "mail/dovecot-uidlist").read_text().splitlines()[1:]
            names = list(everything)
            order = {names[int(re.search(r"\.M(\d+)P", row).group(1))]: i for i, row in enumerate(uids)}
            self.answers = {name: answers[i] for name, i in order.items()}
            self.sections = {}
            for name, wanted in sections.items():
                items = " ".join(f"BODY.PEEK[{section}]" for section in wanted)
                self.sections[name] = self.read(session.fetch(str(order[name] + 1), f"({items})")[1])[0]
        self.directory.cleanup()

    @staticmethod
    def read(rows):
        """imaplib cuts a response at its literals, and gives one more row behind the last of them."""
        out, text = [], b""
        for row in rows:
            if isinstance(row, tuple):
                text += row[0] + b"\r\n" + row[1]
                continue
            text += row
            out.append(read_list(b"(" + text[text.index(b"(") + 1:]))
            text = b""
        return [dict(zip(answer[::2], answer[1::2])) for answer in out]

    def __call__(self, name):
        answer = self.answers[name]
        return {"envelope": answer[b"ENVELOPE"], "bodystructure": plain(answer[b"BODYSTRUCTURE"])}


TOKEN = re.compile(rb'[ ]*(?:(\()|(\))|"((?:[^"\\]|\\.)*)"|~?\{(\d+)\+?\}\r\n|([^ ()"]+))', re.S)


def read_list(text):
    """An IMAP list as Python lists; NIL is None, strings are octets, atoms and numbers too."""
    stack, at = [[]], 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if not match:
            break
        opening, closing, quoted, literal, atom = match.groups()
        at = match.end()
        if opening:
            stack.append([])
        elif closing:
            done = stack.pop()
            stack[-1].append(done)
        elif literal is not None:
            stack[-1].append(text[at:at + int(literal)])
            at += int(literal)
        elif quoted is not None:
            stack[-1].append(re.sub(rb"\\(.)", rb"\1", quoted, flags=re.S))
        else:
            stack[-1].append(None if atom.upper() == b"NIL" else atom)
    return stack[0][0]


def plain(structure):
    """What ignores case in lower case."""
    if isinstance(structure[0], list):
        cut = next((i for i, item in enumerate(structure) if not isinstance(item, list)), len(structure))
        tail = structure[cut:]
        return [plain(child) for child in structure[:cut]] + [tail[0].lower(), names(tail[1]), disposition(tail[2])] + tail[3:]
    kind = [item.lower() if item else item for item in structure[:2]]
    out = kind + [names(structure[2])] + structure[3:5] + [structure[5].lower()] + structure[6:]
    if kind == [b"message", b"rfc822"] and len(out) > 8 and isinstance(out[8], list):
        out[8] = plain(out[8])
    if len(out) >= 4:
        out[-3] = disposition(out[-3])
    return out


def names(parameters):
    return parameters and [p.lower() if i % 2 == 0 else p for i, p in enumerate(parameters)]


def disposition(value):
    return value and isinstance(value, list) and [value[0].lower(), names(value[1])] or value


def show(value, indent=" "):
    """As lines, for difflib."""
    if isinstance(value, dict):
        return [line for key, item in value.items() for line in [f"{indent}{key}:"] + show(item, indent + " ")]
    if isinstance(value, list):
        if not any(isinstance(item, list) for item in value):
            return [indent + repr(value)]
        return [indent + "["] + [line for item in value for line in show(item, indent + " ")] + [indent + "]"]
    return [indent + repr(value)]


def dump(everything):
    with tempfile.TemporaryDirectory(prefix="posthorn-mime.") as directory:
        paths = []
        for name, octets in everything.items():
            paths.append(pathlib.Path(directory, name))
            paths[-1].write_bytes(octets)
        done = subprocess.run([DUMP, "--bodies", *paths], capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise SystemExit(f"failed: mime_dump ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    return dict(zip(everything, (json.loads(line) for line in done.stdout.splitlines())))


def golden_text(seen):
    """The trees of the corpus: one line a part with the CRC-32 of its text, the anomalies behind."""
    out = []
    for name in (n for n in seen if n.startswith("msg_")):
        view = seen[name]
        out.append(f"{name}{' ambiguous' if view['ambiguous'] else ''}")
        for part in view["parts"]:
            words = [part["type"], part["encoding"], "header", "-".join(map(str, part["header"])), "body",
                     "-".join(map(str, part["body"])), "lines", str(part["lines"]), "crlf", str(part["crlf_size"])]
            words += [f"charset={part['parameters']['charset']}"] if "charset" in part["parameters"] else []
            words += [json.dumps(part["filename"], ensure_ascii=False)] if "filename" in part else []
            words += [f"text={zlib.crc32(part['text'].encode()):08x}"] if "text" in part else []
            words += [flag for flag in part["flags"] if flag not in ("closed", "whole_message")]
            out.append("  " * (part["depth"] + 1) + " ".join(words))
        if "subject" in view["parts"][0]:
            out.append("  subject " + json.dumps(view["parts"][0]["subject"], ensure_ascii=False))
        shown = "; ".join(f"{key} {' '.join(map(str, value))}" for key, value in view["shown"].items() if value)
        out.append("  shown: " + shown)
        out += [f"  ! {kind} at {offset}" for kind, offset in view["anomalies"]]
    return "\n".join(out) + "\n"


def compare(reader, theirs, mine, views):
    """Prints what is wrong; `theirs` and `mine` are {name: what is seen}."""
    known = mime_differences.of(reader)
    wrong = []
    for name, seen in theirs.items():
        same = seen == mine[name]
        if same and name in known:
            wrong.append(f"{name}: sees the same as we, mime_differences.py says otherwise")
        elif not same and name not in known:
            lines = list(difflib.unified_diff(show(seen), show(mine[name]), reader, "ours", lineterm="", n=2))
            wrong.append(name + "\n        " + "\n        ".join(line[:300] for line in lines[:40]))
        elif not same and not known[name].harmless and not views[name]["ambiguous"]:
            wrong.append(f"{name}: sees something else than we, and we don't call the message ambiguous")
    wrong += [f"{name}: mime_differences.py speaks of it, but there is no such message" for name in known.keys() - theirs.keys()]
    return told([f"{reader} {what}" for what in wrong], f"{reader}: {len(theirs) - len(known)} of {len(theirs)} messages alike, {len(known)} differences explained")


def told(wrong, well):
    """Prints a line for each thing that is wrong, or that all is well; how many are wrong."""
    for what in wrong:
        print(f"FAILED  {what}")
    if not wrong:
        print(f"ok      {well}")
    return len(wrong)


def check_anomalies(seen):
    wrong = []
    for name, (_, expected) in mime_torture.messages().items():
        found = {kind for kind, _ in seen[name]["anomalies"]}
        if found != expected:
            wrong.append(f"anomalies of {name}: {sorted(found)} instead of {sorted(expected)}")
    return told(wrong, f"{len(mime_torture.messages())} torture messages have their anomalies")


def check_sections(everything, seen, dovecot, alike):
    """What BODY[1.2.MIME] and its like give, where both see the same structure."""
    wrong, count = [], 0
    for name in alike:
        for section, (begin, end, size) in seen[name]["sections"].items():
            mine = everything[name][begin:end].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
            theirs = dovecot.sections[name].get(f"BODY[{section}]".encode())
            count += 1
            if len(mine) != size:
                wrong.append(f"{name}: BODY[{section}] is said to have {size} octets and has {len(mine)}")
            if (mine != (theirs or b"")) != ((name, section) in mime_differences.SECTIONS):
                wrong.append(f"{name}: BODY[{section}] is {theirs!r} for Dovecot, {mine!r} for us"[:600])
    return told(wrong, f"{count} sections of {len(alike)} messages as Dovecot's, but for {len(mime_differences.SECTIONS)}")


def check_crlf(everything, seen):
    """The same message with CRLF for LF is the same to a client."""
    plain_lf = {name: octets for name, octets in everything.items() if b"\r" not in octets}
    again = dump({name: octets.replace(b"\n", b"\r\n") for name, octets in plain_lf.items()})
    wrong = []
    for name in plain_lf:
        for key in ("envelope", "body", "bodystructure", "shown", "ambiguous"):
            if seen[name][key] != again[name][key]:
                wrong.append(f"{name}: {key} with LF {seen[name][key]!r}, with CRLF {again[name][key]!r}"[:600])
        texts = [[part.get("text") for part in view["parts"]] for view in (seen[name], again[name])]
        if texts[0] != texts[1]:
            wrong.append(f"{name}: other texts with CRLF")
    return told(wrong, f"{len(plain_lf)} messages are the same with CRLF")


def heap_and_allocations(octets, *works):
    """Of one run of each work."""
    out = subprocess.run([BENCH, "0", *works], input=octets, capture_output=True, check=True, timeout=120).stdout
    rows = [json.loads(line) for line in out.splitlines()]
    return max(row["heap"] for row in rows), max(row["allocations"] for row in rows)


def check_memory():
    """Whatever a message holds: a bound. A header field: no allocation. A megabyte of attachment: nothing."""
    wrong = []
    for name, make in mime_torture.growing().items():
        heap, _ = heap_and_allocations(make(2 << 20), "read")
        if heap > mime_torture.MOST_HEAP:
            wrong.append(f"{name}: {heap >> 20} MiB of heap")
    field = b"X-Field: a line of a header that has the usual length of such a line\n"
    few, many = (heap_and_allocations(b"Subject: x\n" + field * n + b"\nbody\n", "parse")[1] for n in (100, 9000))
    if many > few + 8:  # a line that two pieces share is put together
        wrong.append(f"8900 more header fields: {many - few} more allocations")
    attachment = mime_torture.growing()["base64-attachment"]
    small, large = (heap_and_allocations(attachment(n << 20), "parse")[0] for n in (1, 16))
    if large > small:
        wrong.append(f"15 MiB more of an attachment: {large - small} more octets of heap")
    return told(wrong, f"{len(mime_torture.growing())} growing messages of 2 MiB within {mime_torture.MOST_HEAP >> 20} MiB of heap")


def check_golden(seen):
    text = golden_text(seen)
    if text == GOLDEN.read_text(encoding="utf-8"):
        print(f"ok      {len(corpus())} trees as in {GOLDEN.name}")
        return 0
    lines = difflib.unified_diff(GOLDEN.read_text(encoding="utf-8").splitlines(), text.splitlines(), GOLDEN.name, "now", lineterm="")
    print("FAILED  trees of the corpus\n        " + "\n        ".join(list(lines)[:60]))
    return 1


def main(arguments):
    everything = messages()
    seen = dump(everything)
    if arguments == ["--golden"]:
        GOLDEN.write_text(golden_text(seen), encoding="utf-8")
        return 0
    structures = {name: ours(view) for name, view in seen.items()}
    served = {name: {"envelope": read_list(octets_of(view["envelope"])),
                     "bodystructure": plain(read_list(octets_of(view["bodystructure"])))} for name, view in seen.items()}
    gmime, dovecot = GMime(), Dovecot(everything, {name: view["sections"] for name, view in seen.items()})
    readers = {
        "Python": ({name: by_python(octets) for name, octets in everything.items()}, structures),
        "GMime": ({name: gmime(octets) for name, octets in everything.items()}, structures),
        "Dovecot": ({name: dovecot(name) for name in everything}, served),
    }
    if arguments[:1] == ["--show"]:
        theirs, mine = readers[arguments[1]]
        for name in arguments[2:]:
            print("\n".join(difflib.unified_diff(show(theirs[name]), show(mine[name]), "theirs", "ours", lineterm="", n=99)))
        return 0
    wrong = check_anomalies(seen) + check_golden(seen) + check_crlf(everything, seen) + check_memory()
    alike = [name for name in everything if dovecot(name)["bodystructure"] == served[name]["bodystructure"]]
    wrong += check_sections(everything, seen, dovecot, alike)
    for reader, (theirs, mine) in readers.items():
        wrong += compare(reader, theirs, mine, seen)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
