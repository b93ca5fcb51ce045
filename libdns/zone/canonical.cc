#include "libdns/zone/canonical.h"

#include <algorithm>

namespace posthorn::dns {

namespace {

// Types whose canonical form is their octets as they are: no name in them that would be folded.
bool is_plain(Type type) {
  switch (type) {
    case Type::a:
    case Type::aaaa:
    case Type::txt:
    case Type::spf:
    case Type::hinfo:
    case Type::ds:
    case Type::sshfp:
    case Type::nsec:
    case Type::dnskey:
    case Type::nsec3:
    case Type::nsec3param:
    case Type::tlsa:
    case Type::smimea:
    case Type::cds:
    case Type::cdnskey:
    case Type::openpgpkey:
    case Type::svcb:
    case Type::https:
    case Type::caa:
      return true;
    default:
      return false;
  }
}

std::string canonical(Type type, std::string_view octets) {
  if (is_plain(type)) return std::string(octets);
  const auto data = rdata_from_wire(type, octets);
  return data ? canonical_rdata(*data) : std::string(octets);
}

}  // namespace

bool same_rdata(Type type, std::string_view a, std::string_view b) {
  if (a == b) return true;
  return a.size() == b.size() && !is_plain(type) && canonical(type, a) == canonical(type, b);
}

std::size_t canonical_place(const RrSet& set, std::string_view octets) {
  if (set.rdata.empty()) return 0;
  if (is_plain(set.type)) {
    const auto place = std::lower_bound(set.rdata.begin(), set.rdata.end(), octets);
    return static_cast<std::size_t>(place - set.rdata.begin());
  }
  const auto place =
      std::lower_bound(set.rdata.begin(), set.rdata.end(), canonical(set.type, octets),
                       [type = set.type](const std::string& one, const std::string& wanted) {
                         return canonical(type, one) < wanted;
                       });
  return static_cast<std::size_t>(place - set.rdata.begin());
}

}  // namespace posthorn::dns
