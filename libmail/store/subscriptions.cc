#include "libmail/store/subscriptions.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

constexpr std::string_view version_2 = "V\t2\n\n";

// Dovecot's escapes for its separators: 001 before "1" (001), "t" (tab), "n" (LF), "r" (CR), "0" (NUL).
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\1' || i + 1 == text.size()) {
      out.push_back(text[i]);
      continue;
    }
    constexpr std::string_view letters = "1tnr0";
    constexpr std::string_view octets("\1\t\n\r\0", 5);
    const std::size_t at = letters.find(text[++i]);
    out.push_back(at == std::string_view::npos ? text[i] : octets[at]);
  }
  return out;
}

}  // namespace

std::set<std::string> parse_subscriptions(std::string_view text) {
  std::set<std::string> names;
  const bool second = text.starts_with(version_2);
  if (second) text.remove_prefix(version_2.size());
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty()) continue;
    std::string name(line);
    if (second) {
      name.clear();
      for (const std::string_view level : split(line, '\t')) {
        if (!name.empty()) name.push_back('.');
        name += unescaped(level);
      }
    }
    const bool control = std::any_of(name.begin(), name.end(),
                                     [](char c) { return static_cast<unsigned char>(c) < 32; });
    if (!control && !name.empty()) names.insert(std::move(name));
  }
  return names;
}

std::string format_subscriptions(const std::set<std::string>& names) {
  std::string out(version_2);
  for (std::string name : names) {
    std::replace(name.begin(), name.end(), '.', '\t');
    out.append(name).append("\n");
  }
  return out;
}

}  // namespace posthorn::store
