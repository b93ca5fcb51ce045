// What a mailbox held at one moment: a struct of arrays that nobody changes any more, so that every session and every thread
// may read it without a lock. Snapshots share what did not change between them: rows lie in chunks, and a change copies
// only the chunks it touches.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace posthorn::store {

// System flags (RFC 9051 2.3.2), and behind them what only the store looks at.
namespace flag {
inline constexpr std::uint16_t answered = 1;
inline constexpr std::uint16_t flagged = 2;
inline constexpr std::uint16_t deleted = 4;
inline constexpr std::uint16_t seen = 8;
inline constexpr std::uint16_t draft = 16;
inline constexpr std::uint16_t system_flags = 31;
inline constexpr std::uint16_t passed = 32;     // Maildir's P: kept, shown to nobody
inline constexpr std::uint16_t fresh = 64;      // the file lies in new/
inline constexpr std::uint16_t odd_name = 128;  // the name can't be made of base and flags
inline constexpr std::uint16_t has_size = 256;  // `size` is known
inline constexpr std::uint16_t has_date = 512;  // `date` is known
}  // namespace flag

struct MessageRow {
  std::uint32_t uid = 0;
  std::uint16_t flags = 0;
  std::uint32_t date = 0;  // INTERNALDATE, seconds since 1970; 0 without flag::has_date
  std::uint32_t saved =
      0;  // SAVEDATE (RFC 8514), seconds since 1970; 0: not known, see keeps_save_dates()
  std::uint64_t keywords = 0;  // bit i: Snapshot::keywords()[i]
  std::uint64_t modseq = 0;    // RFC 7162
  std::uint64_t size = 0;      // RFC822.SIZE; 0 without flag::has_size
  bool operator==(const MessageRow&) const = default;
};

// Arrays as long as they have to be: a mailbox of ten messages takes no page for each of them.
struct Chunk {
  static constexpr std::uint32_t most = 512;  // rows
  explicit Chunk(std::uint32_t rows);
  Chunk(const Chunk& from, std::uint32_t rows);  // a copy with room for `rows`
  Chunk(const Chunk&) = delete;
  Chunk& operator=(const Chunk&) = delete;

  std::uint32_t capacity = 0;
  std::uint32_t count = 0;
  std::uint64_t max_modseq = 0;

  [[nodiscard]] MessageRow row(std::size_t i) const;
  void set(std::size_t i, const MessageRow& row);

 private:
  std::unique_ptr<std::uint64_t[]> memory_;  // of all the arrays

 public:
  std::span<std::uint64_t> keywords;
  std::span<std::uint64_t> modseq;
  std::span<std::uint64_t> size;
  std::span<std::uint32_t> uid;  // ascending
  std::span<std::uint32_t> date;
  std::span<std::uint32_t> saved;
  std::span<std::uint16_t> flags;
};

// STATUS's numbers (RFC 9051 6.3.11); kept while rows change, so that nobody counts.
struct MailboxCounts {
  std::uint32_t messages = 0;
  std::uint32_t unseen = 0;
  std::uint32_t deleted = 0;
  std::uint32_t unsized = 0;  // messages whose size is not in `size`
  std::uint64_t size = 0;     // sum of RFC822.SIZE (RFC 8438)
  bool operator==(const MailboxCounts&) const = default;
};

class Snapshot {
 public:
  [[nodiscard]] std::uint32_t uid_validity() const { return uid_validity_; }
  [[nodiscard]] std::uint32_t uid_next() const { return uid_next_; }
  [[nodiscard]] std::uint64_t highest_modseq() const { return highest_modseq_; }
  [[nodiscard]] const MailboxCounts& counts() const { return counts_; }
  // Names of keywords by their bit; "" is a bit nobody uses.
  [[nodiscard]] const std::vector<std::string>& keywords() const { return *keywords_; }

  [[nodiscard]] std::size_t size() const { return counts_.messages; }
  // `index` counts from 0 in ascending UIDs. It is no session's sequence number: MailboxView has those.
  [[nodiscard]] MessageRow row(std::size_t index) const;
  [[nodiscard]] std::optional<MessageRow> find(std::uint32_t uid) const;
  // The index of the first message whose UID is `uid` or above; size() if there is none.
  [[nodiscard]] std::size_t lower_bound(std::uint32_t uid) const;

  // For loops over all: the chunks in order, none of them empty.
  [[nodiscard]] std::span<const std::shared_ptr<const Chunk>> chunks() const { return chunks_; }

 private:
  friend class SnapshotEditor;
  std::uint32_t uid_validity_ = 0;
  std::uint32_t uid_next_ = 1;
  std::uint64_t highest_modseq_ = 1;
  MailboxCounts counts_;
  std::shared_ptr<const std::vector<std::string>> keywords_ =
      std::make_shared<std::vector<std::string>>();
  std::vector<std::shared_ptr<const Chunk>> chunks_;
  std::vector<std::uint32_t> before_;  // messages in the chunks before this one
};

// Makes the next snapshot of one. Works on one thread.
class SnapshotEditor {
 public:
  SnapshotEditor() = default;  // of an empty one
  explicit SnapshotEditor(const Snapshot& from);

  void set_validity(std::uint32_t uid_validity) { next_.uid_validity_ = uid_validity; }
  void set_uid_next(std::uint32_t uid_next) { next_.uid_next_ = uid_next; }
  void raise_modseq(std::uint64_t modseq);
  void set_keywords(std::vector<std::string> names);

  // Appends; its UID is above all others.
  void append(const MessageRow& row);
  // The row with row.uid becomes `row`. False: there is none.
  bool replace(const MessageRow& row);
  // Ascending UIDs; those that are not there are passed over. Returns how many went.
  std::size_t remove(std::span<const std::uint32_t> uids);
  [[nodiscard]] std::optional<MessageRow> find(std::uint32_t uid) const;
  [[nodiscard]] std::uint32_t last_uid() const;
  [[nodiscard]] std::size_t size() const { return next_.counts_.messages; }

  // The editor is empty afterwards.
  std::shared_ptr<const Snapshot> finish();

 private:
  [[nodiscard]] std::size_t chunk_of(std::uint32_t uid) const;
  Chunk& own(std::size_t chunk);
  void count(const MessageRow& row, int sign);

  Snapshot next_;
  std::vector<bool> owned_;  // chunks that were copied for this editor
  std::size_t at_ = 0;       // the chunk that was used last: changes mostly come in order
};

}  // namespace posthorn::store
