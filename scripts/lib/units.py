"""Runs clang-tidy-19 or clang-query-19 over translation units, as many at a time as there are cores, and remembers
in build/check-cache what passed: a unit is looked at again when it, a header of ours that it includes, its command
line, the rules or the tool have changed.

Most of the time goes into the standard library's headers, which both tools walk for every unit. So with --together
units are looked at as one file that includes them: those that declare the same name for themselves not in one
(together.py), but for tests, which get a namespace each. A group in which anything is found is looked at again in
halves, down to the unit. Without --together each is looked at by itself, and must compile by itself.

usage: units.py --build DIR [--together] (tidy|coroutines) FILES..."""

import concurrent.futures
import functools
import hashlib
import json
import os
import pathlib
import re
import shlex
import subprocess
import sys

from together import ENTRIES, GROUP, grouped, is_outside, lines_of

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "build/check-cache"
TIDY = ROOT / ".clang-tidy"
QUERY = ROOT / "scripts/lib/coroutines.query"
SAMPLES = ROOT / "scripts/lib/coroutine_samples.cc"


class Unit:
    def __init__(self, source, command):
        self.source = source
        self.name = str(source.relative_to(ROOT))
        self.command = command
        self.object = re.search(r" -o (\S+)", command).group(1)
        self.headers = []  # of ours, from the build's own dependency log


def sources_in(entry, build):
    """The sources of ours that the build compiles by this command: one, or those of cmake/Together.cmake."""
    file = pathlib.Path(entry["file"]).resolve()
    if not file.exists():
        return []
    if "Unity" in file.parts and file.is_relative_to(build):
        return [pathlib.Path(name) for name in re.findall(r'^#include "(.+)"', file.read_text(), re.M)]
    return [file] if file.is_relative_to(ROOT) and not file.is_relative_to(build) else []


