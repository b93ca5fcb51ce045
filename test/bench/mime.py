#!/usr/bin/env python3
"""Messages read a second: memcpy, libmail/message, GMime and Python's email. Called by scripts/bench mime; README.md explains the numbers."""

import argparse
import ctypes
import email
import email.policy
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "support"))
import mime_torture  # noqa: E402

BENCH = os.path.join(os.environ["POSTHORN_BIN"], "mime_bench")
LINE = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0\r\n"
FIELD = b"X-Field-%d: some words that go on for the usual length of a line, %d\r\n"
GROWTH = (1 << 16, 10 << 16, 100 << 16)
# A hundred times the octets may take as many times the time, and half as much again for caches that are left behind.
MOST_GROWTH = 150


def attachments(octets):
    """A short text and one attachment, as most big mail is."""
    body = LINE * (octets // len(LINE))
    return (b"From: a@example.org\r\nSubject: holiday\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n"
            b"--=_b\r\nContent-Type: text/plain\r\n\r\nSee below.\r\n--=_b\r\nContent-Type: image/jpeg; name=a.jpg\r\n"
            b"Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=a.jpg\r\n\r\n" + body + b"--=_b--\r\n")


def header_heavy():
    """5 KiB of header, two lines of text: mail as lists and filters send it."""
    received = (b"Received: from mx%d.example.org (mx%d.example.org [192.0.2.%d])\r\n\tby mail.example.net (Postfix) with ESMTPS id "
                b"4F00%d\r\n\tfor <b@example.net>; Mon, 23 Nov 2026 06:00:00 +0000 (UTC)\r\n")
    return (b"".join(received % (i, i, i, i) for i in range(8)) +
            b"".join(FIELD % (i, i) for i in range(40)) +
            b"From: Ann <a@example.org>\r\nTo: b@example.net\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n"
            b"Date: Mon, 23 Nov 2026 06:00:00 +0000\r\nMessage-ID: <1@example.org>\r\nMIME-Version: 1.0\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n\r\nHello\r\n")


def many_parts():
    """2000 small parts."""
    return (b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n" +
            b"--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nsome lines\r\nof text\r\n" * 2000 + b"--b--\r\n")


# What is measured: the message, the work of mime_bench, and whether the others can do it.
CASES = {
    "attachment": (lambda: attachments(8 << 20), "parse"),
    "header": (header_heavy, "headers"),
    "parts": (many_parts, "headers"),
    "base64": (lambda: b"Subject: x\n\n" + LINE * ((8 << 20) // len(LINE)), "base64"),
}


class GMime:
    """libgmime by its C interface; a call costs a microsecond."""

    def __init__(self):
        self.library = ctypes.CDLL("libgmime-3.0.so.0")
        self.gobject = ctypes.CDLL("libgobject-2.0.so.0")
        for name in ("g_mime_stream_mem_new_with_buffer", "g_mime_parser_new_with_stream", "g_mime_parser_construct_message",
                     "g_mime_message_get_subject"):
            getattr(self.library, name).restype = ctypes.c_void_p
        self.library.g_mime_stream_mem_new_with_buffer.argtypes = [ctypes.c_char_p, ctypes.c_size_t]
        self.library.g_mime_parser_new_with_stream.argtypes = [ctypes.c_void_p]
        self.library.g_mime_parser_construct_message.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        self.library.g_mime_message_get_subject.argtypes = [ctypes.c_void_p]
        self.gobject.g_object_unref.argtypes = [ctypes.c_void_p]
        self.library.g_mime_init()

    def __call__(self, octets):
        stream = self.library.g_mime_stream_mem_new_with_buffer(octets, len(octets))
        parser = self.library.g_mime_parser_new_with_stream(stream)
        message = self.library.g_mime_parser_construct_message(parser, None)
        self.library.g_mime_message_get_subject(message)
        for thing in (message, parser, stream):
            self.gobject.g_object_unref(thing)


def python(octets):
    return str(email.message_from_bytes(octets, policy=email.policy.compat32)["subject"])


def rate(work, octets, seconds):
    """Octets a second of CPU time."""
    work(octets)
    runs, begin = 0, time.process_time()
    while runs == 0 or time.process_time() - begin < seconds:
        work(octets)
        runs += 1
    return runs * len(octets) / (time.process_time() - begin)


def ours(octets, seconds, *works):
    out = subprocess.run([BENCH, str(seconds), *works], input=octets, capture_output=True, check=True).stdout
    return [json.loads(line) for line in out.splitlines()]


def measure_rates(args):
    gmime, out = GMime(), {}
    for name, (make, work) in CASES.items():
        octets = make()
        turns = {"memcpy": [], "posthorn": [], "gmime": [], "python": []}
        for _ in range(args.runs):
            copy, mine = ours(octets, args.seconds, "memcpy", work)
            for who, row in (("memcpy", copy), ("posthorn", mine)):
                turns[who].append(row["octets"] * row["runs"] / row["seconds"])
            if work != "base64":
                turns["gmime"].append(rate(gmime, octets, args.seconds))
                turns["python"].append(rate(python, octets, args.seconds))
        rates = {who: statistics.median(values) for who, values in turns.items() if values}
        out[name] = {"octets": len(octets), "mb_s": {who: round(value / 1e6, 1) for who, value in rates.items()},
                     "of_memcpy": round(rates["posthorn"] / rates["memcpy"], 3), "allocations": mine["allocations"], "heap": mine["heap"]}
        if "gmime" in rates:
            out[name]["times_gmime"] = round(rates["posthorn"] / rates["gmime"], 1)
            out[name]["times_python"] = round(rates["posthorn"] / rates["python"], 1)
    return out


def count_allocations():
    """Of one more header field, and of one more MiB of attachment."""
    few, many = (ours(b"Subject: x\r\n" + b"".join(FIELD % (i, i) for i in range(n)) + b"\r\n", 0, "parse")[0] for n in (100, 9000))
    small, large = (ours(attachments(n << 20), 0, "parse")[0] for n in (1, 16))
    return {"per_field": (many["allocations"] - few["allocations"]) / 8900,
            "heap_per_field": (many["heap"] - few["heap"]) / 8900,
            "heap_per_attached_mib": (large["heap"] - small["heap"]) / 15}


def measure_growth(args):
    out = {}
    for name, make in mime_torture.growing().items():
        rows = []
        for size in GROWTH:
            octets = make(size)
            parse, read = ours(octets, args.seconds / 10, "parse", "read")
            rows.append({"octets": len(octets), "parse_ms": 1e3 * parse["fastest"], "read_ms": 1e3 * read["fastest"],
                         "heap": max(parse["heap"], read["heap"])})
        out[name] = rows
    return out


def too_much(growth):
    """What grows faster than its octets, or holds more than it may."""
    out = []
    for name, rows in growth.items():
        first, last = rows[0], rows[-1]
        allowed = MOST_GROWTH * last["octets"] / first["octets"] / 100
        for key in ("parse_ms", "read_ms"):
            if last[key] > allowed * max(first[key], 0.05):
                out.append(f"{name}: {key} grew {last[key] / first[key]:.0f} times")
        if last["heap"] > mime_torture.MOST_HEAP:
            out.append(f"{name}: {last['heap'] >> 20} MiB of heap")
    return out


def print_tables(result):
    print(f"{'':12}{'octets':>10}{'memcpy':>10}{'posthorn':>10}{'gmime':>10}{'python':>10}   MB/s; of memcpy, times GMime, times Python")
    for name, row in result["rates"].items():
        cells = "".join(f"{row['mb_s'].get(who, ''):>10}" for who in ("memcpy", "posthorn", "gmime", "python"))
        print(f"{name:12}{row['octets']:>10}{cells}   {row['of_memcpy']:.2f} {row.get('times_gmime', '')} {row.get('times_python', '')}")
    cost = result["allocations"]
    print(f"\nallocations a header field {cost['per_field']:.4f}, heap {cost['heap_per_field']:.2f} octets; "
          f"heap a MiB of attachment {cost['heap_per_attached_mib']:.0f} octets\n")
    print(f"{'milliseconds':24}" + "".join(f"{'1x parse':>10}{'10x':>8}{'100x':>8}{'1x read':>10}{'10x':>8}{'100x':>8}{'heap KiB':>10}"))
    for name, rows in result["growth"].items():
        print(f"{name:24}" + "".join(f"{rows[i]['parse_ms']:>{10 if i == 0 else 8}.2f}" for i in range(3)) +
              "".join(f"{rows[i]['read_ms']:>{10 if i == 0 else 8}.2f}" for i in range(3)) + f"{rows[-1]['heap'] >> 10:>10}")


def main():
    options = argparse.ArgumentParser(prog="scripts/bench mime", description=__doc__)
    options.add_argument("--runs", type=int, default=3, help="turns of each reader; the median counts (3)")
    options.add_argument("--seconds", type=float, default=0.5, help="of each reader in a turn (0.5)")
    options.add_argument("--json", action="store_true")
    args = options.parse_args()
    result = {"rates": measure_rates(args), "allocations": count_allocations(), "growth": measure_growth(args)}
    result["too_much"] = too_much(result["growth"])
    if args.json:
        print(json.dumps(result))
    else:
        print_tables(result)
        for line in result["too_much"]:
            print("too much:", line)
    return 1 if result["too_much"] else 0


if __name__ == "__main__":
    sys.exit(main())
