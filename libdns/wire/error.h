// What is wrong with a message on the wire, and where.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::dns {

enum class WireFault : std::uint8_t {
  too_long,           // over 65535 octets
  truncated,          // ends inside a header, name or record
  bad_label_type,     // a length octet that begins with the bits 01 or 10
  forward_pointer,    // a compression pointer that doesn't point before the labels it ends
  too_many_pointers,  // over the hop limit
  name_too_long,      // over 255 octets once expanded
  compressed_name,    // a pointer where the record's RFC forbids one
  impossible_counts,  // the header promises more records than there are octets for
  rdata_length,       // RDLENGTH and the fields of the type disagree
  bad_field,          // a field in RDATA holds what its RFC forbids
  trailing_octets,    // something behind the last record
  bad_opt,  // OPT twice, outside the additional section, or not at the root (RFC 6891 6.1.1)
  too_many_options,  // more EDNS options than the limit
};
[[nodiscard]] std::string_view to_string(WireFault fault);

struct WireError {
  WireFault fault = WireFault::truncated;
  std::size_t offset = 0;  // in the message

  WireError() = default;
  WireError(WireFault what, std::size_t where) : fault(what), offset(where) {}
  // "forward-pointer at octet 29"
  [[nodiscard]] std::string text() const;
  bool operator==(const WireError&) const = default;
};

}  // namespace posthorn::dns
