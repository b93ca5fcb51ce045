#include <catch2/catch.hpp>

#include "libdns/wire/builder.h"
#include "libdns/wire/presentation.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::string_literals;

namespace {

struct Sample {
  Type type;
  std::string text;  // as to_text() writes it
};

const std::vector<Sample>& samples() {
  static const std::vector<Sample> all = {
      {Type::a, "192.0.2.1"},
      {Type::aaaa, "2001:db8::25"},
      {Type::ns, "ns.example.org."},
      {Type::cname, "a\\.b.example.org."},
      {Type::dname, "example.net."},
      {Type::ptr, "mx.example.org."},
      {Type::soa, "ns.example.org. host\\.master.example.org. 4294967295 7200 3600 1209600 300"},
      {Type::mx, "0 ."},
      {Type::txt, "\"v=spf1 -all\" \"\" \"\\\"q\\\"\\\\\\001\\255;()\""},
      {Type::spf, "\"v=spf1 -all\""},
      {Type::hinfo, "\"RFC8482\" \"\""},
      {Type::srv, "1 2 993 imap.example.org."},
      {Type::naptr, "100 10 \"u\" \"E2U+sip\" \"!^.*$!sip:info@example.com!\" ."},
      {Type::caa, "128 issue \"ca1.example.net; account=230123\""},
      {Type::tlsa, "3 1 1 d2abde240d7cd3ee6b4b28c54df034b97983a1d16e8a410e4561cb106618e971"},
      {Type::smimea, "3 0 0 00ff"},
      {Type::openpgpkey, "mQENBFVHm5sBCAA="},
      {Type::sshfp, "4 2 123456789abcdef67890123456789abcdef67890"},
      {Type::ds, "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"},
      {Type::cds, "0 0 0 00"},
      {Type::dnskey,
       "257 3 13 GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+"
       "MAnLr+Wi9xMWyQLc8NAA=="},
      {Type::cdnskey, "0 3 0 AA=="},
      {Type::rrsig, "A 5 3 86400 20030322173103 20030220173103 2642 example.com. AAEC"},
      {Type::nsec, "host.example.com. A MX RRSIG NSEC TYPE1234"},
      {Type::nsec3,
       "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA MX RRSIG DNSKEY "
       "NSEC3PARAM"},
      {Type::nsec3, "1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr"},
      {Type::nsec3param, "1 0 12 aabbccdd"},
      {Type::svcb, "0 foo.example.com."},
      {Type::https,
       "1 . alpn=h2,h3-19 port=8443 ipv4hint=192.0.2.1 ech=AAEC ipv6hint=2001:db8::1 "
       "key667=\"a b\""},
      {Type::opt, "\\# 6 000a00020102"},
      {Type::tsig, "hmac-sha256. 1700000000 300 4 AAECAw== 4711 18 6 AAAAAAAB"},
      {static_cast<Type>(65280), "\\# 3 0102ff"},
      {static_cast<Type>(65280), "\\# 0"},
      // What their own form has no words for.
      {Type::soa, "\\# 22 000000000001ffffffff000000030000000400000005"},
      {Type::ds, "\\# 4 ec450501"},
      {Type::svcb, "\\# 8 0001000003000100"},
  };
  return all;
}

Rdata parse(Type type, std::string_view text) {
  auto data = parse_rdata(type, text);
  INFO(to_string(type) << " " << text);
  if (!data) FAIL(data.error().text());
  return *data;
}

std::string problem(Type type, std::string_view text) {
  const auto data = parse_rdata(type, text);
  return data ? "none: " + to_text(*data) : data.error().what;
}

}  // namespace

TEST_CASE("Presentation form of each type goes to the wire and comes back the same") {
  for (const Sample& sample : samples()) {
    CAPTURE(to_string(sample.type), sample.text);
    const Rdata data = parse(sample.type, sample.text);
    CHECK(type_of(data) == sample.type);
    const std::string wire = rdata_to_wire(data);
    const auto again = rdata_from_wire(sample.type, wire);
    REQUIRE(again);
    CHECK(*again == data);
    CHECK(to_text(*again) == sample.text);
  }
}

TEST_CASE("Every type has a sample above") {
  std::vector<bool> seen(std::variant_size_v<AnyRdata>);
  for (const Sample& sample : samples()) seen[parse(sample.type, sample.text).index()] = true;
  CHECK(seen == std::vector<bool>(std::variant_size_v<AnyRdata>, true));
}

TEST_CASE("Known types may be written in the generic form too, without compression") {
  CHECK(parse(Type::a, "\\# 4 0A 0000 01") == parse(Type::a, "10.0.0.1"));  // RFC 3597 5
  CHECK(problem(Type::a, "\\# 3 0a0000") ==
        "A: message ends in the middle of something at octet 3");
  CHECK(problem(Type::mx, "\\# 4 000ac000").find("compressed name") != std::string::npos);
  CHECK(problem(Type::a, "\\# 4 0a0000") == "A: \\# says 4 octets, 3 follow");
  CHECK(problem(Type::a, "\\# 4 0a000001 0") ==
        "A data: \"0a000001\" is not pairs of hexadecimal digits");
  CHECK(problem(Type::a, "\\# 65536 00") == "A length: \"65536\" is no number from 0 to 65535");
  CHECK(problem(Type::a, "\\#") == "A length is missing");
  CHECK(problem(static_cast<Type>(65280), "abc") ==
        "TYPE65280 has no text form here; write \\# LENGTH HEX");
}

