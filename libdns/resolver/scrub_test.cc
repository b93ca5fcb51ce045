#include "libdns/resolver/scrub.h"

#include <catch2/catch.hpp>

#include "libdns/resolver/addresses.h"
#include "libdns/wire/address.h"
#include "libdns/wire/builder.h"
#include "libdns/wire/presentation.h"
#include "libdns/wire/test_names.h"

using namespace posthorn::dns;

namespace {

// A reply as octets, written as text: section by section, a record a string.
struct Packet {
  Rcode rcode = Rcode::noerror;
  bool authoritative = true;
  std::vector<std::string> answer, authority, additional;
};

Scrubbed scrubbed(const Packet& packet, std::string_view asked, Type type, Source source) {
  Header header;
  header.response = true;
  header.rcode = packet.rcode;
  header.authoritative = packet.authoritative;
  const Question question(name(asked), type);
  MessageBuilder builder(header);
  REQUIRE(builder.question(question));
  RecordDefaults defaults;
  defaults.ttl = 3600;
  const auto record = [&](const std::string& text) {
    auto parsed = parse_record(text, defaults);
    INFO(text);
    REQUIRE(parsed);
    return *parsed;
  };
  for (const auto& text : packet.answer) REQUIRE(builder.answer(record(text)));
  for (const auto& text : packet.authority) REQUIRE(builder.authority(record(text)));
  for (const auto& text : packet.additional) REQUIRE(builder.additional(record(text)));
  const std::string octets = builder.finish();
  const auto message = MessageView::parse(octets);
  REQUIRE(message);
  return scrub(*message, question, source);
}

Source zone(std::string_view of) {
  return Source(name(of));
}

const char* soa = "example SOA ns.example mail.example 1 3600 600 86400 300";

}  // namespace

TEST_CASE("the answer that was asked for is taken, and nothing beside it") {
  Packet packet;
  packet.answer = {"WWW.example A 192.0.2.1", "other.example A 192.0.2.2", "www.bank A 192.0.2.3"};
  packet.authority = {"example NS ns.example"};
  packet.additional = {"ns.example A 192.0.2.4"};
  const Scrubbed out = scrubbed(packet, "www.example", Type::a, zone("example"));
  CHECK(out.meaning == Meaning::answer);
  REQUIRE(out.answer.size() == 1);
  CHECK(out.answer[0].owner.text() == "www.example");
  CHECK(out.authority.empty());
  CHECK(out.delegation.hosts.empty());
}

TEST_CASE("aliases are followed inside of the zone, and end at its border") {
  Packet packet;
  packet.answer = {"a.example CNAME b.example", "b.example CNAME c.bank", "c.bank A 192.0.2.66"};
  const Scrubbed out = scrubbed(packet, "a.example", Type::a, zone("example"));
  CHECK(out.meaning == Meaning::alias);
  CHECK(out.answer.size() == 2);
  CHECK(out.last == name("c.bank"));
}

TEST_CASE("the order of records in a packet doesn't matter") {
  Packet packet;
  packet.answer = {"b.example A 192.0.2.1", "a.example CNAME b.example"};
  const Scrubbed out = scrubbed(packet, "a.example", Type::a, zone("example"));
  CHECK(out.meaning == Meaning::answer);
  REQUIRE(out.answer.size() == 2);
  CHECK(out.answer[0].type == Type::cname);
}

TEST_CASE("a question for CNAME is answered by it and doesn't follow it") {
  Packet packet;
  packet.answer = {"a.example CNAME b.example", "b.example A 192.0.2.1"};
  const Scrubbed out = scrubbed(packet, "a.example", Type::cname, zone("example"));
  CHECK(out.meaning == Meaning::answer);
  CHECK(out.answer.size() == 1);
}

TEST_CASE("two CNAMEs at a name, and CNAMEs in a circle, make the packet unusable") {
  Packet two;
  two.answer = {"a.example CNAME b.example", "a.example CNAME c.example"};
  CHECK(scrubbed(two, "a.example", Type::a, zone("example")).meaning == Meaning::unusable);
  Packet circle;
  circle.answer = {"a.example CNAME b.example", "b.example CNAME a.example"};
  CHECK(scrubbed(circle, "a.example", Type::a, zone("example")).meaning == Meaning::unusable);
}

