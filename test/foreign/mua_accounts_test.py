#!/usr/bin/env python3
"""mua's accounts: Postfix, OAuth tokens, a password asked for, several accounts at once, what a provider tells of itself."""

import contextlib
import fcntl
import http.server
import json
import os
import pty
import shutil
import ssl
import subprocess
import sys
import termios
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dovecot import need_imap  # noqa: E402
from foreign import read_terminal, run  # noqa: E402
from mua_world import BOB, CARL, DORA, World, expect, make_maildir, put_into, served  # noqa: E402
from posthorn_site import Workshop, wait_until  # noqa: E402
from steps import run_in  # noqa: E402


def postfix(world):
    """Postfix: submission with STARTTLS and AUTH, delivery, the copy in Dovecot's Sent"""
    if not world.postfix:
        print("        (Postfix's master runs as root only)")
        return
    sent = world.one("--account", "carl", "send", "--to", CARL, "--subject", "an mich", "--body", "selbst")
    expect(f"sent: {sent}", sent["status"] == "sent" and sent["folder"] == "Sent")
    row = wait_until("it arrives", lambda: (world.rows("--account", "carl", "list", exit=0) if any(world.dovecot.maildir.glob("new/*")) else None))[0]
    expect(f"in the inbox: {row}", row["subject"] == "an mich" and row["message_id"] == sent["message_id"])
    expect("in Sent", world.one("--account", "carl", "list", "sent")["message_id"] == sent["message_id"])
    answer = world.one("--account", "carl", "reply", row["uid"], "--body", "ja")
    expect(f"answered: {answer}", answer["status"] == "sent")
    flags = {f for r in world.rows("--account", "carl", "search", f"uid:{row['uid']}") for f in r["flags"]}
    expect(f"marked: {flags}", "\\Answered" in flags)
    thread = wait_until("both are one conversation", lambda: (lambda t: t if len(t) >= 2 else None)(world.rows("--account", "carl", "thread", row["uid"])))
    expect(f"with what was sent: {thread}", thread[0]["depth"] == 0 and thread[1]["depth"] == 1)
    wait_until("the answer arrives, too", lambda: len(world.rows("--account", "carl", "list")) == 2)


def tokens(world):
    """OAuth tokens for IMAP and for submission"""
    expect("IMAP takes it", len(world.rows("--account", "token", "list")) == len(world.rows("--account", "carl", "list")))
    if world.postfix:
        sent = world.one("--account", "token", "send", "--to", CARL, "--subject", "by token", "--body", "x")
        expect(f"Postfix takes it: {sent}", sent["status"] == "sent")
        wait_until("it arrives", lambda: world.rows("--account", "carl", "search", "subject:token", exit=(0, 1)))
        uid = world.one("--account", "carl", "search", "subject:token")["uid"]
        world.call("--account", "carl", "delete", "--forever", uid)
    (world.home / "token").write_text("stolen\n")
    world.call("--account", "token", "list", exit=77)
    if world.postfix:
        world.call("--account", "token", "send", "--to", CARL, "--body", "x", exit=77)


def prompt(world):
    """a password is asked for on the terminal, without echo, while other accounts go on"""
    make_maildir(world.home / "bob")
    world.add_account(served("asks", DORA, "imap", world.site.port("imaps"), world.site.facts["ca"]))
    echo = 3, termios.ECHO  # c_lflag
    for password, code in ((world.site.password(DORA), 0), ("wrong", 77)):
        ours, terminal = pty.openpty()
        process = world.start("--account", "asks,bob", "folders", "list", "--json", stdin=terminal, stderr=subprocess.PIPE,
                              start_new_session=True, preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0))
        try:
            before = json.loads(process.stdout.readline())
            expect(f"the other account's rows: {before}", before["account"] == "bob")
            said = b""
            while b": " not in said:
                said += read_terminal(ours)
            expect(f"the question: {said}", b"Password of" in said and DORA.encode() in said)
            expect("no echo", not termios.tcgetattr(ours)[echo[0]] & echo[1])
            os.write(ours, password.encode() + b"\n")
            out, err = process.communicate(timeout=60)
            expect(f"ended with {process.returncode}: {err}", process.returncode == code)
            expect("its rows", (b'"account":"asks"' in out) == (code == 0))
            expect("echo again", termios.tcgetattr(ours)[echo[0]] & echo[1])
            expect("nothing of it was shown", password.encode() not in read_terminal(ours))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
            process.stderr.close()
            os.close(ours)
            os.close(terminal)
    world.write_config()
    world.call("--account", "dora", "folders", "list")


def side_by_side(world):
    """several accounts at once: Dovecot, POP3, a silent server"""
    world.dovecot.deliver("From: x@beta.test\nSubject: there\n\nx\n")
    put_into(world.home / "bob", "From: x@beta.test\nSubject: here\n\nx\n")
    process = world.start("list", "--json", "--account", "silent,alice,carl,bob", "--timeout", "60s", stderr=subprocess.PIPE)
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


if __name__ == "__main__":
    need_imap()
    run_in(Workshop("mua-accounts"), [postfix, tokens, prompt, side_by_side, web],
           lambda workshop: World(workshop).start_dovecot().start_postfix())
