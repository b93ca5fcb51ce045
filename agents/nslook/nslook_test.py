#!/usr/bin/env python3
"""nslook and `posthorn dns` against a sandbox's dnsd: nslook_test.py DIRECTORY-OF-PROGRAMS."""

import http.server
import json
import os
import pathlib
import ssl
import subprocess
import sys
import threading

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test/support"))
os.environ["POSTHORN_BIN"] = sys.argv[1]
from posthorn_site import Failed, Workshop, programs  # noqa: E402

ZONE = """$TTL 300
@ SOA ns hostmaster 1 3600 600 864000 60
@ NS ns
@ MX 10 mx
@ MX 20 alias
@ TXT "v=spf1 mx include:spf -all"
spf TXT "v=spf1 ip4:192.0.2.0/24 -all"
_dmarc TXT "v=DMARC1; p=reject; rua=mailto:dmarc@beta.test"
ns A 127.0.0.1
mx A 192.0.2.25
alias CNAME mx
_mta-sts TXT "v=STSv1; id=1"
mta-sts A 127.0.0.1
big TXT """ + " ".join('"' + letter * 250 + '"' for letter in "abcdefghij") + "\n"


def expect(what, condition):
    if not condition:
        raise Failed(what)


class Tools:
    """nslook and posthorn, as a person calls them."""

    def __init__(self, site):
        self.site = site

    def __call__(self, *words, exit=0, text=None, program="nslook"):
        done = subprocess.run([str(programs() / program), "--site", str(self.site.directory), *words], input=text,
                              capture_output=True, text=True, timeout=60)
        expect(f"{program} {' '.join(words)} ends with {exit}, not {done.returncode}: {done.stdout} {done.stderr}",
               done.returncode == exit)
        return done.stdout

    def json(self, *words, exit=0, program="nslook"):
        return json.loads(self(*words, "--json", exit=exit, program=program))

    def posthorn(self, *words, exit=0, text=None):
        return self("dns", *words, exit=exit, text=text, program="posthorn")


def check_look_ups(run, site):
    expect("addresses by the site's own socket", "Address: 192.0.2.25\n" in run("mx.beta.test"))
    udp = ("--server", f"127.0.0.1:{site.facts['ports']['dns']}")
    expect("the same by UDP, brief", run(*udp, "--short", "mx.beta.test") == "192.0.2.25\n")
    reply = run.json(*udp, "--type", "txt", "big.beta.test")["results"][0]["replies"][0]
    expect(f"a large answer comes by TCP: {reply['transport']}", reply["transport"] == "tcp")
    expect("with all its data", len(reply["answer"][0]["data"]) > 2500)
    both = run.json("--type", "mx,soa", "beta.test")["results"][0]["replies"]
    expect("two types are two replies", [r["question"]["type"] for r in both] == ["MX", "SOA"])
    expect("by the socket", both[0]["transport"] == "unix" and both[0]["header"]["rcode"] == "NOERROR")
    gone = run.json("nobody.beta.test", exit=1)["results"][0]
    expect("no such name", gone["found"] is False and gone["replies"][0]["header"]["rcode"] == "NXDOMAIN")
    run("--server", "127.0.0.1:1", "--timeout", "1s", "--retries", "0", "beta.test", exit=69)
    run("--type", "mxx", "beta.test", exit=64)
    run("--colour", "beta.test", exit=64)


def check_dialogue(run, directory):
    listing = directory / "beta.list"
    said = run(text=f"ls -d beta.test > {listing}\nview {listing}\nset type=mx\nbeta.test\nexit\nnever.beta.test\n")
    expect("the zone was listed into a file, and shown", "spf.beta.test" in said and "v=DMARC1" in listing.read_text())
    expect("MX in nslookup's words", "beta.test\tmail exchanger = 10 mx.beta.test.\n" in said)
    expect("nothing after exit", "never" not in said)
    expect("no prompt in a pipe", "> " not in said)
    run(text="nobody.beta.test\n", exit=1)


def check_chain(run, directory):
    keys = run("--short", "--type", "dnskey", "alpha.test").splitlines()
    expect(f"the zone is signed: {keys}", keys)
    anchor = directory / "anchor"
    anchor.write_text("".join(f"alpha.test. IN DNSKEY {key}\n" for key in keys))
    words = ("--trust-anchor", str(anchor), "--dnssec")
    whole = run.json(*words, "--type", "mx", "alpha.test")
    expect(f"the answer is secure: {whole}", whole["security"] == "secure")
    absent = run.json(*words, "nobody.alpha.test")
    expect(f"so is what isn't there: {absent}", absent["security"] == "secure" and "no such name" in absent["reason"])
    anchor.write_text("alpha.test. IN DS 1 13 2 " + "00" * 32 + "\n")
    wrong = run.json(*words, "--type", "mx", "alpha.test", exit=1)
    expect(f"another anchor makes it bogus: {wrong}", wrong["security"] == "bogus")
    anchor.write_text("nonsense\n")
    run(*words, "alpha.test", exit=65)


