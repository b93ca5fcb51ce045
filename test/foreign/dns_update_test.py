#!/usr/bin/env python3
"""UPDATE at dnsd (RFC 2136) by nsupdate and knsupdate: what is changed, what is refused, and what kill -9 leaves."""

import os
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import dnsd, key_text, main  # noqa: E402
from foreign import Failed, need, run  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ZONE = "dyn.test"
SECRETS = {"admin": "c2VjcmV0IG9mIHRoZSBhZG1pbmlzdHJhdG9yIQ==", "host.dyn.test": "dGhlIHNlY3JldCBvZiBvbmUgaG9zdCwgbm8gbW9yZQ==",
           "acme": "dGhlIHNlY3JldCBvZiBhIGNlcnRpZmljYXRlIGJvdA==", "twin": "c2hhNTEyIG5lZWRzIG5vIGxvbmdlciBzZWNyZXRzIQ=="}
TEXT = """$TTL 300
@ IN SOA ns1 hostmaster 100 7200 900 1209600 300
@ NS ns1
@ NS ns2
@ MX 10 mail
ns1 A 192.0.2.1
ns2 A 192.0.2.2
mail A 192.0.2.3
www CNAME mail
child NS ns.child
ns.child A 192.0.2.9
"""
GRANTS = ["admin subdomain dyn.test", "admin exact dyn.test SOA,NS", "host.dyn.test self .", "acme subdomain _acme.dyn.test TXT", "twin exact twin.dyn.test A,AAAA"]


def start(bench):
    """dnsd with four keys and a grant for each"""
    keys = "".join(key_text(name, secret, "hmac-sha512" if name == "twin" else "hmac-sha256") for name, secret in SECRETS.items())
    words = ["--no-recursion"] + [word for grant in GRANTS for word in ("--grant", grant)]
    ours = bench.add(dnsd, "ours", {ZONE: TEXT}, words, {"conf/dns.keys": keys})
    bench.shared["ours"] = ours.start(ZONE)
    for name, secret in [*SECRETS.items(), ("stranger", SECRETS["acme"])]:
        path = bench.directory / f"{name}.key"
        path.write_text(key_text(name, secret, "hmac-sha512" if name == "twin" else "hmac-sha256"))
        path.chmod(0o600)
    (bench.directory / "forged.key").write_text(key_text("admin", SECRETS["acme"]))


def update(bench, key, text, program="nsupdate", zone=ZONE, words=()):
    """What the program says: "" if the update was taken."""
    host, port = bench.shared["ours"].address
    credentials = ["-k", str(bench.directory / f"{key}.key")]
    if program == "knsupdate":
        credentials = ["-y", f"hmac-sha256:{key}:{SECRETS.get(key)}"]
    options = [program, *words] + (credentials if key else [])
    ends = "answer\n" if program == "knsupdate" else "quit\n"
    script = f"server {host} {port}\nzone {zone}\n{'' if program == 'knsupdate' else 'check-names no'}\n{text}\nsend\n{ends}"
    done = subprocess.run(options, input=script, capture_output=True, text=True, timeout=60, check=False)
    said = (done.stdout + done.stderr).strip()
    if done.returncode == 0 and program == "nsupdate" and said:
        raise Failed(f"nsupdate ended well and says {said}")
    return said


def taken(bench, key, text, **keywords):
    before = bench.shared["ours"].serial(ZONE)
    said = update(bench, key, text, **keywords)
    if said and keywords.get("program") != "knsupdate":
        raise Failed(f"{text!r} by {key} is refused: {said}")
    if bench.shared["ours"].serial(ZONE) == before:
        raise Failed(f"{text!r} by {key} leaves the serial {before}: {said}")


def refused(bench, key, text, rcode, **keywords):
    before = bench.shared["ours"].serial(ZONE)
    said = update(bench, key, text, **keywords)
    if rcode not in said:
        raise Failed(f"{text!r} by {key} should be {rcode}: {said or 'it was taken'}")
    if bench.shared["ours"].serial(ZONE) != before:
        raise Failed(f"{text!r} by {key} is refused with {rcode}, yet the serial has changed")


def silent(bench, key, text):
    """Acknowledged, and nothing changes (RFC 2136 3.4)."""
    before = bench.shared["ours"].serial(ZONE)
    said = update(bench, key, text)
    if said or bench.shared["ours"].serial(ZONE) != before:
        raise Failed(f"{text!r} should be acknowledged and change nothing: {said or 'it changed the zone'}")


