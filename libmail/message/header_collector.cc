#include "libmail/message/header_collector.h"

namespace posthorn::message {

std::size_t HeaderCollector::feed(std::string_view bytes) {
  if (state_ != State::more) return 0;
  std::size_t at = 0;
  while (at < bytes.size()) {
    const std::size_t newline = bytes.find('\n', at);
    const std::size_t end = newline == std::string_view::npos ? bytes.size() : newline + 1;
    if (bytes_.size() + (end - at) > limit_) {
      state_ = State::too_large;
      return at;
    }
    bytes_.append(bytes.substr(at, end - at));
    at = end;
    if (newline == std::string_view::npos) break;
    const std::string_view line = std::string_view(bytes_).substr(line_begin_);
    line_begin_ = bytes_.size();
    if (line == "\r\n" || line == "\n") {
      state_ = State::complete;
      break;
    }
  }
  return at;
}

void HeaderCollector::finish() {
  if (state_ == State::more) state_ = State::complete;
}

}  // namespace posthorn::message
