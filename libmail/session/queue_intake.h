// The intake that writes into the queue: 250 means that the message is on the disk.
#pragma once

#include <memory>
#include <string>

#include "libmail/queue/intake.h"
#include "libmail/service/log.h"
#include "libmail/session/intake.h"

namespace posthorn::session {

class QueueIntake final : public Intake {
 public:
  // `files` and `log` outlive it. What the disk does to a message is logged as `queue-failed`.
  QueueIntake(queue::Files& files, queue::Layout layout, queue::Limits limits, service::Log& log);

  [[nodiscard]] std::string next_id() override { return intake_.next_id().str(); }
  [[nodiscard]] std::unique_ptr<IntakeTransaction> begin(const smtp::SessionInfo&) override;
  [[nodiscard]] bool can_hold() const override { return true; }
  async::Task<void> stop() override { return intake_.stop(); }
  [[nodiscard]] const queue::Intake& queue() const { return intake_; }

 private:
  queue::Intake intake_;
  service::Log& log_;
};

// What a client is told when the queue can't take its message: always 4xx.
[[nodiscard]] smtp::Reply to_reply(const queue::CommitError& error);

}  // namespace posthorn::session
