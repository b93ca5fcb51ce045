#include "libdns/dnssec/keys.h"

#include <catch2/catch.hpp>

#include "libdns/dnssec/signed_data.h"
#include "libdns/dnssec/test_zone.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace posthorn::dns::test;

namespace {

template <class T>
T record(std::string_view text) {
  const auto parsed = parse_record(text);
  INFO(text);
  if (!parsed) FAIL(parsed.error().text());
  REQUIRE(parsed->as<T>() != nullptr);
  return *parsed->as<T>();
}

struct Vector {
  std::string title;
  std::string private_key;
  std::string dnskey;
  std::string ds;
  std::string set;
  std::string rrsig;
  bool is_deterministic = true;  // who signs again gets the same
};

// RFC 5702 6, RFC 6605 6, RFC 8080 6.
const std::vector<Vector> vectors = {
    {"RFC 5702 6.1, RSA/SHA-256",
     R"(Private-key-format: v1.2
Algorithm:       8 (RSASHA256)
Modulus:         wVwaxrHF2CK64aYKRUibLiH30KpPuPBjel7E8ZydQW1HYWHfoGmidzC2RnhwCC293hCzw+TFR2nqn8OVSY5t2Q==
PublicExponent:  AQAB
PrivateExponent: UR44xX6zB3eaeyvTRzmskHADrPCmPWnr8dxsNwiDGHzrMKLN+i/HAam+97HxIKVWNDH2ba9Mf1SA8xu9dcHZAQ==
Prime1:          4c8IvFu1AVXGWeFLLFh5vs7fbdzdC6U82fduE6KkSWk=
Prime2:          2zZpBE8ZXVnL74QjG4zINlDfH+EOEtjJJ3RtaYDugvE=
Exponent1:       G2xAPFfK0KGxGANDVNxd1K1c9wOmmJ51mGbzKFFNMFk=
Exponent2:       GYxP1Pa7CAwtHm8SAGX594qZVofOMhgd6YFCNyeVpKE=
Coefficient:     icQdNRjlZGPmuJm2TIadubcO8X7V4y07aVhX464tx8Q=
)",
     "example.net. 3600 IN DNSKEY 256 3 8 "
     "AwEAAcFcGsaxxdgiuuGmCkVImy4h99CqT7jwY3pexPGcnUFtR2Fh36Bpon"
     "cwtkZ4cAgtvd4Qs8PkxUdp6p/DlUmObdk=",
     "", "www.example.net. 3600 IN A 192.0.2.91",
     "www.example.net. 3600 IN RRSIG A 8 3 3600 20300101000000 20000101000000 9033 example.net. "
     "kRCOH"
     "6u7l0QGy9qpC9l1sLncJcOKFLJ7GhiUOibu4teYp5VE9RncriShZNz85mwlMgNEacFYK/lPtPiVYP4bwg=="},
    {"RFC 5702 6.2, RSA/SHA-512",
     R"(Private-key-format: v1.2
Algorithm:       10 (RSASHA512)
Modulus:         0eg1M5b563zoq4k5ZEOnWmd2/BvpjzedJVdfIsDcMuuhE5SQ3pfQ7qmdaeMlC6Nf8DKGoUPGPXe06cP27/WRODtxXquSUytkO0kJDk8KX8PtA0+yBWwy7UnZDyCkynO00Uuk8HPVtZeMO1pHtlAGVnc8VjXZlNKdyit99waaE4s=
PublicExponent:  AQAB
PrivateExponent: rFS1IPbJllFFgFc33B5DDlC1egO8e81P4fFadODbp56V7sphKa6AZQCx8NYAew6VXFFPAKTw41QdHnK5kIYOwxvfFDjDcUGza88qbjyrDPSJenkeZbISMUSSqy7AMFzEolkk6WSn6k3thUVRgSlqDoOV3SEIAsrB043XzGrKIVE=
Prime1:          8mbtsu9Tl9v7tKSHdCIeprLIQXQLzxlSZun5T1n/OjvXSUtvD7xnZJ+LHqaBj1dIgMbCq2U8O04QVcK3TS9GiQ==
Prime2:          3a6gkfs74d0Jb7yL4j4adAif4fcp7ZrGt7G5NRVDDY/Mv4TERAKMa0TKN3okKE0A7X+Rv2K84mhT4QLDlllEcw==
Exponent1:       v3D5A9uuCn5rgVR7wgV8ba0/KSpsdSiLgsoA42GxiB1gvvs7gJMMmVTDu/ZG1p1ZnpLbhh/S/Qd/MSwyNlxC+Q==
Exponent2:       m+ezf9dsDvYQK+gzjOLWYeKq5xWYBEYFGa3BLocMiF4oxkzOZ3JPZSWU/h1Fjp5RV7aPP0Vmx+hNjYMPIQ8Y5w==
Coefficient:     Je5YhYpUron/WdOXjxNAxDubAp3i5X7UOUfhJcyIggqwY86IE0Q/Bk0Dw4SC9zxnsimmdBXW2Izd8Lwuk8FQcQ==
)",
     "example.net. 3600 IN DNSKEY 256 3 10 "
     "AwEAAdHoNTOW+et86KuJOWRDp1pndvwb6Y83nSVXXyLA3DLroROUkN6X0"
     "O6pnWnjJQujX/AyhqFDxj13tOnD9u/1kTg7cV6rklMrZDtJCQ5PCl/D7QNPsgVsMu1J2Q8gpMpztNFLpPBz1bWXjDtaR7"
     "ZQBlZ3PFY12ZTSncorffcGmhOL",
     "", "www.example.net. 3600 IN A 192.0.2.91",
     "www.example.net. 3600 IN RRSIG A 10 3 3600 20300101000000 20000101000000 3740 example.net. "
     "tsb4"
     "wnjRUDnB1BUi+t6TMTXThjVnG+eCkWqjvvjhzQL1d0YRoOe0CbxrVDYd0xDtsuJRaeUw1ep94PzEWzr0iGYgZBWm/"
     "zpq+9"
     "fOuagYJRfDqfReKBzMweOLDiNa8iP5g9vMhpuv6OPlvpXwm9Sa9ZXIbNl1MBGk0fthPgxdDLw="},
    {"RFC 6605 6.1, P-256",
     "Private-key-format: v1.2\nAlgorithm: 13 (ECDSAP256SHA256)\n"
     "PrivateKey: GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=\n",
     "example.net. 3600 IN DNSKEY 257 3 13 "
     "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbc"
     "B7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
     "example.net. 3600 IN DS 55648 13 2 "
     "b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17",
     "www.example.net. 3600 IN A 192.0.2.1",
     "www.example.net. 3600 IN RRSIG A 13 3 3600 20100909100439 20100812100439 55648 example.net. "
     "qx6"
     "wLYqmh+l9oCKTN6qIc+bw6ya+KJ8oMz0YP107epXAyGmt+3SNruPFKG7tZoLBLlUzGGus7ZwmwWep666VCw==",
     false},
    {"RFC 6605 6.2, P-384",
     "Private-key-format: v1.2\nAlgorithm: 14 (ECDSAP384SHA384)\n"
     "PrivateKey: WURgWHCcYIYUPWgeLmiPY2DJJk02vgrmTfitxgqcL4vwW7BOrbawVmVe0d9V94SR\n",
     "example.net. 3600 IN DNSKEY 257 3 14 "
     "xKYaNhWdGOfJ+nPrL8/arkwf2EY3MDJ+SErKivBVSum1w/egsXvSADtNJ"
     "hyem5RCOpgQ6K8X1DRSEkrbYQ+OB+v8/uX45NBwY8rp65F6Glur8I/mlVNgF6W/qTI37m40",
     "example.net. 3600 IN DS 10771 14 4 "
     "72d7b62976ce06438e9c0bf319013cf801f09ecc84b8d7e9495f27e305c6"
     "a9b0563a9b5f4d288405c3008a946df983d6",
     "www.example.net. 3600 IN A 192.0.2.1",
     "www.example.net. 3600 IN RRSIG A 14 3 3600 20100909102025 20100812102025 10771 example.net. "
     "/L5"
     "hDKIvGDyI1fcARX3z65qrmPsVz73QD1Mr5CEqOiLP95hxQouuroGCeZOvzFaxsT8Glr74hbavRKayJNuydCuzWTSSPdz7"
     "wnqXL5bdcJzusdnI0RSMROxxwGipWcJm",
     false},
    {"RFC 8080 6.1, Ed25519",
     "Private-key-format: v1.2\nAlgorithm: 15 (ED25519)\n"
     "PrivateKey: ODIyNjAzODQ2MjgwODAxMjI2NDUxOTAyMDQxNDIyNjI=\n",
     "example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=",
     "example.com. 3600 IN DS 3613 15 2 "
     "3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b",
     "example.com. 3600 IN MX 10 mail.example.com.",
     // The RFC's text has algorithm and labels wrong; this is what its erratum has.
     "example.com. 3600 IN RRSIG MX 15 2 3600 1440021600 1438207200 3613 example.com. "
     "oL9krJun7xfBOIW"
     "cGHi7mag5/hdZrKWw15jPGrHpjQeRAvTdszaPD+QLs3fx8A4M3e23mRZ9VrbpMngwcrqNAg=="},
    {"RFC 8080 6.2, Ed448",
     "Private-key-format: v1.2\nAlgorithm: 16 (ED448)\n"
     "PrivateKey: xZ+5Cgm463xugtkY5B0Jx6erFTXp13rYegst0qRtNsOYnaVpMx0Z/c5EiA9x8wWbDDct/U3FhYWA\n",
     "example.com. 3600 IN DNSKEY 257 3 16 "
     "3kgROaDjrh0H2iuixWBrc8g2EpBBLCdGzHmn+G2MpTPhpj/OiBVHHSfPod"
     "x1FYYUcJKm1MDpJtIA",
     "example.com. 3600 IN DS 9713 16 2 "
     "6ccf18d5bc5d7fc2fceb1d59d17321402f2aa8d368048db93dd811f5cb2b19c7",
     "example.com. 3600 IN MX 10 mail.example.com.",
     "example.com. 3600 IN RRSIG MX 16 2 3600 1440021600 1438207200 9713 example.com. "
     "3cPAHkmlnxcDHMy"
     "g7vFC34l0blBhuG1qpwLmjInI8w1CMB29FkEAIJUA0amxWndkmnBZ6SKiwZSAxGILn/NBtOXft0+Gj7FSvOKxE/07+4RQ"
     "vE581N3Aj/JtIyaiYVdnYtyMWbSNyGEY2213WKsJlwEA"},
};

}  // namespace

