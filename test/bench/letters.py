"""Mail as it lies in mailboxes: letter(n) is always the same octets. Median 4 KB, mean about 20 KB.

Two fifths plain text, a third with an HTML twin, a quarter with attachments, some forwarded; charsets, encoded words, quoted-printable
and base64; threads by References. "quarterly" is in the subject of every 50th, "xylophone" in the text of every 100th and nowhere
else, so that a search has a known answer.
"""

import base64
import multiprocessing
import os
import pathlib
import quopri
import random
import shutil

EPOCH = 1_600_000_000
VERSION = 1  # of the octets: a cache of another version is made anew
SUBJECTS, TEXTS = 50, 100  # one of so many has the word
WORDS = ("the meeting report schedule please find attached review changes patch build test server deploy tomorrow invoice order "
         "customer project release version week team update question answer thanks regards issue fix branch merge error log data "
         "budget plan contract delivery address number mail list thread reply with from that this have will could should").split()
FOREIGN = {"utf-8": "straße über naïve café señor Zürich größer Änderung möglich nächste Woche Rückmeldung".split(),
           "iso-8859-1": "größe über señor mañana déjà vu después información señora être où".split(),
           "koi8-r": "привет встреча завтра отчёт документ пожалуйста спасибо проект срок неделя".split(),
           "iso-2022-jp": "会議 明日 報告 資料 確認 お願い 予定 変更 連絡 返事".split()}
PEOPLE = ["Anna Müller", "John Smith", "José García", "Иван Петров", "山田 太郎", "Li Wei", "Bob O'Neil", "Mail Robot", "Eva Novák"]
HOSTS = ["example.org", "example.net", "lists.example.org", "mail.example.com"]
NOISE = base64.encodebytes(random.Random(7).randbytes(600_000))  # attachments are cut from it, at line ends


def subject_has_word(n):
    return n % SUBJECTS == 7


def text_has_word(n):
    return n % TEXTS == 42


def encoded_word(text):
    if text.isascii():
        return text
    words = [text[i:i + 12] for i in range(0, len(text), 12)]
    return "\n ".join("=?utf-8?B?%s?=" % base64.b64encode(w.encode()).decode() for w in words)


def sentence(chance, charset, count):
    own = FOREIGN.get(charset, WORDS)
    return " ".join(chance.choice(own if chance.random() < 0.5 else WORDS) for _ in range(count)).capitalize() + "."


def person(chance):
    name = chance.choice(PEOPLE)
    shown = f'"{name}"' if name.isascii() else encoded_word(name)
    return f"{shown} <user{chance.randrange(500)}@{chance.choice(HOSTS)}>"


