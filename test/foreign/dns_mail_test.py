#!/usr/bin/env python3
"""Mail whose way is told by signed DNS: good signatures lead, broken ones defer and never downgrade, a repair lets it go."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import Bench, dnsd, nsd  # noqa: E402
from foreign import need, run  # noqa: E402
from ports import free_port_base  # noqa: E402
from posthorn_site import Failed, Workshop, wait_until  # noqa: E402

ALICE = "alice@alpha.test"
DOMAINS = ("good.test", "broken.test")
BETA = "127.0.0.2"
NSD = "".join(f"zone:\n    name: {domain}\n    zonefile: {{d}}/{domain}\n" for domain in DOMAINS)


def zone(domain):
    return (f"$TTL 60\n@ SOA ns.{domain}. hostmaster.{domain}. 1 3600 600 86400 60\n@ NS ns\nns A 127.0.0.1\n"
            f"@ MX 10 mail\nmail A {BETA}\n")


def dig(server, *words):
    return run(["dig", f"@{server.address[0]}", "-p", str(server.port), *words])


def signed_zones(bench):
    """Zones signed by dnsd, as text, and their DS records."""
    signer = bench.add(dnsd, "signer", {domain: zone(domain) for domain in DOMAINS},
                       [word for domain in DOMAINS for word in ("--sign", domain)]).start(DOMAINS[0])
    texts, anchors = {}, ""
    for domain in DOMAINS:
        wait_until(f"{domain} is served", lambda d=domain: signer.serial(d) is not None)
        texts[domain] = dig(signer, "AXFR", domain, "+onesoa")
        keys = dig(signer, "DNSKEY", domain, "+noall", "+answer")
        anchors += run(["dnssec-dsfromkey", "-2", "-f", "-", domain], keys)
    signer.stop()
    return texts, anchors


def broken(text):
    """The MX record leads elsewhere than its signature says."""
    changed = re.sub(r"(\tMX\t10 )mail\.", r"\1evil.", text)
    if changed == text:
        raise Failed("the zone has no MX record to break")
    return changed


def reason_of(site, recipient):
    """What the queue says of a recipient that waits."""
    for message in site.queue():
        for one in message["recipients"]:
            if one["to"] == recipient and one["text"]:
                return f"{one['dsn']} {one['text']}"
    return None


def story(bench, workshop):
    texts, anchors = signed_zones(bench)
    server = bench.add(nsd, "nsd", NSD, {"good.test": texts["good.test"], "broken.test": broken(texts["broken.test"])})
    server.start("good.test")
    base = free_port_base(["127.0.0.1", BETA])
    beta = workshop.site("beta", list(DOMAINS), [f"bob@{domain}" for domain in DOMAINS], address=BETA, port_base=base).start()
    alpha_directory = workshop.directory / "alpha"
    (alpha_directory / "conf").mkdir(parents=True)
    (alpha_directory / "conf/anchors").write_text(anchors)
    forwards = ", ".join(f'"{domain}=127.0.0.1:{server.port}"' for domain in DOMAINS)
    (alpha_directory / "conf/dnsd.toml").write_text(f'forward = [{forwards}]\ntrust_anchors = "conf/anchors"\n')
    alpha = workshop.site("alpha", ["alpha.test"], [ALICE], port_base=base).start()

    def send(domain):
        run(["swaks", "--server", alpha.address, "--port", str(alpha.port("submission")), "--tls", "--auth-user", ALICE,
             "--auth-password", alpha.password(ALICE), "--from", ALICE, "--to", f"bob@{domain}"])

    secure = run(["dig", "@127.0.0.1", "-p", str(alpha.port("dns")), "+adflag", "MX", "good.test"])
    if not re.search(r"flags:[^;]* ad[ ;]", secure):
        raise Failed(f"good.test is not secure:\n{secure}")
    send("good.test")
    beta.wait_for_messages("bob@good.test", 1)
    print("ok      signed and good: the mail is delivered")

    send("broken.test")
    wait_until("the message for broken.test is deferred", lambda: reason_of(alpha, "bob@broken.test"))
    reason = reason_of(alpha, "bob@broken.test")
    if not re.match(r"4\.4\.3 .*DNSSEC Bogus.*RRSIG of broken\.test MX", reason):
        raise Failed(f"the queue does not say why: {reason}")
    if beta.messages("bob@broken.test") or len(alpha.messages(ALICE)):
        raise Failed("the mail went somewhere, or came back")
    print(f"ok      signed and broken: the mail waits ({reason})")

    server.write("broken.test", texts["broken.test"])
    server.process.send_signal(1)  # SIGHUP: read the zones again
    wait_until("nsd serves the repaired zone", lambda: "mail.broken.test" in dig(server, "+short", "MX", "broken.test"))
    run(["curl", "--silent", "--fail-with-body", "--unix-socket", alpha.directory / "run/dnsd.ops",
         "http://dnsd/cache/flush", "--data", '{"what": "all"}'])
    alpha.posthorn("queue", "flush")
    beta.wait_for_messages("bob@broken.test", 1)
    print("ok      repaired: the mail is delivered")


def main():
    need("nsd", "dig", "swaks", "dnssec-dsfromkey", "curl")
    try:
        with Bench("dns-mail") as bench, Workshop("dns-mail") as workshop:
            story(bench, workshop)
    except Failed as problem:
        sys.exit(f"failed: {problem}")


if __name__ == "__main__":
    main()
