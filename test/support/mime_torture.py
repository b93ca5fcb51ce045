"""Messages that somebody would send to make two readers of mail disagree, or one of them stop.

messages() are small, one trick each, with the anomalies that libmail/message has to report (README.md there has the list of attacks
with their rules). growing() are those whose size is the attack: they are measured at several sizes.
"""

HEAD = b"From: a@example.org\nTo: b@example.org\nSubject: torture\nDate: Mon, 23 Nov 2026 06:00:00 +0000\nMIME-Version: 1.0\n"
TEXT = b"Content-Type: text/plain\n\n"


def mixed(body, boundary=b"b", kind=b"mixed", head=HEAD):
    return head + b'Content-Type: multipart/' + kind + b'; boundary="' + boundary + b'"\n\n' + body


def two_parts(first=b"Content-Type: text/plain\n\none", second=b"Content-Type: text/html\n\n<p>two", boundary=b"b"):
    return (b"--" + boundary + b"\n" + first + b"\n--" + boundary + b"\n" + second + b"\n--" + boundary + b"--\n")


def nested_multiparts(levels):
    out = HEAD
    for level in range(levels):
        out += b'Content-Type: multipart/mixed; boundary="%dx"\n\n--%dx\n' % (level, level)
    return out + TEXT + b"deep\n"


def nested_messages(levels):
    return HEAD + b"Content-Type: message/rfc822\n\n" * levels + TEXT + b"deep\n"


def nesting():
    return {
        "multiparts-50-deep": (nested_multiparts(50), {"unclosed_multipart"}),
        "multiparts-150-deep": (nested_multiparts(150), {"unclosed_multipart", "nesting_too_deep"}),
        "messages-150-deep": (nested_messages(150), {"nesting_too_deep", "missing_mime_version"}),
        "comments-in-a-type": (HEAD + b"Content-Type: text/" + b"(" * 500 + b")" * 500 + b"html\n\n<p>\n", {"loose_syntax"}),
    }


def boundaries():
    inner = mixed(two_parts(boundary=b"bin"), b"bin", head=b"").strip()
    same = mixed(two_parts(), b"b", head=b"").strip()
    return {
        "prefix-inner": (mixed(b"--b\n" + inner + b"\n--b\n" + TEXT + b"last\n--b--\n"), set()),
        "prefix-outer": (mixed(b"--bin\n" + mixed(two_parts(), b"b", head=b"").strip() + b"\n--bin\n" + TEXT + b"last\n--bin--\n",
                               b"bin"), set()),
        "tail-behind-a-boundary": (mixed(b"--b\n" + TEXT + b"one\n--bee\n" + TEXT + b"two\n--b--\n"), {"boundary_with_tail"}),
        "blanks-behind-a-boundary": (mixed(b"--b \t \n" + TEXT + b"one\n--b\t\n" + TEXT + b"two\n--b-- \n"), set()),
        "inner-is-outer": (mixed(b"--b\n" + same + b"\n--b\n" + TEXT + b"last\n--b--\n"),
                           {"boundary_reused", "implicitly_closed", "multipart_without_parts", "delimiter_after_close"}),
        "inner-is-outers-end": (mixed(b"--b\n" + mixed(b"--b--\n" + TEXT + b"one\n--b----\n", b"b--", head=b"") + b"--b--\n"),
                                {"boundary_reused"}),
        "no-close": (mixed(b"--b\n" + TEXT + b"one\n--b\n" + TEXT + b"two\n"), {"unclosed_multipart"}),
        "no-close-of-inner": (mixed(b"--b\n" + inner.replace(b"\n--bin--", b"") + b"\n--b\n" + TEXT + b"last\n--b--\n"),
                              {"implicitly_closed"}),
        "never-used": (mixed(b"no delimiter at all\n"), {"multipart_without_parts", "unclosed_multipart"}),
        "close-only": (mixed(b"--b--\n" + TEXT + b"one\n"), {"multipart_without_parts"}),
        "close-then-more": (mixed(two_parts() + two_parts()), {"delimiter_after_close"}),
        "in-the-preamble": (mixed(b"this is --b\n --b\n- --b\n" + two_parts()), set()),
        "no-line-end-behind-close": (mixed(two_parts()).rstrip(b"\n"), set()),
        "71-octets": (mixed(two_parts(boundary=b"x" * 71), b"x" * 71), {"bad_boundary"}),
        "2048-octets": (mixed(two_parts(boundary=b"x" * 2048), b"x" * 2048), {"bad_boundary"}),
        "2049-octets": (mixed(two_parts(boundary=b"x" * 2049), b"x" * 2049),
                        {"bad_boundary", "boundary_too_long", "line_too_long"}),
        "empty-boundary": (mixed(b"--\n" + TEXT + b"one\n----\n", b""), {"multipart_without_boundary"}),
        "no-boundary": (HEAD + b"Content-Type: multipart/mixed\n\n" + two_parts(), {"multipart_without_boundary"}),
        "two-boundaries": (HEAD + b"Content-Type: multipart/mixed; boundary=a; boundary=b\n\n" + two_parts(boundary=b"a") +
                           two_parts(), {"conflicting_parameter"}),
        "quoted-boundary": (HEAD + b'Content-Type: multipart/mixed; boundary="a\\b"\n\n' + two_parts(boundary=b"ab"), {"bad_boundary"}),
        "boundary-and-comment": (HEAD + b"Content-Type: multipart/mixed (c;boundary=x); boundary=b (d)\n\n" + two_parts(),
                                 {"loose_syntax"}),
        "boundary-with-blank-at-end": (mixed(two_parts(), b"b "), {"bad_boundary"}),
        "folded-boundary": (HEAD + b'Content-Type: multipart/mixed;\n\tboundary="b"\n\n' + two_parts(), set()),
        "rfc-2231-boundary": (HEAD + b"Content-Type: multipart/mixed; boundary*0=b; boundary*1=c\n\n" +
                              two_parts(boundary=b"bc"), set()),
        "plain-and-rfc-2231-boundary": (HEAD + b"Content-Type: multipart/mixed; boundary=b; boundary*=us-ascii''c\n\n" +
                                        two_parts() + two_parts(boundary=b"c"), {"conflicting_parameter"}),
        "header-cut-by-a-boundary": (mixed(b"--b\nContent-Type: text/html\n--b\n" + TEXT + b"two\n--b--\n"),
                                     {"unterminated_header"}),
        "empty-part": (mixed(b"--b\n--b\n" + TEXT + b"two\n--b--\n"), {"empty_part"}),
        "part-without-header": (mixed(b"--b\n\none\n--b--\n"), set()),
    }


