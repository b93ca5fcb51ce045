"""What the tests with foreign programs share: one site, a list of steps, and a loud skip."""

import glob
import os
import pathlib
import pwd
import select
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from posthorn_site import Workshop, programs  # noqa: E402
from steps import Failed, run_in  # noqa: E402

NOBODY = 65534


def skip(why):
    """Ends the program as a test that can't run here."""
    print(f"skipped: {why}")
    sys.exit(77)


def need(*programs):
    """Skips the test, saying which, if a program is missing."""
    for program in programs:
        if not shutil.which(program, path="/usr/bin:/bin:/usr/sbin:/sbin"):
            skip(f"{program} is not installed; scripts/test installs it")


def corpus():
    """{name: octets} of the messages that come with Python's own tests: 47, which tests count on."""
    files = sorted(glob.glob("/usr/lib/python3.11/test/test_email/data/msg_*.txt"))
    if len(files) != 47:
        skip(f"Python's tests have {len(files)} messages instead of 47 (package libpython3.11-testsuite)")
    return {pathlib.Path(path).stem: pathlib.Path(path).read_bytes() for path in files}


def read_terminal(terminal):
    """What comes next on a terminal whose one end is ours."""
    if not select.select([terminal], [], [], 60)[0]:
        raise Failed("nothing comes on the terminal within 60 s")
    return os.read(terminal, 65536)


def make_certificate(certificate, key, names="DNS:localhost"):
    """One that signs itself, with these names."""
    run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", f"subjectAltName={names}", "-keyout", key, "-out", certificate])


def has_landlock():
    """Whether this kernel is known to have Landlock."""
    modules = pathlib.Path("/sys/kernel/security/lsm")
    return modules.exists() and "landlock" in modules.read_text()


# Dovecot and getmail don't handle mail as root. If that is who runs the test, they run as nobody: by these three, or the whole test does,
# by become_nobody().

def as_nobody():
    """Keywords for subprocess."""
    return {"user": NOBODY, "group": NOBODY, "extra_groups": []} if os.geteuid() == 0 else {}


def name_of_nobody():
    return pwd.getpwuid(NOBODY if os.geteuid() == 0 else os.geteuid()).pw_name


def give_to_nobody(directory):
    """With all that is in it."""
    if os.geteuid() == 0:
        for path in [directory, *directory.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)


def become_nobody(agents):
    """Ours come along: they may lie where nobody may look. Gives the
    directory they are in then, for the caller to remove; nothing if the test isn't root."""
    if os.geteuid() != 0:
        return None
    directory = pathlib.Path(tempfile.mkdtemp(prefix="posthorn-bin-"))
    for agent in agents:
        shutil.copy(programs() / agent, directory)
    give_to_nobody(directory)
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
    run_in(Workshop(name), steps, lambda workshop: workshop.site("alpha", ["alpha.test"], users, **keywords).start())
