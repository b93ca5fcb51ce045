// Event lines, the operators' contract. One event a line:
//
//   2026-11-22T20:24:20.123Z smtpd[123]: 4XQ7k2 rcpt-refused rcpt=x@example.org code=550 why="no
//   such user"
//
// The trace id is "-" where there is none. Strangers' octets are quoted and escaped here; no
// bodies, no secrets. Lines gather in memory and are written to standard error once per loop turn
// and at exit.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "libmail/base/clock.h"

namespace posthorn::service {

// key=value. Holds views: use it inside one statement.
struct Field {
  enum class Kind { text, number, unsigned_number, duration, boolean };
  std::string_view key;
  Kind kind = Kind::text;
  std::string_view text;
  std::int64_t number = 0;

  Field(std::string_view k, std::string_view value) : key(k), text(value) {}
  Field(std::string_view k, const char* value) : key(k), text(value) {}
  Field(std::string_view k, const std::string& value) : key(k), text(value) {}
  Field(std::string_view k, bool value) : key(k), kind(Kind::boolean), number(value) {}
  // Printed in seconds with milliseconds: delay=1.234
  Field(std::string_view k, Duration value) : key(k), kind(Kind::duration), number(value.count()) {}
  template <std::signed_integral T>
  Field(std::string_view k, T value) : key(k), kind(Kind::number), number(value) {}
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Field(std::string_view k, T value)
      : key(k), kind(Kind::unsigned_number), number(static_cast<std::int64_t>(value)) {}
};

enum class Level { error, warning, info, debug };

class Log {
 public:
  enum class Format { kv, json };

  // Lines go to descriptor `fd`, at the latest when 64 KiB have gathered.
  Log(std::string agent, Format format, Level level, int fd = 2);
  ~Log();  // flushes
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Have flush() called at the end of each turn of this thread's loop, as long as the process
  // lives.
  void flush_each_turn();
  // In a forked child: its lines carry its own pid, and `suffix` behind the name.
  void go_on_as_child(std::string_view suffix);
  void set(Format format, Level level) { format_ = format, level_ = level; }
  [[nodiscard]] bool is_on(Level level) const { return level <= level_; }

  // `event` is a fixed lower-case word with '-' ("queued", "rcpt-refused"), listed in the man
  // page's DIAGNOSTICS.
  void write(Level level, std::string_view trace_id, std::string_view event,
             std::initializer_list<Field> fields = {}) {
    if (is_on(level)) append(level, trace_id, event, fields.begin(), fields.size());
  }
  void error(std::string_view trace_id, std::string_view event,
             std::initializer_list<Field> fields = {}) {
    write(Level::error, trace_id, event, fields);
  }
  void warning(std::string_view trace_id, std::string_view event,
               std::initializer_list<Field> fields = {}) {
    write(Level::warning, trace_id, event, fields);
  }
  void info(std::string_view trace_id, std::string_view event,
            std::initializer_list<Field> fields = {}) {
    write(Level::info, trace_id, event, fields);
  }
  void debug(std::string_view trace_id, std::string_view event,
             std::initializer_list<Field> fields = {}) {
    write(Level::debug, trace_id, event, fields);
  }
  // Writes what has gathered. A full pipe is waited for, so no line is lost; a closed one loses
  // them.
  void flush();

 private:
  void append(Level level, std::string_view trace_id, std::string_view event, const Field* fields,
              std::size_t count);
  void append_kv(Level level, std::string_view trace_id, std::string_view event,
                 const Field* fields, std::size_t count);
  void append_json(Level level, std::string_view trace_id, std::string_view event,
                   const Field* fields, std::size_t count);
  void append_time();

  std::string agent_;
  std::string tag_;  // " smtpd[123]: "
  int pid_;
  Format format_;
  Level level_;
  int fd_;
  std::string lines_;
  std::int64_t second_ = -1;      // the second that second_text_ shows
  std::string second_text_;       // "2026-11-22T20:24:20."
  std::shared_ptr<Log*> myself_;  // for the loop's handler, which outlives us
};

// "kv", "json"; "error", "warning", "info", "debug".
[[nodiscard]] bool parse_log_format(std::string_view text, Log::Format& into);
[[nodiscard]] bool parse_log_level(std::string_view text, Level& into);

}  // namespace posthorn::service
