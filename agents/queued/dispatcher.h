// Who is handed over next. Destinations take turns; each has a number of transactions at once, and rests when it
// turns out to be dead, so that one that hangs or floods delays nobody else.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "agents/queued/connections.h"
#include "agents/queued/health.h"
#include "agents/queued/options.h"
#include "agents/queued/work.h"
#include "libmail/async/scope.h"

namespace posthorn::queued {

// A delivery agent: one socket.
struct DeliveryAgent {
  async::Endpoint endpoint;
  unsigned failures = 0;  // connects in a row that failed
  MonoTime rest_until{};
};

// One agent, and for foreign mail one domain.
struct Destination {
  std::string key;
  DeliveryAgent* agent = nullptr;
  std::string domain;  // "" for mail of our own domains
  std::size_t limit = 1;
  std::deque<Job*> waiting;
  std::deque<queue::Message*> parked;
  std::size_t active = 0;
  Health health;
  bool queued = false;  // for its turn

  // Enough is waiting, and for long: further messages are parked, so that others get their turn.
  [[nodiscard]] bool is_crowded(MonoTime now) const;
  [[nodiscard]] bool is_idle() const { return waiting.empty() && parked.empty() && active == 0; }
};

class Dispatcher {
 public:
  // may_start(): false while outcomes can't be written. on_room(destination): it has parked messages
  // and is no longer crowded.
  Dispatcher(const Options& options, async::Scope& scope, std::function<bool()> may_start,
             std::function<void(Destination&)> on_room);
  Dispatcher(const Dispatcher&) = delete;
  Dispatcher& operator=(const Dispatcher&) = delete;

  // `domain` "" for mail of our own domains.
  Destination& destination(const async::Endpoint& endpoint, std::string_view domain);
  // The job is begun when its turn comes; it is among its work's `finished` when it is done. A destination that rests
  // because it is dead finishes it at once.
  void submit(Job& job);
  // Once a second: who has rested long enough, what has been idle too long.
  void tick();
  // Ends every transaction; jobs that wait finish without an attempt.
  void stop();

  [[nodiscard]] std::size_t active() const { return active_; }
  [[nodiscard]] std::size_t waiting() const;
  [[nodiscard]] std::uint64_t transactions() const { return transactions_; }
  // For `posthorn queue list --destinations` and metrics.
  [[nodiscard]] const std::map<std::string, std::unique_ptr<Destination>>& destinations() const {
    return destinations_;
  }
  // A flush: nobody rests any more.
  void forget_troubles();

 private:
  [[nodiscard]] bool is_runnable(const Destination& destination, MonoTime now) const;
  void line_up(Destination& destination);
  void run_some();
  async::Task<void> run(Job* job);
  async::Task<bool> open(session::SmtpClient* client, Job* job);
  async::Task<void> transact(session::SmtpClient* client, Job* job);
  void finish(Job& job);
  void put_back(Job& job, Duration pause);
  void judge(Job& job);
  void fail_waiting(Destination& destination);

  const Options& options_;
  async::Scope& scope_;
  std::function<bool()> may_start_;
  std::function<void(Destination&)> on_room_;
  Connections connections_;
  std::map<std::string, std::unique_ptr<DeliveryAgent>> agents_;
  std::map<std::string, std::unique_ptr<Destination>> destinations_;
  std::deque<Destination*> turns_;
  std::size_t active_ = 0;
  std::uint64_t transactions_ = 0;
  bool stopping_ = false;
  bool running_some_ = false;
};

}  // namespace posthorn::queued
