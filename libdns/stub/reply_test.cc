#include "libdns/stub/reply.h"

#include <catch2/catch.hpp>

#include "libdns/wire/address.h"
#include "libdns/wire/builder.h"
#include "libdns/wire/test_names.h"

using namespace posthorn::dns;

namespace {

const Question asked(name("www.example.org"), Type::a);

// A reply with these records; the header as a test wants it.
struct Made {
  Header header;
  Question question = asked;
  std::vector<Record> answer;
  std::vector<Record> authority;
  bool with_edns = true;
  std::optional<ExtendedError> error;

  Made() { header.response = header.recursion_available = true; }
  [[nodiscard]] std::string octets() const {
    MessageBuilder builder(header);
    EdnsSettings edns;
    if (error) edns.add(*error);
    if (with_edns) REQUIRE(builder.edns(std::move(edns)));
    REQUIRE(builder.question(question));
    for (const Record& record : answer) REQUIRE(builder.answer(record));
    for (const Record& record : authority) REQUIRE(builder.authority(record));
    return builder.finish();
  }
  [[nodiscard]] Reading read(bool trusted = false, const std::vector<Name>& aliases = {}) const {
    return read_reply(octets(), asked, trusted, aliases, 11);
  }
};

Record address(std::string_view owner, std::uint32_t ttl = 300) {
  return Record(name(owner), ttl, *parse_a("192.0.2.1"));
}
Record alias(std::string_view owner, std::string_view target, std::uint32_t ttl = 300) {
  return Record(name(owner), ttl, Cname{name(target)});
}
Record soa(std::uint32_t ttl, std::uint32_t minimum) {
  Soa data;
  data.minimum = minimum;
  return Record(name("example.org"), ttl, data);
}

}  // namespace

TEST_CASE("read_reply: records of the type at the name, others are left out") {
  Made made;
  made.answer = {address("www.example.org"), address("evil.example.org"),
                 Record(name("www.example.org"), 60, Txt{{"x"}})};
  const Reading reading = made.read();
  REQUIRE(reading.usable);
  CHECK(reading.answer.presence == Presence::found);
  REQUIRE(reading.answer.records.size() == 1);
  CHECK(reading.answer.records[0] == made.answer[0]);
  CHECK(reading.answer.ttl == 300);
  CHECK(reading.edns);
}

TEST_CASE("read_reply: AD makes an answer secure only from a trusted server") {
  Made made;
  made.answer = {address("www.example.org")};
  CHECK(made.read(true).answer.security == Security::insecure);
  made.header.authentic_data = true;
  CHECK(made.read(true).answer.security == Security::secure);
  CHECK(made.read(false).answer.security == Security::insecure);
}

TEST_CASE("read_reply: aliases are followed within the reply") {
  Made made;
  made.answer = {address("c.example"), alias("www.example.org", "B.example", 20),
                 alias("b.example", "c.example")};
  const Reading reading = made.read();
  REQUIRE(reading.usable);
  CHECK(reading.answer.owner == name("c.example"));
  CHECK(reading.answer.aliases == std::vector<Name>{name("www.example.org"), name("b.example")});
  CHECK(reading.answer.records.size() == 1);
  CHECK(reading.answer.ttl == 20);
}

TEST_CASE("read_reply: an alias that the reply doesn't resolve is to be asked for") {
  Made made;
  made.answer = {alias("www.example.org", "b.example")};
  Reading reading = made.read();
  CHECK(reading.usable);
  CHECK(reading.ask_next == name("b.example"));
  made.authority = {soa(100, 50)};
  reading = made.read();
  CHECK_FALSE(reading.ask_next);
  CHECK(reading.answer.presence == Presence::nodata);
  CHECK(reading.answer.ttl == 50);
}

