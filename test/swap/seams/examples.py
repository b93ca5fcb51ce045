"""The chains of scripts/examples, each run as its head says."""

import smtplib

from adapters.exim import Exim
from adapters.filters import GTUBE, Spamassassin
from adapters.posthorn import Deliverd, Queue
from adapters.stores import Posthorn, fill
from messages import ANN, UNKNOWN, Letter, check_all, check_arrival, connect, letters, send, send_all, stored_in, with_subject
from seams import Seam
from seams.delivery import choose
from work import DOMAIN, PASSWORD, ROOT, USERS, Failed, wait_until

EXAMPLES = ROOT / "scripts/examples"


def example(work, name):
    """The script where nobody may run it."""
    return work.put(f"examples/{name}", (EXAMPLES / name).read_text(), mode=0o755)


def with_sendmail(work):
    """The words before a script that sends: which sendmail, and whose queue it drops into."""
    return f"/usr/bin/env SENDMAIL={work.bench.bin}/sendmail POSTHORN_SITE={work.directory}/mta PATH=/usr/bin:/bin "


def site(work, address, command, exec_flags="", more=(), names=()):
    """A site in which mail for one address goes to a script."""
    delivery = Deliverd(work, users=[*USERS, *names])  # an address that goes to a script is one that exists
    at = f"unix:{work.folder('exec')}/lmtp.sock"
    flags = ["--exec-flags", exec_flags] if exec_flags else []
    work.agent("deliverd", "--listen", at, "--listen-mode", "0666", "--domains", DOMAIN, "--exec", command, *flags, "--queue", "", "--userdb",
               "", name="exec", site="exec")
    transports = work.put("mta/conf/transports", f"{address} lmtp:{at}\n")
    userdb = f"unix:{work.directory}/posthorn/run/userdb.sock"
    return delivery, Queue(work, delivery, userdb, flags=["--transports", transports, *more])


def mailing_list(work):
    team = f"team@{DOMAIN}"
    members = work.put("members", f"{ANN}\nu1@{DOMAIN}\nu2@{DOMAIN}\n")
    script = example(work, "mailing-list.sh")
    delivery, mta = site(work, team, f"{with_sendmail(work)}{script} {members} u3@{DOMAIN} {team}", names=["team"])
    letter = letters(1000)[0]
    letter.recipients = [team]
    with connect(mta.port) as client:
        send(client, letter)
    for member in ("ann", "u1", "u2"):
        found = wait_until(f"{member} gets it", lambda m=member: with_subject(delivery.maildir(m), "plain"), 60)[0]
        if not found.endswith(letter.stored) or b"List-Post: <mailto:team@" not in found:
            raise Failed(f"{member} has {found}")
    with smtplib.SMTP("127.0.0.1", mta.port, timeout=60) as client:
        client.sendmail(f"u9@{DOMAIN}", [team], letter.data)
    wait_until("a stranger is refused", lambda: any(b"only members" in text for text in stored_in(delivery.maildir("u9")).values()), 60)
    return ["three members have it octet by octet; who is none is refused"]


def vacation(work):
    script = example(work, "vacation.sh")
    text = work.put("away.txt", "Ich bin im Wald, zurück im März.\n")
    state = work.folder("state")
    # The mail goes into the same mailboxes as everybody's.
    lda = f"{work.bench.bin}/deliverd --site {work.directory}/posthorn --stdin -d u1@{DOMAIN}"
    delivery, mta = site(work, f"u1@{DOMAIN}", f"{with_sendmail(work)}{script} u1@{DOMAIN} {state} {text} {lda}")
    chosen = [letter for letter in letters(1000) if letter.name == "plain"]
    send_all(mta.port, chosen)
    check_arrival(chosen[0], delivery.maildir)
    answer = wait_until("ann is answered", lambda: [text for text in stored_in(delivery.maildir("ann")).values() if b"Auto: away" in text], 60)[0]
    for part in ("zurück im März", "Auto-Submitted: auto-replied", "In-Reply-To: <swap-plain@"):
        if part.encode() not in answer:
            raise Failed(f"the answer lacks {part!r}: {answer}")
    send_all(mta.port, chosen)
    wait_until("the second one is there", lambda: len(with_subject(delivery.maildir("u1"), "plain")) == 2, 60)
    wait_until("the queue is done", lambda: mta.log.read_text().count("status=sent") >= 3, 60)
    if len(stored_in(delivery.maildir("ann"))) != 1:
        raise Failed("ann was answered twice")
    return ["delivered, answered once"]


