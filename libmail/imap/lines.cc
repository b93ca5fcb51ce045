#include "libmail/imap/lines.h"

#include <algorithm>
#include <limits>

#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {

constexpr std::uint64_t largest_literal = std::numeric_limits<std::int64_t>::max();
// "~{9223372036854775807+}" and some air: no announcement is longer, zeros in front aside.
constexpr std::size_t longest_header = 64;

struct Header {
  Literal literal;
  std::size_t at = 0;  // of "{"
  bool overflow = false;
};

// The announcement at the end of `text`; nothing if there is none.
std::optional<Header> header_at_end(std::string_view text) {
  if (text.empty() || text.back() != '}') return std::nullopt;
  const std::size_t open = text.rfind('{');
  if (open == std::string_view::npos) return std::nullopt;
  std::string_view digits = text.substr(open + 1, text.size() - open - 2);
  Header header;
  header.at = open;
  if (!digits.empty() && (digits.back() == '+' || digits.back() == '-')) {
    header.literal.waits = false;
    digits.remove_suffix(1);
  }
  if (digits.empty() || !std::all_of(digits.begin(), digits.end(), is_digit)) return std::nullopt;
  const std::optional<std::uint64_t> size = parse_number<std::uint64_t>(digits);
  header.overflow = !size || *size > largest_literal;
  header.literal.size = header.overflow ? largest_literal : *size;
  header.literal.binary = open > 0 && text[open - 1] == '~';
  return header;
}

bool is_status_word(std::string_view word) {
  return iequals(word, "OK") || iequals(word, "NO") || iequals(word, "BAD") ||
         iequals(word, "BYE") || iequals(word, "PREAUTH");
}

}  // namespace

std::string_view text_of(LineError error) {
  switch (error) {
    case LineError::too_long:
      return "the line is too long";
    case LineError::literal_too_large:
      return "the literal is too large";
    case LineError::too_many_literals:
      return "there are too many literals";
    case LineError::nul:
      return "an octet 0 is only allowed in literal8";
    case LineError::stray_cr:
      return "a CR without LF";
    case LineError::bad_literal:
      return "the size of the literal is not allowed; a literal without waiting has 4096 octets at "
             "most";
  }
  return "";
}

LineReader::Event LineReader::read(std::string_view& input) {
  switch (state_) {
    case State::line:
      return take_text(input);
    case State::deciding:
      return Event::literal;
    case State::done:
      return Event::line;
    case State::failed:
      return Event::error;
    case State::dropped:
      restart();
      return Event::dropped;
    case State::draining:
    case State::dropping:
      return take_dropped(input);
    case State::keeping:
    case State::streaming:
      break;
  }
  if (input.empty()) return Event::more;
  part_ = input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size())));
  const bool nul_allowed = literal_.binary || side_ == Side::client || state_ == State::streaming;
  if (!nul_allowed && part_.find('\0') != std::string_view::npos)
    return fail_with(LineError::nul, Place::in_literal);
  input.remove_prefix(part_.size());
  left_ -= part_.size();
  const bool keeping = state_ == State::keeping;
  if (keeping) line_.text += part_;
  if (left_ == 0) {
    state_ = State::line;
    segment_ = line_.text.size();
  }
  return keeping ? read(input) : Event::part;
}

LineReader::Event LineReader::take_text(std::string_view& input) {
  if (input.empty()) return Event::more;
  const std::size_t end = input.find('\n');
  const std::string_view piece = input.substr(0, end == std::string_view::npos ? end : end + 1);
  if (text_octets_ + piece.size() > limits_.line)
    return fail_with(LineError::too_long, Place::in_line);
  if (piece.find('\0') != std::string_view::npos) return fail_with(LineError::nul, Place::in_line);
  text_octets_ += piece.size();
  line_.text += piece;
  input.remove_prefix(piece.size());
  return end == std::string_view::npos ? Event::more : end_of_line();
}

