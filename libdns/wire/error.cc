#include "libdns/wire/error.h"

namespace posthorn::dns {

std::string_view to_string(WireFault fault) {
  switch (fault) {
    case WireFault::too_long:
      return "message over 65535 octets";
    case WireFault::truncated:
      return "message ends in the middle of something";
    case WireFault::bad_label_type:
      return "unknown label type";
    case WireFault::forward_pointer:
      return "compression pointer does not point back";
    case WireFault::too_many_pointers:
      return "too many compression pointers in one name";
    case WireFault::name_too_long:
      return "name over 255 octets";
    case WireFault::compressed_name:
      return "compressed name where none is allowed";
    case WireFault::impossible_counts:
      return "header counts more records than fit";
    case WireFault::rdata_length:
      return "record data does not fill its length";
    case WireFault::bad_field:
      return "forbidden value in record data";
    case WireFault::trailing_octets:
      return "octets behind the last record";
    case WireFault::bad_opt:
      return "misplaced or repeated OPT record";
    case WireFault::too_many_options:
      return "too many EDNS options";
  }
  return "unknown fault";
}

std::string WireError::text() const {
  std::string text(to_string(fault));
  text += " at octet ";
  text += std::to_string(offset);
  return text;
}

}  // namespace posthorn::dns
