#include "libmail/store/lmdb_index.h"

#include <fmt/format.h>
#include <lmdb.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>
#include <shared_mutex>

#include "libmail/base/crc32c.h"
#include "libmail/store/index_guard.h"
#include "libmail/store/index_values.h"
#include "libmail/store/maildir.h"

namespace posthorn::store {

namespace {

constexpr std::size_t first_map = 16ULL << 20;  // octets; the map doubles as it fills
constexpr std::size_t last_map = 256ULL << 30;
constexpr std::size_t slice = 4096;  // values read in one transaction
constexpr const char* header_key = "header";

enum Table { head, rows_table, names_table, vanished_table, first_value };
constexpr std::size_t tables = first_value + cached_values;
constexpr std::array<const char*, tables> table_names = {
    "head", "rows", "names", "vanished", "envelope", "structure", "parts", "header", "preview"};

StoreError error_of(int code, const char* what) {
  using Kind = StoreError::Kind;
  const std::string text = fmt::format("index: {}: {}", what, mdb_strerror(code));
  switch (code) {
    // Some of these LMDB means for a program's mistakes; what makes none meets them in a file that was scribbled on.
    case MDB_CORRUPTED:
    case MDB_PAGE_NOTFOUND:
    case MDB_VERSION_MISMATCH:
    case MDB_INVALID:
    case MDB_BAD_VALSIZE:
    case MDB_INCOMPATIBLE:
    case MDB_PANIC:
    case MDB_NOTFOUND:
    case MDB_KEYEXIST:
    case MDB_MAP_RESIZED:
    case MDB_CURSOR_FULL:
    case MDB_PAGE_FULL:
    case MDB_BAD_TXN:
    case MDB_BAD_DBI:
    case EINVAL:
      return {Kind::corrupt_index, text};
    case ENOSPC:
    case MDB_MAP_FULL:
      return {Kind::disk_full, text};
    case EDQUOT:
      return {Kind::over_quota, text};
    default:
      return {Kind::unavailable, text};
  }
}

StoreError corrupt(const char* what) {
  return {StoreError::Kind::corrupt_index, fmt::format("index: {}", what)};
}

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
  LmdbIndex(std::string path, std::unique_ptr<File> owner, std::size_t expunges)
      : path_(std::move(path)), owner_(std::move(owner)), vanished_limit_(expunges) {}
  ~LmdbIndex() override { close(); }

  int open();
  void close();

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
  StoreResult<void> clear() override;

 private:
  template <class F>
  StoreResult<void> reading(const char* what, F work);
  template <class F>
  StoreResult<void> writing(const char* what, F work);
  StoreResult<void> values_in(std::size_t table, std::span<const std::uint32_t> uids,
                              const std::function<void(std::uint32_t, std::string_view)>& take);
  int remove(MDB_txn* transaction, std::size_t table, const std::vector<std::uint32_t>& uids);
  int open_tables(MDB_txn* transaction, unsigned flags);
  int put_batch(MDB_txn* transaction, const IndexBatch& batch, std::uint64_t& forgotten);
  int put_rows(MDB_txn* transaction, const IndexBatch& batch);
  int put_vanished(MDB_txn* transaction, const IndexBatch& batch);
  int trim_vanished(MDB_txn* transaction, std::uint64_t& forgotten);

  std::string path_;
  std::unique_ptr<File> owner_;  // holds the lock that makes us the only process
  std::size_t vanished_limit_;
  std::shared_mutex resizing_;  // the map may grow only while nobody reads
  MDB_env* environment_ = nullptr;
  std::array<MDB_dbi, tables> table_{};
  std::atomic<bool> has_tables_ = false;  // table_ is good
};

int LmdbIndex::open() {
  const IndexGuard guard(owner_->descriptor());
  int code = mdb_env_create(&environment_);
  if (code != 0) return code;
  mdb_env_set_maxdbs(environment_, tables);
  mdb_env_set_mapsize(environment_, first_map);
  constexpr unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD;
  code = mdb_env_open(environment_, path_.c_str(), flags, file_mode);
  MDB_txn* transaction = nullptr;
  if (code == 0) {
    // The map is at least as large as what was written; a file that is shorter than that was cut.
    MDB_envinfo info{};
    MDB_stat stat{};
    mdb_env_info(environment_, &info);
    mdb_env_stat(environment_, &stat);
    const auto status = owner_->status();
    if (!status || (status->size > 0 && status->size < (info.me_last_pgno + 1) * stat.ms_psize &&
                    info.me_last_txnid > 0))
      code = MDB_CORRUPTED;
  }
  if (code == 0) code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction);
  if (code == 0) code = open_tables(transaction, 0);
  if (code == 0) {
    code = mdb_txn_commit(transaction);
    has_tables_ = code == 0;
    return code;
  }
  if (transaction != nullptr) mdb_txn_abort(transaction);
  // A new one gets its tables with what is written first: a commit waits for the disk.
  has_tables_ = false;
  if (code != MDB_NOTFOUND) return code;
  MDB_envinfo info{};
  mdb_env_info(environment_, &info);
  return info.me_last_txnid == 0 ? 0 : MDB_CORRUPTED;
}

