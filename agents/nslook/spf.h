// The grammar of SPF records (RFC 7208 4.6, 7, 12). Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::nslook {

struct SpfTerm {
  char qualifier = '+';  // mechanisms: + - ~ ?
  std::string name;      // "include", "a", "redirect", in lower case
  std::string value;     // what stands behind ":" or "=", without prefix lengths
  bool is_modifier = false;
  std::string text;  // as written
  // RFC 7208 4.6.4: costs one of the ten.
  [[nodiscard]] bool needs_look_up() const;
};

struct SpfRecord {
  std::vector<SpfTerm> terms;
  [[nodiscard]] const SpfTerm* find(std::string_view name) const;
};

// `text` begins with "v=spf1" alone or a blank behind it.
[[nodiscard]] bool is_spf(std::string_view text);
// The error says which term is wrong, and how.
[[nodiscard]] Result<SpfRecord, std::string> parse_spf(std::string_view text);

// The domain that a term means, %{d} put in; `domain` if the term names none. Nothing if it depends on
// the message (%{i}, %{s}, ...).
[[nodiscard]] std::optional<std::string> spf_target(const SpfTerm& term, std::string_view domain);

}  // namespace posthorn::nslook
