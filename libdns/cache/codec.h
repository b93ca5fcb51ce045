// How the values of the cache lie in an entry's octets. Inside libdns/cache only; written and read
// by the same process, so reading past the end can't happen and gives empty values all the same.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/rrset.h"

namespace posthorn::dns {

class Packer {
 public:
  void u8(std::size_t value) { out_ += static_cast<char>(value); }
  void u16(std::size_t value) { u8(value >> 8), u8(value & 0xff); }
  void octets(std::string_view octets) { out_.append(octets); }
  // One octet of length.
  void name(const Name& name) { u8(name.wire().size()), octets(name.wire()); }
  // Records, then signatures: both counts, then each behind its length.
  void strings(const RrSet& set);
  void sets(std::span<const RrSet> sets);
  [[nodiscard]] std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

class Unpacker {
 public:
  explicit Unpacker(std::string_view in) : in_(in) {}
  [[nodiscard]] std::size_t u8();
  [[nodiscard]] std::size_t u16();
  [[nodiscard]] std::string_view octets(std::size_t count);
  [[nodiscard]] std::string_view rest() { return octets(in_.size()); }
  [[nodiscard]] Name name();
  void strings(RrSet& into);
  [[nodiscard]] std::vector<RrSet> sets();
  [[nodiscard]] bool at_end() const { return in_.empty(); }

 private:
  std::string_view in_;
};

}  // namespace posthorn::dns
