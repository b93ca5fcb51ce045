#!/usr/bin/env python3
"""Zones that travel: named, NSD and Knot DNS as secondaries of dnsd, and dnsd as a secondary of each of them, by AXFR, IXFR
and NOTIFY under TSIG."""

import os
import re
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import dnsd, key_text, knotd, main, named, nsd  # noqa: E402
from dns_wire import Message, ask, ask_stream, query  # noqa: E402
from foreign import Failed, need, run  # noqa: E402
from ports import free_port  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ZONE, KEY, SECRET = "move.test", "transfer", "YSBrZXkgdGhhdCBzZXJ2ZXJzIHNoYXJlIG92ZXIgYSB3aXJl"
WRONG = "YSBrZXkgdGhhdCBub2JvZHkgc2hhcmVzIHdpdGggYW55Ym9keQ=="
NOBODY = "203.0.113.0/24"  # a network that nobody here is in


def text(serial, expire=1209600, hosts=400, refresh=7200):
    """More than one message; the A record of `now` tells the version."""
    lines = ["$TTL 300", f"@ IN SOA ns1 hostmaster {serial} {refresh} 2 {expire} 300", "@ NS ns1", "@ NS ns2", "@ MX 10 h1",
             f"now A 10.0.{serial // 256}.{serial % 256}", "ns1 A 192.0.2.1", "ns2 A 192.0.2.2", "*.wild TXT \"wild\"",
             "old DNAME new", "sub NS ns.sub", "ns.sub A 192.0.2.3"]
    lines += [f"h{i} A 10.1.{i // 256}.{i % 256}" for i in range(hosts)]
    lines += [f"h{i} TXT \"{'x' * 90} {i}\"" for i in range(hosts)]
    return "\n".join(lines) + "\n"


def records(server, zone=ZONE, key=f"hmac-sha256:{KEY}:{SECRET}"):
    """All of a zone, as dig gets it by AXFR."""
    said = run(["dig", f"@{server.address[0]}", "-p", server.port, "-y", key, "+nocmd", "+nostats", zone, "AXFR"])
    return sorted(" ".join(line.split()) for line in said.splitlines() if line and line[0] != ";" and "\tTSIG\t" not in line)


def steps_from(server, serial):
    """The records of an IXFR, as dig prints them."""
    said = run(["dig", f"@{server.address[0]}", "-p", server.port, "-y", f"hmac-sha256:{KEY}:{SECRET}", "+nocmd", "+nostats", "+noquestion", ZONE,
                f"IXFR={serial}"])
    return [" ".join(line.split()) for line in said.splitlines() if line and line[0] != ";" and "\tTSIG\t" not in line]


def same(one, other):
    a, b = records(one), records(other)
    if a != b or len(a) < 800:
        raise Failed(f"{one.name} has {len(a)} records and {other.name} {len(b)}: {sorted(set(a) ^ set(b))[:6]}")


def update(server, script):
    host, port = server.address
    run(["nsupdate", "-y", f"hmac-sha256:{KEY}:{SECRET}"], f"server {host} {port}\nzone {ZONE}\n{script}\nsend\n")


# --- dnsd is the primary ---------------------------------------------------------------------------------


def secondaries(bench, primary, ports):
    """One of each kind, which knows the primary by the key and listens where it is told."""
    host, port = primary
    address, zones = f"{host} port {port}", []
    zones.append(bench.add(named, "named-secondary", key_text(KEY, SECRET) + f"""
zone "{ZONE}" {{ type secondary; file "{{d}}/copy"; primaries {{ {address} key {KEY}; }}; masterfile-format text;
  allow-notify {{ key {KEY}; }}; allow-transfer {{ key {KEY}; }}; min-refresh-time 1; }};
""", {}, port=ports[0]))
    zones.append(bench.add(nsd, "nsd-secondary", f"""
key:
    name: {KEY}
    algorithm: hmac-sha256
    secret: "{SECRET}"
zone:
    name: {ZONE}
    zonefile: {{d}}/copy
    request-xfr: {host}@{port} {KEY}
    allow-notify: {host} {KEY}
    provide-xfr: 127.0.0.1 {KEY}
""", {}, port=ports[1]))
    zones.append(bench.add(knotd, "knot-secondary", f"""
key:
  - id: {KEY}
    algorithm: hmac-sha256
    secret: {SECRET}
remote:
  - id: primary
    address: {host}@{port}
    key: {KEY}
acl:
  - id: both
    key: {KEY}
    action: [notify, transfer]
zone:
  - domain: {ZONE}
    file: {{d}}/copy
    master: primary
    acl: both
""", {}, port=ports[2]))
    return zones


