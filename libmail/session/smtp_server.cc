#include "libmail/session/smtp_server.h"

#include <utility>

#include "libmail/async/scope.h"
#include "libmail/base/text.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
using smtp::Event;
using smtp::Reply;

namespace {

// A client that still sends when we hang up would lose our last words to a TCP reset: we read a little more.
constexpr Duration linger_time = std::chrono::seconds(2);
constexpr std::size_t linger_octets = 1 << 20;

smtp::Client client_of(const async::Peer& peer, const std::string& name) {
  smtp::Client client;
  client.name = name;
  client.address = peer.address;
  client.port = peer.port;
  client.local = peer.is_local();
  return client;
}

smtp::TlsInfo info_of(const tls::Facts& facts) {
  return {facts.version, facts.cipher, facts.bits};
}

smtp::ServerSettings settings_for(const SmtpSessionSettings& settings, const async::Peer& peer) {
  smtp::ServerSettings server = settings.server;
  server.xclient = settings.xclient_networks.contains(peer.address);
  server.xforward = settings.xforward_networks.contains(peer.address);
  server.starttls = settings.tls != nullptr && !settings.implicit_tls;
  if (peer.kind == async::Peer::Kind::unix_socket) {
    server.xforward = true;
    server.auth_in_clear = true;
    server.unlimited = true;
  }
  return server;
}

}  // namespace

class SmtpSession {
 public:
  SmtpSession(std::unique_ptr<async::Stream> stream, SmtpSessionSettings settings,
              std::unique_ptr<SmtpHandler> handler, std::unique_ptr<SaslServer> sasl);
  ~SmtpSession();
  SmtpSession(const SmtpSession&) = delete;
  SmtpSession& operator=(const SmtpSession&) = delete;

  Task<void> run();
  void stop();
  [[nodiscard]] SmtpSession* next() const { return next_; }

 private:
  Task<bool> shake_hands();
  Task<void> converse();
  Task<bool> fill();
  Task<void> greet();
  Task<void> on_xclient();
  Task<bool> flush();
  Task<void> handle(Event event);
  Task<void> on_hello();
  Task<void> on_mail();
  Task<void> on_rcpt();
  Task<void> on_message_end();
  Task<void> on_query(Event event);
  Task<void> on_auth(Event event);
  Task<void> start_tls();
  Task<void> say_goodbye();
  Task<void> hang_up();
  [[nodiscard]] Deadline read_deadline();
  [[nodiscard]] SaslContext sasl_context() const;
  void refused(std::string_view event, std::string_view key, std::string_view what,
               const Reply& reply);
  [[nodiscard]] std::string_view trace_id();

  std::unique_ptr<async::Stream> stream_;
  tls::TlsStream* tls_stream_ = nullptr;  // stream_, if it is one
  SmtpSessionSettings settings_;
  std::unique_ptr<SmtpHandler> handler_;
  std::unique_ptr<SaslServer> sasl_;
  std::string peer_text_;
  std::optional<smtp::ServerCore> core_;
  async::Buffer input_;
  std::string mechanism_;  // of the AUTH under way, for the log
  std::string trace_id_;   // of the transaction that the core has ended already, for the log
  Deadline line_deadline_ = Deadline::never();
  Deadline message_deadline_ = Deadline::never();
  bool over_ = false;     // no more reading or writing but what hang_up() does
  bool waiting_ = false;  // for a command
  async::Scope goodbye_;
  SmtpSession* previous_ = nullptr;
  SmtpSession* next_ = nullptr;
};

SmtpSession::SmtpSession(std::unique_ptr<async::Stream> stream, SmtpSessionSettings settings,
                         std::unique_ptr<SmtpHandler> handler, std::unique_ptr<SaslServer> sasl)
    : stream_(std::move(stream)),
      settings_(std::move(settings)),
      handler_(std::move(handler)),
      sasl_(std::move(sasl)),
      peer_text_(stream_->peer().text()) {
  if (settings_.sessions == nullptr) return;
  next_ = settings_.sessions->first_;
  if (next_ != nullptr) next_->previous_ = this;
  settings_.sessions->first_ = this;
}

SmtpSession::~SmtpSession() {
  if (settings_.sessions == nullptr) return;
  if (next_ != nullptr) next_->previous_ = previous_;
  (previous_ != nullptr ? previous_->next_ : settings_.sessions->first_) = next_;
}

