"""What the tests with foreign programs share: one site, a list of steps, and a loud skip."""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from posthorn_site import Failed, Workshop, programs  # noqa: E402

NOBODY = 65534


def need(*programs):
    """Skips the test, saying which, if a program is missing."""
    for program in programs:
        if not shutil.which(program, path="/usr/bin:/bin:/usr/sbin:/sbin"):
            print(f"skipped: {program} is not installed; scripts/test installs it")
            sys.exit(77)


def has_landlock():
    """Whether this kernel is known to have Landlock."""
    modules = pathlib.Path("/sys/kernel/security/lsm")
    return modules.exists() and "landlock" in modules.read_text()


def become_nobody(agents):
    """Dovecot and getmail don't handle mail as root. Ours come along: they may lie where nobody may look. Gives the
    directory they are in then, for the caller to remove; nothing if the test isn't root."""
    if os.geteuid() != 0:
        return None
    directory = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-bin-"))
    for agent in agents:
        shutil.copy(programs() / agent, directory)
    for path in [directory, *directory.iterdir()]:
        os.chown(path, NOBODY, NOBODY)
    os.environ["POSTHORN_BIN"] = str(directory)
    "".encode("idna")  # Python loads this one late, when it may lie out of reach as well
    os.chdir("/")
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)
    return directory


def run(words, text=None, expect=0, **keywords):
    """Runs a program and gives its output; Failed with what it said if it ends otherwise than expected."""
    octets = text.encode() if isinstance(text, str) else text
    done = subprocess.run([str(w) for w in words], input=octets if octets is not None else b"", capture_output=True,
                          timeout=keywords.pop("timeout", 60), check=False, **keywords)
    said = (done.stdout + done.stderr).decode(errors="replace")
    if expect is not None and done.returncode != expect:
        raise Failed(f"{words[0]} ended with {done.returncode} instead of {expect}:\n{said[-3000:]}")
    return said


def main(name, steps, users, **keywords):
    """Starts alpha.test with `users` and calls each step with it."""
    failures = 0
    try:
        with Workshop(name) as workshop:
            site = workshop.site("alpha", ["alpha.test"], users, **keywords).start()
            for step in steps:
                title = step.__doc__.strip().splitlines()[0]
                try:
                    step(site)
                    print(f"ok      {title}", flush=True)
                except Exception as problem:  # one failing client must not hide the next
                    failures += 1
                    print(f"FAILED  {title}\n        {problem}", flush=True)
                    if not isinstance(problem, Failed):
                        traceback.print_exc()
            if failures:
                raise Failed(f"{failures} of {len(steps)} steps failed")
    except Failed as problem:
        sys.exit(f"failed: {problem}")