TEST_CASE("Keys: signatures, keys and digests of the RFCs' examples") {
  for (const Vector& vector : vectors) {
    INFO(vector.title);
    const auto dnskey = record<Dnskey>(vector.dnskey);
    const auto rrsig = record<Rrsig>(vector.rrsig);
    const std::string octets = signed_data(rrsig, sets_of(vector.set).front());
    CHECK(verify(dnskey, octets, rrsig.signature));
    CHECK_FALSE(verify(dnskey, octets + "x", rrsig.signature));
    std::string changed = rrsig.signature;
    changed.back() = static_cast<char>(changed.back() ^ 1);
    CHECK_FALSE(verify(dnskey, octets, changed));
    CHECK_FALSE(verify(dnskey, octets, rrsig.signature.substr(1)));
    CHECK_FALSE(verify(dnskey, octets, ""));

    const auto key = SigningKey::parse(vector.private_key, dnskey.flags);
    if (!key) FAIL(key.error());
    CHECK(key->dnskey() == dnskey);
    CHECK(key->tag() == rrsig.key_tag);
    CHECK((key->sign(octets) == rrsig.signature) == vector.is_deterministic);
    CHECK(verify(dnskey, octets, key->sign(octets)));
    if (vector.ds.empty()) continue;
    const Name owner = parse_record(vector.dnskey)->owner;
    const auto ds = record<Ds>(vector.ds);
    CHECK(make_ds(owner, dnskey, ds.digest_type) == ds);
    CHECK(matches(ds, owner, dnskey));
    CHECK_FALSE(matches(ds, name("example.org"), dnskey));
  }
}

