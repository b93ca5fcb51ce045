// The way of a message through queued: found, expanded, handed over, reported on, and done or deferred.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "agents/queued/dispatcher.h"
#include "agents/queued/reports.h"
#include "libmail/queue/commands.h"
#include "libmail/route/resolver.h"
#include "libmail/service/metrics.h"

namespace posthorn::queued {

class Scheduler {
 public:
  // All of them outlive it.
  Scheduler(queue::Store& store, route::Resolver& resolver, const Options& options,
            service::Log& log, service::Metrics& metrics);
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  // Puts what a start has found where it belongs.
  void begin();
  // New messages from the segments; to be called on every nudge.
  async::Task<void> look();
  // Once a second: who is due, who has rested.
  void tick();
  // No new attempts; those under way end by themselves or, at the deadline, are broken off.
  async::Task<void> stop(async::Deadline deadline);

  // The operator's verbs; ops.h makes them into HTTP. "busy": it is being worked on, ask again.
  using Done = Result<void, queue::CommandError>;
  async::Task<Done> hold(queue::MessageId id, std::string reason);
  async::Task<Done> release(queue::MessageId id);
  // The next attempt begins as the first did: tables are asked, aliases expanded again.
  async::Task<Done> requeue(queue::MessageId id);
  // To be tried now.
  Done flush(const queue::MessageId& id);
  // All that are deferred; gives their number.
  std::size_t flush_all();
  // Forgets the message without a report.
  Done remove(const queue::MessageId& id);
  void forget_troubles() { dispatcher_.forget_troubles(); }
  [[nodiscard]] const Dispatcher& dispatcher() const { return dispatcher_; }
  [[nodiscard]] Reporter& reporter() { return reporter_; }

 private:
  // queue of messages
  void make_ready(queue::Message& message);
  void start_some();
  [[nodiscard]] std::size_t room() const;
  [[nodiscard]] WallTime find_oldest();
  void begin_work(queue::Message& message, std::shared_ptr<queue::Loaded> loaded);
  void place(queue::Message& message);
  void forget(queue::Message& message);
  void forget_doomed();
  void defer(queue::Message& message, Duration delay);
  void unpark(Destination& destination);
  // one message: work.cc
  async::Task<void> work(queue::Message* message, std::shared_ptr<queue::Loaded> loaded);
  async::Task<bool> prepare(Work& work);
  async::Task<bool> open_spool(Work& work);
  async::Task<bool> check_hops(Work& work);
  async::Task<bool> expand(Work& work);
  async::Task<bool> find_transports(Work& work);
  async::Task<void> hand_over(Work& work);
  bool park(Work& work);
  void make_jobs(Work& work);
  void take_results(Work& work, bool is_last);
  void discard(Work& work, std::size_t index);
  async::Task<void> settle(Work& work);
  void settled(Work& work, bool reported);
  void set_aside(Work& work, std::string why);
  void end_work(queue::Message& message);
  void log_result(const Work& work, const queue::RecipientState& recipient, std::string_view relay);
  [[nodiscard]] Patience patience(const Work& work) const;
  async::Task<Done> change(queue::MessageId id, std::function<void(queue::MessageState&)> how);

  queue::Store& store_;
  route::Resolver& resolver_;
  const Options& options_;
  service::Log& log_;
  async::Scope scope_;
  Dispatcher dispatcher_;
  Reporter reporter_;
  TimerWheel wheel_;
  std::deque<queue::Message*> ready_;
  std::vector<queue::MessageId> doomed_;  // deleted while somebody read them
  std::unordered_map<queue::MessageId, std::string, queue::MessageIdHash>
      hold_reasons_;  // of messages that were held while they were worked on
  std::size_t active_ = 0;
  std::uint64_t active_octets_ = 0;
  queue::MessageId oldest_;
  WallTime oldest_found_at_{};
  bool behind_ = false;  // there may be more in the segments than there was room for
  bool looking_ = false;
  bool look_again_ = false;
  bool stopping_ = false;
  service::Counter& found_;
  service::Counter& delivered_;
  service::Counter& bounced_;
  service::Counter& deferred_;
  service::Histogram& delay_;
};

}  // namespace posthorn::queued