def data(bench, name, qtype):
    return sorted(record[3] for record in bench.shared["ours"].ask(name, qtype).answer)


def rcode(bench, name, qtype="A"):
    return bench.shared["ours"].ask(name, qtype).rcode


def adding(bench):
    """nsupdate: add, replace, delete a record, a set, a name"""
    taken(bench, "admin", "add new.dyn.test 60 A 192.0.2.50\nadd new.dyn.test 60 A 192.0.2.51\nadd new.dyn.test 60 TXT \"a b\" c")
    if len(data(bench, "new.dyn.test", "A")) != 2 or len(data(bench, "new.dyn.test", "TXT")) != 1:
        raise Failed("what was added is not served")
    taken(bench, "admin", "del new.dyn.test A 192.0.2.50")
    if data(bench, "new.dyn.test", "A") != [bytes([192, 0, 2, 51])]:
        raise Failed("deleting one record left the wrong ones")
    taken(bench, "admin", "del new.dyn.test TXT\nadd new.dyn.test 60 TYPE65280 \\# 2 beef")
    if data(bench, "new.dyn.test", "TXT") or data(bench, "new.dyn.test", "TYPE65280") != [b"\xbe\xef"]:
        raise Failed("deleting a set, or adding an unknown type, went wrong")
    taken(bench, "admin", "del new.dyn.test")
    if rcode(bench, "new.dyn.test") != "NXDOMAIN":
        raise Failed("a deleted name is still there")
    taken(bench, "admin", "add *.wild.dyn.test 60 A 192.0.2.60\nadd a.b.ent.dyn.test 60 A 192.0.2.61")
    if rcode(bench, "x.wild.dyn.test") != "NOERROR" or rcode(bench, "b.ent.dyn.test") != "NOERROR":
        raise Failed("wildcards and empty non-terminals that an update makes are not served")
    taken(bench, "admin", "del a.b.ent.dyn.test\ndel *.wild.dyn.test")
    if rcode(bench, "b.ent.dyn.test") != "NXDOMAIN" or rcode(bench, "x.wild.dyn.test") != "NXDOMAIN":
        raise Failed("empty non-terminals and wildcards stay behind")


def by_knot(bench):
    """knsupdate: the same with another client, and over TCP"""
    taken(bench, "admin", "add k.dyn.test. 60 A 192.0.2.52", program="knsupdate")
    if data(bench, "k.dyn.test", "A") != [bytes([192, 0, 2, 52])]:
        raise Failed("what knsupdate added is not served")
    taken(bench, "admin", "del k.dyn.test.", program="knsupdate", words=["-v"])
    refused(bench, None, "add k.dyn.test. 60 A 192.0.2.52", "REFUSED", program="knsupdate")
    taken(bench, "admin", "add v.dyn.test 60 A 192.0.2.53", words=["-v"])
    taken(bench, "twin", "add twin.dyn.test 60 A 192.0.2.54")


def prerequisites(bench):
    """nsupdate: the five kinds of prerequisites, met and unmet"""
    met = ["yxdomain mail.dyn.test", "nxdomain nothing.dyn.test", "yxrrset mail.dyn.test A", "nxrrset mail.dyn.test AAAA",
           "yxrrset mail.dyn.test A 192.0.2.3"]
    for number, text in enumerate(met):
        taken(bench, "admin", f"prereq {text}\nadd pre.dyn.test 60 A 192.0.2.{70 + number}")
    unmet = [("yxdomain nothing.dyn.test", "NXDOMAIN"), ("nxdomain mail.dyn.test", "YXDOMAIN"),
             ("yxrrset mail.dyn.test AAAA", "NXRRSET"), ("nxrrset mail.dyn.test A", "YXRRSET"),
             ("yxrrset mail.dyn.test A 192.0.2.4", "NXRRSET")]
    for text, expected in unmet:
        refused(bench, "admin", f"prereq {text}\nadd pre.dyn.test 60 A 192.0.2.80", expected)
    refused(bench, "admin", "prereq yxdomain mail.elsewhere.test\nadd pre.dyn.test 60 A 192.0.2.80", "NOTZONE")


