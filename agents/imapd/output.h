// What a session says: gathered, written when it is worth a system call, and held back by a client that does not read.
#pragma once

#include <string>
#include <string_view>

#include "libmail/async/stream.h"
#include "libmail/imap/response_code.h"

namespace posthorn::imapd {

class Output {
 public:
  static constexpr std::size_t worth_writing = 64 * 1024;

  explicit Output(async::Stream& stream) : stream_(stream) {}
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

  // Whoever appends much calls flush_if_full() in between.
  [[nodiscard]] std::string& text() { return text_; }
  // "* TEXT" CRLF
  void untagged(std::string_view text);
  void status(std::string_view tag, const imap::StatusText& status) {
    text_ += imap::format_status(tag, status);
  }
  // Both give false once the client is gone.
  async::Task<bool> flush();
  async::Task<bool> flush_if_full();
  // Behind what was gathered.
  async::Task<bool> write(std::string octets);
  [[nodiscard]] bool is_broken() const { return broken_; }
  void break_off() { broken_ = true; }

 private:
  async::Stream& stream_;
  std::string text_;
  bool broken_ = false;
};

}  // namespace posthorn::imapd
