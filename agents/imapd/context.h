// Searches whose results are kept up to date (RFC 5267 UPDATE): part of what a client knows of its selected mailbox.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libmail/imap/command.h"

namespace posthorn::imapd {

// Of one session; one more is refused with NOUPDATE.
inline constexpr std::size_t most_contexts = 16;

struct SearchContext {
  std::string tag;
  bool by_uid = false;
  imap::SearchKey key;  // message numbers and "$" in it are UIDs already
  std::string charset;
  // SORT's; empty: mailbox order.
  std::vector<imap::SortCriterion> criteria;
  std::vector<std::uint32_t> uids;  // what the client has been told, in that order
};

// How `told` becomes `now`: first the one list, then the other, each pair after those before it. Positions count from 1.
struct ContextChange {
  struct Step {
    std::size_t position = 0;
    std::uint32_t uid = 0;
    bool operator==(const Step&) const = default;
  };
  std::vector<Step> removed;  // from the end, so that positions stay what they were
  std::vector<Step> added;    // from the front
};
[[nodiscard]] ContextChange context_change(const std::vector<std::uint32_t>& told,
                                           const std::vector<std::uint32_t>& now);

}  // namespace posthorn::imapd
