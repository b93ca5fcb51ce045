#!/usr/bin/env python3
"""Every listener of every agent, of every kind: activation_test.py DIRECTORY-OF-PROGRAMS.

Each row starts an agent alone, from flags, and lets it greet a client on inet:, unix:, fd: (inherited, and passed by
systemd-socket-activate) and stdio:.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time

SKIPPED = 77
WAIT = 60.0

INTAKE = ["--queue", "{site}/queue", "--domains", "example.org"]
FRONT = ["--worker-at", "unix:{site}/run/worker.sock"]
TLS = ["--tls-cert", "{site}/../cert.pem", "--tls-key", "{site}/../key.pem", "--listen", "none"]
GET = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

# agent, the option that listens, what the client sends first, what the answer begins with, more flags
ROWS = [
    ("smtpd", "listen", b"", b"220 ", INTAKE),
    ("smtpd", "listen-tls", b"", b"220 ", INTAKE + TLS),
    ("submissiond", "listen", b"", b"220 ", INTAKE),
    ("submissiond", "listen-tls", b"", b"220 ", INTAKE + TLS),
    ("relayd", "listen", b"", b"220 ", []),
    ("deliverd", "listen", b"", b"220 ", []),
    ("pop3d", "listen", b"", b"+OK ", FRONT + ["--listen-tls", "none"]),
    ("pop3d", "listen-tls", b"", b"+OK ", FRONT + TLS),
    ("pop3d", "worker-listen", b"", b"+OK ", ["--worker"]),
    ("imapd", "listen", b"", b"* OK ", FRONT + ["--listen-tls", "none"]),
    ("imapd", "listen-tls", b"", b"* OK ", FRONT + TLS),
    ("imapd", "worker-listen", b"", b"* OK ", ["--worker"]),
    ("authd", "listen", b"VERSION\t1\t2\nCPID\t1\n", b"VERSION\t1\t", ["--listen-userdb", "none"]),
    ("authd", "listen-userdb", b"VERSION\t1\t0\n", b"VERSION\t1\t", ["--listen", "none"]),
    ("queued", "ops", GET, b"HTTP/1.1 200 ", []),
    ("authd", "ops", GET, b"HTTP/1.1 200 ", ["--listen", "none", "--listen-userdb", "none"]),
    ("deliverd", "ops", GET, b"HTTP/1.1 200 ", ["--listen", "none"]),
    ("relayd", "ops", GET, b"HTTP/1.1 200 ", ["--listen", "none"]),
    ("smtpd", "ops", GET, b"HTTP/1.1 200 ", INTAKE + ["--listen", "none"]),
    ("submissiond", "ops", GET, b"HTTP/1.1 200 ", INTAKE + ["--listen", "none"]),
    ("pop3d", "ops", GET, b"HTTP/1.1 200 ", FRONT + ["--listen", "none", "--listen-tls", "none"]),
    ("imapd", "ops", GET, b"HTTP/1.1 200 ", FRONT + ["--listen", "none", "--listen-tls", "none"]),
]

failures = []


def fail(row, kind, text):
    failures.append(f"{row[0]} --{row[1]} on {kind}: {text}")
    print(failures[-1])


def flags(row, site):
    # The listeners that this row is not about are switched off; ops stays where the site is.
    return ["--site", str(site)] + [word.replace("{site}", str(site)) for word in row[4]]


def talk(client, row):
    client.settimeout(WAIT)
    if row[1] == "listen-tls":
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with context.wrap_socket(client) as secured:
            return exchange(secured, row)
    return exchange(client, row)


def exchange(client, row):
    if row[2]:
        client.sendall(row[2])
    answer = b""
    while len(answer) < len(row[3]):
        octets = client.recv(1000)
        if not octets:
            break
        answer += octets
    return answer


def expect(row, kind, answer):
    if not answer.startswith(row[3]):
        fail(row, kind, f"the answer is {answer[:200]!r}")


def connect_when_up(make, process):
    deadline = time.monotonic() + WAIT
    while True:
        try:
            return make()
        except OSError:
            if time.monotonic() > deadline or process.poll() is not None:
                raise
            time.sleep(0.02)


def with_agent(row, kind, argv, make, log):
    """Starts argv, connects, compares, ends it."""
    process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        with connect_when_up(make, process) as client:
            expect(row, kind, talk(client, row))
    except OSError as problem:
        fail(row, kind, f"{problem}; {log_text(log)}")
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            fail(row, kind, "SIGTERM did not end it within 20 s")


def log_text(log):
    log.flush()
    return pathlib.Path(log.name).read_text(errors="replace")[-1000:]


def unix_client(path):
    client = socket.socket(socket.AF_UNIX)
    client.connect(str(path))
    return client


def inet_client(port):
    return socket.create_connection(("127.0.0.1", port), timeout=WAIT)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening_port(log):
    match = re.search(r"on=inet:127\.0\.0\.1:(\d+)", pathlib.Path(log.name).read_text(errors="replace"))
    if not match:
        raise OSError("it does not listen yet")
    return int(match.group(1))


def check_inet(programs, row, site, log):
    argv = [programs / row[0], *flags(row, site), f"--{row[1]}", "inet:127.0.0.1:0"]
    with_agent(row, "inet", argv, lambda: inet_client(listening_port(log)), log)


def check_unix(programs, row, site, log):
    path = site / "run/test.sock"
    argv = [programs / row[0], *flags(row, site), f"--{row[1]}", f"unix:{path}"]
    with_agent(row, "unix", argv, lambda: unix_client(path), log)


def check_activation(programs, row, site, log):
    port = free_port()
    argv = ["systemd-socket-activate", "-l", f"127.0.0.1:{port}", f"--fdname={row[1]}", programs / row[0],
            *flags(row, site)]
    with_agent(row, "fd (systemd-socket-activate)", argv, lambda: inet_client(port), log)


def check_fd(programs, row, site, log):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        os.set_inheritable(server.fileno(), True)
        argv = [programs / row[0], *flags(row, site), f"--{row[1]}", f"fd:{server.fileno()}"]
        process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, close_fds=False)
        try:
            with inet_client(port) as client:
                expect(row, "fd", talk(client, row))
        except OSError as problem:
            fail(row, "fd", f"{problem}; {log_text(log)}")
        finally:
            process.terminate()
            process.wait(20)


def check_stdio(programs, row, site, log):
    """inetd: one socket on standard input and output; the agent ends with its client."""
    ours, theirs = socket.socketpair()
    argv = [programs / row[0], *flags(row, site), f"--{row[1]}", "stdio:"]
    process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=log)
    theirs.close()
    try:
        with ours:
            expect(row, "stdio", talk(ours, row))
        code = process.wait(20)
        if code != 0:
            fail(row, "stdio", f"it ends with {code}; {log_text(log)}")
    except (OSError, subprocess.TimeoutExpired) as problem:
        process.kill()
        process.wait()
        fail(row, "stdio", f"{problem}; {log_text(log)}")


def check_inetd(programs, home):
    """A TCP client that inetd hands over on stdio: is a stranger, as on any other way."""
    with tempfile.TemporaryDirectory(prefix="site-", dir=home) as name, socket.create_server(("127.0.0.1", 0)) as server:
        site = pathlib.Path(name)
        (site / "queue").mkdir()
        (site / "run").mkdir()
        with socket.create_connection(server.getsockname(), timeout=WAIT) as client:
            theirs, _ = server.accept()
            argv = [programs / "submissiond", "--site", site, "--domains", "example.org", "--auth", "", "--listen", "stdio:"]
            process = subprocess.Popen(argv, stdin=theirs, stdout=theirs, stderr=subprocess.DEVNULL)
            theirs.close()
            client.sendall(b"EHLO x\r\nMAIL FROM:<x@y.test>\r\nVRFY x\r\nQUIT\r\n")
            said = b""
            while octets := client.recv(4096):
                said += octets
            if process.wait(20) != 0 or b"\r\n530 5.7.0 " not in said or b"\r\n252 2.5.0 " not in said:
                failures.append(f"submissiond takes a TCP client on stdio: for a local user: {said!r}")
                print(failures[-1])


def make_certificate(home):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj",
                    "/CN=localhost", "-keyout", home / "key.pem", "-out", home / "cert.pem"], check=True, capture_output=True)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    with tempfile.TemporaryDirectory(prefix="posthorn-activation-") as name:
        home = pathlib.Path(name)
        make_certificate(home)
        check_inetd(pathlib.Path(sys.argv[1]).resolve(), home)
        check_all(pathlib.Path(sys.argv[1]).resolve(), home)


def check_all(programs, home):
    activation = shutil.which("systemd-socket-activate")
    for row in ROWS:
        for check in (check_inet, check_unix, check_fd, check_stdio, check_activation):
            if check is check_activation and not activation:
                continue
            with tempfile.TemporaryDirectory(prefix="site-", dir=home) as name:
                site = pathlib.Path(name)
                for part in ("conf", "run", "mail", "queue/segments", "queue/free", "queue/spool", "queue/drop"):
                    (site / part).mkdir(parents=True)
                with open(site / "log", "w+", encoding="utf-8") as log:
                    check(programs, row, site, log)
    if failures:
        sys.exit(1)
    if not activation:
        print("skipped: there is no systemd-socket-activate (package systemd)")
        sys.exit(SKIPPED)


main()
