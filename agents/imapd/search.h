// Finding messages, for SEARCH, SORT and THREAD.
#pragma once

#include <vector>

#include "agents/imapd/commands.h"
#include "agents/imapd/search_match.h"

namespace posthorn::imapd {

struct Found {
  std::vector<std::uint32_t> uids;  // ascending
  std::uint64_t modseq = 0;         // the highest of them
  std::optional<Reply> refused;

  Found() = default;
};
// In slices in the pool, so that a client who goes away is noticed and others have their turn.
Task<Found> find_messages(Session& session, const imap::SearchKey& key, std::string charset);

// Some key speaks of mod-sequences: CONDSTORE is enabled by it, and answers carry them (RFC 7162 3.1.5).
[[nodiscard]] bool speaks_of_modseq(const imap::SearchKey& key);
// The reply of a search that failed: SAVE leaves nothing in "$" then (RFC 5182 2.1).
[[nodiscard]] Reply refused(Session& session, const std::optional<imap::ReturnOptions>& returns,
                            const Reply& reply);

// "* ESEARCH (TAG "a1") UID MIN 1 ..." of results in the order given; keeps SAVE's.
void say_extended(Session& session, const imap::ReturnOptions& returns, const Found& found,
                  const std::vector<std::uint32_t>& uids, bool by_uid, bool with_modseq);

}  // namespace posthorn::imapd
