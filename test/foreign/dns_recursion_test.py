#!/usr/bin/env python3
"""dnsd, Unbound and BIND on one fake Internet: NSD serves a root, a TLD and zones, signed with BIND's tools in four algorithms,
with NSEC, NSEC3 and opt-out. Each question must get the same answer from all. In a network namespace, because the servers of
zones listen at port 53."""

import os
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import Server, dnsd, main, named, nsd  # noqa: E402
from dns_wire import Message, ask_all, query, record_text  # noqa: E402
from foreign import Failed, need, run  # noqa: E402
from posthorn_site import wait_until  # noqa: E402

ROOT, TLD, SITES = "127.0.53.1", "127.0.53.2", "127.0.53.3"
SOA = "$TTL 3600\n@ SOA ns m 1 3600 600 86400 300\n"
BODY = """
@ MX 10 mail
www A 192.0.2.80
*.wild A 192.0.2.81
*.wc CNAME www
x.y.ent TXT "deep"
alias CNAME www
out CNAME www.plain.test.
gone CNAME nothing
loop CNAME loop2
loop2 CNAME loop
old DNAME new
h.new A 192.0.2.82
toplain DNAME plain.test.
_25._tcp.mail TLSA 3 1 1 0000000000000000000000000000000000000000000000000000000000000000
mail A 192.0.2.25
"""
# Children before their parents, whose DS is then there. zone: server, text, algorithm, how it is signed.
ZONES = {
    "plain.test": (SITES, SOA + "@ NS ns\nns A 127.0.53.3\nwww A 192.0.2.90\nh A 192.0.2.91\nback CNAME www.site.test.\n", None, ()),
    "sub.site.test": (SITES, SOA + "@ NS ns\nns A 127.0.53.3\nwww A 192.0.2.99\n", None, ()),
    "sub.n3.test": (SITES, SOA + "@ NS ns.site.test.\nwww A 192.0.2.98\n", None, ()),
    "site.test": (SITES, SOA + BODY + "@ NS ns\nns A 127.0.53.3\nsub NS ns.sub\nns.sub A 127.0.53.3\n", "ECDSAP256SHA256", ()),
    "n3.test": (SITES, SOA + BODY + "@ NS ns.site.test.\nsub NS ns.site.test.\n", "ED25519", ("-3", "aabb", "-H", "5")),
    "test": (TLD, SOA + "@ NS ns\nns A 127.0.53.2\nsite NS ns.site\nns.site A 127.0.53.3\nplain NS ns.plain\nns.plain A 127.0.53.3\n"
             "n3 NS ns.site\na.b.c.ent A 192.0.2.3\n", "RSASHA256", ("-3", "-", "-A")),
    ".": (ROOT, SOA.replace("ns m", "ns.root m.root") + "@ NS ns.root\nns.root A 127.0.53.1\ntest NS ns.test\nns.test A 127.0.53.2\n",
          "ECDSAP384SHA384", ()),
}
SIGNED_DELEGATIONS = {"test": ["site.test", "n3.test"], ".": ["test"]}
NAMES = ("", "www", "q.wild", "wild", "a.b.wild", "x.wc", "y.ent", "x.y.ent", "ent", "alias", "out", "gone", "h.old", "x.old", "old",
         "h.toplain", "_25._tcp.mail", "none", "a.b.none", "sub", "www.sub", "no.sub", "mail", "loop")
OTHERS = (".", "test", "plain.test", "www.plain.test", "back.plain.test", "none.plain.test", "none.test", "c.ent.test", "a.b.c.ent.test",
          "nothing", "x.nothing")
TYPES = ("A", "TXT", "MX", "TLSA", "DS", "NS", "DNSKEY", "CNAME", "SOA")


def file_name(zone):
    return "root.zone" if zone == "." else f"{zone}.zone"


