// One message from its turn to its fate.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "agents/queued/scheduler.h"
#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/base/crc32c.h"
#include "libmail/base/random.h"
#include "libmail/smtp/trace.h"

namespace posthorn::queued {
namespace {

using queue::Message;
using queue::Phase;
using queue::RecipientState;

constexpr auto our_trouble = std::chrono::minutes(1);  // the wait behind trouble of our own
// The intake may have read a table, or asked for a user, a moment before us. Tables are read again within a second and
// unknown users are forgotten after one, so behind this wait we know what it knew. Counted from our look, for `arrival`
// is the moment of MAIL, which may lie before the one of RCPT by any time.
constexpr auto tables_agree = std::chrono::seconds(2);
constexpr std::size_t header_octets = 1 << 20;

// Opens a spooled body and makes sure that it is what was accepted.
struct OpenedBody {
  Fd fd;
  bool missing = false;
  bool damaged = false;
};
Result<OpenedBody, IoError> open_body(const std::string& path, std::uint64_t size,
                                      std::uint32_t crc) {
  OpenedBody opened;
  opened.fd = Fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!opened.fd) {
    opened.missing = errno == ENOENT;
    if (opened.missing) return opened;
    return fail(io_error("open", path));
  }
  std::string buffer(256 << 10, '\0');
  std::uint64_t read = 0;
  std::uint32_t found = 0;
  while (true) {
    const ssize_t count =
        ::pread(opened.fd.get(), buffer.data(), buffer.size(), static_cast<off_t>(read));
    if (count < 0) return fail(io_error("read", path));
    if (count == 0) break;
    found = crc32c(found, std::string_view(buffer).substr(0, static_cast<std::size_t>(count)));
    read += static_cast<std::uint64_t>(count);
  }
  opened.damaged = read != size || found != crc;
  return opened;
}

Result<std::string, IoError> read_header(int fd) {
  std::string front(header_octets, '\0');
  const ssize_t count = ::pread(fd, front.data(), front.size(), 0);
  if (count < 0) return fail(io_error("read", "spool"));
  front.resize(static_cast<std::size_t>(count));
  return front;
}

queue::RecipientChange change_of(const RecipientState& recipient, std::uint32_t index) {
  queue::RecipientChange change;
  change.index = index;
  change.phase = recipient.phase;
  change.when = recipient.when;
  change.status = recipient.last;
  return change;
}

}  // namespace

Patience Scheduler::patience(const Work& work) const {
  Patience patience;
  patience.now = wall_now();
  patience.arrival = work.envelope().arrival;
  if (patience.arrival == WallTime()) patience.arrival = work.message->id.time();
  patience.lifetime = options_.lifetime;
  patience.warn_after = options_.warn_after;
  patience.unknown_user_time = options_.unknown_user_time;
  return patience;
}

async::Task<void> Scheduler::work(Message* message, std::shared_ptr<queue::Loaded> loaded) {
  Work work;
  work.message = message;
  if (!loaded) {
    auto read = co_await store_.load(*message);
    if (!read) {
      const bool is_damaged = read.error().code == EBADMSG;
      log_.error(message->id.text(), is_damaged ? "queue-corruption" : "queue-trouble",
                 {{"why", read.error().text()}});
      // Nothing damaged is delivered, and nothing is thrown away: somebody has to look at it.
      if (is_damaged) store_.hold_in_memory(*message);
      defer(*message, our_trouble);
      start_some();
      co_return;
    }
    loaded = std::move(*read);
  }
  work.loaded = std::move(loaded);
  work.plan.state = std::move(work.loaded->state);
  const std::string& why_held = work.envelope().hold_reason;
  // Nothing is written of it yet: nobody has released it.
  if (!why_held.empty() && message->block_size == 0) {
    log_.info(work.trace_id(), "held", {{"id", message->id.text()}, {"reason", why_held}});
    set_aside(work, why_held);
    start_some();
    co_return;
  }
  const bool is_ready = co_await prepare(work);
  if (is_ready && !park(work)) {
    co_await hand_over(work);
    co_await settle(work);
  }
  start_some();
}

