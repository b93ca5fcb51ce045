#!/usr/bin/env python3
"""posthorn mailbox import and export: round trips, Python's mailbox module on what is exported, Dovecot as the source of a pull."""

import hashlib
import json
import mailbox
import os
import pty
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
import dovecot  # noqa: E402
from foreign import NOBODY, Failed, give_to_nobody, name_of_nobody, need, read_terminal  # noqa: E402
from posthorn_site import programs  # noqa: E402
from steps import Place, run_in  # noqa: E402

COUNT = 30
EPOCH = 1_700_000_000


def letter(number):
    """LF line ends; every kind of thing that an mbox gets wrong."""
    head = f"From: Ann <ann@alpha.test>\nTo: bob@alpha.test\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?= {number}\n"
    if number % 3:
        head += f"Message-ID: <{number}@alpha.test>\n"
    if number % 5 == 0:
        head += "Status: mine\nX-Keywords: mine too\n"
    body = {0: "From here on\n>From there\n>>From everywhere\n", 1: "\n\n\n", 2: "no From at all\n\nFrom\n"}.get(number % 4, "")
    return (head + "\n" + body + f"text {number}\n").encode() + b"\xe4\xff\n" * (number % 2)


class Ground(Place):
    def posthorn(self, *words, code=0):
        done = subprocess.run([str(programs() / "posthorn"), *map(str, words)], capture_output=True, cwd=self.directory, timeout=60,
                              check=False)
        if done.returncode != code:
            raise Failed(f"posthorn {' '.join(map(str, words))}: exit {done.returncode}, not {code}: "
                         f"{done.stdout.decode()[-800:]} {done.stderr.decode()[-800:]}")
        return done

    def copy(self, *words):
        """{from: (copied, there)} of an import or export"""
        said = json.loads(self.posthorn("--json", "mailbox", *words).stdout)
        for folder in said["folders"]:
            if folder["failed"]:
                raise Failed(f"{words}: {folder}")
        return {folder["from"]: (folder["copied"], folder["there"]) for folder in said["folders"]}

    def maildir(self, name, folders=("", ".Lists.C++", ".Gr&APwA3w-e")):
        """A Maildir as other programs leave it."""
        root = self.directory / name
        (root / "cur").mkdir(parents=True)
        for folder in folders:
            for sub in ("cur", "new", "tmp"):
                (root / folder / sub).mkdir(parents=True, exist_ok=True)
            (root / folder / "dovecot-keywords").write_text("0 work\n1 $Forwarded\n")
            for number in range(COUNT):
                octets = letter(number)
                info = ["", ":2,S", ":2,FSa", ":2,RSTb", ":2,Dab"][number % 5]
                file = root / folder / ("cur" if info else "new") / f"{EPOCH + number}.M{number}P1Q{number}.else{info}"
                file.write_bytes(octets)
                os.utime(file, (EPOCH + number * 1000, EPOCH + number * 1000))
        return root


def contents(root):
    """{folder: sorted [(sha256, flags, keywords, date)]} of a Maildir, read without any of our programs."""
    found = {}
    for cur in sorted(root.rglob("cur")):
        folder = cur.parent
        names = {}
        if (folder / "dovecot-keywords").exists():
            names = {chr(97 + int(n)): word for n, word in map(str.split, (folder / "dovecot-keywords").read_text().splitlines())}
        rows = []
        for file in [*cur.iterdir(), *(folder / "new").iterdir()]:
            letters = file.name.partition(":2,")[2]
            flags = "".join(c for c in letters if c.isupper())
            words = tuple(sorted(names[c] for c in letters if c.islower()))
            rows.append((hashlib.sha256(file.read_bytes()).hexdigest(), flags, words, int(file.stat().st_mtime)))
        found[str(folder.relative_to(root))] = sorted(rows)
    return found


def expect(what, found, wanted):
    if found != wanted:
        raise Failed(f"{what}: {str(found)[:1500]}\nand not {str(wanted)[:1500]}")


