#include "libmail/message/address_reader.h"

#include <catch2/catch.hpp>

#include "libmail/message/address_format.h"
#include "libmail/message/sender_check.h"

using namespace posthorn::message;

namespace {

// "name|local|domain" of each mailbox, groups as "name{ ... }".
std::string shown(std::string_view text, Anomalies* anomalies = nullptr) {
  AddressReader reader(text);
  std::string out;
  while (const auto item = reader.next()) {
    if (item->kind == AddressReader::Item::Kind::group_end) {
      out += '}';
      continue;
    }
    if (!out.empty() && out.back() != '{') out += ", ";
    out += item->address.display_name;
    if (item->kind == AddressReader::Item::Kind::group_begin) {
      out += '{';
    } else {
      out += "|" + item->address.local_part + "|" + item->address.domain;
    }
  }
  if (anomalies != nullptr) *anomalies = reader.anomalies();
  return out;
}

Address address(std::string name, std::string local = "x", std::string domain = "a.test") {
  return {std::move(name), std::move(local), std::move(domain)};
}

}  // namespace

TEST_CASE("AddressReader: reads what the strict parser reads, alike and without anomaly") {
  const std::string text = GENERATE(
      as<std::string>(), "ann@example.org", "Ann Example <ann@example.org>",
      "\"Example, Ann\" <ann@example.org>, bob@example.org", "\"a b\\\"c\"@example.org",
      "ann@[192.0.2.1]", "ann@[IPv6:2001:db8::1]", "Pete(A \\) chap) <pete(his)@silly.test(host)>",
      "ann@example.org (Ann Example)", " Ann\r\n Example\r\n\t<ann@example.org>\r\n",
      "=?utf-8?Q?J=C3=BCrgen,_x?= <j@example.org>", "", " (nobody) ",
      "John Q. Public <john@example.org>", ", ann@example.org, ,bob@example.org,",
      "Ann <@relay.test,@other.test:ann@example.org>", "ann . example @ example . org",
      "a..b.@docomo.test", "root (Cron Daemon)", "<root>, ann@example.org",
      "Friends: Ann <ann@a.test>, bob@b.test;, undisclosed-recipients:;, c@c.test",
      "Jürgen <jürgen@bücher.example>");
  CAPTURE(text);
  const auto strict = parse_address_list(text);
  REQUIRE(strict);
  Anomalies anomalies;
  const AddressList read = read_address_list(text, &anomalies);
  CHECK(anomalies.empty());
  CHECK(format_address_list(read) == format_address_list(*strict));
  REQUIRE(read.groups.size() == strict->groups.size());
  for (std::size_t i = 0; i < read.groups.size(); ++i)
    CHECK(read.groups[i].count == strict->groups[i].count);
}

TEST_CASE("AddressReader: gets the addresses out of what is broken") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"ann@a.test <ann@a.test>", "ann@a.test|ann|a.test"},
      {"ceo@bank.test Boss <x@evil.test>", "ceo@bank.test Boss|x|evil.test"},
      {"ann@a.test bob@b.test", "|ann|a.test, |bob|b.test"},
      {"Ann <ann@a.test> Bob <bob@b.test>", "Ann|ann|a.test, Bob|bob|b.test"},
      {"ann@a.test; bob@b.test", "|ann|a.test, |bob|b.test"},
      {"Ann <ann@a.test", "Ann|ann|a.test"},
      {"<<ann@a.test>>", "|ann|a.test"},
      {"Ann <>", "Ann||"},
      {"Ann Example", "Ann Example||"},
      {"Ann Example ann@a.test", "Ann Example|ann|a.test"},
      {"\"Ann <ann@a.test>", "Ann|ann|a.test"},
      {"Ann (never closed <ann@a.test>", "Ann never closed|ann|a.test"},
      {"ann@[192.0.2.1", "|ann|192.0.2.1"},
      {"friends: ann@a.test", "friends{|ann|a.test}"},
      {"ann@", "|ann|"},
      {"@a.test", "||a.test"},
      {"mailto:ann@a.test", "|ann|a.test"},
      {"ann@a.test\\, bob@b.test", "|ann|a.test, |bob|b.test"},
      {std::string("a\0b@c.test", 10), "|ab|c.test"},
      {"Ann [Sales] <a@b.test>", "Ann [Sales]|a|b.test"},
      {"a: b: c@d.test;;", "a{b{|c|d.test}}"},
      {"a: b: c: d: e@f.test;;;", "a{b{c{|e|f.test}}}"},
  }));
  CAPTURE(text);
  Anomalies anomalies;
  CHECK(shown(text, &anomalies) == expected);
  if (text.find("Sales") == std::string::npos) CHECK_FALSE(anomalies.empty());
}