Task<void> SmtpSession::run() {
  bool ready = true;
  if (settings_.implicit_tls) ready = co_await shake_hands();
  if (ready) {
    core_.emplace(settings_for(settings_, stream_->peer()),
                  client_of(stream_->peer(), settings_.client_name));
    core_->set_server(stream_->peer().local_address, stream_->peer().local_port);
    if (tls_stream_ != nullptr) core_->begin_with_tls(info_of(tls_stream_->facts()));
    const bool stopping = settings_.sessions != nullptr && settings_.sessions->stopping();
    if (stopping) {
      core_->shut_down(smtp::reply::shutting_down);
    } else {
      co_await greet();
    }
    co_await converse();
  }
  co_await goodbye_.join();
  if (stream_ != nullptr) stream_->close();  // a failed handshake took it along
}

Task<void> SmtpSession::greet() {
  const Reply reply = co_await handler_->on_connect(core_->session());
  if (!reply.negative()) {
    core_->start();
    co_return;
  }
  refused("client-refused", "client", peer_text_, reply);
  core_->start_refusing(reply);
}

// Whom we speak to is somebody else from here on, for the log, for SASL and for all that is decided by address.
Task<void> SmtpSession::on_xclient() {
  const smtp::Client& client = core_->session().client;
  async::Peer peer = stream_->peer();
  const std::string proxy = peer.text();
  if (!client.local && !client.address.empty()) {
    peer.kind = async::Peer::Kind::inet;
    peer.address = client.address;
    peer.port = client.port;
  }
  peer_text_ = peer.is_local() || peer.port != 0 ? peer.text() : peer.address;
  settings_.log->info("-", "xclient",
                      {{"client", peer_text_},
                       {"name", client.name},
                       {"user", core_->session().user},
                       {"by", proxy}});
  if (sasl_ != nullptr) sasl_->cancel();
  const Reply reply = co_await handler_->on_connect(core_->session());
  if (reply.negative()) refused("client-refused", "client", peer_text_, reply);
  core_->answer(reply);
}

Task<bool> SmtpSession::shake_hands() {
  const Deadline deadline = Deadline::in(settings_.timeouts.handshake);
  auto secured = co_await tls::accept(std::move(stream_), settings_.tls, deadline);
  if (!secured) {
    settings_.log->info("-", "tls-failed", {{"client", peer_text_}, {"why", secured.error().text}});
    co_return false;
  }
  tls_stream_ = secured->get();
  stream_ = std::move(*secured);
  co_return true;
}

Task<void> SmtpSession::converse() {
  while (true) {
    const Event event = core_->next();
    if (event == Event::close) {
      if (core_->last_reply().negative()) {
        refused("hung-up", "client", peer_text_, core_->last_reply());
      }
      break;
    }
    if (event != Event::need_input) {
      co_await handle(event);
      if (over_) break;
      continue;
    }
    const bool more = co_await fill();
    if (!more) break;
  }
  if (core_->in_transaction()) {
    if (over_) settings_.log->info(trace_id(), "message-lost", {{"client", peer_text_}});
    co_await handler_->on_reset();
  }
  if (stream_ != nullptr && !over_) co_await hang_up();
}

// All that was read is used: what we have to say goes out in one piece, then we read on.
Task<bool> SmtpSession::fill() {
  input_.clear();
  input_.shrink();
  const bool stopping = settings_.sessions != nullptr && settings_.sessions->stopping();
  if (stopping && !core_->in_transaction()) {
    core_->shut_down(smtp::reply::shutting_down);
    co_return true;
  }
  const bool written = co_await flush();
  if (!written) co_return false;
  const Deadline deadline = read_deadline();
  waiting_ = !core_->in_transaction() && !core_->reading_body();
  auto count = co_await stream_->read(input_, deadline);
  waiting_ = false;
  if (over_) co_return false;
  if (!count && count.error().code == IoError::timed_out) {
    core_->shut_down(smtp::reply::timed_out);
    co_return true;
  }
  if (!count || *count == 0) {
    over_ = true;
    co_return false;
  }
  core_->feed(input_.view());
  co_return true;
}

Deadline SmtpSession::read_deadline() {
  const SmtpTimeouts& timeouts = settings_.timeouts;
  if (core_->reading_body()) {
    return Deadline::in(timeouts.body).or_before(message_deadline_);
  }
  if (!core_->mid_line()) {
    line_deadline_ = Deadline::never();
    return Deadline::in(timeouts.command);
  }
  if (line_deadline_.is_never()) line_deadline_ = Deadline::in(timeouts.line);
  return line_deadline_;
}

