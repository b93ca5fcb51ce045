#include "libmail/queue/spool.h"

#include <cerrno>

#include "libmail/async/files.h"
#include "libmail/base/crc32c.h"

namespace posthorn::queue {
namespace {

// Created and locked in one blocking step: nobody may see it unlocked for long (sweep_spool() waits
// for age).
Result<std::unique_ptr<File>, IoError> create_locked(Files& files, const std::string& path) {
  Result<std::unique_ptr<File>, IoError> file = files.open(path, OpenFor::creating, 0640);
  if (!file) return file;
  const Result<bool, IoError> locked = (*file)->try_lock();
  if (!locked) return fail(locked.error());
  if (!*locked) return fail(IoError(EAGAIN, "lock", path));
  return file;
}

}  // namespace

SpoolWriter::SpoolWriter(Files& files, Layout layout, MessageId id, std::unique_ptr<File> file)
    : files_(files), layout_(std::move(layout)), id_(id), file_(std::move(file)) {}

SpoolWriter::~SpoolWriter() {
  if (kept_) return;
  // Should this fail, the sweep finds it.
  const Result<void, IoError> gone = files_.unlink(layout_.spooled(id_));
  (void)gone;
}

async::Task<Result<std::unique_ptr<SpoolWriter>, IoError>> SpoolWriter::create(Files& files,
                                                                               Layout layout,
                                                                               MessageId id) {
  const std::string path = layout.spooled(id);
  auto open = [&files, &path] { return create_locked(files, path); };
  auto file = co_await async::blocking(std::move(open));
  if (!file) co_return fail(file.error());
  std::unique_ptr<SpoolWriter> writer(
      new SpoolWriter(files, std::move(layout), id, std::move(*file)));
  co_return writer;
}

async::Task<Result<void, IoError>> SpoolWriter::write(std::vector<std::string> chunks) {
  const std::uint64_t offset = body_.size;
  for (const std::string& chunk : chunks) {
    body_.crc = crc32c(body_.crc, chunk);
    body_.size += chunk.size();
  }
  auto write = [file = file_.get(), offset, &chunks] {
    const std::vector<std::string_view> parts(chunks.begin(), chunks.end());
    return file->pwritev(offset, parts);
  };
  auto written = co_await async::blocking(std::move(write));
  co_return written;
}

async::Task<Result<SpooledBody, IoError>> SpoolWriter::finish() {
  auto sync = [this] {
    const Result<void, IoError> synced = file_->sync_data();
    if (!synced) return synced;
    return files_.sync_directory(layout_.spool());
  };
  auto synced = co_await async::blocking(std::move(sync));
  if (!synced) co_return fail(synced.error());
  co_return body_;
}

Result<std::vector<std::string>, IoError> sweep_spool(
    Files& files, const Layout& layout, const std::unordered_set<MessageId, MessageIdHash>& live,
    WallTime older_than) {
  const Result<std::vector<std::string>, IoError> names = files.list(layout.spool());
  if (!names) return fail(names.error());
  std::vector<std::string> swept;
  for (const std::string& name : *names) {
    const std::optional<MessageId> id = MessageId::parse(name);
    if (!id || live.contains(*id) || id->time() >= older_than) continue;
    const std::string path = layout.spooled(*id);
    Result<std::unique_ptr<File>, IoError> file = files.open(path, OpenFor::writing);
    if (!file) continue;
    const Result<bool, IoError> locked = (*file)->try_lock();
    if (!locked || !*locked) continue;  // its intake is alive
    const Result<void, IoError> gone = files.unlink(path);
    if (!gone) return fail(gone.error());
    swept.push_back(name);
  }
  return swept;
}

}  // namespace posthorn::queue
