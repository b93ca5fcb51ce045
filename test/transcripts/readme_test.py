#!/usr/bin/env python3
"""Holds README.md's table of bad input against the tree: what it names is there, and every transcript is named."""

import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]

text = (HERE / "README.md").read_text()
named = set(re.findall(r"`([a-z0-9_]+/[A-Za-z0-9_./-]+)`", text[text.index("## Bad input"):]))
transcripts = {f"{path.parent.name}/{path.stem}" for path in HERE.glob("*/*.txt")}
problems = []
for name in sorted(named):
    if name.endswith("/..."):
        continue
    is_transcript = name.split("/")[0] in ("smtp", "pop3", "imap")
    if name not in transcripts if is_transcript else not (ROOT / name).exists():
        problems.append(f"README.md names {name}, which is not there")
problems += [f"{name} is a transcript that README.md does not name" for name in sorted(transcripts - named)]
for number in (*range(1, 8), *range(9, 13)):
    if not re.search(rf"^\\| {number} ", text, re.M):
        problems.append(f"class {number} is missing")
print("\n".join(problems), end="\n" if problems else "")
sys.exit(1 if problems else 0)