TEST_CASE("Keys: the DS of RFC 4034 5.4, made with SHA-1") {
  const auto dnskey = record<Dnskey>(R"(dskey.example.com. 86400 IN DNSKEY 256 3 5 (
      AQOeiiR0GOMYkDshWoSKz9Xz fwJr1AYtsmx3TGkJaNXVbfi/ 2pHm822aJ5iI9BMzNXxeYCmZ
      DRD99WYwYqUSdjMmmAphXdvx egXd/M5+X7OrzKBaMbCVdFLU Uh6DhweJBjEVv5f2wwjM9Xzc
      nOf+EPbtG9DMBmADjFDc2w/r ljwvFw== ))");
  CHECK(hex(ds_digest(name("DSKEY.example.com"), dnskey, digest::sha1)) ==
        "2bb183af5f22588179a53b0a98631fad1a292118");
  CHECK(make_ds(name("dskey.example.com"), dnskey, digest::sha1).key_tag == 60485);
}

TEST_CASE("Keys: unknown digests match nothing") {
  const SigningKey key = *SigningKey::generate();
  Ds ds = make_ds(name("example"), key.dnskey(), 99);
  CHECK(ds.digest == "");
  CHECK_FALSE(matches(ds, name("example"), key.dnskey()));
}

TEST_CASE("Keys: SHA-1 algorithms are known only where they are allowed") {
  CHECK_FALSE(is_supported_algorithm(algorithm::rsasha1));
  CHECK_FALSE(is_supported_algorithm(algorithm::rsasha1_nsec3_sha1));
  CHECK(is_supported_algorithm(algorithm::rsasha1, Sha1::allowed));
  CHECK(is_supported_algorithm(algorithm::rsasha1_nsec3_sha1, Sha1::allowed));
  for (const std::uint8_t other : {0, 1, 3, 6, 12, 17, 99, 252, 253, 255})
    CHECK_FALSE(is_supported_algorithm(other, Sha1::allowed));
  for (const std::uint8_t known : {8, 10, 13, 14, 15, 16}) CHECK(is_supported_algorithm(known));
}

