#include "libmail/service/log.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::service {

namespace {

constexpr std::size_t flush_at = 64 * 1024;
constexpr std::size_t longest_value = 512;  // a stranger's octets, before escaping

template <class T>
void append_number(std::string& out, T number) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

// Seconds with three decimals.
void append_seconds(std::string& out, std::int64_t nanoseconds) {
  const bool negative = nanoseconds < 0;
  const std::uint64_t millis = (negative ? 0 - static_cast<std::uint64_t>(nanoseconds)
                                         : static_cast<std::uint64_t>(nanoseconds)) /
                               1000000;
  if (negative) out.push_back('-');
  append_number(out, millis / 1000);
  out.push_back('.');
  const auto rest = static_cast<unsigned>(millis % 1000);
  for (const unsigned digit : {rest / 100, rest / 10 % 10, rest % 10})
    out.push_back(static_cast<char>('0' + digit));
}

bool is_bare(char c) {
  return is_graph(c) && c != '"' && c != '\\' && c != '=';
}

// As it is if every octet is plain, else in quotes. A backslash and a quote of the text itself are
// escaped, so that a reader can tell them from our \xHH.
void append_value(std::string& out, std::string_view text) {
  if (!text.empty() && text.size() <= longest_value && std::ranges::all_of(text, is_bare)) {
    out.append(text);
    return;
  }
  const bool cut = text.size() > longest_value;
  text = text.substr(0, longest_value);
  out.push_back('"');
  while (!text.empty()) {
    const std::size_t stop = std::min(text.find_first_of("\"\\"), text.size());
    if (stop > 0) out.append(printable(text.substr(0, stop), stop));
    if (stop < text.size()) {
      out.push_back('\\');
      out.push_back(text[stop]);
    }
    text.remove_prefix(std::min(stop + 1, text.size()));
  }
  if (cut) out.append("...");
  out.push_back('"');
}

// A JSON string. What is no UTF-8 shows as \xHH, escaped once more.
void append_json_string(std::string& out, std::string_view text) {
  const auto is_plain = [](char c) { return c >= ' ' && c < 127 && c != '"' && c != '\\'; };
  if (text.size() <= longest_value && std::ranges::all_of(text, is_plain)) {
    out.push_back('"');
    out.append(text);
    out.push_back('"');
    return;
  }
  constexpr std::string_view digits = "0123456789abcdef";
  const std::string clean = is_utf8(text) ? std::string(text.substr(0, longest_value * 8))
                                          : printable(text, longest_value);
  out.push_back('"');
  for (const char c : clean) {
    if (c == '"' || c == '\\') {
      out.push_back('\\');
      out.push_back(c);
    } else if (static_cast<unsigned char>(c) < 32 || c == 127) {
      out.append("\\u00");
      out.push_back(digits[static_cast<unsigned char>(c) >> 4]);
      out.push_back(digits[c & 15]);
    } else {
      out.push_back(c);
    }
  }
  out.push_back('"');
}

std::string_view name_of(Level level) {
  switch (level) {
    case Level::error:
      return "error";
    case Level::warning:
      return "warning";
    case Level::info:
      return "info";
    case Level::debug:
      return "debug";
  }
  return "";
}

template <class AppendText>
void append_field(std::string& out, const Field& field, AppendText append_text) {
  switch (field.kind) {
    case Field::Kind::text:
      append_text(out, field.text);
      break;
    case Field::Kind::number:
      append_number(out, field.number);
      break;
    case Field::Kind::unsigned_number:
      append_number(out, static_cast<std::uint64_t>(field.number));
      break;
    case Field::Kind::duration:
      append_seconds(out, field.number);
      break;
    case Field::Kind::boolean:
      out.append(field.number != 0 ? "true" : "false");
      break;
  }
}

}  // namespace

Log::Log(std::string agent, Format format, Level level, int fd)
    : agent_(std::move(agent)), pid_(::getpid()), format_(format), level_(level), fd_(fd) {
  tag_ = " " + agent_ + "[" + std::to_string(pid_) + "]: ";
}

Log::~Log() {
  flush();
}

