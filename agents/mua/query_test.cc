#include "agents/mua/query.h"

#include <catch2/catch.hpp>

#include "agents/mua/query_match.h"
#include "agents/mua/verbs.h"

namespace posthorn::mua {

namespace {

const std::chrono::sys_seconds now = std::chrono::sys_days(std::chrono::year(2026) / 11 / 23);

const std::string message =
    "From: =?utf-8?q?J=C3=BCrgen?= <jw@example.org>\r\n"
    "To: ann@example.org\r\n"
    "Subject: =?utf-8?b?R3LDvMOfZQ==?=\r\n"
    "Content-Type: text/plain; charset=iso-8859-1\r\n"
    "Content-Transfer-Encoding: quoted-printable\r\n"
    "\r\n"
    "Ein gro=DFer Bericht\r\n";

bool finds(const std::string& query, const imap::Flags& flags = {}) {
  const auto parsed = parse_query(query, now);
  REQUIRE(parsed.has_value());
  Candidate candidate;
  candidate.uid = 7;
  candidate.flags = flags;
  candidate.size = message.size();
  candidate.received = now - std::chrono::hours(30);
  candidate.octets = []() -> const std::string& { return message; };
  return matches(parsed->key, candidate, 7);
}

std::string fault(const std::string& query) {
  const auto parsed = parse_query(query, now);
  return parsed ? "" : parsed.error().text;
}

}  // namespace

TEST_CASE("terms beside each other must all hold") {
  CHECK(finds("from:jw subject:gruesse or to:ann"));
  CHECK(finds("from:jw to:ann"));
  CHECK_FALSE(finds("from:jw to:bob"));
  CHECK(finds("from:jw (to:bob or to:ann)"));
  CHECK_FALSE(finds("-from:jw"));
  CHECK(finds("not to:bob"));
  CHECK(finds("-(to:bob or to:carl)"));
}

TEST_CASE("words are found after decoding and without regard to case") {
  CHECK(finds("subject:GRÜSSE"));
  CHECK(finds("from:jürgen"));
  CHECK(finds("body:\"GROSSER bericht\""));
  CHECK(finds("bericht"));
  CHECK_FALSE(finds("body:jürgen"));
  CHECK(finds("jürgen"));
}

TEST_CASE("flags, dates, sizes and UIDs") {
  imap::Flags seen;
  seen.set(imap::SystemFlag::seen);
  CHECK(finds("is:unread"));
  CHECK_FALSE(finds("is:unread", seen));
  CHECK(finds("is:read", seen));
  CHECK(finds("after:2026-11-21 before:2026-11-22"));
  CHECK(finds("on:2026-11-21"));
  CHECK_FALSE(finds("after:today"));
  CHECK(finds("newer:3d"));
  CHECK_FALSE(finds("larger:1k"));
  CHECK(finds("smaller:1k"));
  CHECK(finds("uid:5:*"));
  CHECK_FALSE(finds("uid:1:6"));
}

TEST_CASE("has:attachment stands beside the keys") {
  CHECK(parse_query("has:attachment from:ann", now)->attachment == true);
  CHECK(parse_query("-has:attachment", now)->attachment == false);
  CHECK_FALSE(parse_query("from:ann", now)->attachment.has_value());
  CHECK(fault("has:attachment or from:ann").find("can't stand") != std::string::npos);
  CHECK(fault("-(from:ann has:attachment)").find("can't stand") != std::string::npos);
}

TEST_CASE("what can't be read says where and what to write") {
  CHECK(fault("larger:many").find("5M") != std::string::npos);
  CHECK(fault("is:blue").find("unread") != std::string::npos);
  CHECK(fault("form:ann").find("from:") != std::string::npos);
  CHECK(fault("(from:ann").find("not closed") != std::string::npos);
  CHECK(fault("from:ann)").find("not opened") != std::string::npos);
  CHECK(fault("or from:ann").find("missing") != std::string::npos);
  CHECK(parse_query("from:ann before:32", now).error().offset == 9);
  CHECK_FALSE(parse_query(std::string(60, '('), now).has_value());
}

TEST_CASE("a text with a colon that is no operator is a text") {
  CHECK(fault("\"form:ann\"").empty());
  CHECK(fault("12:30").empty());
}

TEST_CASE("UIDs from a number on are nothing when the last one is smaller") {
  const auto meant = [](const std::string& words) {
    const auto set = parse_uids({words});
    REQUIRE(set.has_value());
    return set->resolve(850);
  };
  CHECK_FALSE(meant("900:*").contains(850));
  CHECK_FALSE(meant("*:900").contains(850));
  CHECK(meant("*").text() == "850");
  CHECK(meant("7,9:12").text() == "7,9:12");
  CHECK(meant("840:*").contains(850));
}

}  // namespace posthorn::mua
