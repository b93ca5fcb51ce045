// The search language: what people write, as search keys that a server or query_match.h understands.
//
//   from:ann subject:"big report" -is:read (after:2026-11-01 or larger:5M) has:attachment
//
// Terms beside each other must all hold; `or` binds weaker; `-` or `not` in front negates; parentheses group. A bare
// word is looked for in the whole message. Sans I/O.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/imap/search.h"

namespace posthorn::mua {

struct QueryError {
  std::size_t offset = 0;  // octets into the text
  std::string text;        // "larger: is a size: 5M, 200k"
};

struct Query {
  imap::SearchKey key;
  // has:attachment, -has:attachment: no server can tell; holds beside `key`.
  std::optional<bool> attachment;
};

// `now` is what 7d, today and yesterday count from, in UTC days. Everything for a text of blanks.
[[nodiscard]] Result<Query, QueryError> parse_query(std::string_view text,
                                                    std::chrono::sys_seconds now);
// For --help and the manual: "from:TEXT" and what it means.
[[nodiscard]] const std::vector<std::pair<std::string_view, std::string_view>>& query_words();

}  // namespace posthorn::mua
