// Which octets of a message BODY[section] means (RFC 9051 6.4.5.1).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/imap/fetch.h"
#include "libmail/message/part_tree.h"

namespace posthorn::imap {

// Octets of the message as stored. IMAP sends them with CRLF line ends, and without NUL unless in
// a literal8.
struct SectionRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t bare_lf = 0;  // that become CRLF on the way
  std::uint32_t part = 0;     // whose header or body it is

  [[nodiscard]] std::uint64_t crlf_size() const { return end - begin + bare_lf; }
};

// Nothing if the message has no such part, or the part no such section (HEADER of what is no
// message). 1 of a multipart that was not taken apart is its body. For HEADER.FIELDS the whole header: header_fields() takes the fields out of it.
[[nodiscard]] std::optional<SectionRange> find_section(const message::PartTree& tree,
                                                       const Section& section);
// "1.2.1" to the part it names: 1 of a message that is no multipart is its own body.
[[nodiscard]] std::optional<std::uint32_t> find_part(const message::PartTree& tree,
                                                     const std::vector<std::uint32_t>& path);

// The fields of those names (or all others), in order, with CRLF line ends and the empty line behind.
[[nodiscard]] std::string header_fields(std::string_view header,
                                        const std::vector<std::string>& names, bool except);

}  // namespace posthorn::imap
