// The journal beside a zone file: what updates changed since the file was written.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libdns/zone/journal.h"
#include "libmail/base/fd.h"

namespace posthorn::dnsd {

// The file of that kind beside a zone file: "/x/zones/example.org.zone", ".journal" ->
// "/x/zones/example.org.journal".
[[nodiscard]] std::string beside(const std::string& zone_path, std::string_view suffix);
[[nodiscard]] std::string journal_path(const std::string& zone_path);

struct ReadJournal {
  std::vector<dns::ZoneDifference> entries;
  std::size_t whole_octets = 0;  // behind the last whole entry
  bool is_torn = false;          // what lies behind was being written when we died
};
// All of it; empty if there is none. Errors are sentences: it can't be read, or an entry that was
// acknowledged is damaged.
[[nodiscard]] Result<ReadJournal, std::string> read_journal(const std::string& path);

// Appends, and returns when it is on disk. `at`: where it begins, so that a torn entry is
// overwritten; what was there behind it is cut off.
[[nodiscard]] Result<void, IoError> append_journal(const std::string& path, std::size_t at,
                                                   const std::string& octets);

// Puts a new text in the place of a file, whole or not at all, on disk when it returns.
[[nodiscard]] Result<void, IoError> replace_file(const std::string& path, const std::string& text);
// The same with a zone file; then removes the journal, all of which the text holds.
[[nodiscard]] Result<void, IoError> replace_zone_file(const std::string& path,
                                                      const std::string& text);

// `zone` with the journal's entries that lead on from it. Entries that it has already are passed
// over. The error says that they fit nowhere, and what to do.
[[nodiscard]] Result<std::vector<dns::ZoneVersion>, std::string> replay(
    std::shared_ptr<const dns::Zone> zone, const std::vector<dns::ZoneDifference>& entries,
    const std::string& path);

}  // namespace posthorn::dnsd
