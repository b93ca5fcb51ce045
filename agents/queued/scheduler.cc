#include "agents/queued/scheduler.h"

#include <algorithm>

#include "libmail/async/loop.h"
#include "libmail/queue/commands.h"

namespace posthorn::queued {
namespace {

using queue::CommandError;
using queue::Message;
using queue::Station;

constexpr std::size_t found_at_once = 1000;
constexpr auto oldest_interval = std::chrono::minutes(1);
constexpr std::uint32_t moved_pause = 1;  // seconds, while the store copies a message forward

std::uint32_t this_second() {
  const auto since = std::chrono::floor<std::chrono::seconds>(wall_now().time_since_epoch());
  return static_cast<std::uint32_t>(since.count());
}

CommandError no_such_message() {
  return {"not-found", "no such message"};
}

}  // namespace

Scheduler::Scheduler(queue::Store& store, route::Resolver& resolver, const Options& options,
                     service::Log& log, service::Metrics& metrics)
    : store_(store),
      resolver_(resolver),
      options_(options),
      log_(log),
      dispatcher_(
          options, scope_, [this] { return store_.healthy() && !stopping_; },
          [this](Destination& destination) { unpark(destination); }),
      reporter_(store, options, log),
      wheel_(this_second()),
      found_(metrics.counter("posthorn_queued_messages_total", "messages that came in")),
      delivered_(metrics.counter("posthorn_queued_recipients_total",
                                 "recipients whose fate is settled, by what became of them",
                                 "status=\"sent\"")),
      bounced_(metrics.counter("posthorn_queued_recipients_total",
                               "recipients whose fate is settled, by what became of them",
                               "status=\"bounced\"")),
      deferred_(
          metrics.counter("posthorn_queued_deferrals_total", "attempts that have to be repeated")),
      delay_(metrics.histogram("posthorn_queued_delay_seconds",
                               "from a message's arrival to its delivery",
                               service::time_bounds())) {
  const std::string_view name = "posthorn_queued_messages";
  const std::string_view help = "messages in the queue, by what is done with them";
  metrics.gauge(name, help, [this] { return static_cast<double>(active_); }, "state=\"active\"");
  metrics.gauge(
      name, help, [this] { return static_cast<double>(wheel_.size()); }, "state=\"deferred\"");
  metrics.gauge(
      name, help, [this] { return static_cast<double>(ready_.size()); }, "state=\"ready\"");
  metrics.gauge(
      name, help, [this] { return static_cast<double>(store_.held()); }, "state=\"held\"");
  metrics.gauge("posthorn_queued_oldest_seconds", "age of the oldest message", [this] {
    return std::chrono::duration<double>(wall_now() - find_oldest()).count();
  });
  metrics.gauge("posthorn_queued_unread_octets", "committed by the intakes and not looked at yet",
                [this] { return static_cast<double>(store_.unread_octets()); });
  metrics.gauge("posthorn_queued_transactions", "transactions under way",
                [this] { return static_cast<double>(dispatcher_.active()); });
  metrics.gauge("posthorn_queued_transactions_total", "transactions since the start",
                [this] { return static_cast<double>(dispatcher_.transactions()); });
}

// Of a million messages it takes a while, so it is looked for once a minute.
WallTime Scheduler::find_oldest() {
  const WallTime now = wall_now();
  if (now < oldest_found_at_ + oldest_interval && store_.find(oldest_) != nullptr)
    return oldest_.time();
  oldest_found_at_ = now;
  oldest_ = queue::MessageId();
  for (const Message* message : store_.messages()) {
    const bool is_first = oldest_ == queue::MessageId();
    if (is_first || message->id < oldest_) oldest_ = message->id;
  }
  return store_.size() == 0 ? now : oldest_.time();
}

void Scheduler::begin() {
  std::vector<Message*> all(store_.messages().begin(), store_.messages().end());
  std::sort(all.begin(), all.end(),
            [](const Message* a, const Message* b) { return a->id < b->id; });
  for (Message* message : all) place(*message);
  start_some();
}

// Where a message belongs that nobody works on.
void Scheduler::place(Message& message) {
  message.station = Station::none;
  if (message.doomed) {
    forget(message);
    return;
  }
  if (message.held) return;
  if (message.next > this_second()) {
    message.station = Station::waiting;
    wheel_.add(message);
    return;
  }
  make_ready(message);
}

// Not under the hands of somebody who reads it.
void Scheduler::forget(Message& message) {
  if (message.busy) {
    doomed_.push_back(message.id);
  } else {
    store_.finish(message);
  }
}

void Scheduler::forget_doomed() {
  for (const queue::MessageId& id : std::exchange(doomed_, {})) {
    if (Message* message = store_.find(id)) forget(*message);
  }
}

void Scheduler::make_ready(Message& message) {
  message.station = Station::ready;
  ready_.push_back(&message);
}

void Scheduler::start_some() {
  while (!ready_.empty() && !stopping_ && store_.healthy() && active_ < options_.max_active &&
         active_octets_ < options_.active_memory) {
    Message& message = *ready_.front();
    ready_.pop_front();
    begin_work(message, nullptr);
  }
  // A backlog is read in large pieces, not message by message.
  const bool is_worth_it = room() >= options_.max_active / 4;
  if (behind_ && is_worth_it && !looking_ && !stopping_) scope_.spawn(look());
}

// How many more messages may be in memory. A backlog stays where it is, unread in its segments.
std::size_t Scheduler::room() const {
  const std::size_t busy = active_ + ready_.size();
  const bool has_memory = active_octets_ < options_.active_memory;
  return has_memory && busy < options_.max_active ? options_.max_active - busy : 0;
}

void Scheduler::begin_work(Message& message, std::shared_ptr<queue::Loaded> loaded) {
  if (message.doomed || message.held) {
    place(message);
    return;
  }
  if (message.busy) {
    message.next = this_second() + moved_pause;
    place(message);
    return;
  }
  message.station = Station::working;
  message.busy = true;
  ++active_;
  active_octets_ += message.size;
  scope_.spawn(work(&message, std::move(loaded)));
}

void Scheduler::end_work(Message& message) {
  --active_;
  active_octets_ -= message.size;
  hold_reasons_.erase(message.id);
  message.busy = false;
  message.station = Station::none;
}

async::Task<void> Scheduler::look() {
  look_again_ = true;
  if (looking_) co_return;
  looking_ = true;
  while (look_again_ && !stopping_) {
    look_again_ = false;
    behind_ = true;
    const std::size_t most = std::min(room(), found_at_once);
    if (most == 0) break;
    const std::uint64_t octets = options_.active_memory - active_octets_;
    auto found = co_await store_.poll(most, octets);
    behind_ = found.size() >= most;
    if (!found.empty()) look_again_ = true;
    for (queue::Store::Found& one : found) {
      found_.add();
      const smtp::Envelope& envelope = one.loaded->entry.envelope;
      log_.info(envelope.trace_id, "queued",
                {{"id", envelope.id},
                 {"from", smtp::format_path(envelope.reverse_path)},
                 {"size", one.loaded->header.body_size},
                 {"nrcpt", envelope.recipients.size()}});
      if (ready_.empty() && store_.healthy()) {
        begin_work(*one.message, std::move(one.loaded));
      } else {
        make_ready(*one.message);
      }
    }
  }
  looking_ = false;
}

void Scheduler::unpark(Destination& destination) {
  const std::size_t room = destination.limit > destination.waiting.size()
                               ? destination.limit - destination.waiting.size()
                               : 1;
  for (std::size_t i = 0; i < room && !destination.parked.empty(); ++i) {
    Message& message = *destination.parked.front();
    destination.parked.pop_front();
    make_ready(message);
  }
  start_some();
}

void Scheduler::tick() {
  for (Message* message : wheel_.take_due(this_second())) make_ready(*message);
  forget_doomed();
  dispatcher_.tick();
  start_some();
}

async::Task<void> Scheduler::stop(async::Deadline deadline) {
  stopping_ = true;
  while (scope_.running() > 0 && !deadline.passed() && dispatcher_.active() > 0) {
    const async::Deadline soon = async::Deadline::in(std::chrono::milliseconds(50));
    co_await async::sleep_until(soon.or_before(deadline));
  }
  dispatcher_.stop();
  co_await scope_.join();
  forget_doomed();
}

void Scheduler::defer(Message& message, Duration delay) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(delay);
  message.next = this_second() + static_cast<std::uint32_t>(seconds.count());
  end_work(message);
  place(message);
}

