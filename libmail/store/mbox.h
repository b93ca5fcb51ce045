// mbox files (RFC 4155), in the mboxrd variant: a line that begins with any number of ">" and then
// "From " gets one more ">", so that reading can take it away again. Content-Length is never
// trusted.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/store/content.h"
#include "libmail/store/files.h"
#include "libmail/store/location.h"

namespace posthorn::store {

// "From SENDER Sun Nov 22 20:24:20 2026\n", UTC; the null sender is MAILER-DAEMON, and octets that
// would end the field become "-".
std::string mbox_from_line(std::string_view sender, WallTime when);

// Quotes the lines of a message, cut anywhere; give_from() is what mbox_from_line made.
class MboxQuoter {
 public:
  // Appends the quoted form of `text` to `out`.
  void append(std::string_view text, std::string& out);
  // Whether the last octet was a line end.
  [[nodiscard]] bool at_line_start() const { return held_.empty() && at_start_; }
  // What ends the message: a missing line end, then the empty line before the next From.
  void finish(std::string& out);

 private:
  std::string held_;  // the start of a line that may still become "From "
  bool at_start_ = true;
};

// Where the messages of an mbox lie. Fed with the file cut anywhere.
class MboxScanner {
 public:
  struct Message {
    std::uint64_t from = 0;   // of the From line
    std::uint64_t start = 0;  // of the first header
    std::uint64_t end =
        0;  // behind the last line, the empty one before the next From line left out
    std::uint64_t lines = 0;
    std::uint64_t size = 0;  // unquoted, LF line ends
    std::uint64_t crlf_size = 0;
  };
  void feed(std::string_view text);
  // The last message ends here.
  void finish();
  [[nodiscard]] const std::vector<Message>& messages() const { return messages_; }
  // Octets before the first From line: this is no mbox.
  [[nodiscard]] bool is_mbox() const { return !garbage_; }

 private:
  void end_line(std::string_view line);
  std::string line_;          // the start of the line, as much as decides what it is
  std::uint64_t offset_ = 0;  // of the next octet
  std::uint64_t line_at_ = 0;
  bool after_empty_ = true;  // the line before was empty, or there was none
  bool after_cr_ = false;
  bool garbage_ = false;
  std::vector<Message> messages_;
};

// Takes the ">" away again; fed with a message cut anywhere.
class MboxUnquoter {
 public:
  void append(std::string_view text, std::string& out);
  void finish(std::string& out);

 private:
  std::string held_;
  bool at_start_ = true;
};

// Appends one message to the mbox at `location`, locked by fcntl(2) and then FILE.lock, and syncs
// it. After an error the file has its old length. `locked`: come again. Blocking.
StoreResult<std::uint64_t> append_to_mbox(Files& files, const MailLocation& location,
                                          std::string_view sender, std::string_view head,
                                          const Content& body);

}  // namespace posthorn::store
