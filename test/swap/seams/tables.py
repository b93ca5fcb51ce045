"""Tables: smtpd and queued ask a server of somebody else's what an address stands for."""

import socket
import socketserver

from ports import serve

from adapters.posthorn import Deliverd, Queue
from messages import ANN, connect, send, Letter, check_arrival
from seams import Seam
from work import DOMAIN, Failed, free_port, is_open, need

KNOWN = {f"list@{DOMAIN}": f"u1@{DOMAIN}"}


class Served:
    """A table that answers on a port. address: what is asked for, that leads to u1."""

    def __init__(self, option, value, address):
        self.flags = [option, value]
        self.address = address


class TcpTable(socketserver.StreamRequestHandler):
    """Postfix's tcp_table: get KEY."""

    def handle(self):
        for line in self.rfile:
            key = line.decode().strip().removeprefix("get ").replace("%40", "@")
            self.wfile.write(f"200 {KNOWN[key]}\n".encode() if key in KNOWN else b"500 unknown\n")


class Socketmap(socketserver.StreamRequestHandler):
    """Netstrings: NAME KEY."""

    def handle(self):
        while length := self.rfile.read(1):
            while not length.endswith(b":"):
                length += self.rfile.read(1)
            asked = self.rfile.read(int(length[:-1]) + 1)[:-1].decode().split(" ", 1)[1]
            said = (f"OK {KNOWN[asked]}" if asked in KNOWN else "NOTFOUND ").encode()
            self.wfile.write(b"%d:%s," % (len(said), said))


def script(handler, form):
    def start(work):
        return Served("--virtual", form.format(port=serve(handler)), f"list@{DOMAIN}")
    return start


def postsrsd(work):
    """The way back of a sender that postsrsd has rewritten."""
    forward, reverse = free_port(), free_port()
    secret = work.put("postsrsd/secret", "a secret of this cell's\n", mode=0o600)
    work.start("postsrsd", [need("postsrsd"), f"-s{secret}", "-dforwarder.test", f"-f{forward}", f"-r{reverse}", "-l127.0.0.1", "-4"],
               lambda: is_open(forward) and is_open(reverse))
    with socket.create_connection(("127.0.0.1", forward), 60) as client:
        client.sendall(f"get u1@{DOMAIN}\n".encode())
        said = client.recv(1000).decode().split()
    if said[0] != "200":
        raise Failed(f"postsrsd says {said}")
    served = Served("--virtual", f"tcp:inet:127.0.0.1:{reverse}", said[1])
    served.flags += ["--domains", "forwarder.test"]
    return served


def mta_sts(work):
    """It knows no policy of any domain here: each question is answered NOTFOUND, and mail goes the usual way."""
    port = free_port()
    conf = work.put("mta-sts.yml", f"host: 127.0.0.1\nport: {port}\nreuse_port: true\ncache:\n  type: internal\n  options:\n    cache_size: 100\n"
                    "default_zone:\n  strict_testing: false\n  timeout: 4\n")
    work.start("mta-sts-daemon", [need("mta-sts-daemon"), "-c", conf], lambda: is_open(port), env={"HOME": str(work.directory), "PATH": "/usr/bin:/bin"})
    return Served("--transports", f"socketmap:inet:127.0.0.1:{port}:postfix", f"u1@{DOMAIN}")


LEFT = {"smtpd+queued": Queue}
RIGHT = {"postsrsd (tcp_table)": postsrsd, "postfix-mta-sts-resolver (socketmap)": mta_sts,
         "a script (tcp_table)": script(TcpTable, "tcp:inet:127.0.0.1:{port}"),
         "a script (socketmap)": script(Socketmap, "socketmap:inet:127.0.0.1:{port}:virtual")}


def test(work, left, right):
    table = RIGHT[right](work)
    delivery = Deliverd(work)
    userdb = f"unix:{work.directory}/posthorn/run/userdb.sock"
    mta = LEFT[left](work, delivery, userdb, flags=table.flags)
    letter = Letter("table", [table.address], b"by a table\r\n")
    with connect(mta.port) as client:
        send(client, letter)
        client.docmd(f"MAIL FROM:<{ANN}>")
        code = client.docmd(f"RCPT TO:<nobody-here@{DOMAIN}>")[0]
        if code != 550:
            raise Failed(f"an address that the table does not know is answered {code}")
    letter.recipients = [f"u1@{DOMAIN}"]
    check_arrival(letter, delivery.maildir)
    return [f"{table.address} is u1" if "u1@" not in table.address[:3] else "nothing found: the usual way"]


SEAM = Seam("tables", "who asks -> whose table", LEFT, RIGHT, test, quick=[("smtpd+queued", "postsrsd (tcp_table)")])