TEST_CASE("RDATA on the wire: every cut is noticed or is a value that is written the same") {
  for (const Sample& sample : samples()) {
    const std::string wire = rdata_to_wire(parse(sample.type, sample.text));
    CAPTURE(sample.text);
    for (std::size_t cut = 0; cut < wire.size(); ++cut) {
      const std::string_view part = std::string_view(wire).substr(0, cut);
      Reader checker(part);
      check_rdata(checker, sample.type, cut);
      const auto data = rdata_from_wire(sample.type, part);
      REQUIRE(data.has_value() == checker.ok());
      if (!data) continue;
      REQUIRE(rdata_to_wire(*data) == part);
      REQUIRE(parse(sample.type, to_text(*data)) == *data);
    }
  }
}

TEST_CASE("RDATA on the wire: what a field must not hold is a fault") {
  const auto fault = [](Type type, std::string_view octets) {
    const auto data = rdata_from_wire(type, octets);
    return data ? "none" : std::string(to_string(data.error().fault));
  };
  const std::string bad = "forbidden value in record data";
  CHECK(fault(Type::caa, "\0\0value"s) == bad);
  CHECK(fault(Type::caa, "\0\5is ue"s) == bad);
  CHECK(fault(Type::nsec3, "\1\0\0\0\0\0"s) == bad);       // no hash
  CHECK(fault(Type::nsec, "\0\0\0"s) == bad);              // a window of no octets
  CHECK(fault(Type::nsec, "\0\0\1\0"s) == bad);            // a zero octet at the end
  CHECK(fault(Type::nsec, "\0\1\1\x40\0\1\x40"s) == bad);  // windows fall
  CHECK(fault(Type::nsec, "\0\0\41"s + std::string(33, '\1')) == bad);
  CHECK(fault(Type::svcb, "\0\1\0\0\3\0\0\0\1\0\0"s) == bad);  // keys fall
  CHECK(fault(Type::svcb, "\0\1\0\0\3\0\0\0\3\0\0"s) == bad);  // a key twice
  CHECK(fault(Type::rrsig, "\0\1\5\3\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xc0\0"s) ==
        "compressed name where none is allowed");
  CHECK(fault(Type::tsig, "\0\0\0\0\0\0\0\0\0\0\5abc"s) ==
        "message ends in the middle of something");
}

TEST_CASE("Names are decompressed where RFC 3597 4 tolerates it, and never so written") {
  const std::string message = "\3org\0\0\1\0\2\0\3\xc0\0"s;
  Reader reader(message, 5);
  const Rdata srv = read_rdata(reader, Type::srv, 8);
  CHECK(reader.ok());
  CHECK(to_text(srv) == "1 2 3 org.");
  Writer writer;
  writer.name(*Name::parse("x.org"));
  const std::size_t before = writer.size();
  write_rdata(writer, srv);
  CHECK(writer.size() - before == 11);
  // RP, which has no struct here.
  const std::string rp = "\3org\0\xc0\0\1a\xc0\0"s;
  Reader names(rp, 5);
  CHECK(read_rdata(names, static_cast<Type>(17), 6) ==
        Rdata(Opaque{static_cast<Type>(17), "\3org\0\1a\3org\0"s}));
}

TEST_CASE("Canonical form: names in lower case where RFC 4034 6.2 and RFC 6840 5.1 say so") {
  const auto canonical = [](Type type, std::string_view text) {
    return canonical_rdata(parse(type, text));
  };
  CHECK(canonical(Type::mx, "10 MX.Example.ORG.") ==
        rdata_to_wire(parse(Type::mx, "10 mx.example.org.")));
  CHECK(canonical(Type::srv, "1 2 3 IMAP.") == rdata_to_wire(parse(Type::srv, "1 2 3 imap.")));
  CHECK(canonical(Type::dname, "X.") == "\1x\0"s);
  CHECK(canonical(Type::rrsig, "A 5 3 1 0 0 1 ORG. AA==").find("\3org") != std::string::npos);
  CHECK(canonical(Type::nsec, "HOST. A") == rdata_to_wire(parse(Type::nsec, "HOST. A")));
  CHECK(canonical(Type::svcb, "0 FOO.") == rdata_to_wire(parse(Type::svcb, "0 FOO.")));
  CHECK(canonical(Type::txt, "ABC") == "\3ABC");
  CHECK(canonical(static_cast<Type>(18), "\\# 7 0001 034f5247 00") == "\0\1\3org\0"s);
}

