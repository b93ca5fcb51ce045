#include "agents/queued/dispatcher.h"

#include <algorithm>

#include "libmail/async/loop.h"
#include "libmail/base/random.h"

namespace posthorn::queued {
namespace {

using std::chrono::minutes;
using std::chrono::seconds;

constexpr unsigned patient_connects = 6;  // 1 + 2 + 4 + ... s: then messages are deferred
constexpr auto share_pause = seconds(1);  // relayd has its share of connections to that site
constexpr auto slow = seconds(2);         // who waits longer, waits for a slow destination
constexpr auto connect_time = seconds(30);

const smtp::EnhancedStatus too_many_recipients{4, 5, 3};
const smtp::EnhancedStatus has_its_share{4, 4, 5};
const smtp::EnhancedStatus no_connection{4, 4, 1};
const smtp::EnhancedStatus connection_lost{4, 4, 2};

MonoTime now() {
  return async::Loop::current().now();
}

bool speaks_of_destination(const smtp::Status& status) {
  return status.is_transient() && status.enhanced.subject == 4;
}

}  // namespace

bool Destination::is_crowded(MonoTime at) const {
  return waiting.size() >= limit && at - waiting.front()->since >= slow;
}

Dispatcher::Dispatcher(const Options& options, async::Scope& scope, std::function<bool()> may_start,
                       std::function<void(Destination&)> on_room)
    : options_(options),
      scope_(scope),
      may_start_(std::move(may_start)),
      on_room_(std::move(on_room)),
      connections_(options.host.hostname, options.idle_connection) {}

Destination& Dispatcher::destination(const async::Endpoint& endpoint, std::string_view domain) {
  std::string agent_key = endpoint.text();
  std::string key = agent_key;
  if (!domain.empty()) key.append(" ").append(domain);
  std::unique_ptr<Destination>& place = destinations_[key];
  if (place) return *place;
  std::unique_ptr<DeliveryAgent>& agent = agents_[agent_key];
  if (!agent) {
    agent = std::make_unique<DeliveryAgent>();
    agent->endpoint = endpoint;
  }
  place = std::make_unique<Destination>();
  place->key = std::move(key);
  place->agent = agent.get();
  place->domain = domain;
  place->limit = domain.empty() ? options_.local_concurrency : options_.destination_concurrency;
  return *place;
}

bool Dispatcher::is_runnable(const Destination& destination, MonoTime at) const {
  return !destination.waiting.empty() && destination.active < destination.limit &&
         !destination.health.rests(at) && destination.agent->rest_until <= at;
}

void Dispatcher::line_up(Destination& destination) {
  if (destination.queued || !is_runnable(destination, now())) return;
  destination.queued = true;
  turns_.push_back(&destination);
}

void Dispatcher::submit(Job& job) {
  Destination& destination = *job.destination;
  if (job.since == MonoTime()) job.since = now();
  destination.waiting.push_back(&job);
  if (stopping_ || destination.health.is_dead(now())) {
    fail_waiting(destination);
    return;
  }
  line_up(destination);
  run_some();
}

void Dispatcher::run_some() {
  // A job that finishes at once comes here again: the outer call goes on with what it left.
  if (running_some_ || stopping_ || !may_start_()) return;
  running_some_ = true;
  while (active_ < options_.max_transactions && !turns_.empty()) {
    Destination& destination = *turns_.front();
    turns_.pop_front();
    destination.queued = false;
    if (!is_runnable(destination, now())) continue;
    Job* job = destination.waiting.front();
    destination.waiting.pop_front();
    job->number = destination.health.begin();
    ++destination.active;
    ++active_;
    line_up(destination);
    scope_.spawn(run(job));
    if (!destination.parked.empty() && !destination.is_crowded(now())) on_room_(destination);
  }
  running_some_ = false;
}

async::Task<void> Dispatcher::run(Job* job) {
  Destination& destination = *job->destination;
  session::SmtpClient* client = connections_.take(destination.agent->endpoint);
  const bool is_open = co_await open(client, job);
  if (is_open) co_await transact(client, job);
  connections_.release(client);
  --destination.active;
  --active_;
  if (is_open) judge(*job);
  line_up(destination);
  run_some();
}

// Connects if need be. Otherwise an agent is being restarted: everybody waits for it a minute before messages are
// deferred because of it.
async::Task<bool> Dispatcher::open(session::SmtpClient* client, Job* job) {
  DeliveryAgent& agent = *job->destination->agent;
  if (client->connected()) co_return true;
  auto opened = co_await client->open(async::Deadline::in(connect_time));
  if (opened) {
    agent.failures = 0;
    co_return true;
  }
  // Those that tried at the same moment count once.
  if (agent.rest_until <= now()) {
    ++agent.failures;
    const unsigned step = std::min(agent.failures, patient_connects);
    const RetryRule rule(seconds(1), minutes(1));
    agent.rest_until = now() + retry_delay(rule, step, random_u64());
  }
  if (agent.failures < patient_connects && !stopping_) {
    job->destination->waiting.push_front(job);
    co_return false;
  }
  job->statuses.assign(job->recipients.size(), opened.error());
  job->was_attempt = !stopping_;
  finish(*job);
  co_return false;
}

namespace {

// The envelope of one transaction: the message's, with `which` of its recipients.
smtp::Envelope transaction_envelope(const Job& job, const std::vector<std::size_t>& which) {
  const Work& work = *job.work;
  smtp::Envelope envelope = work.envelope();
  envelope.recipients.clear();
  envelope.size = work.loaded->header.body_size;
  for (const std::size_t index : which) {
    const queue::RecipientState& recipient = work.plan.state.recipients[job.recipients[index]];
    envelope.recipients.push_back(recipient.recipient);
    if (!recipient.sender) continue;
    // RFC 3461 5.2.7.1: what the sender wanted to hear is not the list owner's to be told.
    envelope.reverse_path = *recipient.sender;
    envelope.ret = smtp::Ret::unspecified;
    envelope.envid.reset();
  }
  return envelope;
}

}  // namespace

async::Task<void> Dispatcher::transact(session::SmtpClient* client, Job* job) {
  const Work& work = *job->work;
  const std::size_t count = job->recipients.size();
  job->statuses.assign(count, smtp::Status());
  std::vector<std::size_t> left(count);
  for (std::size_t i = 0; i < count; ++i) left[i] = i;
  while (!left.empty()) {
    const smtp::Envelope envelope = transaction_envelope(*job, left);
    session::WholeBody body(work.loaded->body);
    if (work.spool) body = session::WholeBody(work.spool.get(), 0, work.loaded->header.body_size);
    const async::Deadline deadline = async::Deadline::in(options_.transaction_time);
    ++transactions_;
    auto statuses = co_await client->deliver(envelope, body, deadline);
    std::vector<std::size_t> refused;
    for (std::size_t i = 0; i < left.size(); ++i) {
      job->statuses[left[i]] = std::move(statuses[i]);
      if (job->statuses[left[i]].enhanced == too_many_recipients) refused.push_back(left[i]);
    }
    job->agent_lost =
        !client->connected() &&
        std::any_of(job->statuses.begin(), job->statuses.end(), [](const smtp::Status& status) {
          return status.enhanced == connection_lost || status.enhanced == no_connection;
        });
    // 452 4.5.3: the others took the place of these, so these have it now (RFC 5321 4.5.3.1.10).
    const bool go_on = refused.size() < left.size() && client->connected();
    left = go_on ? std::move(refused) : std::vector<std::size_t>();
  }
  job->passed_plain = !client->core().extensions().dsn;
}

// What the replies say about the destination, and whether the job is done.
void Dispatcher::judge(Job& job) {
  Destination& destination = *job.destination;
  if (stopping_ && job.agent_lost) job.was_attempt = false;
  const bool all_share =
      std::all_of(job.statuses.begin(), job.statuses.end(),
                  [](const auto& status) { return status.enhanced == has_its_share; });
  if (all_share && !stopping_ && now() - job.since < options_.transaction_time) {
    put_back(job, share_pause);
    return;
  }
  const bool all_unreached =
      !job.agent_lost && !all_share &&
      std::all_of(job.statuses.begin(), job.statuses.end(), speaks_of_destination);
  if (!all_unreached) {
    destination.health.succeeded();
    finish(job);
    return;
  }
  const bool has_died =
      destination.health.failed(job.number, job.statuses.front(), now(), options_.retry_first);
  finish(job);
  if (has_died) fail_waiting(destination);
}

void Dispatcher::put_back(Job& job, Duration pause) {
  Destination& destination = *job.destination;
  destination.waiting.push_front(&job);
  destination.health.put_off(now() + pause);
}

void Dispatcher::finish(Job& job) {
  Work& work = *job.work;
  // The work looks at it in a later turn, when the destination may be gone.
  job.relay = std::exchange(job.destination, nullptr)->agent->endpoint.text();
  work.finished.push_back(&job);
  --work.open_jobs;
  work.progress.set();
}

// The destination is dead: those that wait for it need not find out each for itself.
void Dispatcher::fail_waiting(Destination& destination) {
  std::deque<Job*> waiting = std::exchange(destination.waiting, {});
  for (Job* job : waiting) {
    smtp::Status status = destination.health.trouble();
    if (stopping_ || status.enhanced.none()) status = smtp::Status({4, 3, 2}, "not tried");
    job->was_attempt = !stopping_;
    job->statuses.assign(job->recipients.size(), status);
    finish(*job);
  }
  if (!destination.parked.empty()) on_room_(destination);
}

void Dispatcher::tick() {
  const MonoTime at = now();
  connections_.close_idle(at);
  for (auto place = destinations_.begin(); place != destinations_.end();) {
    Destination& destination = *place->second;
    line_up(destination);
    if (!destination.parked.empty() && !destination.is_crowded(at)) on_room_(destination);
    const bool is_forgettable = destination.is_idle() && !destination.queued &&
                                !destination.health.rests(at) && destination.health.failures() == 0;
    place = is_forgettable ? destinations_.erase(place) : std::next(place);
  }
  run_some();
}

void Dispatcher::forget_troubles() {
  for (auto& [key, destination] : destinations_) destination->health.forget();
  for (auto& [key, agent] : agents_) {
    agent->failures = 0;
    agent->rest_until = MonoTime();
  }
  tick();
}

void Dispatcher::stop() {
  stopping_ = true;
  for (auto& [key, destination] : destinations_) fail_waiting(*destination);
  connections_.close_all();
}

std::size_t Dispatcher::waiting() const {
  std::size_t count = 0;
  for (const auto& [key, destination] : destinations_) count += destination->waiting.size();
  return count;
}

}  // namespace posthorn::queued
