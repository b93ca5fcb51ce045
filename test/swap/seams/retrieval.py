"""Retrieval: who serves the mailbox, and who fetches from it. Every octet, and nothing a second time."""

from adapters.clients import CLIENTS
from adapters.stores import SERVERS, fill
from messages import TRACE, letters
from seams import Seam
from work import Failed

LEFT = {name: server for name, server in SERVERS.items() if name != "Courier"}


def same(letter, found):
    """The letter below fields that a client writes for itself."""
    text = found.replace(b"\r\n", b"\n")
    head = text[:-len(letter.stored)] if text.endswith(letter.stored) else None
    return head is not None and all(line[:1].isspace() or line.split(b":")[0].lower() in TRACE for line in head.splitlines())


def without_status(text):
    """mutt and fetchmail note a message's state in its header."""
    head, _, body = text.replace(b"\r\n", b"\n").partition(b"\n\n")
    own = (b"x-tuid:", b"status:", b"content-length:", b"lines:", b"x-uid:", b"x-status:")
    return b"\n".join(line for line in head.split(b"\n") if not line.lower().startswith(own)) + b"\n\n" + body


def test(work, left, right):
    chosen = letters(work.large)
    server = LEFT[left](work, fill(work, chosen))
    client = CLIENTS[right](work, server)
    for round_ in ("first", "second"):
        found = client.fetch()
        if len(found) != len(chosen):
            raise Failed(f"after the {round_} run {right} has {len(found)} messages instead of {len(chosen)}")
    for letter in chosen:
        if not any(same(letter, text) or same(letter, without_status(text)) for text in found):
            raise Failed(f"{right} has no {letter.name} as it was sent: {[text[:300] for text in found if letter.name.encode() in text[:400]]}")
    return ["every octet, nothing twice"]


SEAM = Seam("retrieval", "who serves the mailbox -> who fetches from it", LEFT, CLIENTS, test,
            quick=[("imapd+pop3d", "mbsync")])