// Verbs on one message

async::Task<Scheduler::Done> Scheduler::change(queue::MessageId id,
                                               std::function<void(queue::MessageState&)> how) {
  Message* message = store_.find(id);
  if (message == nullptr || message->doomed) co_return fail(no_such_message());
  if (message->busy) co_return fail(CommandError("busy", "it is being worked on; try again"));
  message->busy = true;
  auto loaded = co_await store_.load(*message);
  message->busy = false;
  if (!loaded) co_return fail(CommandError("io", loaded.error().text()));
  if (message->doomed) co_return fail(no_such_message());
  how((*loaded)->state);
  store_.save(*message, (*loaded)->state);
  co_return Done();
}

async::Task<Scheduler::Done> Scheduler::hold(queue::MessageId id, std::string reason) {
  Message* working = store_.find(id);
  if (working != nullptr && working->station == Station::working) {
    store_.hold_in_memory(*working);  // written down with what comes of this attempt
    log_.info(id.text(), "held", {{"reason", reason}});
    hold_reasons_[id] = std::move(reason);
    co_return Done();
  }
  std::function<void(queue::MessageState&)> set = [&reason](queue::MessageState& state) {
    queue::set_held(state, reason);
  };
  auto changed = co_await change(id, std::move(set));
  if (!changed) co_return changed;
  Message& message = *store_.find(id);
  if (message.station == Station::waiting) {
    wheel_.remove(message);
    message.station = Station::none;
  }
  log_.info(id.text(), "held", {{"reason", reason}});
  co_return changed;
}