TEST_CASE("the CNAME beside a DNAME is made anew, whatever came") {
  Packet packet;
  packet.answer = {"old.example DNAME new.example", "x.old.example CNAME evil.example",
                   "x.new.example A 192.0.2.1", "evil.example A 192.0.2.66"};
  const Scrubbed out = scrubbed(packet, "x.old.example", Type::a, zone("example"));
  CHECK(out.meaning == Meaning::answer);
  REQUIRE(out.answer.size() == 3);
  CHECK(out.answer[1].type == Type::cname);
  CHECK(out.answer[1].rdata == std::vector{rdata_to_wire(Cname{name("x.new.example")})});
  CHECK(out.answer[2].owner == name("x.new.example"));
}

TEST_CASE("who asks for the CNAME below a DNAME gets the DNAME, too") {
  Packet packet;
  packet.answer = {"old.example DNAME new.example", "x.old.example CNAME evil.example"};
  const Scrubbed out = scrubbed(packet, "x.old.example", Type::cname, zone("example"));
  CHECK(out.meaning == Meaning::answer);
  REQUIRE(out.answer.size() == 2);
  CHECK(out.answer[0].type == Type::dname);
  CHECK(out.answer[1].rdata == std::vector{rdata_to_wire(Cname{name("x.new.example")})});
}

TEST_CASE("a DNAME that makes the name too long is YXDOMAIN") {
  const std::string label(60, 'x');
  Packet packet;
  packet.rcode = Rcode::yxdomain;
  packet.answer = {"o.example DNAME " + label + "." + label + "." + label + ".example"};
  const Scrubbed out =
      scrubbed(packet, label + "." + label + ".o.example", Type::a, zone("example"));
  CHECK(out.rcode == Rcode::yxdomain);
  CHECK(out.answer.size() == 1);
}

TEST_CASE("a negative answer lives as its SOA says; without one it isn't kept") {
  Packet packet;
  packet.rcode = Rcode::nxdomain;
  packet.authority = {soa, "bank SOA ns.bank mail.bank 1 3600 600 86400 900000"};
  Scrubbed out = scrubbed(packet, "no.example", Type::a, zone("example"));
  CHECK(out.meaning == Meaning::nxdomain);
  CHECK(out.negative_ttl == 300);
  CHECK(out.authority.size() == 1);
  packet.authority = {};
  out = scrubbed(packet, "no.example", Type::a, zone("example"));
  CHECK(out.meaning == Meaning::nxdomain);
  CHECK(out.negative_ttl == 0);
}

TEST_CASE("of hundreds of proofs a few are kept") {
  Packet packet;
  packet.rcode = Rcode::nxdomain;
  packet.authority = {soa};
  for (int i = 0; i < 300; ++i)
    packet.authority.push_back("n" + std::to_string(i) + ".example NSEC o.example A");
  const Scrubbed out = scrubbed(packet, "no.example", Type::a, zone("example"));
  CHECK(out.authority.size() == max_scrubbed_proofs);
}

TEST_CASE("NXDOMAIN behind an alias is about where the alias leads") {
  Packet packet;
  packet.rcode = Rcode::nxdomain;
  packet.answer = {"a.example CNAME b.example"};
  packet.authority = {soa};
  const Scrubbed out = scrubbed(packet, "a.example", Type::a, zone("example"));
  CHECK(out.meaning == Meaning::nxdomain);
  CHECK(out.last == name("b.example"));
  CHECK(out.answer.size() == 1);
}

TEST_CASE("a referral leads down, between the zone and the name, and nowhere else") {
  Packet packet;
  packet.authoritative = false;
  const auto meaning = [&](const char* ns) {
    packet.authority = {std::string(ns) + " NS ns.example"};
    return scrubbed(packet, "www.site.example", Type::a, zone("example")).meaning;
  };
  CHECK(meaning("site.example") == Meaning::referral);
  CHECK(meaning("www.site.example") == Meaning::referral);
  CHECK(meaning("example") == Meaning::lame);
  CHECK(meaning(".") == Meaning::lame);
  CHECK(meaning("other.example") == Meaning::lame);
  CHECK(meaning("bank") == Meaning::lame);
}

