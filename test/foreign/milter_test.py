#!/usr/bin/env python3
"""smtpd and deliverd in front of filters (milter protocol): what they are told, all that they may say, and filters that are down or
talk nonsense.

opendkim, and Postfix in front of the same filters, are tried by the seam `filter` of test/swap.
"""

import pathlib
import signal
import smtplib
import sys
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "test/support"), str(ROOT / "test/swap")]
import milter_server as milter  # noqa: E402
from adapters.posthorn import Deliverd, Queue  # noqa: E402
from messages import stored_in  # noqa: E402
from milter_server import MilterServer, add_header, reply  # noqa: E402
from steps import run_in  # noqa: E402
from work import DOMAIN, Failed, Workbench, free_port, wait_until  # noqa: E402

SENDER = "sender@elsewhere.test"
U1, U2 = f"u1@{DOMAIN}", f"u2@{DOMAIN}"
LETTER = b"From: Ann <ann@elsewhere.test>\r\nSubject: one\r\n two\r\nTo: u1\r\n\r\nfirst line\r\nsecond line\r\n"
STAGES = {"C": "connect", "H": "helo", "M": "mail", "R": "rcpt", "T": "data", "L": "field", "N": "end of header", "B": "body", "E": "end"}


class Site:
    def __init__(self, bench):
        self.work = bench.hold(bench.work("site"))
        self.delivery = Deliverd(self.work)
        self.userdb = f"unix:{self.work.directory}/posthorn/run/userdb.sock"
        self.queue = Queue(self.work, self.delivery, self.userdb)
        self.sequence = 0

    def smtpd(self, *flags):
        """One more smtpd before the same queue; gives its port."""
        self.sequence += 1
        port = free_port()
        self.log = self.work.agent("smtpd", "--hostname", "mail.site.test", "--domains", DOMAIN, "--userdb", self.userdb, "--queue",
                                   f"{self.work.directory}/mta/queue", "--listen", f"inet:127.0.0.1:{port}", *flags,
                                   name=f"smtpd{self.sequence}", site=f"filtered{self.sequence}")
        return port

    def deliverd(self, *flags):
        """One more deliverd, with mailboxes of its own; gives its port."""
        self.sequence += 1
        port = free_port()
        name = f"deliverd{self.sequence}"
        self.log = self.work.agent("deliverd", "--hostname", "mda.site.test", "--domains", DOMAIN, "--userdb", self.userdb, "--queue", "",
                                   "--listen", f"inet:127.0.0.1:{port}", *flags, name=name, site=name)
        self.mail = self.work.directory / name / "mail" / DOMAIN
        return port

    def arrived(self, user, count=1, mail=None):
        """The messages of a user, which are removed."""
        folder = mail / user / "Maildir" if mail else self.delivery.maildir(user)
        found = wait_until(f"{user} has {count}", lambda: (lambda f: f if len(f) >= count else None)(stored_in(folder)), 60)
        if len(found) != count:
            raise Failed(f"{user} has {len(found)} messages instead of {count}")
        for path in found:
            path.unlink()
        return [text.decode(errors="replace") for text in found.values()]

    def held(self):
        return self.queue.log.read_text().count(" held ")


def send(port, recipients=(U1,), letter=LETTER):
    """All replies of one session, by step: a code and its text."""
    said = {}
    client = smtplib.SMTP(timeout=60)
    said["C"] = client.connect("127.0.0.1", port)
    steps = [("H", lambda: client.ehlo("client.test")), ("M", lambda: client.docmd(f"MAIL FROM:<{SENDER}> SIZE=200"))]
    steps += [("R", lambda to=to: client.rcpt(to)) for to in recipients]
    for name, step in steps:
        if said[list(said)[-1]][0] >= 400 and list(said)[-1] != "R":
            break
        said[name] = step()
    if said.get("R", (500,))[0] < 400:
        said["T"] = client.docmd("DATA")
        if said["T"][0] == 354:
            client.send(letter + b".\r\n")
            said["E"] = client.getreply()
    client.close()
    return said