def maildir_round_trip(ground):
    """a Maildir imported, exported and compared: octets, flags, keywords, dates; a second time nothing comes"""
    source = ground.maildir("source")
    wanted = contents(source)
    names = {"INBOX", "Lists/C++", "Grüße"}
    dry = ground.copy("import", "--maildir", ground.directory / "box", "--dry-run", f"maildir:{source}")
    expect("a dry run", dry, {name: (COUNT, 0) for name in names})
    if (ground.directory / "box").exists():
        raise Failed("a dry run made something")
    expect("the import", ground.copy("import", "--maildir", ground.directory / "box", f"maildir:{source}"),
           {name: (COUNT, 0) for name in names})
    expect("what was imported", contents(ground.directory / "box"), wanted)
    expect("a second time", ground.copy("import", "--maildir", ground.directory / "box", f"maildir:{source}"),
           {name: (0, COUNT) for name in names})
    # Interrupted: half of it is missing.
    for file in list((ground.directory / "box/cur").iterdir())[:10]:
        file.unlink()
    expect("the rest", ground.copy("import", "--maildir", ground.directory / "box", f"maildir:{source}")["INBOX"], (10, COUNT - 10))
    expect("after that", contents(ground.directory / "box"), wanted)
    ground.copy("export", "--maildir", ground.directory / "box", f"maildir:{ground.directory}/out")
    expect("the Maildir that was exported", contents(ground.directory / "out"), wanted)
    expect("the source", contents(source), wanted)


def mbox_round_trip(ground):
    """mbox files that Python reads, and that come back octet for octet"""
    wanted = contents(ground.directory / "box")
    ground.copy("export", "--maildir", ground.directory / "box", f"mbox:{ground.directory}/mboxes")
    files = sorted(str(f.relative_to(ground.directory / "mboxes")) for f in (ground.directory / "mboxes").rglob("*") if f.is_file())
    expect("the files", files, ["Grüße.mbox", "INBOX.mbox", "Lists/C++.mbox"])
    read = list(mailbox.mbox(ground.directory / "mboxes/INBOX.mbox", create=False))
    expect("messages that Python sees", len(read), COUNT)
    by_subject = {message["Subject"].rsplit(" ", 1)[1]: message for message in read}
    flags = {number: set(by_subject[str(number)].get_flags()) for number in range(5)}
    expect("flags in Python's letters", flags, {0: {"O"}, 1: set("RO"), 2: set("ROF"), 3: set("ROAD"), 4: set("OT")})
    expect("keywords", by_subject["2"]["X-Keywords"], "work")
    if time.strftime("%a %b %d %H:%M:%S %Y", time.gmtime(EPOCH + 7000)) not in by_subject["7"].get_from():
        raise Failed(f"the date of message 7 is {by_subject['7'].get_from()}")
    ground.posthorn("mailbox", "export", "--maildir", ground.directory / "box", f"mbox:{ground.directory}/mboxes", code=77)
    copied = ground.copy("import", "--maildir", ground.directory / "again", f"mbox:{ground.directory}/mboxes")
    expect("the import", copied, {name: (COUNT, 0) for name in ("INBOX", "Lists/C++", "Grüße")})
    expect("what came back", contents(ground.directory / "again"), wanted)
    expect("a second time", ground.copy("import", "--maildir", ground.directory / "again", f"mbox:{ground.directory}/mboxes")["INBOX"],
           (0, COUNT))
    ground.posthorn("mailbox", "export", "--maildir", ground.directory / "box", f"mbox:{ground.directory}/one", "INBOX")
    mapped = ground.copy("import", "--maildir", ground.directory / "mapped", "--into", "Old", "--folder", "Lists/C++=Code",
                         "--folder", "Grüße=", f"mbox:{ground.directory}/mboxes")
    expect("with a mapping", mapped, {"INBOX": (COUNT, 0), "Lists/C++": (COUNT, 0)})
    expect("where it went", sorted(k for k, v in contents(ground.directory / "mapped").items() if v), [".Code", ".Old"])


def python_mbox(ground):
    """an mbox that Python's mailbox module wrote, with flags"""
    box = mailbox.mbox(ground.directory / "python.mbox")
    for number in range(4):
        message = mailbox.mboxMessage(letter(number))
        message.set_from("ann@alpha.test", time.gmtime(EPOCH + number))
        message.set_flags(["", "RO", "ROF", "A"][number])
        box.add(message)
    box.close()
    expect("the import", ground.copy("import", "--maildir", ground.directory / "python", f"mbox:{ground.directory}/python.mbox"),
           {"INBOX": (4, 0)})
    rows = contents(ground.directory / "python")["."]
    expect("flags and dates", sorted((f, d) for _, f, _, d in rows),
           sorted([("", EPOCH), ("S", EPOCH + 1), ("FS", EPOCH + 2), ("R", EPOCH + 3)]))