def dead_letter(work):
    directory = work.folder("dead")
    script = example(work, "dead-letter.sh")
    virtual = work.put("mta/conf/virtual", f"@{DOMAIN} @dead.test\n")
    delivery, mta = site(work, "dead.test", f"{script} {directory}", "", ["--virtual", virtual])
    letter = letters(1000)[0]
    letter.recipients = [UNKNOWN]
    with connect(mta.port) as client:
        send(client, letter)
    kept = wait_until("the letter is kept", lambda: (directory / "list").exists() and list(directory.glob("2*")), 60)
    row = (directory / "list").read_text().split()
    if not kept[0].read_bytes().endswith(letter.stored) or row != [kept[0].name, ANN, UNKNOWN.replace(DOMAIN, "dead.test")]:
        raise Failed(f"{row}: {kept[0].read_bytes()}")
    return ["kept octet by octet, and listed"]


def queue_to_exim(work):
    delivery = Deliverd(work)
    exim = Exim(work, delivery)
    mta = Queue(work, delivery)
    _, process, _ = next(entry for entry in work.processes if entry[0] == "queued")
    process.terminate()
    process.wait(60)
    chosen = [letter for letter in choose(work, exim, delivery) if letter.name not in ("dsn",)]
    refused = send_all(mta.port, chosen)
    work.run([example(work, "queue-to-exim.sh"), work.directory / "mta", *exim.words, "-bS"], user="root", timeout=120,
             env={"PATH": f"{work.bench.bin}:/usr/bin:/bin", "ROUNDS": "1"})
    return check_all(chosen, refused, delivery.maildir, exim)


def get_filter_deliver(work):
    clean, spam = (Letter(name, [ANN], body + b"\r\n") for name, body in (("clean", b"nothing bad"), ("spam", GTUBE)))
    server = Posthorn(work, fill(work, [clean, spam]))
    ca = work.bench.certificate
    work.put("mua/mua.toml", f'[accounts.ann]\naddress = "{ANN}"\nstore = "pop3"\nhost = "127.0.0.1"\nport = {server.pop3s}\n'
             f'ca_file = "{ca}"\nuser = "{ANN}"\npassword_command = "echo {PASSWORD}"\n', mode=0o600)
    deliver = f"{work.bench.bin}/deliverd --site {work.directory}/posthorn --stdin -d u1@{DOMAIN}"
    work.run([example(work, "get-filter-deliver.sh"), "ann", Spamassassin(work).pipe, deliver], cwd=work.directory,
             env={"PATH": f"{work.bench.bin}:/usr/bin:/bin", "HOME": str(work.folder("home")), "POSTHORN_MUA_CONFIG": f"{work.directory}/mua/mua.toml"})
    texts = list(stored_in(work.directory / f"posthorn/mail/{DOMAIN}/u1/Maildir").values())
    heads = [text.split(b"\n\n")[0] for text in texts]
    flagged = [b"\nX-Spam-Flag: YES" in head for head in heads]
    if sorted(flagged) != [False, True] or not texts[flagged.index(False)].endswith(b"\n\nnothing bad\n"):
        raise Failed(f"u1 has {texts}")
    if any((work.directory / "mail/ann").glob("*/*.swap*")):
        raise Failed("the messages are still on the server")
    return ["judged by SpamAssassin, delivered, gone from the server"]


CHAINS = {"mailing-list.sh": mailing_list, "vacation.sh": vacation, "dead-letter.sh": dead_letter, "queue-to-exim.sh": queue_to_exim,
          "get-filter-deliver.sh": get_filter_deliver}


def test(work, left, right):
    return CHAINS[left](work)


SEAM = Seam("examples", "a chain of scripts/examples -> a site", CHAINS, {"a site": None}, test,
            quick=[("mailing-list.sh", "a site"), ("vacation.sh", "a site"), ("dead-letter.sh", "a site")])
