"""Which translation units can stand in one file. Most of the time of a compiler, or of clang-tidy, goes into the
standard library's headers: a file that includes a dozen of ours needs little more than one of them alone.

usage: together.py SOURCE...      for cmake/Together.cmake: a line per group, the sources separated by ';'"""

import functools
import os
import pathlib
import re
import sys

GROUP = 16  # more would leave a core without work at the end
ENTRIES = ("main", "LLVMFuzzerTestOneInput")  # each program has its own


DECLARATIONS = (
    re.compile(r"(?:using|struct|class|enum class|enum)\s+(\w+)\s*(?:=|[{:;]|final)"),
    re.compile(r"(TEST_CASE)\("),
    re.compile(r"(?!namespace|using|template|return|#)[A-Za-z_\[][^(={]*?\b(\w+)\s*(?:\(|=|\{|\[|;)"),
)


def declared(line):
    """The name that a line at the left margin declares."""
    found = next((m for m in (d.match(line) for d in DECLARATIONS) if m), None)
    return found.group(1) if found and found.group(1) not in ENTRIES + ("TEST_CASE",) else None


def own_names(source):
    """{name: words} of what a unit declares for itself, in a namespace without a name or outside of all, and of its
    short names. The same name may stand twice if the same words declare it. Overloads are taken for clashes; what
    is missed shows as an error of the compiler."""
    names, private, depth = {}, False, 0
    for line in lines_of(source):
        short = re.match(r"(?:using|namespace) .*?(\w+)(?:;$| = )", line)
        if short:
            names[short.group(1)] = line
        elif line.startswith("namespace"):
            depth += 0 if line.startswith("namespace {") else 1
            private = private or line.startswith("namespace {")
        elif line.startswith("}") and "namespace" in line:
            depth -= 0 if line.rstrip().endswith("namespace") else 1
            private = private and not line.rstrip().endswith("namespace")
        elif (private or depth == 0) and declared(line):
            names[declared(line)] = source
    return names


def lines_of(file):
    return pathlib.Path(file).read_text(errors="replace").splitlines()


@functools.cache
def room_names(room):
    """What the headers of a room declare: a unit that says such a name for its own stands alone."""
    return {declared(line) for header in pathlib.Path(room).glob("*.h") for line in lines_of(header)} - {None}


def is_outside(source):
    """Whether a unit stands outside of all namespaces, as most tests and fuzz targets do, and nothing in it hinders that
    it is put into one (enclosed() in units.py)."""
    lines = lines_of(source)
    return re.search(r"_(test|fuzz)\.cc$", source) is not None and not any(
        re.match(r"namespace [\w:]+ \{|template <>|#(if|define)", line) for line in lines)


def grouped(sources, key=lambda source: None):
    """Lists of sources with one key and no name in common, GROUP at most in each. What stands outside of all namespaces
    sees every name of its room, so those of two rooms don't mix."""
    groups = []
    for source in sources:
        room = os.path.dirname(source)
        names = {(room, name): words for name, words in own_names(source).items()}
        alone = any(words == source and name in room_names(room) for (_, name), words in names.items())
        kind = (room if is_outside(source) else None, source if alone else None, key(source))
        for group in groups:
            if (group["kind"] == kind and len(group["sources"]) < GROUP
                    and all(group["names"].get(name, words) == words for name, words in names.items())):
                group["sources"].append(source)
                group["names"].update(names)
                break
        else:
            groups.append({"kind": kind, "sources": [source], "names": names})
    return [group["sources"] for group in groups]


if __name__ == "__main__":
    for group in grouped(sys.argv[1:]):
        print(";".join(group))
