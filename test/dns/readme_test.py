#!/usr/bin/env python3
"""Holds the tables of attacks in libdns/README.md against the tree: what they name is there, and every scenario of an attack is named."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
LATER = 40  # scenarios from this number on are no attacks

text = (ROOT / "libdns/README.md").read_text()
text = text[text.index("## Attacks"):]
files = set(re.findall(r"`([a-z0-9_]+/[A-Za-z0-9_./-]+\.(?:cc|py))`", text))
named = set(re.findall(r"\*([0-9]{2}_[a-z0-9_]+)\*", text))
scenarios = {path.stem for path in (ROOT / "test/dns/scenarios").glob("*.scn")}
attacks = {name for name in scenarios if 0 < int(name[:2]) < LATER}
problems = [f"libdns/README.md names {name}, which is not there" for name in sorted(files)
            if not (ROOT / name).exists() and not (ROOT / "libdns" / name).exists()]
problems += [f"libdns/README.md names the scenario {name}, which is not there" for name in sorted(named - scenarios)]
problems += [f"libdns/README.md does not name the scenario {name}" for name in sorted(attacks - named)]
print("\n".join(problems), end="\n" if problems else "")
sys.exit(1 if problems else 0)
