// The name of a message in the queue, in every log line and in the 250 that took it: 16 letters and
// digits that never depend on where the octets lie, and that sort by the time of arrival.
//
//   9 digits   milliseconds since 1970
//   4 digits   the intake: drawn at its start
//   3 digits   counter of that intake
//
// Digits are 0-9 and A-V (base32hex, RFC 4648 section 7).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/clock.h"

namespace posthorn::queue {

class MessageId {
 public:
  static constexpr std::size_t length = 16;

  MessageId() { text_.fill('0'); }
  // The low 20 bits of `intake` and the low 15 of `counter` count.
  static MessageId make(WallTime time, std::uint32_t intake, std::uint32_t counter);
  // Nothing unless `text` is 16 digits of the alphabet, in upper case.
  [[nodiscard]] static std::optional<MessageId> parse(std::string_view text);

  [[nodiscard]] std::string_view text() const { return {text_.data(), text_.size()}; }
  [[nodiscard]] std::string str() const { return std::string(text()); }
  [[nodiscard]] WallTime time() const;  // of arrival, to the millisecond
  auto operator<=>(const MessageId&) const = default;

 private:
  std::array<char, length> text_;
};

struct MessageIdHash {
  std::size_t operator()(const MessageId& id) const {
    return std::hash<std::string_view>{}(id.text());
  }
};

// Makes ids for one intake process. Its time never runs backwards, so ids stay unique when the
// clock is set.
class IdSource {
 public:
  IdSource();  // draws the intake number
  explicit IdSource(std::uint32_t intake) : intake_(intake) {}
  [[nodiscard]] MessageId next(WallTime now);

 private:
  std::uint32_t intake_;
  std::uint32_t counter_ = 0;
  WallTime last_{};
};

}  // namespace posthorn::queue
