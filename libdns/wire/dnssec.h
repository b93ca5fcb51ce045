// The record types of DNSSEC (RFC 4034, 5155, 7344) as values. Nothing here computes a signature.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/name.h"
#include "libdns/wire/numbers.h"

namespace posthorn::dns {

// The types that exist at a name (RFC 4034 4.1.2). Keeps the octets of the wire, of which there is
// one form only: windows rise, none is empty, no zero octet ends one.
class TypeBitmap {
 public:
  TypeBitmap() = default;
  // In any order, doubles count once.
  explicit TypeBitmap(std::vector<Type> types);
  // Nothing if the octets aren't in that form.
  [[nodiscard]] static std::optional<TypeBitmap> from_wire(std::string_view octets);

  [[nodiscard]] bool contains(Type type) const;
  // In rising order.
  [[nodiscard]] std::vector<Type> types() const;
  [[nodiscard]] std::string_view wire() const { return wire_; }
  [[nodiscard]] bool empty() const { return wire_.empty(); }
  // "A MX RRSIG NSEC TYPE1234"
  [[nodiscard]] std::string text() const;
  bool operator==(const TypeBitmap&) const = default;

 private:
  std::string wire_;
};

// RFC 4034 5; with type CDS (RFC 7344 3.1) what the child asks its parent to publish.
template <Type of>
struct DelegationSigner {
  static constexpr Type type = of;
  std::uint16_t key_tag = 0;
  std::uint8_t algorithm = 0;
  std::uint8_t digest_type = 0;
  std::string digest;
  bool operator==(const DelegationSigner&) const = default;
};
using Ds = DelegationSigner<Type::ds>;
using Cds = DelegationSigner<Type::cds>;

// RFC 4034 2; with type CDNSKEY RFC 7344 3.2.
template <Type of>
struct ZoneKey {
  static constexpr Type type = of;
  static constexpr std::uint16_t zone_key = 0x0100;
  static constexpr std::uint16_t revoked = 0x0080;  // RFC 5011 7
  static constexpr std::uint16_t secure_entry_point = 0x0001;
  std::uint16_t flags = 0;
  std::uint8_t protocol = 3;
  std::uint8_t algorithm = 0;
  std::string key;
  bool operator==(const ZoneKey&) const = default;
};
using Dnskey = ZoneKey<Type::dnskey>;
using Cdnskey = ZoneKey<Type::cdnskey>;

// RFC 4034 3. Times are seconds since 1970 modulo 2^32, compared by RFC 1982.
struct Rrsig {
  static constexpr Type type = Type::rrsig;
  Type covered = Type::a;
  std::uint8_t algorithm = 0;
  std::uint8_t labels = 0;
  std::uint32_t original_ttl = 0;
  std::uint32_t expiration = 0;
  std::uint32_t inception = 0;
  std::uint16_t key_tag = 0;
  Name signer;
  std::string signature;
  bool operator==(const Rrsig&) const = default;
};

struct Nsec {  // RFC 4034 4
  static constexpr Type type = Type::nsec;
  Name next;
  TypeBitmap types;
  bool operator==(const Nsec&) const = default;
};

struct Nsec3 {  // RFC 5155 3
  static constexpr Type type = Type::nsec3;
  static constexpr std::uint8_t opt_out = 1;
  std::uint8_t algorithm = 1;
  std::uint8_t flags = 0;
  std::uint16_t iterations = 0;
  std::string salt;         // at most 255 octets
  std::string next_hashed;  // the hash itself, 1 to 255 octets
  TypeBitmap types;
  bool operator==(const Nsec3&) const = default;
};

struct Nsec3param {  // RFC 5155 4
  static constexpr Type type = Type::nsec3param;
  std::uint8_t algorithm = 1;
  std::uint8_t flags = 0;
  std::uint16_t iterations = 0;
  std::string salt;
  bool operator==(const Nsec3param&) const = default;
};

// RFC 4034 appendix B: a hint which key made a signature. Strangers choose it: many keys may share
// one.
[[nodiscard]] std::uint16_t key_tag(const Dnskey& key);
// "ECDSAP256SHA256" -> 13 by the registry's mnemonics, case ignored; or a number up to 255.
[[nodiscard]] std::optional<std::uint8_t> parse_algorithm(std::string_view text);

}  // namespace posthorn::dns
