// The mailbox that a session has selected: what its client knows of it, and how to name its messages.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agents/imapd/context.h"
#include "libmail/imap/flags.h"
#include "libmail/imap/sequence_set.h"
#include "libmail/store/open_mailbox.h"
#include "libmail/store/store.h"
#include "libmail/store/watcher.h"

namespace posthorn::imapd {

struct Selected {
  std::string name;
  std::shared_ptr<store::OpenMailbox> mailbox;
  store::MailboxView view;
  bool read_only = false;
  std::uint32_t recent_from = UINT32_MAX;  // UIDs from here on are \Recent to this client
  std::size_t keywords_told = 0;           // of the snapshot's list
  store::Rights rights;
  imap::NumberSet saved;  // UIDs of "$" (RFC 5182)
  std::vector<SearchContext> contexts;
  std::unique_ptr<store::Listening> listening;
  bool changed = false;  // the bell rang
  // A STORE of our own with .SILENT: its changes are not announced.
  std::uint64_t silent_modseq = 0;
  std::vector<std::uint32_t> own_new;  // UIDs of messages that this client brought itself
  std::uint64_t told_modseq = 0;       // of a change that its command has told already

  [[nodiscard]] bool may(store::Right right) const { return rights.has(right); }
  // READ-WRITE (RFC 4314 5.2).
  [[nodiscard]] bool may_change() const {
    return may(store::Right::insert) || may(store::Right::expunge) || may(store::Right::write) ||
           may(store::Right::write_seen) || may(store::Right::delete_message);
  }
  [[nodiscard]] std::uint32_t recent_count() const {
    return view.size() - view.uids().count_below(recent_from);
  }
  [[nodiscard]] std::uint32_t largest_uid() const;
};

// UIDs, ascending, of the messages that a client means and knows. Nothing: a message number is too large (RFC 9051 9:
// BAD). UIDs that are not there are passed over.
[[nodiscard]] std::optional<std::vector<std::uint32_t>> uids_of(const Selected& selected,
                                                                const imap::SequenceSet& set,
                                                                bool by_uid);
// As the command named them: UIDs, or their message numbers.
[[nodiscard]] imap::NumberSet named(const Selected& selected,
                                    const std::vector<std::uint32_t>& uids, bool by_uid);
[[nodiscard]] imap::NumberSet set_of(const std::vector<std::uint32_t>& ascending);
// In the order they are: "4:6,2".
[[nodiscard]] std::string ordered_set_text(const std::vector<std::uint32_t>& numbers);

// "\Seen $Forwarded", without parentheses.
[[nodiscard]] std::string flags_text(const store::MessageRow& row,
                                     const std::vector<std::string>& keywords, bool recent);
// FLAGS and PERMANENTFLAGS, in their parentheses; the second are those that the user may change (RFC 4314 5.1.1).
[[nodiscard]] std::string known_flags_text(const std::vector<std::string>& keywords);
[[nodiscard]] std::string permanent_flags_text(const Selected& selected,
                                               const std::vector<std::string>& keywords);
// The flags of the store that these rights allow to change (RFC 4314 4); keywords come with `write`.
[[nodiscard]] std::uint16_t changeable_flags(store::Rights rights);
// The store's bits of the client's system flags.
[[nodiscard]] std::uint16_t store_flags_of(const imap::Flags& flags);

}  // namespace posthorn::imapd
