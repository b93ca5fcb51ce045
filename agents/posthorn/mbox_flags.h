// Flags and dates in an mbox, as mutt, Dovecot and Python's mailbox module write them: Status, X-Status and X-Keywords in the
// header, the date in the From line. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/clock.h"

namespace posthorn::operate {

struct MboxFlags {
  std::uint16_t flags = 0;  // of store::flag::system_flags
  std::vector<std::string> keywords;
  bool operator==(const MboxFlags&) const = default;
};

// "Status: RO", "X-Status: AF", "X-Keywords: work": three lines with LF, always all of them, that go in front of the header.
[[nodiscard]] std::string mbox_flag_lines(const MboxFlags& flags);
// Takes the flags out of a message with LF line ends. If it begins with the three lines, those go and others stay, so that what
// was exported comes back octet for octet; else all lines of these names in the header go.
MboxFlags take_mbox_flags(std::string& message);

// "From ann@example.org Sun Nov 22 20:24:20 2026", with seconds or without, a zone in front of the year or behind it. UTC if
// there is none.
[[nodiscard]] std::optional<WallTime> date_of_from_line(std::string_view line);

}  // namespace posthorn::operate
