#include "libmail/session/auth_wire.h"

#include "libmail/async/loop.h"
#include "libmail/async/socket.h"
#include "libmail/sasl/dovecot.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;

// One connection, kept alive by its two tasks until both have ended.
struct LineConnection::Link {
  std::unique_ptr<async::Stream> stream;
  async::Buffer input;
  sasl::dovecot::LineReader lines;
  std::string output;
  async::Event wake;  // there is output, or it is over
  bool closing = false;
};

LineConnection::LineConnection(async::Endpoint server, Owner& owner)
    : server_(std::move(server)), owner_(owner) {}

LineConnection::~LineConnection() = default;

bool LineConnection::is_ready() const {
  return ready_;
}

Task<Result<void, std::string>> LineConnection::open(Deadline deadline) {
  if (ready_) co_return Result<void, std::string>();
  if (stopped_) co_return fail(std::string("this program is stopping"));
  if (!connecting_ && !link_) {
    if (async::Loop::current().now() < not_before_) co_return fail(problem_);
    connecting_ = true;
    changed_.reset();
    scope_.spawn(connect(deadline));
  }
  const bool in_time = co_await changed_.wait_until(deadline);
  if (ready_) co_return Result<void, std::string>();
  co_return fail(in_time ? problem_ : server_.text() + ": no answer in time");
}

void LineConnection::ready() {
  ready_ = true;
  changed_.set();
}

Task<void> LineConnection::connect(Deadline deadline) {
  async::Endpoint server = server_;
  auto stream = co_await async::connect(std::move(server), deadline);
  connecting_ = false;
  if (!stream || stopped_) {
    problem_ = stream ? "this program is stopping" : stream.error().text();
    not_before_ = async::Loop::current().now() + retry_after;
    changed_.set();
    co_return;
  }
  auto link = std::make_shared<Link>();
  link->stream = std::move(*stream);
  link_ = link;
  ++generation_;
  send(owner_.on_open());
  scope_.spawn(write_lines(link));
  scope_.spawn(read_lines(link));
  const bool in_time = co_await changed_.wait_until(deadline);
  if (!in_time) lose(link, server_.text() + ": no handshake in time");
}

Task<void> LineConnection::read_lines(std::shared_ptr<Link> link) {
  while (!link->closing) {
    // Silence is what a kept connection does most of the time; the deadlines are those of the questions.
    const auto count = co_await link->stream->read(link->input, Deadline::never());
    if (!count) {
      lose(link, count.error().text());
    } else if (*count == 0) {
      lose(link, server_.text() + ": closed by the server");
    } else if (!take_lines(link)) {
      co_return;
    }
  }
}

bool LineConnection::take_lines(const std::shared_ptr<Link>& link) {
  link->lines.feed(link->input.view());
  link->input.clear();
  while (!link->closing) {
    const auto line = link->lines.next();
    if (!line) break;
    const std::string problem = owner_.on_line(*line);
    if (!problem.empty()) lose(link, server_.text() + ": " + problem);
  }
  if (link->lines.too_long()) lose(link, server_.text() + ": a line of more than 16384 octets");
  return !link->closing;
}

Task<void> LineConnection::write_lines(std::shared_ptr<Link> link) {
  while (!link->closing) {
    co_await link->wake.wait();
    link->wake.reset();
    if (link->closing || link->output.empty()) continue;
    const std::string octets = std::exchange(link->output, {});
    const auto written = co_await link->stream->write(octets, Deadline::in(write_time));
    if (!written) lose(link, written.error().text());
  }
}

void LineConnection::send(std::string_view lines) {
  if (!link_) return;
  link_->output += lines;
  link_->wake.set();
}

void LineConnection::lose(const std::shared_ptr<Link>& link, const std::string& why) {
  if (link->closing) return;
  link->closing = true;
  link->stream->close();
  link->wake.set();
  if (link_ != link) return;
  link_.reset();
  // A server that was there may be back in a moment; one that never got ready is given time.
  if (!ready_) not_before_ = async::Loop::current().now() + retry_after;
  ready_ = false;
  problem_ = why;
  owner_.on_lost(why);
  changed_.set();
}

void LineConnection::close(const std::string& why) {
  if (link_) lose(std::shared_ptr<Link>(link_), why);
}

Task<void> LineConnection::stop() {
  stopped_ = true;
  close("this program is stopping");
  co_await scope_.join();
}

}  // namespace posthorn::session
