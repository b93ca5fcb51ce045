#!/usr/bin/env python3
"""mua against Dovecot and Postfix, Maildir and mbox on disk, and a sandbox: every verb, as a person or a script calls it."""

import contextlib
import email
import email.policy
import fcntl
import http.server
import json
import os
import pathlib
import pty
import pwd
import shutil
import socket
import socketserver
import ssl
import subprocess
import sys
import termios
import threading
import time
import traceback
import urllib.parse

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from foreign import Failed, need, run  # noqa: E402
from peak import run_measured  # noqa: E402
from posthorn_site import Workshop, free_port, programs, wait_until  # noqa: E402

ALICE, BOB, CARL, DORA = "alice@alpha.test", "bob@alpha.test", "carl@dove.test", "dora@alpha.test"
TOKEN = "an.access-token"
PASSWORD = "secret of carl"


def expect(what, condition):
    if not condition:
        raise Failed(what)


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


class Dovecot:
    """Dovecot's imap for carl, with an auth socket for Postfix; his token is good, too."""

    def __init__(self, home, tls):
        self.home = home
        self.tokens = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Tokens)
        threading.Thread(target=self.tokens.serve_forever, daemon=True).start()
        self.port = free_port()
        self.maildir = home / "mail/carl/Maildir"
        (home / "mail").mkdir(parents=True)
        owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        if os.geteuid() == 0:
            os.chown(home / "mail", owner.pw_uid, owner.pw_gid)
        home.chmod(0o755)
        self.owner = owner
        (home / "users").write_text(f"{CARL}:{{PLAIN}}{PASSWORD}\n")
        me = pwd.getpwuid(os.geteuid()).pw_name
        login, internal = ("dovenull", "dovecot") if os.geteuid() == 0 else (me, me)  # imap-login won't run as root
        services = "\n".join(f"service {name} {{\n  chroot =\n}}" for name in ("anvil", "stats"))
        folders = "\n".join(f"  mailbox {name} {{\n    auto = subscribe\n    special_use = \\{use}\n  }}"
                            for name, use in (("Sent", "Sent"), ("Drafts", "Drafts"), ("Bin", "Trash")))
        (home / "oauth2").write_text(f"""introspection_url = http://127.0.0.1:{self.tokens.server_port}/
introspection_mode = post
username_attribute = email
active_attribute = active
active_value = true
""")
        (home / "dovecot.conf").write_text(f"""
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = imap
listen = 127.0.0.1
default_internal_user = {internal}
default_internal_group =
default_login_user = {login}
first_valid_uid = 1
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
{folders}
}}
{services}
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
    port = {self.port}
    ssl = yes
  }}
}}
""")

    def start(self):
        self.process = subprocess.Popen(["dovecot", "-F", "-c", self.home / "dovecot.conf"], stdin=subprocess.DEVNULL)
        wait_until("Dovecot listens", self.listens)
        return self

    def listens(self):
        expect("Dovecot runs: " + (self.home / "log").read_text() if (self.home / "log").exists() else "",
               self.process.poll() is None)
        with contextlib.suppress(OSError):
            socket.create_connection(("127.0.0.1", self.port)).close()
            return True
        return False

    def stop(self):
        self.process.terminate()
        self.process.wait(20)
        self.tokens.shutdown()

    def deliver(self, message):
        """As a local delivery agent would: into new/."""
        folder = self.maildir
        name = f"{time.time_ns()}.test"
        for sub in ("", "cur", "new", "tmp"):
            (folder / sub).mkdir(parents=True, exist_ok=True)
            if os.geteuid() == 0:
                os.chown(folder / sub, self.owner.pw_uid, self.owner.pw_gid)
        if os.geteuid() == 0:
            os.chown(folder.parent, self.owner.pw_uid, self.owner.pw_gid)
        (folder / "tmp" / name).write_text(message)
        if os.geteuid() == 0:
            os.chown(folder / "tmp" / name, self.owner.pw_uid, self.owner.pw_gid)
        (folder / "tmp" / name).rename(folder / "new" / name)


MASTER = """127.0.0.1:{port} inet n - n - - smtpd
postlog unix-dgram n - n - 1 postlogd
cleanup unix n - n - 0 cleanup
rewrite unix - - n - - trivial-rewrite
anvil unix - - n - 1 anvil
proxymap unix - - n - - proxymap
qmgr unix n - n 300 1 qmgr
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
tlsmgr unix - - n 1000? 1 tlsmgr
virtual unix - n n - - virtual
pickup unix n - n 60 1 pickup
"""
MAIN = """compatibility_level = 3.6
queue_directory = {home}/spool
data_directory = {home}/data
mail_owner = postfix
setgid_group = postdrop
inet_interfaces = 127.0.0.1
myhostname = postfix.dove.test
mydestination =
maillog_file = {home}/log
maillog_file_prefixes = {home}
virtual_mailbox_domains = dove.test
virtual_mailbox_base = {mail}
virtual_mailbox_maps = inline:{{ {{ carl@dove.test = carl/Maildir/ }} }}
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_tls_security_level = may
smtpd_tls_cert_file = {tls}/cert.pem
smtpd_tls_key_file = {tls}/key.pem
smtpd_tls_auth_only = yes
smtpd_sasl_auth_enable = yes
smtpd_sasl_type = dovecot
smtpd_sasl_path = {auth}
smtpd_recipient_restrictions = permit_sasl_authenticated, reject
"""


class Postfix:
    """A Postfix of its own that takes submissions from those whom Dovecot knows, and delivers to Dovecot's Maildirs."""

    def __init__(self, home, dovecot, tls):
        self.home = home
        self.port = free_port()
        for name in ("conf", "spool", "data"):
            (home / name).mkdir(parents=True)
        run(["chown", "postfix", home / "data"])
        (home / "conf/main.cf").write_text(MAIN.format(home=home, mail=dovecot.home / "mail", tls=tls, auth=dovecot.home / "auth",
                                                       uid=dovecot.owner.pw_uid, gid=dovecot.owner.pw_gid))
        (home / "conf/master.cf").write_text(MASTER.format(port=self.port))

    def do(self, verb):
        run(["postfix", "-c", self.home / "conf", verb], expect=None)

    def start(self):
        self.do("start")

        def answers():
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as probe:
                return probe.recv(3) == b"220"
            return False
        wait_until("Postfix answers", answers)
        return self

    def stop(self):
        self.do("stop")