def primary(bench):
    """named, NSD and Knot DNS copy a zone from dnsd by AXFR, under a key"""
    ports = [free_port() for _ in range(3)]
    notify = [word for port in ports for word in ("--notify", f"127.0.0.1:{port},{KEY}")]
    ours = bench.add(dnsd, "ours", {ZONE: text(1)}, ["--no-recursion", "--transfer-networks", NOBODY, "--transfer-key", KEY,
                                                     "--grant", f"{KEY} subdomain {ZONE}", *notify],
                     {"conf/dns.keys": key_text(KEY, SECRET)})
    ours.start(ZONE)
    bench.shared["ours"], bench.shared["secondaries"] = ours, secondaries(bench, ours.address, ports)
    for server in bench.shared["secondaries"]:
        server.launch()
    for server in bench.shared["secondaries"]:
        wait_until(f"{server.name} is up", lambda: server.is_up(None))
        server.wait_for_serial(ZONE, 1)
        same(ours, server)


def by_update(bench):
    """an UPDATE at dnsd reaches all of them, by NOTIFY and IXFR"""
    ours = bench.shared["ours"]
    for number in range(3):
        update(ours, f"add u{number}.{ZONE} 60 A 192.0.2.{number}\ndel h{number}.{ZONE} TXT")
    for server in bench.shared["secondaries"]:
        server.wait_for_serial(ZONE, 4)
        same(ours, server)
    # NSD does not tell which kind it was.
    for server, said in ((bench.shared["secondaries"][0], r"Transfer completed: 1 messages, \d{1,2} records"),
                         (bench.shared["secondaries"][2], "IXFR, incoming, .* finished")):
        wait_until(f"{server.name} tells of an IXFR", lambda: re.search(said, server.log()))


def by_file(bench):
    """a new zone file at dnsd reaches all of them, by IXFR if dnsd was running"""
    ours = bench.shared["ours"]
    ours.stop()  # what was updated goes back into the file
    ours.write(f"zones/{ZONE}.zone", text(10, hosts=420))
    ours.start(ZONE)
    for server in bench.shared["secondaries"]:
        server.wait_for_serial(ZONE, 10)
        same(ours, server)
    knot, before = bench.shared["secondaries"][2], len(bench.shared["secondaries"][2].log())
    ours.write(f"zones/{ZONE}.zone", text(11, hosts=410))  # while it runs
    for server in bench.shared["secondaries"]:
        server.wait_for_serial(ZONE, 11)
        same(ours, server)
    if len(steps_from(ours, 10)) != 4 + 2 + 20:  # SOAs, `now`, and ten hosts with two records each
        raise Failed(f"an IXFR from 10 to 11 has {len(steps_from(ours, 10))} records")
    wait_until("Knot DNS tells of an IXFR", lambda: re.search("IXFR, incoming, .* finished", knot.log()[before:]))
    if "AXFR-style" in knot.log()[before:]:
        raise Failed("Knot DNS was sent the whole zone")
    ours.write(f"zones/{ZONE}.zone", text(12, hosts=410))
    for server in bench.shared["secondaries"]:
        server.wait_for_serial(ZONE, 12)
    if len([line for line in steps_from(ours, 10) if " SOA " in line]) != 6:
        raise Failed("two files one after the other are not two differences")


def signed_by_file(bench):
    """a new file of a zone that dnsd signs reaches a secondary by IXFR, with the signatures that it changes"""
    theirs = bench.add(dnsd, "signing", {ZONE: text(1)}, ["--no-recursion", "--sign", ZONE, "--transfer-key", KEY, "--transfer-networks", NOBODY],
                       {"conf/dns.keys": key_text(KEY, SECRET)}).start(ZONE)
    ours = bench.add(dnsd, "copy-of-signed", {}, ["--no-recursion", "--transfer-key", KEY, "--secondary", f"{ZONE}=127.0.0.1:{theirs.port},{KEY}"],
                     {"conf/dns.keys": key_text(KEY, SECRET)}).start(ZONE)
    before = theirs.serial(ZONE)
    theirs.write(f"zones/{ZONE}.zone", text(2, hosts=399))
    wait_until("the new file is served", lambda: theirs.serial(ZONE) != before)
    changed = steps_from(theirs, before)
    # h399 and its NSEC go, the NSEC before it leads on, `now` and the SOA change: with their signatures.
    if not 20 <= len(changed) <= 40 or not any("NSEC" in line for line in changed):
        raise Failed(f"an IXFR of {len(changed)} records:\n" + "\n".join(changed[:50]))
    ask(ours.address, query(ZONE, "SOA", opcode=4))
    ours.wait_for_serial(ZONE, theirs.serial(ZONE))
    same(theirs, ours)