def differentials():
    html = b"<script>\n"
    return {
        "two-types": (HEAD + b"Content-Type: text/plain\nContent-Type: text/html\n\n" + html, {"conflicting_field"}),
        "two-types-one-multipart": (HEAD + b"Content-Type: text/plain\n" + mixed(two_parts(), head=b""), {"conflicting_field"}),
        "the-same-type-twice": (HEAD + b"Content-Type: text/plain\nContent-type:  text/plain\n\ntext\n", {"duplicate_field"}),
        "two-encodings": (HEAD + b"Content-Transfer-Encoding: 7bit\nContent-Transfer-Encoding: base64\n\ndGV4dA==\n",
                          {"conflicting_field"}),
        "two-dispositions": (HEAD + b"Content-Disposition: inline\nContent-Disposition: attachment; filename=a.exe\n\nx\n",
                             {"conflicting_field"}),
        "two-froms": (HEAD + b"From: boss@example.org\n\nx\n", {"conflicting_field"}),
        "no-colon": (HEAD + b"this is no field\nContent-Type: text/html\n\n" + html, {"not_a_field"}),
        "blank-before-colon": (HEAD + b"Content-Type : text/html\n\n" + html, {"blank_before_colon"}),
        "bare-cr-in-header": (HEAD + b"X: y\rContent-Type: text/html\n\ntext\n", {"bare_cr_in_header"}),
        "bare-cr-ends-header": (HEAD + b"X: y\r\r\n\r\nContent-Type: text/html\n\ntext\n", {"bare_cr_in_header", "mixed_line_ends"}),
        "nul-in-header": (HEAD + b"Content-Type: text/ht\0ml\n\ntext\n", {"nul_in_header", "bad_content_type"}),
        "nul-in-body": (HEAD + b"\nte\0xt\n", {"nul_in_body"}),
        "bare-cr-in-body": (HEAD + b"\nte\rxt\n", {"bare_cr_in_body"}),
        "mixed-line-ends": (HEAD.replace(b"\n", b"\r\n") + b"\ntext\r\n", {"mixed_line_ends"}),
        "leading-blank": (b" folded: x\n" + HEAD + b"\ntext\n", {"leading_continuation"}),
        "mbox-line": (b"From a@example.org Mon Nov 23 06:00:00 2026\n" + HEAD + b"\ntext\n", {"mbox_from_line"}),
        "blank-fold": (HEAD + b"X: y\n \t\nContent-Type: text/html\n\n" + html, {"blank_folded_line"}),
        "encoding-on-multipart": (mixed(two_parts(), head=HEAD + b"Content-Transfer-Encoding: base64\n"), {"encoding_on_composite"}),
        "encoding-on-message": (HEAD + b"Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\n"
                                b"U3ViamVjdDogaGlkZGVuCgp0ZXh0Cg==\n", {"encoding_on_composite"}),
        "unknown-encoding": (HEAD + b"Content-Transfer-Encoding: x-base-64\n\ndGV4dA==\n", {"unknown_encoding"}),
        "quoted-encoding": (HEAD + b'Content-Transfer-Encoding: "base64"\n\ndGV4dA==\n', {"unknown_encoding"}),
        "encoding-and-comment": (HEAD + b"Content-Transfer-Encoding: (c) base64 (d)\n\ndGV4dA==\n", {"loose_syntax"}),
        "type-without-subtype": (HEAD + b"Content-Type: text\n\ntext\n", {"bad_content_type"}),
        "type-with-blanks": (HEAD + b"Content-Type: text / html\n\n" + html, {"loose_syntax"}),
        "type-without-semicolon": (HEAD + b"Content-Type: text/html charset=utf-8\n\n" + html, {"bad_content_type"}),
        "empty-type": (HEAD + b"Content-Type:\n\ntext\n", {"bad_content_type"}),
        "type-in-capitals": (HEAD + b"CONTENT-TYPE: TEXT/HTML; CHARSET=UTF-8\n\n" + html, set()),
        "no-mime-version": (HEAD.replace(b"MIME-Version: 1.0\n", b"") + b"Content-Type: text/html\n\n" + html, {"missing_mime_version"}),
        "header-only": (HEAD.rstrip(b"\n"), {"unterminated_header"}),
        "raw-8-bit": (HEAD + b"X: \xe4\n\n\xe4\n", {"unencoded_8bit", "undeclared_8bit"}),
        "999-octets": (HEAD + b"\n" + b"x" * 999 + b"\n", {"line_too_long"}),
        "998-octets": (HEAD + b"\n" + b"x" * 998 + b"\n", set()),
        "70000-octets-of-a-field": (HEAD + b"X: " + b"y" * 70000 + b"\nContent-Type: text/html\n\n" + html, {"field_too_long"}),
    }


