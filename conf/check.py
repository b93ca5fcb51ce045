#!/usr/bin/env python3
"""Holds conf/ against the programs: check.py DIRECTORY-OF-PROGRAMS.

- conf/AGENT.toml is what `AGENT --print-config` prints, so no key, default or sentence can be wrong there
- conf/posthorn.toml has only keys that agents know, with the defaults they have
- every example is read by each agent it names
- the systemd units pass `systemd-analyze verify`, and name sockets by options that exist

`check.py --write DIRECTORY-OF-PROGRAMS` writes conf/AGENT.toml anew.
"""

import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib

CONF = pathlib.Path(__file__).resolve().parent
AGENTS = ["dnsd", "authd", "queued", "deliverd", "relayd", "smtpd", "submissiond", "pop3d", "imapd"]
SKIPPED = 77

problems = []


def complain(text):
    problems.append(text)
    print(text)


def ask(programs, agent, site, *words):
    done = subprocess.run([programs / agent, "--site", site, *words], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        complain(f"{agent} {' '.join(words)} ends with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def uncomment(text):
    """The text with every commented key in force."""
    return re.sub(r"(?m)^#([a-z][a-z0-9_]* = )", r"\1", text)


def check_agents(programs, site, write):
    values = {}
    for agent in AGENTS:
        printed = ask(programs, agent, site, "--print-config")
        path = CONF / f"{agent}.toml"
        if write:
            path.write_text(printed)
        elif not path.exists() or path.read_text() != printed:
            complain(f"{path} is not what {agent} --print-config prints: run conf/check.py --write")
        for key, value in tomllib.loads(uncomment(printed)).items():
            values.setdefault(key, {})[agent] = value
    return values


def check_site_file(programs, site, values):
    text = uncomment((CONF / "posthorn.toml").read_text())
    for key, value in tomllib.loads(text).items():
        if key == "agents":
            if sorted(value) != sorted(AGENTS):
                complain("conf/posthorn.toml does not name all agents")
            continue
        for agent, preset in values.get(key, {}).items():
            if preset != value:
                complain(f"conf/posthorn.toml: {key} is {value!r}, the default of {agent} is {preset!r}")
    (site / "conf").mkdir()
    (site / "conf/posthorn.toml").write_text(text)
    ask(programs, "smtpd", site, "--print-config")


def check_examples(programs, directory):
    for example in sorted(p for p in (CONF / "examples").iterdir() if p.is_dir()):
        site = directory / example.name
        shutil.copytree(example, site / "conf")
        named = tomllib.loads((example / "posthorn.toml").read_text())["agents"]
        for agent in named:
            ask(programs, agent, site, "--print-config")
        for path in example.glob("*.toml"):
            if path.stem != "posthorn" and path.stem not in named:
                complain(f"{path}: {path.stem} does not run in this example")


def check_units(programs, site, directory):
    """False if it can't be done here."""
    tool = shutil.which("systemd-analyze")
    if not tool:
        return False
    units = directory / "units"
    units.mkdir()
    paths = [p for p in (CONF / "systemd").iterdir() if p.suffix in (".service", ".socket", ".target")]
    for path in paths:
        text = path.read_text()
        for program in re.findall(r"(?m)^ExecStart=/usr/sbin/(\S+)", text):
            text = text.replace(f"/usr/sbin/{program}", str(programs / program))
        (units / path.name).write_text(text)
        for option in re.findall(r"(?m)^FileDescriptorName=(\S+)", text):
            agent = re.search(r"(?m)^Service=posthorn-(\w+)", text).group(1)
            listeners = ask(programs, agent, site, f"--{option}", "inet:*:1", "--print-listeners")
            if f"{option}\tinet:*:1\t" not in listeners:
                complain(f"{path}: {agent} has no listener option {option}")
    done = subprocess.run([tool, "verify", "--man=no", *sorted(units.iterdir())], capture_output=True, text=True,
                          timeout=120, cwd=units)
    if done.returncode != 0 or done.stderr.strip():
        complain(f"systemd-analyze verify: {done.stderr.strip()}")
    return True


def main():
    words = sys.argv[1:]
    write = "--write" in words
    words = [w for w in words if w != "--write"]
    if len(words) != 1:
        sys.exit(__doc__)
    programs = pathlib.Path(words[0]).resolve()
    with tempfile.TemporaryDirectory(prefix="posthorn-conf-") as name:
        directory = pathlib.Path(name)
        site = directory / "site"
        site.mkdir()
        values = check_agents(programs, site, write)
        check_site_file(programs, site, values)
        check_examples(programs, directory)
        verified = check_units(programs, site, directory)
    if problems:
        sys.exit(1)
    if not verified:
        print("skipped: there is no systemd-analyze (package systemd) to verify the units")
        sys.exit(SKIPPED)


main()
