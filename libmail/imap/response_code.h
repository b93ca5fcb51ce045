// What stands in brackets behind OK, NO and BAD (RFC 9051 7.1, 5530, 7162, 4315, 9738, ...), and the status lines themselves.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/imap/sequence_set.h"

namespace posthorn::imap {

enum class Condition : std::uint8_t { ok, no, bad, bye, preauth };
[[nodiscard]] std::string_view name_of(Condition condition);

// "[UIDNEXT 5]": the name in upper case, and what follows its space as it came.
struct ResponseCode {
  std::string name;  // "" = none
  std::string arguments;

  ResponseCode() = default;
  explicit ResponseCode(std::string_view word, std::string_view args = {})
      : name(word), arguments(args) {}
  [[nodiscard]] bool is(std::string_view word) const;
  bool operator==(const ResponseCode&) const = default;
};

struct StatusText {
  Condition condition = Condition::ok;
  ResponseCode code;
  std::string text;

  StatusText() = default;
  StatusText(Condition what, ResponseCode with, std::string_view words)
      : condition(what), code(std::move(with)), text(words) {}
  bool operator==(const StatusText&) const = default;
};

// `rest` is what follows "OK ". A code that is never closed is text.
[[nodiscard]] StatusText parse_status_text(Condition condition, std::string_view rest);
// "OK [CODE args] text" CRLF; controls in the text become spaces, an empty text a word.
[[nodiscard]] std::string format_status(std::string_view tag, const StatusText& status);

// COPYUID (RFC 4315): where each UID went, in pairs of ranges of the same length.
struct CopyUid {
  std::uint32_t uid_validity = 0;
  NumberSet from;
  NumberSet to;
  std::vector<NumberRange> from_ranges;  // in the server's order
  std::vector<NumberRange> to_ranges;

  CopyUid() = default;
  // The UID that `uid` has in the target; 0 if it isn't known.
  [[nodiscard]] std::uint32_t target_of(std::uint32_t uid) const;
};
// APPENDUID: of MULTIAPPEND there are several.
struct AppendUid {
  std::uint32_t uid_validity = 0;
  NumberSet uids;
  AppendUid() = default;
};
// Nothing if the code is another one, or its arguments are nonsense (counts that differ, 2^32 UIDs).
[[nodiscard]] std::optional<CopyUid> copy_uid(const ResponseCode& code);
[[nodiscard]] std::optional<AppendUid> append_uid(const ResponseCode& code);
// A code with one number: UIDNEXT, UIDVALIDITY, HIGHESTMODSEQ, UNSEEN, APPENDLIMIT.
[[nodiscard]] std::optional<std::uint64_t> number_of(const ResponseCode& code);

}  // namespace posthorn::imap
