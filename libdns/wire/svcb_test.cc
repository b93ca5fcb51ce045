#include "libdns/wire/svcb.h"

#include <catch2/catch.hpp>

#include "libdns/wire/presentation.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

std::string wire_hex(std::string_view text) {
  const auto data = parse_rdata(Type::svcb, text);
  return data ? hex(rdata_to_wire(*data)) : data.error().text();
}

std::string printed(std::string_view text) {
  const auto data = parse_rdata(Type::svcb, text);
  return data ? to_text(*data) : data.error().text();
}

std::string problem(std::string_view text) {
  const auto data = parse_rdata(Type::svcb, text);
  return data ? "none: " + to_text(*data) : data.error().what;
}

const std::string foo_com = "03666f6f076578616d706c6503636f6d00";
const std::string foo_org = "03666f6f076578616d706c65036f726700";

}  // namespace

TEST_CASE("SVCB: the vectors of RFC 9460 D.1 and D.2") {
  CHECK(wire_hex("0 foo.example.com.") == "0000" + foo_com);
  CHECK(wire_hex("1 .") == "000100");
  CHECK(wire_hex("16 foo.example.com. port=53") == "0010" + foo_com + "000300020035");
  CHECK(wire_hex("1 foo.example.com. key667=hello") == "0001" + foo_com + "029b000568656c6c6f");
  CHECK(wire_hex("1 foo.example.com. key667=\"hello\\210qoo\"") ==
        "0001" + foo_com + "029b000968656c6c6fd2716f6f");
  CHECK(wire_hex("1 foo.example.com. ( ipv6hint=\"2001:db8::1,2001:db8::53:1\" )") ==
        "0001" + foo_com +
            "0006002020010db800000000000000000000000120010db8000000000000000000530001");
  CHECK(wire_hex("1 example.com. ( ipv6hint=\"2001:db8:122:344::192.0.2.33\" )") ==
        "0001076578616d706c6503636f6d000006001020010db80122034400000000c0000221");
  CHECK(wire_hex("16 foo.example.org. ( alpn=h2,h3-19 mandatory=ipv4hint,alpn\n"
                 "  ipv4hint=192.0.2.1 )") ==
        "0010" + foo_org + "0000000400010004000100090268320568332d313900040004c0000201");
}

TEST_CASE("SVCB: escapes of a list inside escapes of a string (RFC 9460 D.2, figure 10)") {
  const std::string octets = "0010" + foo_org + "0001000c08665c6f6f2c626172026832";
  CHECK(wire_hex("16 foo.example.org. alpn=\"f\\\\\\\\oo\\\\,bar,h2\"") == octets);
  CHECK(wire_hex("16 foo.example.org. alpn=f\\\\\\092oo\\092,bar,h2") == octets);
}

TEST_CASE("SVCB: the failures of RFC 9460 D.3") {
  CHECK(problem("1 foo.example.com. key123=abc key123=def") ==
        "SVCB: key123 twice or out of order");
  for (const std::string key : {"mandatory", "alpn", "port", "ipv4hint", "ipv6hint"}) {
    CHECK(problem("1 foo.example.com. " + key) ==
          "SVCB parameter: \"" + key + "\" has no value that " + key + " can take");
  }
  CHECK(problem("1 foo.example.com. no-default-alpn=abc") ==
        "SVCB: no-default-alpn takes no value");
  CHECK(problem("1 foo.example.com. mandatory=key123") == "SVCB: key123 is mandatory but missing");
  CHECK(problem("1 foo.example.com. mandatory=mandatory") ==
        "SVCB: mandatory must not name itself");
  CHECK(problem("1 foo.example.com. mandatory=key123,key123 key123=abc") ==
        "SVCB: mandatory names a key twice or out of order");
}

TEST_CASE("SVCB: other bad parameters") {
  CHECK(problem("1 . Port=53") == "SVCB parameter: \"Port=53\" has an unknown key");
  CHECK(problem("1 . key0667=x") == "SVCB parameter: \"key0667=x\" has an unknown key");
  CHECK(problem("1 . key65536=x") == "SVCB parameter: \"key65536=x\" has an unknown key");
  CHECK(problem("1 . key65535=x") == "SVCB: key65535 is no key");
  CHECK(problem("1 . port=65536") ==
        "SVCB parameter: \"port=65536\" has no value that port can take");
  CHECK(problem("1 . key3=x") == "SVCB: port needs a number from 0 to 65535");
  CHECK(problem("1 . alpn=h2,,h3") ==
        "SVCB parameter: \"alpn=h2,,h3\" has no value that alpn can take");
  CHECK(problem("1 . ipv4hint=1.2.3.4,") ==
        "SVCB parameter: \"ipv4hint=1.2.3.4,\" has no value that ipv4hint can take");
  CHECK(problem("1 . ech") == "SVCB: ech needs a value");
  CHECK(problem("1 . key667=\\300") == "SVCB parameter: \"key667=\\300\" has a bad escape");
  CHECK(problem("1 . key667=\"a\"b") == "SVCB parameter: \"key667=\"a\"b\" has one quote only");
}

TEST_CASE("SVCB: parameters are printed by key, in quotes only where a word would not do") {
  CHECK(printed("1 . ipv6hint=2001:DB8::1 port=\"443\" key1=\"\\002h2\" no-default-alpn") ==
        "1 . alpn=h2 no-default-alpn port=443 ipv6hint=2001:db8::1");
  CHECK(printed("1 . key667=\"a;b\" alpn=\"a\\\\,b\"") == "1 . alpn=\"a\\\\,b\" key667=\"a;b\"");
  CHECK(printed("2 . dohpath=/dns-query{?dns} key9=\"\\000\"") ==
        "2 . dohpath=/dns-query{?dns} key9=\"\\000\"");
}

TEST_CASE("SVCB: what came by wire with a bad value is kept, told and printed as octets") {
  const auto data = rdata_from_wire(Type::https, std::string("\0\1\0\0\1\0\2\5h", 9));
  REQUIRE(data);
  CHECK(svc_params_problem(std::get<Https>(*data).params) ==
        "alpn needs a list of protocols of 1 to 255 octets each");
  CHECK(to_text(*data) == "\\# 9 000100000100020568");
}