TEST_CASE("glue is taken for servers that the referral names, below the zone that refers") {
  Packet packet;
  packet.authoritative = false;
  packet.authority = {"site.example NS ns1.site.example", "site.example NS ns2.example",
                      "site.example NS ns.bank"};
  packet.additional = {"ns1.site.example A 192.0.2.1",    "ns1.site.example AAAA 2001:db8::1",
                       "ns2.example A 198.51.100.2",      "ns.bank A 192.0.2.66",
                       "ns3.site.example A 203.0.113.66", "ns1.site.example A 127.0.0.1"};
  const Scrubbed out = scrubbed(packet, "www.site.example", Type::a, zone("example"));
  REQUIRE(out.delegation.hosts.size() == 3);
  CHECK(out.delegation.hosts[0].v4 == std::vector{*parse_a("192.0.2.1")});
  CHECK(out.delegation.hosts[0].v6 == std::vector{*parse_aaaa("2001:db8::1")});
  CHECK(out.delegation.hosts[1].v4.size() == 1);
  CHECK(out.delegation.hosts[2].v4.empty());
}

TEST_CASE("of a referral to hundreds of servers thirteen are kept") {
  Packet packet;
  packet.authoritative = false;
  for (int i = 0; i < 200; ++i)
    packet.authority.push_back("site.example NS n" + std::to_string(i) + ".example");
  const Scrubbed out = scrubbed(packet, "www.site.example", Type::a, zone("example"));
  CHECK(out.delegation.hosts.size() == max_delegation_hosts);
}

TEST_CASE(
    "a question for DS that is answered by a referral to the child means that there is none") {
  Packet packet;
  packet.authoritative = false;
  packet.authority = {"site.example NS ns.site.example"};
  CHECK(scrubbed(packet, "site.example", Type::ds, zone("example")).meaning == Meaning::nodata);
  CHECK(scrubbed(packet, "a.site.example", Type::ds, zone("example")).meaning == Meaning::referral);
}

TEST_CASE("only a forwarder may answer without authority") {
  Packet packet;
  packet.authoritative = false;
  packet.answer = {"www.example A 192.0.2.1"};
  Source source = zone("example");
  CHECK(scrubbed(packet, "www.example", Type::a, source).meaning == Meaning::lame);
  source.forwarder = true;
  CHECK(scrubbed(packet, "www.example", Type::a, source).meaning == Meaning::answer);
  packet.answer = {};
  packet.authority = {"site.example NS ns.site.example"};
  CHECK(scrubbed(packet, "www.site.example", Type::a, source).meaning == Meaning::nodata);
}

TEST_CASE("records of another class are not looked at") {
  Header header;
  header.response = header.authoritative = true;
  MessageBuilder builder(header);
  const Question question(name("www.example"), Type::a);
  REQUIRE(builder.question(question));
  Record chaos(name("www.example"), 60, *parse_a("192.0.2.1"), Class::ch);
  REQUIRE(builder.answer(chaos));
  const std::string octets = builder.finish();
  const auto message = MessageView::parse(octets);
  REQUIRE(message);
  CHECK(scrub(*message, question, zone("example")).answer.empty());
}

TEST_CASE("addresses of inner networks are told apart from others") {
  for (const char* one : {"10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "127.0.0.1",
                          "169.254.1.1", "100.64.0.1", "0.0.0.0"})
    CHECK(is_private(*parse_a(one)));
  for (const char* one : {"11.0.0.1", "172.32.0.1", "192.169.0.1", "100.128.0.1", "198.51.100.1"})
    CHECK_FALSE(is_private(*parse_a(one)));
  for (const char* one : {"fd00::1", "fe80::1", "::1", "::ffff:10.0.0.1", "::"})
    CHECK(is_private(*parse_aaaa(one)));
  CHECK_FALSE(is_private(*parse_aaaa("2001:db8::1")));
  for (const char* one : {"127.0.0.1", "0.1.2.3", "224.0.0.1", "255.255.255.255"})
    CHECK_FALSE(is_askable(*parse_a(one)));
  CHECK(is_askable(*parse_a("10.0.0.53")));
  for (const char* one : {"::1", "::", "ff02::1", "fe80::1", "::ffff:127.0.0.1"})
    CHECK_FALSE(is_askable(*parse_aaaa(one)));
  CHECK(is_askable(*parse_aaaa("fd00::53")));
}
