"""Man pages against programs: every option that `PROGRAM --help` prints and every key that `PROGRAM --print-config`
prints stands in agents/PROGRAM/PROGRAM.[18].scd, or in a page of section 5 or 7 that it refers to, and every option
that a page documents (a line that begins with *--option*) exists. scdoc renders each page without complaint.
Key max_recipients and option --max-recipients are one option: either spelling documents both.

usage: manuals.py --build DIR"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
# What every program has and no page needs to explain.
UNIVERSAL = {"--help", "-h"}
OPTION = r"(?<![\w-])(--?[A-Za-z][\w-]*)"


def run(program, *arguments):
    """(standard output, "") or (None, what went wrong)."""
    try:
        done = subprocess.run([program, *arguments], capture_output=True, text=True, timeout=10,
                              stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, str(error)
    if done.returncode != 0:
        return None, f"exit code {done.returncode}: {(done.stderr or done.stdout).strip()[:200]}"
    return done.stdout, ""


def options_of(program, *command):
    """({"--option", "-o", ...} of the program and all its commands, [faults])."""
    text, why = run(program, *command, "--help")
    if text is None:
        return set(), [f"{' '.join([program.name, *command])} --help: {why}"]
    names, faults = set(), []
    for line in text.splitlines():
        head = re.split(r"\s{2,}", line.strip())[0]  # what stands before the explanation
        if head.startswith("-") or re.match(r"[A-Z][\w ]*: -", line):  # "Accepted and ignored: -A -C"
            names.update(re.findall(OPTION, head if head.startswith("-") else line))
        found = re.match(r"  ([a-z]+(?: [a-z]+){0,2})(?: [A-Z\[].*?)?\s{2,}", line)
        if found and not command and " COMMAND" in text.split("\n\n")[0]:
            more, wrong = options_of(program, *found.group(1).split())
            names |= more
            faults += wrong
    return names, faults


def keys_of(program):
    """Keys of the configuration file, as options. Commented-out defaults count."""
    text, why = run(program, "--print-config")
    if text is None:
        return set(), [f"{program.name} --print-config: {why}"]
    return {as_option(k) for k in re.findall(r"^#?\s?([a-z][a-z0-9_]*) *= ", text, re.M)}, []


def as_option(key):
    return "--" + key.replace("_", "-")


def pages():
    """{"smtpd.8": text} of every page of the tree."""
    files = [*ROOT.glob("agents/*/*.scd"), *ROOT.glob("conf/*.scd"), *ROOT.glob("libmail/*/*.scd")]
    return {f.name[:-4]: f for f in sorted(files)}


def mentioned(text):
    """Every option or key that a page's text names, as options."""
    text = text.replace("\\", "")
    names = set(re.findall(OPTION, text))
    names |= {as_option(k) for k in re.findall(r"\*([a-z][a-z0-9_]*)\*", text)}
    names |= {as_option(k) for k in re.findall(r"^\s*#?\s?([a-z][a-z0-9_]*) *= ", text, re.M)}
    return names


def documented(text):
    """Options that a page explains: in bold, on a line that begins with one."""
    names = set()
    for line in text.replace("\\", "").splitlines():
        if line.startswith("*-"):
            names.update(re.findall(r"\*" + OPTION, line))
    return names


def faults_of_program(folder, binary, all_pages):
    name = folder.name
    page = all_pages.get(name + ".8") or all_pages.get(name + ".1")
    if not page:
        yield f"agents/{name}: no man page {name}.8.scd or {name}.1.scd"
        return
    if not binary.exists():
        yield f"agents/{name}: the build has no bin/{name}"
        return
    text = page.read_text()
    referred = [all_pages[f"{n}.{s}"].read_text() for n, s in re.findall(r"\*?([\w.-]+)\*?\(([57])\)", text)
                if f"{n}.{s}" in all_pages]
    here = mentioned("\n".join([text, *referred]))
    options, faults = options_of(binary)
    if "--print-config" in options:
        keys, more = keys_of(binary)
        options |= keys
        faults += more
    yield from faults
    where = page.relative_to(ROOT)
    for option in sorted(options - UNIVERSAL - here):
        if not option.startswith("--no-") or "--" + option[5:] not in here:
            yield f"{where}: says nothing about {option}"
    for option in sorted(documented(text) - options - UNIVERSAL):
        yield f"{where}: explains {option}, which {name} doesn't have"


def render_faults(page):
    done = subprocess.run(["scdoc"], stdin=page.open("rb"), capture_output=True, text=True)
    if done.returncode != 0 or done.stderr:
        yield f"{page.relative_to(ROOT)}: scdoc: {done.stderr.strip() or done.returncode}"


def main():
    build = (ROOT / sys.argv[sys.argv.index("--build") + 1]).resolve()
    all_pages = pages()
    faults = [fault for page in all_pages.values() for fault in render_faults(page)]
    for file in sorted(ROOT.glob("agents/*/main.cc")):
        faults += faults_of_program(file.parent, build / "bin" / file.parent.name, all_pages)
    for fault in faults:
        print(fault)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
