"""A network of a test's own: namespaces in which it may be anybody."""

import os
import subprocess
import sys

from foreign import need, skip


def inside(script, *programs):
    """Starts the script again, with the word "inside", where it has a network of its own; ends as that ends."""
    if os.geteuid() != 0:
        skip("only root can make a network of its own")
    need("unshare", "ip", *programs)
    unshare = ["unshare", "--net", "--mount", "--pid", "--fork"]
    probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        skip(f"unshare: {probe.stderr.strip()}")
    sys.exit(subprocess.run([*unshare, "--kill-child", "--mount-proc", sys.executable, script, "inside"],
                            timeout=550, check=False).returncode)


def make_network(*addresses):
    """The loopback interface with these addresses besides its own."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in addresses:
        length, more = ("128", ["nodad"]) if ":" in address else ("32", [])
        subprocess.run(["ip", "address", "add", f"{address}/{length}", "dev", "lo", *more], check=True)


def set_mtu(octets):
    """Longer packets leave in fragments, if they leave at all."""
    subprocess.run(["ip", "link", "set", "lo", "mtu", str(octets)], check=True)
