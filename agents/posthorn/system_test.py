#!/usr/bin/env python3
"""The site of the machine, started by root: system_test.py DIRECTORY-OF-PROGRAMS.

In name spaces of its own, where /etc, /var and /run are copies that vanish, `posthorn run` starts the agents on their
well-known ports and each becomes the user `posthorn`. Needs root and user-space mounts; skipped (77) elsewhere.
"""

import os
import pathlib
import poplib
import re
import shutil
import signal
import smtplib
import ssl
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
AGENTS = ["authd", "dnsd", "queued", "deliverd", "relayd", "smtpd", "submissiond", "pop3d", "imapd"]
UID = 64321
SITE = pathlib.Path("/etc/posthorn")
programs = pathlib.Path(sys.argv[1]).resolve()


def skip(why):
    print(f"skipped: {why}")
    sys.exit(SKIPPED)


def enter_name_spaces():
    """Starts this script again where it may do what it likes."""
    if os.geteuid() != 0:
        skip("only root can start the machine's site")
    if not shutil.which("unshare") or not shutil.which("ip"):
        skip("there is no unshare(1) or ip(8) (packages util-linux, iproute2)")
    probe = subprocess.run(["unshare", "--mount", "--net", "--pid", "--fork", "true"], capture_output=True, text=True)
    if probe.returncode != 0:
        skip(f"unshare: {probe.stderr.strip()}")
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--propagation", "private",
             sys.executable, __file__, str(programs), "inside"]
    sys.exit(subprocess.run(words, timeout=280).returncode)


def mount(*words):
    done = subprocess.run(["mount", *words], capture_output=True, text=True)
    if done.returncode != 0:
        skip(f"mount {' '.join(words)}: {done.stderr.strip()}")


def make_machine():
    """/etc, /var and /run that are ours alone, and a user posthorn."""
    work = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-system-"))
    mount("-t", "tmpfs", "tmpfs", str(work))
    mount("-t", "proc", "proc", "/proc")
    for name in ("etc", "var"):
        (work / name / "upper").mkdir(parents=True)
        (work / name / "work").mkdir()
        mount("-t", "overlay", "overlay", "-o",
              f"lowerdir=/{name},upperdir={work}/{name}/upper,workdir={work}/{name}/work", f"/{name}")
    mount("-t", "tmpfs", "tmpfs", "/run")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def add_user():
    with open("/etc/passwd", "a", encoding="utf-8") as passwd:
        passwd.write(f"posthorn:x:{UID}:{UID}::/var/lib/posthorn:/usr/sbin/nologin\n")
    with open("/etc/group", "a", encoding="utf-8") as group:
        group.write(f"posthorn:x:{UID}:\n")


def make_site():
    """What an administrator writes; keys and certificate are a sandbox's."""
    with tempfile.TemporaryDirectory() as directory:
        process = subprocess.Popen([programs / "posthorn", "sandbox", "--dir", directory, "--domain", "alpha.test"],
                                   stdout=subprocess.PIPE)
        assert process.stdout.readline(), "the sandbox that lends its certificate did not start"
        process.terminate()
        process.wait(20)
        (SITE / "conf").mkdir(parents=True)
        shutil.copytree(pathlib.Path(directory) / "tls", SITE / "tls")
    agents = "".join(f"[agents.{agent}]\nrun = true\n" for agent in AGENTS)
    (SITE / "conf/posthorn.toml").write_text(f'hostname = "mail.alpha.test"\ndomains = ["alpha.test"]\n{agents}')
    for table in ("aliases", "lists", "virtual", "transports", "routes"):
        (SITE / "conf" / table).write_text("")


def posthorn(*words, text=None):
    return subprocess.run([programs / "posthorn", *words], input=text, capture_output=True, text=True, timeout=60)


def belongs_to_posthorn(*paths):
    for path in paths:
        os.chown(path, 0, UID)
        os.chmod(path, 0o640 if path.is_file() else 0o750)


def uids():
    """{agent: set of user ids} of the agents that run."""
    found = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                name = os.path.basename((entry / "cmdline").read_bytes().split(b"\0")[0]).decode()
                uid = int(re.search(r"(?m)^Uid:\s+(\d+)", (entry / "status").read_text()).group(1))
                found.setdefault(name, set()).add(uid)
            except OSError:
                pass
    return {name: found[name] for name in AGENTS if name in found}


def wait_until(what, check, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = check()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {seconds} s")


def log(agent):
    path = pathlib.Path(f"/var/log/posthorn/{agent}.log")
    return path.read_text(errors="replace") if path.exists() else ""


def check_missing_user():
    """Each agent names the user it can't become."""
    done = subprocess.run([programs / "authd"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 78, f"authd without its user ends with {done.returncode}"
    assert 'there is no user "posthorn"' in done.stderr, done.stderr


def check_running():
    ready = wait_until("posthorn is ready", lambda: f"ready agents={len(AGENTS)}" in log("posthorn") or
                       ("not-ready" in log("posthorn") and log("posthorn")))
    assert ready is True, ready
    assert uids() == {agent: {UID} for agent in AGENTS}, f"the agents run as {uids()}"
    with smtplib.SMTP("127.0.0.1", 25, timeout=60) as client:
        client.sendmail("x@y.test", ["ann@alpha.test"], b"From: x@y.test\r\nSubject: hello\r\n\r\nhello\r\n")
    maildir = pathlib.Path("/var/lib/posthorn/mail/alpha.test/ann/Maildir/new")
    message = wait_until("the message arrives", lambda: maildir.exists() and list(maildir.iterdir()))[0]
    assert message.stat().st_uid == UID, "the mailbox is not posthorn's"
    context = ssl.create_default_context(cafile=SITE / "tls/ca.pem")
    context.check_hostname = False
    client = poplib.POP3_SSL("127.0.0.1", 995, context=context, timeout=60)
    client.user("ann@alpha.test")
    client.pass_("secret")
    assert client.stat()[0] == 1
    client.quit()
    found = posthorn("check", "--quiet")
    assert found.returncode == 0, found.stdout


def inside():
    make_machine()
    SITE.mkdir()
    pathlib.Path("/run/posthorn").mkdir()  # root's, as systemd makes it for sockets
    make_site()
    check_missing_user()
    add_user()
    assert posthorn("user", "add", "ann@alpha.test", text="secret\n").returncode == 0
    belongs_to_posthorn(SITE / "conf", SITE / "conf/users", SITE / "tls", SITE / "tls/key.pem")
    with open("/run/errors", "w+", encoding="utf-8") as errors:
        process = subprocess.Popen([programs / "posthorn", "run"], stderr=errors)
        try:
            check_running()
        except Exception:
            for agent in ["posthorn", *AGENTS]:
                print(f"--- {agent}\n{log(agent)[-2000:]}")
            print(pathlib.Path("/run/errors").read_text(encoding="utf-8"))
            raise
        finally:
            process.send_signal(signal.SIGTERM)
            code = process.wait(30)
    assert code == 0, f"posthorn run ends with {code}"
    assert not uids(), f"agents are left: {uids()}"


if sys.argv[2:] == ["inside"]:
    inside()
else:
    enter_name_spaces()
