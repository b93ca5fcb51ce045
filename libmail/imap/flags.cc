#include "libmail/imap/flags.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {

struct Named {
  SystemFlag flag;
  std::string_view name;
};
constexpr std::array<Named, 6> system_flags = {{
    {SystemFlag::answered, "\\Answered"},
    {SystemFlag::flagged, "\\Flagged"},
    {SystemFlag::deleted, "\\Deleted"},
    {SystemFlag::seen, "\\Seen"},
    {SystemFlag::draft, "\\Draft"},
    {SystemFlag::recent, "\\Recent"},
}};

void scan_flag(Scanner& in, FlagUse use, Flags& into) {
  const std::size_t begin = in.position();
  const std::string_view word = in.flag_word();
  if (!in.ok()) return;
  if (word == "\\*") {
    into.more_allowed = true;
    if (use == FlagUse::writing) in.fail_at(begin, "a flag that can be set");
    return;
  }
  if (word[0] == '\\' && use == FlagUse::writing) {
    const std::optional<SystemFlag> flag = system_flag(word);
    if (!flag || *flag == SystemFlag::recent) return in.fail_at(begin, "a flag that can be set");
  }
  into.add(word);
  if (into.keywords.size() > in.dialect().items) in.fail_at(begin, "fewer flags");
}

}  // namespace

std::optional<SystemFlag> system_flag(std::string_view name) {
  for (const Named& one : system_flags)
    if (iequals(one.name, name)) return one.flag;
  return std::nullopt;
}

std::string_view name_of(SystemFlag flag) {
  for (const Named& one : system_flags)
    if (one.flag == flag) return one.name;
  return "";
}

bool is_keyword(std::string_view name) {
  return !name.empty() && std::all_of(name.begin(), name.end(), is_atom_char);
}

bool Flags::has_keyword(std::string_view keyword) const {
  return std::any_of(keywords.begin(), keywords.end(),
                     [keyword](const std::string& one) { return iequals(one, keyword); });
}

bool Flags::has(std::string_view name) const {
  const std::optional<SystemFlag> flag = system_flag(name);
  return flag ? has(*flag) : has_keyword(name);
}

void Flags::set(SystemFlag flag, bool on) {
  const auto bit = static_cast<std::uint8_t>(flag);
  system = static_cast<std::uint8_t>(on ? system | bit : system & ~bit);
}

bool Flags::add(std::string_view name) {
  if (has(name)) return false;
  if (const std::optional<SystemFlag> flag = system_flag(name)) {
    set(*flag);
  } else {
    keywords.emplace_back(name);
  }
  return true;
}

bool Flags::remove(std::string_view name) {
  if (!has(name)) return false;
  if (const std::optional<SystemFlag> flag = system_flag(name)) {
    set(*flag, false);
  } else {
    std::erase_if(keywords, [name](const std::string& one) { return iequals(one, name); });
  }
  return true;
}

std::string Flags::text() const {
  std::string text;
  const auto append = [&text](std::string_view word) {
    if (!text.empty()) text += ' ';
    text += word;
  };
  for (const Named& one : system_flags)
    if (has(one.flag)) append(one.name);
  for (const std::string& keyword : keywords) append(keyword);
  if (more_allowed) append("\\*");
  return text;
}

bool Flags::operator==(const Flags& other) const {
  return system == other.system && more_allowed == other.more_allowed &&
         keywords.size() == other.keywords.size() &&
         std::all_of(keywords.begin(), keywords.end(),
                     [&other](const std::string& one) { return other.has_keyword(one); });
}

Flags scan_flag_list(Scanner& in, FlagUse use) {
  Flags flags;
  in.enter();
  while (in.ok() && in.peek() != ')') {
    scan_flag(in, use, flags);
    if (in.peek() != ')') in.space();
  }
  in.leave();
  return flags;
}

Flags scan_flags_to_end(Scanner& in) {
  if (in.peek() == '(') return scan_flag_list(in, FlagUse::writing);
  Flags flags;
  do {
    scan_flag(in, FlagUse::writing, flags);
  } while (in.ok() && in.take(' '));
  return flags;
}

}  // namespace posthorn::imap
