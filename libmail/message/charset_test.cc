#include "libmail/message/charset.h"

#include <catch2/catch.hpp>

#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::message;

namespace {

std::string read(std::string_view octets, std::string_view label) {
  return label_to_utf8(octets, label);
}

std::string in_two(Charset charset, std::string_view octets, std::size_t cut) {
  CharsetDecoder decoder(charset);
  std::string out;
  decoder.feed(octets.substr(0, cut), out);
  decoder.feed(octets.substr(cut), out);
  decoder.finish(out);
  return out;
}

}  // namespace

TEST_CASE("find_charset: knows the aliases of the Web, whatever their case") {
  CHECK(find_charset(" UTF8 ") == Charset::utf_8);
  CHECK(find_charset("ISO-8859-1") == Charset::windows_1252);
  CHECK(find_charset("latin1") == Charset::windows_1252);
  CHECK(find_charset("iso-8859-9") == Charset::windows_1254);
  CHECK(find_charset("ks_c_5601-1987") == Charset::euc_kr);
  CHECK(find_charset("GB2312") == Charset::gb18030);
  CHECK(find_charset("Shift_JIS") == Charset::shift_jis);
  CHECK(find_charset("iso-2022-kr") == Charset::replacement);
}

TEST_CASE("find_charset: what isn't in the list is unknown, whatever iconv would make of it") {
  const std::string label = GENERATE(as<std::string>(), "", "utf-7", "UNICODE-1-1-UTF-7",
                                     "ISO-2022-CN-EXT//TRANSLIT", "IBM1390", "utf-8//IGNORE", "utf",
                                     "latin1 latin2", "../../etc/passwd", "ISO-2022-JP-3", "ucs-4");
  CAPTURE(label);
  CHECK(find_charset(label).value_or(Charset::replacement) == Charset::replacement);
}

TEST_CASE("charset_name: every charset has one that leads back to it") {
  for (int i = 0; i <= static_cast<int>(Charset::replacement); ++i) {
    const auto charset = static_cast<Charset>(i);
    CHECK(find_charset(charset_name(charset)) == charset);
  }
}

TEST_CASE("label_to_utf8: reads the sets that mail is written in") {
  const auto [label, octets, expected] = GENERATE(table<std::string, std::string, std::string>({
      {"iso-8859-1", "Gr\xfc\xdf \x80", "Grüß €"},
      {"windows-1252", "\x93quoted\x94", "“quoted”"},
      {"iso-8859-15", "\xa4", "€"},
      {"iso-8859-2", "\xb3\xf3\x64\xbc", "łódź"},
      {"koi8-r", "\xf0\xd2\xc9\xd7\xc5\xd4", "Привет"},
      {"windows-1251", "\xcf\xf0\xe8\xe2\xe5\xf2", "Привет"},
      {"koi8-u", "\xa4\xb6\xa7\xad", "єІїґ"},
      {"iso-8859-7", "\xc3\xe5\xe9\xdc", "Γειά"},
      {"windows-1255", "\xf9\xec\xe5\xed", "שלום"},
      {"macintosh", "\x8a\xdb", "ä€"},
      {"tis-620", "\xca\xc7\xd1", "สวั"},
      {"iso-2022-jp", "\x1b$B$3$s\x1b(B ok", "こん ok"},
      {"shift_jis", "\x82\xb1\x82\xf1", "こん"},
      {"euc-jp", "\xa4\xb3\xa4\xf3", "こん"},
      {"gb2312", "\xc4\xe3\xba\xc3", "你好"},
      {"gb18030", "\x81\x30\x86\x30", "¸"},
      {"big5", "\xa7\x41\xa6\x6e", "你好"},
      {"euc-kr", "\xbe\xc8\xb3\xe7", "안녕"},
      {"utf-16", std::string("\xff\xfe\xe4\x00\x3d\xd8\x00\xde", 8), "ä😀"},
      {"utf-16be", std::string("\x00\xe4", 2), "ä"},
      {"utf-8", "\xef\xbb\xbf\xc3\xa4", "ä"},
      {"us-ascii", "Gr\xfc\xdf", "Grüß"},
      {"us-ascii", "Grüß", "Grüß"},
      {"", "Gr\xfc\xdf", "Grüß"},
      {"x-unknown", "Grüß", "Grüß"},
  }));
  CAPTURE(label);
  CHECK(read(octets, label) == expected);
}

