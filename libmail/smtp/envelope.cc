#include "libmail/smtp/envelope.h"

#include "libmail/base/text.h"
#include "libmail/smtp/xtext.h"

namespace posthorn::smtp {

namespace {

constexpr std::string_view rfc822_type = "rfc822";
constexpr std::string_view utf8_type = "utf-8";
constexpr std::size_t max_orcpt = 500;  // RFC 3461 4.2

struct NotifyWord {
  std::string_view word;
  std::uint8_t flag;
};
constexpr NotifyWord notify_words[] = {
    {"SUCCESS", Notify::success}, {"FAILURE", Notify::failure}, {"DELAY", Notify::delay}};

bool is_address_type(std::string_view text) {
  if (text.empty()) return false;
  for (const char c : text) {
    if (!is_alnum(c) && c != '-') return false;
  }
  return true;
}

}  // namespace

std::string format_notify(Notify notify) {
  if ((notify.bits & Notify::never) != 0) return "NEVER";
  std::string text;
  for (const auto& [word, flag] : notify_words) {
    if ((notify.bits & flag) == 0) continue;
    if (!text.empty()) text.push_back(',');
    text.append(word);
  }
  return text;
}

std::optional<Notify> parse_notify(std::string_view text) {
  if (iequals(text, "NEVER")) return Notify(Notify::never);
  Notify notify;
  for (const std::string_view part : split(text, ',')) {
    std::uint8_t flag = 0;
    for (const auto& [word, bit] : notify_words) {
      if (iequals(part, word)) flag = bit;
    }
    if (flag == 0) return std::nullopt;
    notify.bits = static_cast<std::uint8_t>(notify.bits | flag);
  }
  return notify;
}

std::string format_orcpt(const OriginalRecipient& orcpt, Utf8 utf8) {
  std::string text = orcpt.type + ";";
  if (iequals(orcpt.type, utf8_type) && is_utf8(orcpt.address)) {
    return text + encode_utf8_addr(orcpt.address, utf8 == Utf8::refused);
  }
  return text + encode_xtext(orcpt.address);
}

std::optional<OriginalRecipient> parse_orcpt(std::string_view text) {
  const std::size_t semicolon = text.find(';');
  if (semicolon == std::string_view::npos || text.size() > max_orcpt) return std::nullopt;
  const std::string_view type = text.substr(0, semicolon);
  const std::string_view value = text.substr(semicolon + 1);
  if (!is_address_type(type) || value.empty()) return std::nullopt;
  auto address = iequals(type, utf8_type) ? decode_utf8_addr(value) : decode_xtext_text(value);
  if (!address) return std::nullopt;
  // What comes out of xtext with 8-bit octets in it is text only if it is UTF-8.
  if (iequals(type, rfc822_type) && !is_utf8(*address)) return std::nullopt;
  return OriginalRecipient(std::string(type), std::move(*address));
}

}  // namespace posthorn::smtp
