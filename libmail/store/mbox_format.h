// The mbox format (RFC 4155), in the mboxrd variant: a line that begins with any number of ">" and
// then "From " gets one more ">" when it is written and loses it when it is read. Content-Length is
// never trusted. Sans I/O; everything takes text cut anywhere.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/clock.h"

namespace posthorn::store {

// "From SENDER Sun Nov 22 20:24:20 2026\n" in UTC. The null sender is MAILER-DAEMON; octets that
// would end the field or the line become "-".
std::string mbox_from_line(std::string_view sender, WallTime when);

namespace detail {
// Watches a line's first octets for >*From.
struct FromMatcher {
  enum class State { undecided, plain, from };
  State state = State::undecided;
  bool quoted = false;      // there was a ">"
  std::size_t matched = 0;  // octets of "From "
  // Takes the next octet of the line.
  void take(char octet);
  void next_line() { *this = FromMatcher(); }
};
}  // namespace detail

// Writes the lines of messages quoted.
class MboxQuoter {
 public:
  // Appends the quoted form of `text` to `out`.
  void append(std::string_view text, std::string& out);
  // Ends the message: a missing line end, and the empty line that stands before the next From line.
  void finish(std::string& out);

 private:
  detail::FromMatcher line_;
  bool at_start_ = true;
};

// Takes the quoting away again.
class MboxUnquoter {
 public:
  void append(std::string_view text, std::string& out);
  void finish(std::string& out);

 private:
  void decide(std::string& out);
  detail::FromMatcher line_;
};

// Finds the messages of a file.
class MboxScanner {
 public:
  struct Message {
    std::uint64_t from = 0;   // offset of the From line
    std::uint64_t start = 0;  // of the first header field
    std::uint64_t end =
        0;  // behind the message; the empty line before the next From line is left out
    std::uint64_t crlf_size = 0;  // unquoted and with CRLF line ends
  };
  void feed(std::string_view text);
  // The file ends here.
  void finish();
  [[nodiscard]] const std::vector<Message>& messages() const { return messages_; }
  // False if there was something before the first From line.
  [[nodiscard]] bool is_mbox() const { return !garbage_; }

 private:
  void end_line(bool crlf);
  void end_message(std::uint64_t at);

  std::vector<Message> messages_;
  detail::FromMatcher line_;
  std::uint64_t offset_ = 0;   // of the next octet
  std::uint64_t line_at_ = 0;  // of the line that is being read
  bool cr_ = false;            // the octet before was a CR
  bool open_ = false;          // a message is being read
  // An empty line was read: the message's, unless a From line or the end of the file follows.
  bool empty_held_ = false;
  std::uint64_t empty_at_ = 0;
  bool garbage_ = false;
};

}  // namespace posthorn::store
