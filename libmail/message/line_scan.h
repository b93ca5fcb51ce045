// The inner loop of the MIME parser: counts what matters in a run of octets and finds the lines
// that could be a delimiter. SSE2 or AVX2 on x86-64, and a scalar form they are tested against.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace posthorn::message {

// RFC 5322 2.1.1, without the line end.
inline constexpr std::uint64_t longest_line = 998;

// What was met since the tally began. `run` and `previous` go on from one scan to the next.
struct Tally {
  std::uint64_t lf = 0;
  std::uint64_t crlf = 0;
  std::uint64_t cr = 0;
  bool eight_bit = false;
  bool nul = false;
  bool long_line = false;
  std::uint64_t run = 0;  // octets since the last LF
  char previous = '\n';   // the octet in front of the next one; a text begins like a line

  [[nodiscard]] std::uint64_t bare_lf() const { return lf - crlf; }
  bool operator==(const Tally&) const = default;
};

enum class StopAt : std::uint8_t { end, dash };
// What the loop is made of; tests hold each against the scalar one.
enum class Instructions : std::uint8_t { best, sse2, scalar };

// Adds `bytes` to the tally; with StopAt::dash only up to the first '-' that begins a line. Returns
// how many octets it took. A CR that is the last octet counts as cr, and as crlf once LF follows.
[[nodiscard]] std::size_t scan_lines(std::string_view bytes, StopAt stop, Tally& tally,
                                     Instructions with = Instructions::best);

// A line without its line end.
struct Line {
  std::string_view text;  // at most the LineBuffer's limit of it
  std::uint64_t offset = 0;
  std::uint64_t size = 0;  // without the line end
  bool ended = false;      // by a line feed; false at the end of the message
  bool crlf = false;
  bool blank_tail = true;  // nothing but blanks and CRs behind `text`

  [[nodiscard]] std::uint64_t end() const {
    return offset + size + (ended ? 1 : 0) + (crlf ? 1 : 0);
  }
};

// Puts lines together that arrive in pieces. A line that lies in one piece is not copied.
class LineBuffer {
 public:
  // Keeps the first `limit` octets of a line.
  explicit LineBuffer(std::size_t limit) : limit_(limit) {}

  // Takes octets of `bytes` (which begin at `offset`) through the next LF and returns how many. If
  // that ends the line it is in `line`, which is valid until the next call.
  [[nodiscard]] std::size_t take(std::string_view bytes, std::uint64_t offset, Line& line,
                                 bool& whole);
  // What is left at the end of the message.
  [[nodiscard]] Line rest(std::uint64_t offset);
  [[nodiscard]] bool empty() const { return size_ == 0; }

 private:
  void clear();
  void keep(std::string_view piece);

  std::size_t limit_;
  std::string text_;
  std::uint64_t size_ = 0;  // of the line so far
  bool blank_tail_ = true;
  bool last_cr_ = false;
};

}  // namespace posthorn::message
