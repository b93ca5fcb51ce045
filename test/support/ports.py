"""Ports for servers that must be told one before they start.

They lie below the ephemeral ones, of which the kernel gives one away with every connection that somebody makes. No two tests on one
machine are given the same: each holds a name in the abstract namespace of Unix sockets, which goes with its process.
"""

import collections
import random
import socket
import socketserver
import threading

FIRST, LAST = 11000, 32000
OFFSETS = (25, 53, 80, 110, 143, 465, 587, 993, 995, 4190)  # a sandbox listens on the base plus these
claims = collections.deque(maxlen=400)  # who holds more has long started the servers of the oldest
chance = random.SystemRandom()  # a test that repeats a seed gets other ports


def claim(port, addresses):
    """Keeps a port that neither TCP nor UDP has on these addresses; whether it could."""
    name = socket.socket(socket.AF_UNIX)
    try:
        name.bind(f"\0posthorn-test-port-{port}")
        for address in addresses:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                with socket.socket(socket.AF_INET, kind) as probe:
                    probe.bind((address, port))
    except OSError:
        name.close()
        return False
    claims.append(name)
    return True


def free_port(address="127.0.0.1"):
    while True:
        port = chance.randrange(FIRST, LAST)
        if claim(port, [address]):
            return port


def free_port_base(addresses=("127.0.0.1",)):
    """For sites that must know each other's ports before they start."""
    while True:
        base = chance.randrange(FIRST, LAST - max(OFFSETS))
        if all(claim(base + offset, addresses) for offset in OFFSETS):
            return base


def serve(handler):
    """Threads of this process serve connections with this class, on a port of 127.0.0.1 that it gives."""
    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True
    server = Server(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server.server_address[1]


def is_open(port, address="127.0.0.1"):
    try:
        socket.create_connection((address, port), 5).close()
        return True
    except OSError:
        return False


def accepts(path):
    """Whether somebody accepts connections on this Unix socket."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(path))
            return True
        except OSError:
            return False


def greets(port):
    """Whether an SMTP server on 127.0.0.1 says 220."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as probe:
            return probe.recv(3) == b"220"
    except OSError:
        return False
