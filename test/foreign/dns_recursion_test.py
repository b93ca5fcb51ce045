#!/usr/bin/env python3
"""dnsd finds its way from a root: a small Internet of NSD and Knot DNS in a network of its own, signed by dnssec-signzone, with
its mistakes; what dnsd, Unbound and named find there is compared question by question."""

import concurrent.futures
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import dnsd, knotd, main, named, nsd, sign_zone, unbound  # noqa: E402
from dns_wire import Message, ask, ask_all, ask_stream, query, record_text  # noqa: E402
from foreign import Failed, run  # noqa: E402
from network import inside, make_network  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ROOT, LAB, FIRST, SECOND, DNSD = "10.53.0.1", "10.53.0.2", "10.53.0.3", "10.53.0.4", "10.53.0.5"
OURS, UNBOUND, NAMED = "10.53.0.10", "10.53.0.11", "10.53.0.12"
NOBODY = "10.53.0.99"  # an address where nothing listens
HEAD = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\n"
STRINGS = " ".join('"' + letter * 250 + '"' for letter in "abcdefgh")
COMMON = f"""www A 192.0.2.1
www AAAA 2001:db8::1
@ MX 10 mail
mail A 192.0.2.2
long TXT {STRINGS}
*.wild TXT "wild"
a.b.ent A 192.0.2.3
alias CNAME www
chain CNAME alias
to-plain CNAME www.plain.lab.
to-signed CNAME www.signed.lab.
to-broken CNAME www.broken.lab.
to-nothing CNAME nothing.signed.lab.
wild.alias CNAME x.wild.signed.lab.
loop CNAME pool
pool CNAME loop
tree DNAME signed.lab.
"""
# Of each zone: who serves it, how dnssec-signzone signs it (None: not at all), which DS stands above. dnsd signs own.lab.
ZONES = {"signed.lab": (FIRST, [], "ds"), "hashed.lab": (SECOND, ["-3", "-", "-A"], "ds"), "plain.lab": (SECOND, None, ""),
         "island.lab": (FIRST, [], ""), "broken.lab": (FIRST, ["-s", "20200101000000", "-e", "20200201000000"], "ds"),
         "stripped.lab": (FIRST, None, "other"), "wrongds.lab": (SECOND, [], "other"), "sub.signed.lab": (SECOND, [], "ds"),
         "bare.signed.lab": (SECOND, None, ""), "glueless.lab": (FIRST, None, ""),
         "own.lab": (DNSD, None, "own")}
LAMEST = {"lame.lab": SECOND, "dead.lab": NOBODY}  # delegated to who doesn't serve it
LABELS = ("", "www", "mail", "long", "nothing", "x.nothing", "x.wild", "y.x.wild", "ent", "b.ent", "alias", "chain", "to-plain", "to-signed",
          "to-broken", "to-nothing", "wild.alias", "loop", "www.tree", "nothing.tree")
TYPES = ("A", "AAAA", "MX", "TXT")


def delegation(zone, address):
    """NS and glue, if there is any."""
    if zone == "glueless.lab":
        return f"{zone}. NS ns.glueless.plain.lab.\n"
    return f"{zone}. NS ns.{zone}.\nns.{zone}. A {address}\n"


def make_internet(bench):
    """a root, a top-level domain, and zones, well and badly signed, one by dnsd"""
    work, texts, above = bench.directory / "zones", {}, {"lab": "", "signed.lab": ""}
    for zone in sorted(ZONES, key=lambda name: -name.count(".")):
        address, words, ds = ZONES[zone]
        text = f"$ORIGIN {zone}.\n{HEAD}ns A {address}\n{COMMON}" + above.get(zone, "")
        if zone == "glueless.lab":
            text = text.replace("@ NS ns\n", "@ NS ns.glueless.plain.lab.\n")
        if zone == "plain.lab":
            text += f"ns.glueless A {FIRST}\n"
        parent = "signed.lab" if zone.endswith(".signed.lab") else "lab"
        above[parent] += delegation(zone, address)
        texts[zone] = text
        if words is not None:
            texts[zone], _, proof = sign_zone(work / zone, zone, text, *words)
        if ds == "other":
            _, _, proof = sign_zone(work / f"{zone}-other", zone, text)
        if ds == "own":
            proof = start_own(bench, zone, text)
        above[parent] += proof if ds else ""
    above["lab"] += "".join(delegation(zone, address) for zone, address in LAMEST.items())
    lab, _, proof = sign_zone(work / "lab", "lab", f"$ORIGIN lab.\n{HEAD}ns A {LAB}\n" + above["lab"])
    root, anchors, _ = sign_zone(work / "root", ".", f"$ORIGIN .\n{HEAD}ns A {ROOT}\nlab NS ns.lab.\nns.lab A {LAB}\n{proof}")
    start_authorities(bench, {ROOT: {".": root}, LAB: {"lab": lab},
                              **{who: {zone: texts[zone] for zone in ZONES if ZONES[zone][0] == who} for who in (FIRST, SECOND)}})
    bench.shared["anchors"] = "\n".join(anchors) + "\n"


