// Cuts the header block off a message that arrives in pieces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::message {

class HeaderCollector {
 public:
  enum class State : std::uint8_t { more, complete, too_large };

  // `limit`: most octets of header, the empty line included.
  explicit HeaderCollector(std::size_t limit) : limit_(limit) {}

  // Takes octets through the empty line (CRLF or LF alone on its line) and returns how many of
  // `bytes` it took: all of them while the state is `more`. The pieces may be cut anywhere.
  [[nodiscard]] std::size_t feed(std::string_view bytes);
  // The message is at its end: what there is is the header.
  void finish();

  [[nodiscard]] State state() const { return state_; }
  // What was taken so far; the empty line is part of it if there was one.
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
  std::size_t limit_;
  std::size_t line_begin_ = 0;  // in bytes_, of the line not ended yet
  State state_ = State::more;
};

}  // namespace posthorn::message