// False if the message has gone another way.
async::Task<bool> Scheduler::prepare(Work& work) {
  const bool has_body = co_await open_spool(work);
  if (!has_body) co_return false;
  const bool goes_on = co_await check_hops(work);
  if (!goes_on) co_return true;  // everybody has failed: settle() tells it
  const bool expanded = co_await expand(work);
  if (!expanded) co_return false;
  const bool found = co_await find_transports(work);
  co_return found;
}

async::Task<bool> Scheduler::open_spool(Work& work) {
  const queue::RecordHeader& header = work.loaded->header;
  if (header.place != queue::BodyPlace::spooled) co_return true;
  const std::string path = store_.layout().spooled(header.id);
  auto open = [&path, &header] { return open_body(path, header.body_size, header.spooled_crc); };
  auto opened = co_await async::blocking(std::move(open));
  if (!opened) {
    log_.error(work.trace_id(), "queue-trouble", {{"why", opened.error().text()}});
    defer(*work.message, our_trouble);
    co_return false;
  }
  if (opened->missing) {
    // A record is written after its spool file is on the disk, and the file goes after the outcome: without it
    // the intake never said 250.
    log_.warning(work.trace_id(), "spool-file-missing", {{"path", path}});
    Message& message = *work.message;
    end_work(message);
    store_.finish(message);
    co_return false;
  }
  if (opened->damaged) {
    log_.error(work.trace_id(), "queue-corruption", {{"path", path}});
    set_aside(work, "its spool file is damaged");
    co_return false;
  }
  work.spool = std::move(opened->fd);
  co_return true;
}

// RFC 5321 6.3. Only before the first attempt: afterwards nothing has changed.
async::Task<bool> Scheduler::check_hops(Work& work) {
  if (work.plan.state.expanded) co_return true;
  smtp::ReceivedCounter counter;
  if (work.spool) {
    auto read = [&work] { return read_header(work.spool.get()); };
    auto front = co_await async::blocking(std::move(read));
    if (front) counter.feed(*front);
  } else {
    counter.feed(work.loaded->body.substr(0, header_octets));
  }
  if (counter.count() < options_.hop_limit) co_return true;
  queue::MessageState& state = work.plan.state;
  const smtp::Status status({5, 4, 6}, fmt::format("mail loop: {} hops", counter.count()));
  for (const smtp::Recipient& to : work.envelope().recipients) {
    RecipientState& recipient = state.recipients.emplace_back(to);
    take_status(recipient, status, false, work.envelope().reverse_path, wall_now());
    log_result(work, recipient, "none");
  }
  state.expanded = true;
  co_return false;
}

async::Task<bool> Scheduler::expand(Work& work) {
  queue::MessageState& state = work.plan.state;
  work.plan.transports.resize(state.recipients.size());
  std::vector<std::size_t> which = to_expand(state);
  if (state.expanded && which.empty()) co_return true;
  auto expansion = co_await route::expand(resolver_, work.envelope(), std::move(which));
  if (!expansion.reports.empty()) {
    const bool reported = co_await reporter_.report_expansion(work, std::move(expansion.reports));
    if (!reported) {
      defer(*work.message, our_trouble);
      co_return false;
    }
  }
  for (const route::Expansion::Deferred& deferred : expansion.deferred) {
    log_.warning(work.trace_id(), "look-up-failed", {{"why", deferred.why}});
  }
  const Patience patient = patience(work);
  take_expansion(work.plan, work.envelope(), expansion, patient);
  for (const RecipientState& recipient : state.recipients) {
    if (recipient.when != patient.now) continue;
    log_result(work, recipient, "none");
    work.attempted = true;
  }
  co_return true;
}

// Of recipients that were expanded before this attempt: the transports table may have changed.
async::Task<bool> Scheduler::find_transports(Work& work) {
  for (std::size_t i = 0; i < work.plan.state.recipients.size(); ++i) {
    const bool is_asked =
        work.plan.state.recipients[i].phase == Phase::pending && !work.plan.transports[i];
    if (!is_asked) continue;
    smtp::Mailbox mailbox = work.plan.state.recipients[i].recipient.mailbox;
    auto transport = co_await resolver_.transport(std::move(mailbox));
    if (!transport) {
      defer(*work.message, our_trouble);
      co_return false;
    }
    work.plan.transports[i] = std::move(*transport);
  }
  co_return true;
}

