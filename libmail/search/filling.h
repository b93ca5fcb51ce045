// An index filled from its mailbox, batch by batch, lowest UIDs first.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/search/search_index.h"
#include "libmail/store/open_mailbox.h"

namespace posthorn::search {

struct FillingRules {
  Limits limits;
  // A mailbox with fewer messages is read as quickly as an index is asked.
  std::size_t least_messages = 200;
  // Larger files are not read for it.
  std::uint64_t file_octets = std::uint64_t{64} << 20;
  Duration batch_time = std::chrono::milliseconds(250);
  // More messages than these that are gone, and more than those that are there: the index is made anew.
  std::size_t dead_messages = 1000;

  FillingRules() = default;
};

class Filling {
 public:
  enum class Need : std::uint8_t {
    wanted,   // somebody searches here: make the index if there is none
    kept_up,  // only if there is one
  };
  struct Step {
    bool is_done = false;
    std::string remark;  // for the log; mostly ""
  };

  Filling(std::shared_ptr<store::OpenMailbox> mailbox, Need need, FillingRules rules)
      : mailbox_(std::move(mailbox)), need_(need), rules_(rules) {}

  // The next batch; blocking, for `batch_time` and the writing. `busy`: come again; any other error is the end of it.
  SearchResult<Step> next();
  // Need::kept_up becomes Need::wanted, before the first batch.
  void want() { need_ = Need::wanted; }
  [[nodiscard]] const store::OpenMailbox* mailbox() const { return mailbox_.get(); }
  // Messages of the mailbox that are in the index now, or were looked at.
  [[nodiscard]] std::size_t looked_at() const { return next_; }

 private:
  SearchResult<bool> begin(Step& step);
  SearchResult<void> read_batch(std::vector<IndexedMessage>& batch);

  std::shared_ptr<store::OpenMailbox> mailbox_;
  Need need_;
  FillingRules rules_;
  std::unique_ptr<SearchIndex> index_;
  std::shared_ptr<const store::Snapshot> snapshot_;
  std::vector<std::uint32_t> missing_;
  std::size_t next_ = 0;  // of missing_
};

// Whose index the mailbox's is. It has been synced.
[[nodiscard]] IndexOwner owner_of(const store::OpenMailbox& mailbox);

}  // namespace posthorn::search
