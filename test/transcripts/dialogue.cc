#include "test/transcripts/dialogue.h"

#include <fmt/format.h>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/session/deflate_stream.h"

namespace posthorn::test {

using async::Deadline;
using async::Task;

namespace {

constexpr int turns = 200;
constexpr Duration patience = std::chrono::seconds(20);
constexpr Duration short_wait = std::chrono::milliseconds(200);
constexpr Duration moment = std::chrono::microseconds(10);

// Resumes behind everything that is ready to run now.
struct Turn {
  [[nodiscard]] bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> task) { async::Loop::current().post(task); }
  void await_resume() const noexcept {}
};

class Player {
 public:
  Player(const Transcript& transcript, std::unique_ptr<async::Stream> stream, const Stage& stage)
      : transcript_(transcript), stage_(stage) {
    lines_[1].stream = std::move(stream);
  }

  Task<std::string> play() {
    for (const Step& step : transcript_.steps) {
      const bool sends = step.kind == Step::Kind::send;
      if (!sends || at_ != &lines_[step.connection]) co_await send_all();
      std::string wrong = co_await turn_to(step.connection);
      if (wrong.empty() && sends) {
        at_->unsent.append(fill_in(step.octets, names_));
      } else if (wrong.empty()) {
        wrong = co_await take(step);
      }
      if (!wrong.empty()) {
        hang_up();
        co_return fmt::format("{}: {}", step.line, wrong);
      }
    }
    co_await send_all();
    if (stage_.in_process) co_await some_turns();
    hang_up();
    co_return std::string();
  }

 private:
  struct Line {
    std::unique_ptr<async::Stream> stream;
    std::string unsent;
    async::Buffer buffer;
    bool ended = false;
  };

  void hang_up() {
    for (auto& [number, line] : lines_)
      if (line.stream) line.stream->close();
  }

  Task<std::string> turn_to(int connection) {
    at_ = &lines_[connection];
    if (at_->stream) co_return std::string();
    if (stage_.connect) at_->stream = co_await stage_.connect();
    if (!at_->stream) co_return std::string("there can't be another connection here");
    co_return std::string();
  }

  Task<void> send_all() {
    if (at_ == nullptr) co_return;
    const std::string octets = std::move(at_->unsent);
    at_->unsent.clear();
    const std::size_t piece = stage_.octet_by_octet ? 1 : octets.size();
    const Deadline deadline = Deadline::in(patience);
    for (std::size_t at = 0; at < octets.size(); at += piece) {
      auto sent = co_await at_->stream->write(std::string_view(octets).substr(at, piece), deadline);
      if (!sent) co_return;  // the server has hung up; what it said is still to be read
      if (stage_.octet_by_octet) {
        co_await Turn();
        co_await Turn();
      }
    }
  }

  Task<std::string> take(const Step& step) {
    std::string wrong;
    switch (step.kind) {
      case Step::Kind::line:
        wrong = co_await expect_line(step);
        break;
      case Step::Kind::until:
        wrong = co_await expect_until(step);
        break;
      case Step::Kind::act:
        wrong = stage_.act ? stage_.act(fill_in(step.octets, names_)) : "nothing can be done here";
        break;
      case Step::Kind::reply:
        wrong = co_await expect_reply(step);
        break;
      case Step::Kind::silence:
        wrong = co_await expect_silence();
        break;
      case Step::Kind::end:
        wrong = co_await expect_end();
        break;
      case Step::Kind::got:
        wrong = co_await expect_message(step);
        break;
      case Step::Kind::tls:
        wrong = co_await shake_hands();
        break;
      case Step::Kind::deflate:
        at_->stream = session::make_deflate_stream(std::move(at_->stream));
        break;
      case Step::Kind::close:
        at_->stream->close();
        break;
      case Step::Kind::half_close:
        co_await at_->stream->shutdown(Deadline::in(patience));
        break;
      case Step::Kind::time:
        co_await some_turns();
        async::Loop::current().advance(step.time);
        break;
      case Step::Kind::cut:
        if (stage_.in_process) co_await some_turns();
        break;
      case Step::Kind::send:
        break;
    }
    co_return wrong;
  }

