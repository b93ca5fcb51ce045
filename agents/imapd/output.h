// What a session says: gathered, written when it is worth a system call, and held back by a client that does not read.
#pragma once

#include <string>
#include <string_view>

#include "libmail/async/stream.h"
#include "libmail/imap/response_code.h"
#include "libmail/session/deflate.h"

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
  // What is said from now on is packed (RFC 4978). `shared` serves all sessions and outlives them: between two writes a session
  // keeps nothing but the end of what it said last.
  void deflate(session::Deflater& shared) { deflater_ = &shared; }
  [[nodiscard]] bool is_deflated() const { return deflater_ != nullptr; }
  [[nodiscard]] bool is_broken() const { return broken_; }
  void break_off() { broken_ = true; }

 private:
  async::Task<bool> write_packed(std::string_view octets);

  async::Stream& stream_;
  std::string text_;
  session::Deflater* deflater_ = nullptr;
  std::string history_;  // the end of what was packed
  bool broken_ = false;
};

}  // namespace posthorn::imapd
