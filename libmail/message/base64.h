// Base64 of MIME bodies (RFC 2045 6.8): streams, lines of 76 columns, and two readings of what is not base64.
// Values in protocols (SASL, keys) use the strict one-call codec of libmail/base/base64.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "libmail/message/anomaly.h"

namespace posthorn::message {

// What a decoder does with input that breaks its grammar.
enum class DecodeMode : std::uint8_t {
  display,  // goes on, as every mail reader does: a person wants to see what can be seen
  strict,   // stops: nothing comes out from the first fault on
};

struct Base64Notes {
  std::uint64_t junk = 0;  // characters outside the alphabet; line ends and blanks are none
  bool data_after_padding = false;  // concatenated texts, or something to be hidden from a scanner
  bool missing_padding = false;     // the last group has two or three characters and no '='
  bool lone_character = false;      // a group of one character: six bits that make no octet
  bool trailing_bits = false;       // a bit set behind the last octet
  // Two readers may see different octets.
  [[nodiscard]] bool ambiguous() const { return junk != 0 || data_after_padding || lone_character; }
  // Adds bad_base64, base64_after_padding or truncated_base64 at `offset`.
  void report(Anomalies& anomalies, std::uint64_t offset) const;
};

// Decodes a text that may be cut anywhere. Line ends and blanks are passed over in both modes, and
// missing padding is no fault that hides anything, so both modes give its octets; `strict` ends at
// the first padding or junk.
class Base64Decoder {
 public:
  explicit Base64Decoder(DecodeMode mode = DecodeMode::display) : mode_(mode) {}

  // Octets of room that decode() may write to for `size` characters (more than it returns).
  static constexpr std::size_t room(std::size_t size) { return size / 4 * 3 + 40; }
  // Decodes all of `text` to `out`, which has room(text.size()) octets; returns how many it made.
  [[nodiscard]] std::size_t decode(std::string_view text, char* out);
  // The same, appended.
  void feed(std::string_view text, std::string& out);
  // The text is at its end. Appends at most two octets.
  void finish(std::string& out);

  [[nodiscard]] const Base64Notes& notes() const { return notes_; }
  // Strict only: nothing more will come out.
  [[nodiscard]] bool stopped() const { return stopped_; }

 private:
  char* take(char c, char* out);
  char* end_group(char* out);

  DecodeMode mode_;
  Base64Notes notes_;
  std::uint32_t bits_ = 0;
  unsigned held_ = 0;    // characters of the group not complete yet, 0 to 3
  bool padded_ = false;  // an '=' was seen and no character of the alphabet since
  bool stopped_ = false;
};

// Encodes octets that may be cut anywhere into lines of 76 characters with CRLF, the last line too.
class Base64Encoder {
 public:
  void feed(std::string_view octets, std::string& out);
  void finish(std::string& out);

 private:
  std::string held_;  // less than one line of octets
};

// What Base64Encoder makes of that many octets, line ends included.
[[nodiscard]] constexpr std::uint64_t base64_size(std::uint64_t octets) {
  const std::uint64_t characters = (octets + 2) / 3 * 4;
  return characters + (characters + 75) / 76 * 2;
}

}  // namespace posthorn::message
