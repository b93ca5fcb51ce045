#!/usr/bin/env python3
"""Tools and servers of others at dnsd: dig, kdig, drill, delv, unbound-host, host, nslookup; the answers of NSD and Knot
DNS for the same zone; the zone checkers of three projects at what dnsd writes."""

import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import dnsd, knotd, main, nsd, sign_zone  # noqa: E402
from dns_wire import Message, ask_all, query, record_text  # noqa: E402
from foreign import Failed, need, run  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ZONE = "rich.test"
SERIAL = 2026112301
LONG = " ".join(f'"{chr(97 + i) * 255}"' for i in range(6))  # 1.5 KiB: too long for UDP
TEXT = rf"""$ORIGIN {ZONE}.
$TTL 3600
@        IN SOA ns1 hostmaster {SERIAL} 7200 900 1209600 600
@           NS   ns1
@           NS   ns2.elsewhere.test.
@           MX   10 mail
@           MX   20 mail.elsewhere.test.
@           A    192.0.2.1
@           AAAA 2001:db8::1
@           TXT  "v=spf1 mx -all" "second \"string\" \\ \195\164"
@           CAA  0 issue "ca.elsewhere.test; policy=ev"
@           CAA  128 iodef "mailto:security@rich.test"
@           HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.1 ipv6hint=2001:db8::1
ns1         A    192.0.2.2
ns1         AAAA 2001:db8::2
mail    300 A    192.0.2.3
mail        AAAA 2001:db8::3
_25._tcp.mail TLSA 3 1 1 0d6fce13cb1a20f1a7f4c0b5a9aac3bc75b9cd6ad0dce7c3e1ab0d8f1b2e4a5c
_submission._tcp SRV 0 1 587 mail
_imaps._tcp SRV  0 0 0 .
_dmarc      TXT  "v=DMARC1; p=reject"
sel._domainkey TXT "v=DKIM1; k=rsa; p=" "MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQ"
long        TXT  {LONG}
many        A    192.0.2.10
many        A    192.0.2.11
many        A    192.0.2.12
many        TXT  "one"
many        TXT  "two"
unknown     TYPE65280 \# 4 0a000001
unknown     TYPE731 \# 0
unknown     TYPE1 \# 4 c0000209
svc         SVCB 16 service.elsewhere.test. port=53 key667="hello\210qoo" mandatory=port
alias       SVCB 0 svc
key         OPENPGPKEY mDMEXEcE6RYJKwYBBAHaRw8BAQdA
smime       SMIMEA 3 0 0 308201
ptr         PTR  mail
info        HINFO "PDP-11" "UNIX"
naptr       NAPTR 100 50 "s" "z3950+i2l+n2l" "" _z3950._tcp
sshfp       SSHFP 4 2 123456789abcdef67890123456789abcdef67890123456789abcdef123456789
odd\.dot\032space A 192.0.2.13
CaSe.Mixed  A    192.0.2.14
; empty non-terminals: b.ent and ent
a.b.ent     TXT  "below two names that have nothing"
; wildcards (RFC 4592 2.2.1)
*.wild      TXT  "from the wildcard"
*.wild      MX   10 mail
sub.*.wild  TXT  "this is not a wildcard"
host.wild   A    192.0.2.20
_ssh._tcp.host.wild SRV 0 0 22 host.wild
*.alias     CNAME host.wild
*.ent2.wild2 A   192.0.2.21
; aliases
c1          CNAME c2
c2          CNAME c3
c3          CNAME many
cout        CNAME www.elsewhere.test.
cnone       CNAME nothing
cwild       CNAME any.wild
cdel        CNAME www.child
loop1       CNAME loop2
loop2       CNAME loop1
self        CNAME self
; a whole tree elsewhere
tree        DNAME target
tree        TXT  "beside a DNAME"
x.target    A    192.0.2.30
y.x.target  CNAME x.tree
outtree     DNAME elsewhere.test.
cdname      CNAME x.tree
; delegations: glue, glue of a sibling, none, with DS
child       NS   ns.child
child       NS   ns.sibling
ns.child    A    192.0.2.40
ns.child    AAAA 2001:db8::40
sibling     NS   ns.sibling
ns.sibling  A    192.0.2.41
far         NS   ns.elsewhere.test.
signed      NS   ns.signed
signed      DS   60485 13 2 d4b7d520e7bb5f0f67674a0cceb1e3e0614b93c4f9e99b8383f6a1e4469da50a
ns.signed   A    192.0.2.42
deep.cut.ent3 NS ns1
"""
# Nobody here has recursion rights, so RRL would count; nor is anybody told AD, which others never set.
QUIET = ["--no-recursion", "--rate-limit", "0", "--trusted-networks", "203.0.113.0/24"]
# Names that the zone does not have, and that lie between those that it has.
NEIGHBOURS = ("nothing", "0", "zzzz", "b.ent", "ent", "c.ent", "x.b.ent", "a.a.b.ent", "_tcp", "*", "*.wild", "x.wild",
              "y.x.wild", "sub.x.wild", "*.host.wild", "x.host.wild", "_tcp.host.wild", "telnet._tcp.host.wild", "wild",
              "*.*.wild", "x.sub.*.wild", "x.alias", "y.x.alias", "ent2.wild2", "x.ent2.wild2", "x.wild2", "wild2", "x.tree",
              "y.x.tree", "z.tree", "z.x.target", "a.outtree", "b.a.outtree", "www.child", "a.www.child", "ns.child",
              "x.ns.child", "www.sibling", "www.far", "x.signed", "cut.ent3", "www.deep.cut.ent3", "mail.mail", "x.c1",
              "MANY", "case.mixed", "mixed", "long.long", "x." + "a" * 63 + "." + "b" * 63 + ".tree")
