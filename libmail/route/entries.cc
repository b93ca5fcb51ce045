#include "libmail/route/entries.h"

#include <fmt/format.h>

#include "libmail/base/text.h"
#include "libmail/route/transport.h"

namespace posthorn::route {

namespace {

constexpr smtp::Utf8 utf8 = smtp::Utf8::allowed;

std::string bad_address(std::string_view text, smtp::AddressError error) {
  return fmt::format("'{}' is no address: {}", printable(text, 100), smtp::describe(error));
}

// Words between commas and blanks; quotes keep both together.
std::vector<std::string> split_members(std::string_view value) {
  std::vector<std::string> members(1);
  bool quoted = false;
  for (std::size_t i = 0; i < value.size(); ++i) {
    const char c = value[i];
    if (quoted && c == '\\' && i + 1 < value.size()) {
      members.back().append(value.substr(i++, 2));
      continue;
    }
    if (c == '"') quoted = !quoted;
    if (!quoted && (c == ',' || is_space(c))) {
      if (!members.back().empty()) members.emplace_back();
    } else {
      members.back() += c;
    }
  }
  if (members.back().empty()) members.pop_back();
  return members;
}

bool has_at(std::string_view text) {
  return text.find('@') != std::string_view::npos;
}

Result<smtp::Mailbox, std::string> parse_member(const std::string& text, TableKind kind) {
  if (text.front() == '|' || text.front() == '/' || text.starts_with("\"|") ||
      text.starts_with("\"/") || istarts_with(text, ":include:")) {
    return fail(
        fmt::format("'{}': a table names addresses only; programs and files belong to a delivery "
                    "agent (deliverd --exec)",
                    printable(text, 100)));
  }
  if (text.front() == '@') {
    if (kind != TableKind::virtuals)
      return fail(fmt::format("'{}' is no address", printable(text, 100)));
    if (!smtp::is_domain(std::string_view(text).substr(1), utf8)) {
      return fail(fmt::format("'{}' is no domain", printable(text, 100)));
    }
    return smtp::Mailbox("", text.substr(1));
  }
  auto mailbox = smtp::parse_mailbox(has_at(text) ? text : text + "@x", utf8);
  if (!mailbox) return fail(bad_address(text, mailbox.error()));
  if (!has_at(text)) mailbox->domain.clear();
  return std::move(*mailbox);
}

Result<std::string, std::string> canonical_domain_key(std::string_view key) {
  const bool below = key.starts_with('.');
  const std::string_view domain = below ? key.substr(1) : key;
  if (!smtp::is_domain(domain, utf8) && !smtp::is_address_literal(domain)) {
    return fail(
        fmt::format("'{}' is neither an address nor a domain, .domain or *", printable(key, 100)));
  }
  return (below ? "." : "") + smtp::canonical_domain(domain);
}

std::string check_value(std::string_view value, TableKind kind, const service::Site& site) {
  if (kind == TableKind::transports) {
    const auto transport = parse_transport(value, site);
    return transport ? std::string() : transport.error();
  }
  const auto entry = parse_entry(value, kind);
  return entry ? std::string() : entry.error();
}

}  // namespace

Result<Entry, std::string> parse_entry(std::string_view value, TableKind kind) {
  constexpr std::string_view owner = "owner=";
  Entry entry;
  for (const std::string& text : split_members(value)) {
    const bool names_owner = kind == TableKind::lists && istarts_with(text, owner) &&
                             !entry.owner && entry.members.empty();
    if (names_owner && text.size() == owner.size())
      return fail(std::string("owner= without an address"));
    auto member = parse_member(names_owner ? text.substr(owner.size()) : text, kind);
    if (!member) return fail(std::move(member.error()));
    if (names_owner) {
      entry.owner = std::move(*member);
    } else {
      entry.members.push_back(std::move(*member));
    }
  }
  if (entry.members.empty()) return fail(std::string("there is no address in it"));
  return entry;
}

Result<std::string, std::string> canonical_key(std::string_view key, TableKind kind) {
  const bool transports = kind == TableKind::transports;
  if (transports && key == "*") return std::string(key);
  if (kind == TableKind::virtuals && key.starts_with('@')) {
    if (!smtp::is_domain(key.substr(1), utf8)) {
      return fail(fmt::format("'{}' is no domain", printable(key, 100)));
    }
    return "@" + smtp::canonical_domain(key.substr(1));
  }
  if (has_at(key)) {
    const auto mailbox = smtp::parse_mailbox(key, utf8);
    if (!mailbox) return fail(bad_address(key, mailbox.error()));
    return lower(mailbox->local_part) + "@" + smtp::canonical_domain(mailbox->domain);
  }
  if (transports) return canonical_domain_key(key);
  if (kind == TableKind::virtuals) {
    return fail(fmt::format("'{}' has no domain; a key is ann@example.org or @example.org",
                            printable(key, 100)));
  }
  return lower(key);
}

EntryCheck entry_check(TableKind kind, const service::Site& site) {
  return [kind, &site](std::string& key, std::string_view value) -> std::string {
    auto canonical = canonical_key(key, kind);
    if (!canonical) return canonical.error();
    std::string problem = check_value(value, kind, site);
    if (!problem.empty()) return fmt::format("'{}': {}", printable(key, 80), problem);
    key = std::move(*canonical);
    return {};
  };
}

}  // namespace posthorn::route
