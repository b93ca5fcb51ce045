// A users file in a folder of its own and a client's end of a session, for this folder's tests.
#pragma once

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "agents/authd/users.h"
#include "agents/authd/verifier.h"
#include "libmail/async/loop.h"
#include "libmail/async/stream.h"
#include "libmail/sasl/dovecot.h"
#include "libmail/sasl/password.h"
#include "test/support/test_folder.h"

namespace posthorn::authd {

inline service::Log& silent_log() {
  static service::Log log("test", service::Log::Format::kv, service::Level::error, -1);
  return log;
}

struct UsersFolder : posthorn::TestFolder {
  [[nodiscard]] std::string file() const { return path("users"); }
  // Replaces the file by renaming, as posthorn user does.
  void write(const std::string& text) const { replace("users", text); }
};

inline std::string user_line(const std::string& user, const std::string& password,
                             sasl::Scheme scheme = sasl::Scheme::scram_sha_256,
                             const std::string& rest = "") {
  return user + ":" + *sasl::make_password(password, scheme) + rest + "\n";
}

// Speaks lines on its end of a memory pair.
class LineClient {
 public:
  explicit LineClient(std::unique_ptr<async::Stream> stream) : stream_(std::move(stream)) {}

  async::Task<void> say(std::string lines) {
    const auto done = co_await stream_->write(lines, async::Deadline::in(std::chrono::seconds(5)));
    (void)done;  // a session that has ended shows in what it does not answer
  }
  // The next line, "" at the end of the stream, "(silence)" if none comes.
  async::Task<std::string> hear(Duration wait = std::chrono::seconds(5)) {
    for (;;) {
      if (auto line = lines_.next()) co_return std::move(*line);
      const auto count = co_await stream_->read(buffer_, async::Deadline::in(wait));
      if (!count && count.error().code == IoError::timed_out) co_return std::string("(silence)");
      if (!count || *count == 0) co_return std::string();
      lines_.feed(buffer_.view());
      buffer_.clear();
    }
  }
  // Reads up to and with `last`; gives everything before it.
  async::Task<std::vector<std::string>> hear_until(std::string last) {
    std::vector<std::string> lines;
    for (;;) {
      auto line = co_await hear();
      if (line == last || line.empty() || line == "(silence)") co_return std::move(lines);
      lines.push_back(std::move(line));
    }
  }
  void close() { stream_->close(); }

 private:
  std::unique_ptr<async::Stream> stream_;
  async::Buffer buffer_;
  sasl::dovecot::LineReader lines_;
};

}  // namespace posthorn::authd
