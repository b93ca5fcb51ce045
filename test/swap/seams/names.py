"""Names: who looks for the hosts of a domain, and who tells. The way of each letter is an MX record."""

import random

from adapters.names import Dnsd, Dnsmasq, Knot, Unbound
from adapters.postfix import Postfix
from adapters.posthorn import Deliverd, Queue, Relay
from messages import check_all, send_all
from seams import Seam
from seams.delivery import choose
from work import DOMAIN, need_root


def relayd(work, names, port):
    return Relay(work, port, ["--dns-server", f"{names.address}:{names.port}", "--mx-port", str(port)], route=False)


def postfix(work, names, port):
    """It knows port 53 only, and the resolv.conf of its own view of the machine."""
    beside = work.beside("sender")
    return Postfix(beside, main=f"relayhost = {DOMAIN}:{port}\nsmtp_host_lookup = dns\nsmtp_tls_security_level = none\n",
                   prefix=beside.private("postfix", etc=[("resolv.conf", f"nameserver {names.address}\n")]))


def at_53(kind):
    """dnsd where only root may listen, on an address of this cell's own."""
    def start(work):
        need_root("port 53")
        return kind(work, f"127.{random.randrange(60, 120)}.{random.randrange(1, 250)}.{random.randrange(1, 250)}", 53)
    return start


LEFT = {"relayd": relayd, "Postfix": postfix}
RIGHT = {"dnsd": Dnsd, "unbound": Unbound, "knot-resolver": Knot, "dnsmasq": Dnsmasq}


def test(work, left, right):
    delivery = Deliverd(work)
    mta = Queue(work, delivery)
    names = at_53(Dnsd)(work) if left == "Postfix" else RIGHT[right](work)
    sender = LEFT[left](work, names, mta.port)
    chosen = choose(work, sender, mta, delivery)
    said = check_all(chosen, send_all(sender.port, chosen), delivery.maildir)
    return [f"by the MX record of {DOMAIN}", *said]


OTHERS = "nothing of ours stands at this seam"
SEAM = Seam("names", "who looks for a domain's hosts -> who tells", LEFT, RIGHT, test,
            {("Postfix", name): OTHERS for name in RIGHT if name != "dnsd"}, [("relayd", "dnsd")])
