#include "libmail/store/acl.h"

#include <algorithm>

#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

constexpr std::string_view right_letters = "lrswipkxtea";

// What an identifier is, the more specific the higher; 0: it does not match.
int specificity(std::string_view identifier, std::string_view user,
                const std::vector<std::string>& groups, bool is_owner) {
  if (identifier == "user=" + std::string(user)) return 5;
  if (identifier == "owner") return is_owner ? 4 : 0;
  if (identifier.starts_with("group=")) {
    const auto group = identifier.substr(6);
    return std::find(groups.begin(), groups.end(), group) != groups.end() ? 3 : 0;
  }
  if (identifier == "authenticated") return 2;
  return identifier == "anyone" ? 1 : 0;
}

}  // namespace

Rights Rights::all() {
  return parse(right_letters);
}

Rights Rights::parse(std::string_view text) {
  Rights rights;
  const auto add = [&rights](char letter) {
    const std::size_t at = right_letters.find(letter);
    if (at != std::string_view::npos) rights.bits_ |= static_cast<std::uint16_t>(1U << at);
  };
  for (const char letter : text) {
    add(letter);
    // RFC 4314 2.1.1: the rights of RFC 2086.
    if (letter == 'c') {
      add('k');
      add('x');
    }
    if (letter == 'd') {
      add('t');
      add('e');
    }
  }
  return rights;
}

std::string Rights::letters() const {
  std::string out;
  for (std::size_t i = 0; i < right_letters.size(); ++i) {
    if ((bits_ >> i & 1) != 0) out.push_back(right_letters[i]);
  }
  return out;
}

std::string Rights::letters_with_old() const {
  std::string out = letters();
  if (has(Right::create) || has(Right::delete_mailbox)) out.push_back('c');
  if (has(Right::delete_message) || has(Right::expunge)) out.push_back('d');
  return out;
}

Acl Acl::parse(std::string_view text) {
  Acl acl;
  for (std::string_view line : split(text, '\n')) {
    line = trim(line);
    if (line.empty() || line.front() == '#') continue;
    AclEntry entry;
    entry.negative = line.front() == '-';
    if (entry.negative) line.remove_prefix(1);
    std::size_t space = line.find(' ');
    // Dovecot quotes identifiers with spaces.
    if (line.starts_with('"')) {
      const std::size_t end = line.find('"', 1);
      if (end == std::string_view::npos) continue;
      entry.identifier = line.substr(1, end - 1);
      space = end + 1;
    } else {
      entry.identifier = line.substr(0, space);
    }
    if (space >= line.size() || entry.identifier.empty()) continue;
    entry.rights = Rights::parse(trim(line.substr(space)));
    acl.entries_.push_back(std::move(entry));
  }
  return acl;
}

std::string Acl::text() const {
  std::string out;
  for (const AclEntry& entry : entries_) {
    if (entry.negative) out.push_back('-');
    const bool quote = entry.identifier.find(' ') != std::string::npos;
    if (quote) out.push_back('"');
    out += entry.identifier;
    if (quote) out.push_back('"');
    out.append(" ").append(entry.rights.letters()).append("\n");
  }
  return out;
}

void Acl::set(AclEntry entry) {
  std::erase_if(entries_, [&](const AclEntry& known) {
    return known.identifier == entry.identifier && known.negative == entry.negative;
  });
  if (entry.rights != Rights()) entries_.push_back(std::move(entry));
}

Rights Acl::rights_of(std::string_view user, const std::vector<std::string>& groups,
                      bool is_owner) const {
  int best = 0;
  for (const AclEntry& entry : entries_) {
    if (!entry.negative)
      best = std::max(best, specificity(entry.identifier, user, groups, is_owner));
  }
  Rights rights;
  for (const AclEntry& entry : entries_) {
    if (!entry.negative && best > 0 &&
        specificity(entry.identifier, user, groups, is_owner) == best)
      rights.add(entry.rights);
  }
  for (const AclEntry& entry : entries_) {
    if (entry.negative && specificity(entry.identifier, user, groups, is_owner) > 0)
      rights.remove(entry.rights);
  }
  return rights;
}

}  // namespace posthorn::store
