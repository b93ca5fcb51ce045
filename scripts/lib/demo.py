"""The story that scripts/demo tells: alice@alpha.test writes to bob@beta.test, bob answers, a letter bounces."""

import email.policy
import email.parser
import os
import pathlib
import re
import signal
import subprocess
import sys
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "test/support"))
from ports import free_port_base  # noqa: E402
from posthorn_site import Failed, Workshop, programs, wait_until  # noqa: E402

ALICE, BOB = "alice@alpha.test", "bob@beta.test"
COLOUR = sys.stdout.isatty() and "NO_COLOR" not in os.environ


def title(text):
    print(f"\n\033[1m{text}\033[0m" if COLOUR else f"\n{text}", flush=True)


def show(text, indent="  "):
    for line in text.splitlines():
        print(indent + line, flush=True)


def horn():
    """The attachment: a small picture, made here."""
    head = b"P4\n32 16\n"
    return head + bytes((x * y) % 256 for y in range(16) for x in range(4))


def letter():
    message = EmailMessage(policy=email.policy.SMTP)
    message["From"] = f"Alice <{ALICE}>"
    message["To"] = f"Bob <{BOB}>"
    message["Subject"] = "The post horn \N{POSTAL HORN}"
    message["Date"] = formatdate()
    message["Message-ID"] = make_msgid(domain="alpha.test")
    message.set_content("Dear Bob,\n\nhere is the horn. Can you hear it?\n\nAlice\n")
    message.add_attachment(horn(), maintype="image", subtype="x-portable-bitmap", filename="horn.pbm")
    return message


def mail_host(site, domain):
    """The MX record as the site's own dnsd gives it."""
    found = subprocess.run([str(programs() / "nslook"), "--server", f"{site.address}:{site.port('dns')}", "--type", "MX",
                            "--short", domain], capture_output=True, text=True, check=False, timeout=30)
    if found.returncode != 0:
        raise Failed(f"nslook finds no MX of {domain}: {found.stdout}{found.stderr}")
    return found.stdout.strip()


def follow(trace, hops):
    """Shows the log lines of one message, hop by hop, and gives them; a hop without a line fails the demo."""
    lines = []
    for name, site, agent, pattern in hops:
        found = wait_until(
            f"the hop '{name}' in {agent}.log of {site.domains[0]}, looking for {trace} and /{pattern}/",
            lambda s=site, a=agent, p=pattern: [l for l in s.log(a).splitlines() if trace in l and re.search(p, l)])
        print(f"  {name:<24} {found[0]}", flush=True)
        lines.append(found[0])
    return lines


def trace_of(site, agent, sender):
    """The trace id that the first intake gave to the newest message from `sender`."""
    pattern = re.compile(r"\b([0-9A-V]{16})\b.*" + re.escape(sender))
    return wait_until(f"{agent} of {site.domains[0]} logs the message of {sender}", lambda: next(
        (m.group(1) for m in map(pattern.search, reversed(site.log(agent).splitlines())) if m), None))


def parse(octets):
    return email.parser.BytesParser(policy=email.policy.default).parsebytes(octets)


def alice_writes(alpha, beta):
    title("1. alice@alpha.test writes to bob@beta.test: a MIME message with an attachment, submitted over TLS")
    message = letter()
    alpha.submit(ALICE, [BOB], message.as_bytes())
    trace = trace_of(alpha, "submissiond", ALICE)
    show(f"accepted by submissiond; trace id {trace}")

    title("2. its way, from the agents' own logs")
    show("beta.test's MX, found by alpha's dnsd: " + mail_host(alpha, "beta.test"))
    lines = follow(trace, [
        ("alpha submissiond", alpha, "submissiond", " taken "),
        ("alpha queue -> relayd", alpha, "queued", "status=sent"),
        ("alpha relayd", alpha, "relayd", " sent "),
    ])
    # Another site gives the message an id of its own, and says so in its 250.
    theirs = re.search(r"Queued as ([0-9A-V]{16})", lines[-1])
    if not theirs:
        raise Failed(f"relayd's line does not say what beta made of it: {lines[-1]}")
    follow(theirs.group(1), [
        ("beta smtpd", beta, "smtpd", " taken "),
        ("beta queue -> deliverd", beta, "queued", "status=sent"),
        ("beta deliverd", beta, "deliverd", " delivered "),
    ])
    files = wait_until("a file in bob's Maildir", lambda: list((beta.maildir(BOB) / "new").glob("*")))
    print(f"  {'Maildir':<24} {files[0]}", flush=True)
    return message