Task<bool> SmtpSession::flush() {
  if (core_->output().empty()) co_return true;
  const Deadline deadline = Deadline::in(settings_.timeouts.write);
  auto written = co_await stream_->write(core_->output(), deadline);
  core_->output().clear();
  if (!written) over_ = true;
  co_return written.has_value();
}

Task<void> SmtpSession::handle(Event event) {
  switch (event) {
    case Event::hello:
      co_await on_hello();
      break;
    case Event::mail:
      co_await on_mail();
      break;
    case Event::rcpt:
      co_await on_rcpt();
      break;
    case Event::data: {
      message_deadline_ = Deadline::in(settings_.timeouts.message);
      const Reply reply = co_await handler_->on_data(core_->envelope(), core_->session());
      core_->answer(reply);
      break;
    }
    case Event::body: {
      const Reply reply = co_await handler_->on_body(core_->octets());
      if (reply.negative()) core_->refuse_body(reply);
      break;
    }
    case Event::message_end:
      co_await on_message_end();
      break;
    case Event::reset: {
      const Reply& reply = core_->last_reply();
      if (reply.negative()) {
        settings_.log->info(trace_id_.empty() ? "-" : trace_id_, "message-refused",
                            {{"client", peer_text_}, {"code", reply.code}, {"why", reply.text}});
      }
      co_await handler_->on_reset();
      break;
    }
    case Event::refused: {
      refused("command-refused", "verb", core_->octets(), core_->last_reply());
      break;
    }
    case Event::vrfy:
    case Event::expn:
      co_await on_query(event);
      break;
    case Event::auth:
    case Event::auth_response:
      co_await on_auth(event);
      break;
    case Event::auth_cancelled:
      sasl_->cancel();
      break;
    case Event::start_tls:
      co_await start_tls();
      break;
    case Event::xclient:
      co_await on_xclient();
      break;
    case Event::need_input:
    case Event::close:
      break;
  }
}

Task<void> SmtpSession::on_hello() {
  const Reply reply = co_await handler_->on_hello(core_->session());
  if (sasl_ != nullptr && core_->session().extended) {
    const SaslContext context = sasl_context();
    std::vector<std::string> names = co_await sasl_->mechanisms(context);
    core_->set_auth_mechanisms(std::move(names));
  }
  core_->answer(reply);
}

Task<void> SmtpSession::on_mail() {
  const Reply reply = co_await handler_->on_mail(core_->envelope(), core_->session());
  trace_id_ = core_->envelope().trace_id;
  if (reply.negative()) {
    const std::string from = smtp::format_path(core_->envelope().reverse_path);
    refused("mail-refused", "from", from, reply);
  }
  core_->answer(reply);
}

Task<void> SmtpSession::on_rcpt() {
  const Reply reply =
      co_await handler_->on_rcpt(core_->envelope(), core_->recipient(), core_->session());
  if (reply.negative()) {
    const std::string to = smtp::format_mailbox(core_->recipient().mailbox);
    refused("rcpt-refused", "rcpt", to, reply);
  }
  core_->answer(reply);
}

Task<void> SmtpSession::on_message_end() {
  const std::vector<Reply> replies =
      co_await handler_->on_message_end(core_->envelope(), core_->session());
  core_->answer_message(replies);
}

Task<void> SmtpSession::on_query(Event event) {
  std::string argument(core_->octets());
  Reply reply;
  if (event == Event::vrfy) {
    reply = co_await handler_->on_vrfy(std::move(argument), core_->session());
  } else {
    reply = co_await handler_->on_expn(std::move(argument), core_->session());
  }
  core_->answer(reply);
}

