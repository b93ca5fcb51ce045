"""Sending: what carries mail to another site, and the site that takes it."""

from adapters.dma import Dma
from adapters.exim import Exim
from adapters.msmtp import Msmtp
from adapters.opensmtpd import OpenSmtpd
from adapters.postfix import Postfix
from adapters.posthorn import Deliverd, Queue, Relay
from messages import check_all, send_all
from seams import Seam
from seams.delivery import choose
from seams.submission import EXIM_ROUTE, EXIM_SMTP

LEFT = {
    "relayd": Relay,
    "Postfix": lambda work, port: Postfix(work.beside("sender"), main=f"relayhost = [127.0.0.1]:{port}\nsmtp_tls_security_level = may\n"),
    "Exim": lambda work, port: Exim(work.beside("sender"), routers=EXIM_ROUTE.format(port=port), transports=EXIM_SMTP),
    "OpenSMTPD": lambda work, port: OpenSmtpd(work.beside("sender"), more=(
        f'action "away" relay host "smtp://127.0.0.1:{port}"\nmatch from any for any action "away"')),
    "msmtp": Msmtp,
    "dma": Dma,
}
RIGHT = {"smtpd+queued": Queue, "Postfix": Postfix, "Exim": Exim, "OpenSMTPD": OpenSmtpd}


def test(work, left, right):
    delivery = Deliverd(work)
    mta = RIGHT[right](work, delivery)
    sender = LEFT[left](work, mta.port)
    chosen = choose(work, sender, mta, delivery)
    refused = sender.inject(chosen) if hasattr(sender, "inject") else send_all(sender.port, chosen)
    return check_all(chosen, refused, delivery.maildir, mta)


OTHERS = "nothing of ours stands at this seam"
SEAM = Seam("sending", "who carries mail to another site -> who takes it there", LEFT, RIGHT, test,
            {(left, right): OTHERS for left in LEFT if left != "relayd" for right in RIGHT if right != "smtpd+queued"},
            [("relayd", "Postfix"), ("msmtp", "smtpd+queued")])
