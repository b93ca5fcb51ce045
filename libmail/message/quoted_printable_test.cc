#include "libmail/message/quoted_printable.h"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace posthorn::message;

namespace {

struct Decoded {
  std::string text;
  QuotedPrintableNotes notes;
};

Decoded decoded(std::string_view text, DecodeMode mode = DecodeMode::display, std::size_t cut = 0) {
  QuotedPrintableDecoder decoder(mode);
  Decoded result;
  decoder.feed(text.substr(0, cut), result.text);
  decoder.feed(text.substr(cut), result.text);
  decoder.finish(result.text);
  result.notes = decoder.notes();
  return result;
}

std::string encoded(std::string_view text, QuotedPrintableEncoder::Of of, std::size_t cut = 0) {
  QuotedPrintableEncoder encoder(of);
  std::string out;
  encoder.feed(text.substr(0, cut), out);
  encoder.feed(text.substr(cut), out);
  encoder.finish(out);
  return out;
}

}  // namespace

TEST_CASE("QuotedPrintableDecoder: reads RFC 2045 and what agents make of it") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"a=3Db\r\n", "a=b\r\n"},
      {"Gr=C3=BC=c3=9fe\n",
       "Gr\xc3\xbc\xc3\x9f"
       "e\n"},
      {"one =\r\ntwo", "one two"},
      {"one =\ntwo", "one two"},
      {"one = \t\r\ntwo", "one two"},
      {"blanks \t \r\nthen", "blanks\r\nthen"},
      {"at the end  ", "at the end"},
      {"inside  a line", "inside  a line"},
      {"soft at the end=", "soft at the end"},
      {"soft at the end=\r\n", "soft at the end"},
      {"raw \xfc here", "raw \xfc here"},
      {"bare\rcr", "bare\rcr"},
      {"=0D=0A", "\r\n"},
      {"tab=09\r\n", "tab\t\r\n"},
  }));
  CAPTURE(text);
  CHECK(decoded(text).text == expected);
  CHECK(decoded(text, DecodeMode::strict).text == expected);
  CHECK_FALSE(decoded(text).notes.ambiguous());
}

TEST_CASE("QuotedPrintableDecoder: a bad escape stands for itself, or stops a strict reader") {
  const auto [text, display, strict] = GENERATE(table<std::string, std::string, std::string>({
      {"a=ZZb", "a=ZZb", "a"},
      {"a=4", "a=4", "a"},
      {"a=4Zb", "a=4Zb", "a"},
      {"1+1=2, or =", "1+1=2, or ", "1+1"},
      {"x= y", "x= y", "x"},
      {"x=\ry", "x=\ry", "x"},
      {"==41", "=A", ""},
      {"a=4=41", "a=4A", "a"},
  }));
  CAPTURE(text);
  CHECK(decoded(text).text == display);
  CHECK(decoded(text, DecodeMode::strict).text == strict);
  CHECK(decoded(text).notes.bad_escapes == 1);
  CHECK(decoded(text).notes.ambiguous());
}

TEST_CASE("QuotedPrintableDecoder: gives the same wherever the text is cut") {
  const std::string text =
      "plain text =C3=BC and=20blanks \t \r\nsoft= \t\r\n=ZZ =\n=4=\r x=\r\ny \r z\n = a=";
  for (const DecodeMode mode : {DecodeMode::display, DecodeMode::strict}) {
    const Decoded whole = decoded(text, mode);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) {
      CAPTURE(cut);
      const Decoded parts = decoded(text, mode, cut);
      CHECK(parts.text == whole.text);
      CHECK(parts.notes.bad_escapes == whole.notes.bad_escapes);
      CHECK(parts.notes.blanks_at_end == whole.notes.blanks_at_end);
    }
  }
}

TEST_CASE("QuotedPrintableDecoder: a megabyte of blanks is kept or dropped, not hoarded") {
  CHECK(decoded(std::string(999, ' ') + "\n").text == "\n");
  CHECK(decoded("x" + std::string(1'000'000, ' ') + "y").text.size() == 1'000'002);
  std::string equal_signs(300'000, '=');
  CHECK(decoded(equal_signs).text.size() == 299'999);
}

TEST_CASE("QuotedPrintableEncoder: mbox's From and a lone dot are out of harm's way") {
  CHECK(encode_quoted_printable("From here\n.\n") == "From=20here\r\n=2E\r\n");
  CHECK(encode_quoted_printable("From: x\n..\nxFrom y\n") == "From: x\r\n..\r\nxFrom y\r\n");
  const std::string long_line(75, 'x');
  CHECK(encode_quoted_printable(long_line + "From y") == long_line + "=\r\nFrom=20y");
}

TEST_CASE("QuotedPrintableEncoder: octets keep their line ends as escapes") {
  CHECK(encoded("a\r\nb\n", QuotedPrintableEncoder::Of::octets) == "a=0D=0Ab=0A");
  std::string all;
  for (int i = 0; i < 1024; ++i) all += static_cast<char>(i * 7);
  CHECK(decoded(encoded(all, QuotedPrintableEncoder::Of::octets), DecodeMode::strict).text == all);
}

TEST_CASE("QuotedPrintableEncoder: gives the same wherever the text is cut, lines below 77") {
  const std::string text = "From me\r\n.\r\nblank \r\n" + std::string(200, 'y') +
                           " z \xc3\xbc\r x\n" + std::string(76, 'a') + "\n" +
                           std::string(75, 'b') + "\xff\r\n\r";
  for (const auto of : {QuotedPrintableEncoder::Of::text, QuotedPrintableEncoder::Of::octets}) {
    const std::string whole = encoded(text, of);
    for (std::size_t cut = 0; cut <= text.size(); ++cut) CHECK(encoded(text, of, cut) == whole);
    std::size_t begin = 0;
    while (begin < whole.size()) {
      const std::size_t end = std::min(whole.find("\r\n", begin), whole.size());
      CHECK(end - begin <= 76);
      begin = end + 2;
    }
  }
}