class World:
    """The servers, the accounts, and mua as a person calls it."""

    def __init__(self, workshop):
        conf = workshop.directory / "alpha/conf"
        conf.mkdir(parents=True)
        for agent in ("smtpd", "submissiond"):
            (conf / f"{agent}.toml").write_text('message_size = "100M"\n')
        zone = workshop.directory / "srv.test.zone"
        zone.write_text("$TTL 300\n@ SOA ns hostmaster 1 3600 600 604800 60\n@ NS ns\nns A 127.0.0.1\n"
                        "_imaps._tcp SRV 0 1 1993 mail\n_submissions._tcp SRV 0 1 1465 mail\n_pop3s._tcp SRV 0 0 0 .\nmail A 127.0.0.1\n")
        self.site = workshop.site("alpha", ["alpha.test"], [ALICE, BOB, DORA], zones=[zone]).start()
        self.home = workshop.directory / "home"
        self.home.mkdir()
        workshop.directory.chmod(0o755)
        self.site.directory.chmod(0o755)
        (self.site.directory / "tls").chmod(0o755)
        tls = workshop.directory / "tls"
        tls.mkdir()
        for name in ("cert.pem", "key.pem"):
            (tls / name).write_bytes((self.site.directory / "tls" / name).read_bytes())
        self.tls = tls
        self.dovecot = Dovecot(workshop.directory / "dovecot", tls).start()
        self.postfix = None
        if os.geteuid() == 0:
            self.postfix = Postfix(workshop.directory / "postfix", self.dovecot, tls).start()
        self.silent = socket.create_server(("127.0.0.1", 0))
        self.secret = self.home / "secret"
        self.secret.write_text(PASSWORD + "\n")
        self.secret.chmod(0o600)
        (self.home / "token").write_text(TOKEN + "\n")
        self.config = self.home / "mua.toml"
        self.write_config()

    def write_config(self, submission_port=None):
        site, ca = self.site, self.site.facts["ca"]
        submission = submission_port or site.port("submission")
        carl = "" if not self.postfix else f"""
[accounts.carl.submission]
host = "127.0.0.1"
port = {self.postfix.port}
tls = "starttls"
"""
        self.config.write_text(f"""
outbox = "outbox"
[accounts.bob]
address = "{BOB}"
name = "Bob Bünting"
store = "maildir"
path = "{self.home}/bob"
signature = "Bob"
[accounts.bob.submission]
host = "127.0.0.1"
port = {submission}
tls = "starttls"
ca_file = "{ca}"
user = "{BOB}"
password_command = ["printf", "%s\\n", "{site.password(BOB)}"]
[accounts.alice]
address = "{ALICE}"
store = "pop3"
host = "127.0.0.1"
port = {site.port("pop3s")}
ca_file = "{ca}"
user = "{ALICE}"
password_command = "echo '{site.password(ALICE)}'"
[accounts.alice.submission]
host = "127.0.0.1"
port = {site.port("submissions")}
[accounts.carl]
address = "{CARL}"
name = "Carl"
store = "imap"
host = "127.0.0.1"
port = {self.dovecot.port}
ca_file = "{ca}"
user = "{CARL}"
password_file = "secret"
{carl}
[accounts.alice-stls]
address = "{ALICE}"
store = "pop3"
host = "127.0.0.1"
port = {site.port("pop3")}
tls = "starttls"
ca_file = "{ca}"
user = "{ALICE}"
password_command = "echo '{site.password(ALICE)}'"
[accounts.dora]
address = "{DORA}"
store = "imap"
host = "127.0.0.1"
port = {site.port("imaps")}
ca_file = "{ca}"
user = "{DORA}"
password_command = "echo '{site.password(DORA)}'"
[accounts.dora.folders]
trash = "Trash"
[accounts.dora.submission]
host = "127.0.0.1"
port = {submission}
tls = "starttls"
[accounts.token]
address = "{CARL}"
store = "imap"
host = "127.0.0.1"
port = {self.dovecot.port}
ca_file = "{ca}"
user = "{CARL}"
token_command = "cat {self.home}/token"
{carl.replace("accounts.carl", "accounts.token")}
[accounts.mbox]
address = "{BOB}"
store = "mbox"
path = "{self.home}/mbox"
sendmail = ["{programs()}/sendmail", "--site", "{site.directory}", "-i"]
[accounts.silent]
address = "{BOB}"
store = "imap"
host = "127.0.0.1"
port = {self.silent.getsockname()[1]}
tls = "none"
""")

    def environment(self):
        return {**os.environ, "POSTHORN_MUA_CONFIG": str(self.config), "HOME": str(self.home), "XDG_DATA_HOME": str(self.home / "data")}

    def call(self, *words, exit=0, text=None, timeout=60, editor=""):
        """`editor`: a line for the shell with the file behind it."""
        octets = text.encode() if isinstance(text, str) else text
        done = subprocess.run([str(programs() / "mua"), *map(str, words)], input=octets or b"", capture_output=True, timeout=timeout,
                              env={**self.environment(), "VISUAL": editor, "TMPDIR": str(self.home)})
        expect(f"mua {' '.join(map(str, words))} ends with {exit}, not {done.returncode}:\n"
               f"{done.stdout.decode(errors='replace')[-2000:]}\n{done.stderr.decode(errors='replace')[-2000:]}", done.returncode == exit)
        return done

    def rows(self, *words, **keywords):
        return [json.loads(line) for line in self.call(*words, "--json", **keywords).stdout.splitlines()]

    def one(self, *words, **keywords):
        rows = self.rows(*words, **keywords)
        expect(f"mua {' '.join(map(str, words))} gives one row, not {len(rows)}: {rows}", len(rows) == 1)
        return rows[0]

    def stop(self):
        self.silent.close()
        if self.postfix:
            self.postfix.stop()
        self.dovecot.stop()


def send_and_get(world):
    """send by submission, get by POP3 into Maildir, mbox and a program"""
    site = world.site
    picture = world.home / "Bild ü.png"
    picture.write_bytes(bytes(range(256)) * 300)
    sent = world.one("--account", "bob", "send", "--to", f"Alice <{ALICE}>", "--subject", "Grüße aus Köln", "--attach", picture,
                     "--header", "X-Test: ja", "--body", "Erste Zeile\n\nund *mehr*", "--markdown", "--notify", "FAILURE")
    expect(f"sent with a copy: {sent}", sent["status"] == "sent" and sent["folder"] == "Sent")
    raw = site.wait_for_messages(ALICE, 1)[0]
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    expect("the subject is read back", mail["Subject"] == "Grüße aus Köln")
    expect("the name too", mail["From"].addresses[0].display_name == "Bob Bünting")
    expect("the field more", mail["X-Test"] == "ja")
    expect("text and HTML", "<em>mehr</em>" in mail.get_body(("html",)).get_content() and "Erste Zeile" in mail.get_body(("plain",)).get_content())
    attached = next(mail.iter_attachments())
    expect("the file", attached.get_filename() == "Bild ü.png" and attached.get_content() == picture.read_bytes())
    clear = world.one("--account", "alice-stls", "get", "--to", f"maildir:{world.home}/stls", "--keep")
    expect(f"by STLS: {clear}", clear["fetched"] == 1)
    kept = world.one("--account", "alice", "get", "--to", f"maildir:{world.home}/kept", "--keep")
    expect(f"fetched and kept: {kept}", (kept["fetched"], kept["left"]) == (1, 1))
    expect("kept mail is fetched once", world.one("--account", "alice", "get", "--keep", "--to", f"maildir:{world.home}/kept", exit=1)["fetched"] == 0)
    expect("into a Maildir", b"X-Test: ja" in next((world.home / "kept/new").iterdir()).read_bytes())
    site.inject("x@beta.test", [ALICE], "Subject: two\r\n\r\nFrom here\r\n")
    site.wait_for_messages(ALICE, 2)
    failed = world.call("--account", "alice", "get", "--exec", "exit 75", exit=75)
    expect("a program that fails keeps the message there", b"stays on the server" in failed.stderr and len(site.messages(ALICE)) == 2)
    got = world.one("--account", "alice", "get", "--to", f"mbox:{world.home}/box")
    expect(f"what went elsewhere is new here, and all is deleted: {got}", (got["fetched"], got["left"]) == (2, 0))
    wait_until("the server's Maildir is empty", lambda: not site.messages(ALICE))
    box = (world.home / "box").read_text()
    expect("an mbox", box.startswith("From ") and "\n>From here\n" in box)
    site.inject("x@beta.test", [ALICE], "Subject: three\r\n\r\npiped\r\n")
    site.wait_for_messages(ALICE, 1)
    site.inject("x@beta.test", [ALICE], "Subject: four\r\n\r\nx\r\n")
    site.wait_for_messages(ALICE, 2)
    world.call("--account", "alice", "get", "--exec", "! grep -q '^Subject: three'", exit=69)
    wait_until("a message that fails blocks none behind it", lambda: len(site.messages(ALICE)) == 1)
    world.call("--account", "alice", "get", "--exec", f"cat > '{world.home}/piped'")
    expect("a program gets the message", "Subject: three" in (world.home / "piped").read_text())


