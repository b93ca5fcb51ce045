#include "libdns/dnssec/cookie.h"

#include <catch2/catch.hpp>
#include <vector>

#include "libdns/wire/encoding.h"
#include "libmail/base/text.h"

using namespace posthorn;
using namespace posthorn::dns;
using namespace std::string_literals;

namespace {

std::string octets(std::string_view digits) {
  return decode_hex(digits).value();
}

const std::string address = "\xc6\x33\x64\x64";  // 198.51.100.100
const Secret secret(octets("e5e973e5a6b2a43f48e7dc849e37bfcf"));
constexpr std::uint32_t made = 1559731985;

CookieState state(std::string_view option, std::uint32_t now,
                  const std::vector<Secret>& secrets = {secret}, std::string_view from = address) {
  const auto cookie = parse_cookie(option);
  REQUIRE(cookie);
  return check_cookie(*cookie, from, secrets, now);
}

}  // namespace

TEST_CASE("SipHash-2-4: the vectors of its authors") {
  std::string key;
  std::string input;
  for (char c = 0; c < 16; ++c) key.push_back(c);
  const std::vector<std::uint64_t> expected{
      0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a,
      0x85676696d7fb7e2d, 0xcf2794e0277187b7, 0x18765564cd99a68d,
      0xcbc9466e58fee3ce, 0xab0200f58b01d137, 0x93f5f5799a932462};
  for (const std::uint64_t hash : expected) {
    CHECK(siphash24(input, key) == hash);
    input.push_back(static_cast<char>(input.size()));
  }
  while (input.size() < 15) input.push_back(static_cast<char>(input.size()));
  CHECK(siphash24(input, key) == 0xa129ca6149be45e5);
}

TEST_CASE("Cookies: RFC 9018 A.1, learning a new server cookie") {
  CHECK(hex(make_cookie(octets("2464c4abcf10c957"), address, secret, made)) ==
        "2464c4abcf10c957010000005cf79f111f8130c3eee29480");
}

TEST_CASE("Cookies: RFC 9018 A.2, the same client learns a renewed one") {
  // Half an hour and more later.
  const Secret same(octets("e5e973e5a6b2a43f48e7dc849e37bfcf"));
  CHECK(hex(make_cookie(octets("2464c4abcf10c957"), address, same, 1559734385)) ==
        "2464c4abcf10c957010000005cf7a871d4a564a1442aca77");
}

TEST_CASE("Cookies: RFC 9018 A.3, another client with reserved octets that aren't zero") {
  const std::string client = octets("fc93fc62807ddb86");
  const std::string from = "\xcb\x00\x71\xcb"s;  // 203.0.113.203
  const std::string option = octets("fc93fc62807ddb8601abcdef5cf78f71a314227b6679ebf5");
  CHECK(state(option, 1559727985, {secret}, from) == CookieState::fresh);
  CHECK(hex(make_cookie(client, from, secret, 1559734700)) ==
        "fc93fc62807ddb86010000005cf7a9acf73a7810aca2381e");
}

TEST_CASE("Cookies: RFC 9018 A.4, an IPv6 client and a secret that is rolled") {
  const Secret old_secret(octets("dd3bdf9344b678b185a6f5cb60fca715"));
  const Secret new_secret(octets("445536bcd2513298075a5d379663c962"));
  const std::string from = octets("20010db80220000159ded0f4876982b8");
  const std::string client = octets("22681ab97d52c298");
  const std::string option = octets("22681ab97d52c298010000005cf7c57926556bd0934c72f8");
  CHECK(state(option, 1559741817, {new_secret, old_secret}, from) == CookieState::old);
  CHECK(state(option, 1559741817, {old_secret}, from) == CookieState::fresh);
  CHECK(state(option, 1559741817, {new_secret}, from) == CookieState::bad);
  CHECK(hex(make_cookie(client, from, new_secret, 1559741961)) ==
        "22681ab97d52c298010000005cf7c609a6bb79d16625507a");
}

TEST_CASE("Cookies: fresh for half an hour, good for an hour, five minutes ahead") {
  const std::string option = make_cookie("12345678", address, secret, made);
  CHECK(state(option, made) == CookieState::fresh);
  CHECK(state(option, made + 1800) == CookieState::fresh);
  CHECK(state(option, made + 1801) == CookieState::old);
  CHECK(state(option, made + 3600) == CookieState::old);
  CHECK(state(option, made + 3601) == CookieState::bad);
  CHECK(state(option, made - 300) == CookieState::fresh);
  CHECK(state(option, made - 301) == CookieState::bad);
}

TEST_CASE("Cookies: the clock may run over its 32 bits") {
  const std::string option = make_cookie("12345678", address, secret, 0xffffffffu);
  CHECK(state(option, 100) == CookieState::fresh);
  CHECK(state(option, 2000) == CookieState::old);
}

TEST_CASE("Cookies: another address, client, version or octet is bad") {
  const std::string option = make_cookie("12345678", address, secret, made);
  CHECK(state(option, made, {secret}, "\xc6\x33\x64\x65") == CookieState::bad);
  for (std::size_t i = 0; i < option.size(); ++i) {
    std::string changed = option;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    // One second more is in time, but isn't what was hashed.
    CHECK(state(changed, made) == CookieState::bad);
  }
  CHECK(state(option + "x", made) == CookieState::bad);
  CHECK(state(option.substr(0, 8), made) == CookieState::none);
  CHECK(state(option, made, {}) == CookieState::bad);
}

TEST_CASE("Cookies: lengths that RFC 7873 doesn't know are none") {
  for (std::size_t length = 0; length <= 50; ++length) {
    const bool is_good = length == 8 || (length >= 16 && length <= 40);
    CHECK(parse_cookie(std::string(length, 'x')).has_value() == is_good);
  }
}

TEST_CASE("Cookies: a client's cookie depends on both addresses and the secret") {
  const std::string one = client_cookie("\1\2\3\4", "\5\6\7\x8", secret);
  CHECK(one.size() == 8);
  CHECK(one == client_cookie("\1\2\3\4", "\5\6\7\x8", secret));
  CHECK(one != client_cookie("\1\2\3\5", "\5\6\7\x8", secret));
  CHECK(one != client_cookie("\1\2\3\4", "\5\6\7\x9", secret));
  CHECK(one != client_cookie("\1\2\3\4", "\5\6\7\x8", Secret(std::string(16, 'k'))));
}