void Scheduler::make_jobs(Work& work) {
  std::map<std::pair<Destination*, std::string>, Job*> open;
  std::vector<RecipientState>& recipients = work.plan.state.recipients;
  for (std::size_t i = 0; i < recipients.size(); ++i) {
    if (recipients[i].phase != Phase::pending) continue;
    const route::Transport& transport = *work.plan.transports[i];
    if (transport.kind != route::Transport::Kind::lmtp) {
      discard(work, i);
      continue;
    }
    const std::string& domain = recipients[i].recipient.mailbox.domain;
    const bool is_ours = domain.empty() || resolver_.is_ours(domain);
    Destination& destination =
        dispatcher_.destination(transport.endpoint, is_ours ? "" : smtp::canonical_domain(domain));
    const std::string sender = recipients[i].sender ? smtp::format_path(*recipients[i].sender) : "";
    Job*& job = open[{&destination, sender}];
    if (job == nullptr || job->recipients.size() >= options_.recipients_per_transaction) {
      job = work.jobs.emplace_back(std::make_unique<Job>()).get();
      job->work = &work;
      job->destination = &destination;
    }
    job->recipients.push_back(static_cast<std::uint32_t>(i));
  }
  work.open_jobs = work.jobs.size();
}

// discard: and error: need no agent.
void Scheduler::discard(Work& work, std::size_t index) {
  const route::Transport& transport = *work.plan.transports[index];
  const bool is_discarded = transport.kind == route::Transport::Kind::discard;
  RecipientState& recipient = work.plan.state.recipients[index];
  smtp::Status status = is_discarded ? smtp::Status({2, 0, 0}, "discarded") : transport.status;
  take_status(recipient, std::move(status), false, sender_of(recipient, work.envelope()),
              wall_now());
  log_result(work, recipient, is_discarded ? "discard" : "error");
  work.attempted = true;
}

// A message whose only destination is crowded gives its memory back until there is room.
bool Scheduler::park(Work& work) {
  make_jobs(work);
  if (work.jobs.size() != 1) return false;
  Destination& destination = *work.jobs.front()->destination;
  if (!destination.is_crowded(async::Loop::current().now())) return false;
  Message& message = *work.message;
  store_.save(message, work.plan.state);
  end_work(message);
  message.station = queue::Station::parked;
  destination.parked.push_back(&message);
  return true;
}

async::Task<void> Scheduler::hand_over(Work& work) {
  // A copy: submit() may finish jobs, and then more are not begun.
  std::vector<Job*> jobs;
  for (const std::unique_ptr<Job>& job : work.jobs) jobs.push_back(job.get());
  for (Job* job : jobs) dispatcher_.submit(*job);
  while (work.open_jobs > 0) {
    co_await work.progress.wait();
    work.progress.reset();
    take_results(work, work.open_jobs == 0);
  }
  take_results(work, true);
}

void Scheduler::take_results(Work& work, bool is_last) {
  if (work.finished.empty()) return;
  Message& message = *work.message;
  const bool had_block = message.block_size != 0;
  const WallTime now = wall_now();
  for (const Job* job : std::exchange(work.finished, {})) {
    if (!job->was_attempt) continue;
    work.attempted = true;
    work.agent_lost = work.agent_lost || job->agent_lost;
    for (std::size_t i = 0; i < job->recipients.size(); ++i) {
      const std::uint32_t index = job->recipients[i];
      RecipientState& recipient = work.plan.state.recipients[index];
      take_status(recipient, job->statuses[i], job->passed_plain,
                  sender_of(recipient, work.envelope()), now);
      log_result(work, recipient, job->relay);
      // The others are still under way: a crash must not send to this one again.
      if (!is_last && had_block && message.phases.size() == work.plan.state.recipients.size()) {
        store_.note(message, change_of(recipient, index));
      }
    }
  }
  const bool is_known = had_block && message.phases.size() == work.plan.state.recipients.size();
  if (!is_last && !is_known) store_.save(message, work.plan.state);
}