void Log::go_on_as_child(std::string_view suffix) {
  lines_.clear();  // what gathered before the fork is the parent's
  agent_ += suffix;
  pid_ = ::getpid();
  tag_ = " " + agent_ + "[" + std::to_string(pid_) + "]: ";
}

void Log::flush_each_turn() {
  if (myself_) return;
  myself_ = std::make_shared<Log*>(this);
  const std::weak_ptr<Log*> log = myself_;
  async::Loop::current().at_turn_end([log] {
    if (const auto alive = log.lock()) (*alive)->flush();
  });
}

void Log::append(Level level, std::string_view trace_id, std::string_view event,
                 const Field* fields, std::size_t count) {
  if (format_ == Format::kv) {
    append_kv(level, trace_id, event, fields, count);
  } else {
    append_json(level, trace_id, event, fields, count);
  }
  lines_.push_back('\n');
  if (lines_.size() >= flush_at) flush();
}

void Log::append_kv(Level level, std::string_view trace_id, std::string_view event,
                    const Field* fields, std::size_t count) {
  append_time();
  lines_.append(tag_);
  lines_.append(trace_id.empty() ? "-" : trace_id);
  lines_.push_back(' ');
  lines_.append(event);
  if (level != Level::info) {
    lines_.append(" level=");
    lines_.append(name_of(level));
  }
  for (std::size_t i = 0; i < count; ++i) {
    lines_.push_back(' ');
    lines_.append(fields[i].key);
    lines_.push_back('=');
    append_field(lines_, fields[i], append_value);
  }
}

void Log::append_json(Level level, std::string_view trace_id, std::string_view event,
                      const Field* fields, std::size_t count) {
  lines_.append("{\"time\":\"");
  append_time();
  lines_.append("\",\"agent\":");
  append_json_string(lines_, agent_);
  lines_.append(",\"pid\":");
  append_number(lines_, pid_);
  lines_.append(",\"level\":\"");
  lines_.append(name_of(level));
  lines_.append("\",\"id\":");
  append_json_string(lines_, trace_id);
  lines_.append(",\"event\":");
  append_json_string(lines_, event);
  for (std::size_t i = 0; i < count; ++i) {
    lines_.push_back(',');
    append_json_string(lines_, fields[i].key);
    lines_.push_back(':');
    append_field(lines_, fields[i], append_json_string);
  }
  lines_.push_back('}');
}

// Formatting a date costs more than the rest of the line, so the text of the second is kept.
void Log::append_time() {
  const WallTime now = wall_now();
  const std::int64_t micros = now.time_since_epoch().count();
  const std::int64_t second = micros / 1000000;
  if (second != second_) {
    second_ = second;
    second_text_ = format_rfc3339(now);
    second_text_.resize(second_text_.size() - 4);  // "123Z"
  }
  lines_.append(second_text_);
  const auto millis = static_cast<unsigned>(micros % 1000000 / 1000);
  for (const unsigned digit : {millis / 100, millis / 10 % 10, millis % 10}) {
    lines_.push_back(static_cast<char>('0' + digit));
  }
  lines_.push_back('Z');
}

void Log::flush() {
  std::string_view left = lines_;
  while (!left.empty()) {
    const ssize_t count = ::write(fd_, left.data(), left.size());
    if (count > 0) {
      left.remove_prefix(static_cast<std::size_t>(count));
    } else if (errno == EAGAIN) {
      pollfd wait{fd_, POLLOUT, 0};
      ::poll(&wait, 1, 1000);
    } else if (errno != EINTR) {
      break;  // nobody reads any more: there is nowhere to say so
    }
  }
  lines_.clear();
}

bool parse_log_format(std::string_view text, Log::Format& into) {
  if (text != "kv" && text != "json") return false;
  into = text == "kv" ? Log::Format::kv : Log::Format::json;
  return true;
}

bool parse_log_level(std::string_view text, Level& into) {
  for (const Level level : {Level::error, Level::warning, Level::info, Level::debug}) {
    if (text != name_of(level)) continue;
    into = level;
    return true;
  }
  return false;
}

}  // namespace posthorn::service
