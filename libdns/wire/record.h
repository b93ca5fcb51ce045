// Resource records as values: one struct per type that something here understands, octets for the
// rest (RFC 3597). To add a type: its struct with read(), write() and text(), its place in Rdata,
// its line in record.cc.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "libdns/wire/name.h"
#include "libdns/wire/reader.h"

namespace posthorn::dns {

// Any 16-bit number is a type; these have names.
enum class Type : std::uint16_t {
  a = 1,
  ns = 2,
  cname = 5,
  soa = 6,
  ptr = 12,
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
  tsig = 250,
  ixfr = 251,
  axfr = 252,
  any = 255,
  caa = 257,
};
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

class Writer;

struct A {  // RFC 1035 3.4.1
  static constexpr Type type = Type::a;
  std::array<std::uint8_t, 4> address{};
  [[nodiscard]] std::string text() const;  // "192.0.2.1"
  bool operator==(const A&) const = default;
};
struct Aaaa {  // RFC 3596 2.1
  static constexpr Type type = Type::aaaa;
  std::array<std::uint8_t, 16> address{};
  [[nodiscard]] std::string text() const;  // RFC 5952: "2001:db8::1"
  bool operator==(const Aaaa&) const = default;
};
struct Ns {
  static constexpr Type type = Type::ns;
  Name host;
  bool operator==(const Ns&) const = default;
};
struct Cname {
  static constexpr Type type = Type::cname;
  Name target;
  bool operator==(const Cname&) const = default;
};
struct Dname {  // RFC 6672; never compressed
  static constexpr Type type = Type::dname;
  Name target;
  bool operator==(const Dname&) const = default;
};
struct Ptr {
  static constexpr Type type = Type::ptr;
  Name target;
  bool operator==(const Ptr&) const = default;
};
struct Soa {  // RFC 1035 3.3.13; times in seconds, `minimum` is the negative TTL (RFC 2308 4)
  static constexpr Type type = Type::soa;
  Name primary;
  Name mailbox;
  std::uint32_t serial = 0;
  std::uint32_t refresh = 0;
  std::uint32_t retry = 0;
  std::uint32_t expire = 0;
  std::uint32_t minimum = 0;
  bool operator==(const Soa&) const = default;
};
struct Mx {  // RFC 1035 3.3.9; a lone "0 ." is the null MX of RFC 7505
  static constexpr Type type = Type::mx;
  std::uint16_t preference = 0;
  Name exchange;
  bool operator==(const Mx&) const = default;
};
struct Txt {  // RFC 1035 3.3.14: one string or more, each at most 255 octets
  static constexpr Type type = Type::txt;
  std::vector<std::string> strings;
  // What SPF, DKIM and DMARC read: all of them one behind the other (RFC 7208 3.3).
  [[nodiscard]] std::string joined() const;
  bool operator==(const Txt&) const = default;
};
struct Srv {  // RFC 2782; never compressed
  static constexpr Type type = Type::srv;
  std::uint16_t priority = 0;
  std::uint16_t weight = 0;
  std::uint16_t port = 0;
  Name target;
  bool operator==(const Srv&) const = default;
};
// A type that nothing here understands, or one in a form that only its octets can keep: RFC 3597.
struct Opaque {
  Type type = Type::a;
  std::string octets;
  bool operator==(const Opaque&) const = default;
};

using Rdata = std::variant<A, Aaaa, Ns, Cname, Dname, Ptr, Soa, Mx, Txt, Srv, Opaque>;
[[nodiscard]] Type type_of(const Rdata& data);
// Presentation form of RFC 1035 5.1, names with their dot at the end; Opaque as "\# 4 c0000201".
[[nodiscard]] std::string to_text(const Rdata& data);
// Reads exactly `length` octets at the reader's place as this type. On a fault the reader has it
// and the value means nothing. Names in it may be compressed only in types of RFC 1035 (RFC 3597
// 4).
[[nodiscard]] Rdata read_rdata(Reader& reader, Type type, std::size_t length);

struct Record {
  Name owner;
  Class klass = Class::in;
  std::uint32_t ttl = 0;  // seconds; the top bit means 0 (RFC 2181 8), which reading has applied
  Rdata data;

  Record() = default;
  Record(Name name, std::uint32_t seconds, Rdata rdata, Class of = Class::in)
      : owner(std::move(name)), klass(of), ttl(seconds), data(std::move(rdata)) {}
  [[nodiscard]] Type type() const { return type_of(data); }
  template <class T>
  [[nodiscard]] const T* as() const {
    return std::get_if<T>(&data);
  }
  // "example.org. 300 IN MX 10 mx.example.org."
  [[nodiscard]] std::string text() const;
  bool operator==(const Record&) const = default;
};

}  // namespace posthorn::dns
