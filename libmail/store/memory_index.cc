#include "libmail/store/memory_index.h"

#include <algorithm>

namespace posthorn::store {

StoreResult<std::optional<IndexHeader>> MemoryIndex::header() {
  const std::lock_guard hold(mutex_);
  return header_;
}

StoreResult<void> MemoryIndex::rows(const std::function<void(const MessageRow&)>& take) {
  const std::lock_guard hold(mutex_);
  for (const auto& [uid, row] : rows_) take(row);
  return {};
}

StoreResult<void> MemoryIndex::names(
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  const std::lock_guard hold(mutex_);
  for (const auto& [uid, name] : names_) take(uid, name);
  return {};
}

StoreResult<std::vector<std::string>> MemoryIndex::names_of(std::span<const std::uint32_t> uids) {
  const std::lock_guard hold(mutex_);
  std::vector<std::string> names;
  names.reserve(uids.size());
  for (const std::uint32_t uid : uids) {
    const auto found = names_.find(uid);
    names.push_back(found != names_.end() ? found->second : std::string());
  }
  return names;
}

StoreResult<std::uint64_t> MemoryIndex::write(const IndexBatch& batch) {
  const std::lock_guard hold(mutex_);
  if (batch.header) header_ = batch.header;
  for (const MessageRow& row : batch.rows) rows_.insert_or_assign(row.uid, row);
  for (const auto& [uid, name] : batch.names) names_.insert_or_assign(uid, name);
  for (const std::uint32_t uid : batch.removed) {
    rows_.erase(uid);
    names_.erase(uid);
    for (auto& values : values_) values.erase(uid);
  }
  for (const auto& [modseq, uids] : batch.vanished) {
    auto& list = vanished_[modseq];
    list.insert(list.end(), uids.begin(), uids.end());
  }
  return 0;
}

StoreResult<std::vector<std::uint32_t>> MemoryIndex::vanished(std::uint64_t modseq) {
  const std::lock_guard hold(mutex_);
  std::vector<std::uint32_t> uids;
  for (auto list = vanished_.upper_bound(modseq); list != vanished_.end(); ++list) {
    uids.insert(uids.end(), list->second.begin(), list->second.end());
  }
  std::sort(uids.begin(), uids.end());
  uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
  return uids;
}

StoreResult<void> MemoryIndex::values(
    CachedValue kind, std::span<const std::uint32_t> uids,
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  const std::lock_guard hold(mutex_);
  const auto& values = values_[static_cast<std::size_t>(kind)];
  for (const std::uint32_t uid : uids) {
    const auto found = values.find(uid);
    if (found != values.end()) take(uid, found->second);
  }
  return {};
}

StoreResult<void> MemoryIndex::put_values(
    CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) {
  const std::lock_guard hold(mutex_);
  for (const auto& [uid, value] : values) {
    if (value_octets_ + value.size() > value_limit) {
      for (auto& all : values_) all.clear();
      value_octets_ = 0;
    }
    value_octets_ += value.size();
    if (rows_.contains(uid)) values_[static_cast<std::size_t>(kind)].insert_or_assign(uid, value);
  }
  return {};
}

StoreResult<void> MemoryIndex::clear() {
  const std::lock_guard hold(mutex_);
  header_.reset();
  rows_.clear();
  names_.clear();
  vanished_.clear();
  for (auto& values : values_) values.clear();
  value_octets_ = 0;
  return {};
}

}  // namespace posthorn::store
