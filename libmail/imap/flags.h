// Flags and keywords (RFC 9051 section 2.3.2). System flags are bits; keywords keep the case they came in and compare
// without it (RFC 9051 doesn't say; RFC 5788 registers lower-case names and clients differ).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/imap/scanner.h"

namespace posthorn::imap {

enum class SystemFlag : std::uint8_t {
  seen = 1,
  answered = 2,
  flagged = 4,
  deleted = 8,
  draft = 16,
  recent = 32,
};

struct Flags {
  std::uint8_t system = 0;            // SystemFlag bits
  std::vector<std::string> keywords;  // no two alike; a client also finds "\Unknown" here
  bool more_allowed = false;          // "\*", in PERMANENTFLAGS

  Flags() = default;
  [[nodiscard]] bool has(SystemFlag flag) const {
    return (system & static_cast<std::uint8_t>(flag)) != 0;
  }
  [[nodiscard]] bool has_keyword(std::string_view keyword) const;
  // By its written name, "\Seen" or "$Forwarded".
  [[nodiscard]] bool has(std::string_view name) const;
  void set(SystemFlag flag, bool on = true);
  // By name. True if it wasn't there.
  bool add(std::string_view name);
  bool remove(std::string_view name);
  [[nodiscard]] bool empty() const { return system == 0 && keywords.empty(); }
  // "\Seen $Forwarded" without parentheses, system flags first.
  [[nodiscard]] std::string text() const;
  // The same set, in whatever order and case.
  bool operator==(const Flags& other) const;
};

// "\Seen"; nothing if `name` is none of the six.
[[nodiscard]] std::optional<SystemFlag> system_flag(std::string_view name);
[[nodiscard]] std::string_view name_of(SystemFlag flag);
// An atom without "\": "$Junk".
[[nodiscard]] bool is_keyword(std::string_view name);

// "(\Seen $x)". `writing`: for STORE and APPEND, where "\Recent" and unknown "\X" are errors.
enum class FlagUse : std::uint8_t { reading, writing };
[[nodiscard]] Flags scan_flag_list(Scanner& in, FlagUse use);
// STORE also takes "\Seen $x" without parentheses, to the end.
[[nodiscard]] Flags scan_flags_to_end(Scanner& in);

}  // namespace posthorn::imap