def grants(bench):
    """nsupdate: a key changes what its grant names, and nothing else"""
    taken(bench, "host.dyn.test", "add host.dyn.test 60 A 192.0.2.90")
    refused(bench, "host.dyn.test", "add other.dyn.test 60 A 192.0.2.90", "REFUSED")
    refused(bench, "host.dyn.test", "add x.host.dyn.test 60 A 192.0.2.90", "REFUSED")
    taken(bench, "acme", "add _acme.dyn.test 60 TXT token\nadd www._acme.dyn.test 60 TXT token")
    refused(bench, "acme", "add _acme.dyn.test 60 A 192.0.2.90", "REFUSED")
    refused(bench, "acme", "add www.dyn.test 60 TXT token", "REFUSED")
    refused(bench, "acme", "add _acme.dyn.test 60 TXT one\nadd mail.dyn.test 60 A 192.0.2.90", "REFUSED")
    if len(data(bench, "_acme.dyn.test", "TXT")) != 1:
        raise Failed("half of a refused update was done")
    taken(bench, "twin", "add twin.dyn.test 60 AAAA 2001:db8::1")
    refused(bench, "twin", "add twin.dyn.test 60 TXT no", "REFUSED")


def strangers(bench):
    """nsupdate: unsigned, unknown key, wrong secret, no zone of ours, names outside"""
    change = "add evil.dyn.test 60 A 192.0.2.66"
    refused(bench, None, change, "REFUSED")
    refused(bench, "stranger", change, "BADKEY")
    refused(bench, "forged", change, "BADSIG")
    refused(bench, "admin", "add evil.elsewhere.test 60 A 192.0.2.66", "NOTZONE")
    refused(bench, "admin", change, "NOTAUTH", zone="test")
    refused(bench, "admin", "add a.child.dyn.test 60 A 192.0.2.66", "NOTAUTH", zone="child.dyn.test")
    refused(bench, "admin", "add evil.elsewhere.test 60 A 192.0.2.66", "NOTAUTH", zone="elsewhere.test")
    if rcode(bench, "evil.dyn.test") != "NXDOMAIN":
        raise Failed("a stranger has changed the zone")


def ignored(bench):
    """nsupdate: what RFC 2136 3.4.2 passes over: lower SOA, the apex NS, CNAME beside others"""
    silent(bench, "admin", "add www.dyn.test 60 A 192.0.2.66")
    silent(bench, "admin", "add mail.dyn.test 60 CNAME www.dyn.test.")
    silent(bench, "admin", "del dyn.test SOA")
    silent(bench, "admin", "add dyn.test 300 SOA ns1.dyn.test. hostmaster.dyn.test. 99 7200 900 1209600 300")
    taken(bench, "admin", "add dyn.test 300 SOA ns1.dyn.test. hostmaster.dyn.test. 5000 7200 900 1209600 300")
    if bench.shared["ours"].serial(ZONE) != 5000:
        raise Failed("a higher SOA should be taken as it is")
    refused(bench, "acme", "add dyn.test 300 SOA ns1.dyn.test. hostmaster.dyn.test. 6000 7200 900 1209600 300", "REFUSED")
    silent(bench, "admin", "del dyn.test NS")
    silent(bench, "admin", "del nothing.dyn.test")
    silent(bench, "admin", "add mail.dyn.test 300 A 192.0.2.3")
    taken(bench, "admin", "del dyn.test NS ns2.dyn.test.")
    silent(bench, "admin", "del dyn.test NS ns1.dyn.test.")
    taken(bench, "admin", "del dyn.test")
    if not bench.shared["ours"].serial(ZONE) or len(data(bench, ZONE, "NS")) != 1 or data(bench, ZONE, "MX"):
        raise Failed("deleting the apex should leave SOA and NS alone")
    taken(bench, "admin", "add dyn.test 60 MX 10 mail.dyn.test.\nadd dyn.test 60 NS ns2.dyn.test.")
    taken(bench, "admin", "add www.dyn.test 60 CNAME ns1.dyn.test.")
    if len(data(bench, "www.dyn.test", "CNAME")) != 1:
        raise Failed("a new CNAME should replace the old one")


