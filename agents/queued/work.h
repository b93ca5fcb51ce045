// What is in memory of a message while it is worked on.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/queued/plan.h"
#include "libmail/async/event.h"
#include "libmail/base/fd.h"
#include "libmail/queue/message.h"

namespace posthorn::queued {

struct Destination;
struct Work;

// Recipients of one message that go to one destination in one transaction.
struct Job {
  Work* work = nullptr;
  Destination* destination = nullptr;     // until it is done: an idle one is forgotten
  std::string relay;                      // once it is done: where it went
  std::vector<std::uint32_t> recipients;  // indices into the plan's
  std::vector<smtp::Status> statuses;     // one each, once it is done
  bool passed_plain = false;              // the agent offers no DSN
  bool agent_lost = false;                // our agent went away in the middle
  bool was_attempt = true;                // false: nothing was said about message or destination
  MonoTime since{};                       // when it was begun or put back the first time
  std::uint64_t number = 0;               // Health::begin()

  Job() = default;
};

struct Work {
  queue::Message* message = nullptr;
  std::shared_ptr<queue::Loaded> loaded;
  Plan plan;
  Fd spool;  // the body, if it lies in the spool
  std::vector<std::unique_ptr<Job>> jobs;
  std::vector<Job*> finished;  // and not yet looked at
  std::size_t open_jobs = 0;
  async::Event progress;   // something is finished
  bool attempted = false;  // at least one transaction took place
  bool agent_lost = false;

  Work() = default;
  Work(const Work&) = delete;
  Work& operator=(const Work&) = delete;

  [[nodiscard]] const smtp::Envelope& envelope() const { return loaded->entry.envelope; }
  [[nodiscard]] std::string_view trace_id() const { return loaded->entry.envelope.trace_id; }
};

}  // namespace posthorn::queued
