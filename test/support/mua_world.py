"""What the tests of mua stand on: a sandbox, Dovecot and Postfix, an account of each kind, and mua as a person or a script calls it."""

import http.server
import json
import os
import pwd
import socket
import subprocess
import threading
import time
import urllib.parse

import dovecot
from foreign import Failed
from ports import free_port
from postfix_files import Postfix
from posthorn_site import programs

ALICE, BOB, CARL, DORA = "alice@alpha.test", "bob@alpha.test", "carl@dove.test", "dora@alpha.test"
TOKEN = "an.access-token"
PASSWORD = "secret of carl"


def expect(what, condition):
    if not condition:
        raise Failed(what)


def account(name, /, **keys):
    """A table of mua.toml; JSON's strings and lists are TOML, too."""
    return "\n".join([f"[accounts.{name}]", *(f"{key} = {json.dumps(value, ensure_ascii=False)}" for key, value in keys.items())]) + "\n"


def served(name, address, store, port, ca=None, /, **keys):
    """An account at a server on 127.0.0.1, whose certificate `ca` has signed."""
    return account(name, address=address, store=store, host="127.0.0.1", port=port, **({"ca_file": str(ca), "user": address} if ca else {}), **keys)


def make_maildir(folder):
    for sub in ("cur", "new", "tmp"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    return folder


def put_into(folder, text, owner=None):
    """A message for a Maildir, as a local delivery agent delivers it."""
    microseconds = time.time_ns() // 1000
    name = f"{microseconds // 1000_000}.M{microseconds % 1000_000}P1.test"
    make_maildir(folder)
    (folder / "tmp" / name).write_text(text)
    if owner and os.geteuid() == 0:
        for path in (folder.parent, folder, *folder.iterdir(), folder / "tmp" / name):
            os.chown(path, owner.pw_uid, owner.pw_gid)
    (folder / "tmp" / name).rename(folder / "new" / name)


def deliver_three(to, deliver):
    """A conversation, and a message with two files."""
    first = "From: =?utf-8?q?J=C3=BCrgen?= <j@beta.test>\nTo: {to}\nSubject: Plan\nMessage-ID: <1@beta.test>\nDate: Mon, 2 Nov 2026 10:00:00 +0100\n\nfirst\n"
    second = "From: Ann <a@beta.test>\nTo: {to}\nSubject: Re: Plan\nMessage-ID: <2@beta.test>\nIn-Reply-To: <1@beta.test>\nReferences: <1@beta.test>\nDate: Mon, 2 Nov 2026 11:00:00 +0100\n\nanswer \x1b[31mred\n"
    third = ("From: \"ceo@bank.test\" <evil@beta.test>\nTo: {to}\nSubject: files\nMessage-ID: <3@beta.test>\nDate: Mon, 2 Nov 2026 12:00:00 +0100\n"
             "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>See <b>both</b></p><script>x()</script>\n"
             "--b\nContent-Type: application/octet-stream; name=\"../../invoice.pdf.exe\"\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n"
             "--b\nContent-Type: text/plain; name=n.txt\nContent-Disposition: attachment; filename=n.txt\n\nplain\n--b--\n")
    for text in (first, second, third):
        deliver(text.replace("{to}", to))
        time.sleep(0.02)  # a name of its own


class Tokens(http.server.BaseHTTPRequestHandler):
    """Whom a token belongs to (RFC 7662)."""

    def do_POST(self):
        asked = urllib.parse.parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        good = asked.get("token") == [TOKEN]
        body = json.dumps({"active": good, "email": CARL} if good else {"active": False}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


OAUTH2 = """introspection_url = http://127.0.0.1:{port}/
introspection_mode = post
username_attribute = email
active_attribute = active
active_value = true
"""
DOVECOT = """
protocols = imap
ssl = required
ssl_cert = <{tls}/cert.pem
ssl_key = <{tls}/key.pem
mail_location = maildir:{home}/mail/%n/Maildir
auth_mechanisms = plain login oauthbearer xoauth2
auth_failure_delay = 0 secs
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
passdb {{
  driver = oauth2
  mechanisms = oauthbearer xoauth2
  args = {home}/oauth2
}}
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid={owner.pw_uid} gid={owner.pw_gid} home={home}/mail/%n
}}
namespace inbox {{
  inbox = yes
  separator = /
  mailbox Sent {{
    auto = subscribe
    special_use = \\Sent
  }}
  mailbox Drafts {{
    auto = subscribe
    special_use = \\Drafts
  }}
  mailbox Bin {{
    auto = subscribe
    special_use = \\Trash
  }}
}}
service auth {{
  unix_listener {home}/auth {{
    mode = 0666
  }}
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
"""


class Dovecot(dovecot.Server):
    """Dovecot's imap for carl, with an auth socket for Postfix; his token is good, too."""

    def __init__(self, home, tls):
        self.tokens = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
        threading.Thread(target=self.tokens.serve_forever, daemon=True).start()
        self.maildir = home / "mail/carl/Maildir"
        (home / "mail").mkdir(parents=True)
        root = os.geteuid() == 0
        self.owner = pwd.getpwnam("nobody") if root else pwd.getpwuid(os.geteuid())
        if root:
            os.chown(home / "mail", self.owner.pw_uid, self.owner.pw_gid)
        home.chmod(0o755)
        (home / "users").write_text(f"{CARL}:{{PLAIN}}{PASSWORD}\n")
        (home / "oauth2").write_text(OAUTH2.format(port=self.tokens.server_port))
        port = free_port()
        users = {"user": "dovecot", "login": "dovenull"} if root else {}  # imap-login won't run as root
        super().__init__(home, DOVECOT.format(home=home, tls=tls, owner=self.owner, port=port), [port], **users)

    def stop(self):
        super().stop()
        self.tokens.shutdown()

    def deliver(self, message):
        put_into(self.maildir, message, self.owner)


# Takes submissions from those whom Dovecot knows, and delivers to Dovecot's Maildirs.
POSTFIX = """myhostname = postfix.dove.test
virtual_mailbox_domains = dove.test
virtual_mailbox_base = {home}/mail
virtual_mailbox_maps = inline:{{ {{ carl@dove.test = carl/Maildir/ }} }}
virtual_uid_maps = static:{owner.pw_uid}
virtual_gid_maps = static:{owner.pw_gid}
virtual_minimum_uid = 1
smtpd_tls_security_level = may
smtpd_tls_cert_file = {tls}/cert.pem
smtpd_tls_key_file = {tls}/key.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {home}/auth
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"""
ZONE = """$TTL 300
@ SOA ns hostmaster 1 3600 600 604800 60
@ NS ns
ns A 127.0.0.1
_imaps._tcp SRV 0 1 1993 mail
_submissions._tcp SRV 0 1 1465 mail
_pop3s._tcp SRV 0 0 0 .
mail A 127.0.0.1
"""


class World:
    """The servers, the accounts, and mua. carl's account is there behind start_dovecot()."""

    def __init__(self, workshop):
        self.workshop = workshop
        conf = workshop.directory / "alpha/conf"
        conf.mkdir(parents=True)
        for agent in ("smtpd", "submissiond"):
            (conf / f"{agent}.toml").write_text('message_size = "100M"\n')
        zone = workshop.directory / "srv.test.zone"
        zone.write_text(ZONE)
        self.site = workshop.site("alpha", ["alpha.test"], [ALICE, BOB, DORA], zones=[zone]).start()
        self.home = workshop.directory / "home"
        self.home.mkdir()
        self.site.directory.chmod(0o755)
        (self.site.directory / "tls").chmod(0o755)
        self.tls = workshop.directory / "tls"
        self.tls.mkdir()
        for name in ("cert.pem", "key.pem"):
            (self.tls / name).write_bytes((self.site.directory / "tls" / name).read_bytes())
        self.dovecot = self.postfix = None
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.secret = self.home / "secret"
        self.secret.write_text(PASSWORD + "\n")
        self.secret.chmod(0o600)
        (self.home / "token").write_text(TOKEN + "\n")
        self.config = self.home / "mua.toml"
        self.write_config()

    def start_dovecot(self):
        self.dovecot = self.workshop.hold(Dovecot(self.workshop.directory / "dovecot", self.tls)).start()
        self.write_config()
        return self

    def start_postfix(self):
        """Behind Dovecot. Its master runs as root only."""
        if os.geteuid() == 0:
            main = POSTFIX.format(home=self.dovecot.home, owner=self.dovecot.owner, tls=self.tls)
            self.postfix = self.workshop.hold(Postfix(self.workshop.directory / "postfix", main)).start()
            self.write_config()
        return self

    def write_config(self, submission_port=None):
        site, ca = self.site, self.site.facts["ca"]
        submission = {"host": "127.0.0.1", "port": submission_port or site.port("submission"), "tls": "starttls"}
        said = {user: f"echo '{site.password(user)}'" for user in (ALICE, DORA)}
        self.config.write_text("\n".join([
            'outbox = "outbox"',
            account("bob", address=BOB, name="Bob Bünting", store="maildir", path=f"{self.home}/bob", signature="Bob"),
            account("bob.submission", **submission, ca_file=ca, user=BOB, password_command=["printf", "%s\\n", site.password(BOB)]),
            served("alice", ALICE, "pop3", site.port("pop3s"), ca, password_command=said[ALICE]),
            account("alice.submission", host="127.0.0.1", port=site.port("submissions")),
            served("alice-stls", ALICE, "pop3", site.port("pop3"), ca, tls="starttls", password_command=said[ALICE]),
            served("dora", DORA, "imap", site.port("imaps"), ca, password_command=said[DORA]),
            account("dora.folders", trash="Trash"),
            account("dora.submission", **submission),
            account("mbox", address=BOB, store="mbox", path=f"{self.home}/mbox",
                    sendmail=[f"{programs()}/sendmail", "--site", str(site.directory), "-i"]),
            served("silent", BOB, "imap", self.silent.getsockname()[1], tls="none"),
            *self.accounts_at_dovecot(ca)]))

    def accounts_at_dovecot(self, ca):
        if not self.dovecot:
            return []
        found = [served("carl", CARL, "imap", self.dovecot.port, ca, name="Carl", password_file="secret"),
                 served("token", CARL, "imap", self.dovecot.port, ca, token_command=f"cat {self.home}/token")]
        if self.postfix:
            found += [account(f"{name}.submission", host="127.0.0.1", port=self.postfix.port, tls="starttls") for name in ("carl", "token")]
        return found

    def environment(self):
        return {**os.environ, "POSTHORN_MUA_CONFIG": str(self.config), "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data")}

    def call(self, *words, exit=0, text=None, timeout=60, editor=""):
        """`exit`: the code that is right, or several. `editor`: a line for the shell with the file behind it."""
        octets = text.encode() if isinstance(text, str) else text
        done = subprocess.run([str(programs() / "mua"), *map(str, words)], input=octets or b"", capture_output=True, timeout=timeout,
                              env={**self.environment(), "VISUAL": editor, "TMPDIR": str(self.home)})
        expect(f"mua {' '.join(map(str, words))} ends with {exit}, not {done.returncode}:\n"
               f"{done.stdout.decode(errors='replace')[-2000:]}\n{done.stderr.decode(errors='replace')[-2000:]}",
               done.returncode in (exit if isinstance(exit, tuple) else (exit,)))
        return done

    def rows(self, *words, **keywords):
        return [json.loads(line) for line in self.call(*words, "--json", **keywords).stdout.splitlines()]

    def one(self, *words, **keywords):
        rows = self.rows(*words, **keywords)
        expect(f"mua {' '.join(map(str, words))} gives one row, not {len(rows)}: {rows}", len(rows) == 1)
        return rows[0]

    def add_account(self, text):
        """Until the next write_config()."""
        self.config.write_text(self.config.read_text() + "\n" + text)

    def start(self, *words, **keywords):
        """mua that goes on while the test does something; for the caller to end."""
        return subprocess.Popen([str(programs() / "mua"), *map(str, words)], stdout=subprocess.PIPE, env=self.environment(), **keywords)


def watches(world, name, deliver):
    """watch, by IDLE where there is a server: one message, told as it comes."""
    process = world.start("--account", name, "watch", "--json", "--once", "--duration", "60s")
    try:
        expect("watching", json.loads(process.stdout.readline())["event"] == "watching")
        deliver("From: x@beta.test\nSubject: seen by IDLE\nMessage-ID: <idle@beta.test>\n\nx\n")
        event = json.loads(process.stdout.readline())
        expect(f"told: {event}", event["event"] == "arrived" and event["message"]["subject"] == "seen by IDLE")
        expect("then it ends", process.wait(60) == 0)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