def whole_messages(world):
    """a whole message on standard input, dry run, sendmail, errors as JSON"""
    message = f"From: Bob <{BOB}>\nTo: {ALICE}\nBcc: {BOB}\nSubject: whole\n\ntext\n"
    printed = world.call("--account", "bob", "send", "--dry-run", text=message).stdout
    expect("Bcc is taken away, Date and Message-ID added", b"Bcc" not in printed and b"Date: " in printed and b"Message-ID: " in printed)
    before = len(world.site.messages(BOB))
    sent = world.one("--account", "mbox", "send", text=message)
    expect(f"by sendmail to To and Bcc: {sent}", sorted(sent["recipients"]) == [ALICE, BOB] and sent["status"] == "sent")
    world.site.wait_for_messages(BOB, before + 1)
    refused = world.call("--account", "bob", "send", "--json", "--to", "nobody@alpha.test", "--body", "x", exit=67)
    error = json.loads(refused.stderr)["error"]
    expect(f"an unknown recipient: {error}", error["code"] == "not-found" and "nobody@alpha.test" in error["message"])
    world.call("--account", "bob", "send", "--to", "x@y.test", "--header", "X: a\nBcc: b@c.test", "--body", "x", exit=64)
    world.call("--account", "bob", "send", "--body", "x", exit=64)
    for option in (("--markdown",), ("--header", "X: y"), ("--edit",)):
        world.call("--account", "bob", "send", "--dry-run", *option, text=message, exit=64)
    world.call("--account", "nobody", "list", exit=78)
    expect("unknown words say what is near", b"did you mean send" in world.call("snd", exit=64).stderr)


def editor(world):
    """an editor: nothing changed is nothing sent, and nothing typed is lost"""
    draft = ("--account", "bob", "send", "--edit", "--to", ALICE, "--body", "as it was")
    before = len(world.site.messages(ALICE))
    world.call(*draft, editor="true", exit=1)
    world.call(*draft, editor="sed -i '/^Subject/,$d'", exit=1)
    expect("no file stays of what nobody typed", not list(world.home.glob("mua-*")))
    said = world.call(*draft, editor="sed -i 's/^To:.*/To: nobody@alpha.test/; s/as it was/typed/'", exit=67).stderr.decode()
    kept = [f for f in world.home.glob("mua-*") if str(f) in said]
    expect(f"an error says where the text is: {said}", len(kept) == 1 and "typed" in kept[0].read_text())
    kept[0].unlink()
    printed = world.call(*draft, "--dry-run", editor="sed -i 's/^Subject:.*/Subject: edited/; s/as it was/typed/'").stdout
    expect("what was typed goes", b"Subject: edited" in printed and b"typed" in printed)
    expect("and the file too", not list(world.home.glob("mua-*")) and len(world.site.messages(ALICE)) == before)


@contextlib.contextmanager
def greylisting():
    """A submission server that says 451 4.7.1 to every recipient; its port."""
    class Grey(socketserver.StreamRequestHandler):
        def handle(self):
            self.wfile.write(b"220 grey\r\n")
            for line in self.rfile:
                verb = line[:4].upper()
                self.wfile.write({b"RCPT": b"451 4.7.1 greylisted\r\n", b"DATA": b"503 5.5.1 no\r\n"}.get(verb, b"250 ok\r\n"))
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Grey) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()


def outbox(world):
    """what can't be sent waits in the outbox"""
    world.write_config(submission_port=free_port())
    queued = world.one("--account", "bob", "send", "--to", ALICE, "--subject", "later", "--body", "x", exit=75)
    expect(f"queued: {queued}", queued["status"] == "queued")
    row = world.one("outbox", "list")
    expect(f"listed: {row}", row["id"] == queued["outbox_id"] and row["recipients"] == [ALICE] and row["attempts"] == 1)
    world.call("outbox", "flush", exit=75)
    expect("tried again", world.one("outbox", "list")["attempts"] == 2)
    world.write_config()
    before = len(world.rows("--account", "bob", "list", "sent"))
    expect("sent", world.one("outbox", "flush")["status"] == "sent")
    expect("with a copy", len(world.rows("--account", "bob", "list", "sent")) == before + 1)
    world.write_config(submission_port=free_port())
    world.one("--account", "bob", "send", "--to", ALICE, "--no-copy", "--body", "x", exit=75)
    world.write_config()
    world.one("outbox", "flush")
    expect("and without one if none was wanted", len(world.rows("--account", "bob", "list", "sent")) == before + 1)
    wait_until("it has arrived", lambda: any(b"Subject: later" in m for m in world.site.messages(ALICE)))
    world.call("outbox", "list", exit=1)
    world.call("outbox", "delete", "../x", exit=67)
    with greylisting() as port:
        world.config.write_text(world.config.read_text() + f"""
[accounts.grey]
address = "{BOB}"
store = "maildir"
path = "{world.home}/grey"
[accounts.grey.submission]
host = "127.0.0.1"
port = {port}
tls = "none"
""")
        grey = world.one("--account", "grey", "send", "--to", ALICE, "--body", "x", exit=75)
    expect(f"who is asked to come back later does: {grey}", grey["status"] == "queued" and "greylisted" in grey["trouble"])
    world.call("outbox", "delete", grey["outbox_id"])
    world.write_config()


def deliver_three(world, deliver):
    """A conversation, and a message with two files."""
    first = "From: =?utf-8?q?J=C3=BCrgen?= <j@beta.test>\nTo: {to}\nSubject: Plan\nMessage-ID: <1@beta.test>\nDate: Mon, 2 Nov 2026 10:00:00 +0100\n\nfirst\n"
    second = "From: Ann <a@beta.test>\nTo: {to}\nSubject: Re: Plan\nMessage-ID: <2@beta.test>\nIn-Reply-To: <1@beta.test>\nReferences: <1@beta.test>\nDate: Mon, 2 Nov 2026 11:00:00 +0100\n\nanswer \x1b[31mred\n"
    third = ("From: \"ceo@bank.test\" <evil@beta.test>\nTo: {to}\nSubject: files\nMessage-ID: <3@beta.test>\nDate: Mon, 2 Nov 2026 12:00:00 +0100\n"
             "MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>See <b>both</b></p><script>x()</script>\n"
             "--b\nContent-Type: application/octet-stream; name=\"../../invoice.pdf.exe\"\nContent-Disposition: attachment\nContent-Transfer-Encoding: base64\n\naGVsbG8=\n"
             "--b\nContent-Type: text/plain; name=n.txt\nContent-Disposition: attachment; filename=n.txt\n\nplain\n--b--\n")
    for text in (first, second, third):
        deliver(text.replace("{to}", world.who))
        time.sleep(0.02)