async::Task<Scheduler::Done> Scheduler::release(queue::MessageId id) {
  std::function<void(queue::MessageState&)> clear = queue::set_released;
  auto changed = co_await change(id, std::move(clear));
  if (!changed) co_return changed;
  log_.info(id.text(), "released");
  co_return flush(id);
}

async::Task<Scheduler::Done> Scheduler::requeue(queue::MessageId id) {
  std::function<void(queue::MessageState&)> reset = queue::set_requeued;
  auto changed = co_await change(id, std::move(reset));
  if (!changed) co_return changed;
  log_.info(id.text(), "requeued");
  co_return flush(id);
}

Scheduler::Done Scheduler::flush(const queue::MessageId& id) {
  Message* message = store_.find(id);
  if (message == nullptr || message->doomed) return fail(no_such_message());
  if (message->held) return fail(CommandError("refused", "it is held; release it"));
  message->next = 0;
  if (message->station == Station::waiting) wheel_.remove(*message);
  const bool is_idle = message->station == Station::waiting || message->station == Station::none;
  if (is_idle) make_ready(*message);
  start_some();
  return {};
}

std::size_t Scheduler::flush_all() {
  std::vector<Message*> deferred;
  for (Message* message : store_.messages()) {
    if (message->station == Station::waiting) deferred.push_back(message);
  }
  for (Message* message : deferred) {
    wheel_.remove(*message);
    message->next = 0;
    make_ready(*message);
  }
  start_some();
  return deferred.size();
}

Scheduler::Done Scheduler::remove(const queue::MessageId& id) {
  Message* message = store_.find(id);
  if (message == nullptr || message->doomed) return fail(no_such_message());
  message->doomed = true;
  log_.info(id.text(), "deleted");
  if (message->station == Station::waiting) {
    wheel_.remove(*message);
    message->station = Station::none;
  }
  // Whoever has it now sees that it is doomed when its turn comes.
  if (message->station == Station::none) forget(*message);
  return {};
}

}  // namespace posthorn::queued
