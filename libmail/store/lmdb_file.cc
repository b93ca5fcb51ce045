#include "libmail/store/lmdb_file.h"

#include <fmt/format.h>

#include <cerrno>
#include <mutex>

#include "libmail/store/lmdb_index.h"
#include "libmail/store/maildir.h"

namespace posthorn::store {

namespace {

constexpr std::size_t first_map = 16ULL << 20;  // octets; the map doubles as it fills
constexpr std::size_t last_map = 256ULL << 30;
constexpr const char* lock_name = "posthorn.index-lock";  // LMDB's, of one environment
constexpr std::array<const char*, LmdbFile::tables> table_names = {
    "head", "rows", "names", "vanished", "envelope", "structure", "parts", "header", "preview"};

// The index's file, locked: we are the only process that has it. nullptr: we are not.
std::unique_ptr<File> open_owner(Directory& directory) {
  const auto status = directory.status(index_name);
  if (status && status->type != FileStatus::Type::file) return nullptr;
  auto owner = directory.open_file(index_name, OpenMode::update, file_mode);
  if (!owner) return nullptr;
  const auto locked = (*owner)->try_lock();
  if (!locked || !*locked) return nullptr;
  return std::move(*owner);
}

}  // namespace

StoreError index_error(int code, const char* what) {
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

StoreError corrupt_index(const char* what) {
  return {StoreError::Kind::corrupt_index, fmt::format("index: {}", what)};
}

LmdbFile::LmdbFile(Directory& directory, std::unique_ptr<File> owner)
    : directory_(directory),
      // By the descriptor: the path may have been changed by whoever owns it.
      path_(fmt::format("/proc/self/fd/{}/{}", directory.descriptor(), index_name)),
      owner_(std::move(owner)) {}

std::unique_ptr<LmdbFile> LmdbFile::open(Directory& directory) {
  if (directory.descriptor() < 0) return nullptr;
  auto owner = open_owner(directory);
  if (owner == nullptr) return nullptr;
  std::unique_ptr<LmdbFile> file(new LmdbFile(directory, std::move(owner)));
  if (file->open_environment() == 0) return file;
  file->close();
  if (!file->owner_->truncate(0) || file->open_environment() != 0) return nullptr;
  return file;
}

// The map is at least as large as what was written; a file that is shorter than that was cut.
bool LmdbFile::is_whole() {
  MDB_envinfo info{};
  MDB_stat stat{};
  mdb_env_info(environment_, &info);
  mdb_env_stat(environment_, &stat);
  const auto status = owner_->status();
  const auto there = directory_.status(index_name);
  if (!status || !there || !there->same_file(*status)) return false;
  return status->size == 0 || info.me_last_txnid == 0 ||
         status->size >= (info.me_last_pgno + 1) * stat.ms_psize;
}

int LmdbFile::open_environment() {
  const IndexGuard guard(owner_->descriptor());
  // A process whose file was removed may still use the locks that went with it.
  (void)directory_.unlink(lock_name);
  int code = mdb_env_create(&environment_);
  if (code != 0) return code;
  mdb_env_set_maxdbs(environment_, tables);
  mdb_env_set_mapsize(environment_, first_map);
  constexpr unsigned flags = MDB_NOSUBDIR | MDB_NOTLS | MDB_NOMETASYNC | MDB_NORDAHEAD;
  code = mdb_env_open(environment_, path_.c_str(), flags, file_mode);
  MDB_txn* transaction = nullptr;
  if (code == 0 && !is_whole()) code = MDB_CORRUPTED;
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
  return last_transaction() == 0 ? 0 : MDB_CORRUPTED;
}

int LmdbFile::open_tables(MDB_txn* transaction, unsigned flags) {
  int code = 0;
  for (std::size_t i = 0; code == 0 && i < tables; ++i)
    code = mdb_dbi_open(transaction, table_names[i], flags | (i == head ? 0U : MDB_INTEGERKEY),
                        &table_[i]);
  return code;
}

void LmdbFile::close() {
  if (environment_ != nullptr) mdb_env_close(environment_);
  environment_ = nullptr;
}

std::size_t LmdbFile::last_transaction() const {
  MDB_envinfo info{};
  mdb_env_info(environment_, &info);
  return info.me_last_txnid;
}

int LmdbFile::begin_reading(MDB_txn** transaction) {
  int code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, transaction);
  if (code == MDB_READERS_FULL) {
    // Readers of processes that were killed still have their places.
    int dead = 0;
    mdb_reader_check(environment_, &dead);
    code = mdb_txn_begin(environment_, nullptr, MDB_RDONLY, transaction);
  }
  return code;
}

int LmdbFile::grow() {
  const std::unique_lock hold(alone_);
  if (environment_ == nullptr)
    return 0;  // at rest meanwhile: opened again, it is as large as it has to be
  MDB_envinfo info{};
  mdb_env_info(environment_, &info);
  if (info.me_mapsize >= last_map) return MDB_MAP_FULL;
  return mdb_env_set_mapsize(environment_, info.me_mapsize * 2);
}

void LmdbFile::rest() {
  const std::unique_lock hold(alone_);
  if (environment_ == nullptr) return;
  Left left;
  left.transaction = last_transaction();
  close();
  if (const auto status = owner_->status()) left.status = *status;
  left_ = left;
}

bool LmdbFile::is_as_left() {
  const auto now = directory_.status(index_name);
  const FileStatus& then = left_->status;
  return now && now->same_file(then) && now->size == then.size && now->modified == then.modified;
}

// If it fails there is no environment.
void LmdbFile::wake() {
  const std::unique_lock hold(alone_);
  if (!left_) return;
  const bool good =
      is_as_left() && open_environment() == 0 && last_transaction() == left_->transaction;
  if (!good) close();
  left_.reset();
}

std::shared_lock<std::shared_mutex> LmdbFile::awake() {
  for (;;) {
    std::shared_lock hold(alone_);
    if (!left_) return hold;
    hold.unlock();
    wake();
  }
}

// Ours may have been removed, and another be in its place. False: that one is another process's.
bool LmdbFile::take_file() {
  const auto ours = owner_->status();
  const auto there = directory_.status(index_name);
  if (ours && there && there->same_file(*ours)) return true;
  auto owner = open_owner(directory_);
  if (!owner) return false;
  owner_ = std::move(owner);
  return true;
}

StoreResult<bool> LmdbFile::clear() {
  const std::unique_lock hold(alone_);
  if (environment_ != nullptr && !has_tables_) return true;
  // The file is made anew, not emptied: one that was damaged may say that it is empty, and fail at the next page.
  close();
  left_.reset();
  if (!take_file()) return false;
  if (const auto cut = owner_->truncate(0); !cut)
    return fail(StoreError(StoreError::Kind::unavailable, "index: " + cut.error().text()));
  if (const int code = open_environment(); code != 0) {
    close();
    return fail(index_error(code, "make anew"));
  }
  return true;
}

}  // namespace posthorn::store
