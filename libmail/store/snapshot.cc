#include "libmail/store/snapshot.h"

#include <algorithm>

#include "libmail/base/result.h"

namespace posthorn::store {

Chunk::Chunk(std::uint32_t rows) : capacity(rows) {
  constexpr std::size_t row_octets = 3 * 8 + 3 * 4 + 2;
  memory_ = std::make_unique<std::uint64_t[]>((rows * row_octets + 7) / 8);
  auto* next = reinterpret_cast<char*>(memory_.get());
  // The widest first, so that all are aligned.
  const auto take = [&next, rows]<class T>(std::span<T>& array) {
    array = std::span(reinterpret_cast<T*>(next), rows);
    next += array.size_bytes();
  };
  take(keywords);
  take(modseq);
  take(size);
  take(uid);
  take(date);
  take(saved);
  take(flags);
}

Chunk::Chunk(const Chunk& from, std::uint32_t rows) : Chunk(rows) {
  count = from.count;
  max_modseq = from.max_modseq;
  const auto copy = [this](const auto& source, const auto& target) {
    std::copy_n(source.begin(), count, target.begin());
  };
  copy(from.keywords, keywords);
  copy(from.modseq, modseq);
  copy(from.size, size);
  copy(from.uid, uid);
  copy(from.date, date);
  copy(from.saved, saved);
  copy(from.flags, flags);
}

MessageRow Chunk::row(std::size_t i) const {
  MessageRow row;
  row.uid = uid[i];
  row.flags = flags[i];
  row.date = date[i];
  row.saved = saved[i];
  row.keywords = keywords[i];
  row.modseq = modseq[i];
  row.size = size[i];
  return row;
}

void Chunk::set(std::size_t i, const MessageRow& row) {
  uid[i] = row.uid;
  flags[i] = row.flags;
  date[i] = row.date;
  saved[i] = row.saved;
  keywords[i] = row.keywords;
  modseq[i] = row.modseq;
  size[i] = row.size;
  max_modseq = std::max(max_modseq, row.modseq);
}

namespace {

constexpr std::uint32_t first_rows = 16;

using Chunks = std::vector<std::shared_ptr<const Chunk>>;

// The last chunk that begins at or below `uid`; 0 if there is none.
std::size_t chunk_with(const Chunks& chunks, std::uint32_t uid) {
  const auto above = std::upper_bound(
      chunks.begin(), chunks.end(), uid,
      [](std::uint32_t value, const auto& chunk) { return value < chunk->uid[0]; });
  return above == chunks.begin() ? 0 : static_cast<std::size_t>(above - chunks.begin()) - 1;
}

std::size_t position_in(const Chunk& chunk, std::uint32_t uid) {
  // Most chunks are one run of UIDs.
  const std::uint32_t offset = uid - chunk.uid[0];
  if (uid >= chunk.uid[0] && offset < chunk.count && chunk.uid[offset] == uid) return offset;
  const auto used = chunk.uid.first(chunk.count);
  return static_cast<std::size_t>(std::lower_bound(used.begin(), used.end(), uid) - used.begin());
}

}  // namespace

MessageRow Snapshot::row(std::size_t index) const {
  const auto above = std::upper_bound(before_.begin(), before_.end(), index);
  const auto chunk = static_cast<std::size_t>(above - before_.begin()) - 1;
  return chunks_[chunk]->row(index - before_[chunk]);
}

std::optional<MessageRow> Snapshot::find(std::uint32_t uid) const {
  if (chunks_.empty()) return std::nullopt;
  const Chunk& chunk = *chunks_[chunk_with(chunks_, uid)];
  const std::size_t at = position_in(chunk, uid);
  if (at == chunk.count || chunk.uid[at] != uid) return std::nullopt;
  return chunk.row(at);
}

std::size_t Snapshot::lower_bound(std::uint32_t uid) const {
  if (chunks_.empty()) return 0;
  const std::size_t chunk = chunk_with(chunks_, uid);
  return before_[chunk] + position_in(*chunks_[chunk], uid);
}

SnapshotEditor::SnapshotEditor(const Snapshot& from)
    : next_(from), owned_(from.chunks_.size(), false) {}

void SnapshotEditor::raise_modseq(std::uint64_t modseq) {
  next_.highest_modseq_ = std::max(next_.highest_modseq_, modseq);
}

void SnapshotEditor::set_keywords(std::vector<std::string> names) {
  next_.keywords_ = std::make_shared<const std::vector<std::string>>(std::move(names));
}

void SnapshotEditor::count(const MessageRow& row, int sign) {
  MailboxCounts& counts = next_.counts_;
  const auto add = [sign](std::uint32_t& number) { number += static_cast<std::uint32_t>(sign); };
  add(counts.messages);
  if ((row.flags & flag::seen) == 0) add(counts.unseen);
  if ((row.flags & flag::deleted) != 0) add(counts.deleted);
  if ((row.flags & flag::has_size) == 0)
    add(counts.unsized);
  else
    counts.size += sign > 0 ? row.size : 0 - row.size;
}

std::size_t SnapshotEditor::chunk_of(std::uint32_t uid) const {
  const auto holds = [&](std::size_t i) {
    return i < next_.chunks_.size() && next_.chunks_[i]->uid[0] <= uid &&
           uid <= next_.chunks_[i]->uid[next_.chunks_[i]->count - 1];
  };
  if (holds(at_)) return at_;
  if (holds(at_ + 1)) return at_ + 1;
  return chunk_with(next_.chunks_, uid);
}

Chunk& SnapshotEditor::own(std::size_t chunk) {
  if (!owned_[chunk]) {
    const Chunk& shared = *next_.chunks_[chunk];
    next_.chunks_[chunk] = std::make_shared<Chunk>(shared, shared.capacity);
    owned_[chunk] = true;
  }
  // Made by this editor, and not seen by anybody else yet.
  return const_cast<Chunk&>(*next_.chunks_[chunk]);
}

std::uint32_t SnapshotEditor::last_uid() const {
  if (next_.chunks_.empty()) return 0;
  return next_.chunks_.back()->uid[next_.chunks_.back()->count - 1];
}

void SnapshotEditor::append(const MessageRow& row) {
  check(row.uid > last_uid(), "a snapshot's rows are appended in the order of their UIDs");
  if (next_.chunks_.empty() || next_.chunks_.back()->count == Chunk::most) {
    // Behind a full one more are to come, mostly.
    next_.chunks_.push_back(
        std::make_shared<Chunk>(next_.chunks_.empty() ? first_rows : Chunk::most));
    owned_.push_back(true);
  } else if (const Chunk& last = *next_.chunks_.back(); last.count == last.capacity) {
    next_.chunks_.back() = std::make_shared<Chunk>(last, std::min(last.capacity * 2, Chunk::most));
    owned_.back() = true;
  }
  Chunk& chunk = own(next_.chunks_.size() - 1);
  chunk.set(chunk.count++, row);
  count(row, 1);
  raise_modseq(row.modseq);
}

bool SnapshotEditor::replace(const MessageRow& row) {
  if (next_.chunks_.empty()) return false;
  const std::size_t at = chunk_of(row.uid);
  const std::size_t i = position_in(*next_.chunks_[at], row.uid);
  if (i == next_.chunks_[at]->count || next_.chunks_[at]->uid[i] != row.uid) return false;
  Chunk& chunk = own(at);
  at_ = at;
  count(chunk.row(i), -1);
  chunk.set(i, row);
  count(row, 1);
  raise_modseq(row.modseq);
  return true;
}

std::optional<MessageRow> SnapshotEditor::find(std::uint32_t uid) const {
  if (next_.chunks_.empty()) return std::nullopt;
  const Chunk& chunk = *next_.chunks_[chunk_of(uid)];
  const std::size_t i = position_in(chunk, uid);
  if (i == chunk.count || chunk.uid[i] != uid) return std::nullopt;
  return chunk.row(i);
}

std::size_t SnapshotEditor::remove(std::span<const std::uint32_t> uids) {
  std::size_t removed = 0;
  Chunks kept;
  std::vector<bool> kept_owned;
  std::size_t next = 0;
  for (std::size_t c = 0; c < next_.chunks_.size(); ++c) {
    const Chunk& chunk = *next_.chunks_[c];
    const std::uint32_t last = chunk.uid[chunk.count - 1];
    while (next < uids.size() && uids[next] < chunk.uid[0]) ++next;
    if (next == uids.size() || uids[next] > last) {
      kept.push_back(next_.chunks_[c]);
      kept_owned.push_back(owned_[c]);
      continue;
    }
    auto rest = std::make_shared<Chunk>(chunk.count);
    for (std::size_t i = 0; i < chunk.count; ++i) {
      while (next < uids.size() && uids[next] < chunk.uid[i]) ++next;
      const MessageRow row = chunk.row(i);
      if (next < uids.size() && uids[next] == row.uid) {
        count(row, -1);
        ++removed;
      } else {
        rest->set(rest->count++, row);
      }
    }
    if (rest->count == 0) continue;
    kept.push_back(std::move(rest));
    kept_owned.push_back(true);
  }
  next_.chunks_ = std::move(kept);
  owned_ = std::move(kept_owned);
  at_ = 0;
  return removed;
}

std::shared_ptr<const Snapshot> SnapshotEditor::finish() {
  next_.before_.clear();
  next_.before_.reserve(next_.chunks_.size());
  std::uint32_t before = 0;
  for (const auto& chunk : next_.chunks_) {
    next_.before_.push_back(before);
    before += chunk->count;
  }
  owned_.clear();
  at_ = 0;
  return std::make_shared<const Snapshot>(std::exchange(next_, Snapshot()));
}

}  // namespace posthorn::store