TEST_CASE("Names in RDATA are relative to the origin") {
  const Name origin = *Name::parse("example.org");
  CHECK(to_text(*parse_rdata(Type::mx, "10 mx", origin)) == "10 mx.example.org.");
  CHECK(to_text(*parse_rdata(Type::mx, "10 @", origin)) == "10 example.org.");
  CHECK(to_text(*parse_rdata(Type::mx, "10 mx.", origin)) == "10 mx.");
}

TEST_CASE("Blanks and lines inside hexadecimal digits, base64 and lists mean nothing") {
  CHECK(
      parse(Type::ds, "60485 5 1 ( 2BB183AF5F22588179A53B0A ; a comment\r\n 98631FAD1A292118 )") ==
      parse(Type::ds, "60485 5 1 2bb183af5f22588179a53b0a98631fad1a292118"));
  CHECK(parse(Type::dnskey, "256 3 ECDSAP256SHA256 A A E\tC") ==
        parse(Type::dnskey, "256 3 13 AAEC"));
  CHECK(parse(Type::soa, "a. b. 1 2h 1h30m 2w 1d") ==
        parse(Type::soa, "a. b. 1 7200 5400 1209600 86400"));
}

TEST_CASE("RDATA as text: bad input is refused with type, field and reason") {
  const std::string long_string(256, 'x');
  const std::vector<std::pair<Sample, std::string>> bad = {
      {{Type::a, "192.0.2"}, "A address: \"192.0.2\" is no IPv4 address"},
      {{Type::a, ""}, "A address is missing"},
      {{Type::a, "192.0.2.1 192.0.2.2"}, "A: \"192.0.2.2\" is too much"},
      {{Type::aaaa, "1::2::3"}, "AAAA address: \"1::2::3\" is no IPv6 address"},
      {{Type::mx, "ten mx."}, "MX preference: \"ten\" is no number from 0 to 65535"},
      {{Type::mx, "65536 mx."}, "MX preference: \"65536\" is no number from 0 to 65535"},
      {{Type::mx, "10"}, "MX exchange is missing"},
      {{Type::mx, "10 a..b"}, "MX exchange: \"a..b\" empty label"},
      {{Type::mx, "10 \"a\""}, "MX exchange: \"a\" must not be in quotes"},
      {{Type::txt, ""}, "TXT string is missing"},
      {{Type::txt, long_string},
       "TXT string: \"" + long_string.substr(0, 64) + "...\" is over 255 octets"},
      {{Type::txt, "\\256"}, "TXT string: \"\\256\" has a bad escape"},
      {{Type::soa, "a. b. 1 1y 1 1 1"}, "SOA refresh: \"1y\" is no period of time"},
      {{Type::caa, "0 is-sue \"x\""}, "CAA tag: \"is-sue\" is not made of letters and digits"},
      {{Type::caa, "256 issue \"x\""}, "CAA flags: \"256\" is no number from 0 to 255"},
      {{Type::tlsa, "3 1 1 0g"}, "TLSA association: \"0g\" is not pairs of hexadecimal digits"},
      {{Type::tlsa, "3 1 1"}, "TLSA association is missing"},
      {{Type::openpgpkey, "A==="}, "OPENPGPKEY key: \"A===\" is no base64"},
      {{Type::ds, "1 NOSUCH 1 00"}, "DS algorithm: \"NOSUCH\" is no algorithm"},
      {{Type::rrsig, "A 5 3 1 20031322173103 0 1 . AA=="},
       "RRSIG expiration: \"20031322173103\" is neither YYYYMMDDHHMMSS nor seconds since 1970"},
      {{Type::rrsig, "BOGUS 5 3"}, "RRSIG type covered: \"BOGUS\" is no type"},
      {{Type::nsec, "a. A BOGUS"}, "NSEC type: \"BOGUS\" is no type"},
      {{Type::nsec3, "1 0 0 abc 00"},
       "NSEC3 salt: \"abc\" is neither \"-\" nor up to 255 octets in hexadecimal digits"},
      {{Type::nsec3, "1 0 0 - 0w"},
       "NSEC3 next hashed owner: \"0w\" is not 1 to 255 octets in base32hex"},
      {{Type::tsig, "a. 1 1 3 AA== 1 0 0"},
       "TSIG MAC: \"AA==\" is not base64 of the length before it"},
      {{Type::opt, "10:0102"}, "OPT options have no text but \\#"},
  };
  for (const auto& [sample, what] : bad) CHECK(problem(sample.type, sample.text) == what);
}

TEST_CASE("RDATA that no record can hold is refused") {
  std::string text;
  for (int i = 0; i < 300; ++i) text += std::string(250, 'x') + " ";
  CHECK(problem(Type::txt, text) == "TXT data over 65535 octets");
  CHECK(problem(Type::openpgpkey, std::string(4 * 21846, 'A')) ==
        "OPENPGPKEY data over 65535 octets");
  CHECK(rdata_to_wire(parse(Type::openpgpkey, std::string(4 * 21845, 'A'))).size() == 65535);
}