def start_own(bench, zone, text):
    """dnsd as an authority that signs: the DS of the key that it has made."""
    server = bench.add(dnsd, "authority-own", {zone: text}, ["--no-recursion", "--rate-limit", "0", "--sign", zone], address=DNSD, port=53)
    server.start(zone)
    keys = sorted((server.directory / "zones/keys").glob("*.key"))
    return "".join(run(["dnssec-dsfromkey", "-2", key]) for key in keys)


def start_authorities(bench, served):
    for number, (address, zones) in enumerate(served.items()):
        files = {f"zone.{index}": text for index, text in enumerate(zones.values())}
        if address == SECOND:
            body = "zone:\n" + "".join(f"  - domain: {zone}\n    file: {{d}}/zone.{index}\n    semantic-checks: off\n"
                                       for index, zone in enumerate(zones))
            server = bench.add(knotd, f"authority-{number}", body, files, address=address, port=53)
        else:
            body = "".join(f"zone:\n    name: {zone}\n    zonefile: {{d}}/zone.{index}\n" for index, zone in enumerate(zones))
            server = bench.add(nsd, f"authority-{number}", body, files, address=address, port=53)
        server.start(next(iter(zones)))


def start_resolvers(bench):
    """dnsd, Unbound and named with the root's address and key, on port 53"""
    hints, anchors = f". 3600 NS ns.\nns. 3600 A {ROOT}\n", bench.shared["anchors"]
    ours = bench.add(dnsd, "ours", {}, ["--root-hints", "{d}/conf/root.hints", "--trust-anchors", "{d}/conf/root.key",
                                        "--recursion-networks", "10.53.0.0/16", "--no-ipv6"],
                     {"conf/root.hints": hints, "conf/root.key": anchors}, address=OURS, port=53)
    fields = anchors.split("DNSKEY")[1].split()
    key = f'trust-anchors {{ "." static-key {" ".join(fields[:3])} "{"".join(fields[3:])}"; }};\n'
    theirs = [bench.add(unbound, "unbound", """
    access-control: 10.53.0.0/16 allow
    root-hints: "{d}/root.hints"
    trust-anchor-file: "{d}/root.key"
    do-ip6: no
    val-log-level: 1
    outgoing-interface: """ + UNBOUND, {"root.hints": hints, "root.key": anchors}, address=UNBOUND, port=53),
              bench.add(named, "named", key + 'zone "." { type hint; file "{d}/root.hints"; };\n', {"root.hints": hints},
                        f"recursion yes; dnssec-validation yes; allow-recursion {{ any; }}; query-source address {NAMED};"
                        " empty-zones-enable no;", address=NAMED, port=53)]
    for server in (ours, *theirs):
        server.launch()
    for server in (ours, *theirs):
        wait_until(f"{server.name} answers", lambda: server.is_up(None))
    bench.shared["resolvers"] = [ours, *theirs]


def said(server, name, qtype, **keywords):
    octets = ask(server.address, query(name, qtype, rd=True, edns=1232, **keywords), 30.0)
    if octets is None:
        raise Failed(f"{server.name} does not answer {name} {qtype}")
    return Message(octets)


def said_to_all(server, questions):
    """The answers to (name, type), many at a time; those that are too long for UDP come by TCP."""
    begun = time.monotonic()
    messages = [query(name, qtype, rd=True, edns=1232, do=True) for name, qtype in questions]
    answers = []
    for question, message, octets in zip(questions, messages, ask_all(server.address, messages, 60.0, 100)):
        if octets is None:
            raise Failed(f"{server.name} does not answer {question}")
        answer = Message(octets)
        answers.append(answer_of(Message(ask_stream(server.address, message, 30.0)) if answer.tc else answer))
    print(f"        {server.name}: {len(questions)} questions in {time.monotonic() - begun:.1f} s", flush=True)
    return answers


def answer_of(message):
    """Rcode, AD, and the answer without TTLs, which count down, and without signatures."""
    return message.rcode, message.ad, sorted(record_text((owner, rtype, 0, data)) for owner, rtype, _, data in message.answer
                                             if rtype != 46)


