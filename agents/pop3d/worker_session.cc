#include "agents/pop3d/worker_session.h"

#include "libmail/base/text.h"

namespace posthorn::pop3d {

using async::Deadline;
using async::Task;
using pop3::Event;
using store::StoreError;

namespace {

constexpr auto write_time = std::chrono::minutes(5);
constexpr std::size_t write_at = 64 * 1024;  // octets of output that are worth a system call

pop3::Settings core_settings(const WorkerSettings& settings, bool peer_is_trusted) {
  pop3::Settings core;
  core.limits = settings.limits;
  core.delete_after_retr = settings.delete_after_retr;
  core.refuse_utf8 = settings.refuse_utf8;
  core.greeting = "POP3 mail worker ready";
  if (peer_is_trusted) core.mechanisms.emplace_back("EXTERNAL");
  return core;
}

}  // namespace

struct WorkerSession::DropMessages final : pop3::Messages {
  const store::Maildrop& drop;
  explicit DropMessages(const store::Maildrop& d) : drop(d) {}
  std::size_t count() const override { return drop.entries().size(); }
  std::uint64_t size(std::size_t index) const override { return drop.entries()[index].size; }
  std::string_view uidl(std::size_t index) const override { return drop.entries()[index].uidl; }
};

WorkerCounters::WorkerCounters(service::Metrics& metrics)
    : opened(metrics.counter("posthorn_pop3d_maildrops_total", "maildrops asked for",
                             "result=\"opened\"")),
      busy(metrics.counter("posthorn_pop3d_maildrops_total", "", "result=\"in-use\"")),
      failed(metrics.counter("posthorn_pop3d_maildrops_total", "", "result=\"failed\"")),
      retrieved(metrics.counter("posthorn_pop3d_messages_total", "messages", "what=\"retrieved\"")),
      deleted(metrics.counter("posthorn_pop3d_messages_total", "", "what=\"deleted\"")),
      sessions(metrics.gauge("posthorn_pop3d_maildrops_open", "maildrops open now")) {}

WorkerSession::WorkerSession(std::unique_ptr<async::Stream> stream, bool peer_is_trusted,
                             session::UserdbClient& userdb, store::Files& files,
                             std::shared_ptr<const WorkerSettings> settings, service::Log& log,
                             WorkerCounters& counters)
    : stream_(std::move(stream)),
      userdb_(userdb),
      files_(files),
      settings_(std::move(settings)),
      log_(log),
      counters_(counters),
      core_(core_settings(*settings_, peer_is_trusted)) {}

WorkerSession::~WorkerSession() = default;

Task<void> WorkerSession::serve() {
  bool goes_on = true;
  while (goes_on) {
    while (auto event = core_.next()) {
      goes_on = co_await handle(std::move(*event));
      if (!goes_on) break;
    }
    const bool written = co_await flush();
    if (!written || !goes_on) break;
    if (stopping_) {
      core_.end(pop3::code::system_temporary,
                "the server is going down, connect again in a minute");
      continue;
    }
    reading_ = true;
    const auto count = co_await stream_->read(input_, Deadline::in(settings_->idle_time));
    reading_ = false;
    if (stopping_) continue;
    if (!count && count.error().code == IoError::timed_out) {
      core_.end("", "silent too long, goodbye: nothing was deleted");
      continue;
    }
    if (!count || *count == 0) break;
    core_.feed(input_.view());
    input_.clear();
    input_.shrink();
  }
  stream_->close();
  if (drop_) counters_.sessions.add(-1);
}

// False ends the session.
Task<bool> WorkerSession::handle(Event event) {
  switch (event.kind) {
    case Event::Kind::sasl_start: {
      sasl::ServerOptions options;
      options.external_identity = "";  // the peer is trusted, but nobody in particular
      options.external_as_anybody = true;
      external_ = sasl::make_server_mechanism(event.mechanism, std::move(options));
      if (!event.initial) {
        core_.challenge("");
        co_return true;
      }
      co_await authenticate(std::move(*event.initial));
      co_return true;
    }
    case Event::Kind::sasl_response:
      co_await authenticate(std::move(event.data));
      co_return true;
    case Event::Kind::retrieve: {
      const bool goes_on = co_await send_message(event.index, event.whole);
      co_return goes_on;
    }
    case Event::Kind::commit:
      co_await commit();
      co_return true;
    case Event::Kind::sasl_cancel:
      external_.reset();
      co_return true;
    case Event::Kind::login:      // never: plaintext is off
    case Event::Kind::start_tls:  // never: there is no TLS
    case Event::Kind::close:
      co_return false;
  }
  co_return false;
}

Task<void> WorkerSession::authenticate(std::string response) {
  const sasl::Step step = external_->start(response);
  if (step.kind != sasl::Step::Kind::success) {
    log_.warning("", "login-refused", {{"peer", stream_->peer().text()}, {"why", step.detail}});
    core_.refused(pop3::code::authentication, "EXTERNAL needs a user");
    co_return;
  }
  co_await open_drop(step.user);
}

Task<void> WorkerSession::open_drop(std::string user) {
  const auto found = co_await userdb_.find(user);
  if (found.kind == session::UserdbAnswer::Kind::unavailable) {
    core_.refused(pop3::code::system_temporary, "users can't be looked up now, try again later");
    co_return;
  }
  if (found.kind == session::UserdbAnswer::Kind::unknown) {
    log_.warning("", "user-unknown", {{"user", user}});
    core_.refused(pop3::code::authentication, "no such user");
    co_return;
  }
  user_ = found.user;
  auto location = access::locate(settings_->places, found);
  if (!location) {
    refuse_to_open(location.error());
    co_return;
  }
  auto drop = co_await store::open_maildrop(files_, std::move(*location),
                                            Deadline::in(settings_->lock_time));
  if (!drop) {
    refuse_to_open(drop.error());
    co_return;
  }
  drop_ = std::move(*drop);
  for (const std::string& remark : drop_->remarks())
    log_.warning("", "maildrop-remark", {{"user", user_}, {"what", remark}});
  messages_ = std::make_unique<DropMessages>(*drop_);
  counters_.opened.add();
  counters_.sessions.add(1);
  log_.info("", "maildrop-open", {{"user", user_}, {"messages", messages_->count()}});
  core_.logged_in(*messages_);
}

void WorkerSession::refuse_to_open(const StoreError& error) {
  log_.warning("", "maildrop-refused", {{"user", user_}, {"why", error.text}});
  if (error.kind == StoreError::Kind::locked) {
    counters_.busy.add();
    return core_.refused(pop3::code::in_use, "the mailbox is in use by another session");
  }
  counters_.failed.add();
  const bool needs_operator =
      error.kind == StoreError::Kind::bad_name || error.kind == StoreError::Kind::refused;
  core_.refused(
      needs_operator ? pop3::code::system_permanent : pop3::code::system_temporary,
      "the mailbox can't be opened" + std::string(needs_operator ? "" : " now, try again later"));
}

Task<bool> WorkerSession::send_message(std::size_t index, bool whole) {
  auto message = co_await drop_->open(index);
  if (!message) {
    log_.warning("", "message-unreadable", {{"user", user_}, {"why", message.error().text}});
    const bool gone = message.error().kind == StoreError::Kind::not_found;
    core_.refused(
        gone ? "" : pop3::code::system_temporary,
        gone ? "another program has removed the message" : "the message can't be read now");
    co_return true;
  }
  const bool goes_on = co_await send_parts(**message, whole);
  co_return goes_on;
}

Task<bool> WorkerSession::send_parts(store::MaildropMessage& message, bool whole) {
  bool first = true;
  for (;;) {
    auto part = co_await message.next();
    if (!part && first) {
      core_.refused(pop3::code::system_temporary, "the message can't be read now");
      co_return true;
    }
    if (!part) {
      // The client has half a message: only the end of the connection tells it so.
      log_.error("", "message-unreadable", {{"user", user_}, {"why", part.error().text}});
      core_.end("", "");
      co_return false;
    }
    if (first && !core_.message_begins(*part)) co_return true;
    if (!first) core_.message_part(*part);
    first = false;
    if (part->empty() || !core_.wants_parts()) break;
    if (core_.output_size() < write_at) continue;
    const bool written = co_await flush();
    if (!written) co_return false;
  }
  core_.message_ends();
  if (whole) {
    counters_.retrieved.add();
    ++retrieved_;
  }
  co_return true;
}

Task<void> WorkerSession::commit() {
  std::vector<std::size_t> deleted = core_.deleted();
  std::vector<std::size_t> seen;
  if (settings_->mark_seen) seen = core_.retrieved();
  const std::size_t wanted = deleted.size();
  if (deleted.empty() && seen.empty()) {
    log_.info("", "maildrop-close", {{"user", user_}, {"retrieved", retrieved_}, {"deleted", 0}});
    core_.committed();
    co_return;
  }
  auto done = co_await drop_->finish(std::move(deleted), std::move(seen),
                                     Deadline::in(settings_->lock_time));
  const std::size_t removed = done ? done->removed : 0;
  counters_.deleted.add(removed);
  log_.info("", "maildrop-close",
            {{"user", user_}, {"retrieved", retrieved_}, {"deleted", removed}});
  if (!done) log_.error("", "delete-failed", {{"user", user_}, {"why", done.error().text}});
  if (done) {
    for (const StoreError& error : done->failed)
      log_.error("", "delete-failed", {{"user", user_}, {"why", error.text}});
  }
  if (removed < wanted) {
    core_.refused(pop3::code::system_temporary, "some deleted messages were not removed");
  } else {
    core_.committed();
  }
}

Task<bool> WorkerSession::flush() {
  if (!core_.has_output()) co_return true;
  const std::string octets = core_.take_output();
  const auto written = co_await stream_->write(octets, Deadline::in(write_time));
  co_return written.has_value();
}

void WorkerSession::end() {
  if (stopping_) return;
  stopping_ = true;
  // Waiting for a command: nothing is under way, so the connection may go without a word.
  if (reading_) stream_->close();
}

}  // namespace posthorn::pop3d
