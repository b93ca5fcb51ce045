#include "libmail/store/share_list.h"

#include "libmail/base/text.h"

namespace posthorn::store {

namespace {

constexpr std::string_view key_prefix = "shared/shared-boxes/";

// "user/bob" and "ann" of a key.
struct Share {
  std::string_view to;
  std::string_view from;
};

Share share_of(std::string_view key) {
  Share share;
  if (!key.starts_with(key_prefix)) return share;
  key.remove_prefix(key_prefix.size());
  const std::size_t slash = key.rfind('/');
  if (slash == std::string_view::npos || slash == 0) return share;
  share.to = key.substr(0, slash);
  share.from = key.substr(slash + 1);
  return share;
}

// "user=bob" as keys have it; "" for what is no share with others. Dovecot does not part authenticated from anyone.
std::string target_of(std::string_view identifier) {
  if (identifier == "anyone" || identifier == "authenticated") return "anyone";
  for (const std::string_view kind : {"user", "group"}) {
    if (identifier.starts_with(kind) && identifier.substr(kind.size()).starts_with('='))
      return std::string(kind) + "/" + std::string(identifier.substr(kind.size() + 1));
  }
  return {};
}

template <class Take>
void for_each_pair(std::string_view text, Take take) {
  const std::vector<std::string_view> lines = split(text, '\n');
  for (std::size_t i = 0; i + 1 < lines.size(); i += 2) take(lines[i], lines[i + 1]);
}

}  // namespace

std::set<std::string> sharers_with(std::string_view text, std::string_view user,
                                   const std::vector<std::string>& groups) {
  std::set<std::string> wanted = {"anyone", "user/" + std::string(user)};
  for (const std::string& group : groups) wanted.insert("group/" + group);
  std::set<std::string> found;
  for_each_pair(text, [&](std::string_view key, std::string_view) {
    const Share share = share_of(key);
    if (!share.from.empty() && share.from != user && wanted.contains(std::string(share.to)))
      found.emplace(share.from);
  });
  return found;
}

std::string with_shares_of(std::string_view text, std::string_view owner,
                           const std::set<std::string>& identifiers) {
  std::string out;
  for_each_pair(text, [&](std::string_view key, std::string_view value) {
    if (share_of(key).from == owner) return;
    out.append(key).append("\n").append(value).append("\n");
  });
  std::set<std::string> targets;
  for (const std::string& identifier : identifiers) targets.insert(target_of(identifier));
  targets.erase("");
  for (const std::string& target : targets)
    out.append(key_prefix).append(target).append("/").append(owner).append("\n1\n");
  return out;
}

}  // namespace posthorn::store
