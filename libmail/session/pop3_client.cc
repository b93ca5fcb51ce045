#include "libmail/session/pop3_client.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "libmail/async/files.h"
#include "libmail/async/socket.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
using pop3::ClientCore;
using pop3::ClientEvent;

namespace {

// So many commands may be under way: neither side's buffers fill up.
constexpr std::size_t most_pipelined = 50;

Pop3Error refusal(std::string_view command, const pop3::Reply& reply) {
  const std::string code = reply.code.empty() ? "" : "[" + reply.code + "] ";
  Pop3Error error(Pop3Error::Kind::refused,
                  fmt::format("{}: {}", command, printable(code + reply.text)));
  error.reply = reply;
  return error;
}

// "1 120", "1 whqtswO00WBw418f9t5JxYwZ"
std::optional<std::pair<std::uint32_t, std::string_view>> numbered(std::string_view line) {
  const std::size_t space = line.find(' ');
  const auto number = parse_number<std::uint32_t>(line.substr(0, space));
  if (!number || *number == 0 || space == std::string_view::npos) return std::nullopt;
  return std::pair(*number, trim(line.substr(space + 1)));
}

}  // namespace

Pop3Client::Pop3Client(async::Endpoint server, Pop3ClientOptions options)
    : server_(std::move(server)),
      options_(std::move(options)),
      core_(std::make_unique<ClientCore>(options_.limits)),
      private_path_(server_.kind == async::Endpoint::Kind::unix_socket) {}

Pop3Client::~Pop3Client() = default;

bool Pop3Client::connected() const {
  return stream_ != nullptr && core_->phase() == ClientCore::Phase::transaction;
}

const tls::Facts* Pop3Client::tls_facts() const {
  return tls_ == nullptr ? nullptr : &tls_->facts();
}

Pop3Error Pop3Client::trouble() const {
  if (failure_) return *failure_;
  return Pop3Error(Pop3Error::Kind::lost, core_->trouble());
}

// --- opening ---

Task<Pop3Result<void>> Pop3Client::open(Deadline deadline) {
  const Deadline until = Deadline::in(options_.connect).or_before(deadline);
  async::Endpoint to = server_;
  auto stream = co_await async::connect(std::move(to), until);
  if (!stream) {
    stream_.reset();
    co_return fail(Pop3Error(Pop3Error::Kind::unreachable, printable(stream.error().text())));
  }
  auto opened = co_await open_on(std::move(*stream), deadline);
  co_return opened;
}

Task<Pop3Result<void>> Pop3Client::open_on(std::unique_ptr<async::Stream> stream,
                                           Deadline deadline) {
  core_ = std::make_unique<ClientCore>(options_.limits);
  stream_ = std::move(stream);
  tls_ = nullptr;
  failure_.reset();
  input_.clear();
  if (options_.tls == MailTls::implicit) {
    const bool secured = co_await shake_hands(deadline);
    if (!secured) co_return fail(trouble());
  }
  auto result = co_await hello(deadline);
  if (!result) {
    core_->lost("connection closed");
    if (stream_ != nullptr) stream_->close();
  }
  co_return result;
}

Task<bool> Pop3Client::shake_hands(Deadline deadline) {
  const Deadline until = Deadline::in(options_.silence).or_before(deadline);
  auto secured =
      co_await tls::connect(std::move(stream_), options_.tls_context, options_.tls_name, until);
  if (!secured) {
    failure_ = Pop3Error(Pop3Error::Kind::tls, printable("TLS handshake: " + secured.error().text));
    core_->lost("TLS handshake failed");
    co_return false;
  }
  tls_ = secured->get();
  stream_ = std::move(*secured);
  input_.clear();
  co_return true;
}

Task<Pop3Result<void>> Pop3Client::hello(Deadline deadline) {
  auto asked = co_await ask_capabilities(deadline);
  if (!asked) co_return asked;
  if (options_.tls == MailTls::starttls && !private_path_) {
    auto secured = co_await start_tls(deadline);
    if (!secured) co_return secured;
    asked = co_await ask_capabilities(deadline);
    if (!asked) co_return asked;
  }
  auto logged_in = co_await log_in(deadline);
  if (!logged_in) co_return logged_in;
  // RFC 2449 section 5: they may be others now.
  asked = co_await ask_capabilities(deadline);
  co_return asked;
}

