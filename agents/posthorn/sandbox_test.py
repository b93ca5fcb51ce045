#!/usr/bin/env python3
"""posthorn sandbox from outside: sandbox_test.py DIRECTORY-OF-PROGRAMS.

What it prints, key by key; how it starts, fails and ends; what its agents do on SIGHUP and SIGTERM.
"""

import grp
import os
import pathlib
import pwd
import shutil
import signal
import smtplib
import socket
import ssl
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "test/support"))
os.environ["POSTHORN_BIN"] = sys.argv[1]
import dns_wire  # noqa: E402
from ports import free_port_base  # noqa: E402
from posthorn_site import Failed, Workshop, programs, wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"
AGENTS = ["authd", "deliverd", "dnsd", "imapd", "pop3d", "queued", "relayd", "smtpd", "submissiond"]
OFFSETS = {"smtp": 25, "submission": 587, "submissions": 465, "pop3": 110, "pop3s": 995, "imap": 143, "imaps": 993,
           "sieve": 4190, "dns": 53, "http": 80}
LATER = ("sieve", "http")  # null until there is an agent for it
SOCKETS = ["smtp", "submission", "lmtp", "relay", "auth", "userdb", "dns"]


def expect(what, condition):
    if not condition:
        raise Failed(what)


def runs(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def prints_every_key(workshop):
    base = free_port_base()
    site = workshop.site("keys", ["alpha.test"], [ALICE, BOB], port_base=base).start()
    facts = site.facts
    expect(f"the keys of DESIGN 2, in order: {list(facts)}",
           list(facts) == ["version", "dir", "address", "ports", "sockets", "pids", "users", "ca"])
    expect("version, dir and address", (facts["version"], facts["dir"], facts["address"]) ==
           (1, str(site.directory), "127.0.0.1"))
    expect(f"ports are the base plus the well-known port, or null: {facts['ports']}",
           facts["ports"] == {name: None if name in LATER else base + port for name, port in OFFSETS.items()})
    for name, port in facts["ports"].items():
        if port:
            socket.create_connection((facts["address"], port), 10).close()
    expect(f"sockets: {facts['sockets']}", list(facts["sockets"]) == SOCKETS)
    for name in SOCKETS:
        expect(f"{name} is the absolute path of a socket", facts["sockets"][name].startswith("/"))
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(facts["sockets"][name])
    expect(f"a pid for each agent: {facts['pids']}", sorted(facts["pids"]) == AGENTS)
    for agent, pid in facts["pids"].items():
        expect(f"{pid} is {agent}", pathlib.Path(f"/proc/{pid}/comm").read_text().strip() == agent)
    expect(f"users: {facts['users']}", facts["users"] == [
        {"address": user, "password": site.password(user),
         "maildir": f"{site.directory}/mail/alpha.test/{user.split('@')[0]}/Maildir"} for user in (ALICE, BOB)])
    ssl.create_default_context(cafile=facts["ca"])
    site.submit(ALICE, [BOB], b"From: <alice@alpha.test>\r\n\r\nhello\r\n")
    site.wait_for_messages(BOB, 1)
    return site


def ends_on_sigterm(site):
    begun = time.monotonic()
    site.process.send_signal(signal.SIGTERM)
    expect("SIGTERM ends it with 0", site.process.wait(20) == 0)
    expect("within 10 s", time.monotonic() - begun < 10)
    expect("one line is all it printed", site.process.stdout.read() == "")
    expect("its agents ended before it", not [a for a, pid in site.facts["pids"].items() if runs(pid)])
    expect("nothing is removed", len(site.messages(BOB)) == 1 and (site.directory / "conf/users").exists())


def starts_again(site):
    certificate = pathlib.Path(site.facts["ca"]).read_bytes()
    site.users = []
    site.start()
    expect("the certificate stays", pathlib.Path(site.facts["ca"]).read_bytes() == certificate)
    site.submit(ALICE, [BOB], b"From: <alice@alpha.test>\r\n\r\nhello again\r\n")
    wait_until("the users stay", lambda: len(list((site.directory / "mail/alpha.test/bob/Maildir/new").iterdir())) == 2)


def agents_end_when_it_is_killed(site):
    site.process.kill()
    site.process.wait()
    wait_until("agents end when their supervisor dies", lambda: not any(map(runs, site.facts["pids"].values())), 10)
    site.process.stdout.close()
    site.process = None


def authd_has_two_owners(workshop):
    """The two sockets of authd may belong to different people: who checks passwords is not who looks users up."""
    site = workshop.site("owners", ["alpha.test"], [ALICE])
    (site.directory / "conf").mkdir(parents=True)
    root = os.geteuid() == 0
    owners = 'listen_owner = "nobody"\nlisten_userdb_group = "mail"\n' if root else ""
    (site.directory / "conf/authd.toml").write_text(owners + 'listen_mode = "0600"\nlisten_userdb_mode = "0620"\n')

    def check(who):
        auth, userdb = (os.stat(site.directory / f"run/{name}.sock") for name in ("auth", "userdb"))
        expect(f"{who}: modes {auth.st_mode:o} {userdb.st_mode:o}", (auth.st_mode & 0o777, userdb.st_mode & 0o777) == (0o600, 0o620))
        if root:
            expect(f"{who}: auth belongs to nobody, userdb to root and the group mail",
                   (auth.st_uid, userdb.st_uid, userdb.st_gid) ==
                   (pwd.getpwnam("nobody").pw_uid, 0, grp.getgrnam("mail").gr_gid))

    site.start()
    check("opened by the supervisor")
    site.stop()
    with subprocess.Popen([programs() / "authd", "--site", site.directory], stderr=subprocess.PIPE, text=True) as alone:
        while " ready " not in (line := alone.stderr.readline()):
            expect("authd starts", line)
        check("opened by authd")
        alone.terminate()


def strangers_and_neighbours(workshop):
    """VRFY and EXPN tell the truth to local_networks, which loopback is not in; nobody to ask is 451 4.3.0"""
    site = workshop.site("neighbours", ["alpha.test"], [ALICE, BOB])
    (site.directory / "conf").mkdir(parents=True)
    (site.directory / "conf/lists").write_text("all alice, bob\n")
    site.start()

    def ask(port):
        with smtplib.SMTP("127.0.0.1", site.port(port), timeout=20) as client:
            client.ehlo()
            return [client.docmd(words)[0] for words in
                    ("VRFY alice", "VRFY nobody", "EXPN all", "EXPN alice")]

    for port in ("smtp", "submission"):
        expect(f"a stranger at {port} learns nothing: {ask(port)}", ask(port) == [252] * 4)
    for agent in ("smtpd", "submissiond"):
        (site.directory / f"conf/{agent}.toml").write_text('local_networks = ["127.0.0.0/8"]\n')
        before = len(site.log(agent))
        os.kill(site.facts["pids"][agent], signal.SIGHUP)
        wait_until("it is read", lambda a=agent, b=before: " reloaded" in log_after(site, a, b), 10)
    for port in ("smtp", "submission"):
        expect(f"a neighbour at {port} learns who exists: {ask(port)}", ask(port) == [250, 550, 250, 550])
    site.stop()

    for agent in ("smtpd", "submissiond"):
        (site.directory / f"conf/{agent}.toml").write_text('userdb = "unix:run/nobody.sock"\n')
    site.start()
    with smtplib.SMTP("127.0.0.1", site.port("smtp"), timeout=20) as client:
        client.ehlo()
        client.mail("x@y.test")
        expect("smtpd can't look bob up", client.rcpt(BOB)[0:2] == (451, b"4.3.0 Temporary trouble here, try again later"))
        expect("other domains are still refused for good", client.rcpt("x@other.test")[0] == 554)
    try:
        site.submit(ALICE, [BOB], b"From: <alice@alpha.test>\r\n\r\nx\r\n")
        raise Failed("submissiond takes what it can't look up")
    except smtplib.SMTPRecipientsRefused as refused:
        expect(f"submissiond can't look bob up: {refused}", refused.recipients[BOB][0] == 451)
    site.stop()


def failed_starts(workshop):
    site = workshop.site("failing", ["alpha.test"], [])
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        (site.directory / "conf").mkdir(parents=True)
        rows = [
            (f'listen = ["inet:127.0.0.1:{port}"]\n', [], 69, f"smtpd: listen on inet:127.0.0.1:{port}: Address already in use"),
            ("hostnam = 1\n", [], 69, "conf/smtpd.toml:1: unknown key hostnam, did you mean hostname?"),
            ("", ["--user", "x@other.test:y"], 64, "--user x@other.test is of no domain of this site"),
            ("", ["--domain", "a b"], 64, '--domain expects a domain such as sandbox.test, not "a b"'),
            ("", ["--route", "x.test"], 64, "--route expects DOMAIN=HOST:PORT or DOMAIN=unix:PATH"),
        ]
        for config, flags, code, words in rows:
            (site.directory / "conf/smtpd.toml").write_text(config)
            begun = time.monotonic()
            done = subprocess.run([*site.command(), *flags], capture_output=True, text=True, timeout=60)
            expect(f"{config or flags}: ends with {code}, not {done.returncode}: {done.stderr}", done.returncode == code)
            expect(f"{config or flags}: says {words!r}, not {done.stderr}", words in done.stderr)
            expect(f"{config or flags}: nothing on standard output", done.stdout == "")
            expect("within 10 s", time.monotonic() - begun < 10)


def log_after(site, agent, position):
    return site.log(agent)[position:]


def sighup_keeps_sessions(workshop):
    """New limits and certificates for new sessions; a changed listener needs a restart; an error changes nothing."""
    site = workshop.site("sighup", ["alpha.test"], [ALICE, BOB]).start()
    greetings = {"smtpd": site.port("smtp"), "submissiond": site.port("submission"), "pop3d": site.port("pop3")}
    sessions = {agent: socket.create_connection(("127.0.0.1", port), 20) for agent, port in greetings.items()}
    for session in sessions.values():
        expect("a greeting", session.recv(1000))
    before = {agent: len(site.log(agent)) for agent in AGENTS}

    other = workshop.site("lender", ["alpha.test"], []).start()
    other.stop()
    for name in ("cert.pem", "key.pem", "ca.pem"):
        fresh = site.directory / f"tls/.{name}.new"
        shutil.copy(other.directory / "tls" / name, fresh)
        fresh.rename(site.directory / "tls" / name)
    (site.directory / "conf/smtpd.toml").write_text('max_recipients = 1\nlisten = ["inet:127.0.0.1:1"]\n')
    for agent in AGENTS:
        os.kill(site.facts["pids"][agent], signal.SIGHUP)
    for agent in AGENTS:
        wait_until(f"{agent} says that it has read its files again",
                   lambda a=agent: " reloaded" in log_after(site, a, before[a]), 10)
    expect("a changed listener is named", "needs-restart" in log_after(site, "smtpd", before["smtpd"]) and
           "listen" in log_after(site, "smtpd", before["smtpd"]))
    for agent, session in sessions.items():
        session.settimeout(20)
        session.sendall(b"NOOP\r\n")
        expect(f"the session with {agent} goes on", session.recv(1000)[:3] in (b"250", b"-ER"))  # pop3d: not before log-in
        session.close()
    with smtplib.SMTP("127.0.0.1", site.port("smtp"), timeout=20) as client:
        client.starttls(context=site.tls())  # by the new CA
        client.ehlo()
        client.mail("x@y.test")
        expect("the old listener stays, the new limit counts",
               [client.rcpt(user)[0] for user in (ALICE, BOB)] == [250, 452])
    site.submit(ALICE, [BOB], b"From: <alice@alpha.test>\r\n\r\nnew certificate\r\n")
    site.pop3(BOB).quit()

    before = len(site.log("smtpd"))
    (site.directory / "conf/smtpd.toml").write_text("max_recipients = many\n")
    os.kill(site.facts["pids"]["smtpd"], signal.SIGHUP)
    wait_until("an error is logged with its line", lambda: "smtpd.toml:1:" in log_after(site, "smtpd", before), 10)
    with smtplib.SMTP("127.0.0.1", site.port("smtp"), timeout=20) as client:
        client.ehlo()
        client.mail("x@y.test")
        expect("and what was stays", [client.rcpt(user)[0] for user in (ALICE, BOB)] == [250, 452])
    site.stop()


def sigterm_drains(workshop):
    """Who is in a message may end it and gets 250; who is not is told 421; then the agent ends with 0."""
    site = workshop.site("sigterm", ["alpha.test"], [ALICE, BOB]).start()
    idle = socket.create_connection(("127.0.0.1", site.port("smtp")), 20)
    busy = socket.create_connection(("127.0.0.1", site.port("smtp")), 20)
    for session in (idle, busy):
        expect("a greeting", session.recv(1000))
    for command in (b"EHLO x\r\n", b"MAIL FROM:<x@y.test>\r\n", b"RCPT TO:<bob@alpha.test>\r\n", b"DATA\r\n"):
        busy.sendall(command)
        expect("an answer", busy.recv(4000))
    busy.sendall(b"Subject: drained\r\n\r\nhel")
    pid = site.facts["pids"]["smtpd"]
    os.kill(pid, signal.SIGTERM)
    expect("an idle session gets 421", idle.recv(1000).startswith(b"421 4.3.2 "))
    busy.sendall(b"lo\r\n.\r\n")
    expect("the message in flight is taken", busy.recv(1000).startswith(b"250 2.0.0 "))
    wait_until("smtpd ends", lambda: not runs(pid), 10)
    wait_until("with 0", lambda: f"pid={pid} exit=0 signal=0" in site.log("posthorn"), 10)
    site.wait_for_messages(BOB, 1)
    wait_until("and is started again", lambda: site.pids("smtpd") not in ([], [pid]), 20)
    site.stop()


def serves_names(workshop):
    """A zone for each domain, signed; --zone adds one, --forward asks another site's server."""
    extra = workshop.directory / "extra.test.zone"
    extra.write_text("$TTL 60\n@ SOA ns admin 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\nwww A 192.0.2.80\n")
    alpha = workshop.site("names", ["alpha.test", "other.test"], [ALICE], zones=[extra]).start()
    beta = workshop.site("asks", ["beta.test"], [], address="127.0.0.2",
                         forwards=[f"alpha.test=127.0.0.1:{alpha.port('dns')}"]).start()

    def ask(site, name, kind):
        reply = dns_wire.ask((site.address, site.port("dns")), dns_wire.query(name, kind, rd=True, edns=1232, do=True), 10)
        expect(f"an answer to {name} {kind}", reply)
        return dns_wire.Message(reply)

    for domain in ("alpha.test", "other.test"):
        mx = ask(alpha, domain, "MX")
        expect(f"{domain} has an MX record and its signature: {mx.answer}",
               [record[1] for record in mx.answer] == [dns_wire.TYPES["MX"], dns_wire.TYPES["RRSIG"]])
        expect(f"{domain} is secure for this machine", mx.aa and mx.ad)
        expect(f"{domain} has SPF", any(b"v=spf1 mx -all" in record[3] for record in ask(alpha, domain, "TXT").answer))
    expect("the zone that was added", bytes([192, 0, 2, 80]) in [r[3] for r in ask(alpha, "www.extra.test", "A").answer])
    forwarded = ask(beta, "alpha.test", "MX")
    expect("the other site's zone is asked for", forwarded.rcode == "NOERROR" and not forwarded.aa and forwarded.answer)
    refused = subprocess.run([*alpha.command(), "--dir", str(workshop.directory / "x"), "--zone", "nozone"],
                             capture_output=True, text=True, check=False, timeout=30)
    expect(f"a file that is none is refused: {refused.stderr}", refused.returncode == 64 and "DOMAIN.zone" in refused.stderr)
    for site in (alpha, beta):
        site.stop()


def main():
    failures = 0
    expect("a directory of programs", programs().is_dir())

    def step(what, *arguments):
        nonlocal failures
        try:
            value = what(*arguments)
            print(f"ok      {what.__name__.replace('_', ' ')}", flush=True)
            return value
        except (Failed, OSError, smtplib.SMTPException) as problem:
            failures += 1
            print(f"FAILED  {what.__name__.replace('_', ' ')}: {problem}", flush=True)
            return None

    with Workshop("sandbox") as workshop:
        site = step(prints_every_key, workshop)
        if site:
            step(ends_on_sigterm, site)
            step(starts_again, site)
            step(agents_end_when_it_is_killed, site)
        step(authd_has_two_owners, workshop)
        step(strangers_and_neighbours, workshop)
        step(serves_names, workshop)
        step(failed_starts, workshop)
        step(sighup_keeps_sessions, workshop)
        step(sigterm_drains, workshop)
        if failures:
            raise Failed(f"{failures} steps failed")


try:
    main()
except Failed as failed:
    sys.exit(f"failed: {failed}")