def make_zones(bench):
    """the zones are signed by BIND's tools"""
    folder = bench.directory / "made"
    folder.mkdir()
    ds, signed = {}, {}
    for zone, (server, text, algorithm, how) in ZONES.items():
        path = folder / file_name(zone)
        origin = "." if zone == "." else zone + "."
        path.write_text(f"$ORIGIN {origin}\n" + text + "".join(ds[child] for child in SIGNED_DELEGATIONS.get(zone, [])))
        if algorithm:
            size = ["-b", "2048"] if algorithm.startswith("RSA") else []
            keys = [run(["dnssec-keygen", "-q", *flag, "-a", algorithm, *size, zone], cwd=folder).strip() for flag in (["-f", "KSK"], [])]
            path.write_text(path.read_text() + "".join((folder / f"{key}.key").read_text() for key in keys))
            run(["dnssec-signzone", "-q", "-S", "-o", zone, *how, path.name], cwd=folder)
            ds[zone] = run(["dnssec-dsfromkey", "-2", f"{keys[0]}.key"], cwd=folder)
            path = folder / f"{path.name}.signed"
        signed.setdefault(server, {})[zone] = path.read_text()
    bench.shared |= {"zones": signed, "anchor": ds["."]}


def start(bench):
    """NSD serves them; dnsd, Unbound and BIND start with the same hints and anchor"""
    for address, zones in bench.shared["zones"].items():
        body = "".join(f'zone:\n    name: "{zone}"\n    zonefile: "{file_name(zone)}"\n' for zone in zones)
        files = {file_name(zone): text for zone, text in zones.items()}
        bench.add(nsd, f"nsd-{address}", body, files, port=53, address=address).start(list(zones)[-1])
    hints = f". 3600 NS ns.root.\nns.root. 3600 A {ROOT}\n"
    anchor = bench.shared["anchor"]
    ours = bench.add(dnsd, "ours", {}, ["--recursion-networks", "127.0.0.0/8", "--ask-loopback", "--no-ipv6", "--root-hints", "{d}/hints",
                                        "--trust-anchors", "{d}/anchors", "--rate-limit", "0"], {"hints": hints, "anchors": anchor})
    config = f"""
server:
    interface: 127.0.0.1@{{port}}
    username: ""
    chroot: ""
    directory: "{{d}}"
    pidfile: "{{d}}/pid"
    use-syslog: no
    do-not-query-localhost: no
    do-ip6: no
    root-hints: "{{d}}/hints"
    trust-anchor-file: "{{d}}/anchors"
    local-zone: "test." nodefault
    module-config: "validator iterator"
"""
    unbound = bench.add(lambda directory: Server("unbound", directory, ["unbound", "-d", "-c", "{d}/unbound.conf"],
                                                 {"unbound.conf": config, "hints": hints, "anchors": anchor}), "unbound")
    tag, algorithm, kind, digest = re.search(r"DS (\d+) (\d+) (\d+) (.*)", anchor).groups()
    bind = bench.add(named, "bind", f"""
zone "." {{ type hint; file "hints"; }};
trust-anchors {{ . static-ds {tag} {algorithm} {kind} "{digest.replace(" ", "")}"; }};
""", {"hints": hints}, options="recursion yes; allow-recursion { any; }; dnssec-validation yes; empty-zones-enable no; minimal-responses yes;")
    for server in (ours, unbound, bind):
        server.launch()
    for server in (ours, unbound, bind):
        wait_until(f"{server.name} resolves", lambda one=server: one.ask("www.site.test", "A", rd=True).rcode == "NOERROR", 60)
    bench.shared["servers"] = (ours, unbound, bind)


def view(message):
    """What must be equal: rcode, whether it is proven, and the records, with their signatures' fields. TTLs run."""
    return message.rcode, message.ad, sorted((owner.lower(), kind, data) for owner, kind, _, data in message.answer)


def loops(question, *views):
    """Of aliases that lead round some give a part, others nothing."""
    return "loop" in question[0] and {one[0] for one in views} <= {"NOERROR", "SERVFAIL"}