int LmdbIndex::open_tables(MDB_txn* transaction, unsigned flags) {
  int code = 0;
  for (std::size_t i = 0; code == 0 && i < tables; ++i)
    code = mdb_dbi_open(transaction, table_names[i], flags | (i == head ? 0U : MDB_INTEGERKEY),
                        &table_[i]);
  return code;
}

void LmdbIndex::close() {
  if (environment_ != nullptr) mdb_env_close(environment_);
  environment_ = nullptr;
}

template <class F>
StoreResult<void> LmdbIndex::reading(const char* what, F work) {
  const std::shared_lock hold(resizing_);
  if (environment_ == nullptr) return fail(corrupt("not open"));
  if (!has_tables_) return {};
  const IndexGuard guard(owner_->descriptor());
  MDB_txn* transaction = nullptr;
  int code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction);
  if (code == MDB_READERS_FULL) {
    // Readers of processes that were killed still have their places.
    int dead = 0;
    mdb_reader_check(environment_, &dead);
    code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, &transaction);
  }
  if (code != 0) return fail(error_of(code, what));
  code = work(transaction);
  mdb_txn_abort(transaction);
  if (code != 0 && code != MDB_NOTFOUND) return fail(error_of(code, what));
  return {};
}

template <class F>
StoreResult<void> LmdbIndex::writing(const char* what, F work) {
  for (;;) {
    int code = 0;
    {
      const std::shared_lock hold(resizing_);
      if (environment_ == nullptr) return fail(corrupt("not open"));
      const IndexGuard guard(owner_->descriptor());
      MDB_txn* transaction = nullptr;
      code = mdb_txn_begin(environment_, nullptr, 0, &transaction);
      if (code == 0) {
        if (!has_tables_) code = open_tables(transaction, MDB_CREATE);
        if (code == 0) code = work(transaction);
        if (code == 0)
          code = mdb_txn_commit(transaction);
        else
          mdb_txn_abort(transaction);
      }
      if (code == 0) has_tables_ = true;
    }
    if (code == 0) return {};
    if (code != MDB_MAP_FULL) return fail(error_of(code, what));
    const std::unique_lock alone(resizing_);
    MDB_envinfo info{};
    mdb_env_info(environment_, &info);
    if (info.me_mapsize >= last_map) return fail(error_of(code, what));
    code = mdb_env_set_mapsize(environment_, info.me_mapsize * 2);
    if (code != 0) return fail(error_of(code, what));
  }
}

StoreResult<std::optional<IndexHeader>> LmdbIndex::header() {
  std::optional<IndexHeader> header;
  bool damaged = false;
  auto done = reading("header", [&](MDB_txn* transaction) {
    MDB_val key = val(header_key);
    MDB_val value{};
    const int code = mdb_get(transaction, table_[head], &key, &value);
    if (code != 0) return code;
    header = decode_header(view(value));
    damaged = !header;
    return 0;
  });
  if (!done) return fail(std::move(done.error()));
  if (damaged) return fail(corrupt("its header can't be read"));
  return header;
}

