// APPEND (RFC 9051 6.3.12, RFC 3502 MULTIAPPEND, RFC 4469 CATENATE, RFC 6855 UTF8) and REPLACE (RFC 8508), whose messages pass by
// without being held. Used with LineReader:
//
//   event literal    parser.announced(reader.line())   at every literal of the command
//                      keep: reader.keep();  message: look at take_parts(), then reader.stream()
//   event line       parser.finish(reader.line()): it is whole; take_parts() has the URLs behind the last literal
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libmail/imap/command.h"

namespace posthorn::imap {

struct AppendHead {
  std::string tag;
  bool replace = false;        // REPLACE
  bool uid = false;            // UID REPLACE
  std::uint32_t replaced = 0;  // message number or UID; 0 with `star`
  bool star = false;           // REPLACE *
  MailboxName mailbox;
};

// One message of an APPEND, without its octets.
struct AppendMessage {
  Flags flags;
  std::optional<DateTime> internal_date;
  bool catenate = false;
  bool utf8 = false;  // UTF8 (~{n}: header octets in UTF-8
};

// What comes next in the message's place in the line.
struct AppendPart {
  enum class Kind : std::uint8_t {
    octets,  // a whole message or a TEXT part: streamed; `size`
    url,     // CATENATE's URL part
  };
  Kind kind = Kind::octets;
  bool begins_message = false;  // the first part of a message: message() is new
  std::uint64_t size = 0;
  bool binary = false;
  std::string url;
};

class AppendParser {
 public:
  explicit AppendParser(const CommandDialect& dialect) : dialect_(dialect) {}

  enum class Announced : std::uint8_t {
    keep,     // a literal that belongs to the arguments: the mailbox name, a URL
    message,  // the message's octets, or a part of them: parts() ends with it
    wrong,    // error()
  };
  // `text` is the line up to and with "{n}". Reads on from where it was.
  [[nodiscard]] Announced announced(const Line& line);
  // The line is whole. False: error(). What had come is to be forgotten.
  [[nodiscard]] bool finish(const Line& line);

  [[nodiscard]] const AppendHead& head() const { return head_; }
  // Known as soon as the first message is announced.
  [[nodiscard]] bool has_head() const { return has_head_; }
  [[nodiscard]] const AppendMessage& message() const { return message_; }
  // Parts since the last call, in order; the one that was announced is the last.
  [[nodiscard]] std::vector<AppendPart> take_parts() { return std::exchange(parts_, {}); }
  [[nodiscard]] const CommandError& error() const { return error_; }

 private:
  enum class State : std::uint8_t { head, message, parts, between, ended };
  bool advance(Scanner& in, bool whole);
  void scan_head(Scanner& in);
  void scan_message(Scanner& in);
  bool announce(Scanner& in);
  bool scan_part_of_message(Scanner& in, bool whole);
  void fail(Scanner& in);

  CommandDialect dialect_;
  State state_ = State::head;
  std::size_t at_ = 0;
  bool has_head_ = false;
  bool begins_ = false;
  AppendHead head_;
  AppendMessage message_;
  std::vector<AppendPart> parts_;
  CommandError error_;
};

}  // namespace posthorn::imap
