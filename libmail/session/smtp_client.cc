#include "libmail/session/smtp_client.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libmail/async/files.h"
#include "libmail/async/socket.h"
#include "libmail/base/text.h"

namespace posthorn::session {

using async::Deadline;
using smtp::ClientCore;
using smtp::EnhancedStatus;
using smtp::LastPiece;
using smtp::Status;
using smtp::TlsLevel;

namespace {

// A large message goes out in pieces of this size: few replies to BDAT, little memory.
constexpr std::size_t piece_size = 64 * 1024;
// Pieces that come from somewhere else gather up to this size before they are written.
constexpr std::size_t gather_size = 32 * 1024;
// What an idle connection may keep of its write buffer: many are kept.
constexpr std::size_t idle_buffer = 16 * 1024;
// How long a server that broke the connection may take to say why.
constexpr Duration last_words = std::chrono::seconds(1);

void give_back_memory(std::string& buffer) {
  buffer.clear();
  if (buffer.capacity() > idle_buffer) std::string().swap(buffer);
}

bool is_ascii_message(const smtp::Envelope& envelope, std::string_view octets) {
  const std::string_view header = octets.substr(0, octets.find("\r\n\r\n"));
  if (!is_ascii(header)) return false;
  if (envelope.reverse_path && smtp::needs_smtputf8(*envelope.reverse_path)) return false;
  return std::none_of(envelope.recipients.begin(), envelope.recipients.end(),
                      [](const smtp::Recipient& one) { return smtp::needs_smtputf8(one.mailbox); });
}

async::Task<Result<std::unique_ptr<async::Stream>, IoError>> connect_socket(async::Endpoint to,
                                                                            std::string from,
                                                                            Deadline deadline) {
  if (from.empty() || to.kind != async::Endpoint::Kind::inet) {
    auto stream = co_await async::connect(std::move(to), deadline);
    co_return stream;
  }
  auto stream = co_await async::connect_from(std::move(to), std::move(from), deadline);
  co_return stream;
}

}  // namespace

std::string NextHop::text() const {
  return (dialect == smtp::ClientDialect::lmtp ? "lmtp:" : "smtp:") + endpoint.text();
}

Result<NextHop, std::string> parse_next_hop(std::string_view text) {
  constexpr std::string_view expected =
      "expected smtp:inet:HOST:PORT, smtp:unix:PATH, lmtp:inet:HOST:PORT or lmtp:unix:PATH";
  NextHop hop;
  if (istarts_with(text, "lmtp:")) {
    hop.dialect = smtp::ClientDialect::lmtp;
  } else if (!istarts_with(text, "smtp:")) {
    return fail(fmt::format("'{}' is no next hop: {}", printable(text), expected));
  }
  Result<async::Endpoint, std::string> endpoint = async::parse_endpoint(text.substr(5));
  if (!endpoint) return fail(fmt::format("'{}': {}", printable(text), endpoint.error()));
  const bool inet = endpoint->kind == async::Endpoint::Kind::inet;
  const bool unix_socket = endpoint->kind == async::Endpoint::Kind::unix_socket;
  const bool usable = unix_socket || (inet && endpoint->port != 0 && !endpoint->host.empty() &&
                                      endpoint->host != "*");
  if (!usable)
    return fail(fmt::format("'{}' is nothing to connect to: {}", printable(text), expected));
  hop.endpoint = std::move(*endpoint);
  return hop;
}

SmtpClient::SmtpClient(NextHop hop, SmtpClientOptions options)
    : hop_(std::move(hop)), options_(std::move(options)) {
  options_.core.dialect = hop_.dialect;
  options_.core.private_path = hop_.endpoint.kind == async::Endpoint::Kind::unix_socket;
  start(options_.core.tls);
}

SmtpClient::~SmtpClient() = default;

void SmtpClient::start(TlsLevel tls) {
  stream_.reset();
  tls_ = nullptr;
  input_.clear();
  gathered_.clear();
  body_begun_ = false;
  handshake_failed_ = false;
  smtp::ClientOptions core = options_.core;
  core.tls = options_.implicit_tls ? TlsLevel::never : tls;
  core_ = std::make_unique<ClientCore>(std::move(core));
}

bool SmtpClient::connected() const {
  return stream_ != nullptr && core_->reusable() && !stream_->has_pending();
}

const tls::Facts* SmtpClient::tls_facts() const {
  return tls_ == nullptr ? nullptr : &tls_->facts();
}

// --- opening ---

async::Task<Result<void, Status>> SmtpClient::open(Deadline deadline) {
  auto opened = co_await connect_once(options_.core.tls, deadline);
  if (opened || !handshake_failed_ || options_.core.tls != TlsLevel::opportunistic ||
      options_.implicit_tls)
    co_return opened;
  // RFC 7435: a server whose TLS is broken gets what a server without TLS would get.
  auto in_clear = co_await connect_once(TlsLevel::never, deadline);
  co_return in_clear;
}

async::Task<Result<void, Status>> SmtpClient::connect_once(TlsLevel tls, Deadline deadline) {
  start(tls);
  const Deadline until = Deadline::in(options_.timeouts.connect).or_before(deadline);
  auto stream = co_await connect_socket(hop_.endpoint, options_.source_address, until);
  if (!stream) {
    Status status(EnhancedStatus(4, 4, 1), printable(stream.error().text()));
    const std::string& host = options_.core.remote_name;
    if (!host.empty())
      status.text = printable(fmt::format("host {}: {}", host, stream.error().text()));
    core_->abandon(status);
    co_return fail(std::move(status));
  }
  stream_ = std::move(*stream);
  if (!options_.preamble.empty()) {
    // What goes wrong here is seen as soon as a greeting is waited for.
    (void)co_await stream_->write(options_.preamble, until);
  }
  if (options_.implicit_tls) {
    const bool secured = co_await shake_hands(deadline);
    if (!secured) co_return fail(core_->trouble());
  }
  auto greeted = co_await hello(deadline);
  co_return greeted;
}

async::Task<Result<void, Status>> SmtpClient::open_on(std::unique_ptr<async::Stream> stream,
                                                      Deadline deadline) {
  start(options_.core.tls);
  stream_ = std::move(stream);
  auto greeted = co_await hello(deadline);
  co_return greeted;
}

async::Task<Result<void, Status>> SmtpClient::hello(Deadline deadline) {
  Duration wait = options_.timeouts.greeting;
  while (core_->phase() == ClientCore::Phase::opening ||
         core_->phase() == ClientCore::Phase::handshake) {
    if (core_->phase() == ClientCore::Phase::handshake) {
      const bool secured = co_await shake_hands(deadline);
      if (!secured) break;
    }
    co_await pump(wait, deadline);
    wait = options_.timeouts.command;
  }
  if (core_->phase() == ClientCore::Phase::ready) co_return Result<void, Status>();
  stream_.reset();
  tls_ = nullptr;
  co_return fail(core_->trouble());
}

async::Task<bool> SmtpClient::shake_hands(Deadline deadline) {
  const Deadline until = Deadline::in(options_.timeouts.command).or_before(deadline);
  auto stream =
      co_await tls::connect(std::move(stream_), options_.tls_context, options_.tls_name, until);
  if (!stream) {
    handshake_failed_ = true;
    Status status(EnhancedStatus(4, 7, 5), printable("TLS handshake: " + stream.error().text));
    if (!options_.core.remote_name.empty())
      status.text = fmt::format("host {}: {}", options_.core.remote_name, status.text);
    core_->abandon(status);
    co_return false;
  }
  tls_ = stream->get();
  stream_ = std::move(*stream);
  core_->secured();
  co_return true;
}

// --- octets ---

// Writes what is to be written and reads once, if anything is still to come.
async::Task<void> SmtpClient::pump(Duration wait, Deadline deadline) {
  co_await flush(deadline);
  if (core_->phase() == ClientCore::Phase::closed) co_return;
  const Deadline until = Deadline::in(wait).or_before(deadline);
  co_await read_some(until);
}

async::Task<void> SmtpClient::flush(Deadline deadline) {
  std::string& output = core_->output();
  if (output.empty()) co_return;
  if (stream_ == nullptr) {
    output.clear();
    co_return;
  }
  const Deadline until = Deadline::in(options_.timeouts.block).or_before(deadline);
  auto written = co_await stream_->write(output, until);
  give_back_memory(core_->output());
  if (written) co_return;
  if (written.error().code == IoError::timed_out) {
    core_->lost("timed out");
  } else {
    co_await hear_last_words();
    core_->lost("lost connection");
  }
}

async::Task<void> SmtpClient::read_some(Deadline deadline) {
  if (stream_ == nullptr) {
    core_->lost("lost connection");
    co_return;
  }
  auto count = co_await stream_->read(input_, deadline);
  if (!count) {
    core_->lost(count.error().code == IoError::timed_out ? "timed out" : "lost connection");
  } else if (*count == 0) {
    core_->lost("lost connection");
  } else {
    core_->receive(input_.view());
    input_.clear();
  }
}

// A server that refuses a message in its middle says so and closes, and our write fails before we have read it.
async::Task<void> SmtpClient::hear_last_words() {
  const Deadline until = Deadline::in(last_words);
  while (core_->phase() != ClientCore::Phase::closed) {
    auto count = co_await stream_->read(input_, until);
    if (!count || *count == 0) co_return;
    core_->receive(input_.view());
    input_.clear();
  }
}

void SmtpClient::close() {
  core_->lost("connection closed");
  if (stream_ != nullptr) stream_->close();
}

async::Task<void> SmtpClient::quit(Deadline deadline) {
  if (stream_ == nullptr) co_return;
  if (core_->phase() == ClientCore::Phase::ready) {
    core_->quit();
    const Deadline until = Deadline::in(last_words).or_before(deadline);
    auto written = co_await stream_->write(core_->output(), until);
    core_->output().clear();
    if (written) co_await stream_->shutdown(until);
  }
  core_->lost("connection closed");
  stream_.reset();
  tls_ = nullptr;
}

// --- whole ---

bool SmtpClient::given_up_while_idle() const {
  if (core_->phase() != ClientCore::Phase::closed) return false;
  return !core_->mail_status() || !core_->mail_status()->succeeded();
}

async::Task<std::vector<Status>> SmtpClient::deliver(const smtp::Envelope& envelope, WholeBody body,
                                                     Deadline deadline) {
  const bool kept = connected() && transactions() > 0;
  for (bool again = true; again;) {
    if (!connected()) {
      auto opened = co_await open(deadline);
      accepted_.clear();
      if (!opened) co_return std::vector<Status>(envelope.recipients.size(), opened.error());
      again = false;
    }
    co_await transact(envelope, body, deadline);
    if (!kept || !given_up_while_idle()) again = false;
    if (!again) break;
  }
  auto statuses = co_await settle(deadline);
  co_return statuses;
}

async::Task<void> SmtpClient::transact(const smtp::Envelope& envelope, WholeBody body,
                                       Deadline deadline) {
  const smtp::ServerExtensions& server = core_->extensions();
  if (envelope.smtputf8 && !server.smtputf8 && body.fd < 0 &&
      is_ascii_message(envelope, body.octets)) {
    // Some clients say SMTPUTF8 always. What has nothing beyond ASCII needs it nowhere.
    smtp::Envelope plain = envelope;
    plain.smtputf8 = false;
    core_->mail(plain);
  } else {
    core_->mail(envelope);
  }
  for (const smtp::Recipient& recipient : envelope.recipients) core_->rcpt(recipient);

  const bool small = body.fd < 0 && body.size <= grouped_body;
  if (!small) {
    while (!core_->envelope_answered()) co_await pump(options_.timeouts.command, deadline);
  }
  core_->begin_body();
  while (!core_->body_open() && core_->body_wanted())
    co_await pump(options_.timeouts.data, deadline);
  if (core_->body_open()) {
    if (body.fd < 0) {
      co_await send_octets(body.octets, deadline);
    } else {
      co_await send_file(body, deadline);
    }
  }
  while (!core_->finished()) co_await pump(options_.timeouts.final, deadline);
}

async::Task<void> SmtpClient::send_octets(std::string_view octets, Deadline deadline) {
  bool wanted = true;
  while (wanted && octets.size() > grouped_body) {
    const std::string_view piece = octets.substr(0, piece_size);
    octets.remove_prefix(piece.size());
    wanted = co_await send_piece(piece, LastPiece::no, deadline);
  }
  while (wanted && !core_->body_open() && core_->body_wanted())
    co_await pump(options_.timeouts.data, deadline);
  if (!core_->body_open()) co_return;
  // The last piece is written by the first pump for its reply.
  core_->body(octets, LastPiece::yes);
}

async::Task<void> SmtpClient::send_file(WholeBody body, Deadline deadline) {
  std::string piece;
  while (true) {
    const std::size_t size =
        static_cast<std::size_t>(std::min<std::uint64_t>(body.size, piece_size));
    piece.resize(size);
    auto work = [&piece, &body] {
      std::size_t have = 0;
      while (have < piece.size()) {
        const auto at = static_cast<off_t>(body.offset + have);
        const ssize_t count = ::pread(body.fd, piece.data() + have, piece.size() - have, at);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) break;
        have += static_cast<std::size_t>(count);
      }
      return have;
    };
    const std::size_t have = co_await async::blocking(std::move(work));
    if (have < size) {
      core_->abandon(Status(EnhancedStatus(4, 3, 0), "the message file can't be read to its end"));
      co_return;
    }
    body.offset += size;
    body.size -= size;
    const LastPiece last = body.size == 0 ? LastPiece::yes : LastPiece::no;
    const bool wanted = co_await send_piece(piece, last, deadline);
    if (!wanted || last == LastPiece::yes) co_return;
  }
}

