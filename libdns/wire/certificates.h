// Records that bind certificates and keys to names, as values.
#pragma once

#include <cstdint>
#include <string>

#include "libdns/wire/numbers.h"

namespace posthorn::dns {

struct Caa {  // RFC 8659 4
  static constexpr Type type = Type::caa;
  static constexpr std::uint8_t critical = 0x80;
  std::uint8_t flags = 0;
  std::string tag;  // 1 to 255 letters and digits
  std::string value;
  bool operator==(const Caa&) const = default;
};

// RFC 6698 2; with type SMIMEA RFC 8162 2.
template <Type of>
struct CertificateAssociation {
  static constexpr Type type = of;
  std::uint8_t usage = 0;
  std::uint8_t selector = 0;
  std::uint8_t matching = 0;
  std::string association;
  bool operator==(const CertificateAssociation&) const = default;
};
using Tlsa = CertificateAssociation<Type::tlsa>;
using Smimea = CertificateAssociation<Type::smimea>;

struct Openpgpkey {  // RFC 7929 2
  static constexpr Type type = Type::openpgpkey;
  std::string key;
  bool operator==(const Openpgpkey&) const = default;
};

struct Sshfp {  // RFC 4255 3
  static constexpr Type type = Type::sshfp;
  std::uint8_t algorithm = 0;
  std::uint8_t fingerprint_type = 0;
  std::string fingerprint;
  bool operator==(const Sshfp&) const = default;
};

}  // namespace posthorn::dns
