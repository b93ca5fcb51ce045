"""Delivery: what has the queue hands messages to what has the mailboxes, by LMTP or by starting a program."""

from adapters.cyrus import Cyrus
from adapters.dovecot import Dovecot, Lda
from adapters.exim import Exim
from adapters.maildrop import Maildrop
from adapters.opensmtpd import OpenSmtpd
from adapters.postfix import Postfix
from adapters.posthorn import Deliverd, Exec, Queue, Stdin
from adapters.procmail import Procmail
from messages import check_all, letters, send_all
from seams import Seam
from work import wait_until

LEFT = {"smtpd+queued": Queue, "Postfix": Postfix, "Exim": Exim, "OpenSMTPD": OpenSmtpd}
RIGHT = {
    "deliverd (LMTP, unix)": Deliverd,
    "deliverd (LMTP, TCP)": lambda work: Deliverd(work, "inet"),
    "deliverd --exec procmail": lambda work: Exec(work, Procmail(work)),
    "deliverd --exec maildrop": lambda work: Exec(work, Maildrop(work)),
    "deliverd --exec dovecot-lda": lambda work: Exec(work, Lda(work)),
    "deliverd --stdin": Stdin,
    "Dovecot LMTP": Dovecot,
    "dovecot-lda": Lda,
    "maildrop": Maildrop,
    "procmail": Procmail,
    "Cyrus LMTP": Cyrus,
}
PROGRAMS = ("deliverd --stdin", "dovecot-lda", "maildrop", "procmail")


def choose(work, *sides):
    """The letters that all sides can take; what is left out is noted."""
    chosen = []
    for letter in letters(work.large):
        lacking = [(side.name, need) for side in sides for need in letter.needs if need not in side.features]
        if lacking:
            work.note(f"without {letter.name}: " + ", ".join(f"{name} has no {need}" for name, need in lacking))
        else:
            chosen.append(letter)
    return chosen


def check_log(side, chosen):
    """The sender's log names each recipient as served."""
    for letter in chosen:
        for recipient in letter.recipients:
            if recipient != letter.unknown and recipient.isascii():
                wait_until(f"{side.name}'s log says that {letter.name} went to {recipient}", lambda to=recipient: side.logged(to))


def test(work, left, right):
    delivery = RIGHT[right](work)
    mta = LEFT[left](work, delivery)
    chosen = choose(work, mta, delivery)
    refused = send_all(mta.port, chosen)
    said = check_all(chosen, refused, delivery.maildir, mta)
    check_log(mta, chosen)
    return said


SEAM = Seam("delivery", "who has the queue -> who has the mailboxes", LEFT, RIGHT, test,
            {("smtpd+queued", program): "queued executes nothing: deliverd --exec runs the program" for program in PROGRAMS},
            [("smtpd+queued", "Dovecot LMTP"), ("Postfix", "deliverd (LMTP, unix)"), ("Exim", "deliverd --stdin"),
             ("OpenSMTPD", "deliverd (LMTP, TCP)"), ("smtpd+queued", "deliverd --exec maildrop")])
