#include "libmail/message/encoded_word.h"

#include <catch2/catch.hpp>

#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::message;

TEST_CASE("decode_encoded_words: reads the examples of RFC 2047") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"=?US-ASCII?Q?Keith_Moore?=", "Keith Moore"},
      {"=?ISO-8859-1?Q?Keld_J=F8rn_Simonsen?=", "Keld Jørn Simonsen"},
      {"=?ISO-8859-1?B?SWYgeW91IGNhbiByZWFkIHRoaXMgeW8=?=\r\n "
       "=?ISO-8859-2?B?dSB1bmRlcnN0YW5kIHRoZSBleGFtcGxlLg==?=",
       "If you can read this you understand the example."},
      {"=?ISO-8859-1?Q?a?=", "a"},
      {"=?ISO-8859-1?Q?a?= b", "a b"},
      {"=?ISO-8859-1?Q?a?=  =?ISO-8859-1?Q?b?=", "ab"},
      {"=?ISO-8859-1?Q?a?=\r\n     =?ISO-8859-1?Q?b?=", "ab"},
      {"=?ISO-8859-1?Q?a_b?=", "a b"},
      {"=?ISO-8859-1?Q?a?= =?ISO-8859-2?Q?_b?=", "a b"},
      {"plain text", "plain text"},
      {"folded\r\n text", "folded text"},
      {"=?iso-8859-1*de?q?gr=FC=DF?=", "grüß"},
  }));
  CAPTURE(text);
  Anomalies anomalies;
  CHECK(decode_encoded_words(text, &anomalies) == expected);
  CHECK(anomalies.empty());
}

TEST_CASE("decode_encoded_words: reads what real agents write") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"=?utf-8?Q?=C3?= =?UTF-8?Q?=BC?=", "ü"},
      {"=?utf-8?B?w7w?=", "ü"},
      {"\"=?utf-8?Q?quoted=C3=BC?=\"", "\"quotedü\""},
      {"x=?utf-8?Q?=C3=BC?=y", "xüy"},
      {"=?utf-8?Q?with blanks and =C3=BC?=", "with blanks and ü"},
      {"=?utf-8?Q?raw ü?=", "raw ü"},
      {"=?utf-8?q?a?==?utf-8?q?b?=", "ab"},
      {"Gr\xfc\xdf", "Grüß"},
      {"Grüß", "Grüß"},
      {"=?iso-2022-jp?B?GyRCJDMkcxsoQg==?=", "こん"},
      {"=?utf-8?B?QQ==?= =?utf-8?B?Qg==?=", "AB"},
      {"=?utf-8?Q?"
       "?= x",
       " x"},
  }));
  CAPTURE(text);
  CHECK(decode_encoded_words(text) == expected);
}

TEST_CASE("decode_encoded_words: what is none stands for itself and shows") {
  const auto [text, expected, kind] = GENERATE(table<std::string, std::string, AnomalyKind>({
      {"=?utf-8?X?abc?=", "=?utf-8?X?abc?=", AnomalyKind::bad_encoded_word},
      {"=?utf-8?Q?abc", "=?utf-8?Q?abc", AnomalyKind::bad_encoded_word},
      {"=??Q?abc?=", "=??Q?abc?=", AnomalyKind::bad_encoded_word},
      {"=?utf-8?Q?a =?utf-8?Q?b?=", "=?utf-8?Q?a b", AnomalyKind::bad_encoded_word},
      {"=?utf-8?Q?a=ZZ?=", "a=ZZ", AnomalyKind::bad_quoted_printable},
      {"=?utf-8?B?Q!UI=?=", "AB", AnomalyKind::bad_base64},
      {"=?utf-8?B?QQ==Qg==?=", "AB", AnomalyKind::base64_after_padding},
      {"=?x-unknown?Q?=FC?=", "ü", AnomalyKind::unknown_charset},
      {"=?utf-7?Q?+ADw-x?=", "+ADw-x", AnomalyKind::forbidden_charset},
      {"=?utf-8?Q?=FC?=", "\ufffd", AnomalyKind::invalid_in_charset},
      {"Gr\xfc\xdf", "Grüß", AnomalyKind::unencoded_8bit},
      {"=?utf-8?Q?a=0D=0ABcc:_x?=", "aBcc: x", AnomalyKind::control_in_encoded_word},
      {"=?utf-8?Q?a=00=1B[2J?=", "a[2J", AnomalyKind::control_in_encoded_word},
      {"=?utf-8?Q?=C2=9B2J?=", "2J", AnomalyKind::control_in_encoded_word},
  }));
  CAPTURE(text);
  Anomalies anomalies;
  CHECK(decode_encoded_words("1" + text, &anomalies, 100) == "1" + expected);
  REQUIRE(anomalies.list().size() == 1);
  CHECK(name(anomalies.list()[0].kind) == name(kind));
  CHECK(anomalies.list()[0].offset >= 100);
}

