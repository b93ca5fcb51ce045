"""Supervision: who starts the agents of a site and keeps them."""

import os
import re

from messages import check_all, letters, send_all
from seams import Seam
from work import DOMAIN, PASSWORD, ROOT, USERS, Failed, free_port, is_open, need


def site(work):
    """Configuration of a site with the four agents that a message needs from the door to the mailbox."""
    home = work.folder("site")
    for sub in ("conf", "run", "log", "mail", "queue", "queue/segments", "queue/free", "queue/spool", "queue/drop"):
        work.folder(f"site/{sub}")
    work.put("site/conf/users", "".join(f"{user}@{DOMAIN}:{{PLAIN}}{PASSWORD}\n" for user in USERS))
    port = free_port()
    away = "".join(f"[agents.{name}]\nrun = false\n" for name in ("dnsd", "relayd", "submissiond", "pop3d", "imapd"))
    here = "".join(f"[agents.{name}]\nrun = true\n" for name in ("authd", "deliverd", "queued", "smtpd"))
    work.put("site/conf/posthorn.toml", f'hostname = "mail.site.test"\ndomains = ["{DOMAIN}"]\n{here}{away}')
    work.put("site/conf/smtpd.toml", f'listen = ["inet:127.0.0.1:{port}"]\n')
    return home, port


def mail_flows(work, home, port):
    chosen = letters(work.large)
    refused = send_all(port, chosen)
    return check_all(chosen, refused, lambda user: home / f"mail/{DOMAIN}/{user}/Maildir")


def posthorn_run(work):
    home, port = site(work)
    work.start("posthorn", [work.bench.bin / "posthorn", "--site", home, "run"], lambda: is_open(port))
    return mail_flows(work, home, port)


def shell(work):
    home, port = site(work)
    script = work.put("start.sh", (ROOT / "scripts/examples/site-by-hand.sh").read_text(), mode=0o755)
    work.start("shell", [script, home, f"inet:127.0.0.1:{port}"], lambda: is_open(port),
               env={"PATH": f"{work.bench.bin}:/usr/bin:/bin"})
    return mail_flows(work, home, port)


def systemd(work):
    """The units as they are shipped, with the programs where this run has them: verified, and their commands started."""
    tool = need("systemd-analyze")
    units = work.folder("units")
    for unit in (ROOT / "conf/systemd").iterdir():
        if unit.suffix in (".service", ".socket", ".target"):
            text = unit.read_text().replace("/usr/sbin/", f"{work.bench.bin}/")
            work.put(f"units/{unit.name}", text)
    files = sorted(str(path) for path in units.iterdir())
    said = work.run([tool, "verify", "--man=no", *files], expect=None, user="root", env={**os.environ, "SYSTEMD_UNIT_PATH": f"{units}:"})
    wrong = [line for line in said.splitlines() if "posthorn" in line and str(units) in line]
    if wrong:
        raise Failed("; ".join(wrong[:5]))
    home, port = site(work)
    for unit in ("authd", "deliverd", "queued", "smtpd"):
        command = re.search(r"^ExecStart=(.*)$", (units / f"posthorn-{unit}.service").read_text(), re.M).group(1)
        log = work.directory / f"{unit}.out"
        more = ["--listen", f"inet:127.0.0.1:{port}"] if unit == "smtpd" else []
        work.start(unit, command.replace("/etc/posthorn", str(home)).split() + more,
                   lambda path=log: " ready " in path.read_text(errors="replace"))
    return [f"{len(files)} units verified", *mail_flows(work, home, port)]


LEFT = {"posthorn run": posthorn_run, "systemd units": systemd, "plain shell": shell}


def test(work, left, right):
    return LEFT[left](work)


SEAM = Seam("supervision", "who starts and keeps the agents -> the agents", LEFT, {"authd, deliverd, queued, smtpd": None}, test,
            quick=[("systemd units", "authd, deliverd, queued, smtpd")])
