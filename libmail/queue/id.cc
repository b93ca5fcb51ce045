#include "libmail/queue/id.h"

#include "libmail/base/random.h"

namespace posthorn::queue {
namespace {

constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUV";
constexpr std::size_t time_digits = 9;
constexpr std::size_t intake_digits = 4;
constexpr std::size_t counter_digits = 3;
static_assert(time_digits + intake_digits + counter_digits == MessageId::length);

void put(char* at, std::size_t count, std::uint64_t value) {
  for (std::size_t i = count; i-- > 0; value >>= 5) at[i] = digits[value & 31];
}

int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'V') return c - 'A' + 10;
  return -1;
}

}  // namespace

MessageId MessageId::make(WallTime time, std::uint32_t intake, std::uint32_t counter) {
  const auto since_epoch =
      std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch());
  MessageId id;
  put(id.text_.data(), time_digits, static_cast<std::uint64_t>(since_epoch.count()));
  put(id.text_.data() + time_digits, intake_digits, intake);
  put(id.text_.data() + time_digits + intake_digits, counter_digits, counter);
  return id;
}

std::optional<MessageId> MessageId::parse(std::string_view text) {
  if (text.size() != length) return std::nullopt;
  MessageId id;
  for (std::size_t i = 0; i < length; ++i) {
    if (digit_value(text[i]) < 0) return std::nullopt;
    id.text_[i] = text[i];
  }
  return id;
}

WallTime MessageId::time() const {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < time_digits; ++i) {
    value = value << 5 | static_cast<std::uint64_t>(digit_value(text_[i]));
  }
  return WallTime(std::chrono::milliseconds(value));
}

IdSource::IdSource() : intake_(static_cast<std::uint32_t>(random_u64())) {}

MessageId IdSource::next(WallTime now) {
  // The counter runs on across milliseconds; when it comes round within one, the time moves
  // instead.
  if (now < last_) now = last_;
  counter_ = (counter_ + 1) & 0x7fff;
  if (counter_ == 0) now += std::chrono::milliseconds(1);
  last_ = now;
  return MessageId::make(now, intake_, counter_);
}

}  // namespace posthorn::queue
