// What the octets 0x80 to 0xff mean in each charset of single octets (below, all are ASCII).
#pragma once

#include <array>

namespace posthorn::message {

// In the order of Charset from ibm866 to x_mac_cyrillic.
extern const std::array<std::array<char16_t, 128>, 27> charset_tables;

}  // namespace posthorn::message
