#include "agents/imapd/session.h"

#include "agents/imapd/commands.h"
#include "agents/imapd/metadata.h"
#include "agents/imapd/notify.h"
#include "libmail/base/text.h"
#include "libmail/imap/server/capabilities.h"
#include "libmail/imap/writer.h"

namespace posthorn::imapd {

using async::Deadline;
using async::Task;
using imap::LineReader;
using store::StoreError;

namespace {

// A client that is silent so long probably stays so for a while.
constexpr auto rest_after = std::chrono::seconds(20);
// In IDLE it said so itself.
constexpr auto idle_rest_after = std::chrono::seconds(2);

}  // namespace

WorkerCounters::WorkerCounters(service::Metrics& metrics)
    : sessions(metrics.gauge("posthorn_imapd_mailboxes", "sessions with a user")),
      idle(metrics.gauge("posthorn_imapd_idle", "sessions in IDLE")),
      commands(metrics.counter("posthorn_imapd_commands_total", "commands", "result=\"done\"")),
      bad_commands(metrics.counter("posthorn_imapd_commands_total", "", "result=\"bad\"")),
      appended(metrics.counter("posthorn_imapd_appended_total", "messages stored by clients")) {}

Session::Session(std::unique_ptr<async::Stream> stream, bool peer_is_trusted,
                 session::UserdbClient& userdb, Accounts& accounts,
                 std::shared_ptr<const WorkerSettings> settings, service::Log& log,
                 WorkerCounters& counters)
    : stream_(std::move(stream)),
      trusted_(peer_is_trusted),
      userdb_(userdb),
      accounts_(accounts),
      settings_(std::move(settings)),
      log_(log),
      counters_(counters),
      input_(*stream_, wake_),
      out_(*stream_),
      reader_(LineReader::Side::server, settings_->limits) {}

Session::~Session() = default;

Task<void> Session::serve() {
  async::Scope scope;
  scope.spawn(input_.run());
  const bool logged_in = co_await log_in();
  if (logged_in) {
    counters_.sessions.add(1);
    co_await take_commands();
    counters_.sessions.add(-1);
  }
  if (input_.is_nonsense())
    out_.untagged("BYE what came behind COMPRESS is not deflated");
  else if (stopping_)
    out_.untagged("BYE [UNAVAILABLE] the server is going down, connect again in a minute");
  co_await out_.flush();
  unselect();
  stream_->close();
  input_.consume(input_.view().size());
  input_.release();
  co_await scope.join();
}

void Session::end() {
  stopping_ = true;
  wake_.set();
}

// ---- log-in ----

Task<bool> Session::log_in() {
  imap::LoginSettings login;
  if (trusted_) login.mechanisms.emplace_back("EXTERNAL");
  login.greeting = "IMAP mail worker ready";
  imap::LoginCore core(std::move(login));
  for (;;) {
    while (auto event = core.next()) {
      const bool goes_on = co_await handle(core, std::move(*event));
      if (!goes_on) break;
    }
    out_.text() += core.take_output();
    const bool written = co_await out_.flush();
    if (account_) {
      // What the client pipelined behind its log-in is read again, as commands.
      input_.put_back(core.take_rest());
      co_return written;
    }
    if (!written || is_over()) co_return false;
    const Deadline deadline = Deadline::in(settings_->idle_time);
    while (input_.view().empty() && !is_over()) {
      const bool woken = co_await wait(deadline);
      if (!woken) co_return false;
    }
    core.feed(input_.view());
    input_.consume(input_.view().size());
    input_.release();
  }
}

Task<bool> Session::handle(imap::LoginCore& core, imap::LoginEvent event) {
  using Kind = imap::LoginEvent::Kind;
  std::string response;
  switch (event.kind) {
    case Kind::sasl_start: {
      sasl::ServerOptions options;
      options.external_identity = "";  // the peer is trusted, but nobody in particular
      options.external_as_anybody = true;
      external_ = sasl::make_server_mechanism(event.mechanism, std::move(options));
      if (!event.initial) {
        core.challenge("");
        co_return true;
      }
      response = std::move(*event.initial);
      break;
    }
    case Kind::sasl_response:
      response = std::move(event.data);
      break;
    case Kind::sasl_cancel:
      external_.reset();
      co_return true;
    case Kind::login:      // never: plaintext is off
    case Kind::start_tls:  // never: there is no TLS
    case Kind::close:
      over_ = true;
      co_return false;
  }
  const sasl::Step step = external_->start(response);
  if (step.kind != sasl::Step::Kind::success) {
    log_.warning("", "login-refused", {{"peer", stream_->peer().text()}, {"why", step.detail}});
    core.refused(imap::no("AUTHENTICATIONFAILED", "EXTERNAL needs a user"));
    co_return true;
  }
  co_await open_account(core, step.user);
  co_return !account_;
}

// Dovecot's field, "staff,board": for rights that a group has.
static std::vector<std::string> groups_of(const session::UserdbAnswer& user) {
  std::vector<std::string> groups;
  for (const std::string_view group : split(user.field("acl_groups").value_or(""), ',')) {
    if (!group.empty()) groups.emplace_back(group);
  }
  return groups;
}

Task<void> Session::open_account(imap::LoginCore& core, std::string user) {
  const auto found = co_await userdb_.find(user);
  if (found.kind == session::UserdbAnswer::Kind::unavailable) {
    core.refused(imap::no("UNAVAILABLE", "users can't be looked up now, try again later"));
    co_return;
  }
  if (found.kind == session::UserdbAnswer::Kind::unknown) {
    log_.warning("", "user-unknown", {{"user", user}});
    core.refused(imap::no("AUTHENTICATIONFAILED", "no such user"));
    co_return;
  }
  auto location = access::locate(settings_->places, found);
  if (!location) {
    log_.warning("", "mailbox-refused", {{"user", found.user}, {"why", location.error().text}});
    core.refused(imap::no("CONTACTADMIN", "the mailbox can't be opened"));
    co_return;
  }
  store::StoreSettings settings;
  settings.user = found.user;
  settings.index = settings_->index;
  settings.special_use = settings_->special_use;
  settings.quota = quota_rule(found);
  settings.groups = groups_of(found);
  store::NamespaceSettings space;
  space.prefix = settings_->prefix;
  space.separator = settings_->separator;
  space.location = std::move(*location);
  settings.namespaces.push_back(std::move(space));
  add_fixed_namespaces(*settings_, settings);
  account_ = accounts_.open(std::move(settings));
  external_.reset();
  log_.info("", "mailboxes-open", {{"user", account_->user}});
  co_await meet_sharers();
  core.logged_in(capabilities());
}

store::QuotaLimits Session::quota_rule(const session::UserdbAnswer& user) const {
  const auto rule = user.field("quota_rule");
  if (!rule) return settings_->quota;
  const auto limits = store::parse_quota(*rule);
  if (limits) return *limits;
  log_.warning("", "quota-rule", {{"user", user.user}, {"why", limits.error()}});
  return settings_->quota;
}

// ---- commands ----

std::string Session::capabilities() const {
  imap::SessionCapabilities state;
  state.append_limit = settings_->append_limit;
  state.message_limit = settings_->message_limit;
  state.compressed = out_.is_deflated();
  state.sets_quota = sets_quota();
  return imap::capabilities_after_login(state);
}

imap::CommandDialect Session::dialect() const {
  imap::CommandDialect dialect;
  dialect.syntax.utf8 = enabled_.utf8;
  dialect.syntax.nesting = settings_->limits.nesting;
  dialect.syntax.items = settings_->limits.items;
  dialect.separator = settings_->separator;
  return dialect;
}

std::string Session::wire_name(const std::string& name) const {
  imap::Writer writer(imap::Writer::Literals::server, enabled_.utf8);
  writer.astring(imap::name_to_wire(name, enabled_.utf8));
  return writer.take();
}

std::string Session::wire_string(const std::string& name) const {
  imap::Writer writer(imap::Writer::Literals::server, enabled_.utf8);
  writer.string(imap::name_to_wire(name, enabled_.utf8));
  return writer.take();
}

Task<void> Session::take_commands() {
  while (!is_over()) {
    const LineReader::Event event = co_await next_command_event();
    switch (event) {
      case LineReader::Event::more:
        co_return;
      case LineReader::Event::literal:
        co_await on_literal();
        break;
      case LineReader::Event::line: {
        imap::Line line = reader_.take_line();
        co_await on_line(std::move(line));
        break;
      }
      case LineReader::Event::error:
        on_error(reader_.error());
        break;
      case LineReader::Event::part:
      case LineReader::Event::dropped:
        break;
    }
    if (selected_) accounts_.index_writer().note(selected_->mailbox);
  }
}

namespace {

bool is_append(const imap::CommandHead& head) {
  return head.name == "APPEND" || head.name == "REPLACE" || head.name == "UID REPLACE";
}

}  // namespace

// A literal was announced. APPEND and REPLACE read on by themselves, all others keep it.
Task<void> Session::on_literal() {
  const auto head = imap::parse_command_head(reader_.line().text);
  if (head && is_append(*head)) {
    tag_ = head->tag;
    co_await append(*this);
    co_return;
  }
  const bool waits = reader_.literal().waits;
  if (reader_.keep() && waits) out_.text() += "+ go ahead\r\n";
}

void Session::on_error(imap::LineError error) {
  const auto head = imap::parse_command_head(reader_.line().text);
  const std::string tag = head ? head->tag : "*";
  reader_.give_up();
  if (head && head->name == "SETMETADATA" && error == imap::LineError::literal_too_large)
    return out_.status(tag, refuse_large_metadata());
  complain(tag, imap::bad(imap::text_of(error)));
}

void Session::complain(std::string_view tag, const Reply& why) {
  out_.status(tag, why);
  counters_.bad_commands.add();
  if (++errors_ < settings_->max_errors) return;
  out_.untagged("BYE too many errors");
  over_ = true;
}

Task<void> Session::on_line(imap::Line line) {
  if (line.text.empty()) co_return;
  const auto head = imap::parse_command_head(line.text);
  if (head && is_append(*head)) {
    tag_ = head->tag;
    co_await append_line(*this, std::move(line));
    co_return;
  }
  auto command = imap::parse_command(line, dialect());
  if (!command) {
    complain(command.error().tag, imap::bad(command.error().text()));
    co_return;
  }
  co_await run_command(std::move(*command));
}

Task<void> Session::run_command(imap::Command command) {
  tag_ = command.tag;
  counters_.commands.add();
  Task<Reply> task = run_any(*this, command);
  const Reply reply = co_await task;
  if (reply.condition == imap::Condition::bad) {
    complain(tag_, reply);
  } else {
    errors_ = 0;
    out_.status(tag_, reply);
  }
  if (std::exchange(compress_, false)) {
    co_await out_.flush();
    out_.deflate(accounts_.deflater());
    input_.inflate();
  }
  co_await out_.flush_if_full();
}

bool Session::nothing_follows() {
  input_.release();
  return input_.view().empty();
}

bool Session::compress() {
  compress_ = nothing_follows();
  return compress_;
}

void Session::unselect() {
  if (!selected_) return;
  auto mailbox = std::move(selected_->mailbox);
  selected_.reset();
  mailbox = accounts_.warm_mailboxes().keep(std::move(mailbox));
  if (mailbox) accounts_.index_writer().let_go(std::move(mailbox));
}

void Session::select(std::unique_ptr<Selected> mailbox) {
  selected_ = std::move(mailbox);
  Selected* here = selected_.get();
  auto bell = here->mailbox->bell();
  if (!bell) return;
  here->listening = std::make_unique<store::Listening>(std::move(bell), [this, here] {
    here->changed = true;
    wake_.set();
  });
}

imap::Reply Session::refusal(const StoreError& error) {
  switch (error.kind) {
    case StoreError::Kind::not_found:
      return imap::no("NONEXISTENT", "there is no such mailbox");
    case StoreError::Kind::already_exists:
      return imap::no("ALREADYEXISTS", "there is such a mailbox already");
    case StoreError::Kind::bad_name:
      return imap::no("CANNOT", "no mailbox can have that name");
    case StoreError::Kind::locked:
      return imap::no("INUSE", "another program has locked the mailbox, try again");
    case StoreError::Kind::over_quota:
      return imap::no("OVERQUOTA", "there is no room for it");
    default:
      break;
  }
  log_.error("", "store-failed", {{"user", account_->user}, {"why", error.text}});
  if (error.kind == StoreError::Kind::disk_full)
    return imap::no("UNAVAILABLE", "the disk is full, try again later");
  if (error.kind == StoreError::Kind::refused)
    return imap::no("NOPERM", "the file system does not allow it");
  return imap::no("UNAVAILABLE", "that does not work now, try again later");
}

// ---- what others do ----

void Session::tell(const AccountEvent& event) {
  account_->news.tell(event, news_.get());
  if (notifier_) notifier_->own_change(event);
}

void Session::hear_news() {
  if (!news_)
    news_ = std::make_unique<AccountNews::Reader>(account_->news, [this] { wake_.set(); });
}

void Session::notify(std::unique_ptr<Notifier> notifier) {
  notifier_ = std::move(notifier);
}

bool Session::has_news() const {
  return (news_ && !news_->empty()) || (notifier_ && notifier_->has_news());
}

Deadline Session::next_look() const {
  constexpr auto look_anyway = std::chrono::seconds(30);
  if (!notifier_) return Deadline::never();
  const bool deaf = notifier_->own() != Notifier::Own::none && selected_ && !selected_->listening;
  const Deadline anyway =
      deaf || notifier_->polls() ? Deadline::in(look_anyway) : Deadline::never();
  return notifier_->next_look().or_before(anyway);
}

// ---- waiting ----

// A part of a literal that the last call gave lies in the input until now.
LineReader::Event Session::event_now() {
  input_.release();
  std::string_view left = input_.view();
  const std::size_t before = left.size();
  const LineReader::Event event = reader_.read(left);
  input_.consume(before - left.size());
  return event;
}

Task<LineReader::Event> Session::next_command_event() {
  if (!notifier_) {
    const LineReader::Event event = co_await next_event();
    co_return event;
  }
  // A client that listens all the time.
  const Deadline deadline = Deadline::in(settings_->idle_time);
  for (;;) {
    const LineReader::Event event = event_now();
    if (event != LineReader::Event::more || is_over()) co_return event;
    if (reader_.at_start()) co_await announce_unasked();
    const bool written = co_await out_.flush();
    if (!written || is_over()) co_return event;
    if (!input_.view().empty()) continue;
    const bool woken = co_await wait(deadline.or_before(next_look()));
    if (woken || !deadline.passed()) continue;
    out_.untagged("BYE silent too long, goodbye");
    over_ = true;
    co_return event;
  }
}

Task<LineReader::Event> Session::next_event() {
  const Deadline deadline = Deadline::in(settings_->idle_time);
  for (;;) {
    const LineReader::Event event = event_now();
    if (event != LineReader::Event::more) co_return event;
    if (is_over()) co_return event;
    const bool written = co_await out_.flush();
    if (!written || is_over()) co_return event;
    if (!input_.view().empty()) continue;
    const bool woken = co_await wait(deadline);
    if (!woken) {
      out_.untagged("BYE silent too long, goodbye");
      over_ = true;
      co_return event;
    }
  }
}

Task<bool> Session::wait(Deadline deadline, bool is_idle) {
  // What was read away makes room, or nothing more would come.
  input_.release();
  const Duration rest_in = is_idle ? Duration(idle_rest_after) : Duration(rest_after);
  bool woken = co_await wake_.wait_until(deadline.or_before(Deadline::in(rest_in)));
  if (!woken && !deadline.passed()) {
    // Nobody needs the mailbox soon; if somebody is at it now, that one will say so.
    if (selected_) {
      auto mailbox = selected_->mailbox;
      accounts_.kept_sorts().forget_old();
      accounts_.kept_threads().forget_old();
      auto rest = [mailbox] { return mailbox->rest(); };
      const auto rested = co_await async::blocking(std::move(rest));
      (void)rested;
    }
    woken = co_await wake_.wait_until(deadline);
  }
  wake_.reset();
  co_return woken;
}

}  // namespace posthorn::imapd
