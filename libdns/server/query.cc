#include "libdns/server/query.h"

#include "libdns/dnssec/cookie.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

std::uint8_t u8(std::string_view octets, std::size_t at) {
  return static_cast<std::uint8_t>(octets[at]);
}
std::uint16_t u16(std::string_view octets, std::size_t at) {
  return static_cast<std::uint16_t>(u8(octets, at) << 8 | u8(octets, at + 1));
}

// The name at octet 12, folded; the place behind it, 0 if it is none without pointers.
std::size_t take_name(std::string_view octets, Query& query) {
  std::size_t at = header_octets;
  std::size_t size = 0;
  while (at < octets.size()) {
    const std::size_t length = u8(octets, at);
    if (length > max_label_octets || at + 1 + length > octets.size() ||
        size + 1 + length > max_name_octets) {
      return 0;
    }
    query.folded[size++] = octets[at++];
    for (std::size_t i = 0; i < length; ++i) query.folded[size++] = to_lower(octets[at++]);
    if (length == 0) {
      query.name_octets = static_cast<std::uint8_t>(size);
      return at;
    }
  }
  return 0;
}

bool take_options(std::string_view options, Query& query) {
  std::size_t count = 0;
  while (!options.empty()) {
    if (options.size() < 4 || ++count > max_edns_options) return false;
    const std::size_t length = u16(options, 2);
    if (options.size() < 4 + length) return false;
    if (u16(options, 0) == edns_cookie && query.cookie.empty()) {
      query.cookie = options.substr(4, length);
      if (query.cookie.empty()) return false;
    }
    if (u16(options, 0) == edns_tcp_keepalive && length == 0) query.keepalive = true;
    options.remove_prefix(4 + length);
  }
  return true;
}

// The OPT record that `octets` consist of (RFC 6891 6.1.2).
bool take_opt(std::string_view octets, Query& query) {
  constexpr std::size_t fixed = 11;
  if (octets.size() < fixed || octets[0] != '\0' ||
      u16(octets, 1) != static_cast<std::uint16_t>(Type::opt) ||
      octets.size() != fixed + u16(octets, 9)) {
    return false;
  }
  query.edns = true;
  query.udp_octets = std::max<std::uint16_t>(512, u16(octets, 3));
  query.edns_version = u8(octets, 6);
  query.dnssec_ok = (u8(octets, 7) & 0x80) != 0;
  return take_options(octets.substr(fixed), query);
}

}  // namespace

Name Query::name() const {
  return Name::from_wire(octets.substr(header_octets, name_octets)).value_or(Name());
}

void read_query(std::string_view octets, Query& query) {
  query.form = Query::Form::ignored;
  query.octets = octets;
  if (octets.size() < header_octets || (u8(octets, 2) & 0x80) != 0) return;
  query.form = Query::Form::special;
  query.id = u16(octets, 0);
  const std::uint8_t high = u8(octets, 2);
  const std::uint8_t low = u8(octets, 3);
  query.recursion_desired = (high & 0x01) != 0;
  query.authentic_data = (low & 0x20) != 0;
  query.checking_disabled = (low & 0x10) != 0;
  query.edns = query.dnssec_ok = query.keepalive = false;
  query.edns_version = 0;
  query.udp_octets = 512;
  query.cookie = {};
  const std::uint16_t extra = u16(octets, 10);
  const bool is_query = (high & 0x78) == 0;
  if (!is_query || u16(octets, 4) != 1 || u16(octets, 6) != 0 || u16(octets, 8) != 0 || extra > 1)
    return;
  const std::size_t at = take_name(octets, query);
  if (at == 0 || at + 4 > octets.size()) return;
  query.type = static_cast<Type>(u16(octets, at));
  query.klass = static_cast<Class>(u16(octets, at + 2));
  query.question_end = static_cast<std::uint16_t>(at + 4);
  const std::string_view rest = octets.substr(at + 4);
  const bool is_plain = extra == 0 ? rest.empty() : take_opt(rest, query);
  if (is_plain) query.form = Query::Form::plain;
}

}  // namespace posthorn::dns