  // More octets into at_->buffer. False: the server says nothing, or has closed (at_->ended).
  Task<bool> more(Duration wait) {
    if (at_->ended) co_return false;
    async::Scope nudging;
    const Deadline deadline = Deadline::in(stage_.in_process ? moment : wait);
    reading_ = true;
    if (stage_.in_process) nudging.spawn(end_of_patience());
    auto count = co_await at_->stream->read(at_->buffer, deadline);
    reading_ = false;
    co_await nudging.join();
    if (!count && count.error().code == IoError::timed_out) co_return false;
    at_->ended = !count || *count == 0;
    co_return !at_->ended;
  }

  // Virtual time stands still: if the server has said nothing when all is quiet, the read's deadline is made to pass.
  Task<void> end_of_patience() {
    for (int i = 0; i < turns && reading_; ++i) co_await Turn();
    if (reading_) async::Loop::current().advance(moment);
  }

  // A line without its CRLF into line_; false if none comes.
  Task<bool> read_line() {
    while (true) {
      const std::size_t end = at_->buffer.view().find("\r\n");
      if (end != std::string_view::npos) {
        line_ = at_->buffer.view().substr(0, end);
        at_->buffer.consume(end + 2);
        co_return true;
      }
      const bool came = co_await more(patience);
      if (!came) co_return false;
    }
  }

  [[nodiscard]] std::string missing(std::string_view wanted) const {
    return fmt::format("expected {}, but {}", shown(wanted),
                       at_->ended ? "the server has closed" : "nothing came");
  }

  Task<std::string> expect_line(const Step& step) {
    const bool came = co_await read_line();
    if (!came) co_return missing(step.octets);
    if (matches(step.octets, line_, names_)) co_return std::string();
    co_return fmt::format("expected {}, came {}", shown(fill_in(step.octets, names_)),
                          shown(line_));
  }

  Task<std::string> expect_until(const Step& step) {
    std::string passed;
    for (;;) {
      const bool came = co_await read_line();
      if (!came) co_return missing(step.octets) + " after " + shown(passed);
      if (matches(step.octets, line_, names_)) co_return std::string();
      passed = line_;
    }
  }

  Task<std::string> expect_reply(const Step& step) {
    const std::string wanted = fmt::format("{} {}", step.code, step.octets);
    while (true) {
      const bool came = co_await read_line();
      if (!came) co_return missing(wanted);
      if (!line_.starts_with(std::to_string(step.code)) || line_.size() < 4) break;
      if (line_[3] == '-') continue;
      if (!matches(step.octets, std::string_view(line_).substr(4))) break;
      co_return std::string();
    }
    co_return fmt::format("expected {}, came {}", shown(wanted), shown(line_));
  }

  Task<std::string> expect_silence() {
    const bool came = co_await more(short_wait);
    if (!came && !at_->ended) co_return std::string();
    co_return at_->ended ? "expected silence, but the server has closed"
                         : "expected silence, came " + shown(at_->buffer.view());
  }

  Task<std::string> expect_end() {
    while (true) {
      const bool came = co_await more(patience);
      if (at_->ended) co_return std::string();
      if (!came || !at_->buffer.empty()) break;
    }
    co_return "expected the server to close, came " + shown(at_->buffer.view());
  }

  Task<std::string> expect_message(const Step& step) {
    if (stage_.in_process) co_await some_turns();
    const std::string message = stage_.take_message();
    if (matches(step.octets, message)) co_return std::string();
    co_return fmt::format("expected message {}, got {}", shown(step.octets),
                          message.empty() ? "none" : shown(message));
  }

  Task<std::string> shake_hands() {
    const Deadline deadline = Deadline::in(patience);
    auto secured =
        co_await tls::connect(std::move(at_->stream), stage_.tls, "mx.example.org", deadline);
    if (!secured) co_return "TLS: " + secured.error().text;
    at_->stream = std::move(*secured);
    co_return std::string();
  }

  const Transcript& transcript_;
  const Stage& stage_;
  std::map<int, Line> lines_;
  Line* at_ = nullptr;
  Names names_;
  std::string line_;
  bool reading_ = false;
};

}  // namespace

Task<void> some_turns() {
  for (int i = 0; i < turns; ++i) co_await Turn();
}

Task<std::string> play(const Transcript& transcript, std::unique_ptr<async::Stream> stream,
                       const Stage& stage) {
  Player player(transcript, std::move(stream), stage);
  auto wrong = co_await player.play();
  co_return wrong;
}

}  // namespace posthorn::test
