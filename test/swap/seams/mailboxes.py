"""Mailboxes: one server after another, and beside it, on the same Maildir. UIDs, flags and keywords stay."""

import re

from adapters.stores import SERVERS, fill
from messages import letters
from seams import Seam
from work import Failed

LEFT, RIGHT = dict(SERVERS), dict(SERVERS)


def look(server):
    """UIDVALIDITY, and for each UID its flags and Message-ID."""
    client = server.open()
    client.select()
    validity = client.response("UIDVALIDITY")[1][0]
    found = {}
    for row in client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]:
        if isinstance(row, tuple):
            text = row[0].decode()
            flags = set(re.search(r"FLAGS \(([^)]*)\)", text).group(1).split()) - {"\\Recent"}
            found[int(re.search(r"UID (\d+)", text).group(1))] = (tuple(sorted(flags)), row[1].decode().split()[1])
    client.logout()
    return validity, found


def change(server, number, keyword):
    """A flag and a keyword on one message, and the one behind it expunged."""
    client = server.open()
    client.select()
    uids = client.uid("SEARCH", "ALL")[1][0].split()
    client.uid("STORE", uids[number], "+FLAGS", f"(\\Flagged \\Answered {keyword})")
    client.uid("STORE", uids[number + 1], "+FLAGS", "(\\Deleted)")
    client.expunge()
    client.logout()


def compare(first, second, what):
    ours, theirs = look(first), look(second)
    if ours != theirs:
        raise Failed(f"{what}: {ours} and {theirs}")
    return ours


def test(work, left, right):
    mail = fill(work, [letter for letter in letters(work.large) if letter.name != "large"])
    first = LEFT[left](work, mail)
    before = look(first)
    change(first, 0, "$Forwarded")
    after = look(first)
    if len(after[1]) != len(before[1]) - 1 or after[0] != before[0]:
        raise Failed(f"{left} made {after} of {before}")
    if left == "Courier":  # its keywords lie where nobody else looks
        after = (after[0], {uid: (tuple(f for f in flags if f[0] == "\\"), name) for uid, (flags, name) in after[1].items()})
    second = RIGHT[right](work, mail)
    if look(second) != after:
        raise Failed(f"{right} makes {look(second)} of {left}'s {after}")
    if left == "Courier":
        return ["UIDVALIDITY, UIDs and flags taken over"]
    change(second, 1, "todo")
    compare(first, second, "both at once, after a change by the second")
    return ["the same UIDs, flags and keywords, one after the other and both at once"]


ONCE = "Courier keeps a UID list of its own; it is taken over once and not written again"
OTHERS = "nothing of ours stands at this seam"
SEAM = Seam("mailboxes", "who served a Maildir -> who serves it now", LEFT, RIGHT, test,
            {**{("*", "Courier"): ONCE}, **{(name, name): "the same on both sides" for name in LEFT}, ("Courier", "Courier"): ONCE,
             ("Courier", "Dovecot"): OTHERS}, [("imapd+pop3d", "Dovecot"), ("Courier", "imapd+pop3d")])
