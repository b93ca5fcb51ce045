#include "libmail/message/quoted_printable.h"

#include <algorithm>

#include "libmail/base/percent.h"
#include "libmail/base/text.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

namespace posthorn::message {

namespace {

constexpr std::size_t longest_coded_line = 76;
constexpr char digits[] = "0123456789ABCDEF";
// A longer run of blanks is text, whatever follows: no transport adds as many.
constexpr std::size_t longest_blanks = 1000;
// At the front of a line: mbox files would have a '>' put before it.
constexpr std::string_view from = "From ";

// The first '=', CR, LF or octet above 126 at or behind `at`: everything before it is text.
std::size_t find_special(std::string_view text, std::size_t at) {
#if defined(__SSE2__)
  const __m128i equals = _mm_set1_epi8('=');
  const __m128i lowest = _mm_set1_epi8(' ');
  const __m128i del = _mm_set1_epi8(127);
  const __m128i tab = _mm_set1_epi8('\t');
  for (; at + 16 <= text.size(); at += 16) {
    const __m128i in = _mm_loadu_si128(reinterpret_cast<const __m128i*>(text.data() + at));
    // Signed: octets above 127 are below the space, too.
    const __m128i low = _mm_andnot_si128(_mm_cmpeq_epi8(in, tab), _mm_cmplt_epi8(in, lowest));
    const __m128i found =
        _mm_or_si128(low, _mm_or_si128(_mm_cmpeq_epi8(in, equals), _mm_cmpeq_epi8(in, del)));
    const int mask = _mm_movemask_epi8(found);
    if (mask != 0) return at + static_cast<std::size_t>(__builtin_ctz(static_cast<unsigned>(mask)));
  }
#endif
  while (at < text.size() && (is_graph(text[at]) || is_space(text[at])) && text[at] != '=') ++at;
  return at;
}

std::size_t blanks_at_end(std::string_view text) {
  std::size_t begin = text.size();
  while (begin > 0 && is_space(text[begin - 1])) --begin;
  return begin;
}

}  // namespace

void append_escape(std::string& out, char octet) {
  const auto value = static_cast<unsigned char>(octet);
  out += '=';
  out += digits[value >> 4];
  out += digits[value & 15];
}

void QuotedPrintableNotes::report(Anomalies& anomalies, std::uint64_t offset) const {
  if (bad_escapes != 0) anomalies.add(AnomalyKind::bad_quoted_printable, offset);
}

void QuotedPrintableDecoder::feed(std::string_view text, std::string& out) {
  std::size_t at = 0;
  while (at < text.size() && !stopped_) {
    if (state_ == State::text) {
      const std::size_t end = find_special(text, at);
      const std::string_view plain = text.substr(at, end - at);
      const std::size_t solid = blanks_at_end(plain);
      if (solid != 0) {
        flush_blanks(out);
        out.append(plain.substr(0, solid));
      }
      blanks_.append(plain.substr(solid));
      if (blanks_.size() > longest_blanks) flush_blanks(out);
      at = end;
      if (at == text.size()) return;
    }
    if (step(text[at], out)) ++at;
  }
}

// False: the octet is to be looked at again in the new state.
bool QuotedPrintableDecoder::step(char c, std::string& out) {
  switch (state_) {
    case State::text:
      if (c == '=') {
        flush_blanks(out);
        state_ = State::escape;
      } else if (c == '\r') {
        state_ = State::cr;
      } else if (c == '\n') {
        drop_blanks();
        out += c;
      } else {
        flush_blanks(out);
        out += c;
        ++notes_.raw_octets;
      }
      return true;
    case State::cr:
      state_ = State::text;
      if (c != '\n') {
        flush_blanks(out);
        ++notes_.raw_octets;
        out += '\r';
        return false;
      }
      drop_blanks();
      out += "\r\n";
      return true;
    case State::escape:
    case State::digit:
    case State::soft:
    case State::soft_cr:
      return in_escape(c, out);
  }
  return true;
}

bool QuotedPrintableDecoder::in_escape(char c, std::string& out) {
  if (state_ == State::escape && hex_digit(c) >= 0) {
    first_digit_ = c;
    state_ = State::digit;
    return true;
  }
  if (state_ == State::digit) {
    if (hex_digit(c) < 0) {
      bad_escape(out);
      return false;
    }
    if (to_upper(c) != c || to_upper(first_digit_) != first_digit_) ++notes_.lower_case;
    out += static_cast<char>(hex_digit(first_digit_) << 4 | hex_digit(c));
    state_ = State::text;
    return true;
  }
  if (c == '\n') {
    drop_blanks();
    state_ = State::text;
    return true;
  }
  if (state_ == State::soft_cr) {
    bad_escape(out);
    return false;
  }
  if (c == '\r') {
    state_ = State::soft_cr;
    return true;
  }
  if (is_space(c) && blanks_.size() < longest_blanks) {
    state_ = State::soft;
    blanks_ += c;
    return true;
  }
  bad_escape(out);
  return false;
}

// What was taken for an escape and is none stands for itself.
void QuotedPrintableDecoder::bad_escape(std::string& out) {
  ++notes_.bad_escapes;
  if (mode_ == DecodeMode::strict) {
    stopped_ = true;
    return;
  }
  out += '=';
  if (state_ == State::digit) out += first_digit_;
  flush_blanks(out);
  if (state_ == State::soft_cr) out += '\r';
  state_ = State::text;
}

void QuotedPrintableDecoder::flush_blanks(std::string& out) {
  out.append(blanks_);
  blanks_.clear();
}

void QuotedPrintableDecoder::drop_blanks() {
  if (!blanks_.empty()) ++notes_.blanks_at_end;
  blanks_.clear();
}

void QuotedPrintableDecoder::finish(std::string& out) {
  if (stopped_) return;
  switch (state_) {
    case State::text:
    case State::escape:  // a soft line break at the very end: there is nothing to join
    case State::soft:
    case State::soft_cr:
      drop_blanks();
      break;
    case State::cr:
      drop_blanks();
      out += '\r';
      break;
    case State::digit:
      bad_escape(out);
      break;
  }
  state_ = State::text;
}

void QuotedPrintableEncoder::feed(std::string_view text, std::string& out) {
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (cr_ && c != '\n') {
      cr_ = false;
      put('\r', out);
    }
    if (of_ == Of::text && c == '\r') {
      cr_ = true;
      ++at;
    } else if (of_ == Of::text && c == '\n') {
      cr_ = false;
      end_line(out);
      out += "\r\n";
      column_ = 0;
      ++at;
    } else {
      put(c, out);
      at += 1 + put_run(text.substr(at + 1), out);
    }
  }
}

