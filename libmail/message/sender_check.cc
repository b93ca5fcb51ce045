#include "libmail/message/sender_check.h"

#include <algorithm>
#include <array>
#include <string>

#include "libmail/base/text.h"
#include "libmail/message/address_reader.h"
#include "libmail/message/characters.h"
#include "libmail/message/utf8.h"

namespace posthorn::message {

namespace {

// What a reader takes for an '@' or a dot.
char32_t as_seen(char32_t c) {
  switch (c) {
    case 0xff20:
    case 0xfe6b:
      return '@';
    case 0x2024:
    case 0x3002:
    case 0xfe52:
    case 0xff0e:
    case 0xff61:
      return '.';
    default:
      return is_odd_space(c) ? U' ' : c;
  }
}

std::string seen(std::string_view name) {
  std::string out;
  while (!name.empty()) {
    const char32_t c = take_code_point(name);
    if (!is_invisible(c)) append_utf8(out, as_seen(c));
  }
  return out;
}

bool in_address(char c) {
  constexpr std::string_view ends = " \t<>()[]\"',;:";
  return ends.find(c) == std::string_view::npos;
}

// The scripts that have letters looking like those of another.
constexpr std::array<Script, 6> lookalikes = {Script::latin,    Script::greek,    Script::cyrillic,
                                              Script::armenian, Script::georgian, Script::cherokee};

class Scripts {
 public:
  void add(Script script) { seen_[static_cast<std::size_t>(script)] = true; }
  [[nodiscard]] bool mixed() const {
    if (std::ranges::count_if(lookalikes, [this](Script s) { return has(s); }) > 1) return true;
    // Chinese and Japanese, Chinese and Korean stand side by side, with Latin as well.
    if (has(Script::kana) && has(Script::hangul)) return true;
    std::size_t others = 0;
    for (std::size_t i = 0; i < seen_.size(); ++i) {
      const auto script = static_cast<Script>(i);
      const bool free = script == Script::common || script == Script::latin ||
                        script == Script::han || script == Script::kana || script == Script::hangul;
      others += seen_[i] && !free ? 1 : 0;
    }
    const bool cjk = has(Script::han) || has(Script::kana) || has(Script::hangul);
    return others > 1 || (others == 1 && cjk);
  }
  void clear() { seen_.fill(false); }

 private:
  [[nodiscard]] bool has(Script script) const { return seen_[static_cast<std::size_t>(script)]; }
  std::array<bool, static_cast<std::size_t>(Script::other) + 1> seen_{};
};

}  // namespace

bool name_claims_other_address(const Address& address) {
  const std::string name = seen(shown_name(address));
  const std::string own = address.addr_spec();
  for (std::size_t at = name.find('@'); at != std::string::npos; at = name.find('@', at + 1)) {
    std::size_t begin = at;
    while (begin > 0 && in_address(name[begin - 1]) && name[begin - 1] != '@') --begin;
    std::size_t end = at + 1;
    while (end < name.size() && in_address(name[end]) && name[end] != '@') ++end;
    while (end > at + 1 && name[end - 1] == '.') --end;
    const std::string_view claimed = std::string_view(name).substr(begin, end - begin);
    const bool domain = claimed.find('.', at - begin) != std::string_view::npos;
    if (begin < at && domain && !iequals(claimed, own)) return true;
  }
  return false;
}

bool mixes_scripts(std::string_view text) {
  Scripts scripts;
  while (!text.empty()) {
    const char32_t c = take_code_point(text);
    const bool between = (c < 0x80 && !is_alnum(static_cast<char>(c))) || is_odd_space(c);
    if (between) {
      if (scripts.mixed()) return true;
      scripts.clear();
    } else {
      scripts.add(script_of(c));
    }
  }
  return scripts.mixed();
}

SenderCheck check_sender(const Address& address) {
  SenderCheck check;
  check.other_address = name_claims_other_address(address);
  check.mixed_scripts = mixes_scripts(shown_name(address)) ||
                        mixes_scripts(repair_utf8(address.local_part)) ||
                        mixes_scripts(repair_utf8(address.domain));
  return check;
}

}  // namespace posthorn::message
