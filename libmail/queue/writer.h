// The intake's side of the queue: one thread of its own that appends records to one segment and
// answers when they are on the disk. All that wait share one fdatasync; who comes alone waits for
// nobody. README.md has the states.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libmail/async/task.h"
#include "libmail/queue/files.h"
#include "libmail/queue/id.h"
#include "libmail/queue/layout.h"
#include "libmail/queue/record.h"

namespace posthorn::queue {

// Why a message was not taken. The sender keeps it: always a 4xx, never a 5xx.
struct CommitError {
  enum class Kind {
    no_space,   // no free segment and no room to make one, or the spool's disk is full: 452 4.3.1
    io,         // a write or a sync failed; the segment is closed and never used again: 451 4.3.0
    stopping,   // stop() was called: 421 4.3.2
    too_large,  // the envelope does not fit into a segment: 452 4.5.3
  };
  Kind kind = Kind::io;
  IoError cause;

  CommitError() = default;
  explicit CommitError(Kind what, IoError why = {}) : kind(what), cause(std::move(why)) {}
  [[nodiscard]] std::string text() const;  // for the log
};

// Where a record lies.
struct Place {
  std::uint64_t generation = 0;
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Counters since the start. Read them on the loop's thread.
struct WriterStatistics {
  std::uint64_t records = 0;
  std::uint64_t octets = 0;
  std::uint64_t syncs = 0;
  std::uint64_t failures = 0;  // appends that did not get through
  std::uint64_t segments_taken = 0;
  std::uint64_t sync_microseconds = 0;    // sum over syncs
  std::uint64_t commit_microseconds = 0;  // sum over records, from append() to its answer
};

class Writer {
 public:
  // Nothing is opened before the first append. `files` outlives the writer. `nudge_path` is
  // queued's datagram socket ("" = nobody is told).
  Writer(Files& files, Layout layout, std::string nudge_path, Limits limits = {});
  ~Writer();  // stop() must have ended
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;

  // Returns after the fdatasync that covers the record. `body` is the message as it will be sent,
  // cut anywhere; no octet of it is copied. An error means that nothing was taken as far as anybody
  // may rely on it: after a failed sync the record may still turn up, which the sender's retry
  // makes a duplicate, never a loss.
  async::Task<Result<void, CommitError>> append(MessageId id, Entry entry,
                                                std::vector<std::string> body);
  // The same for a body that lies in the spool, synced, its directory too. The caller keeps the
  // spool file's lock until this returns.
  async::Task<Result<void, CommitError>> append_spooled(MessageId id, Entry entry,
                                                        SpooledBody body);

  // For queued, which copies a live message out of a segment that is mostly dead: the record goes into a segment of a
  // higher generation than `above`, for of two copies of one id the higher one counts. Tells where it lies.
  async::Task<Result<Place, CommitError>> append_copy(MessageId id, Entry entry,
                                                      std::vector<std::string> body,
                                                      std::optional<SpooledBody> spooled,
                                                      std::uint64_t above);

  // Waits for what is under way, refuses the rest, ends the thread and leaves the segment to
  // queued.
  async::Task<void> stop();

  [[nodiscard]] const WriterStatistics& statistics() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace posthorn::queue
