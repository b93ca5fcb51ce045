// Replies of SMTP and LMTP (RFC 5321 4.2) with the enhanced status codes of RFC 2034 and RFC 3463.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"

namespace posthorn::smtp {

// "5.1.1". All zero: there is none (a reply to HELO or EHLO, a 354, a server without RFC 2034).
struct EnhancedStatus {
  std::uint8_t status_class = 0;  // 2, 4, 5
  std::uint16_t subject = 0;      // 0..999
  std::uint16_t detail = 0;       // 0..999

  constexpr EnhancedStatus() = default;
  constexpr EnhancedStatus(std::uint8_t c, std::uint16_t s, std::uint16_t d)
      : status_class(c), subject(s), detail(d) {}
  [[nodiscard]] constexpr bool none() const { return status_class == 0; }
  [[nodiscard]] std::string text() const;  // "5.1.1"
  bool operator==(const EnhancedStatus&) const = default;
};
// "5.1.1" at the beginning of `text`, followed by a space or the end; `text` is moved behind both.
[[nodiscard]] std::optional<EnhancedStatus> take_enhanced_status(std::string_view& text);

struct Reply {
  int code = 0;  // 200..599
  EnhancedStatus status;
  std::string text;  // lines separated by '\n', none at the end; no other control characters

  Reply() = default;
  Reply(int number, EnhancedStatus enhanced, std::string words)
      : code(number), status(enhanced), text(std::move(words)) {}
  // Without an enhanced code: greeting, HELO, EHLO, 354, 334.
  Reply(int number, std::string words) : code(number), text(std::move(words)) {}

  [[nodiscard]] bool positive() const { return code >= 200 && code < 300; }
  [[nodiscard]] bool intermediate() const { return code >= 300 && code < 400; }
  [[nodiscard]] bool transient() const { return code >= 400 && code < 500; }
  [[nodiscard]] bool permanent() const { return code >= 500 && code < 600; }
  [[nodiscard]] bool negative() const { return code >= 400; }
  bool operator==(const Reply&) const = default;
};

// "250-2.1.0 a\r\n250 2.1.0 b\r\n" behind `into`. Controls in the text become '?', lines are cut so
// that none is longer than RFC 5321's 512 octets: whatever the text was made from, it stays one
// reply.
void append_reply(std::string& into, const Reply& reply);
[[nodiscard]] std::string format_reply(const Reply& reply);

// A copy of `reply` with other words.
[[nodiscard]] Reply with_text(const Reply& reply, std::string words);

}  // namespace posthorn::smtp
