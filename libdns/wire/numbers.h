// The registries' numbers and their names: types, classes, rcodes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace posthorn::dns {

// Any 16-bit number is a type; these have names.
enum class Type : std::uint16_t {
  a = 1,
  ns = 2,
  cname = 5,
  soa = 6,
  ptr = 12,
  hinfo = 13,
  mx = 15,
  txt = 16,
  aaaa = 28,
  srv = 33,
  naptr = 35,
  dname = 39,
  opt = 41,
  ds = 43,
  sshfp = 44,
  rrsig = 46,
  nsec = 47,
  dnskey = 48,
  nsec3 = 50,
  nsec3param = 51,
  tlsa = 52,
  smimea = 53,
  cds = 59,
  cdnskey = 60,
  openpgpkey = 61,
  svcb = 64,
  https = 65,
  spf = 99,
  tsig = 250,
  ixfr = 251,
  axfr = 252,
  any = 255,
  caa = 257,
};
// Types of questions and of single messages, which no zone has (RFC 6895 3.1): OPT, 0, 128 to 255.
[[nodiscard]] constexpr bool is_metatype(Type type) {
  const auto number = static_cast<std::uint16_t>(type);
  return type == Type::opt || number == 0 || (number >= 128 && number <= 255);
}
enum class Class : std::uint16_t { in = 1, ch = 3, none = 254, any = 255 };
// RFC 1035 4.1.1, RFC 2136 2.2, RFC 8945 3; from 16 on only with EDNS.
enum class Rcode : std::uint16_t {
  noerror = 0,
  formerr = 1,
  servfail = 2,
  nxdomain = 3,
  notimp = 4,
  refused = 5,
  yxdomain = 6,
  yxrrset = 7,
  nxrrset = 8,
  notauth = 9,
  notzone = 10,
  badvers = 16,
  badkey = 17,
  badtime = 18,
  badcookie = 23,
};
// "MX", "TYPE4711"; "IN", "CLASS7"; "NXDOMAIN", "RCODE99". Parsing ignores case.
[[nodiscard]] std::string to_string(Type type);
[[nodiscard]] std::string to_string(Class klass);
[[nodiscard]] std::string to_string(Rcode rcode);
[[nodiscard]] std::optional<Type> parse_type(std::string_view text);
[[nodiscard]] std::optional<Class> parse_class(std::string_view text);

}  // namespace posthorn::dns
