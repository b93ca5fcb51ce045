#include "libmail/queue/outcome_file.h"

#include "libmail/async/files.h"

namespace posthorn::queue {

OutcomeFile::OutcomeFile(Files& files, const Layout& layout, std::uint64_t generation,
                         std::uint64_t whole)
    : files_(files),
      path_(layout.outcomes(generation)),
      directory_(layout.segments()),
      name_synced_(whole > 0),
      synced_(whole) {}

std::uint64_t OutcomeFile::append(std::string_view lines) {
  const std::uint64_t at = size();
  gathered_ += lines;
  return at;
}

OutcomeFile::Job OutcomeFile::begin(Sync sync) {
  Job job;
  const std::size_t written = failed_ ? 0 : unsynced_.size();
  unsynced_ += gathered_;
  gathered_.clear();
  job.offset = synced_ + written;
  job.octets = std::string_view(unsynced_).substr(written);
  job.sync = sync == Sync::yes && !unsynced_.empty();
  return job;
}

Result<void, IoError> OutcomeFile::work(const Job& job) {
  if (!file_) {
    Result<std::unique_ptr<File>, IoError> opened = files_.open(path_, OpenFor::appending, 0640);
    if (!opened) return fail(opened.error());
    file_ = std::move(*opened);
    // What a crash left of an unfinished line, and never the middle of one of ours.
    const Result<void, IoError> cut = file_->truncate(job.offset);
    if (!cut) return cut;
  }
  if (!job.octets.empty()) {
    const Result<void, IoError> written = file_->pwrite(job.offset, job.octets);
    if (!written) return written;
  }
  if (!job.sync) return {};
  const Result<void, IoError> synced = file_->sync_data();
  if (!synced || name_synced_) return synced;
  const Result<void, IoError> named = files_.sync_directory(directory_);
  name_synced_ = named.has_value();
  return named;
}

void OutcomeFile::end(const Job& job, bool succeeded) {
  failed_ = !succeeded;
  if (failed_) {
    file_.reset();  // the next try begins with a fresh description, and says so if the disk is gone
    return;
  }
  if (!job.sync) return;
  synced_ += unsynced_.size();
  unsynced_.clear();
}

async::Task<Result<void, IoError>> OutcomeFile::flush(Sync sync) {
  const bool mine = co_await turn_.acquire(async::Deadline::never());
  check(mine, "a semaphore without a deadline gave no place");
  const Job job = begin(sync);
  if (job.octets.empty() && !job.sync) {
    turn_.release();
    co_return Result<void, IoError>();
  }
  auto run = [this, &job] { return work(job); };
  auto done = co_await async::blocking(std::move(run));
  end(job, done.has_value());
  turn_.release();
  co_return done;
}

Result<void, IoError> OutcomeFile::flush_now(Sync sync) {
  const Job job = begin(sync);
  if (job.octets.empty() && !job.sync) return {};
  Result<void, IoError> done = work(job);
  end(job, done.has_value());
  return done;
}

std::optional<std::string> OutcomeFile::recall(std::uint64_t offset, std::size_t count) const {
  if (offset < synced_) return std::nullopt;
  const std::uint64_t from = offset - synced_;
  if (from < unsynced_.size()) return unsynced_.substr(from, count);
  return gathered_.substr(from - unsynced_.size(), count);
}

}  // namespace posthorn::queue