TEST_CASE("read_reply: aliases in a loop are nobody's answer, and no other server is asked") {
  Made made;
  made.answer = {alias("www.example.org", "b.example"), alias("b.example", "www.example.org")};
  Reading reading = made.read();
  CHECK(reading.usable);
  CHECK(reading.answer.security == Security::unavailable);
  CHECK(reading.answer.reason.find("loop") != std::string::npos);
  made.answer = {alias("www.example.org", "first.example")};
  reading = made.read(false, {name("first.example")});
  CHECK(reading.answer.reason.find("loop") != std::string::npos);
  made.answer = {alias("www.example.org", "www.example.org")};
  CHECK(made.read().answer.presence == Presence::unknown);
}

TEST_CASE("read_reply: a chain of aliases has a limit") {
  Made made;
  made.answer = {alias("www.example.org", "n0.example")};
  for (int i = 0; i < 10; ++i) {
    made.answer.push_back(
        alias("n" + std::to_string(i) + ".example", "n" + std::to_string(i + 1) + ".example"));
  }
  made.answer.push_back(address("n10.example"));
  CHECK(made.read().answer.presence == Presence::found);
  CHECK(made.read(false, {name("before.example")}).answer.reason.find("too many") !=
        std::string::npos);
}

TEST_CASE("read_reply: no data and no name are different, and last as long as the SOA says") {
  Made made;
  made.authority = {soa(100, 50)};
  CHECK(made.read().answer.presence == Presence::nodata);
  CHECK(made.read().answer.ttl == 50);
  made.header.rcode = Rcode::nxdomain;
  CHECK(made.read().answer.presence == Presence::nxdomain);
  made.authority.clear();
  CHECK(made.read().answer.presence == Presence::nxdomain);
  CHECK(made.read().answer.ttl == 0);
  made.answer = {address("www.example.org")};
  CHECK_FALSE(made.read().usable);
}

TEST_CASE("read_reply: a server that fails or refuses is of no use, and says so finally") {
  for (const Rcode rcode : {Rcode::servfail, Rcode::refused, Rcode::notimp, Rcode::formerr}) {
    Made made;
    made.header.rcode = rcode;
    made.error = ExtendedError(22, "");
    const Reading reading = made.read();
    CHECK_FALSE(reading.usable);
    CHECK(reading.final);
    CHECK(reading.answer.security == Security::unavailable);
    CHECK(reading.answer.reason == to_string(rcode) + ", No Reachable Authority (22)");
  }
}

TEST_CASE("read_reply: SERVFAIL with a DNSSEC reason is bogus, whoever says it") {
  Made made;
  made.header.rcode = Rcode::servfail;
  made.error = ExtendedError(7, "expired yesterday");
  const Reading reading = made.read();
  CHECK(reading.usable);
  CHECK(reading.answer.security == Security::bogus);
  CHECK(reading.answer.extended_error == made.error);
  made.error = ExtendedError(5, "");  // indeterminate is not bogus
  CHECK(made.read().answer.security == Security::unavailable);
}

TEST_CASE("read_reply: what is no reply to the question is not taken for one") {
  Made made;
  made.answer = {address("www.example.org")};
  Made query = made;
  query.header.response = false;
  CHECK_FALSE(query.read().usable);
  Made other_name = made;
  other_name.question = Question(name("www.example.com"), Type::a);
  CHECK_FALSE(other_name.read().usable);
  Made other_type = made;
  other_type.question = Question(asked.name, Type::aaaa);
  CHECK_FALSE(other_type.read().usable);
  Made notify = made;
  notify.header.opcode = Opcode::notify;
  CHECK_FALSE(notify.read().usable);
  Made cut = made;
  cut.header.truncated = true;
  CHECK_FALSE(cut.read().usable);
  CHECK_FALSE(read_reply(made.octets() + "x", asked, false, {}, 11).usable);
}

TEST_CASE("read_reply: a referral is no answer") {
  Made made;
  made.header.recursion_available = false;
  made.authority = {Record(name("org"), 300, Ns{name("a.nic.org")})};
  CHECK_FALSE(made.read().usable);
}