StoreResult<void> LmdbIndex::rows(const std::function<void(const MessageRow&)>& take) {
  bool damaged = false;
  auto done = reading("rows", [&](MDB_txn* transaction) {
    Cursor cursor(transaction, table_[rows_table]);
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
  if (done && damaged) return fail(corrupt("a row can't be read"));
  return done;
}

StoreResult<void> LmdbIndex::names(
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  return reading("names", [&](MDB_txn* transaction) {
    Cursor cursor(transaction, table_[names_table]);
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
  std::vector<std::string> names(uids.size());
  std::size_t at = 0;
  auto done = values_in(names_table, uids, [&](std::uint32_t uid, std::string_view name) {
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
    auto done = reading("values", [&](MDB_txn* transaction) {
      Cursor cursor(transaction, table_[table]);
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
  Appender rows(transaction, table_[rows_table]);
  std::array<char, row_octets> octets{};
  for (const MessageRow& row : batch.rows) {
    encode_row(row, octets.data());
    MDB_val value{octets.size(), octets.data()};
    if (const int code = rows.put(row.uid, value); code != 0) return code;
  }
  Appender names(transaction, table_[names_table]);
  for (const auto& [uid, name] : batch.names) {
    MDB_val value = val(name);
    if (const int code = names.put(uid, value); code != 0) return code;
  }
  for (const std::size_t table : {std::size_t{rows_table}, std::size_t{names_table}}) {
    if (const int code = remove(transaction, table, batch.removed); code != 0) return code;
  }
  for (std::size_t table = first_value; table < tables; ++table) {
    if (const int code = remove(transaction, table, batch.removed); code != 0) return code;
  }
  return 0;
}

int LmdbIndex::remove(MDB_txn* transaction, std::size_t table,
                      const std::vector<std::uint32_t>& uids) {
  MDB_stat stat{};
  if (uids.empty() || mdb_stat(transaction, table_[table], &stat) != 0 || stat.ms_entries == 0)
    return 0;
  Cursor cursor(transaction, table_[table]);
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
    if (mdb_get(transaction, table_[vanished_table], &key, &old) == 0) {
      if (const auto before = decode_uids(view(old)))
        all.insert(all.end(), before->begin(), before->end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    const std::string text = encode_uids(all);
    MDB_val value = val(text);
    if (const int code = mdb_put(transaction, table_[vanished_table], &key, &value, 0); code != 0)
      return code;
  }
  return 0;
}

// The oldest go when there are too many; whoever asks from before them hears of all UIDs that are not there.
int LmdbIndex::trim_vanished(MDB_txn* transaction, std::uint64_t& forgotten) {
  MDB_stat stat{};
  mdb_stat(transaction, table_[vanished_table], &stat);
  // Counting runs is too dear for each commit; an entry is an expunge.
  while (stat.ms_entries > vanished_limit_) {
    Cursor cursor(transaction, table_[vanished_table]);
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
  return mdb_put(transaction, table_[head], &key, &value, 0);
}

StoreResult<std::uint64_t> LmdbIndex::write(const IndexBatch& batch) {
  std::uint64_t forgotten = 0;
  auto done = writing("write", [&](MDB_txn* transaction) {
    forgotten = 0;
    return put_batch(transaction, batch, forgotten);
  });
  if (!done) return fail(std::move(done.error()));
  return forgotten;
}

StoreResult<std::vector<std::uint32_t>> LmdbIndex::vanished(std::uint64_t modseq) {
  std::vector<std::uint32_t> uids;
  bool damaged = false;
  auto done = reading("vanished", [&](MDB_txn* transaction) {
    Cursor cursor(transaction, table_[vanished_table]);
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
  if (damaged) return fail(corrupt("a list of what vanished can't be read"));
  std::sort(uids.begin(), uids.end());
  uids.erase(std::unique(uids.begin(), uids.end()), uids.end());
  return uids;
}

StoreResult<void> LmdbIndex::values(
    CachedValue kind, std::span<const std::uint32_t> uids,
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  return values_in(first_value + static_cast<std::size_t>(kind), uids,
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
  return writing("values", [&](MDB_txn* transaction) {
    Cursor rows(transaction, table_[rows_table]);
    Appender appender(transaction, table_[first_value + static_cast<std::size_t>(kind)]);
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

StoreResult<void> LmdbIndex::clear() {
  if (environment_ != nullptr && !has_tables_) return {};
  // The file is made anew, not emptied: one that was damaged may say that it is empty, and fail at the next page.
  const std::unique_lock alone(resizing_);
  close();
  if (const auto cut = owner_->truncate(0); !cut)
    return fail(StoreError(StoreError::Kind::unavailable, "index: " + cut.error().text()));
  if (const int code = open(); code != 0) {
    close();
    return fail(error_of(code, "make anew"));
  }
  return {};
}

}  // namespace

std::unique_ptr<MailIndex> open_lmdb_index(Directory& directory, std::size_t expunges) {
  if (directory.descriptor() < 0) return nullptr;
  const auto status = directory.status(index_name);
  if (status && status->type != FileStatus::Type::file) return nullptr;
  auto owner = directory.open_file(index_name, OpenMode::update, file_mode);
  if (!owner) return nullptr;
  const auto locked = (*owner)->try_lock();
  if (!locked || !*locked) return nullptr;
  File& file = **owner;
  // By the descriptor: the path may have been changed by whoever owns it.
  const std::string path = fmt::format("/proc/self/fd/{}/{}", directory.descriptor(), index_name);
  auto index = std::make_unique<LmdbIndex>(path, std::move(*owner), expunges);
  if (index->open() == 0) return index;
  index->close();
  if (!file.truncate(0) || index->open() != 0) return nullptr;
  return index;
}

}  // namespace posthorn::store
