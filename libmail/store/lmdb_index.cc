#include "libmail/store/lmdb_index.h"

#include <lmdb.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cstring>

#include "libmail/base/crc32c.h"
#include "libmail/store/index_values.h"
#include "libmail/store/lmdb_file.h"
#include "libmail/store/memory_index.h"

namespace posthorn::store {

namespace {

constexpr std::size_t slice = 4096;  // values read in one transaction
constexpr const char* header_key = "header";
constexpr const char* used_key = "used";  // when each kind of values was last asked for

static_assert(LmdbFile::tables == LmdbFile::first_value + cached_values);

std::string_view view(const MDB_val& value) {
  return {static_cast<const char*>(value.mv_data), value.mv_size};
}

MDB_val val(std::string_view octets) {
  return {octets.size(), const_cast<char*>(octets.data())};
}

template <class T>
MDB_val number(T& key) {
  return {sizeof key, &key};
}

template <class T>
std::optional<T> number_of(const MDB_val& key) {
  if (key.mv_size != sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, key.mv_data, sizeof value);
  return value;
}

class Cursor {
 public:
  Cursor(MDB_txn* transaction, MDB_dbi table) {
    if (mdb_cursor_open(transaction, table, &cursor_) != 0) cursor_ = nullptr;
  }
  ~Cursor() {
    if (cursor_ != nullptr) mdb_cursor_close(cursor_);
  }
  Cursor(const Cursor&) = delete;
  Cursor& operator=(const Cursor&) = delete;
  int get(MDB_val& key, MDB_val& value, MDB_cursor_op operation) {
    return cursor_ == nullptr ? ENOMEM : mdb_cursor_get(cursor_, &key, &value, operation);
  }
  int put(MDB_val& key, MDB_val& value, unsigned flags) {
    return cursor_ == nullptr ? ENOMEM : mdb_cursor_put(cursor_, &key, &value, flags);
  }
  int remove() { return mdb_cursor_del(cursor_, 0); }

 private:
  MDB_cursor* cursor_ = nullptr;
};

// Puts values by ascending UIDs. What comes behind the table's last key is appended, without a search, and fills its pages.
class Appender {
 public:
  Appender(MDB_txn* transaction, MDB_dbi table) : cursor_(transaction, table) {
    MDB_val key{};
    MDB_val value{};
    failed_ = cursor_.get(key, value, MDB_LAST);
    if (failed_ == 0) last_ = number_of<std::uint32_t>(key).value_or(UINT32_MAX);
    if (failed_ == MDB_NOTFOUND) failed_ = 0;
  }
  int put(std::uint32_t uid, MDB_val& value, unsigned flags = 0) {
    if (failed_ != 0) return failed_;  // a damaged table; the transaction is worth nothing
    MDB_val key = number(uid);
    const bool behind = uid > last_;
    if (behind) last_ = uid;
    return cursor_.put(key, value, flags | (behind ? MDB_APPEND : 0));
  }

 private:
  Cursor cursor_;
  int failed_ = 0;
  std::uint32_t last_ = 0;
};

class LmdbIndex final : public MailIndex {
 public:
  LmdbIndex(std::unique_ptr<LmdbFile> file, std::size_t expunges)
      : file_(std::move(file)), vanished_limit_(expunges) {}

  StoreResult<std::optional<IndexHeader>> header() override;
  StoreResult<void> rows(const std::function<void(const MessageRow&)>& take) override;
  StoreResult<void> names(
      const std::function<void(std::uint32_t, std::string_view)>& take) override;
  StoreResult<std::vector<std::string>> names_of(std::span<const std::uint32_t> uids) override;
  StoreResult<std::uint64_t> write(const IndexBatch& batch) override;
  StoreResult<std::vector<std::uint32_t>> vanished(std::uint64_t modseq) override;
  StoreResult<void> values(
      CachedValue kind, std::span<const std::uint32_t> uids,
      const std::function<void(std::uint32_t, std::string_view)>& take) override;
  StoreResult<void> put_values(
      CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) override;
  void forget_unused(WallTime now) override;
  StoreResult<void> clear() override;
  void rest() override { file_->rest(); }

