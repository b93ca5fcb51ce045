#include "libmail/store/mailbox_view.h"

#include <algorithm>

#include "libmail/base/result.h"

namespace posthorn::store {

std::uint32_t UidRuns::size() const {
  return runs_.empty() ? 0 : runs_.back().before + runs_.back().count;
}

std::uint32_t UidRuns::uid_of(std::uint32_t sequence) const {
  check(sequence >= 1 && sequence <= size(), "a sequence number of this view");
  const auto above =
      std::upper_bound(runs_.begin(), runs_.end(), sequence - 1,
                       [](std::uint32_t value, const Run& run) { return value < run.before; });
  const Run& run = *(above - 1);
  return run.first + (sequence - 1 - run.before);
}

std::uint32_t UidRuns::count_below(std::uint32_t uid) const {
  const auto above =
      std::upper_bound(runs_.begin(), runs_.end(), uid,
                       [](std::uint32_t value, const Run& run) { return value <= run.first; });
  if (above == runs_.begin()) return 0;
  const Run& run = *(above - 1);
  return run.before + std::min(run.count, uid - run.first);
}

std::optional<std::uint32_t> UidRuns::sequence_of(std::uint32_t uid) const {
  const auto above =
      std::upper_bound(runs_.begin(), runs_.end(), uid,
                       [](std::uint32_t value, const Run& run) { return value < run.first; });
  if (above == runs_.begin()) return std::nullopt;
  const Run& run = *(above - 1);
  if (uid - run.first >= run.count) return std::nullopt;
  return run.before + (uid - run.first) + 1;
}

void UidRuns::append(std::uint32_t uid, std::uint32_t count) {
  if (!runs_.empty() && runs_.back().first + runs_.back().count == uid) {
    runs_.back().count += count;
    return;
  }
  check(runs_.empty() || uid > runs_.back().first, "UIDs of a view are appended in their order");
  Run run;
  run.first = uid;
  run.count = count;
  run.before = size();
  runs_.push_back(run);
}

void UidRuns::erase(std::span<const std::uint32_t> uids) {
  if (uids.empty()) return;
  std::vector<Run> kept;
  kept.reserve(runs_.size());
  std::uint32_t before = 0;
  const auto keep = [&](std::uint32_t first, std::uint32_t count) {
    if (count == 0) return;
    Run run;
    run.first = first;
    run.count = count;
    run.before = before;
    kept.push_back(run);
    before += count;
  };
  std::size_t next = 0;
  for (const Run& run : runs_) {
    std::uint32_t first = run.first;
    const std::uint32_t end = run.first + run.count;
    while (next < uids.size() && uids[next] < first) ++next;
    for (; next < uids.size() && uids[next] < end; ++next) {
      if (uids[next] < first) continue;  // given twice
      keep(first, uids[next] - first);
      first = uids[next] + 1;
    }
    keep(first, end - first);
  }
  runs_ = std::move(kept);
}

MailboxView::MailboxView(const Snapshot& snapshot)
    : uid_validity_(snapshot.uid_validity()),
      uid_next_(snapshot.uid_next()),
      modseq_(snapshot.highest_modseq()) {
  for (const auto& chunk : snapshot.chunks()) {
    const std::uint32_t count = static_cast<std::uint32_t>(chunk->count);
    if (count > 0 && chunk->uid[count - 1] - chunk->uid[0] == count - 1) {
      uids_.append(chunk->uid[0], count);
      continue;
    }
    for (std::size_t i = 0; i < count; ++i) uids_.append(chunk->uid[i]);
  }
}

// UIDs of the view that are gone. What is in the snapshot below uid_next_ is in the view as well, so equal counts mean equal
// sets, and only the stretches that differ are looked at one by one.
std::vector<std::uint32_t> MailboxView::missing_from(const Snapshot& snapshot) const {
  std::vector<std::uint32_t> missing;
  const auto look = [&](std::uint32_t from, std::uint32_t end, const Chunk* chunk, std::size_t at) {
    const std::uint32_t first = uids_.count_below(from);
    const std::uint32_t last = uids_.count_below(end);
    for (std::uint32_t sequence = first + 1; sequence <= last; ++sequence) {
      const std::uint32_t uid = uids_.uid_of(sequence);
      while (chunk != nullptr && at < chunk->count && chunk->uid[at] < uid) ++at;
      if (chunk == nullptr || at == chunk->count || chunk->uid[at] != uid) missing.push_back(uid);
    }
  };
  std::uint32_t from = 0;
  for (const auto& chunk : snapshot.chunks()) {
    if (chunk->uid[0] >= uid_next_) break;
    // Up to where the next chunk may begin.
    const std::uint32_t end = std::min(chunk->uid[chunk->count - 1] + 1, uid_next_);
    std::size_t here = chunk->count;
    if (chunk->uid[chunk->count - 1] >= uid_next_) {
      const auto* above =
          std::lower_bound(chunk->uid.data(), chunk->uid.data() + chunk->count, uid_next_);
      here = static_cast<std::size_t>(above - chunk->uid.data());
    }
    if (uids_.count_below(end) - uids_.count_below(from) != here) {
      look(from, end, chunk.get(), 0);
    }
    from = end;
  }
  look(from, uid_next_, nullptr, 0);
  return missing;
}

ViewChanges MailboxView::update(const Snapshot& snapshot, bool may_expunge) {
  ViewChanges changes;
  if (snapshot.uid_validity() != uid_validity_ || snapshot.uid_next() < uid_next_ ||
      snapshot.highest_modseq() < modseq_)
    return changes;
  std::vector<std::uint32_t> missing = missing_from(snapshot);
  if (may_expunge) {
    for (auto uid = missing.rbegin(); uid != missing.rend(); ++uid) {
      changes.expunged.push_back(uids_.sequence_of(*uid).value_or(0));
    }
    uids_.erase(missing);
    changes.vanished = std::move(missing);
  } else {
    changes.expunges_pending = !missing.empty();
  }
  if (snapshot.highest_modseq() <= modseq_ && snapshot.uid_next() == uid_next_) return changes;
  for (const auto& chunk : snapshot.chunks()) {
    if (chunk->max_modseq <= modseq_ && chunk->uid[chunk->count - 1] < uid_next_) continue;
    for (std::size_t i = 0; i < chunk->count; ++i) {
      if (chunk->uid[i] >= uid_next_) {
        uids_.append(chunk->uid[i]);
        changes.exists = true;
      } else if (chunk->modseq[i] > modseq_) {
        changes.changed.push_back(chunk->uid[i]);
      }
    }
  }
  uid_next_ = snapshot.uid_next();
  modseq_ = std::max(modseq_, snapshot.highest_modseq());
  return changes;
}

}  // namespace posthorn::store