// Text in the middle of a line, all at once: what is followed by more text stands for itself.
std::size_t QuotedPrintableEncoder::put_run(std::string_view text, std::string& out) {
  if (column_ < from.size() || column_ + 2 > longest_coded_line - 1) return 0;
  if (find_special({&*held_, 1}, 0) == 0) return 0;
  const std::size_t count = std::min(find_special(text.substr(0, longest_coded_line), 0),
                                     longest_coded_line - 1 - column_ - 1);
  if (count == 0) return 0;
  out += *held_;
  out.append(text.substr(0, count - 1));
  column_ += count;
  held_ = text[count - 1];
  return count;
}

// Each octet waits for the next one: whether a line ends behind it decides how it is written.
void QuotedPrintableEncoder::put(char c, std::string& out) {
  if (held_) write(*held_, false, out);
  held_ = c;
}

void QuotedPrintableEncoder::end_line(std::string& out) {
  if (held_) write(*held_, true, out);
  held_.reset();
}

void QuotedPrintableEncoder::write(char c, bool at_end, std::string& out) {
  bool as_it_is = (is_graph(c) && c != '=') || (is_space(c) && !at_end);
  // The last column belongs to the "=" of a soft line break unless the line ends here anyway.
  if (column_ + (as_it_is ? 1 : 3) > (at_end ? longest_coded_line : longest_coded_line - 1)) {
    out += "=\r\n";
    column_ = 0;
  }
  if (column_ == 0) from_ = 0;
  if (from_ == column_ && column_ < from.size() && c == from[column_]) ++from_;
  if (column_ + 1 == from.size() && from_ == from.size()) as_it_is = false;
  if (column_ == 0 && c == '.' && at_end) as_it_is = false;
  if (as_it_is) {
    out += c;
  } else {
    append_escape(out, c);
  }
  column_ += as_it_is ? 1 : 3;
}

void QuotedPrintableEncoder::finish(std::string& out) {
  if (cr_) put('\r', out);
  cr_ = false;
  end_line(out);
}

std::string encode_quoted_printable(std::string_view text) {
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  QuotedPrintableEncoder encoder;
  encoder.feed(text, out);
  encoder.finish(out);
  return out;
}

}  // namespace posthorn::message