def deliver(port, recipients=(U1,), letter=LETTER):
    """The same by LMTP. "E" is a list: a code and its text for each recipient that was taken."""
    said = {}
    client = smtplib.LMTP(timeout=60)
    said["C"] = client.connect("127.0.0.1", port)
    for name, step in (("H", lambda: client.ehlo("queue.test")), ("M", lambda: client.docmd(f"MAIL FROM:<{SENDER}>"))):
        if last(said)[0] < 400:
            said[name] = step()
    if last(said)[0] < 400:
        heard = [client.rcpt(to) for to in recipients]
        said["R"] = max(heard)
        taken = [each for each in heard if each[0] == 250]
        if taken:
            said["T"] = client.docmd("DATA")
            if said["T"][0] == 354:
                client.send(letter + b".\r\n")
                said["E"] = [client.getreply() for _ in taken]
    client.close()
    return said


def last(said):
    return list(said.values())[-1]


def expect(what, is_so, otherwise=""):
    if not is_so:
        raise Failed(f"{what}: {otherwise}")


def told(site):
    """A filter is told of each step, in order, with macros, and never of our own Received."""
    server = MilterServer()
    code = last(send(site.smtpd("--milters", server.at), [U1, U2]))[0]
    expect("the message is taken", code == 250, code)
    expect("steps", "".join(step.letter for step in server.told) == "CHMRRTLLLNBE", [step.letter for step in server.told])
    step = {each.letter: each for each in server.told}
    expect("the client", step["C"].data.startswith(b"[127.0.0.1]\x004") and step["C"].data.endswith(b"127.0.0.1\0"), step["C"].data)
    expect("HELO", step["H"].texts == ["client.test"], step["H"].texts)
    expect("MAIL", step["M"].texts == [f"<{SENDER}>", "SIZE=200"], step["M"].texts)
    expect("RCPT", step["R"].texts == [f"<{U2}>"], step["R"].texts)
    expect("fields", [each.texts for each in server.steps("L")] ==
           [["From", "Ann <ann@elsewhere.test>"], ["Subject", "one\n two"], ["To", "u1"]], [each.texts for each in server.steps("L")])
    expect("the body", step["B"].data == b"first line\r\nsecond line\r\n", step["B"].data)
    macros = step["E"].macros
    wanted = {"j": "mail.site.test", "{daemon_name}": "smtpd", "{client_addr}": "127.0.0.1", "{mail_addr}": SENDER, "{rcpt_addr}": U2}
    expect("macros", {name: macros.get(name) for name in wanted} == wanted and len(macros["i"]) == 16, macros)
    wait_until("the filter hears goodbye", lambda: server.quits == 1)
    for user in ("u1", "u2"):
        site.arrived(user)


def every_action(site):
    """Everything that a filter may change at the end of a message is changed."""
    server = MilterServer(answers={"E": milter.PROGRESS + milter.add_header("X-Added", "one\n two") + milter.insert_header(1, "X-Second", "second")
                                   + milter.insert_header(0, "X-Top", "top") + milter.change_header(1, "Subject", "changed")
                                   + milter.change_header(1, "To", "") + milter.replace_body(b"new\n.body\r\nwithout end")
                                   + milter.add_rcpt(f"<{U2}>") + milter.add_rcpt(f"u3@{DOMAIN}", "NOTIFY=NEVER") + milter.delete_rcpt(f"<{U1}>")
                                   + milter.change_sender("<other@elsewhere.test>") + milter.ACCEPT})
    port = site.smtpd("--milters", server.at)
    expect("the message is taken", last(send(port))[0] == 250)
    for user in ("u2", "u3"):
        text = site.arrived(user)[0]
        head, body = text.split("\n\n", 1)
        expect("the body", body == "new\n.body\nwithout end\n", body)
        expect("the sender", "Return-Path: <other@elsewhere.test>" in head, head)
        rest = head[head.index("X-Top"):]
        lines = [line for line in rest.split("\n") if not line.startswith("\t")]
        expect("the header", [line.split(":")[0] for line in lines if not line.startswith(" ")] ==
               ["X-Top", "Received", "X-Second", "From", "Subject", "X-Added"], lines)
        expect("fields", "Subject: changed\nX-Added: one\n two" in rest, rest)
    expect("u1 was taken off", not stored_in(site.delivery.maildir("u1")))
    server.answers = {"E": milter.quarantine("a look is needed") + milter.CONTINUE}
    before = site.held()
    expect("a message in quarantine is taken", last(send(port))[0] == 250)
    wait_until("it is held", lambda: site.held() == before + 1)
    expect("the reason", "reason=\"a look is needed\"" in site.queue.log.read_text())
    server.answers = {"B": milter.DISCARD}
    expect("a message that is thrown away is taken", last(send(port))[0] == 250)
    wait_until("the log tells of it", lambda: " discarded " in site.log.read_text())
    expect("nobody has it", not stored_in(site.delivery.maildir("u1")))


