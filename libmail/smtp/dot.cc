#include "libmail/smtp/dot.h"

#include <fmt/format.h>

#include <cstring>

namespace posthorn::smtp {

namespace {

constexpr std::string_view crlf = "\r\n";

// Up to and with the next LF, or all of it.
struct Segment {
  std::size_t length = 0;
  bool ended = false;    // by CRLF
  bool held_cr = false;  // the last octet is a CR whose fellow may still come
  BodyFault fault = BodyFault::none;
};

Segment next_segment(std::string_view text) {
  Segment segment;
  const void* newline = std::memchr(text.data(), '\n', text.size());
  const bool has_lf = newline != nullptr;
  segment.length = has_lf ? static_cast<const char*>(newline) - text.data() + 1 : text.size();
  const std::size_t content = has_lf ? segment.length - 1 : segment.length;
  const bool cr_last = content > 0 && text[content - 1] == '\r';
  const std::size_t clean = cr_last ? content - 1 : content;
  if (std::memchr(text.data(), '\r', clean) != nullptr) segment.fault = BodyFault::bare_cr;
  if (has_lf && !cr_last) segment.fault = BodyFault::bare_lf;
  segment.ended = has_lf && cr_last;
  segment.held_cr = !has_lf && cr_last;
  return segment;
}

bool has_nul(std::string_view text) {
  return std::memchr(text.data(), '\0', text.size()) != nullptr;
}

}  // namespace

void LineChecker::note(BodyFault fault) {
  if (fault_ == BodyFault::none) fault_ = fault;
}

void LineChecker::feed(std::string_view octets) {
  if (octets.empty()) return;
  if (has_nul(octets)) note(BodyFault::nul);
  if (after_cr_) {
    after_cr_ = false;
    if (octets.front() == '\n') {
      if (line_ + 1 > line_limit_) note(BodyFault::line_too_long);
      line_ = 0;
      octets.remove_prefix(1);
    } else {
      note(BodyFault::bare_cr);
    }
  }
  while (!octets.empty()) {
    const Segment segment = next_segment(octets);
    note(segment.fault);
    line_ += segment.length;
    if (line_ > line_limit_) note(BodyFault::line_too_long);
    if (segment.ended) line_ = 0;
    after_cr_ = segment.held_cr;
    octets.remove_prefix(segment.length);
  }
}

void LineChecker::finish() {
  if (after_cr_) note(BodyFault::bare_cr);
}

void DotDecoder::note(BodyFault fault) {
  if (fault_ == BodyFault::none) fault_ = fault;
}

// The octet that decides what the one before it was: a CR, or a dot at the beginning of a line.
std::string_view DotDecoder::decide(std::string_view& input) {
  const char c = input.front();
  switch (state_) {
    case State::line_start:
      if (c == '.') {
        input.remove_prefix(1);
        line_ = 1;
        state_ = State::dot;
      } else {
        state_ = State::in_line;
      }
      return {};
    case State::dot:
      state_ = State::in_line;
      if (c == '\r') {
        input.remove_prefix(1);
        state_ = State::dot_cr;
      }
      return {};
    case State::dot_cr:
      if (c == '\n') {
        input.remove_prefix(1);
        state_ = State::done;
      } else {
        note(BodyFault::bare_cr);
        state_ = State::in_line;
      }
      return {};
    case State::cr:
      if (c != '\n') {
        note(BodyFault::bare_cr);
        state_ = State::in_line;
        return {};
      }
      input.remove_prefix(1);
      if (line_ + 1 > line_limit_) note(BodyFault::line_too_long);
      line_ = 0;
      state_ = State::line_start;
      return crlf;
    case State::in_line:
    case State::done:
      return {};
  }
  return {};
}

// Whole lines as long as none begins with a dot: one run for most messages.
std::size_t DotDecoder::scan(std::string_view input) {
  std::size_t at = 0;
  while (at < input.size()) {
    const Segment segment = next_segment(input.substr(at));
    note(segment.fault);
    line_ += segment.length;
    if (line_ > line_limit_) note(BodyFault::line_too_long);
    at += segment.length;
    if (segment.held_cr) {
      state_ = State::cr;
      return at - 1;
    }
    if (!segment.ended) continue;
    line_ = 0;
    if (at == input.size() || input[at] == '.') {
      state_ = State::line_start;
      return at;
    }
  }
  return at;
}

std::string_view DotDecoder::step(std::string_view& input) {
  while (!input.empty() && state_ != State::done) {
    std::string_view run;
    if (state_ == State::in_line) {
      run = input.substr(0, scan(input));
      input.remove_prefix(state_ == State::cr ? run.size() + 1 : run.size());
      if (has_nul(run)) note(BodyFault::nul);
    } else {
      run = decide(input);
    }
    if (!run.empty() && fault_ == BodyFault::none) return run;
  }
  return {};
}

// Octet by octet, for what isn't plain lines with CRLF.
void DotEncoder::encode_slowly(std::string_view octets, std::string& into) {
  for (const char c : octets) {
    if (after_cr_) {
      after_cr_ = false;
      if (c == '\n') {
        into.append(crlf);
        line_start_ = true;
        continue;
      }
      into.push_back(' ');
      neutralised_ = true;
      line_start_ = false;
    }
    if (c == '\r') {
      after_cr_ = true;
      continue;
    }
    if (c == '\n') neutralised_ = true;
    if (c == '.' && line_start_) into.push_back('.');
    into.push_back(c == '\n' ? ' ' : c);
    line_start_ = false;
  }
}

void DotEncoder::encode(std::string_view octets, std::string& into) {
  while (!octets.empty()) {
    const Segment segment = next_segment(octets);
    const std::string_view line = octets.substr(0, segment.length);
    if (after_cr_ || segment.fault != BodyFault::none || segment.held_cr) {
      encode_slowly(line, into);
    } else {
      if (line_start_ && line.front() == '.') into.push_back('.');
      into.append(line);
      line_start_ = segment.ended;
    }
    octets.remove_prefix(segment.length);
  }
}

void DotEncoder::finish(std::string& into) {
  if (after_cr_) {
    into.push_back(' ');
    neutralised_ = true;
    line_start_ = false;
  }
  if (!line_start_) into.append(crlf);
  into.append(".\r\n");
}

void append_bdat(std::string& into, std::uint64_t size, bool last) {
  into.append(fmt::format("BDAT {}{}\r\n", size, last ? " LAST" : ""));
}

}  // namespace posthorn::smtp
