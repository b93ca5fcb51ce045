// What becomes of a message for one recipient. One value from end to end: it is parsed from a
// reply, written in the log and in the queue's outcome file, and printed in a report (RFC 3463, RFC
// 3464).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/smtp/reply.h"

namespace posthorn::smtp {

enum class StatusClass : std::uint8_t { success = 2, transient = 4, permanent = 5 };

struct Status {
  StatusClass status_class = StatusClass::transient;
  EnhancedStatus enhanced;  // its class equals status_class
  std::string text;         // one line, printable; may be a remote host's words
  std::string remote_mta;   // "mx.example.org [192.0.2.1]"; empty if no other host took part

  Status() = default;
  Status(EnhancedStatus code, std::string words, std::string host = {});

  [[nodiscard]] bool succeeded() const { return status_class == StatusClass::success; }
  [[nodiscard]] bool is_transient() const { return status_class == StatusClass::transient; }
  [[nodiscard]] bool is_permanent() const { return status_class == StatusClass::permanent; }
  bool operator==(const Status&) const = default;
};

// A reply (to RCPT, to the end of data, ...) as a status. A reply without an enhanced code gets
// x.0.0 of its class; one of class 1, 3 or none at all is a protocol error of the peer: 4.5.0.
// Several lines become one.
[[nodiscard]] Status to_status(const Reply& reply, std::string remote_mta = {});
// The way back: 250, 451 or 550 unless `code` (same class) is given.
[[nodiscard]] Reply to_reply(const Status& status, int code = 0);

}  // namespace posthorn::smtp