def check_mail(run):
    report = run.json("--timeout", "2s", "--retries", "0", "--mail", "beta.test", exit=1)
    lines = [(f["grade"], f["subject"], f["text"]) for f in report["findings"]]

    def has(grade, subject, part):
        return any(g == grade and s == subject and part in t for g, s, t in lines)

    expect(f"the first host is good: {lines}", has("ok", "MX", "10 mx.beta.test at 192.0.2.25"))
    expect(f"the alias isn't: {lines}", has("fail", "MX", "alias.beta.test is an alias of mx.beta.test"))
    expect(f"SPF is counted: {lines}", has("ok", "SPF", "2 of 10 look-ups"))
    expect(f"DMARC is read: {lines}", has("ok", "DMARC", "p=reject"))


class PolicyServer(http.server.BaseHTTPRequestHandler):
    """What `answer` says: status, type, body."""

    answer = (200, "text/plain", b"")

    def do_GET(self):
        status, kind, body = self.answer if self.path == "/.well-known/mta-sts.txt" else (404, "text/plain", b"")
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Location", "https://mta-sts.beta.test/elsewhere")
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # it was too much

    def log_message(self, *_):
        pass


def certificate(directory, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj",
                    f"/CN={name}", "-addext", f"subjectAltName=DNS:{name}", "-keyout", str(directory / f"{name}.key"), "-out",
                    str(directory / f"{name}.crt")], check=True, capture_output=True)
    return directory / f"{name}.crt", directory / f"{name}.key"


def fetched(run, directory, name):
    """A server with a certificate of this name; gives a function that says what the report has on MTA-STS."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), PolicyServer)
    chain, key = certificate(directory, name)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()

    def report(authorities=chain):
        words = ("--https-port", str(server.server_port), "--web-authorities", str(authorities), "--mail", "beta.test")
        return " | ".join(f"{f['grade']}: {f['text']}" for f in run.json(*words, exit=1)["findings"] if f["subject"] == "MTA-STS")
    return report


def check_policies(run, directory):
    policy = b"version: STSv1\r\nmode: enforce\r\nmx: mx.beta.test\r\nmax_age: 604800\r\n"
    report = fetched(run, directory, "mta-sts.beta.test")
    for answer, said in (((200, "text/plain; charset=utf-8", policy), "ok: mode: enforce, max_age: 604800, mx: mx.beta.test"),
                         ((200, "text/plain", policy), "fail: the policy doesn't name alias.beta.test"),
                         ((200, "text/html", policy), "text/html, not text/plain"), ((404, "text/plain", policy), "404, not 200"),
                         ((301, "text/plain", policy), "301, not 200"), ((200, "text/plain", policy * 2000), "more than 65536 octets"),
                         ((200, "text/plain", b"hello"), "is no line KEY: VALUE")):
        PolicyServer.answer = answer
        expect(f"{answer[:2]}: {report()}", said in report())
    PolicyServer.answer = (200, "text/plain", policy)
    expect(f"nobody vouches for the certificate: {report('/etc/ssl/certs/ca-certificates.crt')}",
           "certificate" in report("/etc/ssl/certs/ca-certificates.crt"))
    report = fetched(run, directory, "www.beta.test")
    expect(f"a certificate of another name: {report()}", "fail: https://mta-sts.beta.test" in report())


def check_posthorn(run, zone):
    run.posthorn("update", "add", "new.beta.test", "60", "TXT", "two words")
    expect("an update is seen", run("--short", "--type", "txt", "new.beta.test") == '"two words"\n')
    run.posthorn("update", "prereq", "nxdomain", "new.beta.test", ",", "delete", "new.beta.test", exit=1)
    run.posthorn("update", text="prereq yxdomain new.beta.test\nupdate delete new.beta.test\nsend\n")
    run("--type", "txt", "new.beta.test", exit=1)
    run.posthorn("update", text="add new.beta.test 60 A 1.2.3\n", exit=65)
    stats = run.json("dns", "cache", "stats", program="posthorn")
    expect(f"questions were counted: {stats}", stats["questions"]["unix"] > 0)
    expect("forgetting is counted", "flushed" in run.json("dns", "cache", "flush", program="posthorn"))
    run.posthorn("cache", "show", exit=1)
    problems = run.json("dns", "check", str(zone), exit=1, program="posthorn")["problems"]
    expect(f"the alias is found in the file, too: {problems}",
           any("alias.beta.test is a CNAME" in p["what"] for p in problems))


def main():
    with Workshop("nslook") as workshop:
        zone = workshop.directory / "beta.test.zone"
        zone.write_text(ZONE.replace("include:spf ", "include:spf.beta.test "))
        site = workshop.site("site", ["alpha.test"], zones=[zone]).start()
        run = Tools(site)
        check_look_ups(run, site)
        check_dialogue(run, workshop.directory)
        check_chain(run, workshop.directory)
        check_mail(run)
        check_policies(run, workshop.directory)
        check_posthorn(run, zone)
    print("nslook: all as expected")


main()
