#include "libmail/session/imap_client.h"

#include <fmt/format.h>

#include "libmail/async/socket.h"
#include "libmail/base/text.h"
#include "libmail/session/deflate_stream.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
using imap::client::Core;
using imap::client::Event;
using imap::client::Request;

ImapClient::ImapClient(async::Endpoint server, ImapClientOptions options)
    : server_(std::move(server)),
      options_(std::move(options)),
      core_(std::make_unique<Core>(options_.core)),
      private_path_(server_.kind == async::Endpoint::Kind::unix_socket) {}

ImapClient::~ImapClient() = default;

bool ImapClient::connected() const {
  return stream_ != nullptr &&
         (core_->phase() == Core::Phase::authenticated || core_->phase() == Core::Phase::selected);
}

const tls::Facts* ImapClient::tls_facts() const {
  return tls_ == nullptr ? nullptr : &tls_->facts();
}

ImapError ImapClient::trouble() const {
  if (failure_) return *failure_;
  return ImapError(ImapError::Kind::lost, core_->trouble());
}

ImapError ImapClient::refusal(std::string_view name, const imap::StatusText& status) {
  const bool no = status.condition == imap::Condition::no;
  ImapError error(no ? ImapError::Kind::no : ImapError::Kind::bad,
                  fmt::format("{}: {}", name, printable(status.text)));
  error.status = status;
  return error;
}

// --- opening ---

Task<ImapResult<void>> ImapClient::open(Deadline deadline) {
  const Deadline until = Deadline::in(options_.timeouts.connect).or_before(deadline);
  async::Endpoint to = server_;
  auto stream = co_await async::connect(std::move(to), until);
  if (!stream) {
    stream_.reset();
    co_return fail(ImapError(ImapError::Kind::unreachable, printable(stream.error().text())));
  }
  auto opened = co_await open_on(std::move(*stream), deadline);
  co_return opened;
}

Task<ImapResult<void>> ImapClient::open_on(std::unique_ptr<async::Stream> stream,
                                           Deadline deadline) {
  core_ = std::make_unique<Core>(options_.core);
  stream_ = std::move(stream);
  tls_ = nullptr;
  failure_.reset();
  input_.clear();
  if (options_.tls == ImapTls::implicit) {
    const bool secured = co_await shake_hands(deadline);
    if (!secured) co_return fail(trouble());
  }
  auto result = co_await hello(deadline);
  if (!result) {
    if (stream_ != nullptr) stream_->close();
    core_->lost("connection closed");
  }
  co_return result;
}

Task<bool> ImapClient::shake_hands(Deadline deadline) {
  const Deadline until = Deadline::in(options_.timeouts.greeting).or_before(deadline);
  auto secured =
      co_await tls::connect(std::move(stream_), options_.tls_context, options_.tls_name, until);
  if (!secured) {
    failure_ = ImapError(ImapError::Kind::tls, printable("TLS handshake: " + secured.error().text));
    core_->lost("TLS handshake failed");
    co_return false;
  }
  tls_ = secured->get();
  stream_ = std::move(*secured);
  input_.clear();
  co_return true;
}

Task<ImapResult<void>> ImapClient::hello(Deadline deadline) {
  ImapSink sink;
  while (core_->phase() == Core::Phase::greeting) {
    auto event = co_await next_event(options_.timeouts.greeting, deadline);
    if (!event) co_return fail(trouble());
    (void)hand_on(*event, sink);
  }
  if (options_.tls == ImapTls::starttls && !private_path_) {
    auto secured = co_await start_tls(deadline);
    if (!secured) co_return secured;
  }
  if (core_->phase() == Core::Phase::not_authenticated && options_.login) {
    auto logged_in = co_await log_in(deadline);
    if (!logged_in) co_return logged_in;
  }
  if (core_->phase() == Core::Phase::not_authenticated)
    co_return fail(ImapError(ImapError::Kind::login, "the server wants a log-in"));
  auto ready = co_await after_login(deadline);
  co_return ready;
}

Task<ImapResult<void>> ImapClient::ask_capabilities(Deadline deadline) {
  if (core_->capabilities_known()) co_return ImapResult<void>();
  auto asked = co_await run_plain(imap::client::simple("CAPABILITY"), deadline);
  co_return asked;
}

