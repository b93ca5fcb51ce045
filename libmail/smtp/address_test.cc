#include "libmail/smtp/address.h"

#include <catch2/catch.hpp>

namespace posthorn::smtp {

namespace {

std::string forward(std::string_view text, Utf8 utf8 = Utf8::refused) {
  const auto path = take_forward_path(text, utf8);
  if (!path) return "! " + std::string(describe(path.error()));
  return path->local_part + "|" + path->domain + "|" + std::string(text);
}

}  // namespace

TEST_CASE("a forward-path is a mailbox between brackets, and what follows stays") {
  CHECK(forward("<ann@example.org>") == "ann|example.org|");
  CHECK(forward("<ann@example.org> NOTIFY=NEVER") == "ann|example.org| NOTIFY=NEVER");
  CHECK(forward("<a.b+c=d@xn--mller-kva.example>") == "a.b+c=d|xn--mller-kva.example|");
  CHECK(forward("<ann@[192.0.2.1]>") == "ann|[192.0.2.1]|");
  CHECK(forward("<ann@[IPv6:2001:db8::1]>") == "ann|[IPv6:2001:db8::1]|");
}

TEST_CASE("a source route is checked and dropped") {
  CHECK(forward("<@one.example,@two.example:ann@example.org>") == "ann|example.org|");
  CHECK(forward("<@ours.example:user@other.example>") == "user|other.example|");
  CHECK(forward("<@one.example,two.example:ann@example.org>") == "! bad source route");
  CHECK(forward("<@:ann@example.org>") == "! bad source route");
  CHECK(forward("<@one.example>") == "! the local part is missing");
}

TEST_CASE("a quoted local-part is kept as what it means, and quoted again when it is written") {
  CHECK(forward(R"(<"a b"@x.example>)") == "a b|x.example|");
  CHECK(forward(R"(<"a\"b\\c"@x.example>)") == "a\"b\\c|x.example|");
  CHECK(forward(R"(<"ann"@x.example>)") == "ann|x.example|");
  CHECK(format_mailbox(Mailbox("a b", "x.example")) == R"("a b"@x.example)");
  CHECK(format_mailbox(Mailbox("a\"b\\c", "x.example")) == R"("a\"b\\c"@x.example)");
  CHECK(format_mailbox(Mailbox("a..b", "x.example")) == R"("a..b"@x.example)");
  CHECK(format_mailbox(Mailbox("ann", "x.example")) == "ann@x.example");
}

TEST_CASE("the grammar of RFC 5321 4.1.2 refuses what it refuses") {
  const auto [text, why] = GENERATE(table<const char*, const char*>({
      {"ann@example.org", "a path stands between < and >"},
      {"", "a path stands between < and >"},
      {"<ann@example.org", "a path stands between < and >"},
      {"<>", "the path is empty"},
      {"<ann>", "the domain is missing"},
      {"<ann@>", "the domain is missing"},
      {"<@>", "the local part is missing"},
      {"<\"\"@example.org>", "the local part is missing"},
      {"<.ann@example.org>", "bad local part"},
      {"<ann.@example.org>", "bad local part"},
      {"<a..b@example.org>", "bad local part"},
      {"<a b@example.org>", "bad local part"},
      {"<ann@b@example.org>", "bad domain"},
      {"<\"ann@example.org>", "bad local part"},
      {"<\"ann\"x@example.org>", "bad local part"},
      {"<ann@example..org>", "bad domain"},
      {"<ann@example.org.>", "bad domain"},
      {"<ann@-example.org>", "bad domain"},
      {"<ann@example-.org>", "bad domain"},
      {"<ann@exa_mple.org>", "bad domain"},
      {"<ann@[192.0.2.256]>", "bad address literal"},
      {"<ann@[192.0.2.1>", "bad address literal"},
      {"<ann@[IPv6:192.0.2.1]>", "bad address literal"},
      {"<ann@[IPv6:fe80::1%eth0]>", "bad address literal"},
      {"<ann@[x:y]>", "bad address literal"},
      {"<ann@example.org x>", "text behind the address"},
      {"<-f@example.org>", "the local part begins with -"},
      {"<\"-oQ/tmp\"@example.org>", "the local part begins with -"},
      {"<m\xC3\xBCller@example.org>", "UTF-8 without SMTPUTF8"},
      {"<ann@m\xC3\xBCller.example>", "UTF-8 without SMTPUTF8"},
  }));
  CAPTURE(text);
  CHECK(forward(text) == "! " + std::string(why));
}

TEST_CASE("shell and table words are plain text in a local-part, or refused by the grammar") {
  // What has been used to run programs (OpenSMTPD CVE-2020-7247, Exim CVE-2019-10149).
  CHECK(forward("<;sleep 1;@example.org>") == "! bad local part");
  CHECK(forward("<a;b@example.org>") == "! bad local part");
  CHECK(forward("<`id`@example.org>") == "`id`|example.org|");
  CHECK(forward("<|/bin/sh@example.org>") == "|/bin/sh|example.org|");
  CHECK(forward("<../../etc/x@example.org>") == "! bad local part");
  CHECK(forward("<:include:/etc/passwd@example.org>") == "! bad local part");
  CHECK(forward("<${run{x}}@example.org>") == "${run{x}}|example.org|");
  CHECK(forward("<a\nb@example.org>") == "! bad local part");
  CHECK(forward("<\"a\nb\"@example.org>") == "! bad local part");
  CHECK(forward("<\"a\\\nb\"@example.org>") == "! bad local part");
  CHECK(forward(std::string_view("<a\0b@example.org>", 17)) == "! bad local part");
}

TEST_CASE("with SMTPUTF8 both sides of the at sign may be UTF-8") {
  CHECK(forward("<m\xC3\xBCller@b\xC3\xBC"
                "cher.example>",
                Utf8::allowed) ==
        "m\xC3\xBCller|b\xC3\xBC"
        "cher.example|");
  CHECK(forward("<m\xC3@example.org>", Utf8::allowed) == "! bad UTF-8");
  CHECK(forward("<m\xC2\x85@example.org>", Utf8::allowed) == "! bad UTF-8");
  CHECK(forward("<m\xE2\x80\xA8@example.org>", Utf8::allowed) == "! bad UTF-8");
  CHECK(needs_smtputf8(Mailbox("m\xC3\xBCller", "example.org")));
  CHECK_FALSE(needs_smtputf8(Mailbox("ann", "example.org")));
}

TEST_CASE("lengths are limited") {
  CHECK(forward("<" + std::string(256, 'a') + "@example.org>").starts_with("aaa"));
  CHECK(forward("<" + std::string(257, 'a') + "@example.org>") == "! too long");
  const std::string label(63, 'a');
  CHECK(is_domain(label + ".example", Utf8::refused));
  CHECK_FALSE(is_domain(label + "a.example", Utf8::refused));
  const std::string longest = label + "." + label + "." + label + "." + label;
  CHECK(is_domain(longest, Utf8::refused));
  CHECK_FALSE(is_domain(longest + ".a", Utf8::refused));
}

TEST_CASE("postmaster needs no domain, everybody else does") {
  CHECK(forward("<Postmaster>") == "Postmaster||");
  CHECK(forward("<postmaster> NOTIFY=NEVER") == "postmaster|| NOTIFY=NEVER");
  CHECK(forward("<root>") == "! the domain is missing");
  CHECK(format_mailbox(Mailbox("Postmaster", "")) == "Postmaster");
}

TEST_CASE("a reverse-path may be null") {
  std::string_view text = "<> SIZE=1";
  const auto path = take_reverse_path(text, Utf8::refused);
  REQUIRE(path);
  CHECK_FALSE(path->has_value());
  CHECK(text == " SIZE=1");
  CHECK(format_path(*path) == "<>");
  text = "<postmaster>";
  CHECK_FALSE(take_reverse_path(text, Utf8::refused));
}

TEST_CASE("a bare mailbox is the whole text") {
  CHECK(parse_mailbox("ann@example.org", Utf8::refused) == Mailbox("ann", "example.org"));
  CHECK_FALSE(parse_mailbox("ann@example.org ", Utf8::refused));
  CHECK_FALSE(parse_mailbox("<ann@example.org>", Utf8::refused));
  CHECK_FALSE(parse_mailbox("ann", Utf8::refused));
  CHECK_FALSE(parse_mailbox("", Utf8::refused));
}

TEST_CASE("domains are the same in any case and as U-labels or A-labels") {
  CHECK(same_domain("Example.ORG", "example.org"));
  CHECK(same_domain("M\xC3\xBCller.example", "xn--mller-kva.EXAMPLE"));
  CHECK_FALSE(same_domain("example.org", "example.com"));
  CHECK(canonical_domain("M\xC3\x9CLLER.Example") == "xn--mller-kva.example");
  CHECK(canonical_domain("[IPv6:2001:DB8::1]") == "[ipv6:2001:db8::1]");
  CHECK(unicode_domain("xn--mller-kva.example") == "m\xC3\xBCller.example");
  CHECK(unicode_domain("example.org") == "example.org");
  CHECK(Mailbox("ann", "EXAMPLE.org") == Mailbox("ann", "example.ORG"));
  CHECK_FALSE(Mailbox("Ann", "example.org") == Mailbox("ann", "example.org"));
}

TEST_CASE("an address becomes a literal") {
  CHECK(format_address_literal("192.0.2.1") == "[192.0.2.1]");
  CHECK(format_address_literal("2001:db8::1") == "[IPv6:2001:db8::1]");
  CHECK_FALSE(format_address_literal(""));
  CHECK_FALSE(format_address_literal("example.org"));
}

TEST_CASE("what format_mailbox writes parse_mailbox reads back") {
  const auto local = GENERATE("ann", "a b", "\"", "\\", "a@b", ".", "..", "a.", ",", "<x>", "(c)");
  const Mailbox mailbox(local, "example.org");
  const auto again = parse_mailbox(format_mailbox(mailbox), Utf8::refused);
  REQUIRE(again);
  CHECK(*again == mailbox);
}

}  // namespace posthorn::smtp
