#!/usr/bin/env python3
"""Every client of every agent, on unix: and on inet:: clients_test.py DIRECTORY-OF-PROGRAMS.

One site whose agents reach each other on Unix sockets alone, one where they do it by TCP: a message is submitted and read
by POP3, one goes on to another site, and one comes in at smtpd. The agents' own words say which way each client went.
"""

import os
import pathlib
import poplib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test/support"))
os.environ["POSTHORN_BIN"] = sys.argv[1]
from ports import free_port  # noqa: E402
from posthorn_site import Failed, Workshop, wait_until  # noqa: E402

ALICE, BOB, CAROL = "alice@alpha.test", "bob@alpha.test", "carol@beta.test"
MESSAGE = b"From: <alice@alpha.test>\r\nSubject: %s\r\n\r\nhello\r\n"


def endpoints(kind):
    """Where auth, userdb, deliverd and relayd listen; unix: the presets."""
    if kind == "unix":
        return {name: f"unix:run/{socket}.sock" for name, socket in
                (("auth", "auth"), ("userdb", "userdb"), ("lmtp", "lmtp"), ("relay", "relay"))}
    return {name: f"inet:127.0.0.1:{free_port()}" for name in ("auth", "userdb", "lmtp", "relay")}


def configure(site, at):
    files = {
        "authd": {"listen": [at["auth"]], "listen_userdb": [at["userdb"]]},
        "smtpd": {"userdb": at["userdb"]},
        "submissiond": {"auth": at["auth"], "userdb": at["userdb"]},
        "deliverd": {"listen": [at["lmtp"]], "userdb": at["userdb"]},
        "relayd": {"listen": [at["relay"]]},
        "queued": {"userdb": at["userdb"], "local_transport": "lmtp:" + at["lmtp"], "remote_transport": "lmtp:" + at["relay"]},
        "pop3d": {"auth": at["auth"], "userdb": at["userdb"]},
    }
    (site.directory / "conf").mkdir(parents=True)
    for agent, keys in files.items():
        lines = [f"{key} = {value!r}\n" for key, value in keys.items()]
        (site.directory / f"conf/{agent}.toml").write_text("".join(lines))


def expect(what, condition):
    if not condition:
        raise Failed(what)


def check(kind):
    with Workshop(f"clients-{kind}") as workshop:
        beta = workshop.site("beta", ["beta.test"], [CAROL]).start()
        hop = f"127.0.0.1:{beta.port('smtp')}" if kind == "inet" else f"unix:{beta.facts['sockets']['smtp']}"
        alpha = workshop.site("alpha", ["alpha.test"], [ALICE, BOB], routes=[f"beta.test={hop}"])
        at = endpoints(kind)
        configure(alpha, at)
        alpha.start()

        refused = alpha.submit(ALICE, [BOB, CAROL, "nobody@alpha.test"], MESSAGE % b"submitted")  # auth, userdb
        expect(f"submissiond asks userdb who exists: {refused}", list(refused) == ["nobody@alpha.test"])
        refused = alpha.inject("x@y.test", [BOB, "nobody@alpha.test"], MESSAGE % b"injected")
        expect(f"smtpd asks userdb who exists: {refused}", list(refused) == ["nobody@alpha.test"])
        alpha.wait_for_messages(BOB, 2)  # queued and deliverd
        beta.wait_for_messages(CAROL, 1)  # relayd
        client = alpha.pop3(BOB)  # auth, worker
        expect("bob reads both", client.stat()[0] == 2)
        client.quit()

        for name, endpoint in at.items():
            path = alpha.directory / f"run/{name}.sock"
            expect(f"{path} is there with unix: only", path.exists() == (kind == "unix"))
            agent = {"auth": "authd", "userdb": "authd", "lmtp": "deliverd", "relay": "relayd"}[name]
            place = endpoint.replace("unix:run", f"unix:{alpha.directory}/run")
            # A socket that the supervisor has passed is named as the agent found it bound.
            wait_until(f"{agent} says that it listens on {place}",
                       lambda a=agent, p=place: re.search(rf"listening option=\S+ on=\"?{re.escape(p)}\b", alpha.log(a)), 5)


def main():
    failures = 0
    for kind in ("unix", "inet"):
        try:
            check(kind)
            print(f"ok      {kind}", flush=True)
        except (Failed, OSError, poplib.error_proto) as problem:
            failures += 1
            print(f"FAILED  {kind}: {problem}", flush=True)
    sys.exit(1 if failures else 0)


main()