ASKED = ("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "SRV", "DNAME", "DS", "TLSA", "CAA", "HTTPS", "TYPE65280")
# Not RRSIG: asked for by itself it is what each server likes (RFC 8482).
SIGNED_ASKED = ("A", "NS", "CNAME", "SOA", "TXT", "MX", "DS", "DNAME", "DNSKEY", "NSEC", "TYPE65280")


def check(what, text, *parts):
    """Every part stands in the text."""
    for part in parts:
        if part not in text:
            raise Failed(f"{what} does not say {part!r}:\n{text[-2500:]}")


def owners():
    """The names of the zone file."""
    found = [line.split()[0] for line in TEXT.splitlines()[2:] if line and line[0] not in ";$ "]
    return list(dict.fromkeys(name for name in found if name != "@"))


def full(name):
    return f"{name}.{ZONE}." if name else f"{ZONE}."


def start(bench):
    """dnsd, NSD and Knot DNS serve the same file"""
    bench.shared["ours"] = bench.add(dnsd, "ours", {ZONE: TEXT}, QUIET).start(ZONE)
    bench.shared["peers"] = peers(bench, "plain", TEXT)


def peers(bench, folder, text):
    zone = {"rich.zone": text}
    return [bench.add(nsd, f"{folder}-nsd", f"zone:\n    name: {ZONE}\n    zonefile: {{d}}/rich.zone\n", zone,
                      "minimal-responses: yes").start(ZONE),
            bench.add(knotd, f"{folder}-knot", f"zone:\n  - domain: {ZONE}\n    file: {{d}}/rich.zone\n    semantic-checks: off\n",
                      zone).start(ZONE)]


# --- one tool after the other ----------------------------------------------------------------------------


def dig(server, *words):
    return run(["dig", f"@{server.address[0]}", "-p", server.port, "+norec", "+time=5", "+tries=3", *words])


def digs(bench):
    """dig: UDP, TCP, sizes, cookies, EDNS 1, ANY, unknown types and classes"""
    ours = bench.shared["ours"]
    check("dig", dig(ours, full("mail"), "A"), "status: NOERROR", "flags: qr aa;", "300\tIN\tA\t192.0.2.3", "udp: 1232")
    check("dig +tcp", dig(ours, "+tcp", full("mail"), "A"), "192.0.2.3", "(TCP)")
    check("dig +noedns", dig(ours, "+noedns", full("mail"), "A"), "192.0.2.3", "ADDITIONAL: 0")
    check("dig, too long", dig(ours, "+ignore", full("long"), "TXT"), "flags: qr aa tc;", "ANSWER: 0")
    check("dig, again by TCP", dig(ours, full("long"), "TXT"), "Truncated, retrying in TCP mode", "a" * 255, "f" * 255)
    check("dig +bufsize=512", dig(ours, "+ignore", "+bufsize=512", full(""), "TXT"), "status: NOERROR")
    check("dig +bufsize=4096", dig(ours, "+ignore", "+bufsize=4096", full("long"), "TXT"), "flags: qr aa tc;")
    cookie = re.search(r"COOKIE: ([0-9a-f]{48}) \(good\)", dig(ours, "+cookie=0123456789abcdef", full("mail"), "A"))
    if not cookie or not cookie[1].startswith("0123456789abcdef"):
        raise Failed("dig +cookie gets no cookie of 24 octets back")
    check("dig, cookie again", dig(ours, f"+cookie={cookie[1]}", full("mail"), "A"), "(good)", "192.0.2.3")
    check("dig +edns=1", dig(ours, "+edns=1", "+noednsneg", full("mail"), "A"), "status: BADVERS", "EDNS: version: 0")
    check("dig +edns=1, negotiated", dig(ours, "+edns=1", full("mail"), "A"), "BADVERS", "192.0.2.3")
    check("dig +ednsopt", dig(ours, "+ednsopt=65001:0102", "+ednsflags=0x1", "+nsid", full("mail"), "A"), "192.0.2.3")
    check("dig +padding +keepalive", dig(ours, "+tcp", "+keepalive", "+padding=128", full("mail"), "A"), "192.0.2.3")
    check("dig ANY", dig(ours, "+notcp", full(""), "ANY"), "status: NOERROR", "ANSWER: 1")
    check("dig TYPE65280", dig(ours, full("unknown"), "TYPE65280"), r"\# 4 0A000001")
    check("dig CH", dig(ours, "version.bind", "TXT", "CH"), "status: REFUSED")
    check("dig, another's zone", dig(ours, "www.example.org", "A"), "status: REFUSED", "ANSWER: 0")
    check("dig +opcode", dig(ours, "+opcode=status", full(""), "SOA"), "status: NOTIMP")
    check("dig +qid, mixed case", dig(ours, "+qid=4711", "rIcH.TeSt.", "A"), "id: 4711", ";rIcH.TeSt.", "192.0.2.1")
    check("dig +keepopen", dig(ours, "+tcp", "+keepopen", full("many"), "A", full("many"), "TXT"), "192.0.2.12", '"two"')
    check("dig +header-only", dig(ours, "+header-only"), "status: FORMERR")


def records_of(text):
    """Records as dig prints them, in one spelling."""
    found = set()
    for line in text.splitlines():
        if line and not line.startswith(";"):
            found.add(" ".join(line.split()))
    return found


def transfers(bench):
    """dig and kdig AXFR: every record of the file, once"""
    ours = bench.shared["ours"]
    mine = [line for line in dig(ours, full(""), "AXFR").splitlines() if line and not line.startswith(";")]
    if mine[0].split() != mine[-1].split() or "SOA" not in mine[0]:
        raise Failed("an AXFR begins and ends with the SOA")
    if len(mine) - 1 != len(set(mine)):
        raise Failed("an AXFR has records twice")
    kdig = run(["kdig", f"@{ours.address[0]}", "-p", ours.port, full(""), "AXFR"])
    count = re.search(r"Received \d+ B \(\d+ messages?, (\d+) records\)", kdig)
    if not count or int(count[1]) != len(mine):
        raise Failed(f"kdig counts {count and count[1]} records, dig {len(mine)}")
    (bench.directory / "axfr.zone").write_text("\n".join(mine[:-1]) + "\n")
    (bench.directory / "file.zone").write_text(TEXT)
    compiled = [run(["named-compilezone", "-q", "-i", "none", "-k", "ignore", "-o", "-", ZONE, bench.directory / name])
                for name in ("axfr.zone", "file.zone")]
    if records_of(compiled[0]) != records_of(compiled[1]):
        raise Failed(f"the AXFR differs from the file: {sorted(records_of(compiled[0]) ^ records_of(compiled[1]))}")


def kdigs(bench):
    """kdig: the same, and its JSON"""
    ours = bench.shared["ours"]
    base = ["kdig", f"@{ours.address[0]}", "-p", ours.port, "+norec", "+time=5", "+retry=3"]
    check("kdig", run([*base, full("mail"), "A"]), "status: NOERROR", "Flags: qr aa;", "192.0.2.3")
    check("kdig +tcp", run([*base, "+tcp", full("long"), "TXT"]), "(TCP)", "f" * 255)
    check("kdig +bufsize", run([*base, "+bufsize=1232", "+ignore", full("long"), "TXT"]), "Flags: qr aa tc")
    check("kdig +cookie", run([*base, "+cookie", full("mail"), "A"]), "COOKIE:", "192.0.2.3")
    check("dig +keepalive", dig(ours, "+tcp", "+keepalive", full("mail"), "A"), "TCP KEEPALIVE: 10.0 secs", "192.0.2.3")
    check("kdig +edns=1", run([*base, "+edns=1", full("mail"), "A"]), "ext-rcode: BADVERS")
    check("kdig ANY", run([*base, "+notcp", full(""), "ANY"]), "ANSWER: 1;")
    said = run([*base, "+json", full(""), "MX"])
    value = json.loads(said)
    if value.get("RCODE") != 0 or len(value.get("answerRRs", [])) != 2:
        raise Failed(f"kdig +json says {value.get('RCODE')} and {value.get('answerRRs')}")
    check("kdig, SVCB", run([*base, full("svc"), "SVCB"]), "service.elsewhere.test.", "mandatory=port")


def others(bench):
    """drill, host, nslookup, unbound-host"""
    ours = bench.shared["ours"]
    host, port = ours.address
    check("drill", run(["drill", "-p", port, f"@{host}", full("mail"), "AAAA"]), "rcode: NOERROR", "2001:db8::3")
    check("drill -t", run(["drill", "-t", "-p", port, f"@{host}", full("long"), "TXT"]), "a" * 255)
    check("drill, wildcard", run(["drill", "-p", port, f"@{host}", full("x.wild"), "TXT"]), '"from the wildcard"')
    check("drill AXFR", run(["drill", "-p", port, f"@{host}", full(""), "AXFR"]), "192.0.2.42", "hostmaster")
    check("host", run(["host", "-p", port, full(""), host]), "has address 192.0.2.1", "handled by 10 mail.rich.test")
    check("host, no such name", run(["host", "-p", port, full("nothing"), host], expect=1), "NXDOMAIN")
    check("host -t DNAME", run(["host", "-p", port, "-t", "DNAME", full("tree"), host]), "target.rich.test")
    check("host -l", run(["host", "-p", port, "-l", full(""), host]), "mail.rich.test has address 192.0.2.3")
    check("nslookup", run(["nslookup", f"-port={port}", full("c1"), host]), "canonical name = c2.rich.test", "192.0.2.10")
    check("nslookup, dialogue", run(["nslookup"], f"server {host}\nset port={port}\nset type=mx\n{full('')}\nset vc\nset type=soa\n"
                                                  f"{full('')}\nexit\n"), "mail exchanger = 10 mail.rich.test", f"serial = {SERIAL}")
    config = bench.directory / "unbound-host.conf"
    config.write_text(f"""server:
  module-config: "iterator"
  do-not-query-localhost: no
  local-zone: "test." nodefault
  trust-anchor-file: ""
stub-zone:
  name: "{ZONE}"
  stub-addr: {host}@{port}
""")
    for name, qtype, said in (("mail", "A", "192.0.2.3"), ("x.wild", "TXT", "from the wildcard"), ("c1", "A", "192.0.2.12"),
                              ("x.tree", "A", "192.0.2.30"), ("", "MX", "10 mail.rich.test.")):
        check("unbound-host", run(["unbound-host", "-C", config, "-t", qtype, full(name)]), said)


# --- differences -----------------------------------------------------------------------------------------


def names_asked():
    return [full(""), *(full(name) for name in owners()), *(full(name) for name in NEIGHBOURS)]


def view(message):
    """What is compared of an answer: the order of records and their compression don't matter."""
    return {"rcode": message.rcode, "aa": message.aa, "tc": message.tc, "ad": message.ad, "answer": sorted(message.answer),
            "authority": sorted(message.authority), "additional": sorted(message.additional)}


def difference(key, ours, theirs):
    """What only one of the two says."""
    if not isinstance(ours, list):
        return f"      {key}: ours {ours}, theirs {theirs}"
    only = [(who, record_text(record)[:150]) for who, one, other in (("ours", ours, theirs), ("theirs", theirs, ours))
            for record in one if record not in other]
    return "\n".join(f"      {key}: only {who} has {text}" for who, text in only)


def compare(ours, others, types):
    """Every name by every type, with DO and without it; Failed with what differs and is not explained."""
    questions = [(name, qtype, do) for name in names_asked() for qtype in types for do in (False, True)]
    messages = [query(name, qtype, edns=1232, do=do) for name, qtype, do in questions]
    mine = ask_all(ours.address, messages)
    wrong, explained = [], {}
    for other in others:
        for question, a, b in zip(questions, mine, ask_all(other.address, messages)):
            if a is None or b is None:
                raise Failed(f"{ours.name if a is None else other.name} does not answer {question}")
            a, b = view(Message(a)), view(Message(b))
            keys = [key for key in a if a[key] != b[key]]
            for key in list(keys):
                reason = explain(key, other.name, question, a, b)
                if reason:
                    explained[reason] = explained.get(reason, 0) + 1
                    keys.remove(key)
            if keys:
                name, qtype, do = question
                wrong.append(f"    {name} {qtype}{' DO' if do else ''} at {other.name}:\n" + "\n".join(
                    difference(key, a[key], b[key]) for key in keys))
    print(f"        {len(messages) * len(others)} answers compared" + "".join(
        f"; {times}: {reason}" for reason, times in sorted(explained.items())))
    if wrong:
        raise Failed(f"{len(wrong)} answers differ:\n" + "\n".join(wrong[:12]))


def explain(key, other, question, ours, theirs):
    """Why two right servers may differ here; None: they may not."""
    if key == "additional" and other == "nsd" and theirs["answer"] and set(theirs[key]) <= set(ours[key]):
        return "NSD with minimal responses adds nothing to answers"
    name, qtype, do = question
    if key == "authority" and do and other == "nsd" and name.startswith("z.tree.") and set(theirs[key]) < set(ours[key]):
        return "NSD does not prove that the target of a DNAME is not there"
    if key == "authority" and do and other == "nsd" and name.startswith("*.") and set(ours[key]) < set(theirs[key]):
        return "NSD proves for a wildcard that is asked by its name what it proves for others"
    if key == "authority" and do and other == "knotd" and qtype == "NSEC" and set(theirs[key]) < set(ours[key]):
        return "Knot DNS does not show the wildcard that has no other type if NSEC is asked"
    return None


def plain_answers(bench):
    """NSD and Knot DNS: the same answers to every name and type, unsigned"""
    compare(bench.shared["ours"], bench.shared["peers"], ASKED)


def signed_answers(bench):
    """NSD and Knot DNS: the same answers and proofs, signed by dnssec-signzone with NSEC"""
    text, bench.shared["anchors"], _ = sign_zone(bench.directory / "nsec", ZONE, TEXT)
    ours = bench.shared["signed"] = bench.add(dnsd, "signed", {ZONE: text}, QUIET).start(ZONE)
    compare(ours, peers(bench, "nsec", text), SIGNED_ASKED)


def hashed_answers(bench):
    """NSD and Knot DNS: the same with NSEC3, salted, and with opt-out"""
    for folder, words in (("nsec3", ["-3", "ab01", "-H", "5"]), ("optout", ["-3", "-", "-A"])):
        text, *_ = sign_zone(bench.directory / folder, ZONE, TEXT, *words)
        ours = bench.add(dnsd, f"signed-{folder}", {ZONE: text}, QUIET).start(ZONE)
        others = peers(bench, folder, text)
        try:
            compare(ours, others, [kind for kind in SIGNED_ASKED if kind != "NSEC"])  # CNAMEs: NSD follows them, Knot does not
        finally:
            for server in (ours, *others):
                server.stop()


def validators(bench):
    """delv, drill and unbound-host find the signed zone secure, and what is not there, too"""
    validate(bench, bench.shared["signed"], bench.shared["anchors"])


def own_signer(bench):
    """the same of a zone that dnsd has signed itself; dnssec-verify, ldns-verify-zone and kzonecheck accept it"""
    ours = bench.add(dnsd, "signer", {ZONE: TEXT}, [*QUIET, "--sign", ZONE]).start(ZONE)
    keys = [path.read_text() for path in sorted((ours.directory / "zones/keys").glob("*.key"))]
    lines = [line for text in keys for line in text.splitlines() if re.search(r"\sDNSKEY\s+257\s", line)]
    validate(bench, ours, lines)
    file = ours.directory / f"zones/{ZONE}.signed"
    wait_until("the signed zone is on disk", file.exists)
    run(["dnssec-verify", "-q", "-z", "-o", ZONE, file])
    run(["ldns-verify-zone", file])
    run(["kzonecheck", "-d", "on", "-o", ZONE, file])
    compare(ours, peers(bench, "self", file.read_text()), ("A", "NS", "DS", "MX"))


def validate(bench, ours, anchors):
    """What is there and what is not, with the DNSKEY records `anchors` as all that is believed."""
    host, port = ours.address
    fields = anchors[0].split("DNSKEY")[1].split()
    key = f'"{ZONE}." static-key {" ".join(fields[:3])} "{"".join(fields[3:])}";'
    (bench.directory / "anchors.delv").write_text("trust-anchors {\n" + key + "\n};\n")
    (bench.directory / "anchors.key").write_text("\n".join(anchors) + "\n")
    delv = ["delv", f"@{host}", "-p", port, "-a", bench.directory / "anchors.delv", f"+root={ZONE}."]
    for name, qtype, said in (("mail", "A", "; fully validated"), ("x.wild", "TXT", "; fully validated"),
                              ("c1", "A", "192.0.2.12"), ("x.tree", "A", "; fully validated"),
                              ("nothing", "A", "; negative response, fully validated"),
                              ("ent", "A", "; negative response, fully validated"),
                              ("x.wild", "A", "; negative response, fully validated"),
                              ("signed", "DS", "; fully validated"), ("child", "DS", "negative response, fully validated")):
        check(f"delv {name} {qtype}", run([*delv, full(name), qtype]), said)
    check("drill -D", run(["drill", "-D", "-p", port, f"@{host}", full("mail"), "A"]), "RRSIG", "192.0.2.3")
    config = bench.directory / "unbound-host-signed.conf"
    config.write_text(f"""server:
  do-not-query-localhost: no
  local-zone: "test." nodefault
  trust-anchor-file: "{bench.directory}/anchors.key"
stub-zone:
  name: "{ZONE}"
  stub-addr: {host}@{port}
""")
    for name, qtype in (("mail", "A"), ("x.wild", "TXT"), ("nothing", "A"), ("ent", "TXT"), ("x.wild", "A"), ("x.tree", "A"),
                        ("signed", "DS")):
        check(f"unbound-host -D {name} {qtype}", run(["unbound-host", "-C", config, "-D", "-v", "-t", qtype, full(name)]), "(secure)")


def checkers(bench):
    """named-checkzone, kzonecheck and ldns-verify-zone accept what dnsd writes"""
    signed = bench.shared["signed"]
    copy = bench.add(dnsd, "copy", {}, [*QUIET, "--secondary", f"{ZONE}={signed.address[0]}:{signed.port}"])
    copy.start(ZONE)
    file = copy.directory / f"zones/{ZONE}.copy"
    wait_until("the copy is on disk", file.exists)
    run(["ldns-verify-zone", file])
    run(["named-checkzone", "-q", "-i", "none", "-k", "ignore", ZONE, file])
    run(["kzonecheck", "-d", "off", "-o", ZONE, file])
    both = [run(["named-compilezone", "-q", "-i", "none", "-k", "ignore", "-o", "-", ZONE, path])
            for path in (file, bench.directory / "nsec/signed")]
    if records_of(both[0]) != records_of(both[1]):
        raise Failed(f"the copy differs: {sorted(records_of(both[0]) ^ records_of(both[1]))[:6]}")
    check("dig at the copy", dig(copy, "+dnssec", full("x.wild"), "TXT"), "flags: qr aa;", "RRSIG", "NSEC")


if __name__ == "__main__":
    need("dig", "kdig", "drill", "delv", "unbound-host", "nslookup", "host", "nsd", "knotd", "named-checkzone", "kzonecheck",
         "ldns-verify-zone", "dnssec-signzone")
    main("dns-tools", [start, digs, kdigs, others, transfers, plain_answers, signed_answers, hashed_answers,
                       validators, checkers, own_signer])
