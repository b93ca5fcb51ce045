// A message on its way to the client (RFC 1939 section 3): lines end in CRLF, one that begins with
// "." gets another one in front, and "." alone ends it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::pop3 {

class BodyEncoder {
 public:
  // Appends `text`, cut anywhere, to `out`. A bare LF becomes CRLF; a bare CR stays.
  void append(std::string_view text, std::string& out);
  // The final dot; behind a last line without end first the CRLF that the protocol needs.
  void finish(std::string& out);

 private:
  char last_ = '\n';  // the octet before the next one
};

// The other way, for clients: dots and the end. Octets are kept as they are otherwise.
class BodyDecoder {
 public:
  // Takes from `input` what belongs to the message, appends it to `out` and gives the octets used.
  // Once ended() nothing is used.
  std::size_t feed(std::string_view input, std::string& out);
  [[nodiscard]] bool ended() const { return ended_; }

 private:
  enum class State { line_start, dot, dot_cr, inside };
  State state_ = State::line_start;
  bool ended_ = false;
};

// TOP: the header, the empty line and `lines` lines of the body.
class TopCutter {
 public:
  explicit TopCutter(std::uint64_t lines) : left_(lines) {}
  // The part of `text` (cut anywhere, LF or CRLF) that is to be sent; all of it until done().
  [[nodiscard]] std::string_view take(std::string_view text);
  [[nodiscard]] bool done() const { return done_; }

 private:
  bool in_header_ = true;
  bool line_empty_ = true;  // nothing but CR since the last LF
  bool done_ = false;
  std::uint64_t left_;
};

}  // namespace posthorn::pop3