TEST_CASE("AddressReader: limits of depth and number end in an anomaly, not in a crash") {
  Anomalies anomalies;
  CHECK(shown("x@y.test " + std::string(200'000, '('), &anomalies).starts_with("|x|y.test"));
  CHECK(shown("a@b.test " + std::string(100, '(') + std::string(100, ')'), &anomalies)
            .ends_with("|a|b.test"));
  CHECK(anomalies.has(AnomalyKind::address_limit));
  std::string groups;
  for (int i = 0; i < 100'000; ++i) groups += "g:";
  CHECK(shown(groups, &anomalies) == "g{g{g{}}}");
  CHECK(anomalies.has(AnomalyKind::address_limit));
  CHECK(shown("From: " + std::string(99'999, ':'), &anomalies) == "From{}");
  AddressLimits limits;
  limits.mailboxes = 2;
  CHECK(read_address_list("a@b,c@d,e@f", &anomalies, 0, limits).mailboxes.size() == 2);
}

// Time that grows with the square would be over ctest's limit; `scripts/bench mime` shows how it grows.
TEST_CASE("AddressReader: 80 000 recipients, and rubbish of that size, come to an end") {
  constexpr std::size_t count = 80'000;
  const std::string unit =
      GENERATE(as<std::string>(), "\"Recipient, A.\" <a.recipient@example.org>,\r\n ", "\"", "(",
               "[", "<", "a ", "a@b ", "a@b \"", "=?a?b?c", "a:b;", "@", "\\(");
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += unit;
  CAPTURE(unit);
  AddressReader reader(text);
  std::size_t found = 0;
  while (reader.next()) ++found;
  CHECK((unit.front() == '"' && unit.size() > 1 ? found == count : found <= 3 * count));
}

TEST_CASE("format_address: what it writes is read back, whatever the name is") {
  const std::string name = GENERATE(
      as<std::string>(), "", "Ann", "Example, Ann", "\"quoted\" \\", "Jürgen Müller", "a@b.test",
      "(comment)", "=?utf-8?Q?x?=", "こんにちは、世界、これは長い名前です", "x\r\nBcc: y@z.test");
  const std::string local =
      GENERATE(as<std::string>(), "ann", "a b", "a\"\\", "jürgen", "a..b", "=?u?q?=0A?=x?=");
  const std::string text = format_address(address(name, local));
  CAPTURE(text);
  CHECK(text.find_first_of("\r\n") == std::string::npos);
  const auto list = parse_address_list(text);
  REQUIRE(list);
  REQUIRE(list->mailboxes.size() == 1);
  CHECK(list->mailboxes[0].local_part == local);
  if (name.find('\r') == std::string::npos) CHECK(shown_name(list->mailboxes[0]) == name);
}

TEST_CASE("format_address_list: writes groups with their members") {
  const std::string text = "Friends: Ann <ann@a.test>, bob@b.test;, \"a, b\":;, c@c.test";
  CHECK(format_address_list(read_address_list(text)) == text);
}

TEST_CASE("check_address: refuses what could become another line or command") {
  CHECK(check_address(address("", "ann")));
  CHECK(check_address(address("", "jürgen", "bücher.example")));
  CHECK(check_address(address("", "a b", "[192.0.2.1]")));
  CHECK(check_address(address("", "root", "")));
  const auto [local, domain] = GENERATE(table<std::string, std::string>({
      {"a\r\nRCPT TO:<x@y>", "a.test"},
      {"a\nb", "a.test"},
      {std::string("a\0b", 3), "a.test"},
      {"a", "a.test\r\nBcc: x"},
      {"a", "a.test> <b@c"},
      {"a", "a..test"},
      {"a", "[1.2.3.4]]"},
      {"", "a.test"},
      {"\xff", "a.test"},
      {"a\u0085", "a.test"},
      {std::string(65, 'a'), "a.test"},
      {"a", std::string(256, 'a')},
  }));
  CAPTURE(local, domain);
  CHECK_FALSE(check_address(address("", local, domain)));
}

TEST_CASE("name_claims_other_address: sees through a display name") {
  CHECK(name_claims_other_address(address("ceo@bank.test", "x", "evil.test")));
  CHECK(name_claims_other_address(address("The Boss (ceo@bank.test)", "x", "evil.test")));
  CHECK(name_claims_other_address(address("ceo＠bank。test", "x", "evil.test")));
  CHECK(name_claims_other_address(address("=?utf-8?Q?ceo=40bank.test?=", "x", "evil.test")));
  CHECK(name_claims_other_address(address("ceo\u200b@\u200bbank.test", "x", "evil.test")));
  CHECK_FALSE(name_claims_other_address(address("Ann@A.test", "ann", "a.test")));
  CHECK_FALSE(name_claims_other_address(address("Ann @ Work", "ann", "a.test")));
  CHECK_FALSE(name_claims_other_address(address("me@home", "ann", "a.test")));
}

TEST_CASE("mixes_scripts: marks words that no language writes") {
  const auto [text, mixed] = GENERATE(table<std::string, bool>({
      {"paypal", false},
      {"p\u0430ypal", true},
      {"\u0420aypal Support", true},
      {"Привет World", false},
      {"E-почта", false},
      {"ΑΒΓ abc", false},
      {"αbc", true},
      {"東京タワーABC", false},
      {"한국어漢字", false},
      {"Jürgen 3", false},
      {"שלוםa", false},
      {"aא漢", true},
      {"", false},
  }));
  CAPTURE(text);
  CHECK(mixes_scripts(text) == mixed);
  CHECK(check_sender(address(text)).mixed_scripts == mixed);
  CHECK(check_sender(address("", "a", "p\u0430ypal.test")).suspicious());
}
