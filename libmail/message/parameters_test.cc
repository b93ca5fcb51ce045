#include "libmail/message/parameters.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "libmail/message/encoded_word.h"

using namespace posthorn::message;

namespace {

// "name=value" of each, joined by '|'.
std::string shown(const ParameterList& list) {
  std::string out;
  for (const Parameter& parameter : list.parameters) {
    if (!out.empty()) out += '|';
    out += parameter.name + "=" + parameter.value;
  }
  return out;
}

std::string kinds(const Anomalies& anomalies) {
  std::string out;
  for (const Anomaly& anomaly : anomalies.list()) {
    if (!out.empty()) out += ' ';
    out += name(anomaly.kind);
  }
  return out;
}

}  // namespace

TEST_CASE("parse_parameters: reads RFC 2045 and the examples of RFC 2231") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"", ""},
      {"; charset=us-ascii (Plain text)", "charset=us-ascii"},
      {"; charset=\"us-ascii\"", "charset=us-ascii"},
      {"; Boundary=\"a \\\"b\\\" c\"; x=y", "boundary=a \"b\" c|x=y"},
      {";\r\n name=\"a\r\n b\"", "name=a b"},
      {"; (comment (nested)) a=b (c) ; ; d=e;", "a=b|d=e"},
      {"; URL*0=\"ftp://\"; URL*1=\"cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar\"",
       "url=ftp://cs.utk.edu/pub/moore/bulk-mailer/bulk-mailer.tar"},
      {"; title*=us-ascii'en-us'This%20is%20%2A%2A%2Afun%2A%2A%2A", "title=This is ***fun***"},
      {"; title*0*=us-ascii'en'This%20is%20even%20more%20; title*1*=%2A%2A%2Afun%2A%2A%2A%20;"
       " title*2=\"isn't it!\"",
       "title=This is even more ***fun*** isn't it!"},
      {"; x*2=c; x*0=a; x*1=b", "x=abc"},
      {"; filename*=UTF-8''%e2%82%ac%20rates", "filename=€ rates"},
      {"; filename*0*=utf-8''%C3; filename*1*=%BC.txt", "filename=ü.txt"},
      {"; filename=\"gr_n.txt\"; filename*=utf-8''gr%C3%BCn.txt", "filename=grün.txt"},
      {"; filename=\"=?utf-8?Q?gr=C3=BCn.txt?=\"", "filename=grün.txt"},
      {"; filename*0=\"=?utf-8?Q?gr=C3=BC\"; filename*1=\"n.txt?=\"", "filename=grün.txt"},
      {"; boundary=\"=?utf-8?Q?a?=\"", "boundary==?utf-8?Q?a?="},
      {"; filename=\"C:\\new\\file.txt\"", "filename=C:\\new\\file.txt"},
  }));
  CAPTURE(text);
  Anomalies anomalies;
  CHECK(shown(parse_parameters(text, anomalies)) == expected);
  CHECK(kinds(anomalies).empty());
}

TEST_CASE("parse_parameters: reads what is broken, and says so") {
  const auto [text, expected, why] = GENERATE(table<std::string, std::string, std::string>({
      {"; name=my file.pdf; a=b", "name=my file.pdf|a=b", "bad_parameter"},
      {"; filename=file (1).pdf", "filename=file (1).pdf", "bad_parameter"},
      {"; name=\"open", "name=open", "bad_parameter"},
      {"; name=\"a\" junk; a=b", "name=a|a=b", "bad_parameter"},
      {"; nothing; a=b", "a=b", "bad_parameter"},
      {"; =x; a=b", "a=b", "bad_parameter"},
      {"; a=; b=c", "a=|b=c", "bad_parameter"},
      {"; a=b; A=b", "a=b", "duplicate_parameter"},
      {"; boundary=a; boundary=b", "boundary=a", "conflicting_parameter"},
      {"; name=x.txt; name*=utf-8''y.exe", "name=y.exe", "conflicting_parameter"},
      {"; x*0=a; x*0=b; x*1=c", "x=ac", "conflicting_parameter"},
      {"; x*0=a; x*2=c", "x=ac", "missing_segment"},
      {"; x*1=b", "x=b", "missing_segment"},
      {"; name*=utf-8''50%%20", "name=50% ", "bad_percent_encoding"},
      {"; name*=utf-8''%E8.xlsx", "name=\ufffd.xlsx", "invalid_in_charset"},
      {"; name*=iso-8859-1''%E8.xlsx", "name=è.xlsx", ""},
      {"; name*=x-odd''%E8", "name=è", "unknown_charset"},
      {"; name*=utf-7''+ADw-", "name=+ADw-", "forbidden_charset"},
      {"; name*=plain", "name=plain", "bad_parameter"},
      {"; name*=utf-8''a%0D%0Ab%00", "name=ab", "bad_parameter"},
      {"; name=Gr\xfc\xdf", "name=Grüß", "unencoded_8bit"},
      {"; x**=a; x*y=b", "x**=a|x*y=b", ""},
  }));
  CAPTURE(text);
  Anomalies anomalies;
  CHECK(shown(parse_parameters(text, anomalies)) == expected);
  CHECK(kinds(anomalies) == why);
}

TEST_CASE("parse_parameters: keeps what IMAP shows as it was written") {
  Anomalies anomalies;
  const auto list = parse_parameters("; Name*0*=utf-8''a%20; name*1=\"b c\"", anomalies);
  REQUIRE(list.raw.size() == 2);
  CHECK(list.raw[0].name == "Name*0*");
  CHECK(list.raw[0].value == "utf-8''a%20");
  CHECK(list.raw[1].value == "b c");
  CHECK(list.find("name")->value == "a b c");
  CHECK(list.find("name")->extended);
  CHECK(list.find("other") == nullptr);
}

TEST_CASE("parse_parameters: a million segments end at the limit") {
  std::string text;
  for (int i = 0; i < 100'000; ++i) text += "; x*" + std::to_string(i) + "=a";
  Anomalies anomalies;
  const auto list = parse_parameters(text, anomalies);
  CHECK(list.raw.size() == 200);
  CHECK(list.find("x")->value == std::string(100, 'a'));
  CHECK(anomalies.has(AnomalyKind::too_many_parameters));
}

TEST_CASE("format_parameter: a token, a quoted string or RFC 2231, which leads back to the value") {
  CHECK(format_parameter("charset", "utf-8") == "; charset=utf-8");
  CHECK(format_parameter("name", "a b \"c\".txt") == "; name=\"a b \\\"c\\\".txt\"");
  CHECK(format_parameter("name", "") == "; name=\"\"");
  CHECK(format_parameter("filename", "grün.txt") == "; filename*=utf-8''gr%C3%BCn.txt");
  CHECK(format_parameter("name", "a\r\nBcc: x") == "; name=\"aBcc: x\"");
  const std::string value = GENERATE(as<std::string>(), "grün 'x' * (1).pdf", std::string(300, 'x'),
                                     "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀.txt",
                                     "back\\slash\"", "; a=b", "=?utf-8?Q?a?=");
  Anomalies anomalies;
  const std::string text = format_parameter("filename", value);
  CAPTURE(text);
  const auto list = parse_parameters(text, anomalies);
  CHECK(anomalies.empty());
  REQUIRE(list.parameters.size() == 1);
  CHECK(list.parameters[0].value == value);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find("; ", at + 1), text.size());
    CHECK(end - at <= 76);
    at = end;
  }
}