TEST_CASE("Keys: RSA keys out of bounds are refused before OpenSSL sees them") {
  const auto [why, number, key] = GENERATE(table<std::string, std::uint8_t, std::string>({
      {"cut off", 8, std::string("\5\1", 2) + "x"},
      {"cut off", 8, std::string("\0\1\0\1", 4)},
      {"octets", 8, ""},
      {"cut off", 8, std::string("\0\0\0", 3) + std::string(128, 'm')},
      {"modulus of 511 bits", 8, "\1\3" + std::string(1, '\x7f') + std::string(63, '\xff')},
      {"modulus of 1023 bits", 10, "\1\3" + std::string(1, '\x7f') + std::string(127, '\xff')},
      {"modulus of 4097 bits", 8, "\1\3\1" + std::string(512, '\xff')},
      {"exponent of 65 bits", 8, "\x9\1" + std::string(8, '\xff') + std::string(128, '\xff')},
      {"even", 8, "\1\4" + std::string(128, '\xff')},
      {"exponent of 1 bits", 8, "\1\1" + std::string(128, '\xff')},
      {"an RSA key of 60003 octets", 8,
       std::string("\0\xea\x5f", 3) + std::string(59999, 'e') + "m"},
  }));
  Dnskey dnskey;
  dnskey.algorithm = number;
  dnskey.key = key;
  const auto parsed = VerifyingKey::parse(dnskey);
  REQUIRE_FALSE(parsed);
  CHECK_THAT(parsed.error(), Catch::Contains(why));
}

TEST_CASE("Keys: points on no curve and keys of a wrong length are refused") {
  const auto [number, octets] = GENERATE(
      table<std::uint8_t, std::size_t>({{13, 64}, {13, 63}, {14, 96}, {15, 31}, {16, 56}}));
  Dnskey dnskey;
  dnskey.algorithm = number;
  dnskey.key = std::string(octets, '\x11');
  CHECK_FALSE(VerifyingKey::parse(dnskey));
}