def text_of(chance, charset, marked):
    lines = [sentence(chance, charset, 10) for _ in range(min(300, 4 + int(chance.lognormvariate(2.6, 0.9))))]
    if marked:
        lines.insert(len(lines) // 2, "Please bring the xylophone along.")
    return "\n".join(lines) + "\n"


def text_part(chance, text, charset, subtype="plain"):
    octets = text.encode(charset, "replace")
    encoding = "7bit"
    if charset not in ("us-ascii", "iso-2022-jp"):
        encoding = chance.choice(["quoted-printable", "quoted-printable", "8bit", "base64"])
        if encoding == "quoted-printable":
            octets = quopri.encodestring(octets)
        elif encoding == "base64":
            octets = base64.encodebytes(octets)
    return f"Content-Type: text/{subtype}; charset={charset}\nContent-Transfer-Encoding: {encoding}\n".encode(), octets


def attachment(chance, number):
    lines = min(5000, 60 + int(chance.lognormvariate(5.8, 1.1)))
    first = chance.randrange(len(NOISE) // 77 - lines)
    name = chance.choice(["report.pdf", "photo.jpg", "data.zip", f"scan-{number}.png"])
    return (f'Content-Type: application/octet-stream; name="{name}"\nContent-Transfer-Encoding: base64\n'
            f'Content-Disposition: attachment; filename="{name}"\n').encode(), NOISE[77 * first:77 * (first + lines)]


def multipart(chance, subtype, parts):
    boundary = b"=_%016x" % chance.getrandbits(64)
    body = b"".join(b"--" + boundary + b"\n" + head + b"\n" + octets + b"\n" for head, octets in parts)
    return f'Content-Type: multipart/{subtype};\n boundary="{boundary.decode()}"\n'.encode(), body + b"--" + boundary + b"--\n"


def content(chance, charset, marked, number):
    text = text_of(chance, charset, marked)
    kind = chance.random()
    plain = text_part(chance, text, charset)
    if kind < 0.4:
        return plain
    html = "<html><body>\n" + "".join(f"<p style=\"margin:0\">{line}</p>\n" for line in text.splitlines()) + "</body></html>\n"
    both = multipart(chance, "alternative", [plain, text_part(chance, html, charset, "html")])
    if kind < 0.73:
        return both
    if kind < 0.97:
        return multipart(chance, "mixed", [both if kind < 0.85 else plain,
                                           *(attachment(chance, i) for i in range(chance.choice([1, 1, 1, 2])))])
    inner = letter(number + 10_000_000, forwarded=True)
    return multipart(chance, "mixed", [plain, (b"Content-Type: message/rfc822\n", inner)])


def letter(n, forwarded=False):
    """The octets of message n, with LF."""
    chance = random.Random(n)
    host = chance.choice(HOSTS)
    charset = chance.choices(["us-ascii", *FOREIGN], [55, 30, 6, 5, 4])[0]
    subject = sentence(chance, charset, chance.randrange(3, 9))[:-1]
    if not forwarded and subject_has_word(n):
        subject = "quarterly " + subject
    if chance.random() < 0.4:
        subject = "Re: " + subject
    when = EPOCH + 600 * n + chance.randrange(600)
    date = f"{1 + when // 86400 % 28} {('Jan', 'Apr', 'Jul', 'Oct')[when // 2419200 % 4]} {2000 + when // 9676800 % 90} " \
           f"{when // 3600 % 24:02}:{when // 60 % 60:02}:{when % 60:02} +0000"
    head = [f"Return-Path: <user{chance.randrange(500)}@{host}>"]
    for hop in range(chance.randrange(1, 5)):
        head.append(f"Received: from mx{hop}.{host} (mx{hop}.{host} [192.0.2.{chance.randrange(1, 255)}])\n\tby in.example.test "
                    f"with ESMTPS id {chance.getrandbits(48):012x}\n\tfor <u0@example.test>; {date}")
    if chance.random() < 0.7:
        signed = NOISE[:300].decode().strip().replace("\n", "\n\t ")
        head.append(f"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d={host}; s=s1;\n\th=from:to:subject;\n\tb={signed}")
    head += [f"Date: {date}", f"From: {person(chance)}",
             "To: " + ",\n\t".join(person(chance) for _ in range(chance.choice([1, 1, 1, 1, 2, 5])))]
    if chance.random() < 0.25:
        head.append("Cc: " + ",\n\t".join(person(chance) for _ in range(chance.randrange(1, 4))))
    head.append(f"Message-ID: <{n}@{HOSTS[n % len(HOSTS)]}>")
    if chance.random() < 0.4 and n:
        above = sorted(max(0, n - chance.randrange(1, 200)) for _ in range(chance.randrange(1, 6)))
        ids = [f"<{m}@{HOSTS[m % len(HOSTS)]}>" for m in above]
        head += ["References: " + "\n ".join(ids), "In-Reply-To: " + ids[-1]]
    head += ["Subject: " + encoded_word(subject), "MIME-Version: 1.0"]
    more, body = content(chance, charset, not forwarded and text_has_word(n), n)
    return "\n".join(head).encode() + b"\n" + more + b"\n" + body


def name_of(n, size):
    chance = random.Random(-n)
    flags = "".join(f for f, likely in (("F", 0.03), ("R", 0.1), ("S", 0.6)) if chance.random() < likely)
    return f"{EPOCH + 600 * n}.M{n % 1_000_000}P1.bench,S={size}:2,{flags}"


def write_some(work):
    folder, first, last = work
    for n in range(first, last):
        octets = letter(n)
        path = folder / name_of(n, len(octets))
        path.write_bytes(octets)
        os.utime(path, (EPOCH + 600 * n,) * 2)


def template(folder, count):
    """A folder with `count` messages as they lie in cur/, made if it is not there yet."""
    made = pathlib.Path(folder) / f"{count}-v{VERSION}"
    if made.is_dir():
        return made
    making = made.with_suffix(".making")
    shutil.rmtree(making, ignore_errors=True)
    making.mkdir(parents=True)
    step = 1000
    with multiprocessing.Pool() as pool:
        pool.map(write_some, [(making, i, min(i + step, count)) for i in range(0, count, step)], 1)
    os.sync()
    making.rename(made)
    return made
