// Resource records as values: one struct per type that something here understands, octets for the
// rest (RFC 3597). To add a type: its struct, its place in Rdata, its fields in fields.h.
#pragma once

#include <array>
#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "libdns/wire/certificates.h"
#include "libdns/wire/dnssec.h"
#include "libdns/wire/name.h"
#include "libdns/wire/numbers.h"
#include "libdns/wire/reader.h"
#include "libdns/wire/svcb.h"
#include "libdns/wire/transaction.h"

namespace posthorn::dns {

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
struct Spf {  // RFC 4408 3.1.1, withdrawn by RFC 7208 and still met
  static constexpr Type type = Type::spf;
  std::vector<std::string> strings;
  bool operator==(const Spf&) const = default;
};
struct Hinfo {  // RFC 1035 3.3.2; what ANY gets (RFC 8482 4.2)
  static constexpr Type type = Type::hinfo;
  std::string cpu;
  std::string os;
  bool operator==(const Hinfo&) const = default;
};
struct Naptr {  // RFC 3403 4.1
  static constexpr Type type = Type::naptr;
  std::uint16_t order = 0;
  std::uint16_t preference = 0;
  std::string flags;
  std::string services;
  std::string regexp;
  Name replacement;
  bool operator==(const Naptr&) const = default;
};
struct Srv {  // RFC 2782; never written compressed
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

using AnyRdata = std::variant<A, Aaaa, Ns, Cname, Dname, Ptr, Soa, Mx, Txt, Srv, Hinfo, Naptr, Spf,
                              Caa, Tlsa, Smimea, Openpgpkey, Sshfp, Ds, Cds, Dnskey, Cdnskey, Rrsig,
                              Nsec, Nsec3, Nsec3param, Svcb, Https, Opt, Tsig, Opaque>;
// Copies, moves and dies in rdata.cc, so that the tables for thirty types are compiled there and not
// in each of two hundred files.
struct Rdata : AnyRdata {
  Rdata();
  template <class T>
    requires(!std::derived_from<std::remove_cvref_t<T>, AnyRdata> &&
             std::constructible_from<AnyRdata, T>)
  Rdata(T&& one)
      : AnyRdata(std::forward<T>(one)) {}  // from each of the types above, as a variant does
  Rdata(const Rdata& other);
  Rdata(Rdata&& other) noexcept;
  Rdata& operator=(const Rdata& other);
  Rdata& operator=(Rdata&& other) noexcept;
  ~Rdata();
  bool operator==(const Rdata& other) const;
};
[[nodiscard]] Type type_of(const Rdata& data);
// Presentation form of RFC 1035 5.1, names with their dot at the end; what has none (OPT, a type
// unknown, values that no text of the type can say) as "\# 4 c0000201". parse_rdata() of
// presentation.h reads it back.
[[nodiscard]] std::string to_text(const Rdata& data);
// Reads exactly `length` octets at the reader's place as this type. On a fault the reader has it
// and the value means nothing. Names in it may be compressed only where RFC 3597 4 has them so.
[[nodiscard]] Rdata read_rdata(Reader& reader, Type type, std::size_t length);
// The same without a value and without taking memory: the reader is behind it or has a fault.
void check_rdata(Reader& reader, Type type, std::size_t length);
// RDATA that stands alone, so without compression (RFC 3597 5).
[[nodiscard]] Result<Rdata, WireError> rdata_from_wire(Type type, std::string_view octets);
[[nodiscard]] std::string rdata_to_wire(const Rdata& data);
// What is signed and sorted (RFC 4034 6.2, RFC 6840 5.1): not compressed, names in lower case.
// Records of a set are in canonical order when these are, compared as octets (6.3).
[[nodiscard]] std::string canonical_rdata(const Rdata& data);

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