 private:
  [[nodiscard]] MDB_dbi table(std::size_t which) const { return file_->table(which); }
  StoreResult<void> values_in(std::size_t table, std::span<const std::uint32_t> uids,
                              const std::function<void(std::uint32_t, std::string_view)>& take);
  int remove(MDB_txn* transaction, std::size_t table, const std::vector<std::uint32_t>& uids);
  int put_batch(MDB_txn* transaction, const IndexBatch& batch, std::uint64_t& forgotten);
  int put_rows(MDB_txn* transaction, const IndexBatch& batch);
  int put_vanished(MDB_txn* transaction, const IndexBatch& batch);
  int trim_vanished(MDB_txn* transaction, std::uint64_t& forgotten);

  using Days = std::array<std::uint32_t, cached_values>;  // since 1970, by kind; 0: never

  enum class Fate : std::uint8_t { stays, used_today, goes };
  StoreResult<Days> used_days();
  [[nodiscard]] Fate fate_of(std::size_t kind, std::uint32_t day, std::uint32_t today) const;

  std::unique_ptr<LmdbFile> file_;
  std::array<std::atomic<bool>, cached_values> asked_{};  // since forget_unused()
  std::atomic<std::uint32_t> looked_ = 0;                 // the day of that
  std::size_t vanished_limit_;
  std::unique_ptr<MemoryIndex> memory_;  // once another process has the file
  std::atomic<MemoryIndex*> instead_ = nullptr;
};

StoreResult<std::optional<IndexHeader>> LmdbIndex::header() {
  if (MemoryIndex* other = instead_) return other->header();
  std::optional<IndexHeader> header;
  bool damaged = false;
  auto done = file_->reading("header", [&](MDB_txn* transaction) {
    MDB_val key = val(header_key);
    MDB_val value{};
    const int code = mdb_get(transaction, table(LmdbFile::head), &key, &value);
    if (code != 0) return code;
    header = decode_header(view(value));
    damaged = !header;
    return 0;
  });
  if (!done) return fail(std::move(done.error()));
  if (damaged) return fail(corrupt_index("its header can't be read"));
  return header;
}

StoreResult<void> LmdbIndex::rows(const std::function<void(const MessageRow&)>& take) {
  if (MemoryIndex* other = instead_) return other->rows(take);
  bool damaged = false;
  auto done = file_->reading("rows", [&](MDB_txn* transaction) {
    Cursor cursor(transaction, table(LmdbFile::rows));
    MDB_val key{};
    MDB_val value{};
    int code = cursor.get(key, value, MDB_FIRST);
    for (; code == 0; code = cursor.get(key, value, MDB_NEXT)) {
      const auto row = decode_row(number_of<std::uint32_t>(key).value_or(0), view(value));
      damaged = !row;
      if (damaged) return 0;
      take(*row);
    }
    return code;
  });
  if (done && damaged) return fail(corrupt_index("a row can't be read"));
  return done;
}

StoreResult<void> LmdbIndex::names(
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  if (MemoryIndex* other = instead_) return other->names(take);
  return file_->reading("names", [&](MDB_txn* transaction) {
    Cursor cursor(transaction, table(LmdbFile::names));
    MDB_val key{};
    MDB_val value{};
    int code = cursor.get(key, value, MDB_FIRST);
    for (; code == 0; code = cursor.get(key, value, MDB_NEXT)) {
      if (const auto uid = number_of<std::uint32_t>(key)) take(*uid, view(value));
    }
    return code;
  });
}

StoreResult<std::vector<std::string>> LmdbIndex::names_of(std::span<const std::uint32_t> uids) {
  if (MemoryIndex* other = instead_) return other->names_of(uids);
  std::vector<std::string> names(uids.size());
  std::size_t at = 0;
  auto done = values_in(LmdbFile::names, uids, [&](std::uint32_t uid, std::string_view name) {
    while (uids[at] != uid) ++at;
    names[at] = name;
  });
  if (!done) return fail(std::move(done.error()));
  return names;
}

// Ascending UIDs: the next one is mostly the next in the table.
StoreResult<void> LmdbIndex::values_in(
    std::size_t table, std::span<const std::uint32_t> uids,
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  while (!uids.empty()) {
    const auto some = uids.first(std::min(slice, uids.size()));
    uids = uids.subspan(some.size());
    auto done = file_->reading("values", [&](MDB_txn* transaction) {
      Cursor cursor(transaction, this->table(table));
      MDB_val key{};
      MDB_val value{};
      std::optional<std::uint32_t> at;
      for (std::uint32_t uid : some) {
        int code = 0;
        if (at && *at < uid) code = cursor.get(key, value, MDB_NEXT);
        if (code == 0 && at && *at < uid) at = number_of<std::uint32_t>(key);
        if (code == 0 && (!at || *at < uid)) {
          key = number(uid);
          code = cursor.get(key, value, MDB_SET_RANGE);
          if (code == 0) at = number_of<std::uint32_t>(key);
        }
        if (code == MDB_NOTFOUND) return 0;
        if (code != 0) return code;
        if (at && *at == uid) take(uid, view(value));
      }
      return 0;
    });
    if (!done) return done;
  }
  return {};
}

int LmdbIndex::put_rows(MDB_txn* transaction, const IndexBatch& batch) {
  Appender rows(transaction, table(LmdbFile::rows));
  std::array<char, row_octets> octets{};
  for (const MessageRow& row : batch.rows) {
    encode_row(row, octets.data());
    MDB_val value{octets.size(), octets.data()};
    if (const int code = rows.put(row.uid, value); code != 0) return code;
  }
  Appender names(transaction, table(LmdbFile::names));
  for (const auto& [uid, name] : batch.names) {
    MDB_val value = val(name);
    if (const int code = names.put(uid, value); code != 0) return code;
  }
  for (const std::size_t table : {std::size_t{LmdbFile::rows}, std::size_t{LmdbFile::names}}) {
    if (const int code = remove(transaction, table, batch.removed); code != 0) return code;
  }
  for (std::size_t table = LmdbFile::first_value; table < LmdbFile::tables; ++table) {
    if (const int code = remove(transaction, table, batch.removed); code != 0) return code;
  }
  return 0;
}

int LmdbIndex::remove(MDB_txn* transaction, std::size_t table,
                      const std::vector<std::uint32_t>& uids) {
  MDB_stat stat{};
  if (uids.empty() || mdb_stat(transaction, this->table(table), &stat) != 0 || stat.ms_entries == 0)
    return 0;
  Cursor cursor(transaction, this->table(table));
  for (std::uint32_t uid : uids) {
    MDB_val key = number(uid);
    MDB_val value{};
    int code = cursor.get(key, value, MDB_SET);
    if (code == MDB_NOTFOUND) continue;
    if (code == 0) code = cursor.remove();
    if (code != 0) return code;
  }
  return 0;
}

int LmdbIndex::put_vanished(MDB_txn* transaction, const IndexBatch& batch) {
  for (const auto& [when, uids] : batch.vanished) {
    std::uint64_t modseq = when;
    MDB_val key = number(modseq);
    MDB_val old{};
    std::vector<std::uint32_t> all = uids;
    if (mdb_get(transaction, table(LmdbFile::vanished), &key, &old) == 0) {
      if (const auto before = decode_uids(view(old)))
        all.insert(all.end(), before->begin(), before->end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    const std::string text = encode_uids(all);
    MDB_val value = val(text);
    if (const int code = mdb_put(transaction, table(LmdbFile::vanished), &key, &value, 0);
        code != 0)
      return code;
  }
  return 0;
}

// The oldest go when there are too many; whoever asks from before them hears of all UIDs that are not there.
int LmdbIndex::trim_vanished(MDB_txn* transaction, std::uint64_t& forgotten) {
  MDB_stat stat{};
  mdb_stat(transaction, table(LmdbFile::vanished), &stat);
  // Counting runs is too dear for each commit; an entry is an expunge.
  while (stat.ms_entries > vanished_limit_) {
    Cursor cursor(transaction, table(LmdbFile::vanished));
    MDB_val key{};
    MDB_val value{};
    int code = cursor.get(key, value, MDB_FIRST);
    if (code != 0) return code == MDB_NOTFOUND ? 0 : code;
    forgotten = std::max(forgotten, number_of<std::uint64_t>(key).value_or(0));
    if (code = cursor.remove(); code != 0) return code;
    --stat.ms_entries;
  }
  return 0;
}

int LmdbIndex::put_batch(MDB_txn* transaction, const IndexBatch& batch, std::uint64_t& forgotten) {
  if (const int code = put_rows(transaction, batch); code != 0) return code;
  if (const int code = put_vanished(transaction, batch); code != 0) return code;
  if (!batch.header) return 0;
  IndexHeader header = *batch.header;
  if (const int code = trim_vanished(transaction, forgotten); code != 0) return code;
  header.vanished_from = std::max(header.vanished_from, forgotten);
  const std::string text = encode_header(header);
  MDB_val key = val(header_key);
  MDB_val value = val(text);
  return mdb_put(transaction, table(LmdbFile::head), &key, &value, 0);
}

StoreResult<std::uint64_t> LmdbIndex::write(const IndexBatch& batch) {
  if (MemoryIndex* other = instead_) return other->write(batch);
  std::uint64_t forgotten = 0;
  auto done = file_->writing("write", [&](MDB_txn* transaction) {
    forgotten = 0;
    return put_batch(transaction, batch, forgotten);
  });
  if (!done) return fail(std::move(done.error()));
  return forgotten;
}

StoreResult<std::vector<std::uint32_t>> LmdbIndex::vanished(std::uint64_t modseq) {
  if (MemoryIndex* other = instead_) return other->vanished(modseq);
  std::vector<std::uint32_t> uids;
  bool damaged = false;
  auto done = file_->reading("vanished", [&](MDB_txn* transaction) {
    Cursor cursor(transaction, table(LmdbFile::vanished));
    std::uint64_t from = modseq + 1;
    MDB_val key = number(from);
    MDB_val value{};
    int code = cursor.get(key, value, MDB_SET_RANGE);
    for (; code == 0; code = cursor.get(key, value, MDB_NEXT)) {
      const auto some = decode_uids(view(value));
      damaged = damaged || !some;
      if (some) uids.insert(uids.end(), some->begin(), some->end());
    }
    return code;
  });
  if (!done) return fail(std::move(done.error()));
  if (damaged) return fail(corrupt_index("a list of what vanished can't be read"));
  std::sort(uids.begin(), uids.end());
  uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
  return uids;
}

StoreResult<void> LmdbIndex::values(
    CachedValue kind, std::span<const std::uint32_t> uids,
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  if (MemoryIndex* other = instead_) return other->values(kind, uids, take);
  asked_[static_cast<std::size_t>(kind)] = true;
  return values_in(LmdbFile::first_value + static_cast<std::size_t>(kind), uids,
                   [&](std::uint32_t uid, std::string_view value) {
                     // Made by us, but not to be sent to a client when it was damaged.
                     if (value.size() < 4) return;
                     std::uint32_t sum = 0;
                     std::memcpy(&sum, value.data(), 4);
                     value.remove_prefix(4);
                     if (sum == crc32c(uid, value)) take(uid, value);
                   });
}

StoreResult<void> LmdbIndex::put_values(
    CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) {
  if (MemoryIndex* other = instead_) return other->put_values(kind, values);
  asked_[static_cast<std::size_t>(kind)] = true;
  return file_->writing("values", [&](MDB_txn* transaction) {
    Cursor rows(transaction, table(LmdbFile::rows));
    Appender appender(transaction, table(LmdbFile::first_value + static_cast<std::size_t>(kind)));
    for (const auto& [number_, text] : values) {
      std::uint32_t uid = number_;
      MDB_val key = number(uid);
      MDB_val value{};
      const int known = rows.get(key, value, MDB_SET);
      if (known == MDB_NOTFOUND) continue;
      if (known != 0) return known;
      const std::uint32_t sum = crc32c(uid, text);
      value = MDB_val{text.size() + 4, nullptr};
      if (const int code = appender.put(uid, value, MDB_RESERVE); code != 0) return code;
      std::memcpy(value.mv_data, &sum, 4);
      std::memcpy(static_cast<char*>(value.mv_data) + 4, text.data(), text.size());
    }
    return 0;
  });
}

StoreResult<LmdbIndex::Days> LmdbIndex::used_days() {
  Days days{};
  auto done = file_->reading("days", [&](MDB_txn* transaction) {
    MDB_val key = val(used_key);
    MDB_val value{};
    const int code = mdb_get(transaction, table(LmdbFile::head), &key, &value);
    if (code == 0 && value.mv_size == sizeof days)
      std::memcpy(days.data(), value.mv_data, sizeof days);
    return code;
  });
  if (!done) return fail(std::move(done.error()));
  return days;
}

// A day in the future is of a clock that was set back.
LmdbIndex::Fate LmdbIndex::fate_of(std::size_t kind, std::uint32_t day, std::uint32_t today) const {
  if (asked_[kind] || day > today) return day == today ? Fate::stays : Fate::used_today;
  return day != 0 && day + unused_for.count() < today ? Fate::goes : Fate::stays;
}

void LmdbIndex::forget_unused(WallTime now) {
  const auto today = static_cast<std::uint32_t>(
      std::chrono::floor<std::chrono::days>(now).time_since_epoch().count());
  const bool any =
      std::any_of(asked_.begin(), asked_.end(), [](const auto& one) { return one.load(); });
  if (instead_ != nullptr || (!any && looked_ == today)) return;
  auto days = used_days();
  if (!days) return;
  std::vector<std::size_t> going;
  bool changed = false;
  for (std::size_t kind = 0; kind < cached_values; ++kind) {
    const Fate fate = fate_of(kind, (*days)[kind], today);
    if (fate == Fate::stays) continue;
    if (fate == Fate::goes) going.push_back(kind);
    (*days)[kind] = fate == Fate::goes ? 0 : today;
    changed = true;
  }
  if (changed) {
    // If it fails, another time: it is only a cache.
    (void)file_->writing("days", [&](MDB_txn* transaction) {
      for (const std::size_t kind : going) {
        const int code = mdb_drop(transaction, table(LmdbFile::first_value + kind), 0);
        if (code != 0) return code;
      }
      MDB_val key = val(used_key);
      MDB_val value{sizeof *days, days->data()};
      return mdb_put(transaction, table(LmdbFile::head), &key, &value, 0);
    });
  }
  for (auto& one : asked_) one = false;
  looked_ = today;
}

StoreResult<void> LmdbIndex::clear() {
  if (MemoryIndex* other = instead_) return other->clear();
  auto cleared = file_->clear();
  if (!cleared) return fail(std::move(cleared.error()));
  if (*cleared) return {};
  memory_ = std::make_unique<MemoryIndex>();
  instead_ = memory_.get();
  return {};
}

}  // namespace

std::unique_ptr<MailIndex> open_lmdb_index(Directory& directory, std::size_t expunges) {
  auto file = LmdbFile::open(directory);
  if (file == nullptr) return nullptr;
  return std::make_unique<LmdbIndex>(std::move(file), expunges);
}

}  // namespace posthorn::store
