#include "libmail/store/subscriptions.h"

#include <algorithm>

#include "libmail/base/tab_escape.h"
#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

constexpr std::string_view version_2 = "V\t2\n\n";

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
        name += tab_unescape(level).value_or(std::string(level));
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