Task<ImapResult<void>> ImapClient::start_tls(Deadline deadline) {
  if (core_->phase() != Core::Phase::not_authenticated)
    co_return fail(
        ImapError(ImapError::Kind::tls, "the server greets with PREAUTH, so TLS can't begin"));
  auto asked = co_await ask_capabilities(deadline);
  if (!asked) co_return asked;
  if (!offers("STARTTLS"))
    co_return fail(ImapError(ImapError::Kind::tls, "the server offers no STARTTLS"));
  ImapSink sink;
  const auto id = core_->send(imap::client::simple("STARTTLS", imap::client::Answers::alone));
  while (core_->phase() != Core::Phase::handshake) {
    auto event = co_await next_event(options_.timeouts.silence, deadline);
    if (!event) co_return fail(trouble());
    const auto* const done = std::get_if<imap::client::Done>(&*event);
    if (done != nullptr && done->id == id) {
      ImapError error = refusal("STARTTLS", done->status);
      error.kind = ImapError::Kind::tls;
      co_return fail(std::move(error));
    }
    (void)hand_on(*event, sink);
  }
  const bool secured = co_await shake_hands(deadline);
  if (!secured) co_return fail(trouble());
  core_->secured();
  co_return ImapResult<void>();
}

Task<ImapResult<void>> ImapClient::after_login(Deadline deadline) {
  auto asked = co_await ask_capabilities(deadline);
  if (!asked) co_return asked;
  if (!options_.id.empty() && offers("ID")) {
    auto said = co_await run_plain(imap::client::id(manner(), options_.id), deadline);
    if (!said && said.error().kind != ImapError::Kind::no) co_return said;
  }
  std::vector<std::string> enable;
  for (const std::string& one : options_.enable)
    if (offers(one)) enable.push_back(one);
  if (!enable.empty() && (offers("ENABLE") || capabilities().rev2())) {
    auto enabled = co_await run_plain(imap::client::enable(enable), deadline);
    if (!enabled) co_return enabled;
  }
  if (options_.compress && offers("COMPRESS=DEFLATE")) {
    auto compressed = co_await start_compression(deadline);
    co_return compressed;
  }
  co_return ImapResult<void>();
}

Task<ImapResult<void>> ImapClient::start_compression(Deadline deadline) {
  Request request = imap::client::simple("COMPRESS", imap::client::Answers::alone);
  request.text = "COMPRESS DEFLATE";
  auto done = co_await run_plain(std::move(request), deadline);
  if (!done) {
    // Refused (by TLS's own compression, say) is no reason to go.
    if (done.error().kind != ImapError::Kind::no) co_return done;
    co_return ImapResult<void>();
  }
  stream_ = make_deflate_stream(std::move(stream_), core_->take_rest());
  input_.clear();
  co_return ImapResult<void>();
}

// --- octets ---

Task<void> ImapClient::flush(Deadline deadline) {
  if (core_->output().empty()) co_return;
  if (stream_ == nullptr) {
    core_->output().clear();
    co_return;
  }
  const Deadline until = Deadline::in(options_.timeouts.block).or_before(deadline);
  const std::string octets = std::exchange(core_->output(), std::string());
  auto written = co_await stream_->write(octets, until);
  if (written) co_return;
  if (written.error().code == IoError::timed_out) {
    failure_ = ImapError(ImapError::Kind::timed_out, "the server takes nothing more: timed out");
    core_->lost("timed out");
  } else if (written.error().code == IoError::cancelled && failure_) {
    core_->lost("cancelled");
  }
  // Otherwise the server may have said why; the next read tells.
}

// Feeds the core with what comes next, or tells it that nothing will.
Task<void> ImapClient::wait_for_input(Duration silence, Deadline deadline) {
  if (stream_ == nullptr) {
    core_->lost("not connected");
    co_return;
  }
  input_.clear();
  const Deadline until = Deadline::in(silence).or_before(deadline);
  auto count = co_await stream_->read(input_, until);
  if (count && *count > 0) {
    core_->feed(input_.view());
    if (answer_left_ && *count > *answer_left_) give_up("the server's answer has no end");
    if (answer_left_) *answer_left_ -= std::min<std::uint64_t>(*answer_left_, *count);
    co_return;
  }
  if (count) {
    core_->lost("the server closed the connection");
  } else if (count.error().code == IoError::timed_out) {
    if (!failure_)
      failure_ = ImapError(ImapError::Kind::timed_out, "no answer from the server: timed out");
    core_->lost("timed out");
  } else {
    core_->lost(count.error().text());
  }
}