// Sends a piece and hears what the server may have said meanwhile. False once nobody takes the message.
async::Task<bool> SmtpClient::send_piece(std::string_view piece, LastPiece last,
                                         Deadline deadline) {
  while (!core_->body_open() && core_->body_wanted())
    co_await pump(options_.timeouts.data, deadline);
  if (!core_->body_open()) co_return false;
  core_->body(piece, last);
  co_await flush(deadline);
  while (stream_ != nullptr && core_->body_wanted() && stream_->has_pending())
    co_await read_some(deadline);
  co_return core_->body_wanted();
}

// --- in steps ---

async::Task<Status> SmtpClient::mail(const smtp::Envelope& envelope, Deadline deadline) {
  body_begun_ = false;
  gathered_.clear();
  core_->mail(envelope);
  while (!core_->mail_status()) co_await pump(options_.timeouts.command, deadline);
  co_return *core_->mail_status();
}

async::Task<Status> SmtpClient::rcpt(const smtp::Recipient& recipient, Deadline deadline) {
  const std::size_t index = core_->rcpt(recipient);
  while (!core_->rcpt_status(index)) co_await pump(options_.timeouts.command, deadline);
  co_return *core_->rcpt_status(index);
}

async::Task<bool> SmtpClient::say_envelope(const smtp::Envelope& envelope, Deadline deadline) {
  const bool kept = transactions() > 0;
  co_await say_mail_and_rcpts(envelope, deadline);
  if (kept && given_up_while_idle()) {
    auto opened = co_await open(deadline);
    if (opened) co_await say_mail_and_rcpts(envelope, deadline);
  }
  co_return core_->body_wanted();
}