def replies(site):
    """What a filter says at each step is what the client hears, at that step."""
    server = MilterServer()
    port = site.smtpd("--milters", server.at)
    for letter, stage in STAGES.items():
        heard_at = letter if letter in "CHMRT" else "E"
        for answer, code, words in ((reply("550-5.7.1 first\r\n550 5.7.1 second"), 554 if letter == "C" else 550, b"5.7.1 first\n5.7.1 second"),
                                    (milter.REJECT, 554 if letter == "C" else 550, b"5.7.1"),
                                    (milter.TEMPFAIL, 421 if letter == "C" else 451, b"4.7.1"), (milter.SHUTDOWN, 421, b"4.7.0")):
            server.answers = {letter: answer}
            said = send(port)
            expect(f"{answer} at {stage}", list(said)[-1] == heard_at and last(said)[0] == code and last(said)[1].startswith(words), said)
    server.answers = {"R": lambda told: reply("550 5.1.1 not you") if U2 in told.texts[0] else milter.CONTINUE}
    client = smtplib.SMTP("127.0.0.1", port, timeout=60)
    with client:
        refused = client.sendmail(SENDER, [U1, U2], LETTER)
    expect("one recipient is refused", refused == {U2: (550, b"5.1.1 not you")}, refused)
    site.arrived("u1")


def versions(site):
    """Filters of every version, silent ones, ones that skip, and ones that choose their macros."""
    for version in range(2, 7):
        server = MilterServer(version=version, actions=0x3F)
        expect(f"version {version}", last(send(site.smtpd("--milters", server.at)))[0] == 250)
        expect(f"DATA for version {version}", ("T" in "".join(each.letter for each in server.told)) == (version >= 4))
    port = site.smtpd("--milters", server.at, "--milter-protocol", "2")
    server.agreement = MilterServer(version=2, actions=0x3F).agreement
    expect("an old offer", last(send(port))[0] == 250 and server.offers[-1] == (2, 0x3F, 0x7F), server.offers[-1])
    everything_silent = 0x80 | 0x1000 | 0x2000 | 0x4000 | 0x8000 | 0x10000 | 0x40000 | 0x80000
    server = MilterServer(steps=everything_silent, answers=dict.fromkeys("CHMRTLNB", b"") | {"E": add_header("X-Silent", "yes") + milter.CONTINUE})
    expect("a silent filter", last(send(site.smtpd("--milters", server.at)))[0] == 250)
    server = MilterServer(steps=milter.SKIP | milter.LEADING_SPACE, macros=b"\0\0\0\2{mail_addr}\0", answers={"L": milter.SKIP_REST})
    expect("a filter that skips", last(send(site.smtpd("--milters", server.at)))[0] == 250)
    expect("what it skips", [each.texts for each in server.steps("L")] == [["From", " Ann <ann@elsewhere.test>"]])
    expect("what it chose", "i" not in server.steps("M")[0].macros, server.steps("M")[0].macros)
    texts = site.arrived("u1", 8)
    expect("the silent one's field", sum("X-Silent: yes" in text for text in texts) == 1)


def two_filters(site):
    """Each filter sees what the one before it has changed; they are named in the configuration file."""
    first = MilterServer(answers={"E": add_header("X-First", "1") + milter.replace_body((b"x" * 998 + b"\r\n") * 100) + milter.CONTINUE})
    second = MilterServer(answers={"E": add_header("X-Second", "2") + milter.CONTINUE})
    site.work.put(f"filtered{site.sequence + 1}/conf/smtpd{site.sequence + 1}.toml", f'milters = ["{first.at}", "accept={second.at}"]\n')
    port = site.smtpd("--spool-above", "1000")  # the message waits in a file
    expect("the message is taken", last(send(port, letter=LETTER + b"y" * 900 + b"\r\n" + b"z" * 900 + b"\r\n"))[0] == 250)
    expect("the field", ["X-First", "1"] in [each.texts for each in second.steps("L")])
    expect("the body", b"".join(each.data for each in second.steps("B")) == (b"x" * 998 + b"\r\n") * 100)
    expect("in pieces", max(len(each.data) for each in second.steps("B")) <= 65535)
    text = site.arrived("u1")[0]
    expect("both fields", text.split("\n\n")[0].endswith("X-First: 1\nX-Second: 2"), text[:1000])