def load_units(build):
    """{name: Unit} of every source of ours that the build compiles."""
    units, by_object = {}, {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        for source in sources_in(entry, build):
            unit = Unit(source, entry["command"])
            if units.setdefault(unit.name, unit) is unit:
                by_object.setdefault(unit.object, []).append(unit)
    listing = subprocess.run(["ninja", "-C", str(build), "-t", "deps"], capture_output=True, text=True)
    compiled = []
    for line in listing.stdout.splitlines():
        if line and not line.startswith(" "):
            compiled = by_object.get(line.split(": #deps")[0], [])
        elif compiled and line.strip().endswith(".h"):
            header = (build / line.strip()).resolve()
            if header.is_relative_to(ROOT):
                for unit in compiled:
                    unit.headers.append(header)
    return units


def chosen(units, names):
    """The units to look at: each source given, and for each header one unit that includes it."""
    result = {}
    for name in names:
        if name in units:
            result[name] = units[name]
            continue
        if not name.endswith(".h"):
            continue
        beside = [name[:-2] + ".cc", name[:-2] + "_test.cc"]
        header = (ROOT / name).resolve()
        includes = [n for n in beside if n in units] or [n for n, u in units.items() if header in u.headers]
        if includes:
            result[includes[0]] = units[includes[0]]
    return list(result.values())


@functools.cache
def speaks_of_coroutines(file):
    return file.exists() and re.search(r"\b(co_await|co_return|await_suspend)\b", file.read_text(errors="replace")) is not None


def with_coroutines(units):
    """Those that have coroutines, and for each header that has some at least one that includes it."""
    result, seen = [], set()
    for unit in sorted(units, key=lambda unit: not speaks_of_coroutines(unit.source)):
        if speaks_of_coroutines(unit.source) or any(h not in seen and speaks_of_coroutines(h) for h in unit.headers):
            result.append(unit)
            seen.update(unit.headers)
    return result


def fingerprint(unit, tool, rules):
    digest = hashlib.sha256()
    digest.update(tool.encode() + rules + unit.command.encode())
    for file in sorted({unit.source, *unit.headers}):
        digest.update(str(file.relative_to(ROOT)).encode())
        digest.update(file.read_bytes() if file.exists() else b"absent")
    return digest.hexdigest()


def flags_of(*units):
    """The compile command of the first without compiler, input and output, and what the others define besides."""
    words = shlex.split(units[0].command)[1:]
    drop = {words.index(option) + i for option in ("-o", "-c") for i in (0, 1)}
    words = [w for i, w in enumerate(words) if i not in drop]
    defined = {w for unit in units[1:] for w in shlex.split(unit.command) if w.startswith("-D")}
    return words + sorted(defined - set(words))


def one_file(units):
    """The file to look at for these units: each program's entry under a name of its own, and what stands outside of all
    namespaces in one of its own, behind the headers, which would be in it otherwise."""
    if len(units) == 1:
        return units[0].name
    lines, enclose = [], all(is_outside(unit.name) for unit in units)
    if enclose:
        lines += dict.fromkeys(line for unit in units for line in lines_of(unit.source) if line.startswith("#include"))
    for number, unit in enumerate(units):
        include = f'#include "{unit.name}"'
        lines += [f"#define {entry} {entry}_{number}" for entry in ENTRIES]
        lines += [f"namespace unit_{number} {{", include, "}"] if enclose else [include]
        lines += [f"#undef {entry}" for entry in ENTRIES]
    text = "\n".join(lines) + "\n"
    file = CACHE / f"together-{hashlib.sha256(text.encode()).hexdigest()[:16]}.cc"
    file.write_text(text)
    return str(file)


def tidy(units):
    arguments = ["clang-tidy-19", "--quiet", f"--config-file={TIDY}", one_file(units)]
    if units[0].name.endswith("_test.cc"):
        # Catch's REQUIRE names its expression twice: the second time everything in it has been moved from.
        arguments.append("--checks=-bugprone-use-after-move")
    run = subprocess.run([*arguments, "--", *flags_of(*units)], cwd=ROOT, capture_output=True, text=True)
    if run.returncode == 0:
        return ""
    # The fault and its line; not the macros it came through, nor the notes.
    lines = (run.stdout.replace(str(ROOT) + "/", "") or run.stderr).splitlines()
    shown = [i for i, line in enumerate(lines) if re.search(r": (error|warning): ", line)]
    return "".join(line + "\n" for i in shown for line in lines[i:i + 2]) or run.stdout + run.stderr


def query(file, arguments):
    """The query's finds in our files: (path from the top folder, line, rule)."""
    run = subprocess.run(["clang-query-19", "-f", str(QUERY), str(file), *arguments],
                         cwd=ROOT, capture_output=True, text=True)
    text = run.stdout + run.stderr
    if run.returncode != 0 or re.search(r"^\d+:\d+: |: (fatal )?error: ", text, re.M):
        return None, text
    found = set()
    for path, line, rule in re.findall(r'^(\S+?):(\d+):\d+: note: "([^"]+)" binds here', text, re.M):
        path = pathlib.Path(path).resolve()
        if rule != "_" and path.is_relative_to(ROOT):
            found.add((str(path.relative_to(ROOT)), int(line), rule))
    return found, text


def coroutines(units):
    found, text = query(one_file(units), ["--", *flags_of(*units)])
    if found is None:
        return text
    return "".join(f"{path}:{line}: {rule}\n" for path, line, rule in sorted(found))


def samples_agree():
    """The query itself is tested before it is trusted."""
    found, text = query(SAMPLES, ["--", "-std=c++20", "-I" + str(ROOT)])
    if found is None:
        print(text)
        return False
    lines = {line for path, line, _ in found if path == str(SAMPLES.relative_to(ROOT))}
    wanted = {n for n, line in enumerate(SAMPLES.read_text().splitlines(), 1) if line.endswith("// found")}
    for line in sorted(wanted ^ lines):
        print(f"{SAMPLES.relative_to(ROOT)}:{line}: the query " + ("misses this" if line in wanted else "objects to this"))
    return wanted == lines


def groups_of(units):
    """The units in lists that can be looked at as one file each."""
    by_source = {str(unit.source): unit for unit in units}

    def key(source):
        return tuple(word for word in flags_of(by_source[source]) if not word.startswith("-D"))

    outside = {}
    for source in filter(is_outside, by_source):
        outside.setdefault(key(source), []).append(source)
    groups = [sources[i:i + GROUP] for sources in outside.values() for i in range(0, len(sources), GROUP)]
    groups += grouped([source for source in by_source if not is_outside(source)], key)
    return [[by_source[source] for source in group] for group in sorted(groups, key=len, reverse=True)]


def main():
    build = (ROOT / sys.argv[sys.argv.index("--build") + 1]).resolve()
    names = [a for a in sys.argv[1:] if not a.startswith("--")][1:]
    kind, names = names[0], [os.path.relpath(ROOT / n, ROOT) for n in names[1:]]
    units = chosen(load_units(build), names)
    rules_file, run = (TIDY, tidy) if kind == "tidy" else (QUERY, coroutines)
    if kind == "coroutines":
        if not samples_agree():
            return 1
        units = with_coroutines(units)
    tool = subprocess.run([f"clang-{'tidy' if kind == 'tidy' else 'query'}-19", "--version"],
                          capture_output=True, text=True).stdout
    rules = rules_file.read_bytes() + pathlib.Path(__file__).read_bytes()
    CACHE.mkdir(parents=True, exist_ok=True)
    marks = {u.name: CACHE / f"{kind}-{fingerprint(u, tool, rules)}" for u in units}
    units = [u for u in units if not marks[u.name].exists()]

    def look(group):
        told = run(group)
        if told and len(group) > 1:
            half = len(group) // 2
            return look(group[:half]) + look(group[half:])
        if not told:
            for unit in group:
                marks[unit.name].touch()
        return told

    told = []
    groups = groups_of(units) if "--together" in sys.argv else [[unit] for unit in units]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        for text in pool.map(look, groups):
            told += [line for line in text.splitlines() if line not in told]
    print("\n".join(told), end="\n" if told else "")
    return 1 if told else 0


if __name__ == "__main__":
    sys.exit(main())
