#include "agents/sendmail/input.h"

namespace posthorn::sendmail {

void InputReader::feed(std::string_view octets) {
  for (const char c : octets) {
    if (ended_) return;
    if (c == '\n' && after_cr_) {
      after_cr_ = false;
      continue;
    }
    after_cr_ = c == '\r';
    if (c == '\n' || c == '\r') {
      end_line();
    } else if (c != '\0') {
      message_ += c;
    }
  }
}

void InputReader::end_line() {
  const std::string_view line = std::string_view(message_).substr(line_begin_);
  if (line == "." && !dot_is_text_) {
    message_.resize(line_begin_);
    ended_ = true;
    return;
  }
  message_ += "\r\n";
  line_begin_ = message_.size();
}

void InputReader::finish() {
  if (!ended_ && message_.size() > line_begin_) end_line();
  ended_ = true;
}

}  // namespace posthorn::sendmail
