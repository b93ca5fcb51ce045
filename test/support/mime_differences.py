"""Where other readers of mail see something else than libmail/message, and why. mime_test.py holds them to it, one by one.

A difference that isn't harmless could show a filter one message and a person another: we have to call such a message ambiguous.
"""

import collections

Difference = collections.namedtuple("Difference", "why harmless")


def _difference(why, harmless=False, **readers):
    return Difference(why, harmless), readers


ALL = [
    # Structure.
    _difference("of two equal boundaries we give the outer multipart all its delimiters; they give them to the inner one",
                GMime="msg_15 msg_39 inner-is-outer", Dovecot="msg_15 msg_39 inner-is-outer"),
    _difference("where one boundary is the other and \"--\", the longest wins; Python closes the outer one",
                Python="inner-is-outers-end"),
    _difference("boundaries end at 2048 octets here; Python and GMime have no limit, Dovecot looks at the first 80",
                Python="2049-octets", GMime="2049-octets", Dovecot="2048-octets 2049-octets"),
    _difference("an empty boundary is none here; they look for lines of \"--\"",
                Python="empty-boundary", GMime="empty-boundary", Dovecot="empty-boundary"),
    _difference("a blank at the end of a boundary can't be told from padding behind a delimiter; they look for it",
                GMime="boundary-with-blank-at-end", Dovecot="boundary-with-blank-at-end"),
    _difference("Dovecot takes a line that begins with the boundary for a delimiter, whatever follows (RFC 2046 5.1.1 lets it)",
                Dovecot="tail-behind-a-boundary"),
    _difference("Python leaves quoted pairs in a boundary as they are", Python="quoted-boundary"),
    _difference("two delimiters in a row: an empty part for us and Dovecot, one delimiter for them", harmless=True,
                Python="msg_37 empty-part", GMime="msg_37 empty-part"),
    _difference("a part that is nothing but lines that are no fields: GMime drops it; Python has it as text, as the next says",
                GMime="msg_38"),
    _difference("a line without a colon ends the header for Python and is its body's first line; for us and Dovecot it is passed over",
                Python="msg_19 msg_35 msg_38 no-colon blank-before-colon"),
    _difference("Python ends a header line at a CR, too", Python="bare-cr-in-header bare-cr-ends-header"),
    _difference("GMime gives up where the first line is no field", GMime="msg_19 leading-blank"),
    _difference("we take 100 levels apart", Python="multiparts-150-deep messages-150-deep",
                GMime="multiparts-150-deep messages-150-deep", Dovecot="multiparts-150-deep messages-150-deep"),
    _difference("Python takes the last line end off a multipart without closing delimiter", harmless=True,
                Python="multiparts-50-deep no-close"),
    _difference("Python takes every message/* apart", harmless=True, Python="msg_36 partial external-body"),
    _difference("an encoded message/rfc822 is a leaf that one may decode; Python takes the base64 for a message",
                Python="encoding-on-message"),
    _difference("Dovecot 2.3 doesn't take message/global apart (RFC 9051 does)", harmless=True, Dovecot="global"),
    _difference("Dovecot adds the line end in front of the delimiter to a message that ends with its own closing delimiter or within "
                "its header; RFC 2046 gives it to the delimiter", harmless=True,
                Dovecot="message-in-a-part message-cut-by-a-boundary"),
    # Fields.
    _difference("of two Content-* fields the first counts; GMime takes the last",
                GMime="two-types two-types-one-multipart two-encodings"),
    _difference("of two Content-Disposition fields Dovecot takes the last, of two From fields both",
                Dovecot="two-dispositions two-froms"),
    _difference("a Content-Type that can't be read is text/plain (RFC 2045 5.2); they have application/octet-stream, nothing, or "
                "what they could read", Python="type-without-semicolon", GMime="msg_14 type-without-subtype empty-type "
                "type-without-semicolon", Dovecot="msg_14 type-without-subtype type-without-semicolon empty-type"),
    _difference("NUL in a type: Python keeps it, GMime stops there, Dovecot drops the type",
                Python="nul-in-header", GMime="nul-in-header", Dovecot="nul-in-header"),
    _difference("comments and blanks where RFC 2045 allows them: they don't look for them",
                Python="comments-in-a-type boundary-and-comment encoding-and-comment type-with-blanks",
                GMime="boundary-and-comment encoding-and-comment"),
    _difference("an encoding that can't be read is shown as it is written; Dovecot says 7bit", Dovecot="quoted-encoding"),
    _difference("parameters of RFC 2231 are shown as they stand; Dovecot joins their segments and sorts them in front", harmless=True,
                Dovecot="msg_29 msg_33 rfc-2231-boundary"),
    # Values.
    _difference("what follows the padding is decoded for display; they stop there", Python="junk-in-base64", GMime="junk-in-base64"),
    _difference("blanks in front of a line end are no part of quoted-printable (RFC 2045 6.7 (3))", Python="msg_15"),
    # Addresses and subjects in ENVELOPE.
    _difference("broken lists: we get every address out, Dovecot stops where the grammar does and says SYNTAX_ERROR", harmless=True,
                Dovecot="angle-that-never-closes quote-that-never-closes blanks-in-an-address semicolons"),
    _difference("an empty element of a list is nothing (RFC 5322 4.4), not an address that is missing", harmless=True,
                Dovecot="empty-elements"),
    _difference("source routes are passed over (RFC 5322 4.4), also in ENVELOPE", harmless=True, Dovecot="route"),
    _difference("Dovecot makes one blank of several", harmless=True, Dovecot="subject-with-blanks subject-that-folds"),
]


def of(reader):
    """{message: Difference}"""
    return {name: difference for difference, readers in ALL for name in readers.get(reader, "").split()}


# BODY[section] where Dovecot gives other octets for the same structure.
_SECTIONS = {
    "a multipart that can't be taken apart shows one empty part; we give the body for it, so that nobody loses it, Dovecot nothing":
        "msg_25:1 msg_25:1.MIME msg_41:1 msg_41:1.MIME no-boundary:1 no-boundary:1.MIME",
    "Dovecot adds the line end in front of the delimiter to a multipart that ends with its own closing delimiter":
        "msg_38:1 prefix-inner:1 prefix-outer:1 inner-is-outers-end:1",
    "Dovecot takes the empty line behind a header for the line end of the delimiter that follows": "msg_12:3.2.MIME",
    "Dovecot puts 0x80 for NUL, which no literal may hold; that is the server's business, a section is octets":
        "nul-in-body: nul-in-body:TEXT nul-in-body:1",
}
SECTIONS = {tuple(where.split(":")): why for why, places in _SECTIONS.items() for where in places.split()}