TEST_CASE("SigningKey: what is written is read again, for every algorithm") {
  const auto number = GENERATE(as<std::uint8_t>(), 8, 10, 13, 14, 15, 16);
  const auto key = SigningKey::generate(number, zsk_flags);
  REQUIRE(key);
  CHECK(key->dnskey().flags == 256);
  const auto again = SigningKey::parse(key->text().view(), zsk_flags);
  if (!again) FAIL(again.error());
  CHECK(again->dnskey() == key->dnskey());
  CHECK(again->tag() == key->tag());
  CHECK(verify(key->dnskey(), "octets", again->sign("octets")));
  CHECK(again->text() == key->text());
}

TEST_CASE("SigningKey: timing fields and CRLF don't matter") {
  const auto key = SigningKey::parse(
      "Private-key-format: v1.3\r\nAlgorithm: 13 (ECDSAP256SHA256)\r\n"
      "PrivateKey: GU6SnQ/Ou+xC5RumuIUIuJZteXT2z0O/ok1s38Et6mQ=\r\n"
      "Created: 20230101000000\r\nPublish: 20230101000000\r\n");
  REQUIRE(key);
  CHECK(key->tag() == 55648);
}

TEST_CASE("SigningKey: files that hold no key say why") {
  const std::string head = "Private-key-format: v1.3\nAlgorithm: 13 (ECDSAP256SHA256)\n";
  const auto [text, why] = GENERATE_COPY(table<std::string, std::string>({
      {"", "doesn't begin"},
      {"Private-key-format: v9.9\n", "doesn't begin"},
      {"Private-key-format: v1.3\nPrivateKey: x\n", "second line"},
      {"Private-key-format: v1.3\nAlgorithm: 5 (RSASHA1)\n", "isn't supported"},
      {"Private-key-format: v1.3\nAlgorithm: \x1b[2J\n", "isn't supported"},
      {head, "no field PrivateKey"},
      {head + "PrivateKey: %%%\n", "no field PrivateKey"},
      {head + "PrivateKey: " + std::string(43, 'A') + "=\n", "out of range"},
      {head + "PrivateKey: " + std::string(43, '/') + "8=\n", "no field PrivateKey"},
      {head + "PrivateKey: //////////////////////////////////////////8=\n", "out of range"},
      {head + "PrivateKey: " + std::string(64, 'A') + "\n", "more than 32 octets"},
      {"Private-key-format: v1.3\nAlgorithm: 15 (ED25519)\nPrivateKey: AAAA\n", "3 octets"},
      {"Private-key-format: v1.3\nAlgorithm: 8 (RSASHA256)\nModulus: AAAA\n", "PublicExponent"},
      {std::string(70000, 'x'), "too long"},
  }));
  INFO(text.substr(0, 200));
  const auto key = SigningKey::parse(text);
  REQUIRE_FALSE(key);
  CHECK_THAT(key.error(), Catch::Contains(why));
  CHECK(key.error().find('\x1b') == std::string::npos);
}

TEST_CASE("SigningKey: an RSA file whose numbers are at odds is refused") {
  std::string text = vectors[0].private_key;
  const std::string other(SigningKey::generate(algorithm::rsasha256)->text().view());
  // The modulus of another key.
  const std::size_t from = text.find("Modulus:");
  const std::size_t theirs = other.find("Modulus:");
  text.replace(from, text.find('\n', from) - from,
               other.substr(theirs, other.find('\n', theirs) - theirs));
  CHECK_FALSE(SigningKey::parse(text));
}

TEST_CASE("Secret: comparing takes the octets, not the order they came in") {
  const Secret secret("sesame");
  Secret moved = Secret(secret);
  Secret taken = std::move(moved);
  CHECK(taken == secret);
  taken.append("!");
  CHECK_FALSE(taken == secret);
  CHECK(taken.view() == "sesame!");
  std::string text = "a secret that is longer than a short string";
  const Secret from = Secret::take(std::move(text));
  CHECK(from.view() == "a secret that is longer than a short string");
  taken = from;
  CHECK(taken == from);
}