DOVECOT = """
ssl = no
disable_plaintext_auth = no
protocols = imap
mail_location = maildir:{home}/Maildir
passdb {{
  driver = passwd-file
  args = {home}/passwd
}}
userdb {{
  driver = static
  args = uid={nobody} gid={nobody} home={home}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = 0
  }}
  unix_listener {home}/imap.sock {{
    mode = 0666
  }}
}}
"""


def dovecot_for_ann(ground):
    """One that listens on a Unix socket, without TLS; as nobody."""
    home = ground.directory / "dovecot"
    home.mkdir()
    shutil.copytree(ground.directory / "source", home / "Maildir", copy_function=shutil.copy2)
    (home / "passwd").write_text("ann:{PLAIN}secret::::::\n")
    server = dovecot.Server(home, DOVECOT.format(home=home, nobody=NOBODY), [home / "imap.sock"], user=name_of_nobody())
    os.chown(ground.directory, NOBODY, NOBODY)
    give_to_nobody(home)
    return ground.hold(server.start())


def dovecot_pull(ground):
    """a pull from Dovecot over IMAP: flags, keywords, dates, octets; a second time nothing comes"""
    need("dovecot")
    if os.geteuid() != 0:
        return
    dovecot_for_ann(ground)
    (ground.directory / "secret").write_text("secret\n")
    words = ["--login", "ann", "--password-file", ground.directory / "secret", f"imap:{ground.directory}/dovecot/imap.sock"]
    box = ground.directory / "pulled"
    names = ("INBOX", "Lists/C++", "Grüße")
    expect("the pull", ground.copy("import", "--maildir", box, *words), {name: (COUNT, 0) for name in names})
    expect("what was pulled", contents(box), contents(ground.directory / "source"))
    expect("a second time", ground.copy("import", "--maildir", box, *words), {name: (0, COUNT) for name in names})
    words[2:4] = ["--password-command", "echo wrong"]
    ground.posthorn("mailbox", "import", "--maildir", box, *words, code=77)


def on_a_terminal(ground):
    """on a terminal a bar shows how far it is"""
    ours, theirs = pty.openpty()
    words = ["mailbox", "import", "--maildir", ground.directory / "seen", f"maildir:{ground.directory}/source"]
    done = subprocess.run([str(programs() / "posthorn"), *map(str, words)], stdout=subprocess.PIPE, stderr=theirs, timeout=60,
                          check=True)
    os.close(theirs)
    shown = read_terminal(ours)
    os.close(ours)
    if f"INBOX {COUNT}/{COUNT} [{'=' * 30}]".encode() not in shown:
        raise Failed(f"the bar is {shown}")
    if f"INBOX -> INBOX: {COUNT} of {COUNT} copied, 0 there already" not in done.stdout.decode():
        raise Failed(f"it says {done.stdout}")


def bad_sources(ground):
    """sources that are none are named, with the exit code that fits"""
    for source, code in (("mbox:nowhere", 67), ("maildir:.", 67), ("tar:x", 64), ("mbox:", 64), ("imap:127.0.0.1:1", 64),
                         (f"mbox:{ground.directory}/secret", 65)):
        words = ["--login", "ann"] if source.startswith("imap") else []
        (ground.directory / "secret").write_text("secret\n")
        ground.posthorn("mailbox", "import", "--maildir", ground.directory / "bad", *words, source, code=code)
    ground.posthorn("mailbox", "export", "--maildir", ground.directory / "box", "zip:x", code=64)


if __name__ == "__main__":
    # Who writes into another's Maildir becomes that user, and the kernel lets nobody trace such a process: the leak
    # checker of a sanitizer build can't look at it. All else in ASAN_OPTIONS stays.
    os.environ["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"
    run_in(Ground("import"), [maildir_round_trip, mbox_round_trip, python_mbox, dovecot_pull, on_a_terminal, bad_sources])
