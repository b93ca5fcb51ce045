"""Local delivery: programs that start deliverd --stdin for one user, and what it tells them by its exit code."""

from adapters.postfix import Postfix
from adapters.posthorn import Stdin
from adapters.stores import DovecotStore, fill
from adapters.clients import Fetchmail, Getmail
from messages import ANN, check_all, check_arrival, letters, send_all
from seams import Seam
from work import DOMAIN, USERS, Failed, need


def some(work):
    """Letters for u1, u2 and u3; the others only repeat themselves here."""
    return [letter for letter in letters(work.large) if letter.name in ("plain", "mime", "8bit", "large")]


def pipe(work, delivery):
    mta = Postfix(work, delivery)
    chosen = letters(work.large)
    return check_all(chosen, send_all(mta.port, chosen), delivery.maildir)


def mailbox_command(work, delivery):
    """local(8) runs the command as the user it delivers to: here each name is an alias of nobody, told apart by its address."""
    script = work.script("local", delivery).read_text().replace('"$RECIPIENT"', '"$ORIGINAL_RECIPIENT"')
    command = work.put("local-command", script, mode=0o755)
    private = work.private("postfix", users=[user for user in USERS if user.isascii()])
    # Each of these users has nobody's number, as a site with virtual users has it.
    passwd = work.directory / "postfix-etc/passwd"
    lines = passwd.read_text().splitlines()
    passwd.write_text("".join((":".join([parts[0], "x", "65534", "65534", *parts[4:]]) if (parts := line.split(":"))[0] in USERS else line)
                              + "\n" for line in lines))
    mta = Postfix(work, main=f"mydestination = {DOMAIN}\nmailbox_command = {command}\nlocal_recipient_maps =\n", prefix=private)
    chosen = [letter for letter in letters(work.large) if letter.name != "utf8"]
    work.note("without utf8: a Unix user has no such name")
    return check_all(chosen, send_all(mta.port, chosen), delivery.maildir)


def procmail(work, delivery):
    words = " ".join(str(word) for word in delivery.command).replace("${sender}", ANN)
    rc = work.put("procmail.rc", f"SHELL=/bin/sh\nPATH=/usr/bin:/bin\nTO=$1\n:0 wr\n| {words.replace('${recipient}', '$TO')}\n")
    for letter in some(work):
        work.run([need("procmail"), "-m", rc, letter.recipients[0]], letter.stored)
        check_arrival(letter, delivery.maildir)
    return ["every octet"]


def fetched_by(work, delivery, kind):
    """A client takes mail from a POP3 server and starts deliverd for each message."""
    chosen = some(work)
    server = DovecotStore(work, fill(work, chosen))
    client = kind(work, server)
    words = " ".join(str(word) for word in delivery.command).replace("${sender}", ANN).replace("${recipient}", f"u1@{DOMAIN}")
    text = client.rc.read_text()
    if kind is Fetchmail:
        text = text.replace(f'mda "{client.home}/store"', f'mda "{words}"')
    else:
        # getmail takes whatever a delivery program writes for a failure.
        program, *arguments = words.split() + ["--log-level", "warning"]
        text = text.replace(f"type = Maildir\npath = {client.home}/Maildir/", f"type = MDA_external\npath = {program}\narguments = {tuple(arguments)}")
    work.put(client.rc, text, mode=0o600)
    try:
        client.fetch()
    except Failed as nothing:  # in its own folder there is nothing, that is right
        if "fetched nothing" not in str(nothing):
            raise
    for letter in chosen:
        letter.recipients = [f"u1@{DOMAIN}"]
        check_arrival(letter, delivery.maildir)
    return ["every octet"]


LEFT = {"Postfix pipe(8)": pipe, "Postfix mailbox_command": mailbox_command, "procmail": procmail,
        "fetchmail mda": lambda work, delivery: fetched_by(work, delivery, Fetchmail),
        "getmail": lambda work, delivery: fetched_by(work, delivery, Getmail)}


def test(work, left, right):
    return LEFT[left](work, Stdin(work))


SEAM = Seam("local_delivery", "who starts a delivery program -> deliverd --stdin", LEFT, {"deliverd --stdin": Stdin}, test,
            quick=[("procmail", "deliverd --stdin")])