def composites():
    return {
        "partial": (HEAD + b'Content-Type: message/partial; id="x@y"; number=1; total=2\n\nSubject: half\nContent-Type: text/html\n\n'
                    b"<p>half\n", set()),
        "external-body": (HEAD + b"Content-Type: message/external-body; access-type=URL; url=\"http://example.org/\"\n\n"
                          b"Content-Type: image/png\n\n", set()),
        "delivery-status": (HEAD + b"Content-Type: message/delivery-status\n\nReporting-MTA: dns;x\n\nFinal-Recipient: rfc822;a@b\n",
                            set()),
        "digest": (mixed(two_parts(b"\nSubject: one\nContent-Type: text/html\n\n<p>", b"\nSubject: two\n\ntext"), kind=b"digest"),
                   {"missing_mime_version"}),
        "alternative": (mixed(two_parts(), kind=b"alternative"), set()),
        "message-in-a-part": (mixed(b"--b\nContent-Type: message/rfc822\n\n" + mixed(two_parts(boundary=b"c"), b"c") + b"--b--\n"),
                              set()),
        "message-cut-by-a-boundary": (mixed(b"--b\nContent-Type: message/rfc822\n\nSubject: x\n--b--\n"), {"unterminated_header"}),
        "global": (HEAD + "Content-Type: message/global\n\nSubject: Grüße\n\ntext\n".encode(), set()),
        "file-name-twice": (HEAD + b"Content-Disposition: attachment; filename=a.txt; filename*=utf-8''a.exe\n\nx\n",
                            {"conflicting_parameter"}),
        "file-name-from-right-to-left": (HEAD + b"Content-Disposition: attachment; filename*=utf-8''a%E2%80%AEtxt.exe\n\nx\n",
                                         {"deceptive_filename"}),
        "junk-in-base64": (HEAD + b"Content-Transfer-Encoding: base64\n\ndG!V4dA==\ndGV4dA==\n", {"bad_base64", "base64_after_padding"}),
        "junk-in-quoted-printable": (HEAD + b"Content-Transfer-Encoding: quoted-printable\n\nt=65=xt=\n=\n", {"bad_quoted_printable"}),
    }


