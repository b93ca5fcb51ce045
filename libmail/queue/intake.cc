#include "libmail/queue/intake.h"

#include <cerrno>
#include <utility>

namespace posthorn::queue {
namespace {

CommitError from_io(const IoError& cause) {
  const bool full = cause.code == ENOSPC || cause.code == EDQUOT;
  return CommitError(full ? CommitError::Kind::no_space : CommitError::Kind::io, cause);
}

}  // namespace

Intake::Intake(Files& files, Layout layout, Limits limits)
    : files_(files),
      layout_(layout),
      limits_(limits),
      writer_(files, layout, layout.nudge(), limits) {}

Incoming::Incoming(Incoming&& other) noexcept
    : intake_(other.intake_),
      id_(other.id_),
      size_(std::exchange(other.size_, 0)),
      buffered_(std::exchange(other.buffered_, 0)),
      chunks_(std::move(other.chunks_)),
      spool_(std::move(other.spool_)),
      error_(std::move(other.error_)) {}

Incoming::~Incoming() {
  forget();
}

// Gives back what memory it has of the process's budget.
void Incoming::forget() {
  intake_->buffered_ -= std::exchange(buffered_, 0);
  chunks_.clear();
}

async::Task<Result<void, CommitError>> Incoming::write(std::string chunk) {
  if (error_) co_return fail(*error_);
  if (chunk.empty()) co_return Result<void, CommitError>();
  size_ += chunk.size();
  buffered_ += chunk.size();
  intake_->buffered_ += chunk.size();
  chunks_.push_back(std::move(chunk));
  const bool is_small = size_ <= intake_->limits_.inline_body &&
                        intake_->buffered_ <= intake_->limits_.buffered_total;
  if (!spool_ && is_small) co_return Result<void, CommitError>();
  auto spilled = co_await spill();
  co_return spilled;
}

// Moves what is in memory to the spool.
async::Task<Result<void, CommitError>> Incoming::spill() {
  if (!spool_) {
    auto created = co_await SpoolWriter::create(intake_->files_, intake_->layout_, id_);
    if (!created) {
      error_ = from_io(created.error());
      co_return fail(*error_);
    }
    spool_ = std::move(*created);
  }
  std::vector<std::string> chunks = std::exchange(chunks_, {});
  auto written = co_await spool_->write(std::move(chunks));
  forget();
  if (!written) {
    error_ = from_io(written.error());
    co_return fail(*error_);
  }
  co_return Result<void, CommitError>();
}

async::Task<Result<void, CommitError>> Incoming::commit(Entry entry) {
  if (error_) co_return fail(*error_);
  entry.envelope.size = size_;
  if (!spool_) {
    std::vector<std::string> body = std::exchange(chunks_, {});
    auto taken = co_await intake_->writer_.append(id_, std::move(entry), std::move(body));
    forget();
    co_return taken;
  }
  auto body = co_await spool_->finish();
  if (!body) {
    error_ = from_io(body.error());
    co_return fail(*error_);
  }
  auto taken = co_await intake_->writer_.append_spooled(id_, std::move(entry), *body);
  if (taken) spool_->keep();
  spool_.reset();
  co_return taken;
}

}  // namespace posthorn::queue
