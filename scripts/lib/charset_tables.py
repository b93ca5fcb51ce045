#!/usr/bin/env python3
"""Writes libmail/message/charset_tables.cc: what the upper 128 octets of each single-octet charset mean.

Python's codecs with the corrections that make them the indexes of the WHATWG Encoding Standard:
octets 0x80 to 0x9f that a Windows set leaves open are C1 controls there, and three single entries.

    scripts/lib/charset_tables.py > libmail/message/charset_tables.cc && clang-format-19 -i libmail/message/charset_tables.cc
"""

# In the order of enum Charset (libmail/message/charset.h).
CHARSETS = [
    ("ibm866", "cp866"), ("iso_8859_2", "iso8859_2"), ("iso_8859_3", "iso8859_3"),
    ("iso_8859_4", "iso8859_4"), ("iso_8859_5", "iso8859_5"), ("iso_8859_6", "iso8859_6"),
    ("iso_8859_7", "iso8859_7"), ("iso_8859_8", "iso8859_8"), ("iso_8859_10", "iso8859_10"),
    ("iso_8859_13", "iso8859_13"), ("iso_8859_14", "iso8859_14"), ("iso_8859_15", "iso8859_15"),
    ("iso_8859_16", "iso8859_16"), ("koi8_r", "koi8_r"), ("koi8_u", "koi8_u"),
    ("macintosh", "mac_roman"), ("windows_874", "cp874"), ("windows_1250", "cp1250"),
    ("windows_1251", "cp1251"), ("windows_1252", "cp1252"), ("windows_1253", "cp1253"),
    ("windows_1254", "cp1254"), ("windows_1255", "cp1255"), ("windows_1256", "cp1256"),
    ("windows_1257", "cp1257"), ("windows_1258", "cp1258"), ("x_mac_cyrillic", "mac_cyrillic"),
]
CORRECTIONS = {
    ("koi8_u", 0xAE): 0x045E, ("koi8_u", 0xBE): 0x040E,
    ("windows_1255", 0xCA): 0x05BA,
}


def meaning(name, codec, octet):
    if (name, octet) in CORRECTIONS:
        return CORRECTIONS[name, octet]
    try:
        return ord(bytes([octet]).decode(codec))
    except UnicodeDecodeError:
        return octet if octet < 0xA0 and name.startswith("windows") else 0xFFFD


def main():
    print("// Written by scripts/lib/charset_tables.py; U+FFFD where a charset has nothing.")
    print('#include "libmail/message/charset_tables.h"\n')
    print("namespace posthorn::message {\n")
    print(f"const std::array<std::array<char16_t, 128>, {len(CHARSETS)}> charset_tables = {{{{")
    for name, codec in CHARSETS:
        row = ", ".join(f"0x{meaning(name, codec, octet):04x}" for octet in range(0x80, 0x100))
        print(f"    // {name}\n    {{{row}}},")
    print("}};\n\n}  // namespace posthorn::message")


main()
