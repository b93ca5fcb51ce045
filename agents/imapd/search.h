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
  imap::ResponseCode limited;  // RFC 9738: not all messages were looked at

  Found() = default;
};
// In slices in the pool, so that a client who goes away is noticed and others have their turn. In the selected mailbox, or in one
// that the session knows as if it were.
Task<Found> find_messages(Session& session, const imap::SearchKey& key, std::string charset);
Task<Found> find_messages(Session& session, const Selected& selected, const imap::SearchKey& key,
                          std::string charset);
// UIDs in the order of the criteria, ascending where they leave it open. Those that are gone are left out.
Task<store::StoreResult<std::vector<std::uint32_t>>> sort_messages(
    Session& session, std::vector<std::uint32_t> uids, std::vector<imap::SortCriterion> criteria);

// What a search has to know of messages that the store may not have at hand: their sizes cost reading them.
struct Measures {
  bool size = false;
  bool date = false;
  bool save_date = false;  // the date of messages whose row doesn't say when they were put here
};
[[nodiscard]] Measures measures_of(const imap::SearchKey& key);

// Some key speaks of mod-sequences: CONDSTORE is enabled by it, and answers carry them (RFC 7162 3.1.5).
[[nodiscard]] bool speaks_of_modseq(const imap::SearchKey& key);
// The reply of a search that failed: SAVE leaves nothing in "$" then (RFC 5182 2.1).
[[nodiscard]] Reply refused(Session& session, const std::optional<imap::ReturnOptions>& returns,
                            const Reply& reply);

// "* ESEARCH (TAG "a1") UID MIN 1 ..." of results in the order given; keeps SAVE's. `where`: more correlators, " MAILBOX ...".
void say_extended(Session& session, Selected& selected, const std::string& where,
                  const imap::ReturnOptions& returns, const Found& found,
                  const std::vector<std::uint32_t>& uids, bool by_uid, bool with_modseq);

// ---- context.cc ----
// UPDATE was asked for under a tag that has a context: BAD (RFC 5267 4.3).
[[nodiscard]] bool context_exists(Session& session,
                                  const std::optional<imap::ReturnOptions>& returns);
// If UPDATE was asked for: from now on `context` is told of changes; its tag is the command's.
void keep_context(Session& session, const std::optional<imap::ReturnOptions>& returns,
                  SearchContext context);

// ---- multisearch.cc ----
Task<Reply> search_many(Session& session, const imap::Search& command);

}  // namespace posthorn::imapd
