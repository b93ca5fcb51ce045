#include "libdns/wire/dnssec.h"

#include <catch2/catch.hpp>

#include "libdns/wire/presentation.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::string_literals;

namespace {

// From the record's text.
template <class T>
T record(std::string_view text) {
  const auto parsed = parse_record(text);
  INFO(text);
  if (!parsed) FAIL(parsed.error().text());
  REQUIRE(parsed->as<T>() != nullptr);
  return *parsed->as<T>();
}

}  // namespace

TEST_CASE("Key tag: RFC 4034 5.4, whose DS says 60485") {
  CHECK(key_tag(record<Dnskey>(R"(dskey.example.com. 86400 IN DNSKEY 256 3 5 (
      AQOeiiR0GOMYkDshWoSKz9Xz fwJr1AYtsmx3TGkJaNXVbfi/ 2pHm822aJ5iI9BMzNXxeYCmZ
      DRD99WYwYqUSdjMmmAphXdvx egXd/M5+X7OrzKBaMbCVdFLU Uh6DhweJBjEVv5f2wwjM9Xzc
      nOf+EPbtG9DMBmADjFDc2w/r ljwvFw== ) ; key id = 60485)")) == 60485);
}

TEST_CASE("Key tag: the ECDSA and Ed25519 keys of RFC 6605 6.1 and RFC 8080 6.1") {
  CHECK(key_tag(record<Dnskey>(R"(example.net. 3600 IN DNSKEY 257 3 13 (
      GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA== )
      )")) == 55648);
  CHECK(key_tag(record<Dnskey>(R"(example.com. 3600 IN DNSKEY 257 3 15 (
      l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4= ))")) == 3613);
}

TEST_CASE("Key tag: algorithm 1 takes it from the modulus, short keys give one too") {
  Dnskey key;
  key.algorithm = 1;
  key.key = "\1\2\3\4\5";
  CHECK(key_tag(key) == 0x0304);
  key.key = "\1";
  CHECK(key_tag(key) == 0);
  key.algorithm = 13;
  CHECK(key_tag(key) == 3 * 256 + 13 + 256);
}

TEST_CASE("NSEC of RFC 4034 4.3: the octets on the wire") {
  const auto nsec =
      record<Nsec>("alfa.example.com. 86400 IN NSEC host.example.com. (A MX RRSIG NSEC TYPE1234)");
  CHECK(hex(rdata_to_wire(Rdata(nsec))) ==
        "04686f7374076578616d706c6503636f6d00"
        "0006400100000003"
        "041b" +
            std::string(52, '0') + "20");
}

TEST_CASE("RRSIG of RFC 4034 3.3: times are UTC") {
  const auto rrsig = record<Rrsig>(R"(host.example.com. 86400 IN RRSIG A 5 3 86400 20030322173103 (
      20030220173103 2642 example.com.
      oJB1W6WNGv+ldvQ3WDG0MQkg5IEhjRip8WTrPYGv07h108dUKGMeDPKijVCHX3DDKdfb+v6o
      B9wfuh3DTJXUAfI/M0zmO/zz8bW0Rznl8O3tGNazPwQKkRN20XPXV6nwwfoXmJQbsLNrLfkG
      J5D6fwFm8nN+6pBzeDQfsS3Ap3o= ))");
  CHECK(rrsig.expiration == 1048354263);
  CHECK(rrsig.inception == 1045762263);
  CHECK(rrsig.signature.size() == 128);
}

TEST_CASE("NSEC3 of RFC 5155 appendix A") {
  const auto nsec3 = record<Nsec3>(
      "0p9mhaveqvm6t7vbl5lop2u3t2rp3tom.example. 3600 NSEC3 1 1 12 aabbccdd (\n"
      "  2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG )");
  CHECK(nsec3.flags == Nsec3::opt_out);
  CHECK(nsec3.iterations == 12);
  CHECK(nsec3.salt == "\xaa\xbb\xcc\xdd");
  CHECK(nsec3.next_hashed.size() == 20);
  CHECK(nsec3.types.types() == std::vector<Type>{Type::ns, Type::soa, Type::mx, Type::rrsig,
                                                 Type::dnskey, Type::nsec3param});
}

TEST_CASE("TypeBitmap: contains what it was made of and nothing else") {
  const std::vector<Type> types = {Type::a, Type::mx, Type::caa, static_cast<Type>(65535)};
  const TypeBitmap bitmap({types[3], types[1], types[0], types[2], types[0]});
  CHECK(bitmap.types() == types);
  for (unsigned number = 0; number < 65536; ++number) {
    const Type type = static_cast<Type>(number);
    REQUIRE(bitmap.contains(type) == (std::find(types.begin(), types.end(), type) != types.end()));
  }
  CHECK(TypeBitmap::from_wire(bitmap.wire()) == bitmap);
  CHECK(TypeBitmap().types().empty());
  CHECK(TypeBitmap::from_wire("")->empty());
}

TEST_CASE("TypeBitmap: every cut of one is refused or is one of its own") {
  const TypeBitmap bitmap({Type::a, Type::rrsig, Type::caa, static_cast<Type>(1234)});
  for (std::size_t cut = 0; cut < bitmap.wire().size(); ++cut) {
    const auto part = TypeBitmap::from_wire(bitmap.wire().substr(0, cut));
    if (part) CHECK(TypeBitmap(part->types()) == *part);
  }
}
