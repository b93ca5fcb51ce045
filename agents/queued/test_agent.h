// For tests: an LMTP agent that answers as it is told and remembers what it got.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "libmail/async/scope.h"
#include "libmail/async/socket.h"
#include "libmail/base/text.h"

namespace posthorn::queued::test {

struct Delivered {
  std::string mail;                // the MAIL line
  std::vector<std::string> rcpts;  // RCPT lines that were accepted
  std::string body;
};

class TestAgent {
 public:
  explicit TestAgent(std::string path) : path_(std::move(path)) {}

  void open() {
    auto socket = async::open_listening_socket(async::Endpoint::unix_path(path_));
    check(socket.has_value(), "test agent: socket");
    auto listening = async::listen_on(std::move(*socket));
    check(listening.has_value(), "test agent: listen");
    listener_ = std::move(*listening);
    scope_.spawn(accept_all());
  }
  async::Task<void> close() {
    if (listener_) listener_->close();
    for (const auto& stream : streams_) stream->close();
    held_.set();
    co_await scope_.join();
    listener_.reset();
  }

  bool dsn = true;
  // "rcpt ADDRESS": the reply to RCPT; "ADDRESS": the one behind the body. Default: 250.
  std::map<std::string, std::string> replies;
  // Drops the connection in place of answering the next bodies.
  int hang_ups = 0;
  // Waits before it answers a body.
  bool holds = false;
  void release() {
    holds = false;
    held_.set();
  }
  std::vector<Delivered> delivered;
  std::size_t bodies = 0;
  std::size_t refusals = 0;  // of recipients
  std::size_t connections = 0;

  [[nodiscard]] std::size_t count(const std::string& address) const {
    std::size_t found = 0;
    for (const Delivered& one : delivered) {
      for (const std::string& rcpt : one.rcpts)
        found += rcpt.find("<" + address + ">") != std::string::npos ? 1 : 0;
    }
    return found;
  }

 private:
  async::Task<void> accept_all() {
    while (true) {
      auto stream = co_await listener_->accept();
      if (!stream) co_return;
      ++connections;
      streams_.push_back(std::move(*stream));
      scope_.spawn(serve(streams_.back().get()));
    }
  }

  [[nodiscard]] std::string reply_for(const std::string& key, const std::string& otherwise) const {
    const auto found = replies.find(key);
    return (found == replies.end() ? otherwise : found->second) + "\r\n";
  }

  static std::string address_in(const std::string& line) {
    const std::size_t open = line.find('<');
    return line.substr(open + 1, line.find('>') - open - 1);
  }

  async::Task<bool> read_to(async::Stream* stream, async::Buffer* input, std::size_t size) {
    while (input->size() < size) {
      auto got = co_await stream->read(*input, async::Deadline::in(std::chrono::seconds(20)));
      if (!got || *got == 0) co_return false;
    }
    co_return true;
  }

  async::Task<bool> say(async::Stream* stream, std::string text) {
    auto done = co_await stream->write(text, async::Deadline::in(std::chrono::seconds(20)));
    co_return done.has_value();
  }

  async::Task<void> serve(async::Stream* stream) {
    async::Buffer input;
    Delivered now;
    bool open = co_await say(stream, "220 test LMTP\r\n");
    while (open) {
      std::size_t line_feed = input.view().find('\n');
      while (open && line_feed == std::string_view::npos) {
        open = co_await read_to(stream, &input, input.size() + 1);
        line_feed = input.view().find('\n');
      }
      if (!open) break;
      const std::string line(trim(input.view().substr(0, line_feed)));
      input.consume(line_feed + 1);
      if (line.starts_with("BDAT")) {
        const std::size_t size = parse_number<std::size_t>(words(line)[1]).value_or(0);
        open = co_await read_to(stream, &input, size);
        if (!open) break;
        now.body += input.view().substr(0, size);
        input.consume(size);
        open = co_await end_body(stream, &now, line.ends_with("LAST"));
        continue;
      }
      open = co_await say(stream, answer(line, now));
    }
    stream->close();
  }

  std::string answer(const std::string& line, Delivered& now) {
    if (line.starts_with("LHLO")) {
      return std::string("250-test\r\n250-PIPELINING\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n") +
             "250-ENHANCEDSTATUSCODES\r\n" + (dsn ? "250-DSN\r\n" : "") + "250 CHUNKING\r\n";
    }
    if (line.starts_with("MAIL")) {
      now = Delivered();
      now.mail = line;
    }
    if (line.starts_with("RCPT")) {
      std::string reply = reply_for("rcpt " + address_in(line), "250 2.1.5 ok");
      if (reply.front() == '2') {
        now.rcpts.push_back(line);
      } else {
        ++refusals;
      }
      return reply;
    }
    return "250 2.0.0 ok\r\n";
  }

  async::Task<bool> end_body(async::Stream* stream, Delivered* now, bool last) {
    if (!last) {
      const bool said = co_await say(stream, "250 2.0.0 more\r\n");
      co_return said;
    }
    ++bodies;
    if (hang_ups > 0) {
      --hang_ups;
      co_return false;
    }
    while (holds) {
      held_.reset();
      co_await held_.wait();
    }
    std::string all = now->rcpts.empty() ? "503 5.5.1 no recipients\r\n" : "";
    Delivered kept = *now;
    kept.rcpts.clear();
    for (const std::string& rcpt : now->rcpts) {
      const std::string reply = reply_for(address_in(rcpt), "250 2.0.0 stored");
      if (reply.front() == '2') kept.rcpts.push_back(rcpt);
      all += reply;
    }
    if (!kept.rcpts.empty()) delivered.push_back(std::move(kept));
    now->rcpts.clear();
    const bool said = co_await say(stream, std::move(all));
    co_return said;
  }

  std::string path_;
  std::unique_ptr<async::Listener> listener_;
  std::vector<std::unique_ptr<async::Stream>> streams_;
  async::Event held_;
  async::Scope scope_;
};

}  // namespace posthorn::queued::test
