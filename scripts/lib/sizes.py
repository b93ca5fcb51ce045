"""A listing for whoever reads a change, never a failure: files over 600 lines, functions over 100, work left
undone. Arguments: the files to look at."""

import re
import sys

FILE_LINES = 600
FUNCTION_LINES = 100
UNDONE = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")


def functions(lines):
    """(first line, length) of each function that begins and ends in column 0."""
    start = None  # of the declaration that is being read
    kind = ""
    for number, line in enumerate(lines, 1):
        if line.startswith("}"):
            if start is not None and kind == "function":
                yield start, number - start + 1
            start = None
        elif re.match(r"[A-Za-z_]", line) and start is None:
            start = number
            other = re.match(r"(namespace|extern|class|struct|enum|union|template|using|constexpr)\b", line)
            kind = "other" if other else "function"
        if start is not None and line.endswith(";") and re.match(r"\S", line):
            start = None
        if start is not None and kind == "other" and line.startswith(("namespace", "extern")):
            start = None


def main():
    for path in sys.argv[1:]:
        if not path.endswith((".h", ".cc", ".py")) and not path.startswith("scripts/"):
            continue
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
        if len(lines) > FILE_LINES:
            print(f"sizes: {path}: {len(lines)} lines")
        if path.endswith((".h", ".cc")):
            for start, length in functions(lines):
                if length > FUNCTION_LINES:
                    print(f"sizes: {path}:{start}: {length} lines in one piece")
        for number, line in enumerate(lines, 1):
            if UNDONE.search(line) and path != "scripts/lib/sizes.py":
                print(f"sizes: {path}:{number}: {line.strip()}")


if __name__ == "__main__":
    main()