Task<void> SmtpSession::on_auth(Event event) {
  SaslResult result;
  if (event == Event::auth) {
    mechanism_ = core_->auth_mechanism();
    std::string mechanism = mechanism_;
    std::optional<std::string> initial = core_->auth_initial();
    const SaslContext context = sasl_context();
    result = co_await sasl_->start(std::move(mechanism), std::move(initial), context);
  } else {
    std::string response(core_->octets());
    result = co_await sasl_->step(std::move(response));
  }
  if (result.kind == SaslResult::Kind::challenge) {
    core_->challenge(result.data);
    co_return;
  }
  if (result.kind == SaslResult::Kind::ok) {
    settings_.log->info("-", "auth-ok",
                        {{"client", peer_text_}, {"mechanism", mechanism_}, {"user", result.user}});
    core_->authenticated(std::move(result.user));
    co_return;
  }
  const Reply* reply = &smtp::reply::auth_failed;
  if (result.kind == SaslResult::Kind::unavailable) reply = &smtp::reply::auth_unavailable;
  if (result.kind == SaslResult::Kind::malformed) reply = &smtp::reply::auth_malformed;
  settings_.log->info("-", "auth-failed",
                      {{"client", peer_text_},
                       {"mechanism", mechanism_},
                       {"user", result.user},
                       {"code", reply->code},
                       {"why", result.reason}});
  core_->refuse_auth(*reply);
}

Task<void> SmtpSession::start_tls() {
  const bool written = co_await flush();
  if (!written) co_return;
  input_.clear();
  const bool secured = co_await shake_hands();
  if (!secured) {
    over_ = true;
    co_return;
  }
  core_->tls_started(info_of(tls_stream_->facts()));
}

// From outside: this session is to end.
void SmtpSession::stop() {
  if (!waiting_ || over_) return;  // fill() sees it
  over_ = true;
  goodbye_.spawn(say_goodbye());
}

Task<void> SmtpSession::say_goodbye() {
  const std::string words = smtp::format_reply(smtp::reply::shutting_down);
  const Deadline deadline = Deadline::in(linger_time);
  (void)co_await stream_->write(words, deadline);
  co_await stream_->shutdown(deadline);
  stream_->close();
}

Task<void> SmtpSession::hang_up() {
  const bool written = co_await flush();
  const Deadline deadline = Deadline::in(linger_time);
  if (written) co_await stream_->shutdown(deadline);
  if (!written || core_->last_reply().code == smtp::reply::bye.code) co_return;
  std::size_t read = 0;
  while (read < linger_octets) {
    input_.clear();
    auto count = co_await stream_->read(input_, deadline);
    if (!count || *count == 0) break;
    read += *count;
  }
}

SaslContext SmtpSession::sasl_context() const {
  const smtp::SessionInfo& session = core_->session();
  SaslContext context;
  context.service = settings_.service;
  context.secured = tls_stream_ != nullptr || stream_->peer().is_local();
  context.remote_address = session.client.address;
  context.remote_port = session.client.port;
  context.local_address = session.server_address;
  context.local_port = session.server_port;
  if (tls_stream_ != nullptr) context.channel_binding = tls_stream_->channel_binding();
  return context;
}

std::string_view SmtpSession::trace_id() {
  if (!core_->in_transaction() || core_->envelope().trace_id.empty()) return "-";
  return core_->envelope().trace_id;
}

// `key` = `what` stands beside the client, unless it is the client.
void SmtpSession::refused(std::string_view event, std::string_view key, std::string_view what,
                          const Reply& reply) {
  if (key == "client") {
    settings_.log->info(trace_id(), event,
                        {{key, what}, {"code", reply.code}, {"why", reply.text}});
  } else {
    settings_.log->info(
        trace_id(), event,
        {{"client", peer_text_}, {key, what}, {"code", reply.code}, {"why", reply.text}});
  }
}

Task<Reply> SmtpHandler::on_connect(const smtp::SessionInfo&) {
  co_return smtp::reply::ok;
}

Task<Reply> SmtpHandler::on_hello(const smtp::SessionInfo&) {
  co_return smtp::reply::ok;
}

Task<Reply> SmtpHandler::on_vrfy(std::string, const smtp::SessionInfo&) {
  co_return smtp::reply::cannot_vrfy;
}

Task<Reply> SmtpHandler::on_expn(std::string, const smtp::SessionInfo&) {
  co_return smtp::reply::cannot_expn;
}

void SmtpSessions::stop() {
  stopping_ = true;
  for (SmtpSession* session = first_; session != nullptr; session = session->next()) {
    session->stop();
  }
}

Task<void> serve_smtp(std::unique_ptr<async::Stream> stream, SmtpSessionSettings settings,
                      std::unique_ptr<SmtpHandler> handler, std::unique_ptr<SaslServer> sasl) {
  SmtpSession session(std::move(stream), std::move(settings), std::move(handler), std::move(sasl));
  co_await session.run();
}

}  // namespace posthorn::session
