// Reads replies from a server that may be hostile: the client's side of the wire. Bytes come in any
// cut.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libmail/smtp/reply.h"

namespace posthorn::smtp {

struct ReplyLimits {
  std::size_t line =
      4096;  // octets of one line, CRLF included (RFC 5321 says 512; servers have long words)
  std::size_t total = 65536;  // octets of one reply: "250-" forever ends here
};

enum class ReplyError {
  line_too_long,
  too_long,     // the whole reply
  no_code,      // a line that doesn't begin with 200..599 and then ' ', '-' or its end
  mixed_codes,  // "250-a", "550 b"
};
[[nodiscard]] std::string_view describe(ReplyError error);

// After an error the connection cannot be used: where the next reply begins is unknown.
class ReplyParser {
 public:
  explicit ReplyParser(ReplyLimits limits = {}) : limits_(limits) {}

  // Takes octets from the front of `input` up to the end of one reply (or all of them). True:
  // reply() holds one. A line ends with CRLF or, leniently, LF. NUL, bare CR and other controls in
  // the text become '?': reply().text is safe in a log, a queue record and a report.
  [[nodiscard]] Result<bool, ReplyError> feed(std::string_view& input);
  // The last whole reply; its lines joined by '\n', the enhanced code taken off each of them.
  [[nodiscard]] Reply& reply() { return reply_; }
  // True if nothing of a further reply has been seen.
  [[nodiscard]] bool idle() const { return line_.empty() && !in_reply_; }

 private:
  // Ends a line: true if it was the last one of its reply.
  Result<bool, ReplyError> take_line(std::string_view line);

  ReplyLimits limits_;
  std::string line_;  // of a line whose end has not come yet
  Reply reply_;
  std::size_t total_ = 0;
  bool in_reply_ = false;  // at least one line was a "250-"
};

}  // namespace posthorn::smtp
