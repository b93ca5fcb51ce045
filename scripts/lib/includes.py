"""A file includes what it uses of the standard headers that cmake/Precompiled.cmake compiles beforehand: the compiler
does not see that an #include is missing there. What a header of ours includes counts for who includes that.
And what a source says `using` of, it uses.

usage: includes.py FILES..."""

import functools
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
ALGORITHMS = ("all_of any_of clamp copy_if count_if equal_range fill_n find_if lower_bound max_element min_element none_of "
              "nth_element partial_sort remove_if replace_if reverse rotate search sort stable_sort transform unique "
              "upper_bound min max").split()
USES = {  # header: what only it gives
    "algorithm": r"std::(?:ranges::)?(?:%s)\(" % "|".join(ALGORITHMS),
    "chrono": r"std::chrono::",
    "coroutine": r"std::(?:coroutine_handle|suspend_\w+|noop_coroutine)\b",
    "filesystem": r"std::filesystem::",
    "functional": r"std::(?:move_only_function|function)<",
    "map": r"std::(?:multi)?map<",
    "memory": r"std::(?:unique_ptr|shared_ptr|weak_ptr|make_unique|make_shared)\b",
    "optional": r"std::(?:optional<|nullopt\b)",
    "set": r"std::(?:multi)?set<",
    "string": r"std::(?:string|to_string)\b",
    "string_view": r"std::string_view\b",
    "unordered_map": r"std::unordered_map<",
    "vector": r"std::vector<",
    "fmt/format.h": r"fmt::format\(",
    "tl/expected.hpp": r"tl::(?:un)?expected\b",
}
GIVEN = {"string": {"string_view"}, "filesystem": {"string", "string_view"}}  # by the standard


@functools.cache
def read(path):
    return path.read_text(errors="replace")


def included(path, seen):
    """The standard headers that come with a file of ours."""
    found = set()
    for open_, name in re.findall(r'^#include ([<"])([^>"]+)', read(path), re.M):
        if open_ == "<":
            found |= {name} | GIVEN.get(name, set())
        elif (ROOT / name).exists() and name not in seen:
            seen.add(name)
            found |= included(ROOT / name, seen)
    return found


def missing(path):
    text = re.sub(r'//.*|"(?:[^"\\\n]|\\.)*"', "", read(path))
    used = {header: re.search(words, text) for header, words in USES.items()}
    used = {header: match for header, match in used.items() if match}
    if not used:
        return []
    there = included(path, set())
    return [(text.count("\n", 0, match.start()) + 1, header, match.group())
            for header, match in used.items() if header not in there]


def unused(path):
    """(line, name) of using-declarations that nothing follows up. clang-tidy's check for it took a fifth of its time."""
    text = re.sub(r"//.*", "", read(path))
    for match in re.finditer(r"^\s*using [\w:]*::(\w+);", text, re.M):
        if len(re.findall(rf"\b{match.group(1)}\b", text)) == 1:
            yield text.count("\n", 0, match.start(1)) + 1, match.group(1)


def main():
    faults = 0
    for name in sys.argv[1:]:
        for line, word in unused(ROOT / name) if name.endswith(".cc") else ():
            print(f"{name}:{line}: using {word}, which isn't used")
            faults += 1
        for line, header, word in missing(ROOT / name):
            print(f"{name}:{line}: {word.rstrip('(<')} needs #include <{header}>")
            faults += 1
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
