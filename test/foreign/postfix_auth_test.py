#!/usr/bin/env python3
"""Postfix's smtpd asks authd: PLAIN, LOGIN and SCRAM of its clients, and what it must not offer."""

import os
import re
import smtplib
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, need, run, skip  # noqa: E402
from postfix_files import Postfix  # noqa: E402
from posthorn_site import Workshop, wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@alpha.test"

MAIN = """smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {socket}
smtpd_sasl_security_options = noanonymous
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"""


class AskingAuthd(Postfix):
    def ehlo(self):
        said = run(["swaks", "--server", f"127.0.0.1:{self.port}", "--quit-after", "EHLO"], expect=None)
        found = re.search(r"250[- ]AUTH (.*)", said)
        return found.group(1).split() if found else []

    def log_in(self, mechanism, password):
        """The reply's code to AUTH, by swaks or gsasl."""
        if mechanism.startswith("SCRAM"):
            said = run(["gsasl", "--smtp", "--no-starttls", "--connect", f"127.0.0.1:{self.port}", "--mechanism", mechanism,
                        "--authentication-id", ALICE, "--password", password], expect=None)
        else:
            said = run(["swaks", "--server", f"127.0.0.1:{self.port}", "--auth", mechanism, "--auth-user", ALICE,
                        "--auth-password", password, "--quit-after", "AUTH"], expect=None)
        codes = re.findall(r"\b(235|454|501|535) \d\.\d\.\d", said)
        if not codes:
            raise Failed(f"no reply to AUTH {mechanism}:\n{said}")
        return codes[-1]


def check_nonsense(site, postfix):
    """Postfix passes on what a client says without a look: nonsense is that client's failure, authd's connection stays."""
    with smtplib.SMTP("127.0.0.1", postfix.port, timeout=60) as client:
        client.ehlo()
        for words in ("AUTH PLAIN no-base64!", "AUTH PLAIN \001\002", "AUTH LOGIN !"):
            code, said = client.docmd(words)
            if code != 535:
                raise Failed(f"{words!r} is answered {code} {said}")
        client.login(ALICE, site.password(ALICE))
    if "protocol-error" in site.log("authd"):
        raise Failed("authd took a client's nonsense for Postfix's:\n" + site.log("authd"))
    print("ok      what is no base64", flush=True)


def check(site, postfix):
    offered = postfix.ehlo()
    if offered != ["SCRAM-SHA-256", "PLAIN", "LOGIN"]:
        raise Failed(f"Postfix offers {offered}; SCRAM-SHA-256-PLUS is not for a server that can't pass the binding")
    for mechanism in offered:
        for password, code in ((site.password(ALICE), "235"), ("wrong", "535")):
            said = postfix.log_in(mechanism, password)
            if said != code:
                raise Failed(f"{mechanism} with {password!r}: {said} instead of {code}")
        print(f"ok      {mechanism}", flush=True)
    check_nonsense(site, postfix)
    site.posthorn("user", "add", "--scheme", "CRYPT", "carl@alpha.test", text="x\n")
    wait_until("authd has seen the user without SCRAM keys", lambda: "mechanisms-changed" in site.log("authd"))
    postfix.do("reload")
    wait_until("Postfix offers what one user without SCRAM keys leaves", lambda: postfix.ehlo() == ["PLAIN", "LOGIN"])
    if postfix.log_in("PLAIN", site.password(ALICE)) != "235":
        raise Failed("PLAIN does not work behind the change")
    print("ok      SCRAM goes when one user has no keys", flush=True)


def main():
    need("postfix", "swaks", "gsasl")
    if os.geteuid() != 0:
        skip("Postfix's master runs as root only")
    try:
        with Workshop("postfix-auth") as workshop:
            site = workshop.site("alpha", ["alpha.test"], [ALICE, BOB])
            (site.directory / "conf").mkdir(parents=True)
            # Postfix runs as somebody else, and its clients here speak in clear.
            (site.directory / "conf/authd.toml").write_text('listen_mode = "0666"\nplaintext_in_clear = true\n')
            site.start()
            for folder in (site.directory, site.directory / "run"):
                folder.chmod(0o755)
            postfix = AskingAuthd(workshop.directory / "postfix", MAIN.format(socket=site.facts["sockets"]["auth"]))
            check(site, workshop.hold(postfix).start())
    except Failed as problem:
        sys.exit(f"failed: {problem}")


if __name__ == "__main__":
    main()
