#include "libmail/search/filling.h"

#include <filesystem>

namespace posthorn::search {

namespace {

using Kind = SearchError::Kind;
using StoreKind = store::StoreError::Kind;

// UIDs of the mailbox that are not in `known`, ascending.
std::vector<std::uint32_t> missing_in(const imap::NumberSet& known,
                                      const store::Snapshot& snapshot) {
  std::vector<std::uint32_t> missing;
  for (const auto& chunk : snapshot.chunks())
    for (std::uint32_t i = 0; i < chunk->count; ++i)
      if (!known.contains(chunk->uid[i])) missing.push_back(chunk->uid[i]);
  return missing;
}

}  // namespace

IndexOwner owner_of(const store::OpenMailbox& mailbox) {
  IndexOwner owner;
  owner.uid_validity = mailbox.snapshot()->uid_validity();
  owner.mailbox = mailbox.guid();
  return owner;
}

// False: nothing is to be done.
SearchResult<bool> Filling::begin(Step& step) {
  const std::string directory = mailbox_->directory();
  snapshot_ = mailbox_->snapshot();
  if (directory.empty() || snapshot_->uid_validity() == 0) return false;
  if (!has_index(directory) &&
      (need_ == Need::kept_up || snapshot_->size() < rules_.least_messages))
    return false;
  // No room for another batch: nothing is read in vain.
  std::error_code missing;
  const std::uint64_t size = std::filesystem::file_size(directory + "/" + index_name, missing);
  if (!missing && size + 2 * rules_.limits.batch_octets > rules_.limits.file_octets) return false;
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto made = make_index(directory, owner_of(*mailbox_), rules_.limits, step.remark);
    if (!made) return fail(std::move(made.error()));
    index_ = std::move(*made);
    const auto known = index_->known();
    if (!known) return fail(known.error());
    missing_ = missing_in(known->seen, *snapshot_);
    const std::size_t live = snapshot_->size() - missing_.size();
    const std::size_t dead = known->seen.count() - live;
    if (dead <= rules_.dead_messages || dead <= live) break;
    index_.reset();
    remove_index(directory);
  }
  return !missing_.empty();
}

SearchResult<Filling::Step> Filling::next() {
  Step step;
  if (!index_) {
    const auto begun = begin(step);
    if (!begun) return fail(begun.error());
    step.is_done = !*begun;
    if (step.is_done) return step;
  }
  std::vector<IndexedMessage> batch;
  const std::size_t first = next_;
  auto read = read_batch(batch);
  if (read && !batch.empty()) read = index_->add(batch);
  if (!read) {
    next_ = first;
    return fail(std::move(read.error()));
  }
  step.is_done = next_ == missing_.size();
  return step;
}

SearchResult<void> Filling::read_batch(std::vector<IndexedMessage>& batch) {
  const MonoTime end = std::chrono::steady_clock::now() + rules_.batch_time;
  std::size_t octets = 0;
  for (; next_ < missing_.size(); ++next_) {
    if (batch.size() >= rules_.limits.batch_messages || octets >= rules_.limits.batch_octets ||
        std::chrono::steady_clock::now() >= end)
      return {};
    IndexedMessage message;
    message.uid = missing_[next_];
    const auto row = snapshot_->find(message.uid);
    const bool is_large =
        row && (row->flags & store::flag::has_size) != 0 && row->size > rules_.file_octets;
    if (!is_large) {
      const auto text = mailbox_->text(message.uid);
      if (!text && text.error().kind == StoreKind::not_found) continue;
      if (!text && text.error().kind == StoreKind::locked) {
        if (!batch.empty()) return {};
        return fail(SearchError(Kind::busy, text.error().text));
      }
      if (text && text->size() <= rules_.file_octets)
        message = texts_of(message.uid, message::MessageView(*text), rules_.limits);
    }
    octets += message.size();
    batch.push_back(std::move(message));
  }
  return {};
}

}  // namespace posthorn::search
