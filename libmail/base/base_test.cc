#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <cerrno>

#include "libmail/base/base64.h"
#include "libmail/base/clock.h"
#include "libmail/base/crc32c.h"
#include "libmail/base/crlf.h"
#include "libmail/base/percent.h"
#include "libmail/base/read_file.h"
#include "libmail/base/text.h"
#include "test/support/test_folder.h"

using namespace posthorn;

TEST_CASE("base64: encodes and decodes the vectors of RFC 4648") {
  const auto [plain, coded] = GENERATE(table<std::string, std::string>({{"", ""},
                                                                        {"f", "Zg=="},
                                                                        {"fo", "Zm8="},
                                                                        {"foo", "Zm9v"},
                                                                        {"foob", "Zm9vYg=="},
                                                                        {"fooba", "Zm9vYmE="},
                                                                        {"foobar", "Zm9vYmFy"}}));
  CHECK(encode_base64(plain) == coded);
  CHECK(decode_base64(coded) == plain);
}

TEST_CASE("base64: refuses what is not exactly base64") {
  const std::string bad = GENERATE(as<std::string>(), "Zg", "Zg=", "Zg===", "Z===", "Zm9v\n",
                                   "Zh==", "Zm9=", "=Zg=", "Zm9v!mFy");
  CAPTURE(bad);
  CHECK_FALSE(decode_base64(bad));
}

TEST_CASE("crc32c: long texts have the sum of their pieces") {
  std::string text;
  for (unsigned i = 0; i < 1000; ++i) text.push_back(static_cast<char>(i * i >> 3));
  std::uint32_t sum = 0;
  for (std::size_t size = 0; size < text.size(); ++size) {
    CHECK(crc32c(0, std::string_view(text).substr(0, size)) == sum);
    sum = crc32c(sum, std::string_view(text).substr(size, 1));
  }
}

TEST_CASE("crc32c: gives the values of RFC 3720 and can be continued") {
  CHECK(crc32c(0, "123456789") == 0xe3069283u);
  CHECK(crc32c(0, std::string(32, '\0')) == 0x8a9136aau);
  CHECK(crc32c(crc32c(0, "1234"), "56789") == 0xe3069283u);
}

TEST_CASE("is_utf8: knows overlong forms, surrogates and truncation") {
  CHECK(
      is_utf8("Gr\xc3\xbc\xc3\x9f"
              "e \xf0\x9f\x93\xaf"));
  const std::string bad =
      GENERATE(as<std::string>(), "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe2\x82",
               "\xff", "\x80", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf");
  CHECK_FALSE(is_utf8(bad));
}

TEST_CASE("printable: lets no control octet through") {
  CHECK(printable("a\r\nb\x1b[2J\x7f") == "a\\x0d\\x0ab\\x1b[2J\\x7f");
  CHECK(printable("\xc2\x9b"
                  "x\xff") == "\\xc2\\x9bx\\xff");
  CHECK(printable("abcdef", 3) == "abc...");
}

TEST_CASE("parse_number: takes whole numbers only") {
  CHECK(parse_number<int>("42") == 42);
  for (const auto* bad : {"", "-1", "+1", " 1", "1 ", "0x1", "99999999999"})
    CHECK_FALSE(parse_number<int>(bad));
  CHECK(parse_size("16M") == 16u << 20);
  CHECK_FALSE(parse_size("99999999999999999999G"));
  CHECK_FALSE(parse_size("18446744073709551615k"));
}

TEST_CASE("parse_duration: units and nonsense") {
  Duration d{};
  REQUIRE(parse_duration("5m", d));
  CHECK(d == std::chrono::minutes(5));
  CHECK(format_duration(d) == "5m");
  CHECK_FALSE(parse_duration("m", d));
  CHECK_FALSE(parse_duration("5w", d));
}

TEST_CASE("nearest: finds the likely word and no unlikely one") {
  CHECK(nearest("lisen", {"listen", "hostname"}) == "listen");
  CHECK_FALSE(nearest("zzzzzz", {"listen", "hostname"}));
}

TEST_CASE("read_file: all of a regular file, and nothing else") {
  const TestFolder folder;
  const std::string octets = std::string(100000, 'x') + std::string("\0y", 2);
  folder.write("file", octets);
  folder.write("empty", "");
  CHECK(read_file(folder.path("file")) == octets);
  CHECK(read_file(folder.path("empty")) == "");
  CHECK(read_file(folder.path("file"), octets.size()) == octets);
  CHECK(read_file(folder.path("file"), octets.size() - 1).error().code == EFBIG);
  CHECK(read_file(folder.path("none")).error().code == ENOENT);
  CHECK(read_file(folder.path()).error().text().find("not a regular file") == 0);
  REQUIRE(::mkfifo(folder.path("fifo").c_str(), 0600) == 0);
  CHECK_FALSE(read_file(folder.path("fifo")));  // and it doesn't wait for a writer
}

TEST_CASE("percent_decode: two digits of either case, or nothing at all") {
  CHECK(percent_decode("a%20b%C3%bc%00%25") == std::string("a b\xc3\xbc\0%", 7));
  CHECK(percent_decode("") == "");
  for (const char* bad : {"%", "a%2", "%g0", "%0g", "%%20", "%+1", "% 1", "%-1"})
    CHECK_FALSE(percent_decode(bad).has_value());
}

TEST_CASE("append_crlf and count_bare_lf: the same wherever the text is cut") {
  const std::string text = "one\ntwo\r\n\n\r\r\nlong " + std::string(200, '\n') + "\rend\r";
  const std::string whole = "one\r\ntwo\r\n\r\n\r\r\nlong " + [] {
    std::string ends;
    for (int i = 0; i < 200; ++i) ends += "\r\n";
    return ends;
  }() + "\rend\r";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    bool after_cr = false;
    std::string out = "before ";
    append_crlf(std::string_view(text).substr(0, cut), after_cr, out);
    append_crlf(std::string_view(text).substr(cut), after_cr, out);
    CHECK(out == "before " + whole);
    after_cr = false;
    std::size_t more = count_bare_lf(std::string_view(text).substr(0, cut), after_cr);
    more += count_bare_lf(std::string_view(text).substr(cut), after_cr);
    CHECK(text.size() + more == whole.size());
  }
}