// A server without CAPA is an old one, and no error.
Task<Pop3Result<void>> Pop3Client::ask_capabilities(Deadline deadline) {
  std::vector<std::string> lines;
  auto asked = co_await collect("CAPA", lines, deadline);
  if (!asked && asked.error().kind != Pop3Error::Kind::refused) co_return asked;
  co_return Pop3Result<void>();
}

Task<Pop3Result<void>> Pop3Client::start_tls(Deadline deadline) {
  const auto id = core_->send("STLS");
  while (core_->phase() != ClientCore::Phase::handshake) {
    auto event = co_await next_event(deadline);
    if (!event) co_return fail(trouble());
    const auto* const answered = std::get_if<pop3::Answered>(&*event);
    if (answered == nullptr || answered->id != id) continue;
    Pop3Error error = refusal("STLS", answered->reply);
    error.kind = Pop3Error::Kind::tls;
    co_return fail(std::move(error));
  }
  const bool secured = co_await shake_hands(deadline);
  if (!secured) co_return fail(trouble());
  core_->secured();
  co_return Pop3Result<void>();
}

Task<Pop3Result<void>> Pop3Client::log_in(Deadline deadline) {
  const bool may_say_secret = tls_ != nullptr || private_path_ || options_.clear_password;
  const bool bound = tls_ != nullptr && tls_->channel_binding().has_value();
  std::string mechanism =
      choose_mechanism(options_.login, capabilities().mechanisms, may_say_secret, bound);
  if (!mechanism.empty()) {
    auto result = co_await authenticate(std::move(mechanism), deadline);
    co_return result;
  }
  if (!may_say_secret || !options_.login.token.empty())
    co_return fail(
        Pop3Error(Pop3Error::Kind::login, "the server offers no log-in that may be used here"));
  const auto user = core_->send_login("USER " + options_.login.user);
  const auto pass = core_->send_login("PASS " + options_.login.password);
  while (true) {
    auto event = co_await next_event(deadline);
    if (!event) co_return fail(trouble());
    const auto* const answered = std::get_if<pop3::Answered>(&*event);
    if (answered == nullptr) continue;
    // After a refused USER its PASS is still answered, by -ERR.
    if (answered->id == user || (answered->id == pass && answered->reply.ok)) {
      if (answered->id == pass) co_return Pop3Result<void>();
      continue;
    }
    Pop3Error error = refusal("log-in", answered->reply);
    error.kind = Pop3Error::Kind::login;
    co_return fail(std::move(error));
  }
}

Task<Pop3Result<void>> Pop3Client::authenticate(std::string mechanism, Deadline deadline) {
  std::optional<std::string> binding;
  if (tls_ != nullptr) binding = tls_->channel_binding();
  SaslExchange exchange(mechanism, options_.login, server_, std::move(binding),
                        capabilities().mechanisms);
  // RFC 5034 section 4: an initial response is always allowed, but not in a line over 255 octets.
  std::optional<std::string> unsaid = exchange.first();
  std::string line = "AUTH " + mechanism;
  if (unsaid && unsaid->size() < 150)
    line += ' ' + encode_base64(*std::exchange(unsaid, std::nullopt));
  const auto id = core_->send_login(line);
  std::string problem;
  while (true) {
    auto event = co_await next_event(deadline);
    if (!event) co_return fail(trouble());
    if (const auto* const answered = std::get_if<pop3::Answered>(&*event);
        answered != nullptr && answered->id == id) {
      if (answered->reply.ok && exchange.server_proved()) co_return Pop3Result<void>();
      if (answered->reply.ok) problem = "the server doesn't prove that it knows the password";
      Pop3Error error = refusal("AUTH", answered->reply);
      error.kind = Pop3Error::Kind::login;
      if (!problem.empty()) error.text = "AUTH: " + problem;
      co_return fail(std::move(error));
    }
    const auto* const challenge = std::get_if<pop3::Challenge>(&*event);
    if (challenge == nullptr) continue;
    if (unsaid) {
      core_->respond(*std::exchange(unsaid, std::nullopt));
      continue;
    }
    const std::string asks = challenge->text;
    auto work = [&exchange, &asks] { return exchange.answer(asks); };
    auto answer = co_await async::blocking(std::move(work));
    if (answer) {
      core_->respond(*answer);
    } else {
      problem = printable(answer.error());
      core_->cancel_exchange();
    }
  }
}