def fields():
    """Headers that an ENVELOPE is made of."""
    def to(value, extra=b""):
        return b"From: a@example.org\nTo: " + value + b"\nSubject: addresses\nMIME-Version: 1.0\n" + extra + b"\ntext\n"

    return {
        "groups": (to(b"x@y.example, friends: a@b.example, \"C. D\" <c@d.example>;, undisclosed-recipients:;"), set()),
        "group-without-end": (to(b"friends: a@b.example, c@d.example"), set()),
        "comment-as-name": (to(b"a@b.example (Ann (of B) Example)"), set()),
        "comments-all-over": (to(b"(x) Ann (y) <a(z)@(z)b.example (w)> (v)"), set()),
        "quoted-local-part": (to(b"\"a b\"@c.example, \"d\\\"e\"@f.example"), set()),
        "quoted-name": (to(b"\"Ann \\\"A\\\" Example, Dr.\" <a@b.example>"), set()),
        "unquoted-dots": (to(b"John Q. Public <j@p.example>"), set()),
        "route": (to(b"Ann <@x.example,@y.example:a@b.example>"), set()),
        "domain-literal": (to(b"a@[192.0.2.1]"), set()),
        "empty-elements": (to(b"a@b.example, , ,c@d.example,"), set()),
        "no-domain": (to(b"root, Ann <ann>"), set()),
        "at-in-an-encoded-word": (to(b"=?utf-8?q?boss=40bank.example?= <a@b.example>"), set()),
        "names-with-8-bit": (to("Änne <a@b.example>, \"Ö\" <c@d.example>".encode()), set()),
        "names-with-broken-8-bit": (to(b"\xc4nne <a@b.example>"), {"unencoded_8bit"}),
        "folded-list": (to(b"a@b.example,\n\tAnn\n Example <c@d.example>,\n  e@f.example"), set()),
        "angle-that-never-closes": (to(b"Ann <a@b.example"), set()),
        "quote-that-never-closes": (to(b"\"Ann <a@b.example>"), set()),
        "blanks-in-an-address": (to(b"a . b @ c . example"), set()),
        "semicolons": (to(b"a@b.example; c@d.example"), set()),
        "subject-with-blanks": (to(b"a@b.example", b"Subject:   two   words  \n").replace(b"Subject: addresses\n", b""), set()),
        "subject-that-folds": (to(b"a@b.example", b"Subject: one\n two\n\tthree\n\t four\n").replace(b"Subject: addresses\n", b""), set()),
        "empty-subject": (to(b"a@b.example").replace(b" addresses", b""), set()),
        "long-subject": (to(b"a@b.example").replace(b"addresses", b"x" * 2000), set()),
        "sender-and-reply-to": (to(b"a@b.example", b"Sender: s@t.example\nReply-To: Ann <r@t.example>, b@c.example\nIn-Reply-To: <1@x>\n"
                                   b" <2@x>\nMessage-ID: <3@x>\nDate: Mon, 23 Nov 2026 06:00:00 +0000 (comment)\n"), set()),
    }


def messages():
    """{name: (octets, anomalies)}"""
    return {**nesting(), **boundaries(), **differentials(), **composites(), **fields()}


# Octets of heap that libmail/message may use for anything of growing(), whatever its size: 10 000 parts and what is made of them.
MOST_HEAP = 24 << 20


# What grows: {name: size -> octets}, about `size` octets each.
def growing():
    line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\n"
    return {
        "base64-attachment": lambda size: mixed(b"--b\nContent-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\n" +
                                                line * (size // len(line)) + b"--b--\n"),
        "part-bomb": lambda size: mixed(b"--b\nx:y\n\n" * (size // 9)),
        "header-bomb": lambda size: HEAD + b"X-Field: value\n" * (size // 15) + b"\ntext\n",
        "fold-bomb": lambda size: HEAD + b"Content-Type: text/plain;\n" + b" a=b;\n" * (size // 6) + b"\ntext\n",
        "recipient-bomb": lambda size: HEAD + b"Cc: " + b"someone@example.org,\n " * (size // 22) + b"x@example.org\n\ntext\n",
        "segment-bomb": lambda size: HEAD + b"Content-Type: text/plain" +
        b"".join(b";\n n*%d=x" % i for i in range(size // 12)) + b"\n\ntext\n",
        "multipart-bomb": lambda size: nested_multiparts(size // 55),
        "message-bomb": lambda size: nested_messages(size // 30),
        "comment-bomb": lambda size: HEAD + b"Content-Type: text/" + b"(" * (size // 2) + b")" * (size // 2) + b"plain\n\n",
        "dash-lines": lambda size: nested_multiparts(100)[:-len(TEXT) - 5] + TEXT + b"--x\n" * (size // 4),
        "one-dash-lines": lambda size: mixed(b"--b\n\n" + b"-\n" * (size // 2)),
        "boundary-prefix-lines": lambda size: mixed(b"--xxxx\n\n" + b"--xxxxxxxxy\n" * (size // 12), b"x" * 8),
        "one-line": lambda size: HEAD + b"\n" + b"x" * size,
        "one-dash-line": lambda size: mixed(b"--b\n\n" + b"-" * size),
        "one-header-line": lambda size: HEAD + b"X: " + b"x" * size + b"\n\ntext\n",
        "empty-lines": lambda size: HEAD + b"\n" + b"\n" * size,
        "carriage-returns": lambda size: HEAD + b"\n" + b"\r" * size,
        "nuls": lambda size: HEAD + b"\n" + b"\0" * size,
    }