HOSTILE = {"closes": None, "garbage": b"HTTP/1.1 400 Bad Request\r\n\r\n", "a huge length": b"\xff\xff\xff\xffc", "half an answer": (b"\0\0\0\x20h",),
           "no length": b"\0\0\0\0", "an unknown letter": milter.packet("X"), "a change too early": add_header("A", "b"),
           "a line without end": milter.replace_body(b"x" * 70000) + milter.CONTINUE, "no reply code": reply("hello"), "it failed": milter.CONN_FAIL}


def hostile(site):
    """A filter that goes, or talks nonsense, at any step: 451, 550, taken, or held, as configured; smtpd serves on."""
    server = MilterServer()
    agreement = server.agreement
    codes = {"tempfail": 451, "reject": 550, "accept": 250, "quarantine": 250}
    for action, code in codes.items():
        port = site.smtpd("--milters", server.at, "--milter-unavailable", action, "--milter-command-time", "20s")
        held = site.held()
        taken = 0
        for letter in "O" + "".join(STAGES):
            # Every way at every step with the first action, one way at every step with the others.
            ways = HOSTILE.items() if action == "tempfail" else [("closes", None)]
            for name, octets in ways:
                if letter == "E" and name == "a change too early":
                    continue
                server.agreement, server.answers = agreement, {}
                if letter == "O":
                    server.agreement = octets
                else:
                    server.answers = {letter: octets}
                said = send(port)
                expect(f"{name} at {letter} with {action}", last(said)[0] == code, said)
                taken += code == 250
        server.agreement, server.answers = agreement, {}
        expect("a filter that has come to its senses", last(send(port))[0] == 250)
        if action == "quarantine":
            wait_until("all of these are held", lambda: site.held() == held + taken)
            taken = 0
        site.arrived("u1", taken + 1)
        wait_until("each failure has a line", lambda: site.log.read_text().count(" milter-failed ") >= len(STAGES))


def down(site):
    """A filter that is not there, silent, or comes back: another says what it is worth by itself."""
    port_of_filter = free_port()
    at = f"inet:127.0.0.1:{port_of_filter}"
    port = site.smtpd("--milters", at)
    with smtplib.SMTP("127.0.0.1", port, timeout=60) as client:
        client.ehlo("client.test")
        expect("a filter that is down", client.mail(SENDER)[0] == 451)
        server = MilterServer(port_of_filter)
        expect("a filter that came back", client.mail(SENDER)[0] == 250)
        expect("it is told what it has missed", "".join(each.letter for each in server.told) == "CHM")
        client.rset()
        wait_until("it hears of RSET", lambda: server.told[-1].letter == "A")
    server.close()
    silent = MilterServer(answers={"E": b""})
    port = site.smtpd("--milters", f"accept=inet:127.0.0.1:{free_port()}", "--milters", silent.at, "--milter-end-time", "3s")
    expect("a silent filter", last(send(port))[0] == 451)
    silent.answers = {"E": milter.PROGRESS + milter.CONTINUE}
    expect("a filter that works", last(send(port))[0] == 250)
    site.arrived("u1")


