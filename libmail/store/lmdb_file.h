// The LMDB environment behind an index: one file in a mailbox's directory, for one process at a time. Opened, grown, put to rest, made anew.
#pragma once

#include <lmdb.h>

#include <array>
#include <atomic>
#include <memory>
#include <optional>
#include <shared_mutex>

#include "libmail/store/error.h"
#include "libmail/store/files.h"
#include "libmail/store/index_guard.h"

namespace posthorn::store {

// Of an LMDB function that failed: corrupt_index, disk_full, over_quota or unavailable.
[[nodiscard]] StoreError index_error(int code, const char* what);
[[nodiscard]] StoreError corrupt_index(const char* what);

class LmdbFile {
 public:
  enum Table {
    head,
    rows,
    names,
    vanished,
    first_value
  };  // one for each CachedValue from there on
  static constexpr std::size_t tables = first_value + 5;

  // nullptr: another process has it, or there can't be one. One that is damaged is made anew. `directory` outlives it.
  static std::unique_ptr<LmdbFile> open(Directory& directory);
  ~LmdbFile() { close(); }
  LmdbFile(const LmdbFile&) = delete;
  LmdbFile& operator=(const LmdbFile&) = delete;

  // `work` gets a transaction and gives LMDB's code. MDB_NOTFOUND is none in reading(); a file that is new has no tables, and
  // `work` is not called. writing() may call it again: the map has grown.
  template <class F>
  StoreResult<void> reading(const char* what, F work) {
    const auto hold = awake();
    if (environment_ == nullptr) return fail(corrupt_index(not_ours));
    if (!has_tables_) return {};
    const IndexGuard guard(owner_->descriptor());
    MDB_txn* transaction = nullptr;
    if (const int code = begin_reading(&transaction); code != 0)
      return fail(index_error(code, what));
    const int code = work(transaction);
    mdb_txn_abort(transaction);
    if (code != 0 && code != MDB_NOTFOUND) return fail(index_error(code, what));
    return {};
  }
  template <class F>
  StoreResult<void> writing(const char* what, F work) {
    for (;;) {
      const int code = write_once(work);
      if (code == 0) return {};
      if (code == removed) return fail(corrupt_index(not_ours));
      if (code != MDB_MAP_FULL) return fail(index_error(code, what));
      if (const int failed = grow(); failed != 0) return fail(index_error(failed, what));
    }
  }
  // In a transaction of this file.
  [[nodiscard]] MDB_dbi table(std::size_t which) const { return table_[which]; }

  // Everything goes. False: the file was removed, and another process has the one that is there now; this one is good for
  // nothing any more.
  StoreResult<bool> clear();
  // Memory and address space are given back until the next transaction; the file stays locked. If it is not the same then, or was
  // written by somebody else, everything is corrupt_index until clear().
  void rest();

 private:
  // The file as it was when it was closed; nobody else writes it.
  struct Left {
    FileStatus status;
    std::size_t transaction = 0;
  };
  static constexpr const char* not_ours = "removed or changed by somebody else";
  static constexpr int removed = -1;  // no code of LMDB's

  LmdbFile(Directory& directory, std::unique_ptr<File> owner);
  int open_environment();
  [[nodiscard]] bool is_whole();
  int open_tables(MDB_txn* transaction, unsigned flags);
  void close();
  int begin_reading(MDB_txn** transaction);
  int grow();
  [[nodiscard]] std::size_t last_transaction() const;
  [[nodiscard]] bool is_as_left();
  void wake();
  std::shared_lock<std::shared_mutex> awake();
  bool take_file();

  template <class F>
  int write_once(F& work) {
    const auto hold = awake();
    if (environment_ == nullptr) return removed;
    const IndexGuard guard(owner_->descriptor());
    MDB_txn* transaction = nullptr;
    int code = mdb_txn_begin(environment_, nullptr, 0, &transaction);
    if (code != 0) return code;
    if (!has_tables_) code = open_tables(transaction, MDB_CREATE);
    if (code == 0) code = work(transaction);
    if (code == 0)
      code = mdb_txn_commit(transaction);
    else
      mdb_txn_abort(transaction);
    if (code == 0) has_tables_ = true;
    return code;
  }

  Directory& directory_;
  std::string path_;
  std::unique_ptr<File> owner_;  // holds the lock that makes us the only process
  std::shared_mutex alone_;  // the environment may go, or its map grow, only while nobody uses it
  MDB_env* environment_ = nullptr;
  std::array<MDB_dbi, tables> table_{};
  std::atomic<bool> has_tables_ = false;  // table_ is good
  std::optional<Left> left_;              // at rest
};

}  // namespace posthorn::store
