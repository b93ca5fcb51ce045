// The message on standard input, as SMTP wants it.
#pragma once

#include <string>
#include <string_view>

namespace posthorn::sendmail {

// Line ends become CRLF (LF, CRLF, and a bare CR too: what a progress bar of a cron job draws over itself would be
// refused otherwise), NUL octets are dropped, a last line without an end gets one, and a line that consists of a dot
// is the end unless `dot_is_text`. Octets come in any cut.
class InputReader {
 public:
  explicit InputReader(bool dot_is_text) : dot_is_text_(dot_is_text) {}
  void feed(std::string_view octets);
  void finish();
  // The dot has come: nothing more is wanted.
  [[nodiscard]] bool ended() const { return ended_; }
  [[nodiscard]] const std::string& message() const { return message_; }
  [[nodiscard]] std::string take() { return std::move(message_); }

 private:
  void end_line();

  bool dot_is_text_;
  bool ended_ = false;
  bool after_cr_ = false;
  std::size_t line_begin_ = 0;
  std::string message_;
};

}  // namespace posthorn::sendmail
