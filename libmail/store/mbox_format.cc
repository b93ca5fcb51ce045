#include "libmail/store/mbox_format.h"

#include <fmt/format.h>

#include <ctime>

#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

constexpr std::string_view from = "From ";

// The text up to and with the next LF, or all of it; `text` loses it.
std::string_view take_line(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end == std::string_view::npos ? end : end + 1);
  text.remove_prefix(line.size());
  return line;
}

}  // namespace

std::string mbox_from_line(std::string_view sender, WallTime when) {
  std::string name(sender.empty() ? "MAILER-DAEMON" : sender);
  for (char& c : name) {
    if (!is_graph(c) && !is_8bit(c)) c = '-';
  }
  const std::time_t seconds =
      std::chrono::duration_cast<std::chrono::seconds>(when.time_since_epoch()).count();
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  static constexpr const char* days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr const char* months[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                           "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  return fmt::format("From {} {} {} {:2} {:02}:{:02}:{:02} {}\n", name, days[utc.tm_wday],
                     months[utc.tm_mon], utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     utc.tm_year + 1900);
}

void detail::FromMatcher::take(char octet) {
  if (state != State::undecided) return;
  if (matched == 0 && octet == '>') {
    quoted = true;
  } else if (octet == from[matched]) {
    if (++matched == from.size()) state = State::from;
  } else {
    state = State::plain;
  }
}

void MboxQuoter::append(std::string_view text, std::string& out) {
  using State = detail::FromMatcher::State;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const bool ends = line.back() == '\n';
    while (!line.empty() && line_.state == State::undecided) {
      const char octet = line.front();
      const std::size_t held = line_.matched;
      line_.take(octet);
      // One more ">" among them is the same wherever it stands, so only "From " is ever held back.
      if (line_.state == State::from)
        out.append(">").append(from);
      else if (line_.state == State::plain)
        out.append(from.substr(0, held)).push_back(octet);
      else if (line_.matched == 0)
        out.push_back(octet);
      line.remove_prefix(1);
    }
    out.append(line);
    at_start_ = ends;
    if (ends) line_.next_line();
  }
}

void MboxQuoter::finish(std::string& out) {
  if (line_.state == detail::FromMatcher::State::undecided)
    out.append(from.substr(0, line_.matched));
  if (!at_start_) out.push_back('\n');
  out.push_back('\n');
  line_.next_line();
  at_start_ = true;
}

void MboxUnquoter::decide(std::string& out) {
  // The first ">" and the part of "From " were held back.
  if (line_.quoted && line_.state != detail::FromMatcher::State::from) out.push_back('>');
  out.append(from.substr(0, line_.matched));
}

void MboxUnquoter::append(std::string_view text, std::string& out) {
  using State = detail::FromMatcher::State;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const bool ends = line.back() == '\n';
    while (!line.empty() && line_.state == State::undecided) {
      const char octet = line.front();
      const bool was_quoted = line_.quoted;
      line_.take(octet);
      line.remove_prefix(1);
      if (line_.state != State::undecided) {
        decide(out);
        if (line_.state == State::plain) out.push_back(octet);
      } else if (octet == '>' && was_quoted) {
        out.push_back(octet);
      }
    }
    out.append(line);
    if (ends) line_.next_line();
  }
}

void MboxUnquoter::finish(std::string& out) {
  if (line_.state == detail::FromMatcher::State::undecided) decide(out);
  line_.next_line();
}

void MboxScanner::feed(std::string_view text) {
  while (!text.empty()) {
    const std::string_view line = take_line(text);
    for (const char octet : line) {
      if (line_.state != detail::FromMatcher::State::undecided) break;
      line_.take(octet);
    }
    const bool crlf = line.size() > 1 ? line[line.size() - 2] == '\r' : cr_;
    cr_ = line.back() == '\r';
    offset_ += line.size();
    if (line.back() == '\n') end_line(crlf);
  }
}

void MboxScanner::end_line(bool crlf) {
  const std::uint64_t length = offset_ - line_at_;
  const bool empty = length == (crlf ? 2U : 1U);
  const bool is_from = line_.state == detail::FromMatcher::State::from;
  if (is_from && !line_.quoted && (empty_held_ || line_at_ == 0)) {
    end_message(empty_at_);
    open_ = true;
    Message message;
    message.from = line_at_;
    message.start = message.end = offset_;
    messages_.push_back(message);
  } else {
    if (open_) {
      Message& message = messages_.back();
      if (empty_held_) message.crlf_size += 2;
      if (!empty) message.crlf_size += length + (crlf ? 0 : 1) - (is_from && line_.quoted ? 1 : 0);
    } else if (!empty) {
      garbage_ = true;
    }
    empty_held_ = empty;
    empty_at_ = line_at_;
  }
  line_at_ = offset_;
  line_.next_line();
}

void MboxScanner::end_message(std::uint64_t at) {
  if (open_) messages_.back().end = at;
  open_ = empty_held_ = false;
}

void MboxScanner::finish() {
  const std::uint64_t rest = offset_ - line_at_;  // of a line without its end
  if (open_ && rest > 0) {
    const bool is_quoted = line_.state == detail::FromMatcher::State::from && line_.quoted;
    messages_.back().crlf_size += rest - (is_quoted ? 1 : 0) + (empty_held_ ? 2 : 0);
    empty_held_ = false;
  }
  if (!open_ && rest > 0) garbage_ = true;
  end_message(empty_held_ ? empty_at_ : offset_);
}

}  // namespace posthorn::store