// Nothing: the connection is over, trouble() says why.
Task<std::optional<Event>> ImapClient::next_event(Duration silence, Deadline deadline) {
  while (true) {
    std::optional<Event> event = core_->next();
    if (event && std::holds_alternative<imap::client::Closed>(*event)) break;
    if (event) co_return event;
    if (core_->phase() == Core::Phase::closed) break;
    co_await flush(deadline);
    if (core_->phase() != Core::Phase::closed) co_await wait_for_input(silence, deadline);
  }
  if (stream_ != nullptr) stream_->close();
  co_return std::optional<Event>();
}

// False for what only the caller can answer.
bool ImapClient::hand_on(Event& event, ImapSink& sink) {
  if (auto* const untagged = std::get_if<imap::client::Untagged>(&event)) {
    if (listener_ != nullptr) {
      imap::client::Response copy = untagged->data;
      listener_->data(std::move(copy));
    }
    sink.data(std::move(untagged->data));
  } else if (auto* const begins = std::get_if<imap::client::BodyBegins>(&event)) {
    sink.body_begins(*begins);
  } else if (auto* const octets = std::get_if<imap::client::BodyOctets>(&event)) {
    sink.body(octets->octets);
  } else if (std::holds_alternative<imap::client::BodyEnds>(event)) {
    sink.body_ends();
  } else {
    return false;
  }
  if (const std::string_view why = sink.refuses(); !why.empty()) give_up(why);
  return true;
}

void ImapClient::give_up(std::string_view why) {
  if (!failure_) failure_ = ImapError(ImapError::Kind::lost, std::string(why));
  core_->lost(why);
}

Task<ImapResult<imap::StatusText>> ImapClient::run(Request request, ImapSink& sink,
                                                   Deadline deadline) {
  const std::string name = request.name;
  const auto id = core_->send(std::move(request));
  while (true) {
    auto event = co_await next_event(options_.timeouts.silence, deadline);
    if (!event) co_return fail(trouble());
    if (hand_on(*event, sink)) continue;
    auto* const done = std::get_if<imap::client::Done>(&*event);
    if (done == nullptr || done->id != id) continue;
    if (done->status.condition != imap::Condition::ok) co_return fail(refusal(name, done->status));
    co_return std::move(done->status);
  }
}

Task<ImapResult<void>> ImapClient::run_all(std::vector<Request> requests, ImapSink& sink,
                                           Deadline deadline) {
  std::vector<std::pair<imap::client::CommandId, std::string>> open;
  for (Request& request : requests) {
    std::string name = request.name;
    const auto id = core_->send(std::move(request));
    open.emplace_back(id, std::move(name));
  }
  ImapResult<void> result;
  while (!open.empty()) {
    auto event = co_await next_event(options_.timeouts.silence, deadline);
    if (!event) co_return fail(trouble());
    if (hand_on(*event, sink)) continue;
    auto* const done = std::get_if<imap::client::Done>(&*event);
    if (done == nullptr) continue;
    for (auto one = open.begin(); one != open.end(); ++one) {
      if (one->first != done->id) continue;
      if (done->status.condition != imap::Condition::ok && result)
        result = fail(refusal(one->second, done->status));
      open.erase(one);
      break;
    }
  }
  co_return result;
}

// For answers that are kept whole.
Task<ImapResult<imap::StatusText>> ImapClient::run_collected(Request request, ImapSink& sink,
                                                             Deadline deadline) {
  constexpr std::uint64_t longest_answer = 64 * 1024 * 1024;
  answer_left_ = longest_answer;
  auto done = co_await run(std::move(request), sink, deadline);
  answer_left_.reset();
  co_return done;
}

Task<ImapResult<void>> ImapClient::run_plain(Request request, Deadline deadline) {
  ImapSink sink;
  auto done = co_await run(std::move(request), sink, deadline);
  if (!done) co_return fail(std::move(done.error()));
  co_return ImapResult<void>();
}

Task<void> ImapClient::logout(Deadline deadline) {
  if (stream_ == nullptr) co_return;
  if (core_->phase() != Core::Phase::closed) {
    constexpr Duration last_words = std::chrono::seconds(5);
    const Deadline until = Deadline::in(last_words).or_before(deadline);
    (void)co_await run_plain(imap::client::simple("LOGOUT", imap::client::Answers::alone), until);
    co_await stream_->shutdown(until);
  }
  core_->lost("logged out");
  stream_.reset();
  tls_ = nullptr;
}

void ImapClient::close() {
  if (!failure_) failure_ = ImapError(ImapError::Kind::cancelled, "the connection was closed");
  core_->lost("cancelled");
  if (stream_ != nullptr) stream_->close();
  wake_.set();
}

}  // namespace posthorn::session
