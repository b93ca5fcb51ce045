"""Who may include whom: every #include of the tree against the link lists in libmail/CMakeLists.txt,
libdns/CMakeLists.txt and agents/*/CMakeLists.txt. Prints one line a fault; exits 1 if there is one."""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Rooms without I/O: bytes and values in, bytes and values out.
PURE = {"libmail/message", "libmail/smtp", "libmail/imap", "libmail/pop3", "libmail/sieve", "libmail/sasl",
        "libmail/dsn", "libmail/milter", "libmail/trust", "libdns/wire", "libdns/dnssec", "libdns/zone", "libdns/cache"}
# The users file's editor lies beside its format, so that `posthorn user` and authd share both.
IMPURE_FILES = {"libmail/sasl/passwd_edit.cc"}
IMPURE_HEADERS = re.compile(
    r"^(sys/(socket|un|stat|epoll|uio|file|inotify|wait|mman|time)\.h|netinet/.*|netdb\.h|unistd\.h|fcntl\.h|poll\.h|"
    r"syslog\.h|pthread\.h|signal\.h|time\.h|ctime|thread|mutex|condition_variable|fstream|iostream|filesystem|"
    r"libmail/base/fd\.h|libmail/service/.*)$")
IMPURE_CALLS = re.compile(r"\b(wall_now\s*\(|(system|steady|high_resolution)_clock::now|Loop::current)")

# Headers that one library brings: the rooms that link it themselves may include it. The last column, where there
# is one, narrows that down to the rooms named.
FOREIGN = [
    (r"uv\.h", "PkgConfig::uv", {"libmail/async"}),
    (r"openssl/ssl\.h", "OpenSSL::SSL", {"libmail/tls"}),
    (r"openssl/.*", "OpenSSL::", None),
    (r"ares.*\.h", "PkgConfig::cares", {"libdns/stub"}),
    (r"CLI/.*", "CLI11::CLI11", {"libmail/service", "agents"}),
    (r"toml\+\+/.*", "PkgConfig::tomlplusplus", {"libmail/service", "agents"}),
    (r"idn2\.h", "PkgConfig::idn2", None),
    (r"crypt\.h", "PkgConfig::crypt", None),
    (r"seccomp\.h", "PkgConfig::seccomp", None),
    (r"nlohmann/.*", "nlohmann_json::nlohmann_json", None),
]


def link_lists():
    """{"libmail/smtp": {"libmail_base", ...}}: what each room and agent links itself."""
    links = {}
    files = [ROOT / "libmail/CMakeLists.txt", ROOT / "libdns/CMakeLists.txt",
             *sorted(ROOT.glob("agents/*/CMakeLists.txt"))]
    call = re.compile(r"posthorn_(room|agent)\(\s*([\w/]+)\s+LINKS\s+([^)]*)\)")
    for file in files:
        text = re.sub(r"#.*", "", file.read_text())
        for kind, name, targets in call.findall(text):
            folder = "agents/" + name if kind == "agent" else f"{file.parent.name}/{name}"
            links[folder] = set(targets.split())
    return links


def folder_of_target(target, links):
    return next((f for f in links if not f.startswith("agents/") and f.replace("/", "_") == target), None)


def reachable(folder, links):
    """The rooms that `folder` may include: what it links, and what that links."""
    seen, todo = {folder}, [folder]
    while todo:
        for target in links.get(todo.pop(), ()):
            room = folder_of_target(target, links)
            if room and room not in seen:
                seen.add(room)
                todo.append(room)
    return seen


def owner(path, links):
    """The room or agent that a file of libmail, libdns or agents belongs to."""
    return max((f for f in links if path.startswith(f + "/")), key=len, default=None)


def faults_of(path, text, links):
    folder = owner(path, links)
    if folder is None:
        yield 1, "belongs to no room or agent of a CMakeLists.txt"
        return
    is_test = path.endswith(("_test.cc", "_fuzz.cc")) or pathlib.PurePath(path).name.startswith("test_")
    allowed = reachable(folder, links)
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if found:
            fault = include_fault(folder, found.group(2), found.group(1), is_test or path in IMPURE_FILES, allowed, links)
            if fault:
                yield number, fault
        elif folder in PURE and not is_test and IMPURE_CALLS.search(line.split("//")[0]):
            yield number, f"{folder} does no I/O: it takes the time as an argument"


def include_fault(folder, header, quote, is_test, allowed, links):
    if is_test and (header.startswith("test/support/") or header == "catch2/catch.hpp"):
        return None
    if quote == '"':
        target = owner(header, links)
        if target is None:
            return f'"{header}": project headers are included by their path from the top folder, from a room'
        if target.startswith("agents/") and target != folder:
            return f'"{header}": agents never include each other, and nothing includes an agent'
        if target not in allowed:
            return f'"{header}": {folder} does not link {target.replace("/", "_")}'
    if folder in PURE and not is_test and IMPURE_HEADERS.match(header):
        return f"<{header}>: {folder} does no I/O (no socket, clock, file, log)"
    for pattern, library, rooms in FOREIGN:
        if not re.fullmatch(pattern, header):
            continue
        if rooms and folder not in rooms and folder.split("/")[0] not in rooms:
            return f"<{header}>: only {' and '.join(sorted(rooms))} may include it"
        if not folder.startswith("agents/") and not any(t.startswith(library) for t in links[folder]):
            return f"<{header}>: {folder} does not link {library}"
        return None
    return None


def main():
    links = link_lists()
    count = 0
    for top in ("libmail", "libdns", "agents"):
        for file in sorted((ROOT / top).rglob("*")):
            if file.suffix not in (".h", ".cc"):
                continue
            path = str(file.relative_to(ROOT))
            for line, fault in faults_of(path, file.read_text(errors="replace"), links):
                print(f"{path}:{line}: {fault}")
                count += 1
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