async::Task<void> SmtpClient::say_mail_and_rcpts(const smtp::Envelope& envelope,
                                                 Deadline deadline) {
  body_begun_ = false;
  gathered_.clear();
  core_->mail(envelope);
  for (const smtp::Recipient& recipient : envelope.recipients) core_->rcpt(recipient);
  while (!core_->envelope_answered()) co_await pump(options_.timeouts.command, deadline);
}

async::Task<bool> SmtpClient::begin_body(Deadline deadline) {
  core_->begin_body();
  while (!core_->body_open() && core_->body_wanted())
    co_await pump(options_.timeouts.data, deadline);
  body_begun_ = core_->body_open();
  co_return body_begun_;
}

async::Task<bool> SmtpClient::body(std::string_view piece, Deadline deadline) {
  if (!core_->body_wanted()) co_return false;
  if (gathered_.size() + piece.size() < gather_size) {
    gathered_ += piece;
    co_return true;
  }
  if (!gathered_.empty()) {
    const bool wanted = co_await send_piece(gathered_, LastPiece::no, deadline);
    gathered_.clear();
    if (!wanted) co_return false;
  }
  if (piece.size() < gather_size) {
    gathered_ = piece;
    co_return true;
  }
  const bool wanted = co_await send_piece(piece, LastPiece::no, deadline);
  co_return wanted;
}

async::Task<std::vector<Status>> SmtpClient::finish(Deadline deadline) {
  if (body_begun_ && core_->body_wanted())
    (void)co_await send_piece(gathered_, LastPiece::yes, deadline);
  gathered_.clear();
  check(body_begun_ || !core_->body_wanted(), "finish() without a body");
  auto statuses = co_await settle(deadline);
  co_return statuses;
}

async::Task<std::vector<Status>> SmtpClient::settle(Deadline deadline) {
  while (!core_->finished()) co_await pump(options_.timeouts.final, deadline);
  co_await flush(deadline);
  std::vector<Status> statuses = core_->results();
  accepted_.clear();
  for (std::size_t i = 0; i < statuses.size(); ++i)
    accepted_.push_back(core_->body_begun() && core_->rcpt_status(i)->succeeded());
  core_->reset();
  body_begun_ = false;
  if (core_->phase() == ClientCore::Phase::closed) {
    stream_.reset();
    tls_ = nullptr;
  }
  co_return statuses;
}

void SmtpClient::reset() {
  core_->reset();
  gathered_.clear();
  body_begun_ = false;
  if (core_->phase() == ClientCore::Phase::closed) close();
}

}  // namespace posthorn::session