// --- octets ---

// Nothing: the connection is over, trouble() says why.
Task<std::optional<ClientEvent>> Pop3Client::next_event(Deadline deadline) {
  while (true) {
    std::optional<ClientEvent> event = core_->next();
    if (event && std::holds_alternative<pop3::Ended>(*event)) break;
    if (event) co_return event;
    if (core_->phase() == ClientCore::Phase::closed || stream_ == nullptr) break;
    if (!core_->output().empty()) {
      const std::string octets = std::exchange(core_->output(), std::string());
      const Deadline until = Deadline::in(options_.block).or_before(deadline);
      // If it fails, the server may have said why: the next read tells.
      (void)co_await stream_->write(octets, until);
    }
    input_.clear();
    const Deadline until = Deadline::in(options_.silence).or_before(deadline);
    auto count = co_await stream_->read(input_, until);
    if (count && *count > 0) {
      core_->feed(input_.view());
    } else if (count) {
      core_->lost("the server closed the connection");
    } else {
      const bool late = count.error().code == IoError::timed_out;
      if (late)
        failure_ = Pop3Error(Pop3Error::Kind::timed_out, "no answer from the server: timed out");
      core_->lost(count.error().text());
    }
  }
  if (stream_ != nullptr) stream_->close();
  co_return std::optional<ClientEvent>();
}

// Waits for all of `open`, whose octets go to the sink at the same place; the first -ERR.
Task<Pop3Result<void>> Pop3Client::finish(std::vector<pop3::RequestId> open,
                                          std::vector<Pop3Sink*> sinks, Deadline deadline) {
  Pop3Result<void> result;
  for (std::size_t answered = 0; answered < open.size();) {
    auto event = co_await next_event(deadline);
    if (!event) co_return fail(trouble());
    if (auto* const octets = std::get_if<pop3::MessageOctets>(&*event)) {
      if (answered >= sinks.size() || octets->id != open[answered]) continue;
      sinks[answered]->octets(octets->octets);
      const std::string_view why = sinks[answered]->refuses();
      if (why.empty()) continue;
      failure_ = Pop3Error(Pop3Error::Kind::lost, std::string(why));
      core_->lost(why);
    } else if (const auto* const done = std::get_if<pop3::Answered>(&*event); done != nullptr) {
      if (done->id != open[answered]) continue;
      ++answered;
      if (!done->reply.ok && result) result = fail(refusal("the server", done->reply));
    }
  }
  co_return result;
}

Task<Pop3Result<void>> Pop3Client::say(std::string line, Deadline deadline) {
  std::vector<pop3::RequestId> open;
  open.push_back(core_->send(std::move(line)));
  auto result = co_await finish(std::move(open), std::vector<Pop3Sink*>(), deadline);
  co_return result;
}

Task<Pop3Result<void>> Pop3Client::collect(std::string line, std::vector<std::string>& lines,
                                           Deadline deadline) {
  const std::string name = line;
  const auto id = core_->send(std::move(line), ClientCore::Answer::list);
  while (true) {
    auto event = co_await next_event(deadline);
    if (!event) co_return fail(trouble());
    if (auto* const one = std::get_if<pop3::AnswerLine>(&*event); one != nullptr && one->id == id) {
      lines.push_back(std::move(one->text));
      continue;
    }
    const auto* const answered = std::get_if<pop3::Answered>(&*event);
    if (answered == nullptr || answered->id != id) continue;
    if (!answered->reply.ok) co_return fail(refusal(name, answered->reply));
    co_return Pop3Result<void>();
  }
}

// --- the maildrop ---

