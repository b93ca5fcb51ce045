#include "libdns/cache/codec.h"

namespace posthorn::dns {

void Packer::strings(const RrSet& set) {
  u16(set.rdata.size()), u16(set.signatures.size());
  for (const std::string& one : set.rdata) u16(one.size()), octets(one);
  for (const std::string& one : set.signatures) u16(one.size()), octets(one);
}

void Packer::sets(std::span<const RrSet> sets) {
  for (const RrSet& set : sets) {
    name(set.owner);
    u16(static_cast<std::size_t>(set.type));
    strings(set);
  }
}

std::size_t Unpacker::u8() {
  const std::string_view octet = octets(1);
  return octet.empty() ? 0 : static_cast<unsigned char>(octet[0]);
}

std::size_t Unpacker::u16() {
  const std::size_t high = u8();
  return high << 8 | u8();
}

std::string_view Unpacker::octets(std::size_t count) {
  const std::string_view taken = in_.substr(0, count);
  in_.remove_prefix(taken.size());
  return taken;
}

Name Unpacker::name() {
  return Name::from_wire(octets(u8())).value_or(Name());
}

void Unpacker::strings(RrSet& into) {
  const std::size_t records = u16(), signatures = u16();
  for (std::size_t i = 0; i < records && !at_end(); ++i) into.rdata.emplace_back(octets(u16()));
  for (std::size_t i = 0; i < signatures && !at_end(); ++i)
    into.signatures.emplace_back(octets(u16()));
}

std::vector<RrSet> Unpacker::sets() {
  std::vector<RrSet> sets;
  while (!at_end()) {
    RrSet set;
    set.owner = name();
    set.type = static_cast<Type>(u16());
    strings(set);
    sets.push_back(std::move(set));
  }
  return sets;
}

}  // namespace posthorn::dns
