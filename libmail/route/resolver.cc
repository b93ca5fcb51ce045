#include "libmail/route/resolver.h"

#include "libmail/base/text.h"
#include "libmail/smtp/replies.h"

namespace posthorn::route {

namespace {

constexpr std::string_view owner_prefix = "owner-";

std::string canonical_key_of(const smtp::Mailbox& mailbox) {
  return lower(mailbox.local_part) + "@" + smtp::canonical_domain(mailbox.domain);
}

// The address, its domain, the domains above it with a dot in front, and "*".
std::vector<std::string> transport_keys(const smtp::Mailbox& address) {
  std::vector<std::string> keys = {canonical_key_of(address), address.domain};
  if (!address.is_literal()) {
    for (std::size_t dot = address.domain.find('.'); dot != std::string::npos;
         dot = address.domain.find('.', dot + 1)) {
      keys.push_back(address.domain.substr(dot));
    }
  }
  keys.emplace_back("*");
  return keys;
}

Resolver::Step unavailable(std::string why) {
  Resolver::Step step;
  step.verdict.kind = Verdict::Kind::unavailable;
  step.verdict.status = smtp::Status({4, 3, 0}, "Temporary trouble here, try again later");
  step.verdict.why = std::move(why);
  return step;
}

Resolver::Step unknown() {
  Verdict verdict(Verdict::Kind::unknown_user);
  verdict.status = smtp::Status({5, 1, 1}, "User unknown");
  return Resolver::Step(std::move(verdict));
}

Verdict known(Verdict::Kind kind) {
  Verdict verdict(kind);
  verdict.status = smtp::Status({2, 1, 5}, "OK");
  return verdict;
}

// An alias, list or catch-all that stands for `entry`, asked for as `full`.
Resolver::Step stands_for(Verdict::Kind kind, std::string key, const Entry& entry,
                          const std::string& local, const std::string& domain) {
  Resolver::Step step(known(kind));
  step.key = std::move(key);
  for (const smtp::Mailbox& member : entry.members) {
    step.members.emplace_back(member.local_part.empty() ? local : member.local_part,
                              member.domain.empty() ? domain : member.domain);
  }
  return step;
}

// The list's name for owner-NAME: the key without domain and without "lists ".
std::string list_name(std::string_view key) {
  key.remove_prefix(key.find(' ') + 1);
  return std::string(key.substr(0, key.rfind('@')));
}

}  // namespace

smtp::Reply Verdict::reply() const {
  switch (kind) {
    case Kind::user:
    case Kind::alias:
    case Kind::list:
      return smtp::reply::rcpt_ok;
    case Kind::remote:
      return smtp::reply::relaying_denied;
    case Kind::unknown_user:
      return smtp::reply::no_such_user;
    case Kind::refused:
      return smtp::to_reply(status);
    case Kind::unavailable:
      return smtp::reply::try_later;
  }
  return smtp::reply::try_later;
}

Resolver::Resolver(const service::Site& site, ResolverSettings settings, Tables tables,
                   UserLookup& users, Transport local, Transport remote)
    : site_(site),
      tables_(tables),
      users_(users),
      local_(std::move(local)),
      remote_(std::move(remote)) {
  set(std::move(settings));
}

void Resolver::set(ResolverSettings settings) {
  settings_ = std::move(settings);
  domains_.clear();
  for (const std::string& domain : settings_.domains)
    domains_.insert(smtp::canonical_domain(domain));
}

void Resolver::set_defaults(Transport local, Transport remote) {
  local_ = std::move(local);
  remote_ = std::move(remote);
}

bool Resolver::is_ours(std::string_view domain) const {
  return domains_.contains(smtp::canonical_domain(domain));
}

smtp::Mailbox Resolver::canonical(const smtp::Mailbox& mailbox) const {
  smtp::Mailbox result = mailbox;
  if (result.domain.empty() && !settings_.domains.empty())
    result.domain = settings_.domains.front();
  result.domain = smtp::canonical_domain(result.domain);
  if (domains_.contains(result.domain)) result.local_part = lower(result.local_part);
  return result;
}

Resolver::Name Resolver::name_of(const smtp::Mailbox& mailbox) const {
  Name name;
  name.local = lower(mailbox.local_part);
  name.base = without_extension(name.local);
  name.domain = mailbox.domain;
  name.full = name.local + "@" + name.domain;
  return name;
}

std::string Resolver::without_extension(std::string_view local) const {
  const std::size_t delimiter = local.find_first_of(settings_.recipient_delimiter);
  // "owner-list" would be an extension of "owner" with the delimiter "-", which is not what anybody means.
  if (delimiter == std::string_view::npos || delimiter == 0 || local.starts_with(owner_prefix)) {
    return std::string(local);
  }
  return std::string(local.substr(0, delimiter));
}

// What is looked for in a table, in this order: the address, the local-part where `with_locals`, and both without
// extension.
std::vector<std::string> Resolver::keys_of(const Name& name, bool with_locals) {
  std::vector<std::string> keys = {name.full};
  if (with_locals) keys.push_back(name.local);
  if (name.base == name.local) return keys;
  keys.push_back(name.base + "@" + name.domain);
  if (with_locals) keys.push_back(name.base);
  return keys;
}

async::Task<Resolver::Found> Resolver::look_up(Table* table, std::vector<std::string> keys) {
  Found found;
  if (table == nullptr || table->is_empty()) co_return found;
  for (std::string& key : keys) {
    auto answer = co_await table->find(key);
    if (!answer) {
      found.kind = Found::Kind::failed;
      found.value = std::move(answer.error().text);
      co_return found;
    }
    if (*answer) {
      found.kind = Found::Kind::yes;
      found.key = std::move(key);
      found.value = std::move(**answer);
      co_return found;
    }
  }
  co_return found;
}

// Rules 1 to 3 of README.md. A step of kind unknown_user: none of them.
async::Task<Resolver::Step> Resolver::find_in_tables(const Name& name) {
  struct Rule {
    Table* table;
    TableKind kind;
    std::string_view prefix;
  };
  const Rule rules[] = {{tables_.virtuals, TableKind::virtuals, "virtual "},
                        {tables_.aliases, TableKind::aliases, "aliases "},
                        {tables_.lists, TableKind::lists, "lists "}};
  for (const Rule& rule : rules) {
    if (rule.table == nullptr || rule.table->is_empty()) continue;
    std::vector<std::string> keys = keys_of(name, rule.kind != TableKind::virtuals);
    const Found found = co_await look_up(rule.table, std::move(keys));
    if (found.kind == Found::Kind::failed) co_return unavailable(found.value);
    if (found.kind == Found::Kind::no) continue;
    const auto entry = parse_entry(found.value, rule.kind);
    if (!entry) co_return unavailable("table entry " + found.key + ": " + entry.error());
    const bool list = rule.kind == TableKind::lists;
    Step step = stands_for(list ? Verdict::Kind::list : Verdict::Kind::alias,
                           std::string(rule.prefix) + found.key, *entry, name.local, name.domain);
    if (list) {
      step.owner = entry->owner.value_or(
          smtp::Mailbox(std::string(owner_prefix) + list_name(step.key), name.domain));
      if (step.owner.domain.empty()) step.owner.domain = name.domain;
    }
    co_return step;
  }
  co_return unknown();
}

async::Task<Resolver::Step> Resolver::find_user(const Name& name) {
  std::vector<std::string> names = keys_of(name, true);
  for (std::string& candidate : names) {
    UserAnswer answer = co_await users_.find(std::move(candidate));
    if (answer.kind == UserAnswer::Kind::unavailable) co_return unavailable(std::move(answer.why));
    if (answer.kind == UserAnswer::Kind::exists) {
      Step step(known(Verdict::Kind::user));
      step.verdict.user = std::move(answer.user);
      co_return step;
    }
  }
  co_return unknown();
}

// Rules 5 and 6: what the standards want to exist, and the catch-all.
async::Task<Resolver::Step> Resolver::find_implied(const Name& name) {
  bool implied = name.local == "postmaster";
  if (!implied && name.local.starts_with(owner_prefix)) {
    const std::string list = name.local.substr(owner_prefix.size());
    std::vector<std::string> keys = {list + "@" + name.domain, list};
    const Found found = co_await look_up(tables_.lists, std::move(keys));
    if (found.kind == Found::Kind::failed) co_return unavailable(found.value);
    implied = found.kind == Found::Kind::yes;
  }
  if (implied && !settings_.postmaster.empty()) {
    const auto entry = parse_entry(settings_.postmaster, TableKind::aliases);
    if (entry) {
      co_return stands_for(Verdict::Kind::alias, "postmaster", *entry, name.local, name.domain);
    }
  }
  std::vector<std::string> keys = {"@" + name.domain};
  const Found found = co_await look_up(tables_.virtuals, std::move(keys));
  if (found.kind == Found::Kind::failed) co_return unavailable(found.value);
  if (found.kind == Found::Kind::no) co_return unknown();
  const auto entry = parse_entry(found.value, TableKind::virtuals);
  if (!entry) co_return unavailable("table entry " + found.key + ": " + entry.error());
  co_return stands_for(Verdict::Kind::alias, "virtual " + found.key, *entry, name.local,
                       name.domain);
}

async::Task<Resolver::Step> Resolver::local_step(const Name& name, bool users_only) {
  if (!users_only) {
    Step step = co_await find_in_tables(name);
    if (step.verdict.kind != Verdict::Kind::unknown_user) co_return step;
  }
  Step user = co_await find_user(name);
  if (users_only || user.verdict.kind != Verdict::Kind::unknown_user) co_return user;
  Step implied = co_await find_implied(name);
  co_return implied;
}

async::Task<Resolver::Step> Resolver::step(smtp::Mailbox mailbox, bool users_only) {
  const smtp::Mailbox address = canonical(mailbox);
  if (!domains_.contains(address.domain)) {
    Step remote(known(Verdict::Kind::remote));
    co_return remote;
  }
  const Name name = name_of(address);
  Step local = co_await local_step(name, users_only);
  co_return local;
}

async::Task<Verdict> Resolver::resolve(smtp::Mailbox mailbox) {
  Step step = co_await this->step(mailbox, false);
  const bool is_final =
      step.verdict.kind == Verdict::Kind::user || step.verdict.kind == Verdict::Kind::remote;
  if (is_final && tables_.transports != nullptr && !tables_.transports->is_empty()) {
    auto where = co_await transport(std::move(mailbox));
    if (!where) co_return unavailable(std::move(where.error().text)).verdict;
    if (where->kind == Transport::Kind::error) {
      step.verdict.kind = Verdict::Kind::refused;
      step.verdict.status = where->status;
    }
  }
  co_return std::move(step.verdict);
}

async::Task<Result<Transport, TableError>> Resolver::transport(smtp::Mailbox mailbox) {
  const smtp::Mailbox address = canonical(mailbox);
  std::vector<std::string> keys;
  if (tables_.transports != nullptr && !tables_.transports->is_empty()) {
    keys = transport_keys(address);
  }
  const Found found = co_await look_up(tables_.transports, std::move(keys));
  if (found.kind == Found::Kind::failed) co_return fail(TableError(found.value));
  if (found.kind == Found::Kind::no) {
    const bool ours = domains_.contains(address.domain);
    Transport chosen = ours ? local_ : remote_;
    co_return Result<Transport, TableError>(std::move(chosen));
  }
  auto transport = parse_transport(found.value, site_);
  if (!transport)
    co_return fail(TableError("transports entry " + found.key + ": " + transport.error()));
  co_return Result<Transport, TableError>(std::move(*transport));
}

}  // namespace posthorn::route
