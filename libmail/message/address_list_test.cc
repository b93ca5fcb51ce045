#include "libmail/message/address_list.h"

#include <catch2/catch.hpp>

using namespace posthorn::message;

namespace {

// "name|local|domain" of each mailbox, joined by spaces and commas.
std::string shown(std::string_view text) {
  const auto list = parse_address_list(text);
  if (!list) return "error " + std::to_string(list.error().offset) + ": " + list.error().text;
  std::string out;
  for (const Address& address : list->mailboxes) {
    if (!out.empty()) out += ", ";
    out += address.display_name + "|" + address.local_part + "|" + address.domain;
  }
  return out;
}

}  // namespace

TEST_CASE("parse_address_list: reads what RFC 5322 allows") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"ann@example.org", "|ann|example.org"},
      {"Ann Example <ann@example.org>", "Ann Example|ann|example.org"},
      {"\"Example, Ann\" <ann@example.org>, bob@example.org",
       "Example, Ann|ann|example.org, |bob|example.org"},
      {"<ann@example.org>", "|ann|example.org"},
      {"\"a b\\\"c\"@example.org", "|a b\"c|example.org"},
      {"ann@[192.0.2.1]", "|ann|[192.0.2.1]"},
      {"ann@[IPv6:2001:db8::1]", "|ann|[IPv6:2001:db8::1]"},
      {"Pete(A nice \\) chap) <pete(his account)@silly.test(his host)>", "Pete|pete|silly.test"},
      {"ann@example.org (Ann Example)", "Ann Example|ann|example.org"},
      {" Ann\r\n Example\r\n\t<ann@example.org>\r\n", "Ann Example|ann|example.org"},
      {"J\xc3\xbcrgen <j\xc3\xbcrgen@b\xc3\xbc"
       "cher.example>",
       "J\xc3\xbcrgen|j\xc3\xbcrgen|b\xc3\xbc"
       "cher.example"},
      {"=?utf-8?Q?J=C3=BCrgen?= <j@example.org>", "=?utf-8?Q?J=C3=BCrgen?=|j|example.org"},
      {"", ""},
      {" (nobody) ", ""},
  }));
  CAPTURE(text);
  CHECK(shown(text) == expected);
}

TEST_CASE("parse_address_list: reads the obsolete and the usual forms of real mail") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"John Q. Public <john@example.org>", "John Q. Public|john|example.org"},
      {", ann@example.org, ,bob@example.org,", "|ann|example.org, |bob|example.org"},
      {"Ann <@relay.test,@other.test:ann@example.org>", "Ann|ann|example.org"},
      {"ann . example @ example . org", "|ann.example|example.org"},
      {"a..b.@docomo.test", "|a..b.|docomo.test"},
      {"=?utf-8?Q?Example,_Ann?= <ann@example.org>", "=?utf-8?Q?Example,_Ann?=|ann|example.org"},
      {"root (Cron Daemon)", "Cron Daemon|root|"},
      {"<root>, ann@example.org", "|root|, |ann|example.org"},
      {"=?x <ann@example.org>", "=?x|ann|example.org"},
      {"Gr\xfc\xdf <g@example.org>", "Gr\xfc\xdf|g|example.org"},
  }));
  CAPTURE(text);
  CHECK(shown(text) == expected);
}

TEST_CASE("parse_address_list: says what is wrong and where") {
  const auto [text, expected] = GENERATE(table<std::string, std::string>({
      {"ann example", "error 0: no '@' in an address"},
      {"bob@example.org, Ann Example", "error 17: no '@' in an address"},
      {"ann@", "error 4: no domain behind an '@'"},
      {"ann@example.", "error 12: a domain ends in a dot"},
      {"@example.org", "error 0: nothing before an '@'"},
      {"ann@example.org bob@example.org", "error 16: no comma behind an address"},
      {"ann example@example.org", "error 4: a blank in an address"},
      {"Ann <ann@example.org", "error 20: a '<' is not closed"},
      {"Ann <>", "error 5: no '@' in an address"},
      {"\"Ann <ann@example.org>", "error 0: a quoted string is not closed"},
      {"ann@example.org (Ann", "error 16: a comment is not closed"},
      {"ann@[192.0.2.1", "error 4: a '[' is not closed"},
      {"friends: ann@example.org", "error 0: a group is not closed by ';'"},
      {"ann@example.org;", "error 15: no comma behind an address"},
      {";", "error 0: a ';' without a group"},
      {"a: b: c@d;;", "error 3: a group within a group"},
      {"<<ann@example.org>>", "error 1: no '@' in an address"},
      {std::string("ann\x01@example.org"), "error 3: a control character"},
      {"ann@example.org\\", "error 15: a '\\' out of place"},
  }));
  CAPTURE(text);
  CHECK(shown(text) == expected);
}

TEST_CASE("parse_address_list: groups hold their mailboxes") {
  const auto list = parse_address_list(
      "Friends: Ann <ann@a.test>, bob@b.test;, undisclosed-recipients:;, c@c.test");
  REQUIRE(list);
  REQUIRE(list->groups.size() == 2);
  CHECK(list->groups[0].name == "Friends");
  CHECK(list->groups[0].count == 2);
  CHECK(list->groups[1].name == "undisclosed-recipients");
  CHECK(list->groups[1].first == 2);
  CHECK(list->groups[1].count == 0);
  CHECK(list->mailboxes.size() == 3);
}

TEST_CASE("parse_address_list: nesting and number have limits, depth needs no stack") {
  AddressLimits limits;
  limits.comment_depth = 3;
  CHECK(parse_address_list("a@b (1(2(3)))", limits));
  CHECK_FALSE(parse_address_list("a@b (1(2(3(4))))", limits));
  CHECK_FALSE(parse_address_list(std::string(1'000'000, '('), limits));
  limits.mailboxes = 2;
  CHECK(parse_address_list("a@b,c@d", limits));
  const auto many = parse_address_list("a@b,c@d,e@f", limits);
  REQUIRE_FALSE(many);
  CHECK(many.error().text == "too many addresses");
}

TEST_CASE("Address: quotes a local-part only where it must") {
  Address address;
  address.domain = "example.org";
  const auto [local, expected] = GENERATE(table<std::string, std::string>({
      {"ann.example", "ann.example@example.org"},
      {"a b", "\"a b\"@example.org"},
      {"a..b", "\"a..b\"@example.org"},
      {"a\"\\", "\"a\\\"\\\\\"@example.org"},
      {"", "\"\"@example.org"},
  }));
  address.local_part = local;
  CHECK(address.addr_spec() == expected);
}
