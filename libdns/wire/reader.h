// Reads fields from a message within bounds. The first fault sticks: every later read gives a zero
// or an empty view, so a record is read field by field and asked once at its end whether all was
// well.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "libdns/wire/error.h"
#include "libdns/wire/name.h"

namespace posthorn::dns {

inline constexpr std::size_t max_pointer_hops = 126;

class Reader {
 public:
  // Over the whole message, from `offset` to its end. Messages over 65535 octets are a fault at
  // once.
  explicit Reader(std::string_view message, std::size_t offset = 0);

  [[nodiscard]] std::uint8_t u8();
  [[nodiscard]] std::uint16_t u16();
  [[nodiscard]] std::uint32_t u32();
  [[nodiscard]] std::string_view octets(std::size_t count);
  [[nodiscard]] std::string_view rest() { return octets(left()); }
  // <character-string> of RFC 1035 3.3: one length octet, then that many.
  [[nodiscard]] std::string_view character_string();
  // A name whose labels lie before end() and whose pointers may lead anywhere before them in the
  // message.
  enum class Pointers { allowed, forbidden };
  [[nodiscard]] NameView name(Pointers pointers = Pointers::allowed);

  // Everything from now on ends `count` octets on: the bounds of one RDATA. Gives the end before.
  [[nodiscard]] std::size_t narrow(std::size_t count);
  // The counterpart: a fault (rdata_length) unless all up to the narrow end was read.
  void widen(std::size_t end);

  [[nodiscard]] std::size_t offset() const { return at_; }
  [[nodiscard]] std::size_t end() const { return end_; }
  [[nodiscard]] std::size_t left() const { return end_ - at_; }
  [[nodiscard]] bool at_end() const { return at_ == end_; }
  [[nodiscard]] bool ok() const { return !error_; }
  [[nodiscard]] const std::optional<WireError>& error() const { return error_; }
  void set_fault(WireFault fault) { set_fault(fault, at_); }
  void set_fault(WireFault fault, std::size_t where);

 private:
  std::string_view message_;
  std::size_t at_ = 0;
  std::size_t end_ = 0;
  std::optional<WireError> error_;
};

}  // namespace posthorn::dns