def explain(name, ours, theirs):
    """Why three resolvers may differ here; None: they may not."""
    if all(each[0] == "SERVFAIL" for each in (ours, *theirs)):
        return "what stands beside SERVFAIL"
    if name.startswith("loop.") and all(each[0] in ("NOERROR", "SERVFAIL") for each in (ours, *theirs)):
        return "a circle of CNAMEs is told as far as it goes, or is SERVFAIL"
    if ours in theirs:
        return "Unbound and named differ, and one says what we say"
    return None


def differences(bench):
    """dnsd, Unbound and named find the same: rcode, AD and answers of every name and type"""
    ours, *theirs = bench.shared["resolvers"]
    wrong, explained = [], {}
    names = [f"{label}.{zone}." if label else f"{zone}." for zone in ZONES for label in LABELS]
    names += ["lab.", ".", "nothing.lab.", "nothing.", "x.y.nothing."]
    questions = [(name, qtype) for name in names
                 for qtype in (TYPES if name.count(".") > 2 else (*TYPES, "NS", "SOA", "DS", "DNSKEY"))]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        mine, *found = pool.map(lambda server: said_to_all(server, questions), (ours, *theirs))
    for (name, qtype), own, *other in zip(questions, mine, *found):
        reason = None if own == other[0] == other[1] else explain(name, own, other)
        if own != other[0] and not reason:
            lines = [f"      {who}: {what[0]}{' AD' if what[1] else ''} " + ", ".join(line[:90] for line in what[2])
                     for who, what in zip(("ours", "unbound", "named"), (own, *other))]
            wrong.append(f"    {name} {qtype}\n" + "\n".join(lines))
        elif reason:
            explained[reason] = explained.get(reason, 0) + 1
    print(f"        {len(questions)} questions compared" + "".join(f"; {times}: {reason}" for reason, times in explained.items()))
    if wrong:
        raise Failed(f"{len(wrong)} answers differ:\n" + "\n".join(wrong[:int(os.environ.get("SHOWN", "10"))]))


def expectations(bench):
    """what is secure, insecure and bogus is known beforehand, and CD=1 shows what is bogus"""
    ours = bench.shared["resolvers"][0]
    for zone, rcode, secure in (("signed.lab", "NOERROR", True), ("hashed.lab", "NOERROR", True), ("sub.signed.lab", "NOERROR", True), ("own.lab", "NOERROR", True),
                                ("plain.lab", "NOERROR", False), ("island.lab", "NOERROR", False), ("bare.signed.lab", "NOERROR", False),
                                ("glueless.lab", "NOERROR", False), ("broken.lab", "SERVFAIL", False), ("stripped.lab", "SERVFAIL", False),
                                ("wrongds.lab", "SERVFAIL", False), ("lame.lab", "SERVFAIL", False), ("dead.lab", "SERVFAIL", False)):
        message = said(ours, f"www.{zone}.", "A", do=True)
        if (message.rcode, message.ad) != (rcode, secure):
            raise Failed(f"www.{zone}: {message.rcode}, AD {message.ad}")
        if secure and not any(record[1] == 46 for record in message.answer):
            raise Failed(f"www.{zone}: DO, and no signature")
        if said(ours, f"www.{zone}.", "A").ad:
            raise Failed(f"www.{zone}: AD for who asked for neither AD nor DO")
        if rcode == "SERVFAIL" and zone not in LAMEST:
            unchecked = query(f"www.{zone}.", "A", rd=True, edns=1232)
            unchecked = unchecked[:3] + bytes([unchecked[3] | 0x10]) + unchecked[4:]
            message = Message(ask(ours.address, unchecked, 30.0))
            if message.rcode != "NOERROR" or not message.answer or message.ad:
                raise Failed(f"www.{zone} with CD: {message.rcode}")
            explained = Message(ask(ours.address, query(f"www.{zone}.", "A", rd=True, edns=1232), 30.0))
            if not explained.opt or b"\0\x0f" not in explained.opt[2]:
                raise Failed(f"www.{zone}: SERVFAIL without a reason (EDE)")


if __name__ == "__main__":
    if sys.argv[1:] != ["inside"]:
        inside(__file__, "nsd", "knotd", "named", "unbound", "dnssec-signzone", "dnssec-keygen")
    make_network(ROOT, LAB, FIRST, SECOND, DNSD, OURS, UNBOUND, NAMED)
    main("dns-recursion", [make_internet, start_resolvers, expectations, differences])