def bob_reads(beta, sent):
    title("3. bob reads it by POP3 over TLS")
    client = beta.pop3(BOB)
    count, octets = client.stat()
    show(f"STAT: {count} message, {octets} octets;  UIDL: {client.uidl(1).decode()}")
    received = parse(b"\r\n".join(client.retr(1)[1]) + b"\r\n")
    client.quit()
    show(f"Subject: {received['Subject']}\n" + received.get_body().get_content().strip())
    attachment = next(received.iter_attachments())
    show(f"attachment: {attachment.get_filename()}, {len(attachment.get_content())} octets")
    if attachment.get_content() != horn():
        raise Failed("the attachment is not what alice sent")
    if received["Message-ID"] != sent["Message-ID"]:
        raise Failed("the message is not the one that alice sent")
    return received


def bob_answers(alpha, beta, received):
    title("4. bob answers through sendmail(1)")
    answer = (f"From: Bob <{BOB}>\nTo: {received['From']}\nSubject: Re: {received['Subject']}\n"
              f"In-Reply-To: {received['Message-ID']}\n\nLoud and clear.\n")
    show(f"$ sendmail -t -f {BOB}")
    subprocess.run([str(programs() / "sendmail"), "-t", "-f", BOB], input=answer, text=True, check=True, timeout=60,
                   env=dict(os.environ, POSTHORN_SITE=str(beta.directory)))
    got = parse(alpha.wait_for_messages(ALICE, 1)[0])
    show(f"alice has it: {got['Subject']!r}: {got.get_body().get_content().strip()}")
    if got["In-Reply-To"] != received["Message-ID"]:
        raise Failed("the answer does not refer to alice's message")


def a_letter_bounces(alpha):
    title("5. alice writes to nobody@beta.test, who does not exist")
    message = letter()
    message.replace_header("To", "nobody@beta.test")
    alpha.submit(ALICE, ["nobody@beta.test"], message.as_bytes())
    report = parse(alpha.wait_for_messages(ALICE, 2)[-1])
    if report.get_content_type() != "multipart/report":
        raise Failed(f"expected a multipart/report, got {report.get_content_type()}")
    show(f"alice gets a report from {report['From']}: {report['Subject']}")
    parts = list(report.iter_parts())
    show(parts[0].get_content().strip() + "\n")
    status = parts[1].as_string()
    show(status.split("\n\n", 1)[-1].strip())
    if not re.search(r"^Status: 5\.1\.1", status, re.M):
        raise Failed("the report does not say 5.1.1")


def leave_running(sites):
    title("Both sites are yours until Ctrl-C.")
    for site in sites:
        ports = "  ".join(f"{name} {port}" for name, port in site.facts["ports"].items() if port)
        show(f"{site.domains[0]:<11} {site.address}: {ports}")
        for user in site.facts["users"]:
            show(f"            {user['address']}, password {user['password']}")
        show(f"            export POSTHORN_SITE={site.directory}   CA: {site.facts['ca']}")
    show("\ntry:  curl --ssl-reqd --cacert CA --user alice@alpha.test:secret-alice pop3://127.0.0.1:PORT/\n"
         "      posthorn queue list        (with POSTHORN_SITE set, programs in build/release/bin)")
    try:
        signal.pause()
    except KeyboardInterrupt:
        print()


def main():
    once = "--once" in sys.argv[1:]
    try:
        with Workshop("demo") as workshop:
            base = free_port_base(["127.0.0.1", "127.0.0.2"])
            title("Starting alpha.test on 127.0.0.1 and beta.test on 127.0.0.2, unprivileged ports, below "
                  f"{workshop.directory}")
            # No root leads to .test: each site's dnsd asks the other one's about its domain.
            alpha = workshop.site("alpha", ["alpha.test"], [ALICE], port_base=base,
                                  forwards=[f"beta.test=127.0.0.2:{base + 53}"]).start()
            beta = workshop.site("beta", ["beta.test"], [BOB], address="127.0.0.2", port_base=base,
                                 forwards=[f"alpha.test=127.0.0.1:{base + 53}"]).start()
            sent = alice_writes(alpha, beta)
            received = bob_reads(beta, sent)
            bob_answers(alpha, beta, received)
            a_letter_bounces(alpha)
            if not once:
                leave_running([alpha, beta])
    except Failed as problem:
        sys.exit(f"demo: failed: {problem}")
    except KeyboardInterrupt:
        sys.exit("demo: interrupted")
    if once:
        print("\ndemo: ok")


if __name__ == "__main__":
    main()
