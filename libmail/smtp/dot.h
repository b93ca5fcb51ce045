// The body of a message on the wire: DATA's dots (RFC 5321 4.5.2) and BDAT's chunks (RFC 3030).
//
// Only CRLF "." CRLF ends DATA. A bare CR, a bare LF or a NUL makes the body faulty: it is read to
// its true end and given to nobody, so that no two programs can disagree about where a message ends
// (SMTP smuggling).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::smtp {

// RFC 5321 4.5.3.1.6 allows 1000 with its CRLF. Mail in the wild has longer lines, and refusing it
// helps nobody; beyond this it is no text.
inline constexpr std::size_t default_body_line = 64 * 1024;

enum class BodyFault : std::uint8_t { none, bare_lf, bare_cr, nul, line_too_long };

// Text that must consist of CRLF lines, in any cut. DotDecoder has it inside; BDAT uses it alone.
class LineChecker {
 public:
  explicit LineChecker(std::size_t line_limit = default_body_line) : line_limit_(line_limit) {}
  void feed(std::string_view octets);
  // Nothing more comes: a CR at the very end is bare.
  void finish();
  [[nodiscard]] BodyFault fault() const { return fault_; }

 private:
  void note(BodyFault fault);

  std::size_t line_limit_;
  std::size_t line_ = 0;  // octets of the line so far
  bool after_cr_ = false;
  BodyFault fault_ = BodyFault::none;
};

class DotDecoder {
 public:
  explicit DotDecoder(std::size_t line_limit = default_body_line) : line_limit_(line_limit) {}

  // One run of message octets from the front of `input`, which is moved behind what was used. The
  // run lies in `input` or in static storage. Call until input is empty or done(). A faulty body
  // gives empty runs.
  [[nodiscard]] std::string_view step(std::string_view& input);
  [[nodiscard]] bool done() const { return state_ == State::done; }
  [[nodiscard]] BodyFault fault() const { return fault_; }

 private:
  enum class State : std::uint8_t { line_start, in_line, cr, dot, dot_cr, done };

  std::string_view decide(std::string_view& input);
  std::size_t scan(std::string_view input);
  void note(BodyFault fault);

  std::size_t line_limit_;
  std::size_t line_ = 0;
  State state_ = State::line_start;
  BodyFault fault_ = BodyFault::none;
};

// The other direction. Lines that begin with a dot get a second one. A bare CR or LF, which no
// intake of ours lets in, goes out as a space: the next host must not see a line end that we don't.
class DotEncoder {
 public:
  void encode(std::string_view octets, std::string& into);
  // The missing CRLF of the last line, if it has none, and the final dot line. Not to be used
  // again.
  void finish(std::string& into);
  [[nodiscard]] bool neutralised() const { return neutralised_; }

 private:
  void encode_slowly(std::string_view octets, std::string& into);

  bool line_start_ = true;
  bool after_cr_ = false;
  bool neutralised_ = false;
};

// "BDAT 1234 LAST\r\n" behind `into`; the octets follow as they are.
void append_bdat(std::string& into, std::uint64_t size, bool last);

}  // namespace posthorn::smtp