def compare(bench):
    """every name by every type: the same rcode, the same AD, the same records"""
    servers = bench.shared["servers"]
    names = [f"{name}.{zone}".lstrip(".") for zone in ("site.test", "n3.test") for name in NAMES] + list(OTHERS)
    questions = [(name, qtype) for name in names for qtype in TYPES]
    messages = [query(name, qtype, rd=True, edns=1232, do=True) for name, qtype in questions]
    answers = [ask_all(server.address, messages, 120.0, 16) for server in servers]
    wrong, alone = [], {server.name: 0 for server in servers}
    for question, octets in zip(questions, zip(*answers)):
        if None in octets:
            raise Failed(f"{servers[octets.index(None)].name} does not answer {question}")
        mine, *others = found = [Message(one) for one in octets]
        if any(one.tc for one in found) or loops(question, *map(view, found)):
            continue
        # Where the others don't agree, one of them is enough: Unbound believes NXDOMAIN beside a CNAME that was asked for.
        agree = [view(one) == view(mine) for one in others]
        if not any(agree):
            wrong.append(f"{' '.join(question)}, ours: {mine.text()}\n      {servers[1].name}: {others[0].text()}")
        elif not all(agree):
            alone[servers[1 + agree.index(False)].name] += 1
    secure = sum(Message(one).ad for one in answers[0])
    print(f"        {len(questions)} questions, {secure} answers proven; of one opinion but for " +
          ", ".join(f"{count} of {name}" for name, count in alone.items() if count))
    if wrong:
        raise Failed(f"{len(wrong)} answers differ:\n" + "\n".join(wrong[:40]))
    if secure < len(questions) // 2 or sum(alone.values()) > len(questions) // 20:
        raise Failed("most answers should be proven, and equal")


def again(bench):
    """the same from the cache"""
    compare(bench)


def forged(bench):
    """a zone whose signatures are broken is SERVFAIL with all, and with CD its data are there"""
    zone_server = [server for server in bench.servers if server.name == "nsd" and server.address[0] == SITES][0]
    zone_server.stop()
    text = zone_server.read(file_name("site.test"))
    zone_server.write(file_name("site.test"), text.replace("192.0.2.80", "192.0.2.66"))
    zone_server.start("site.test")
    for server in bench.shared["servers"]:
        server.stop()
        server.launch()
    for server in bench.shared["servers"]:
        wait_until(f"{server.name} resolves", lambda one=server: one.ask("mail.site.test", "A", rd=True).rcode == "NOERROR", 60)
        answer = server.ask("www.site.test", "A", rd=True, edns=1232)
        if answer.rcode != "SERVFAIL":
            raise Failed(f"{server.name} believes it: {answer.text()}")
        packet = bytearray(query("www.site.test", "A", rd=True, edns=1232))
        packet[3] |= 0x10
        answer = Message(ask_all(server.address, [bytes(packet)])[0])
        if answer.rcode != "NOERROR" or "192.0.2.66" not in [".".join(map(str, data)) for *_, data in answer.answer]:
            raise Failed(f"{server.name} with CD: {answer.text()}")
        if answer.ad:
            raise Failed(f"{server.name} vouches for {record_text(answer.answer[0])}")


if __name__ == "__main__":
    need("nsd", "unbound", "named", "dnssec-keygen", "dnssec-signzone", "dnssec-dsfromkey", "unshare", "ip")
    if os.environ.get("POSTHORN_NAMESPACE") != "1":
        flags = ["-n"] if os.geteuid() == 0 else ["-rn"]
        if subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False).returncode != 0:
            print("skipped: no network namespaces here")
            sys.exit(77)
        os.environ["POSTHORN_NAMESPACE"] = "1"
        os.execvp("unshare", ["unshare", *flags, sys.executable, str(pathlib.Path(__file__).resolve())])
    run(["ip", "link", "set", "lo", "up"])
    main("dns-recursion", [make_zones, start, compare, again, forged])
