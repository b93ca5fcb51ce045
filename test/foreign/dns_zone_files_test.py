#!/usr/bin/env python3
"""Zone files that mean no good to dnsd: row 29 of the list of attacks in libdns/README.md."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../support"))
from dns_servers import dnsd, main  # noqa: E402
from foreign import Failed  # noqa: E402
from ports import free_port  # noqa: E402
from posthorn_site import is_sanitized, programs  # noqa: E402

HEAD = "$TTL 300\n@ IN SOA ns1 hostmaster 1 7200 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n"
FILES = (
    ("$INCLUDE of itself", {"a.test.zone": HEAD + "$INCLUDE a.test.zone\n"}, "a.test.zone:5"),
    ("$INCLUDE in a circle", {"a.test.zone": HEAD + "$INCLUDE b.inc\n", "b.inc": "$INCLUDE c.inc\n", "c.inc": "\n$INCLUDE b.inc\n"}, ".inc:"),
    ("$INCLUDE that leads out", {"a.test.zone": HEAD + "$INCLUDE ../conf/dnsd.toml\n"}, "a.test.zone:5"),
    ("$INCLUDE of /etc/passwd", {"a.test.zone": HEAD + "$INCLUDE /etc/passwd\n"}, "a.test.zone:5"),
    ("$INCLUDE of nothing", {"a.test.zone": HEAD + "$INCLUDE nothing.inc\n"}, "a.test.zone:5"),
    ("$GENERATE of 2^31", {"a.test.zone": HEAD + "$GENERATE 0-2147483647 h$ A 192.0.2.1\n"}, "a.test.zone:5"),
    ("$GENERATE of too many by parts", {"a.test.zone": HEAD + "$GENERATE 0-65535 a${0,250,d} A 192.0.2.1\n"}, "a.test.zone:5"),
    ("NUL", {"a.test.zone": HEAD + "w\0w A 192.0.2.1\n\0 A 1.2.3\n"}, "a.test.zone:"),
    ("a quote without end", {"a.test.zone": HEAD + 'a TXT "abc\nb A 192.0.2.1\n'}, "a.test.zone:5"),
    ("a parenthesis without end", {"a.test.zone": HEAD + "a TXT ( abc\n" + "b\n" * 1000}, "a.test.zone:"),
    ("a label of 64", {"a.test.zone": HEAD + "a" * 64 + " A 192.0.2.1\n"}, "a.test.zone:5"),
    ("a name of 300", {"a.test.zone": HEAD + ".".join(["a" * 60] * 5) + " A 192.0.2.1\n"}, "a.test.zone:5"),
    ("10 MB of TXT", {"a.test.zone": HEAD + "a TXT " + "\"" + "x" * 10_000_000 + "\"\n"}, "a.test.zone:5"),
    ("300 strings of TXT", {"a.test.zone": HEAD + "a TXT " + ("\"" + "x" * 250 + "\" ") * 300 + "\n"}, "a.test.zone:5"),
    ("no SOA", {"a.test.zone": "$TTL 1\nwww A 192.0.2.1\n"}, "a.test.zone"),
    ("another zone's record", {"a.test.zone": HEAD + "www.b.test. A 192.0.2.1\n"}, "a.test.zone:5"),
    ("octets that are no text", {"a.test.zone": os.urandom(1 << 16).replace(b"\n", b"x")}, "a.test.zone:"),
)


def zone_files(bench):
    """29: zone files that loop, escape, explode or are no text are refused with file and line, soon, and in little memory"""
    for number, (what, files, said) in enumerate(FILES):
        site = bench.directory / f"files-{number}"
        (site / "zones").mkdir(parents=True)
        for name, text in files.items():
            (site / "zones" / name).write_bytes(text.encode() if isinstance(text, str) else text)
        memory = [] if is_sanitized() else ["--as=2000000000"]
        done = subprocess.run(["prlimit", *memory, "--cpu=20", str(programs() / "dnsd"), "--site", str(site), "--listen",
                               f"inet:127.0.0.1:{free_port()}", "--check-config"], capture_output=True, text=True, timeout=60, check=False)
        if done.returncode not in (64, 78) or said not in done.stderr:
            raise Failed(f"{what}: exit {done.returncode}, without {said!r}: {done.stderr[:600]}")
        if len(done.stderr) > 20000:
            raise Failed(f"{what}: {len(done.stderr)} octets of complaint")


def odd_files(bench):
    """29: tabs, CRLF, a missing last newline and comments are no mistakes"""
    text = HEAD.replace(" ", "\t").replace("\n", "\r\n") + "www\tA\t192.0.2.9 ; no newline"
    ours = bench.add(dnsd, "odd", {"odd.test": text.encode()}, ["--no-recursion"]).start("odd.test")
    if len(ours.ask("www.odd.test", "A").answer) != 1:
        raise Failed("www.odd.test has no address")
    ours.stop()


if __name__ == "__main__":
    main("dns-zone-files", [zone_files, odd_files])
