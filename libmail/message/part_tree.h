// A message as a tree of parts: where each begins and ends, and nothing copied.
#pragma once

#include <cstdint>
#include <vector>

#include "libmail/message/anomaly.h"
#include "libmail/message/content_type.h"

namespace posthorn::message {

// One part; offsets count from the first octet of the message, lines are line feeds.
//
//   --boundary                 the delimiter belongs to no part
//   Content-Type: text/plain   <- header_begin
//                              through the empty line
//   Hello                      <- body_begin
//                              the line end in front of a delimiter belongs to the delimiter:
//   --boundary--               <- body_end is in front of it
struct Part {
  static constexpr std::uint32_t none = UINT32_MAX;
  enum Flag : std::uint16_t {
    default_type = 1,     // no Content-Type that could be read
    opaque = 2,           // a multipart or message that was not taken apart: a leaf
    closed = 4,           // a multipart that has its closing delimiter
    eight_bit = 8,        // octets above 127 in the body (of a multipart: in what is in no part)
    nul = 16,             // NUL in the body
    bare_cr = 32,         // CR without LF in the body
    long_line = 64,       // above 998 octets in the body
    whole_message = 128,  // the message itself, or that within a message/rfc822
  };

  std::uint64_t header_begin = 0;
  std::uint64_t body_begin = 0;
  std::uint64_t body_end = 0;
  std::uint32_t parent = none;
  std::uint32_t next = none;       // the next part with this parent
  std::uint32_t header_lines = 0;  // the empty line too
  std::uint32_t header_bare_lf = 0;
  std::uint32_t body_lines = 0;
  std::uint32_t body_bare_lf = 0;  // line feeds without a CR
  MediaType media;
  Encoding encoding = Encoding::seven_bit;
  std::uint8_t depth = 0;
  std::uint16_t flags = 0;

  [[nodiscard]] bool has(Flag flag) const { return (flags & flag) != 0; }
  // As they stand, and with CRLF for every line end, as IMAP counts.
  [[nodiscard]] std::uint64_t header_size() const { return body_begin - header_begin; }
  [[nodiscard]] std::uint64_t body_size() const { return body_end - body_begin; }
  [[nodiscard]] std::uint64_t crlf_header_size() const { return header_size() + header_bare_lf; }
  [[nodiscard]] std::uint64_t crlf_body_size() const { return body_size() + body_bare_lf; }
};
static_assert(sizeof(Part) <= 64);

// parts[0] is the message; a part stands in front of its children. A message/rfc822 has one child,
// the message within it.
struct PartTree {
  std::vector<Part> parts;
  Anomalies anomalies;

  // Part::none if it has no children.
  [[nodiscard]] std::uint32_t first_child(std::uint32_t part) const {
    const std::size_t child = std::size_t{part} + 1;
    return child < parts.size() && parts[child].parent == part ? part + 1 : Part::none;
  }
  // Another program may see another message in the same octets.
  [[nodiscard]] bool ambiguous() const { return anomalies.critical(); }
};

}  // namespace posthorn::message
