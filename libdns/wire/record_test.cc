#include "libdns/wire/record.h"

#include <catch2/catch.hpp>

#include "libdns/wire/address.h"
#include "libdns/wire/builder.h"
#include "libdns/wire/test_names.h"

using namespace posthorn::dns;
using namespace std::string_literals;

namespace {

std::vector<Rdata> one_of_each() {
  Soa soa;
  soa.primary = name("ns.example.org");
  soa.mailbox = name("host\\.master.example.org");
  soa.serial = 2026112201;
  soa.refresh = 7200;
  soa.retry = 3600;
  soa.expire = 1209600;
  soa.minimum = 300;
  Srv srv;
  srv.priority = 1;
  srv.weight = 2;
  srv.port = 993;
  srv.target = name("imap.example.org");
  return {*parse_a("192.0.2.1"),
          *parse_aaaa("2001:db8::25"),
          Ns{name("ns.example.org")},
          Cname{name("example.org")},
          Dname{name("example.net")},
          Ptr{name("mx.example.org")},
          soa,
          Mx{10, name("mx.example.org")},
          Txt{{"v=spf1 -all", "", "\"q\"\\\1"}},
          srv,
          Opaque{static_cast<Type>(65280), "\1\2\xff"s},
          Opaque{static_cast<Type>(65281), {}}};
}

// Read from octets of its own.
std::optional<Rdata> read(Type type, std::string_view octets) {
  Reader reader(octets);
  Rdata data = read_rdata(reader, type, octets.size());
  if (!reader.ok()) return std::nullopt;
  return data;
}

}  // namespace

TEST_CASE("Rdata: what is written is read back") {
  for (const Rdata& data : one_of_each()) {
    CAPTURE(to_text(data));
    Writer writer;
    write_rdata(writer, data);
    const auto again = read(type_of(data), writer.out());
    REQUIRE(again);
    CHECK(*again == data);
  }
}

TEST_CASE("Rdata: every cut and every octet too many is noticed in types of fixed shape") {
  for (const Rdata& data : one_of_each()) {
    if (std::holds_alternative<Opaque>(data) || std::holds_alternative<Txt>(data)) continue;
    Writer writer;
    write_rdata(writer, data);
    const std::string octets = writer.take();
    CAPTURE(to_text(data));
    for (std::size_t cut = 0; cut < octets.size(); ++cut) {
      CHECK_FALSE(read(type_of(data), octets.substr(0, cut)));
    }
    CHECK_FALSE(read(type_of(data), octets + '\0'));
  }
}

TEST_CASE("Rdata: presentation form") {
  std::vector<std::string> texts;
  for (const Rdata& data : one_of_each()) texts.push_back(to_text(data));
  CHECK(texts == std::vector<std::string>{
                     "192.0.2.1", "2001:db8::25", "ns.example.org.", "example.org.", "example.net.",
                     "mx.example.org.",
                     "ns.example.org. host\\.master.example.org. 2026112201 7200 3600 1209600 300",
                     "10 mx.example.org.", "\"v=spf1 -all\" \"\" \"\\\"q\\\"\\\\\\001\"",
                     "1 2 993 imap.example.org.", "\\# 3 0102ff", "\\# 0"});
  CHECK(Record(name("example.org"), 300, Mx{0, Name()}).text() == "example.org. 300 IN MX 0 .");
}

TEST_CASE("Rdata: a TXT record has at least one string, and joins them without anything between") {
  CHECK_FALSE(read(Type::txt, ""));
  CHECK_FALSE(read(Type::txt, "\5abc"));
  CHECK(std::get<Txt>(*read(Type::txt, "\3v=s\3pf1")).joined() == "v=spf1");
}

TEST_CASE("Rdata: names are compressed only where RFC 1035 has them so") {
  const std::string message = "\3org\0\xc0\0"s;
  Reader cname(message, 5);
  CHECK(std::get<Cname>(read_rdata(cname, Type::cname, 2)).target == name("org"));
  Reader dname(message, 5);
  static_cast<void>(read_rdata(dname, Type::dname, 2));
  REQUIRE(dname.error());
  CHECK(dname.error()->fault == WireFault::compressed_name);
}

TEST_CASE("Rdata: compressed names in forgotten types of RFC 1035 are written out") {
  const std::string message = "\3org\0\1a\xc0\0\1b\xc0\0"s;
  Reader reader(message, 5);
  const Rdata data = read_rdata(reader, static_cast<Type>(14), 8);
  CHECK(reader.ok());
  CHECK(std::get<Opaque>(data).octets == "\1a\3org\0\1b\3org\0"s);
}

TEST_CASE("Type, class and rcode: known by name, the rest by number") {
  CHECK(to_string(Type::mx) == "MX");
  CHECK(to_string(static_cast<Type>(4711)) == "TYPE4711");
  CHECK(parse_type("aaaa") == Type::aaaa);
  CHECK(parse_type("TYPE15") == Type::mx);
  CHECK_FALSE(parse_type("TYPE65536"));
  CHECK_FALSE(parse_type("BOGUS"));
  CHECK(parse_class("class1") == Class::in);
  CHECK(to_string(Rcode::badvers) == "BADVERS");
  CHECK(to_string(static_cast<Rcode>(3000)) == "RCODE3000");
}

TEST_CASE("Addresses: text both ways, and the names that reverse look-ups ask for") {
  CHECK(parse_aaaa("2001:DB8:0:0:0:0:0:1")->text() == "2001:db8::1");
  for (const char* text : {"192.0.2", "192.0.2.1.", "192.0.2.256", "::1", "", "192.0.2.01"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_a(text));
  }
  CHECK_FALSE(parse_aaaa("[::1]"));
  CHECK_FALSE(parse_a("192.0.2.1\0"s));
  CHECK(reverse_name("192.0.2.1")->text() == "1.2.0.192.in-addr.arpa");
  CHECK(reverse_name("2001:db8::25")->text() ==
        "5.2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
  CHECK_FALSE(reverse_name("example.org"));
}
