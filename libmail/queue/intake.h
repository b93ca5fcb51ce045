// What an SMTP session sees of the queue: octets go in, the answer is "durable". Keeps small
// messages in memory and large ones, or any beyond the process's budget, in the spool.
//
//   MessageId id = intake.next_id();                       at MAIL
//   Incoming message = intake.begin(id);                   at DATA or the first BDAT
//   auto written = co_await message.write(std::move(x));   any number of times
//   auto taken = co_await message.commit(std::move(entry)); 250 if it holds a value, else 4xx
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libmail/queue/spool.h"
#include "libmail/queue/writer.h"

namespace posthorn::queue {

class Intake;

// One message on its way in. Destroying it before commit() forgets it, with its spool file.
class Incoming {
 public:
  Incoming(Incoming&& other) noexcept;
  Incoming& operator=(Incoming&&) = delete;
  ~Incoming();

  [[nodiscard]] const MessageId& id() const { return id_; }
  [[nodiscard]] std::uint64_t size() const { return size_; }
  // Takes the chunk over. Waits only while the message streams to the spool. After an error the
  // message is lost and commit() gives the same error.
  async::Task<Result<void, CommitError>> write(std::string chunk);
  // Returns once the message is on the disk (see Writer::append).
  async::Task<Result<void, CommitError>> commit(Entry entry);

 private:
  friend class Intake;
  Incoming(Intake* intake, MessageId id) : intake_(intake), id_(id) {}
  async::Task<Result<void, CommitError>> spill();
  void forget();

  Intake* intake_;
  MessageId id_;
  std::uint64_t size_ = 0;
  std::uint64_t buffered_ = 0;  // counted in the intake's total
  std::vector<std::string> chunks_;
  std::unique_ptr<SpoolWriter> spool_;
  std::optional<CommitError> error_;
};

class Intake {
 public:
  // `files` outlives it.
  Intake(Files& files, Layout layout, Limits limits = {});
  Intake(const Intake&) = delete;
  Intake& operator=(const Intake&) = delete;

  [[nodiscard]] MessageId next_id() { return ids_.next(wall_now()); }
  // The Incoming does not outlive the intake.
  [[nodiscard]] Incoming begin(MessageId id) { return {this, id}; }
  // Before the loop ends: lets commits under way finish.
  async::Task<void> stop() { return writer_.stop(); }
  [[nodiscard]] const WriterStatistics& statistics() const { return writer_.statistics(); }
  [[nodiscard]] std::uint64_t buffered() const { return buffered_; }
  [[nodiscard]] Writer& writer() { return writer_; }

 private:
  friend class Incoming;
  Files& files_;
  Layout layout_;
  Limits limits_;
  IdSource ids_;
  Writer writer_;
  std::uint64_t buffered_ = 0;
};

}  // namespace posthorn::queue