def delivered(site):
    """deliverd: what a filter has changed is what lies in the Maildir, and each recipient has a reply."""
    server = MilterServer()
    port = site.deliverd("--milters", server.at)
    codes = [code for code, _ in deliver(port, [U1, U2])["E"]]
    expect("both get it", codes == [250, 250], codes)
    expect("steps", "".join(step.letter for step in server.told) == "CHMRRTLLLNBE", [step.letter for step in server.told])
    expect("macros", server.told[-1].macros["{daemon_name}"] == "deliverd", server.told[-1].macros)
    for user in ("u1", "u2"):
        site.arrived(user, mail=site.mail)
    server.answers = {"E": milter.add_header("X-Added", "one\n two") + milter.insert_header(1, "X-Top", "top") + milter.change_header(1, "To", "")
                      + milter.replace_body(b"new\r\n.body\r\n") + milter.add_rcpt(f"<u3@{DOMAIN}>") + milter.delete_rcpt(f"<{U1}>")
                      + milter.change_sender("<other@elsewhere.test>") + milter.ACCEPT}
    said = deliver(port, [U1, U2])["E"]
    expect("who was taken off hears 250", said[0] == (250, b"2.0.0 Discarded by a filter") and said[1][0] == 250, said)
    for user in ("u2", "u3"):
        head, body = site.arrived(user, mail=site.mail)[0].split("\n\n", 1)
        expect("the body", body == "new\n.body\n", body)
        expect("the sender", head.startswith("Return-Path: <other@elsewhere.test>\n"), head)
        expect("the header", head.endswith("\nX-Top: top\nFrom: Ann <ann@elsewhere.test>\nSubject: one\n two\nX-Added: one\n two"), head)
    expect("u1 has nothing", not stored_in(site.mail / "u1/Maildir"))
    for answer, code in ((reply("554 5.7.1 spam"), 554), (milter.TEMPFAIL, 451), (milter.quarantine("odd") + milter.CONTINUE, 451),
                         (milter.add_rcpt(f"<nobody@{DOMAIN}>") + milter.CONTINUE, 550), (milter.DISCARD, 250)):
        server.answers = {"E": answer}
        codes = [code for code, _ in deliver(port, [U1, U2])["E"]]
        expect(f"{answer} at the end", codes == [code, code], codes)
    expect("nobody has any of these", not any(stored_in(site.mail / user / "Maildir") for user in ("u1", "u2")))


def delivered_to_a_program(site):
    """deliverd --exec hands over what a filter has made; a filter that needs the network waits for a restart of who has none."""
    server = MilterServer(answers={"E": milter.replace_body(b"new\r\n") + milter.change_sender("<other@elsewhere.test>") + milter.CONTINUE})
    folder = site.work.folder("program")
    program = site.work.put("program.sh", f'#!/bin/sh\n{{ echo "$@"; cat; }} > {folder}/"$2"\n', mode=0o755)
    port = site.deliverd("--exec", f"{program} ${{sender}} ${{user}}", "--exec-flags", "D", "--milters", server.at)
    codes = [code for code, _ in deliver(port, [U1, U2])["E"]]
    text = (folder / "u2").read_text()
    expect("the program's input", codes == [250, 250] and text.startswith("other@elsewhere.test u2\n") and text.endswith("\n\nnew\n"), (codes, text))
    port = site.deliverd()
    name = site.mail.parents[1].name
    site.work.put(f"{name}/conf/{name}.toml", f'milters = ["{server.at}"]\n')
    site.work.processes[-1][1].send_signal(signal.SIGHUP)
    wait_until("the reload is refused", lambda: "milters: we have locked ourselves in" in site.log.read_text())
    expect("it serves on", deliver(port)["E"][0][0] == 250)
    expect("without the filter", site.arrived("u1", mail=site.mail)[0].endswith("second line\n"))


def delivered_without(site):
    """deliverd: while a filter is down, silent or talks nonsense messages wait, or are delivered, as configured; it serves on."""
    server = MilterServer()
    agreement = server.agreement
    for action, code in (("tempfail", 451), ("reject", 550), ("accept", 250), ("quarantine", 451)):
        port = site.deliverd("--milters", f"{action}={server.at}")
        taken = 0
        for letter in "O" + "".join(STAGES):
            ways = HOSTILE.items() if action == "tempfail" and letter in "OMRE" else [("closes", None)]
            for name, octets in ways:
                if letter == "E" and name == "a change too early":
                    continue
                server.agreement = octets if letter == "O" else agreement
                server.answers = {letter: octets}
                heard = last(deliver(port))
                heard = heard[0] if isinstance(heard, list) else heard
                expect(f"{name} at {letter} with {action}", heard[0] == code, heard)
                taken += code == 250
        server.agreement, server.answers = agreement, {}
        expect("a filter that has come to its senses", deliver(port)["E"][0][0] == 250)
        site.arrived("u1", taken + 1, site.mail)
    server = MilterServer(answers={"E": b""})
    port = site.deliverd("--milters", server.at, "--milters", f"accept=inet:127.0.0.1:{free_port()}", "--milter-end-time", "1s")
    expect("a silent filter", deliver(port)["E"][0][0] == 451)


if __name__ == "__main__":
    threading.excepthook = lambda args: None  # a peer that went away is no failure of this test
    run_in(Workbench(1000), [told, every_action, replies, versions, two_filters, hostile, down, delivered, delivered_to_a_program,
                             delivered_without], Site)
