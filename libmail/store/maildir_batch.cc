#include "libmail/store/maildir_batch.h"

#include <array>
#include <map>

namespace posthorn::store {

namespace {

void set_error(BatchItem& item, const IoError& error) {
  item.result = fail(StoreError(error));
  item.file.reset();
  static_cast<void>(item.target->tmp->unlink(item.name));
}

}  // namespace

void write_item(BatchItem& item) {
  auto file = item.target->tmp->open_file(item.name, OpenMode::create_new, file_mode);
  if (!file) {
    item.result = fail(StoreError(file.error()));
    return;
  }
  item.file = std::move(*file);
  const std::array<std::string_view, 2> parts{item.head, item.body->in_memory()};
  auto written = item.file->write(parts);
  if (written && item.body->in_file() != nullptr) {
    written = item.file->append_from(*item.body->in_file(), 0, item.body->size());
  }
  if (!written) set_error(item, written.error());
}

void sync_item(BatchItem& item) {
  if (!item.result) return;
  if (auto synced = item.file->sync(); !synced) return set_error(item, synced.error());
  item.file.reset();
}

void rename_item(BatchItem& item) {
  if (!item.result) return;
  item.file.reset();
  auto renamed = item.target->tmp->rename(item.name, *item.target->fresh, item.name);
  if (!renamed) set_error(item, renamed.error());
}

void fail_items(const std::vector<BatchItem*>& items, const IoError& error) {
  for (BatchItem* item : items) {
    if (item->result) set_error(*item, error);
  }
}

void sync_target(const std::vector<BatchItem*>& items) {
  if (items.empty()) return;
  const auto synced = items.front()->target->fresh->sync();
  if (synced) return;
  // Whether the names are on disk nobody knows now. The sender will try again.
  for (BatchItem* item : items) {
    if (item->result) item->result = fail(StoreError(synced.error()));
  }
}

std::vector<std::vector<BatchItem*>> by_target(const std::vector<BatchItem*>& items) {
  std::map<const DeliveryTarget*, std::vector<BatchItem*>> groups;
  for (BatchItem* item : items) {
    if (item->result) groups[item->target.get()].push_back(item);
  }
  std::vector<std::vector<BatchItem*>> out;
  out.reserve(groups.size());
  for (auto& [target, group] : groups) out.push_back(std::move(group));
  return out;
}

void commit_by_file_system(const std::vector<BatchItem*>& items) {
  for (BatchItem* item : items) {
    write_item(*item);
    item->file.reset();
  }
  const auto written = by_target(items);
  if (written.empty()) return;
  Directory& any = *written.front().front()->target->fresh;
  if (auto synced = any.sync_file_system(); !synced) return fail_items(items, synced.error());
  for (BatchItem* item : items) rename_item(*item);
  const auto renamed = by_target(items);
  // A few directories are synced faster than all that other programs have written meanwhile.
  static constexpr std::size_t few = 4;
  if (renamed.size() <= few) {
    for (const auto& group : renamed) sync_target(group);
    return;
  }
  if (auto synced = any.sync_file_system(); !synced) {
    for (BatchItem* item : items) {
      if (item->result) item->result = fail(StoreError(synced.error()));
    }
  }
}

CommitMode CommitChoice::choose(std::size_t messages) {
  if (mode_ != CommitMode::automatic) return mode_;
  if (messages < file_system_from_) return CommitMode::file;
  if (file_system_ == Duration::zero()) return CommitMode::file_system;
  // Nothing to compare with yet: go on unless it was slow by anybody's measure.
  if (per_file_ == Duration::zero()) {
    return file_system_ < slow_sync ? CommitMode::file_system : CommitMode::file;
  }
  if (file_system_ < per_file_ * static_cast<Duration::rep>(messages)) {
    return CommitMode::file_system;
  }
  // It may have been slow because of somebody else's copying.
  if (++against_ >= forget_after) {
    against_ = 0;
    return CommitMode::file_system;
  }
  return CommitMode::file;
}

void CommitChoice::report(CommitMode mode, std::size_t messages, Duration took) {
  if (messages == 0) return;
  if (mode == CommitMode::file_system) {
    file_system_ = took;
    return;
  }
  // A lone file pays for a whole flush: it is a hint only while there is nothing better.
  if (messages < 2 && per_file_ != Duration::zero()) return;
  const Duration each = took / static_cast<Duration::rep>(messages);
  per_file_ = first_hint_ || per_file_ == Duration::zero() ? each : (per_file_ * 7 + each) / 8;
  first_hint_ = messages < 2;
}

}  // namespace posthorn::store