def strangers(bench):
    """no copy without the key, with a wrong one, by another's name, or of what is not ours"""
    ours = bench.shared["ours"]
    host, port = ours.address
    dig = ["dig", f"@{host}", "-p", port, "+time=5", "+tries=1"]
    for what, words, said in (("no key", [ZONE, "AXFR"], "Transfer failed"),
                              ("an unknown key", ["-y", f"hmac-sha256:nobody:{SECRET}", ZONE, "AXFR"], "BADKEY"),
                              ("a wrong secret", ["-y", f"hmac-sha256:{KEY}:{WRONG}", ZONE, "AXFR"], "BADSIG"),
                              ("a wrong algorithm", ["-y", f"hmac-sha512:{KEY}:{SECRET}", ZONE, "AXFR"], "BADKEY"),
                              ("no key, IXFR", [ZONE, "IXFR=1"], "Transfer failed")):
        answer = run([*dig, *words], expect=None)
        if "192.0.2." in answer or said not in answer:
            raise Failed(f"AXFR with {what} does not say {said!r}:\n{answer}")
    for qtype in ("AXFR", "IXFR"):
        answer = Message(ask_stream(ours.address, query(ZONE, qtype)))
        if answer.rcode != "REFUSED" or answer.answer:
            raise Failed(f"{qtype} without a key: {answer.rcode}")
    udp = ours.ask(ZONE, "AXFR")
    if udp.rcode not in ("REFUSED", "FORMERR") or udp.answer:
        raise Failed(f"AXFR by UDP: {udp.rcode}")
    answer = run([*dig, "-y", f"hmac-sha256:{KEY}:{SECRET}", "other.test", "AXFR"], expect=None)
    if "NOTAUTH" not in answer and "Transfer failed" not in answer:
        raise Failed(f"AXFR of no zone of ours:\n{answer}")


# --- dnsd is the secondary -------------------------------------------------------------------------------


def others(bench, port):
    """One primary of each kind, which tells 127.0.0.1 at `port`."""
    zone = {"move.zone": text(1)}
    return [bench.add(named, "named-primary", key_text(KEY, SECRET) + f"""
zone "{ZONE}" {{ type primary; file "{{d}}/move.zone"; allow-transfer {{ key {KEY}; }}; allow-update {{ key {KEY}; }};
  also-notify {{ 127.0.0.1 port {port} key {KEY}; }}; notify-delay 0; ixfr-from-differences yes; }};
""", zone), bench.add(nsd, "nsd-primary", f"""
key:
    name: {KEY}
    algorithm: hmac-sha256
    secret: "{SECRET}"
zone:
    name: {ZONE}
    zonefile: {{d}}/move.zone
    provide-xfr: 127.0.0.1 {KEY}
    notify: 127.0.0.1@{port} {KEY}
    store-ixfr: yes
    create-ixfr: yes
""", zone), bench.add(knotd, "knot-primary", f"""
key:
  - id: {KEY}
    algorithm: hmac-sha256
    secret: {SECRET}
remote:
  - id: ours
    address: 127.0.0.1@{port}
    key: {KEY}
acl:
  - id: both
    key: {KEY}
    action: [transfer, update]
zone:
  - domain: {ZONE}
    file: {{d}}/move.zone
    notify: ours
    acl: both
    zonefile-load: difference-no-serial
    journal-content: all
    zonefile-sync: -1
""", zone)]


def secondary_of(index, change, said=""):
    """A step: dnsd copies from the primary with this index; `change` makes serial 2 there, which then says this."""
    def step(bench):
        port = free_port()
        theirs = others(bench, port)[index]
        theirs.start(ZONE)
        options = ["--no-recursion", "--secondary", f"{ZONE}=127.0.0.1:{theirs.port},{KEY}", "--transfer-networks", NOBODY,
                   "--transfer-key", KEY]
        ours = bench.add(dnsd, f"ours-{index}", {}, options, {"conf/dns.keys": key_text(KEY, SECRET)}, port=port)
        ours.start()
        ours.wait_for_serial(ZONE, 1)
        same(theirs, ours)
        change(theirs)
        ours.wait_for_serial(ZONE, 2)
        same(theirs, ours)
        wait_until(f"{theirs.name} tells of an IXFR", lambda: said in theirs.log())
        if "transfer-failed" in ours.log() or "refresh-failed" in ours.log():
            raise Failed("a transfer failed:\n" + ours.log()[-1000:])
        # The primary goes away; we are killed; the copy is served.
        wait_until("the copy is on disk", lambda: "10.0.0.2" in ours.read(f"zones/{ZONE}.copy"))
        theirs.stop()
        ours.kill()
        ours.start(ZONE)
        if ours.serial(ZONE) != 2 or not ours.ask(f"now.{ZONE}", "A").aa:
            raise Failed("after kill -9 and without the primary the copy is not served")
        run(["named-checkzone", "-q", "-i", "none", "-k", "ignore", ZONE, ours.directory / f"zones/{ZONE}.copy"])
        ours.stop()
    return step


