// What the store does in the background: outcomes to the disk, dead segments back to life, live messages out of
// segments that are mostly dead.
#include <fmt/format.h>

#include <cerrno>

#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/queue/store.h"

namespace posthorn::queue {
namespace {

constexpr auto between_writes = std::chrono::milliseconds(2);  // gathers outcomes of busy moments
constexpr auto after_failure = std::chrono::seconds(1);
constexpr auto house_interval = std::chrono::seconds(5);
constexpr std::uint64_t scanned_step = 1 << 20;  // how far a start may have to scan again
constexpr auto sweep_age = std::chrono::hours(1);

}  // namespace

async::Task<void> Store::run() {
  scope_.spawn(keep_outcomes());
  scope_.spawn(keep_house());
  co_await scope_.join();
}

async::Task<void> Store::stop() {
  co_await intake_.stop();
  stopping_ = true;
  wake_outcomes_.set();
  wake_house_.set();
  recovered_.set();
  co_await scope_.join();
  const bool flushed = co_await flush_outcomes(Sync::yes);
  if (!flushed) report(Notice::Kind::outcome_failed, "at the end");
}

Result<void, IoError> Store::flush_now() {
  for (const std::uint64_t generation : std::exchange(dirty_, {})) {
    Segment& segment = *segments_.at(generation);
    const Result<void, IoError> done = segment.outcomes.flush_now(Sync::yes);
    if (!done) return done;
    for (const MessageId& id : std::exchange(segment.spool_done, {})) {
      const Result<void, IoError> gone = files_.unlink(layout_.spooled(id));
      if (!gone) return gone;
    }
  }
  return {};
}

async::Task<void> Store::keep_outcomes() {
  const auto now = [] { return async::Loop::current().now(); };
  MonoTime last_sync = now();
  while (!stopping_) {
    const bool idle = dirty_.empty();
    const async::Deadline next_sync = async::Deadline::at(last_sync + options_.sync_interval);
    const async::Deadline until = idle ? async::Deadline::never() : next_sync;
    const bool woken = co_await wake_outcomes_.wait_until(until);
    (void)woken;  // or the time for a sync has come
    wake_outcomes_.reset();
    const bool is_due = now() >= last_sync + options_.sync_interval;
    const Sync sync = is_due ? Sync::yes : Sync::no;
    const bool done = co_await flush_outcomes(sync);
    if (is_due) last_sync = now();
    if (done != healthy_) {
      healthy_ = done;
      const auto kind = done ? Notice::Kind::outcome_recovered : Notice::Kind::outcome_failed;
      report(kind, "of " + layout_.segments());
      if (done) recovered_.set();
      if (!done) recovered_.reset();
    }
    const async::Deadline pause =
        done ? async::Deadline::in(between_writes) : async::Deadline::in(after_failure);
    co_await async::sleep_until(pause);
    if (!done) wake_outcomes_.set();
  }
}

// Writes what has gathered in every .out file. True if all went well.
async::Task<bool> Store::flush_outcomes(Sync sync) {
  bool all = true;
  const std::vector<std::uint64_t> generations(dirty_.begin(), dirty_.end());
  for (const std::uint64_t generation : generations) {
    const auto place = segments_.find(generation);
    if (place == segments_.end()) continue;
    Segment& segment = *place->second;
    segment.flushing = true;
    std::vector<MessageId> unlinkable = std::exchange(segment.spool_done, {});
    auto done = co_await segment.outcomes.flush(sync);
    segment.flushing = false;
    if (!done) {
      report(Notice::Kind::trouble, done.error().text());
      all = false;
    }
    if (!done || sync == Sync::no) {
      segment.spool_done.insert(segment.spool_done.begin(), unlinkable.begin(), unlinkable.end());
      continue;
    }
    co_await after_sync(segment, std::move(unlinkable));
  }
  co_return all;
}

async::Task<void> Store::after_sync(Segment& segment, std::vector<MessageId> spool_done) {
  const std::uint64_t low =
      segment.unmentioned.empty() ? segment.read_to : *segment.unmentioned.begin();
  if (low >= segment.scanned + scanned_step) {
    segment.scanned = low;
    Scanned scanned;
    scanned.offset = low;
    append(segment, MessageId(), scanned);
  }
  if (!segment.outcomes.has_unsynced()) dirty_.erase(segment.generation);
  if (segment.live == 0 && !segment.reader) wake_house_.set();
  if (spool_done.empty()) co_return;
  auto unlink = [this, &spool_done] {
    for (const MessageId& id : spool_done) {
      const Result<void, IoError> gone = files_.unlink(layout_.spooled(id));
      if (!gone) return gone;
    }
    return Result<void, IoError>();
  };
  auto gone = co_await async::blocking(std::move(unlink));
  if (!gone) report(Notice::Kind::trouble, gone.error().text());  // the sweep tries again
}

async::Task<void> Store::keep_house() {
  while (!stopping_) {
    co_await provide_free();
    std::vector<std::uint64_t> dead;
    for (const auto& [generation, segment] : segments_) {
      const bool settled = !segment->reader && segment->live == 0 && !segment->leaving &&
                           !segment->flushing && !segment->outcomes.has_unsynced();
      if (settled) dead.push_back(generation);
    }
    for (const std::uint64_t generation : dead) {
      co_await recycle(*segments_.at(generation));
    }
    if (Segment* segment = mostly_dead()) co_await copy_forward(*segment);
    const bool woken = co_await wake_house_.wait_until(async::Deadline::in(house_interval));
    (void)woken;  // or it is time to look around anyway
    wake_house_.reset();
  }
}

// Gives the file back to the intakes, or to the file system if there are enough.
async::Task<void> Store::recycle(Segment& segment) {
  segment.leaving = true;
  const std::uint64_t generation = segment.generation;
  const bool is_wanted = free_ < options_.keep_free;
  auto work = [this, generation, is_wanted]() -> Result<void, IoError> {
    if (!is_wanted) return remove_segment(files_, layout_, generation);
    const Result<std::uint64_t, IoError> next = generations_.next(files_, layout_);
    if (!next) return fail(next.error());
    return recycle_segment(files_, layout_, generation, *next, options_.segment_octets);
  };
  auto done = co_await async::blocking(std::move(work));
  if (done) {
    if (is_wanted) ++free_;
    report(Notice::Kind::recycled, generation_name(generation));
    drop_segment(generation);
    co_return;
  }
  report(Notice::Kind::trouble, done.error().text());
  auto look = [this, generation] { return files_.status(layout_.segment(generation)); };
  auto status = co_await async::blocking(std::move(look));
  if (status && !*status) {
    drop_segment(generation);  // half way to free/: the next start removes what is left
  } else {
    segment.leaving = false;
  }
}

void Store::drop_segment(std::uint64_t generation) {
  dirty_.erase(generation);
  segments_.erase(generation);
}

// Makes segments for the intakes as long as there is room.
async::Task<void> Store::provide_free() {
  while (free_ < options_.keep_free && !stopping_) {
    auto work = [this]() -> Result<void, IoError> {
      const Result<std::uint64_t, IoError> room = files_.free_space(layout_.directory());
      if (!room) return fail(room.error());
      if (*room < options_.reserve + options_.segment_octets) {
        return fail(IoError(ENOSPC, "make a segment", layout_.free()));
      }
      const Result<std::uint64_t, IoError> next = generations_.next(files_, layout_);
      if (!next) return fail(next.error());
      return make_segment(files_, layout_, *next, options_.segment_octets);
    };
    auto made = co_await async::blocking(std::move(work));
    if (!made) {
      if (free_ == 0 && !no_free_) report(Notice::Kind::no_free_segment, made.error().text());
      no_free_ = no_free_ || free_ == 0;
      co_return;
    }
    ++free_;
    if (no_free_) report(Notice::Kind::free_segment_again, layout_.free());
    no_free_ = false;
  }
}

async::Task<void> Store::sweep() {
  std::unordered_set<MessageId, MessageIdHash> live;
  for (const Message* message : messages_) {
    if (message->spooled) live.insert(message->id);
  }
  for (const auto& [generation, segment] : segments_) {
    live.insert(segment->spool_done.begin(), segment->spool_done.end());
  }
  const WallTime older_than = wall_now() - sweep_age;
  auto work = [this, &live, older_than] { return sweep_spool(files_, layout_, live, older_than); };
  auto swept = co_await async::blocking(std::move(work));
  if (!swept) {
    report(Notice::Kind::trouble, swept.error().text());
    co_return;
  }
  for (const std::string& name : *swept) report(Notice::Kind::swept, name);
}

}  // namespace posthorn::queue