LineReader::Event LineReader::end_of_line() {
  line_.text.pop_back();
  if (line_.text.size() > segment_ && line_.text.back() == '\r') line_.text.pop_back();
  if (line_.text.find('\r', segment_) != std::string::npos)
    return fail_with(LineError::stray_cr, Place::behind_line);
  const std::optional<Header> header = header_at_end(std::string_view(line_.text).substr(segment_));
  if (!header || !may_hold_literal()) {
    state_ = State::done;
    return Event::line;
  }
  literal_ = header->literal;
  left_ = literal_.size;
  const bool too_long = side_ == Side::server && !literal_.waits && longest_nonsync_ &&
                        literal_.size > *longest_nonsync_;
  if (header->overflow || too_long) return fail_with(LineError::bad_literal, Place::before_literal);
  if (++count_ > limits_.literal_count)
    return fail_with(LineError::too_many_literals, Place::before_literal);
  state_ = State::deciding;
  return Event::literal;
}

// A server's words for people may end in "{5}".
bool LineReader::may_hold_literal() const {
  if (side_ == Side::server) return true;
  const std::string_view text = line_.text;
  if (text.substr(0, 1) == "+") return false;
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return false;
  const std::string_view rest = text.substr(space + 1);
  const std::size_t end = rest.find(' ');
  if (!is_status_word(rest.substr(0, end))) return true;
  const std::string_view words = end == std::string_view::npos ? "" : rest.substr(end + 1);
  return words.substr(0, 1) == "[" && words.find(']') == std::string_view::npos;
}

bool LineReader::keep() {
  const bool fits = literal_.size <= limits_.literal &&
                    literal_.size <= limits_.literals - std::min(limits_.literals, kept_octets_);
  if (!fits) {
    fail_with(LineError::literal_too_large, Place::before_literal);
    return false;
  }
  kept_octets_ += static_cast<std::size_t>(literal_.size);
  line_.text += "\r\n";
  segment_ = line_.text.size();
  state_ = literal_.size == 0 ? State::line : State::keeping;
  return true;
}

void LineReader::stream() {
  line_.streamed.push_back(line_.text.rfind('{'));
  line_.text += "\r\n";
  segment_ = line_.text.size();
  state_ = literal_.size == 0 ? State::line : State::streaming;
}

void LineReader::discard() {
  if (literal_.waits) {
    restart();
  } else {
    start_draining();
  }
}

Line LineReader::take_line() {
  Line line = std::move(line_);
  restart();
  return line;
}

void LineReader::give_up() {
  tail_.clear();
  switch (place_) {
    case Place::in_line: {
      const std::string_view begun = std::string_view(line_.text).substr(segment_);
      tail_ = begun.substr(begun.size() - std::min(begun.size(), longest_header));
      state_ = State::dropping;
      break;
    }
    case Place::behind_line:
      state_ = State::dropped;
      break;
    case Place::before_literal:
      // Of a server's literal the octets come in any case.
      if (side_ == Side::server && literal_.waits) {
        state_ = State::dropped;
      } else {
        start_draining();
      }
      break;
    case Place::in_literal:
      start_draining();
      break;
  }
  line_ = Line();
}

void LineReader::reset() {
  restart();
}

LineReader::Event LineReader::fail_with(LineError error, Place place) {
  error_ = error;
  place_ = place;
  state_ = State::failed;
  return Event::error;
}

void LineReader::start_draining() {
  line_ = Line();
  tail_.clear();
  state_ = left_ == 0 ? State::dropping : State::draining;
}

LineReader::Event LineReader::take_dropped(std::string_view& input) {
  while (!input.empty()) {
    if (state_ == State::draining) {
      const std::uint64_t count = std::min<std::uint64_t>(left_, input.size());
      input.remove_prefix(static_cast<std::size_t>(count));
      left_ -= count;
      if (left_ == 0) state_ = State::dropping;
      continue;
    }
    const std::size_t end = input.find('\n');
    const std::string_view piece = input.substr(0, end);
    tail_ += piece.substr(piece.size() - std::min(piece.size(), longest_header));
    if (tail_.size() > longest_header) tail_.erase(0, tail_.size() - longest_header);
    input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
    if (end == std::string_view::npos) break;
    if (!tail_.empty() && tail_.back() == '\r') tail_.pop_back();
    const std::optional<Header> header = header_at_end(tail_);
    if (!header || (header->literal.waits && side_ == Side::server)) {
      restart();
      return Event::dropped;
    }
    left_ = header->literal.size;
    start_draining();
  }
  return Event::more;
}

void LineReader::restart() {
  state_ = State::line;
  line_ = Line();
  text_octets_ = 0;
  kept_octets_ = 0;
  count_ = 0;
  segment_ = 0;
  left_ = 0;
  tail_.clear();
}

}  // namespace posthorn::imap