def updated(server):
    update(server, f"del now.{ZONE} A\nadd now.{ZONE} 300 A 10.0.0.2\nadd fresh.{ZONE} 300 TXT new\ndel h7.{ZONE}")


def reloaded(server):
    server.write("move.zone", text(2, hosts=405))
    server.process.send_signal(signal.SIGHUP)


of_named = secondary_of(0, updated, "IXFR started")
of_named.__doc__ = "dnsd copies from named, is notified of an update, and serves the copy after kill -9"
of_nsd = secondary_of(1, reloaded)
of_nsd.__doc__ = "dnsd copies from NSD, is notified of a new file, and serves the copy after kill -9"
of_knot = secondary_of(2, updated, "IXFR, outgoing")
of_knot.__doc__ = "dnsd copies from Knot DNS, is notified of an update, and serves the copy after kill -9"


def expiry(bench):
    """a zone whose primary is silent for longer than its SOA says is answered with SERVFAIL, and comes back"""
    theirs = bench.add(dnsd, "short-primary", {ZONE: text(1, expire=4, hosts=2, refresh=2)}, ["--no-recursion"]).start(ZONE)
    ours = bench.add(dnsd, "short-secondary", {}, ["--no-recursion", "--secondary", f"{ZONE}=127.0.0.1:{theirs.port}"])
    ours.start(ZONE)
    theirs.stop()
    wait_until("the zone expires", lambda: ours.ask(ZONE, "SOA").rcode == "SERVFAIL", pause=0.2)
    ours.stop()
    ours.start()
    if ours.ask(ZONE, "SOA").rcode != "SERVFAIL":
        raise Failed("an expired copy is served after a start")
    theirs.start(ZONE)
    ours.wait_for_serial(ZONE, 1)


def wrong_key(bench):
    """dnsd takes no zone from a primary that signs with another secret, nor from one that refuses"""
    theirs = bench.add(dnsd, "other-primary", {ZONE: text(1, hosts=2)}, ["--no-recursion", "--transfer-networks", NOBODY,
                                                                         "--transfer-key", KEY],
                       {"conf/dns.keys": key_text(KEY, WRONG)}).start(ZONE)
    for number, (words, said) in enumerate((([f"{ZONE}=127.0.0.1:{theirs.port},{KEY}"], "BADSIG"),
                                            ([f"{ZONE}=127.0.0.1:{theirs.port}"], "REFUSED"))):
        ours = bench.add(dnsd, f"refused-{number}", {}, ["--no-recursion", "--secondary", *words],
                         {"conf/dns.keys": key_text(KEY, SECRET)}).start()
        wait_until(f"the log says {said}", lambda: re.search(f"-failed .*{said}", ours.log()))
        if ours.ask(ZONE, "SOA").rcode != "SERVFAIL":
            raise Failed(f"the zone is served:\n{ours.log()[-600:]}")
        ours.stop()


def forged_notify(bench):
    """a NOTIFY from a stranger is REFUSED, one from the primary asks it once"""
    theirs = bench.add(dnsd, "told-primary", {ZONE: text(1, hosts=2)}, ["--no-recursion"]).start(ZONE)
    ours = bench.add(dnsd, "told", {}, ["--no-recursion", "--secondary", f"{ZONE}=127.0.0.1:{theirs.port}"]).start(ZONE)
    stranger = Message(ask(ours.address, query(ZONE, "SOA", opcode=4), source="127.0.0.9"))
    friend = Message(ask(ours.address, query(ZONE, "SOA", opcode=4)))
    other = Message(ask(ours.address, query("other.test", "SOA", opcode=4)))
    if (stranger.rcode, friend.rcode, other.rcode) != ("REFUSED", "NOERROR", "REFUSED") or not friend.aa:
        raise Failed(f"NOTIFY: stranger {stranger.rcode}, primary {friend.rcode}, other zone {other.rcode}")
    ours.stop()


if __name__ == "__main__":
    need("named", "nsd", "knotd", "dig", "nsupdate", "named-checkzone")
    main("dns-transfer", [primary, by_update, by_file, signed_by_file, strangers, of_named, of_nsd, of_knot, expiry, wrong_key, forged_notify])