TEST_CASE("label_to_utf8: UTF-7 and hidden sets say nothing") {
  CHECK(read("+ADw-script+AD4-", "utf-7") == "+ADw-script+AD4-");
  CHECK(read("~{<:Ky2;VCRSJ1~}<script>", "hz-gb-2312") == "\xef\xbf\xbd");
  CHECK(read("\x1b$)C<script>", "iso-2022-kr") == "\xef\xbf\xbd");
  CHECK(read("", "iso-2022-kr").empty());
}

TEST_CASE("label_to_utf8: what can't be read is U+FFFD, and counted") {
  const auto [label, octets, expected, count] =
      GENERATE(table<std::string, std::string, std::string, int>({
          {"utf-8", "a\xc0\xaf.\xed\xa0\x80z", "a\ufffd\ufffd.\ufffd\ufffd\ufffdz", 5},
          {"utf-8", "\xf0\x9f\x98", "\ufffd", 1},
          {"utf-8", "\xef\xbb", "\ufffd", 1},
          {"utf-8", "\xf4\x90\x80\x80", "\ufffd\ufffd\ufffd\ufffd", 4},
          {"utf-8", "\xe2\x82z", "\ufffdz", 1},
          {"utf-16le", std::string("\x00\xd8\x41\x00\x00\xdc\x42", 7), "\ufffdA\ufffd\ufffd", 3},
          {"iso-8859-7", "a\xff", "a\ufffd", 1},
          {"shift_jis", "\x82", "\ufffd", 1},
          {"shift_jis", "\x81 x", "\ufffd x", 1},
          {"iso-2022-jp", "\xff z", "\ufffd z", 1},
      }));
  CAPTURE(label);
  std::uint64_t replaced = 0;
  CHECK(label_to_utf8(octets, label, &replaced) == expected);
  CHECK(replaced == static_cast<std::uint64_t>(count));
}

TEST_CASE("CharsetDecoder: gives the same wherever the text is cut") {
  const auto [charset, octets] = GENERATE(table<Charset, std::string>({
      {Charset::utf_8, "\xef\xbb\xbfgrüß 😀\xf0\x9f\xff€\xe2\x82"},
      {Charset::windows_1252, "Gr\xfc\xdf und \x80"},
      {Charset::utf_16le, std::string("\xfe\xff\x00\xe4\xd8\x3d\xde\x00\xd8\x00\x00", 11)},
      {Charset::iso_2022_jp, "a\x1b$B$3$s\x1b(B ok\x1b$B$3"},
      {Charset::shift_jis, "a\x82\xb1\x82\xf1 \x81"},
      {Charset::gb18030, "\x81\x30\x86\x30 \xc4\xe3\x81\x30"},
      {Charset::big5, "\x88\x62 \xa7\x41\xa6\x6e\x88\x66"},
      {Charset::euc_kr, "\xbe\xc8\xb3\xe7 \xff\xbe"},
      {Charset::replacement, "abc"},
  }));
  const std::string whole = to_utf8(octets, charset);
  CHECK(is_utf8(whole));
  for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
    CAPTURE(charset_name(charset), cut);
    CHECK(in_two(charset, octets, cut) == whole);
  }
}

TEST_CASE("TextDecoder: the first 8-bit octets decide where no label does") {
  const auto [text, expected, charset] =
      GENERATE(table<std::string, std::string, std::optional<Charset>>({
          {"plain", "plain", std::nullopt},
          {"für a \xe4", "für a \ufffd", Charset::utf_8},
          {"f\xfcr \xc3\xa4", "für Ã¤", Charset::windows_1252},
          {"euro \xe2\x82", "euro â‚", Charset::windows_1252},
          {"\xc3\xa9z\xc3", "éz\ufffd", Charset::utf_8},
      }));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    TextDecoder decoder("x-unknown");
    std::string out;
    decoder.feed(std::string_view(text).substr(0, cut), out);
    decoder.feed(std::string_view(text).substr(cut), out);
    decoder.finish(out);
    CAPTURE(cut);
    CHECK(out == expected);
    CHECK(decoder.charset() == charset);
    CHECK(decoder.unknown_label());
  }
}