void Scheduler::log_result(const Work& work, const RecipientState& recipient,
                           std::string_view relay) {
  const WallTime arrival = work.envelope().arrival;
  const Duration delay = recipient.when - arrival;
  const smtp::Status& status = recipient.last;
  std::string_view event = "deferred";
  if (status.succeeded()) event = "sent";
  if (status.is_permanent() || recipient.phase == Phase::bounced ||
      recipient.phase == Phase::reported) {
    event = "bounced";
  }
  if (event == "sent") {
    delivered_.add();
    delay_.observe(std::chrono::duration<double>(delay).count());
  } else if (event == "bounced") {
    bounced_.add();
  } else {
    deferred_.add();
  }
  log_.info(work.trace_id(), event,
            {{"id", work.envelope().id},
             {"to", smtp::format_path(recipient.recipient.mailbox)},
             {"relay", relay},
             {"delay", delay},
             {"dsn", status.enhanced.text()},
             {"status", event},
             {"reply", status.text}});
}

async::Task<void> Scheduler::settle(Work& work) {
  queue::MessageState& state = work.plan.state;
  const Patience patient = patience(work);
  if (has_open(state) && patient.expired()) {
    give_up(state, patient, work.envelope().reverse_path);
    for (const RecipientState& recipient : state.recipients) {
      if (recipient.when == patient.now) log_result(work, recipient, "none");
    }
  }
  bool reported = true;
  if (owes_reports(state)) {
    store_.save(*work.message, state);  // what was delivered is known, even if the report is not
    reported = co_await reporter_.report_results(work);
  }
  const Duration age = patient.now - patient.arrival;
  const bool is_late = patient.warn_after > Duration() && age >= patient.warn_after;
  if (reported && has_open(state) && is_late && !state.warned) {
    const WallTime until =
        patient.arrival + std::chrono::duration_cast<std::chrono::microseconds>(patient.lifetime);
    state.warned = co_await reporter_.report_delay(work, until);
  }
  settled(work, reported);
}

void Scheduler::settled(Work& work, bool reported) {
  queue::MessageState& state = work.plan.state;
  Message& message = *work.message;
  if (message.doomed || (!has_open(state) && !owes_reports(state))) {
    end_work(message);
    store_.finish(message);
    return;
  }
  const Patience patient = patience(work);
  if (work.attempted) ++state.attempts;
  Duration delay = our_trouble;
  if (reported && work.attempted) {
    delay = work.agent_lost ? lost_agent_delay(options_.retry_rule(), state.attempts, random_u64())
                            : retry_delay(options_.retry_rule(), state.attempts, random_u64());
  }
  const bool is_first_look = work.attempted && state.attempts == 1;
  if (is_first_look && !to_expand(state).empty()) delay = std::min<Duration>(delay, tables_agree);
  WallTime next = patient.now + std::chrono::duration_cast<std::chrono::microseconds>(delay);
  // Not later than what is to happen then: the end of our patience, or of an unknown user's.
  std::vector<Duration> limits = {patient.lifetime};
  if (!to_expand(state).empty()) limits.push_back(patient.unknown_user_time);
  for (const Duration limit : limits) {
    const WallTime moment =
        patient.arrival + std::chrono::duration_cast<std::chrono::microseconds>(limit);
    if (moment > patient.now && moment < next) next = moment;
  }
  if (stopping_ && !work.attempted) next = patient.now;  // the next start goes on
  state.next = next;
  state.held = message.held;
  const auto reason = hold_reasons_.find(message.id);
  if (state.held && reason != hold_reasons_.end()) state.hold_reason = reason->second;
  store_.save(message, state);
  end_work(message);
  place(message);
}

// Kept, but not tried again until the operator says so.
void Scheduler::set_aside(Work& work, std::string why) {
  Message& message = *work.message;
  work.plan.state.held = true;
  work.plan.state.hold_reason = std::move(why);
  store_.save(message, work.plan.state);
  end_work(message);
  place(message);
}

}  // namespace posthorn::queued
