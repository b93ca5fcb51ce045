// How much of a stranger's message is understood. What lies beyond a limit is not lost: it stays
// in the message as octets of the part it lies in, with a critical anomaly.
#pragma once

#include <cstddef>

namespace posthorn::message {

struct MimeLimits {
  std::size_t depth = 100;              // of parts within parts; the message itself is at 0
  std::size_t parts = 10'000;           // in the whole message, multiparts included
  std::size_t fields = 10'000;          // of one header block
  std::size_t header_bytes = 1 << 20;   // one header block through its empty line
  std::size_t field_bytes = 64 * 1024;  // of one field that is understood, folds included
  std::size_t boundary = 2048;          // octets; RFC 2046 allows 70
};

}  // namespace posthorn::message
