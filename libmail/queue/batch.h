// Batch SMTP (RFC 2442): the form of the files in queue/drop/ and of `posthorn queue export`. Sans I/O.
//
//   MAIL FROM:<ann@alpha.test> BODY=8BITMIME
//   RCPT TO:<bob@beta.test> NOTIFY=FAILURE
//   DATA
//   ...the message, its lines with a dot in front doubled the dot...
//   .
//
// Any number of transactions; HELO, EHLO, RSET, NOOP and QUIT between them mean what they mean in
// SMTP. Lines end in LF or CRLF; the message comes out with CRLF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libmail/base/result.h"
#include "libmail/smtp/dot.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::queue {

struct BatchLimits {
  std::size_t command_line = 4096;
  std::size_t recipients = 100'000;
  std::size_t text_line = 1 << 20;  // octets of one line of a message

  BatchLimits() = default;
};

struct BatchError {
  std::size_t line = 0;  // of the file, the first is 1
  std::string text;
};

class BatchReader {
 public:
  enum class Event {
    more,      // all of the input is consumed
    envelope,  // DATA was read: envelope() is complete
    text,      // text() holds a piece of the message
    message,   // the final dot was read
  };

  explicit BatchReader(BatchLimits limits = {}) : limits_(limits) {}

  // Consumes from the front of `input` up to the next event. After an error nothing more comes.
  [[nodiscard]] Result<Event, BatchError> next(std::string_view& input);
  // The file ends here. An error if that is in the middle of a transaction: a missing final dot.
  [[nodiscard]] Result<void, BatchError> finish();

  [[nodiscard]] const smtp::Envelope& envelope() const { return envelope_; }
  // Octets of the message with CRLF line ends, dots undone. May be taken by moving.
  [[nodiscard]] std::string& text() { return text_; }

 private:
  // Moves a whole line out of `input` into line_, without its end. False: it goes on behind.
  bool take_line(std::string_view& input);
  Result<Event, BatchError> on_command();
  [[nodiscard]] BatchError error(std::string text) const;

  BatchLimits limits_;
  bool in_message_ = false;
  bool message_ended_ = false;
  bool has_mail_ = false;
  std::size_t line_number_ = 0;
  std::string line_;
  bool line_done_ = false;
  smtp::Envelope envelope_;
  std::string text_;
};

// Writes the same form, one transaction, with CRLF. Pieces of the text may be cut anywhere.
class BatchWriter {
 public:
  // MAIL, RCPTs and DATA.
  void begin(std::string& out, const smtp::Envelope& envelope);
  void text(std::string& out, std::string_view piece);
  // Ends the last line if the message did not, and writes the final dot. Not to be used again.
  void end(std::string& out);

 private:
  smtp::DotEncoder dots_;
};
// One transaction in one piece.
[[nodiscard]] std::string format_batch(const smtp::Envelope& envelope, std::string_view message);

}  // namespace posthorn::queue