Task<Pop3Result<std::vector<Pop3Listed>>> Pop3Client::list(Deadline deadline) {
  std::vector<std::string> sizes, names;
  auto listed = co_await collect("LIST", sizes, deadline);
  if (!listed) co_return fail(std::move(listed.error()));
  auto named = co_await collect("UIDL", names, deadline);
  if (!named && named.error().kind != Pop3Error::Kind::refused)
    co_return fail(std::move(named.error()));
  std::map<std::uint32_t, Pop3Listed> all;
  for (const std::string& line : sizes) {
    const auto parts = numbered(line);
    if (!parts) continue;
    Pop3Listed& one = all[parts->first];
    one.number = parts->first;
    one.size =
        parse_number<std::uint64_t>(parts->second.substr(0, parts->second.find(' '))).value_or(0);
  }
  for (const std::string& line : names) {
    const auto parts = numbered(line);
    const auto one = parts ? all.find(parts->first) : all.end();
    if (one != all.end()) one->second.uidl = parts->second;
  }
  std::vector<Pop3Listed> messages;
  for (auto& [number, one] : all) messages.push_back(std::move(one));
  co_return messages;
}

Task<Pop3Result<void>> Pop3Client::retr(std::uint32_t number, Pop3Sink& sink, Deadline deadline) {
  std::vector<std::uint32_t> numbers(1, number);
  std::vector<Pop3Sink*> sinks(1, &sink);
  auto result = co_await retr_all(std::move(numbers), std::move(sinks), deadline);
  co_return result;
}

Task<Pop3Result<void>> Pop3Client::retr_all(std::vector<std::uint32_t> numbers,
                                            std::vector<Pop3Sink*> sinks, Deadline deadline) {
  check(numbers.size() == sinks.size(), "retr_all wants a sink for each message");
  Pop3Result<void> result;
  for (std::size_t begin = 0; begin < numbers.size(); begin += most_pipelined) {
    const std::size_t end = std::min(begin + most_pipelined, numbers.size());
    std::vector<pop3::RequestId> open;
    for (std::size_t i = begin; i < end; ++i)
      open.push_back(
          core_->send("RETR " + std::to_string(numbers[i]), ClientCore::Answer::message));
    std::vector<Pop3Sink*> some(sinks.begin() + static_cast<std::ptrdiff_t>(begin),
                                sinks.begin() + static_cast<std::ptrdiff_t>(end));
    auto part = co_await finish(std::move(open), std::move(some), deadline);
    if (!part && result) result = fail(std::move(part.error()));
    if (core_->phase() == ClientCore::Phase::closed) break;
  }
  co_return result;
}

Task<Pop3Result<void>> Pop3Client::top(std::uint32_t number, std::uint64_t lines, Pop3Sink& sink,
                                       Deadline deadline) {
  std::vector<pop3::RequestId> open;
  open.push_back(core_->send(fmt::format("TOP {} {}", number, lines), ClientCore::Answer::message));
  std::vector<Pop3Sink*> sinks(1, &sink);
  auto result = co_await finish(std::move(open), std::move(sinks), deadline);
  co_return result;
}

Task<Pop3Result<void>> Pop3Client::dele(std::vector<std::uint32_t> numbers, Deadline deadline) {
  Pop3Result<void> result;
  for (std::size_t begin = 0; begin < numbers.size(); begin += most_pipelined) {
    const std::size_t end = std::min(begin + most_pipelined, numbers.size());
    std::vector<pop3::RequestId> open;
    for (std::size_t i = begin; i < end; ++i)
      open.push_back(core_->send("DELE " + std::to_string(numbers[i])));
    auto part = co_await finish(std::move(open), std::vector<Pop3Sink*>(), deadline);
    if (!part && result) result = fail(std::move(part.error()));
    if (core_->phase() == ClientCore::Phase::closed) break;
  }
  co_return result;
}

Task<Pop3Result<void>> Pop3Client::rset(Deadline deadline) {
  auto result = co_await say("RSET", deadline);
  co_return result;
}

Task<Pop3Result<void>> Pop3Client::noop(Deadline deadline) {
  auto result = co_await say("NOOP", deadline);
  co_return result;
}

Task<Pop3Result<void>> Pop3Client::quit(Deadline deadline) {
  auto result = co_await say("QUIT", deadline);
  if (stream_ != nullptr)
    co_await stream_->shutdown(Deadline::in(std::chrono::seconds(1)).or_before(deadline));
  stream_.reset();
  tls_ = nullptr;
  co_return result;
}

void Pop3Client::close() {
  if (!failure_) failure_ = Pop3Error(Pop3Error::Kind::cancelled, "the connection was closed");
  core_->lost("cancelled");
  if (stream_ != nullptr) stream_->close();
}

}  // namespace posthorn::session
