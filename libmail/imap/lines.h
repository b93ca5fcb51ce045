// From octets, cut anywhere, to whole commands or responses with their literals (RFC 9051 sections 2.2, 4.3; RFC 7888,
// RFC 3516). Whoever reads decides about each literal when it is announced: keep it, have it streamed past without
// holding it, or throw it away. A server does that before it says "+".
//
//   while (true) switch (reader.read(input)) {
//     case more:     read from the peer, append to input
//     case literal:  reader.keep(), stream() or discard(); a server says "+ " if literal().waits
//     case part:     reader.part() are octets of a streamed literal, valid until the next call
//     case line:     reader.line() is whole; it may be taken
//     case dropped:  the end of a command whose literal was discarded, or which was given up
//     case error:    reader.error() says what is wrong; reader.give_up() goes on with the next line, or close
//   }
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/imap/limits.h"

namespace posthorn::imap {

// A command or response without its end. A literal stands where it was, as "{5}" CRLF and its octets ("~{5}" if it is
// literal8; the "+" or "-" is kept); of a streamed one only "{5}" CRLF.
struct Line {
  std::string text;
  std::vector<std::size_t> streamed;  // offsets of the "{" of streamed literals, ascending

  Line() = default;
  explicit Line(std::string octets) : text(std::move(octets)) {}
};

struct Literal {
  std::uint64_t size = 0;
  bool waits = true;    // synchronizing: the client sends nothing more until it hears "+"
  bool binary = false;  // literal8: NUL may be in it

  Literal() = default;
};

enum class LineError : std::uint8_t {
  too_long,           // Limits::line
  literal_too_large,  // kept, over Limits::literal or Limits::literals; or over 2^63
  too_many_literals,
  nul,          // an octet 0 outside a literal8
  stray_cr,     // a CR without LF
  bad_literal,  // LITERAL-: {5000-}, or a size that is no number
};
[[nodiscard]] std::string_view text_of(LineError error);

class LineReader {
 public:
  enum class Side : std::uint8_t { server, client };  // who we are: a server reads commands
  enum class Event : std::uint8_t { more, literal, part, line, dropped, error };

  // `longest_nonsync`: LITERAL- servers take {n+} up to 4096 octets (RFC 7888 section 5).
  explicit LineReader(Side side, const Limits& limits = Limits(),
                      std::optional<std::uint64_t> longest_nonsync = std::nullopt)
      : side_(side), limits_(limits), longest_nonsync_(longest_nonsync) {}

  // Takes octets from the front of `input` until something is to be said. Linear in what it takes.
  [[nodiscard]] Event read(std::string_view& input);

  // Event literal: the text so far is line(), up to and with "{5}" (no CRLF); exactly one of these follows.
  [[nodiscard]] const Literal& literal() const { return literal_; }
  // False, and the next event is error, if it is over a limit: then nothing was allocated.
  bool keep();
  void stream();
  // Octets and the rest of the command are thrown away; `dropped` when it ends. For a literal that waits (a server says
  // NO or BAD instead of "+") the command is over at once: its octets never come.
  void discard();

  [[nodiscard]] std::string_view part() const { return part_; }
  [[nodiscard]] std::uint64_t left() const { return left_; }  // octets of the literal still to come
  [[nodiscard]] const Line& line() const { return line_; }
  // Hands the line over; the reader goes on with the next.
  [[nodiscard]] Line take_line();
  [[nodiscard]] LineError error() const { return error_; }
  // After error: everything up to the end of this command is thrown away, then `dropped`.
  void give_up();
  // Before TLS: all that was begun is forgotten.
  void reset();
  // Between two lines: nothing has been read of the next one.
  [[nodiscard]] bool at_start() const { return state_ == State::line && line_.text.empty(); }
  void set_limits(const Limits& limits) { limits_ = limits; }
  [[nodiscard]] const Limits& limits() const { return limits_; }

 private:
  enum class State : std::uint8_t {
    line,
    deciding,
    keeping,
    streaming,
    done,
    failed,
    draining,  // a literal of a command that was given up
    dropping,  // the rest of its line
    dropped,
  };
  // Where input stands after an error: give_up() goes on from there.
  enum class Place : std::uint8_t { in_line, behind_line, before_literal, in_literal };

  Event fail_with(LineError error, Place place);
  Event take_text(std::string_view& input);
  Event end_of_line();
  Event take_dropped(std::string_view& input);
  [[nodiscard]] bool may_hold_literal() const;
  void start_draining();
  void restart();

  Side side_;
  Limits limits_;
  std::optional<std::uint64_t> longest_nonsync_;
  State state_ = State::line;
  Place place_ = Place::in_line;
  Line line_;
  std::size_t text_octets_ = 0;  // of the line, kept literals not counted
  std::size_t kept_octets_ = 0;  // of kept literals
  std::size_t count_ = 0;        // of literals
  std::size_t segment_ = 0;      // where the text behind the last literal begins
  Literal literal_;
  std::uint64_t left_ = 0;
  std::string_view part_;
  LineError error_ = LineError::too_long;
  std::string tail_;  // dropping: the end of the line, to see a literal that follows
};

}  // namespace posthorn::imap
