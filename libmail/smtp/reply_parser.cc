#include "libmail/smtp/reply_parser.h"

#include <algorithm>
#include <cstring>

#include "libmail/base/text.h"

namespace posthorn::smtp {

namespace {

char clean(char c) {
  return static_cast<unsigned char>(c) < 32 || c == 127 ? '?' : c;
}

// 200..599 from the front of a line; 0 if there is none. 1xx is no reply of SMTP.
int code_of(std::string_view line) {
  if (line.size() < 3) return 0;
  const auto code = parse_number<int>(line.substr(0, 3));
  if (!code || *code < 200 || *code > 599) return 0;
  if (line.size() > 3 && line[3] != ' ' && line[3] != '-') return 0;
  return *code;
}

}  // namespace

std::string_view describe(ReplyError error) {
  switch (error) {
    case ReplyError::line_too_long:
      return "reply line too long";
    case ReplyError::too_long:
      return "reply too long";
    case ReplyError::no_code:
      return "reply without a code";
    case ReplyError::mixed_codes:
      return "reply with several codes";
  }
  return "bad reply";
}

Result<bool, ReplyError> ReplyParser::feed(std::string_view& input) {
  while (!input.empty()) {
    const std::size_t newline = input.find('\n');
    const bool whole = newline != std::string_view::npos;
    const std::size_t taken = whole ? newline + 1 : input.size();
    if (line_.size() + taken > limits_.line) return fail(ReplyError::line_too_long);
    total_ += taken;
    if (total_ > limits_.total) return fail(ReplyError::too_long);
    const std::string_view octets = input.substr(0, taken);
    input.remove_prefix(taken);
    if (!whole) {
      line_.append(octets);
      return false;
    }
    if (line_.empty()) {
      auto ended = take_line(octets);
      if (!ended || *ended) return ended;
      continue;
    }
    line_.append(octets);
    const std::string line = std::move(line_);
    line_.clear();
    auto ended = take_line(line);
    if (!ended || *ended) return ended;
  }
  return false;
}

Result<bool, ReplyError> ReplyParser::take_line(std::string_view line) {
  line.remove_suffix(1);
  if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
  const int code = code_of(line);
  if (code == 0) return fail(ReplyError::no_code);
  if (in_reply_ && code != reply_.code) return fail(ReplyError::mixed_codes);
  const bool last = line.size() == 3 || line[3] == ' ';
  line.remove_prefix(std::min<std::size_t>(4, line.size()));

  if (!in_reply_) {
    reply_ = Reply();
    reply_.code = code;
  } else {
    reply_.text.push_back('\n');
  }
  if (const auto status = take_enhanced_status(line)) {
    if (!in_reply_) reply_.status = *status;
  }
  std::transform(line.begin(), line.end(), std::back_inserter(reply_.text), clean);
  in_reply_ = !last;
  if (last) total_ = 0;
  return last;
}

}  // namespace posthorn::smtp