def work_with_mail(world, account):
    """Everything that is done with mail in a store; the same for each kind."""
    on = ("--account", account)
    rows = world.rows(*on, "list")
    expect(f"{account}: newest first: {[r['subject'] for r in rows]}", [r["subject"] for r in rows] == ["files", "Re: Plan", "Plan"])
    files, answer, plan = rows
    expect("decoded names, and a sender who claims to be another", plan["from"][0]["name"] == "Jürgen" and files.get("suspicious_sender"))
    expect("attachments are seen", files["attachment"] and not plan["attachment"])
    expect("all unread", all("\\Seen" not in r["flags"] for r in rows))
    text = world.call(*on, "read", answer["uid"]).stdout.decode()
    expect(f"no escape reaches the terminal: {text!r}", "\x1b" not in text and "answer" in text)
    read = world.one(*on, "read", files["uid"], "--peek")
    expect(f"HTML as text: {read['text']!r}", "See" in read["text"] and "both" in read["text"] and "x()" not in read["text"])
    expect("parts", [p["part"] for p in read["parts"]] == ["", "1", "2", "3"])
    raw = world.call(*on, "read", plan["uid"], "--raw", "--peek").stdout.replace(b"\r\n", b"\n")
    expect("raw", raw.endswith(b"\n\nfirst\n"))
    seen = {r["uid"]: "\\Seen" in r["flags"] for r in world.rows(*on, "list")}
    expect(f"read marks, peek does not: {seen}", seen == {files["uid"]: False, answer["uid"]: True, plan["uid"]: False})

    def found(*query):
        out = subprocess.run([str(programs() / "mua"), *on, "search", "--json", *query], capture_output=True, env=world.environment(), timeout=60)
        expect(f"search {query}: {out.stderr.decode()}", out.returncode in (0, 1))
        return [json.loads(line)["subject"] for line in out.stdout.splitlines()]

    for query, subjects in ((["from:jürgen"], ["Plan"]), (["is:unread", "-subject:plan"], ["files"]), (["subject:plan"], ["Re: Plan", "Plan"]),
                            (["has:attachment"], ["files"]), (["-has:attachment", "is:read"], ["Re: Plan"]), (["body:first", "or", "body:answer"], ["Re: Plan", "Plan"]),
                            (["-is:read", "(from:evil or from:ann)"], ["files"]), (["larger:1M"], []), (["id:2@beta"], ["Re: Plan"]),
                            (["from:nobody"], [])):
        expect(f"{account}: {query} finds {subjects}, not {found(*query)}", found(*query) == subjects)
    world.call(*on, "search", "larger:x", exit=64)

    names = world.rows(*on, "attachments", "list", files["uid"])
    expect(f"names of files: {names}", [n["saved_as"] for n in names] == ["invoice.pdf.exe", "n.txt"] and names[0]["hidden_extension"])
    out = world.home / f"out-{account}"
    out.mkdir()
    for _ in range(2):
        world.call(*on, "attachments", "save", files["uid"], "--dir", out)
    expect("saved within the directory, over nothing", sorted(f.name for f in out.iterdir()) ==
           ["invoice.pdf-2.exe", "invoice.pdf.exe", "n-2.txt", "n.txt"] and (out / "invoice.pdf.exe").read_bytes() == b"hello")
    expect("a part to standard output", world.call(*on, "attachments", "save", files["uid"], "3", "--stdout").stdout.strip() == b"plain")

    world.call(*on, "flag", answer["uid"], "+flagged", "-read", "+$Work")
    flags = world.one(*on, "search", f"uid:{answer['uid']}")["flags"]
    expect(f"flags: {flags}", set(flags) >= {"\\Flagged", "$Work"} and "\\Seen" not in flags)
    thread = world.rows(*on, "thread", answer["uid"])
    expect(f"a conversation: {thread}", [(t["subject"], t["depth"]) for t in thread] == [("Plan", 0), ("Re: Plan", 1)])
    world.call(*on, "read", 4711, exit=67)


def work_with_folders(world, account):
    """Folders, moves and copies, drafts, for stores that have folders."""
    on = ("--account", account)
    level = "." if account == "dora" else "/"  # imapd's separator
    books, old = f"Work{level}Bücher", f"Work{level}Altes"
    uids = {r["subject"]: r["uid"] for r in world.rows(*on, "list")}
    world.call(*on, "folders", "create", books)
    world.call(*on, "copy", uids["Plan"], books)
    world.call(*on, "move", uids["files"], books)
    rows = world.rows(*on, "list", books)
    expect(f"copied and moved: {[r['subject'] for r in rows]}", sorted(r["subject"] for r in rows) == ["Plan", "files"])
    expect("moved away", sorted(r["subject"] for r in world.rows(*on, "list")) == ["Plan", "Re: Plan"])
    expect("everywhere", len(world.rows(*on, "search", "--all-folders", "subject:plan")) >= 3)
    world.call(*on, "folders", "rename", books, old)
    folders = {f["folder"]: f for f in world.rows(*on, "folders", "list", "--counts")}
    expect(f"folders: {list(folders)}", folders[old]["messages"] == 2 and folders["INBOX"]["role"] == "inbox")
    world.call(*on, "folders", "delete", old, exit=65)
    world.call(*on, "folders", "delete", old, "--force")
    world.call(*on, "list", old, exit=67)
    world.call(*on, "folders", "create", "INBOX", exit=1) if account == "bob" else None
    world.call(*on, "delete", uids["Plan"], "--forever")
    expect("gone for good", [r["subject"] for r in world.rows(*on, "list")] == ["Re: Plan"])
    draft = world.one(*on, "send", "--draft", "--to", ALICE, "--bcc", BOB, "--subject", "half", "--body", "...")
    expect(f"a draft: {draft}", draft["status"] == "draft")
    row = world.one(*on, "drafts", "list")
    expect("with its flag", "\\Draft" in row["flags"] and row["folder"] == "Drafts")
    expect("Bcc stays in a draft", b"Bcc: " in world.call(*on, "read", row["uid"], "--folder", "drafts", "--raw", "--peek").stdout)
    world.call(*on, "drafts", "delete", row["uid"])
    world.call(*on, "drafts", "list", exit=1)
    if account == "carl":  # has no submission where there is no Postfix
        return
    before = len(world.site.messages(ALICE))
    world.one(*on, "send", "--draft", "--to", ALICE, "--bcc", BOB, "--subject", "whole now", "--body", "...")
    sent = world.one(*on, "drafts", "send", world.one(*on, "drafts", "list")["uid"])
    expect(f"a draft is sent to its Bcc, too: {sent}", sent["status"] == "sent" and sorted(sent["recipients"]) == sorted([ALICE, BOB]))
    raw = world.site.wait_for_messages(ALICE, before + 1)[-1]
    expect("without saying so", b"whole now" in raw and b"Bcc" not in raw)
    world.call(*on, "drafts", "list", exit=1)