def differences(bench):
    """dig IXFR: each update as one difference, from any serial that is remembered"""
    ours = bench.shared["ours"]
    first = ours.serial(ZONE)
    for number in range(3):
        taken(bench, "admin", f"add i{number}.dyn.test 60 A 192.0.2.{100 + number}")
    host, port = ours.address
    said = run(["dig", f"@{host}", "-p", port, "+nocmd", "+nostats", "+noquestion", ZONE, f"IXFR={first}"])
    lines = [line.split() for line in said.splitlines() if line and not line.startswith(";")]
    soas = [int(words[6]) for words in lines if words[3] == "SOA"]
    if soas != [first + 3, first, first + 1, first + 1, first + 2, first + 2, first + 3, first + 3]:
        raise Failed(f"an IXFR from {first} has the serials {soas}")
    if [words[0] for words in lines if words[3] == "A"] != [f"i{number}.{ZONE}." for number in range(3)]:
        raise Failed(f"an IXFR from {first} has the wrong records:\n{said}")
    said = run(["dig", f"@{host}", "-p", port, ZONE, f"IXFR={first + 3}"])
    if "XFR size: 1 records" not in said:
        raise Failed(f"an IXFR for who has all is one SOA:\n{said}")
    said = run(["dig", f"@{host}", "-p", port, ZONE, "IXFR=7"])
    if "192.0.2.102" not in said or "ns1.dyn.test" not in said:
        raise Failed(f"an IXFR from what nobody remembers is the whole zone:\n{said}")


class Updates:
    """Updates one after another, by one nsupdate each, until told to stop; what was acknowledged."""

    def __init__(self, bench):
        self.bench, self.done, self.sent, self.stopping = bench, [], 0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while self.sent < 200 and not self.stopping:
            number, self.sent = self.sent, self.sent + 1
            if not update(self.bench, "admin", f"add k{number}.dyn.test 60 A 10.1.{number // 250}.{number % 250}",
                          words=["-t", "2", "-u", "1", "-r", "1"]):
                self.done.append(number)


def killed(bench):
    """kill -9 in the midst of updates, five times: every acknowledged one is there afterwards"""
    ours = bench.shared["ours"]
    stream = Updates(bench)
    try:
        for kill in range(5):
            wanted = len(stream.done) + 25
            wait_until("updates are acknowledged", lambda: len(stream.done) >= wanted or not stream.thread.is_alive(), pause=0.005)
            ours.kill()
            acknowledged = list(stream.done)
            ours.start(ZONE)
            lost = [number for number in acknowledged if rcode(bench, f"k{number}.dyn.test") != "NOERROR"]
            if lost:
                raise Failed(f"acknowledged and lost after kill {kill + 1}: {lost}")
    finally:
        stream.stopping = True
        stream.thread.join()
    lost = [number for number in stream.done if rcode(bench, f"k{number}.dyn.test") != "NOERROR"]
    if lost or len(stream.done) < 100:
        raise Failed(f"{len(stream.done)} of {stream.sent} acknowledged, lost: {lost}")
    print(f"        {len(stream.done)} of {stream.sent} updates acknowledged, none lost")


def written_back(bench):
    """SIGTERM writes the file back, named-checkzone and kzonecheck accept it, and the serial goes on"""
    ours = bench.shared["ours"]
    serial = ours.serial(ZONE)
    taken(bench, "admin", "add loop.dyn.test 60 CNAME loop.dyn.test.\nadd dyn.test 60 TXT \"v=spf1 what -all\"")
    ours.stop()
    file = ours.directory / f"zones/{ZONE}.zone"
    if (ours.directory / f"zones/{ZONE}.journal").exists():
        raise Failed("the journal stays when the file is written back")
    said = run(["named-checkzone", "-i", "none", "-k", "ignore", ZONE, file])
    if f"loaded serial {serial + 1}" not in said:
        raise Failed(f"named-checkzone says {said}")
    run(["kzonecheck", "-d", "off", "-o", ZONE, file])
    ours.start(ZONE)
    if ours.serial(ZONE) != serial + 1:
        raise Failed(f"serial {ours.serial(ZONE)} after a start, {serial + 1} before")
    taken(bench, "admin", "add after.dyn.test 60 A 192.0.2.200")
    ours.kill()
    torn = ours.directory / f"zones/{ZONE}.journal"
    torn.write_bytes((torn.read_bytes() * 2)[:-9])
    ours.start(ZONE)
    if rcode(bench, "after.dyn.test") != "NOERROR":
        raise Failed("a torn entry takes the ones before it along")
    taken(bench, "admin", "add again.dyn.test 60 A 192.0.2.201")


if __name__ == "__main__":
    need("nsupdate", "knsupdate", "dig", "named-checkzone", "kzonecheck")
    main("dns-update", [start, adding, by_knot, prerequisites, grants, strangers, ignored, differences, killed, written_back])
