#include "libmail/message/header.h"

#include <catch2/catch.hpp>

#include "libmail/message/header_collector.h"
#include "libmail/message/trace.h"

using namespace posthorn::message;

TEST_CASE("Header: finds fields, their values and where the body begins") {
  const std::string text = "Subject: a\r\n b\r\nFrom:ann@example.org\r\n\r\nbody\r\n";
  const Header header = Header::parse(text);
  REQUIRE(header.fields().size() == 2);
  CHECK_FALSE(header.fault());
  const Field* subject = header.find("sUBJECT");
  REQUIRE(subject != nullptr);
  CHECK(header.raw_value(*subject) == " a\r\n b");
  CHECK(header.value(*subject) == "a b");
  CHECK(header.whole(*subject) == "Subject: a\r\n b\r\n");
  CHECK(header.find("From")->line == 3);
  CHECK(text.substr(header.body()) == "body\r\n");
  CHECK(text.substr(header.header_end(), 2) == "\r\n");
  CHECK(header.lines() == 3);
}

TEST_CASE("Header: reads LF files as well") {
  const std::string text = "A: 1\nB: 2\n\t3\n\nbody";
  const Header header = Header::parse(text);
  CHECK(header.value(*header.find("B")) == "2\t3");
  CHECK(text.substr(header.body()) == "body");
}

TEST_CASE("Header: a message may end inside its header, or be empty") {
  CHECK(Header::parse("").fields().empty());
  const Header header = Header::parse("A: 1\r\nB: 2");
  CHECK(header.value(*header.find("B")) == "2");
  CHECK(header.body() == header.bytes().size());
  CHECK(Header::parse("\r\nbody").body() == 2);
}

TEST_CASE("Header: a line that is no field is named and passed over") {
  const auto [text, line, offset] = GENERATE(table<std::string, unsigned, unsigned>({
      {"A: 1\r\nno colon here\r\nB: 2\r\n\r\n", 2, 6},
      {" continuation of nothing\r\nB: 2\r\n\r\n", 1, 0},
      {"A: 1\r\n folded\r\n: no name\r\nB: 2\r\n\r\n", 3, 15},
      {"From ann Mon Jan 1 00:00:00 2026\r\nB: 2\r\n\r\n", 1, 0},
      {"Sm\xc3\xb6rg: x\r\nB: 2\r\n\r\n", 1, 0},
  }));
  CAPTURE(text);
  const Header header = Header::parse(text);
  REQUIRE(header.fault());
  CHECK(header.fault()->kind == HeaderFault::Kind::not_a_field);
  CHECK(header.fault()->line == line);
  CHECK(header.fault()->offset == offset);
  REQUIRE(header.find("B") != nullptr);
  CHECK(header.value(*header.find("B")) == "2");
}

TEST_CASE("Header: blanks before the colon belong to neither name nor value") {
  const Header header = Header::parse("Subject \t: x\r\n\r\n");
  REQUIRE(header.find("Subject") != nullptr);
  CHECK(header.value(*header.find("Subject")) == "x");
}

TEST_CASE("Header: a line of blanks continues a field, it does not end the header") {
  const Header header = Header::parse("A: 1\r\n \r\nB: 2\r\n\r\n");
  CHECK(header.count("B") == 1);
  CHECK(header.value(*header.find("A")) == "1");
}

TEST_CASE("Header: stops at its limits and says where") {
  HeaderLimits limits;
  limits.header_bytes = 20;
  const Header large = Header::parse("A: 1\r\nB: a long line it is\r\n\r\n", limits);
  REQUIRE(large.fault());
  CHECK(large.fault()->kind == HeaderFault::Kind::too_large);
  CHECK(large.fault()->line == 2);
  CHECK(large.fields().size() == 1);
  limits = {};
  limits.fields = 2;
  const Header many = Header::parse("A: 1\r\nB: 2\r\nC: 3\r\n\r\n", limits);
  REQUIRE(many.fault());
  CHECK(many.fault()->kind == HeaderFault::Kind::too_many_fields);
  CHECK(many.fault()->line == 3);
}

TEST_CASE("Header: a header of exactly the limit passes") {
  HeaderLimits limits;
  const std::string text = "A: 1\r\n\r\n";
  limits.header_bytes = text.size();
  CHECK_FALSE(Header::parse(text + "body", limits).fault());
  limits.header_bytes = text.size() - 1;
  CHECK(Header::parse(text + "body", limits).fault());
}

TEST_CASE("HeaderCollector: cuts the header off wherever the pieces are cut") {
  const std::string text = "A: 1\r\n b\r\nB: 2\r\n\r\nbody\r\n\r\nmore";
  const std::string header = text.substr(0, text.find("body"));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    HeaderCollector collector(1000);
    std::size_t taken = collector.feed(std::string_view(text).substr(0, cut));
    taken += collector.feed(std::string_view(text).substr(taken));
    CHECK(taken == header.size());
    CHECK(collector.state() == HeaderCollector::State::complete);
    CHECK(collector.bytes() == header);
  }
}

TEST_CASE("HeaderCollector: a message may begin with its body, or have none") {
  HeaderCollector none(1000);
  CHECK(none.feed("\r\nbody") == 2);
  CHECK(none.state() == HeaderCollector::State::complete);
  HeaderCollector only(1000);
  CHECK(only.feed("A: 1\r\n") == 6);
  only.finish();
  CHECK(only.state() == HeaderCollector::State::complete);
  CHECK(only.bytes() == "A: 1\r\n");
}

TEST_CASE("HeaderCollector: never holds more than its limit") {
  HeaderCollector collector(100);
  std::size_t fed = 0;
  while (collector.state() == HeaderCollector::State::more)
    fed += collector.feed("no end of this line ");
  CHECK(fed == 100);
  CHECK(collector.state() == HeaderCollector::State::too_large);
  CHECK(collector.feed("more") == 0);
}

TEST_CASE("trace: counts Received fields and finds the mailbox a message has been in") {
  const Header header = Header::parse(
      "Delivered-To: Ann@Example.org\r\nReceived: from a\r\n by b; x\r\nDelivered-To: "
      "Bob@Example.org\r\nreceived: by c; y\r\nX-Received: no\r\n\r\n");
  CHECK(count_received(header) == 2);
  CHECK(has_delivered_to(header, "bob@example.org"));
  CHECK_FALSE(has_delivered_to(header, "bob@example.or"));
  // No host has had it since: this one says where it is handed over to now.
  CHECK_FALSE(has_delivered_to(header, "ann@example.org"));
}