TEST_CASE("decode_encoded_words: a megabyte of beginnings is read in linear time") {
  std::string text;
  for (int i = 0; i < 150'000; ++i) text += "=?u?q?";
  CHECK(decode_encoded_words(text) == text);
  std::string marks(1'000'000, '?');
  CHECK(decode_encoded_words("=?u?q?" + marks).size() == marks.size() + 6);
}

TEST_CASE("encode_text: ASCII stays, the rest is words that lead back to it") {
  CHECK(encode_text("plain, \"ASCII\" text") == "plain, \"ASCII\" text");
  CHECK(encode_text("Grüße aus Köln, sagt Ann") == "=?utf-8?B?R3LDvMOfZSBhdXMgS8O2bG4s?= sagt Ann");
  CHECK(encode_text("for Müller") == "for =?utf-8?Q?M=C3=BCller?=");
  CHECK(encode_text("こんにちは") == "=?utf-8?B?44GT44KT44Gr44Gh44Gv?=");
  CHECK(encode_text("not =?utf-8?Q?a?= word") == "not =?utf-8?B?PT91dGYtOD9RP2E/PQ==?= word");
  CHECK(encode_text("a\r\nBcc: x") == "a  Bcc: x");
  const std::string text = GENERATE(
      as<std::string>(), "ü", "a ü", "ü b  ü", "Привет, мир! Это длинная строка для проверки",
      "one two  thrée", "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀 end", "=?x?Q?y?=", "?=_=?",
      "ein langer Betreff mit einem Ü, der über mehrere Wörter läuft und läuft und läuft");
  const std::string encoded = encode_text(text);
  CAPTURE(encoded);
  CHECK(is_ascii(encoded));
  CHECK(decode_encoded_words(encoded) == text);
  for (const std::string_view word : words(encoded)) CHECK(word.size() <= 64);
}

TEST_CASE("encode_text: each word is well-formed by itself") {
  const std::string encoded = encode_text(std::string(20, 'x') +
                                          "😀😀😀😀😀😀😀😀"
                                          "ä😀ü😀😀😀😀😀ö😀😀😀😀");
  for (const std::string_view word : words(encoded))
    CHECK(decode_encoded_words(word).find("\ufffd") == std::string::npos);
}

TEST_CASE("encode_phrase: atoms, a quoted string or words") {
  const auto [name, expected] = GENERATE(table<std::string, std::string>({
      {"Ann Example", "Ann Example"},
      {"Example, Ann", "\"Example, Ann\""},
      {"Ann \"X\" \\ Example", "\"Ann \\\"X\\\" \\\\ Example\""},
      {"John Q. Public", "\"John Q. Public\""},
      {"Jürgen, <x@y>", "=?utf-8?B?SsO8cmdlbiwgPHhAeT4=?="},
      {" a  b ", "\"a  b\""},
      {"", ""},
      {"a\r\nBcc: b", "\"a  Bcc: b\""},
      {"=?utf-8?Q?x?=", "=?utf-8?B?PT91dGYtOD9RP3g/PQ==?="},
  }));
  CHECK(encode_phrase(name) == expected);
}
