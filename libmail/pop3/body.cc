#include "libmail/pop3/body.h"

#include <cstring>

namespace posthorn::pop3 {

void BodyEncoder::append(std::string_view text, std::string& out) {
  while (!text.empty()) {
    if (last_ == '\n' && text.front() == '.') out.push_back('.');
    const auto* end = static_cast<const char*>(std::memchr(text.data(), '\n', text.size()));
    if (end == nullptr) {
      out.append(text);
      last_ = text.back();
      return;
    }
    const auto line = static_cast<std::size_t>(end - text.data());  // without the LF
    const char before = line > 0 ? text[line - 1] : last_;
    out.append(text.substr(0, line));
    if (before != '\r') out.push_back('\r');
    out.push_back('\n');
    last_ = '\n';
    text.remove_prefix(line + 1);
  }
}

void BodyEncoder::finish(std::string& out) {
  if (last_ != '\n') out.append("\r\n");
  out.append(".\r\n");
  last_ = '\n';
}

std::size_t BodyDecoder::feed(std::string_view input, std::string& out) {
  std::size_t used = 0;
  while (used < input.size() && !ended_) {
    const char c = input[used];
    switch (state_) {
      case State::line_start:
        if (c == '.') {
          state_ = State::dot;
          ++used;
          continue;
        }
        break;
      case State::dot:
        if (c == '\r') {
          state_ = State::dot_cr;
          ++used;
          continue;
        }
        break;  // the dot was stuffed: what follows is the line
      case State::dot_cr:
        if (c == '\n') {
          ended_ = true;
          ++used;
          continue;
        }
        out.push_back('\r');
        break;
      case State::inside:
        break;
    }
    const std::string_view rest = input.substr(used);
    const std::size_t end = rest.find('\n');
    const std::size_t count = end == std::string_view::npos ? rest.size() : end + 1;
    out.append(rest.substr(0, count));
    used += count;
    state_ = end == std::string_view::npos ? State::inside : State::line_start;
  }
  return used;
}

std::string_view TopCutter::take(std::string_view text) {
  std::size_t taken = 0;
  while (taken < text.size() && !done_) {
    const std::string_view rest = text.substr(taken);
    const std::size_t end = rest.find('\n');
    const std::string_view line = rest.substr(0, end);
    for (const char c : line) {
      if (c != '\r') {
        line_empty_ = false;
        break;
      }
    }
    if (end == std::string_view::npos) return text;
    taken += end + 1;
    if (in_header_) {
      in_header_ = !line_empty_;
      done_ = !in_header_ && left_ == 0;
    } else {
      done_ = --left_ == 0;
    }
    line_empty_ = true;
  }
  return text.substr(0, taken);
}

}  // namespace posthorn::pop3