def maildir(world):
    """Maildir on disk"""
    world.who = BOB
    folder = world.home / "bob"

    def deliver(text):
        (folder / "new").mkdir(parents=True, exist_ok=True)
        (folder / "new" / f"{time.time_ns() // 1000_000_000}.M{time.time_ns() // 1000 % 1000000}P1.test").write_text(text)
    for sub in ("cur", "new", "tmp"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    deliver_three(world, deliver)
    work_with_mail(world, "bob")
    work_with_folders(world, "bob")
    deliver("From: x@beta.test\nSubject: steers\nContent-Type: text/html\n\n<p>\x1b]0;owned\x07</p>\n")
    uid = world.one("--account", "bob", "search", "subject:steers")["uid"]
    read = ("--account", "bob", "read", uid, "--html")
    expect("HTML in a pipe is as it was sent", b"\x1b]0;owned" in world.call(*read).stdout)
    ours, terminal = pty.openpty()
    subprocess.run([str(programs() / "mua"), *map(str, read)], stdout=terminal, env=world.environment(), timeout=60, check=True)
    shown = os.read(ours, 65536)
    os.close(ours)
    os.close(terminal)
    expect(f"but steers no terminal: {shown}", b"owned" in shown and b"\x1b]" not in shown)
    deliver("From: x@beta.test\nSubject: c1\nContent-Type: text/plain; charset=utf-8\n\n\u009b31mred \x7f\n")
    c1 = world.one("--account", "bob", "search", "subject:c1")["uid"]
    printed = world.call("--account", "bob", "read", c1, "--json").stdout
    expect(f"JSON steers none either: {printed}", b"\xc2\x9b" not in printed and b"\x7f" not in printed and "\u009b" in json.loads(printed)["text"])
    world.call("--account", "bob", "delete", "--forever", c1)
    world.call("--account", "bob", "delete", "--forever", f"{uid + 50}:*", exit=67)
    world.call("--account", "bob", "delete", "--forever", uid)


def answers(world):
    """reply and forward from a Maildir by submission"""
    uid = world.one("--account", "bob", "list")["uid"]
    printed = world.call("--account", "bob", "reply", uid, "--body", "Danke", "--dry-run").stdout.decode()
    mail = email.message_from_string(printed, policy=email.policy.default)
    expect(f"an answer: {printed}", mail["To"].addresses[0].addr_spec == "a@beta.test" and mail["Subject"] == "Re: Plan" and
           mail["In-Reply-To"] == "<2@beta.test>" and mail["References"] == "<1@beta.test> <2@beta.test>")
    expect("quoted", "\n> answer" in mail.get_content().replace("\r\n", "\n") and mail.get_content().startswith("Danke"))
    before = len(world.site.messages(ALICE))
    sent = world.one("--account", "bob", "forward", uid, "--to", ALICE, "--body", "fyi")
    expect(f"forwarded: {sent}", sent["status"] == "sent")
    raw = world.site.wait_for_messages(ALICE, before + 1)[-1]
    mail = email.message_from_bytes(raw, policy=email.policy.default)
    inner = [p for p in mail.walk() if p.get_content_type() == "message/rfc822"]
    expect("whole, as an attachment", (inner and inner[0].get_payload(0)["Message-ID"] == "<2@beta.test>") or b"forwarded.eml" in raw)
    expect("marked", "$Forwarded" in world.one("--account", "bob", "list")["flags"])


def mbox(world):
    """an mbox on disk"""
    world.who = BOB
    texts = []
    deliver_three(world, texts.append)
    (world.home / "mbox").write_text("".join("From x@beta.test Mon Nov  2 10:00:00 2026\n" + t + "\n" for t in texts))
    rows = world.rows("--account", "mbox", "list")
    expect(f"listed: {[r['subject'] for r in rows]}", [r["subject"] for r in rows] == ["files", "Re: Plan", "Plan"])
    expect("searched", world.one("--account", "mbox", "search", "from:jürgen")["subject"] == "Plan")
    expect("read", "first" in world.one("--account", "mbox", "read", rows[2]["uid"], "--peek")["text"])
    expect("reading it changes nothing", "\\Seen" not in world.one("--account", "mbox", "search", "from:jürgen")["flags"])
    names = world.rows("--account", "mbox", "attachments", "list", rows[0]["uid"])
    expect(f"attachments: {names}", [n["saved_as"] for n in names] == ["invoice.pdf.exe", "n.txt"])
    expect("a part", world.call("--account", "mbox", "attachments", "save", rows[0]["uid"], "3", "--stdout").stdout.strip() == b"plain")
    world.call("--account", "mbox", "flag", rows[0]["uid"], "+flagged", exit=69)
    world.call("--account", "mbox", "folders", "create", "x", exit=65)
    watches(world, "mbox", lambda text: (world.home / "mbox").open("a").write("From x@beta.test Mon Nov  2 10:00:00 2026\n" + text + "\n"))
    world.call("--account", "mbox", "delete", "--forever", rows[0]["uid"])
    expect("one is gone", [r["subject"] for r in world.rows("--account", "mbox", "list")] == ["seen by IDLE", "Re: Plan", "Plan"])


def dovecot(world):
    """Dovecot's IMAP"""
    world.who = CARL
    deliver_three(world, world.dovecot.deliver)
    work_with_mail(world, "carl")
    work_with_folders(world, "carl")
    uid = world.one("--account", "carl", "list")["uid"]
    expect("the trash is the one the server says", world.one("--account", "carl", "delete", uid)["to"] == "Bin")
    world.call("--account", "carl", "list", exit=1)
    expect("wrong password is 77", b"" != wrong_password(world).stderr)


def imapd(world):
    """the sandbox's imapd"""
    world.who = DORA
    folder = world.site.maildir(DORA)

    def deliver(text):
        (folder / "new" / f"{time.time_ns() // 1000_000_000}.M{time.time_ns() // 1000 % 1000000}P1.test").write_text(text)
    for sub in ("cur", "new", "tmp"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    deliver_three(world, deliver)
    work_with_mail(world, "dora")
    work_with_folders(world, "dora")
    watches(world, "dora", deliver)
    syncs(world, "dora", deliver)


def tokens(world):
    """OAuth tokens for IMAP and for submission"""
    expect("IMAP takes it", len(world.rows("--account", "token", "list")) == len(world.rows("--account", "carl", "list")))
    if world.postfix:
        sent = world.one("--account", "token", "send", "--to", CARL, "--subject", "by token", "--body", "x")
        expect(f"Postfix takes it: {sent}", sent["status"] == "sent")
        wait_until("it arrives", lambda: world.rows("--account", "carl", "search", "subject:token"))
        uid = world.one("--account", "carl", "search", "subject:token")["uid"]
        world.call("--account", "carl", "delete", "--forever", uid)
    (world.home / "token").write_text("stolen\n")
    world.call("--account", "token", "list", exit=77)
    if world.postfix:
        world.call("--account", "token", "send", "--to", CARL, "--body", "x", exit=77)


def measured(world, *words):
    """What it printed; Failed if it needed more memory than a program that streams."""
    done, kib = run_measured([programs() / "mua", *words], stdin=subprocess.DEVNULL, capture_output=True, env=world.environment())
    title = f"mua {' '.join(map(str, words[:4]))}"
    expect(f"{title} ends with {done.returncode}: {done.stderr.decode()}", done.returncode == 0)
    expect(f"{title} needs {kib >> 10} MiB", kib < world.bound)
    world.most = max(world.most, kib)
    return done.stdout


def large(world):
    """a file of 60 MiB passes without being in memory: send, get, attachments save, sync"""
    world.most = 0
    sanitized = b"__asan_init" in (programs() / "mua").read_bytes()
    size = 12 if sanitized else 60
    world.bound = (400 if sanitized else 40) << 10  # KiB
    file = world.home / "large.bin"
    file.write_bytes(os.urandom(1 << 20) * size)
    start = len(world.site.messages(ALICE))
    measured(world, "--account", "bob", "send", "--to", ALICE, "--subject", "large", "--body", "x", "--attach", file, "--timeout", "60s")
    wait_until("it is delivered", lambda: len(world.site.messages(ALICE)) > start, 60)
    measured(world, "--account", "alice", "get", "--to", f"maildir:{world.home}/large-box", "--timeout", "60s")
    world.config.write_text(world.config.read_text() + f'\n[accounts.large]\naddress = "{BOB}"\nstore = "maildir"\npath = "{world.home}/large-box"\n')
    uid = world.one("--account", "large", "search", "subject:large")["uid"]
    measured(world, "--account", "large", "attachments", "save", uid, "--dir", world.home / "out-bob")
    expect("octet for octet", (world.home / "out-bob/large.bin").read_bytes() == file.read_bytes())
    octets = next(f for f in (world.home / "large-box").glob("*/*") if b"Subject: large" in f.read_bytes()[:4000])
    shutil.copy(octets, world.site.maildir(DORA) / "new/1795379999.M1P1.test")
    measured(world, "--account", "dora", "sync", "inbox", "--to", world.home / "large-sync", "--timeout", "60s")
    uid = world.one("--account", "dora", "search", "subject:large")["uid"]
    measured(world, "--account", "dora", "attachments", "save", uid, "--dir", world.home / "large-sync")
    expect("from IMAP, too", (world.home / "large-sync/large.bin").read_bytes() == file.read_bytes())
    world.call("--account", "dora", "delete", "--forever", uid)
    print(f"        (at most {world.most >> 10} MiB)")
    shutil.rmtree(world.home / "large-box")
    world.write_config()


def wrong_password(world):
    world.secret.write_text("wrong\n")
    done = world.call("--account", "carl", "list", exit=77)
    world.secret.chmod(0o644)
    world.call("--account", "carl", "list", exit=78)
    world.secret.chmod(0o600)
    world.secret.write_text(PASSWORD + "\n")
    return done


def postfix(world):
    """Postfix: submission with STARTTLS and AUTH, delivery, the copy in Dovecot's Sent"""
    if not world.postfix:
        print("        (Postfix's master runs as root only)")
        return
    sent = world.one("--account", "carl", "send", "--to", CARL, "--subject", "an mich", "--body", "selbst")
    expect(f"sent: {sent}", sent["status"] == "sent" and sent["folder"] == "Sent")
    row = wait_until("it arrives", lambda: (world.rows("--account", "carl", "list", exit=0) if any((world.dovecot.maildir / "new").iterdir()) else None))[0]
    expect(f"in the inbox: {row}", row["subject"] == "an mich" and row["message_id"] == sent["message_id"])
    expect("in Sent", world.one("--account", "carl", "list", "sent")["message_id"] == sent["message_id"])
    answer = world.one("--account", "carl", "reply", row["uid"], "--body", "ja")
    expect(f"answered: {answer}", answer["status"] == "sent")
    flags = {f for r in world.rows("--account", "carl", "search", f"uid:{row['uid']}") for f in r["flags"]}
    expect(f"marked: {flags}", "\\Answered" in flags)
    thread = wait_until("both are one conversation", lambda: (lambda t: t if len(t) >= 2 else None)(world.rows("--account", "carl", "thread", row["uid"])))
    expect(f"with what was sent: {thread}", thread[0]["depth"] == 0 and thread[1]["depth"] == 1)


def watch(world):
    """watch: IDLE, a JSON stream, --exec"""
    facts = world.home / "facts"
    process = subprocess.Popen([str(programs() / "mua"), "--account", "carl,bob", "watch", "--json", "--once", "--duration", "30s", "--exec",
                                f'printf "%s|%s|%s" "$MUA_ACCOUNT" "$MUA_SUBJECT" "$MUA_FROM" > {facts}.new && mv {facts}.new {facts}-$MUA_ACCOUNT'],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.environment())
    try:
        first = [json.loads(process.stdout.readline()) for _ in range(2)]
        expect(f"both are watched: {first}", {(e["event"], e["account"]) for e in first} == {("watching", "carl"), ("watching", "bob")})
        world.dovecot.deliver("From: x@beta.test\nSubject: neu; $(touch evil)\nMessage-ID: <w@beta.test>\n\nx\n")
        event = json.loads(process.stdout.readline())
        expect(f"told: {event}", event["event"] == "arrived" and event["account"] == "carl" and event["message"]["subject"].startswith("neu"))
        wait_until("the command ran", lambda: (world.home / "facts-carl").exists())
        expect("with the facts", (world.home / "facts-carl").read_text() == "carl|neu; $(touch evil)|x@beta.test")
        (world.home / "bob/new" / "1795378460.M1P1.test").write_text("From: y@beta.test\nSubject: here\n\nx\n")
        event = json.loads(process.stdout.readline())
        expect(f"the Maildir too: {event}", event["event"] == "arrived" and event["account"] == "bob")
        expect("then it ends", process.wait(20) == 0)
    finally:
        process.kill()
        process.wait()


def watches(world, account, deliver):
    """IDLE: one message, told as it comes."""
    process = subprocess.Popen([str(programs() / "mua"), "--account", account, "watch", "--json", "--once", "--duration", "30s"],
                               stdout=subprocess.PIPE, env=world.environment())
    try:
        expect("watching", json.loads(process.stdout.readline())["event"] == "watching")
        deliver("From: x@beta.test\nSubject: seen by IDLE\nMessage-ID: <idle@beta.test>\n\nx\n")
        event = json.loads(process.stdout.readline())
        expect(f"told: {event}", event["event"] == "arrived" and event["message"]["subject"] == "seen by IDLE")
        expect("then it ends", process.wait(20) == 0)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def sync(world):
    """sync: new mail, flags both ways, expunges, nothing twice; two ways, one way, names with dots"""
    syncs(world, "carl", world.dovecot.deliver)


def nothing(result):
    return all(result[key] == 0 for key in ("fetched", "removed", "flags_here", "flags_there", "appended", "removed_there"))


def syncs_two_ways(world, there, target, copy):
    run_ = ("sync", "inbox", "--to", target)
    (target / "new/1795378461.M1P1.test").write_text("From: me@beta.test\nSubject: from here\nMessage-ID: <h@beta.test>\n\nx\n")
    expect("what is new here stays here", nothing(world.one(*there, *run_)))
    dry = world.one(*there, *run_, "--two-way", "--dry-run")
    expect(f"a dry run says what would be: {dry}", dry["appended"] == 1 and not world.rows(*there, "search", "subject:from", exit=1))
    both = world.one(*there, *run_, "--two-way")
    expect(f"an addition goes there: {both}", (both["appended"], both["removed_there"], both["fetched"]) == (1, 0, 0))
    expect("as it is", world.one(*there, "search", "id:h@beta")["subject"] == "from here")
    expect("and comes back no second time", nothing(world.one(*there, *run_, "--two-way")))
    uid = world.one(*copy, "search", "id:h@beta")["uid"]
    world.call(*copy, "delete", "--forever", uid)
    expect("a deletion alone changes nothing there", nothing(world.one(*there, *run_)))
    gone = world.one(*there, *run_, "--two-way")
    expect(f"with --two-way it goes: {gone}", gone["removed_there"] == 1)
    world.call(*there, "search", "id:h@beta", exit=1)
    local = world.rows(*copy, "list")
    world.call(*copy, "flag", local[0]["uid"], "+$OneWay")
    expect("one way is one way", nothing(world.one(*there, *run_, "--one-way")))
    world.call(*there, "search", "keyword:$OneWay", exit=1)
    expect("the flag is not forgotten", world.one(*there, *run_)["flags_there"] == 1)


def syncs(world, account, deliver):
    there = ("--account", account)
    target = world.home / f"synced-{account}"
    count = len(world.rows(*there, "list"))
    first = world.one(*there, "sync", "INBOX", "--to", target)
    expect(f"all is fetched: {first}", first["fetched"] == count)
    again = world.one(*there, "sync", "INBOX", "--to", target)
    expect(f"nothing twice: {again}", (again["fetched"], again["removed"], again["flags_here"], again["flags_there"]) == (0, 0, 0, 0))
    files = [f for sub in ("new", "cur") for f in (target / sub).iterdir()]
    expect("on disk", len(files) == count)
    world.write_config()
    world.config.write_text(world.config.read_text() + f'\n[accounts.copy]\naddress = "{CARL}"\nstore = "maildir"\npath = "{target}"\n')
    rows = world.rows(*there, "list")
    local = world.rows("--account", "copy", "list")
    expect("the same mail", sorted(r["message_id"] for r in rows) == sorted(r["message_id"] for r in local))
    deliver("From: x@beta.test\nSubject: fresh\nMessage-ID: <f@beta.test>\n\nx\n")
    world.call(*there, "flag", rows[0]["uid"], "+flagged")
    world.call("--account", "copy", "flag", local[-1]["uid"], "+$Later")
    delta = world.one(*there, "sync", "INBOX", "--to", target)
    expect(f"what is new on both sides: {delta}", (delta["fetched"], delta["flags_here"], delta["flags_there"]) == (1, 1, 1))
    marked = world.one(*there, "search", "keyword:$Later")
    expect(f"the flag went there: {marked}", marked["message_id"] == local[-1]["message_id"])
    world.one("--account", "copy", "search", "is:flagged", "id:" + rows[0]["message_id"].strip("<>"))
    world.call(*there, "delete", "--forever", rows[0]["uid"])
    expect("what was deleted there goes here", world.one(*there, "sync", "INBOX", "--to", target)["removed"] == 1)
    expect("nothing twice with QRESYNC", nothing(world.one(*there, "sync", "inbox", "--to", target)))
    syncs_two_ways(world, there, target, ("--account", "copy"))
    # A level below another, by the server's separator.
    name = "v1.2" if account == "dora" else "v1/2"
    world.call(*there, "folders", "create", name)
    world.call(*there, "copy", world.rows(*there, "list")[0]["uid"], name)
    dotted = world.one(*there, "sync", "--to", target)
    expect(f"a folder below another, too: {dotted}", dotted["fetched"] >= 1 and (target / ".v1.2/cur").is_dir())
    expect("and nothing of all folders twice", nothing(world.one(*there, "sync", "--to", target)))
    world.call(*there, "sync", "nowhere", "--to", target, exit=67)
    world.call(*there, "folders", "delete", name, "--force")


def side_by_side(world):
    """several accounts at once: Dovecot, POP3, a silent server"""
    world.dovecot.deliver("From: x@beta.test\nSubject: there\n\nx\n")
    process = subprocess.Popen([str(programs() / "mua"), "list", "--json", "--account", "silent,alice,carl,bob", "--timeout", "60s"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=world.environment())
    try:
        accounts = set()
        while accounts != {"carl", "bob"}:
            line = process.stdout.readline()
            expect(f"rows of those that answer, while the silent one is waited for: {accounts}", line)
            accounts.add(json.loads(line)["account"])
        world.silent.settimeout(0.2)
        for _ in range(300):  # those of other steps, too
            with contextlib.suppress(TimeoutError):
                world.silent.accept()[0].close()
            if process.poll() is not None:
                break
        _, err = process.communicate(timeout=60)
    finally:
        process.kill()
        process.wait()
    errors = {e["account"]: e["code"] for e in (json.loads(line)["error"] for line in err.splitlines())}
    expect(f"errors carry the account: {errors}", errors == {"alice": "unsupported", "silent": "unavailable"})
    expect(f"and the exit code: {process.returncode}", process.returncode == 69)


class Web(http.server.BaseHTTPRequestHandler):
    posts = []

    def do_POST(self):
        Web.posts.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        body = (b'<clientConfig><emailProvider><incomingServer type="imap"><hostname>imap.alpha.test</hostname><port>993</port>'
                b"<socketType>SSL</socketType><username>%EMAILADDRESS%</username></incomingServer></emailProvider></clientConfig>")
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


def prompt(world):
    """a password is asked for on the terminal, without echo, while other accounts go on"""
    world.config.write_text(world.config.read_text() + f'''
[accounts.asks]
address = "{DORA}"
store = "imap"
host = "127.0.0.1"
port = {world.site.port("imaps")}
ca_file = "{world.site.facts["ca"]}"
user = "{DORA}"
''')
    echo = 3, termios.ECHO  # c_lflag
    for password, code in ((world.site.password(DORA), 0), ("wrong", 77)):
        ours, terminal = pty.openpty()
        process = subprocess.Popen([str(programs() / "mua"), "--account", "asks,bob", "folders", "list", "--json"], stdin=terminal,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, env=world.environment(),
                                   preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        try:
            before = json.loads(process.stdout.readline())
            expect(f"the other account's rows: {before}", before["account"] == "bob")
            said = b""
            while b": " not in said:
                said += os.read(ours, 1000)
            expect(f"the question: {said}", b"Password of" in said and DORA.encode() in said)
            expect("no echo", not termios.tcgetattr(ours)[echo[0]] & echo[1])
            os.write(ours, password.encode() + b"\n")
            out, err = process.communicate(timeout=60)
            expect(f"ended with {process.returncode}: {err}", process.returncode == code)
            expect("its rows", (b'"account":"asks"' in out) == (code == 0))
            expect("echo again", termios.tcgetattr(ours)[echo[0]] & echo[1])
            expect("nothing of it was shown", password.encode() not in os.read(ours, 1000))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
            os.close(ours)
            os.close(terminal)
    world.write_config()
    world.call("--account", "dora", "folders", "list")


def leaves_by_mail(world):
    """unsubscribe by a message, to all the list names"""
    (world.home / "bob/new/1795378470.M1P1.test").write_text(
        f"From: l@beta.test\nSubject: by mail\nList-Unsubscribe: <mailto:{ALICE},{DORA.replace('@', '%40')}?subject=leave%20me>\n\nx\n")
    uid = world.one("--account", "bob", "search", "subject:mail")["uid"]
    would = world.one("--account", "bob", "unsubscribe", uid)
    expect(f"says to whom: {would}", would["mailto"] == f"{ALICE},{DORA}" and would["status"] == "not-done")
    before = {who: len(world.site.messages(who)) for who in (ALICE, DORA)}
    done = world.one("--account", "bob", "unsubscribe", uid, "--yes")
    expect(f"one message to both: {done}", sorted(done["recipients"]) == sorted([ALICE, DORA]))
    for who, count in before.items():
        expect("it asks to leave", b"Subject: leave me" in world.site.wait_for_messages(who, count + 1)[-1])
    world.call("--account", "bob", "delete", "--forever", uid)
    world.call("--account", "dora", "delete", "--forever", "1:*")


def web(world):
    """unsubscribe (RFC 8058), discover by autoconfig and SRV, completion"""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Web)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(world.tls / "cert.pem", world.tls / "key.pem")
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"https://127.0.0.1:{server.server_port}"
    ca = world.site.facts["ca"]
    try:
        world.dovecot.deliver(f"From: l@beta.test\nSubject: list\nMessage-ID: <l@beta.test>\nList-Unsubscribe: <{url}/leave?u=1>\n"
                              "List-Unsubscribe-Post: List-Unsubscribe=One-Click\n\nx\n")
        uid = world.one("--account", "carl", "search", "subject:list")["uid"]
        would = world.one("--account", "carl", "unsubscribe", uid)
        expect(f"without --yes it only says: {would}", would["method"] == "one-click" and not Web.posts)
        world.call("--account", "carl", "unsubscribe", uid, "--yes", exit=69)  # the system's authorities don't know the server
        expect("no POST over a bad certificate", not Web.posts)
        world.one("--account", "carl", "unsubscribe", uid, "--yes", "--ca-file", ca)
        expect(f"one POST: {Web.posts}", Web.posts == [("/leave?u=1", b"List-Unsubscribe=One-Click")])
        dns = f"127.0.0.1:{world.site.port('dns')}"
        found = world.one("discover", BOB, "--dns-server", dns, "--url", f"{url}/mail/config-v1.1.xml", "--ca-file", ca)
        expect(f"autoconfig: {found}", any(s["host"] == "imap.alpha.test" and s["user"] == BOB for s in found["servers"]))
        expect("an account", "[accounts.alpha]" in found["toml"] and 'store = "imap"' in found["toml"])
        found = world.one("discover", "ann@srv.test", "--dns-server", dns, "--url", f"{url}/none", "--ca-file", ca)
        srv = [(s["protocol"], s["host"], s["port"], s["tls"], s["source"]) for s in found["servers"] if s["source"].startswith("SRV")]
        expect(f"SRV: {srv}", srv == [("imap", "mail.srv.test", 1993, "implicit", srv[0][4]), ("submission", "mail.srv.test", 1465, "implicit", srv[1][4])])
    finally:
        server.shutdown()
    script = world.call("completion", "bash").stdout
    run(["bash", "-n"], text=script.decode())
    expect("verbs and options", b"attachments" in script and b"--subject" in script)
    said = run(["bash", "-c", script.decode() + """
COMP_WORDS=(mua attachments sa); COMP_CWORD=2; COMP_LINE="mua attachments sa"; COMP_POINT=${#COMP_LINE}
$(complete -p mua | sed 's/.*-F \\([^ ]*\\).*/\\1/') mua sa attachments
echo "${COMPREPLY[@]}" """])
    expect(f"bash completes: {said}", said.split() == ["save"])
    file = world.home / "completion"
    for shell, words, answer in (("zsh", ["-fc", f"autoload -U compinit; compinit -u -D; source {file}; print -r -- ${{_comps[mua]}}"], "-F _mua"),
                                 ("fish", ["--no-config", "-c", f"source {file}; complete -C 'mua attachments sa'"], "save")):
        if not shutil.which(shell):
            continue
        file.write_bytes(world.call("completion", shell).stdout)
        said = subprocess.run([shell, *words], capture_output=True, text=True, timeout=60, env={**os.environ, "HOME": str(world.home)})
        expect(f"{shell} completes: {said}", said.returncode == 0 and answer in said.stdout and not said.stderr)


def examples(world):
    """scripts/examples"""
    folder = pathlib.Path(__file__).resolve().parents[2] / "scripts/examples"
    environment = {**world.environment(), "PATH": f"{programs()}:{os.environ['PATH']}"}
    world.call("--account", "alice", "get", "--to", f"maildir:{world.home}/rest") if world.site.messages(ALICE) else None
    wait_until("the server has nothing", lambda: not world.site.messages(ALICE))
    world.site.inject("x@beta.test", [ALICE], "Subject: chained\r\n\r\nx\r\n")
    world.site.wait_for_messages(ALICE, 1)
    before = len(world.site.messages(BOB))
    chain = [folder / "get-filter-deliver.sh", "alice", "sed 's/^Subject: /Subject: filtered /'",
             f"deliverd --site {world.site.directory} --stdin -d {BOB}"]
    run(chain, env=environment)
    world.site.wait_for_messages(BOB, before + 1)
    expect("filtered and delivered", any(b"Subject: filtered chained" in m for m in world.site.messages(BOB)))
    expect("and gone from the server", not world.site.messages(ALICE))
    world.site.inject("x@beta.test", [ALICE], "Subject: again\r\n\r\nx\r\n")
    world.site.wait_for_messages(ALICE, 1)
    run([chain[0], "alice", "false", chain[3]], env=environment, expect=69)
    expect("a filter that fails keeps the message there", len(world.site.messages(ALICE)) == 1)
    run([folder / "mail-report.sh", "bob", ALICE, "sh", "-c", "echo disk full; exit 3"], env=environment)
    wait_until("the report arrives", lambda: any(b"disk full" in m and b"ended with 3" in m for m in world.site.messages(ALICE)))
    (world.home / "bob/new/1795378999.M1P1.test").write_text(
        "From: bill@beta.test\nSubject: invoice\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n"
        "--b\nContent-Type: text/csv; name=i.csv\nContent-Disposition: attachment; filename=i.csv\n\n1,2\n--b--\n")
    run([folder / "save-attachments.sh", "bob", world.home / "invoices", "from:bill", "-keyword:Saved"], env=environment)
    run([folder / "save-attachments.sh", "bob", world.home / "invoices", "from:bill", "-keyword:Saved"], env=environment, expect=None)
    expect("saved once", [f.name for f in (world.home / "invoices").iterdir()] == ["i.csv"])


def main():
    need("dovecot", "doveadm")
    if not os.path.exists("/usr/lib/dovecot/imap"):
        print("skipped: Dovecot has no imap (package dovecot-imapd)")
        sys.exit(77)
    failures = 0
    steps = (send_and_get, whole_messages, editor, outbox, maildir, answers, leaves_by_mail, mbox, dovecot, postfix, watch, sync, imapd,
             tokens, prompt, large, side_by_side, web, examples)
    try:
        with Workshop("mua") as workshop:
            world = World(workshop)
            try:
                for step in steps:
                    title = step.__doc__.strip().splitlines()[0]
                    try:
                        step(world)
                        print(f"ok      {title}", flush=True)
                    except Exception as problem:  # one step that fails must not hide the next
                        failures += 1
                        print(f"FAILED  {title}\n        {problem}", flush=True)
                        if not isinstance(problem, Failed):
                            traceback.print_exc()
            finally:
                world.stop()
            if failures:
                raise Failed(f"{failures} of {len(steps)} steps failed")
    except Failed as problem:
        sys.exit(f"failed: {problem}")


if __name__ == "__main__":
    main()
