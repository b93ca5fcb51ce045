// Quoted-printable (RFC 2045 6.7).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/message/base64.h"

namespace posthorn::message {

struct QuotedPrintableNotes {
  std::uint64_t bad_escapes = 0;    // '=' and no two hexadecimal digits: kept as it stands
  std::uint64_t raw_octets = 0;     // 8-bit octets and controls that ought to be encoded: kept
  std::uint64_t lower_case = 0;     // "=e4" for "=E4"
  std::uint64_t blanks_at_end = 0;  // before a line end or behind a soft one: dropped
  // Two readers may see different octets.
  [[nodiscard]] bool ambiguous() const { return bad_escapes != 0; }
  // Adds bad_quoted_printable at `offset`.
  void report(Anomalies& anomalies, std::uint64_t offset) const;
};

// Decodes a text that may be cut anywhere. Line ends (CRLF, LF) stay what they are. A bad escape
// ends the output in strict mode; everything else is read alike in both.
class QuotedPrintableDecoder {
 public:
  explicit QuotedPrintableDecoder(DecodeMode mode = DecodeMode::display) : mode_(mode) {}

  // Appends to `out`, never more octets than it was fed in all.
  void feed(std::string_view text, std::string& out);
  void finish(std::string& out);

  [[nodiscard]] const QuotedPrintableNotes& notes() const { return notes_; }
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  enum class State : std::uint8_t { text, cr, escape, digit, soft, soft_cr };
  bool step(char c, std::string& out);
  bool in_escape(char c, std::string& out);
  void bad_escape(std::string& out);
  void flush_blanks(std::string& out);
  void drop_blanks();

  DecodeMode mode_;
  QuotedPrintableNotes notes_;
  State state_ = State::text;
  std::string blanks_;  // a run that is dropped if a line end follows; after "=", what came since
  char first_digit_ = 0;
  bool stopped_ = false;
};

// Lines of at most 76 octets with CRLF ends. CRLF and LF in the text are line ends; every other
// control octet, octets above 126 and blanks before a line end are encoded, also the blank of
// "From " at the front of a line and a dot alone on its line, which mbox files and bad relays would change.
class QuotedPrintableEncoder {
 public:
  enum class Of : std::uint8_t {
    text,
    octets,  // CR and LF are octets like any other: for attachments
  };
  explicit QuotedPrintableEncoder(Of of = Of::text) : of_(of) {}
  void feed(std::string_view text, std::string& out);
  void finish(std::string& out);

 private:
  void put(char c, std::string& out);
  std::size_t put_run(std::string_view text, std::string& out);
  void write(char c, bool at_end, std::string& out);
  void end_line(std::string& out);

  Of of_;
  std::optional<char> held_;
  bool cr_ = false;         // a CR behind held_ that may belong to a line end
  std::size_t column_ = 0;  // of the output
  std::size_t from_ = 0;    // how much of "From " stands at the front of the output line
};

[[nodiscard]] std::string encode_quoted_printable(std::string_view text);

// The octets of one "Q" or quoted-printable escape: "=E4".
void append_escape(std::string& out, char octet);

}  // namespace posthorn::message
