// A session's view of a mailbox: which messages its client has been told of, and under which sequence numbers. It is all that a
// session at rest keeps, some 12 octets for each run of consecutive UIDs.
//
//   MailboxView view(*mailbox->snapshot());                     SELECT
//   auto changes = view.update(*mailbox->snapshot(), true);     before each tagged reply, and in IDLE
//   for (seq : changes.expunged) "* seq EXPUNGE"                then EXISTS, then the FETCHes of changes.changed
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "libmail/store/snapshot.h"

namespace posthorn::store {

// Ascending UIDs as runs: sequence number <-> UID in O(log runs).
class UidRuns {
 public:
  struct Run {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    std::uint32_t before = 0;  // UIDs in the runs before
  };
  [[nodiscard]] std::uint32_t size() const;
  // `sequence` counts from 1 and is at most size().
  [[nodiscard]] std::uint32_t uid_of(std::uint32_t sequence) const;
  [[nodiscard]] std::optional<std::uint32_t> sequence_of(std::uint32_t uid) const;
  // How many have UIDs below `uid`.
  [[nodiscard]] std::uint32_t count_below(std::uint32_t uid) const;
  // Above all others: this UID, and those that follow it.
  void append(std::uint32_t uid, std::uint32_t count = 1);
  // Ascending; UIDs that are not there are passed over.
  void erase(std::span<const std::uint32_t> uids);
  [[nodiscard]] const std::vector<Run>& runs() const { return runs_; }

 private:
  std::vector<Run> runs_;
};

struct ViewChanges {
  // Sequence numbers for EXPUNGE, each as it is when those before it have been announced (RFC 9051 7.5.1): the highest first,
  // so that they are what they were.
  std::vector<std::uint32_t> expunged;
  std::vector<std::uint32_t> vanished;  // the same messages' UIDs, ascending (RFC 7162 VANISHED)
  bool exists = false;                  // new messages: say EXISTS with view.size()
  std::vector<std::uint32_t> changed;   // UIDs, ascending: flags or modseq; not those that are new
  // Messages that are gone and not announced, because the command does not allow EXPUNGE.
  bool expunges_pending = false;
};

class MailboxView {
 public:
  MailboxView() = default;
  explicit MailboxView(const Snapshot& snapshot);

  // Brings the view up to `snapshot` and says what the client has to be told. Without `may_expunge` (FETCH, STORE, SEARCH by
  // sequence number; RFC 9051 5.5) messages that are gone stay in the view. A snapshot older than the view's gives nothing.
  ViewChanges update(const Snapshot& snapshot, bool may_expunge);

  [[nodiscard]] std::uint32_t size() const { return uids_.size(); }
  [[nodiscard]] const UidRuns& uids() const { return uids_; }
  [[nodiscard]] std::uint32_t uid_validity() const { return uid_validity_; }
  [[nodiscard]] std::uint32_t uid_next() const { return uid_next_; }
  // All changes up to here have been told.
  [[nodiscard]] std::uint64_t modseq() const { return modseq_; }

 private:
  std::vector<std::uint32_t> missing_from(const Snapshot& snapshot) const;

  UidRuns uids_;
  std::uint32_t uid_validity_ = 0;
  std::uint32_t uid_next_ = 1;
  std::uint64_t modseq_ = 0;
};

}  // namespace posthorn::store
