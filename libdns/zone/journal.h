// One version's difference as octets for a file that is only appended to.
//
//   "PHZJ" | length u32 | crc32c u32 | from u32 | to u32 | records ...      big-endian
//
// `length` counts what follows the checksum, which covers the same. Each of four lists (old SOA,
// new SOA, removed, added) is a count u32 and records as on the wire, uncompressed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libdns/zone/zone.h"

namespace posthorn::dns {

inline constexpr std::size_t max_journal_entry = std::size_t{256} << 20;

[[nodiscard]] std::string encode_journal_entry(const ZoneDifference& difference);

enum class JournalEnd {
  clean,    // behind a whole entry
  torn,     // the last entry isn't whole: a crash while it was written; cut the file there
  corrupt,  // an entry in the middle is not what was written
};

// Reads entries one after the other. What lies behind a bad one isn't looked at.
class JournalReader {
 public:
  explicit JournalReader(std::string_view octets) : octets_(octets) {}
  // Nothing at the end; end() tells which.
  [[nodiscard]] std::optional<ZoneDifference> next();
  [[nodiscard]] JournalEnd end() const { return end_; }
  // Behind the last whole entry.
  [[nodiscard]] std::size_t offset() const { return at_; }

 private:
  std::string_view octets_;
  std::size_t at_ = 0;
  JournalEnd end_ = JournalEnd::clean;
};

}  // namespace posthorn::dns
