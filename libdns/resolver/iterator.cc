#include "libdns/resolver/iterator.h"

#include <algorithm>

#include "libdns/resolver/addresses.h"
#include "libdns/resolver/recursor.h"
#include "libdns/wire/address.h"
#include "libmail/async/loop.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

namespace {

constexpr CacheTime no_end = 0xffffffff;

// The rightmost `labels` labels.
Name last_labels(const Name& name, std::size_t labels) {
  Name shorter = name;
  while (shorter.label_count() > labels) shorter = shorter.parent();
  return shorter;
}

void shuffle(std::vector<std::size_t>& order) {
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1], order[static_cast<std::size_t>(random_u64() % i)]);
}

bool is_negative_or_alias(Meaning meaning) {
  return meaning == Meaning::answer || meaning == Meaning::nodata || meaning == Meaning::alias;
}

Found found_of(Told told) {
  Found found;
  found.scrubbed = std::move(told.scrubbed);
  found.useful = told.useful;
  found.why = std::move(told.why);
  return found;
}

Found not_found(EdeCode code, std::string why) {
  Found found;
  found.why = ExtendedError(static_cast<std::uint16_t>(code), std::move(why));
  return found;
}

}  // namespace

CacheTime cache_now() {
  const auto since = async::Loop::current().now().time_since_epoch();
  return static_cast<CacheTime>(std::chrono::duration_cast<std::chrono::seconds>(since).count());
}

struct Iterator::Way {
  Delegation zone;
  std::size_t steps = 0;  // names shortened so far
  bool whole_name = false;

  explicit Way(Delegation from) : zone(std::move(from)) {}
};

Iterator::Iterator(Cache& cache, Upstream& upstream, const RecursorSettings& settings)
    : cache_(cache), upstream_(upstream), settings_(settings) {}

const std::vector<async::Endpoint>* Iterator::forwarders(const Name& name, Name& suffix) const {
  const Forward* longest = nullptr;
  for (const Forward& forward : settings_.forwards) {
    if (!name.is_at_or_below(forward.suffix)) continue;
    if (longest == nullptr || forward.suffix.is_at_or_below(longest->suffix)) longest = &forward;
  }
  if (longest == nullptr || longest->servers.empty()) return nullptr;
  suffix = longest->suffix;
  return &longest->servers;
}

Source Iterator::source_of(const Name& zone, const Name& asked) const {
  Source source(zone);
  source.loopback_servers = settings_.ask_loopback;
  source.private_allowed = !settings_.filter_private_answers ||
                           std::ranges::any_of(settings_.private_names, [&](const Name& name) {
                             return asked.is_at_or_below(name);
                           });
  return source;
}

async::Task<Found> Iterator::find(Question question, Work& work) {
  Name suffix;
  // DS is the parent's to give (RFC 4035 3.1.4.1).
  const Name above = question.type == Type::ds && !question.name.is_root() ? question.name.parent()
                                                                           : question.name;
  const std::vector<async::Endpoint>* servers = forwarders(above, suffix);
  if (servers == nullptr) {
    auto found = co_await iterate(std::move(question), work);
    co_return found;
  }
  Source source = source_of(suffix, question.name);
  source.forwarder = true;
  Inquiry inquiry(std::move(question), std::move(source));
  inquiry.servers = *servers;
  Told told = co_await upstream_.ask(std::move(inquiry), work);
  Found found = found_of(std::move(told));
  found.forwarded = true;
  co_return found;
}

async::Task<Found> Iterator::iterate(Question question, Work& work) {
  const Name above = question.type == Type::ds && !question.name.is_root() ? question.name.parent()
                                                                           : question.name;
  std::optional<Delegation> deepest = cache_.find_delegation(above, cache_now());
  if (!deepest) deepest = co_await prime(work);
  Way way(std::move(*deepest));
  for (std::size_t referral = 0; referral < settings_.limits.referrals; ++referral) {
    Told told = co_await ask_zone(way, question, work);
    if (!told.useful || told.scrubbed.meaning != Meaning::referral)
      co_return found_of(std::move(told));
    Delegation next = std::move(told.scrubbed.delegation);
    keep_delegation(next, told.scrubbed, way.zone.expires);
    way.zone = std::move(next);
  }
  co_return not_found(EdeCode::no_reachable_authority,
                      "too many referrals on the way to " + question.name.text());
}

// A child lives no longer than its parent's word for the parent itself has left, so nobody can stay
// in the cache by referring to himself.
void Iterator::keep_delegation(Delegation& delegation, const Scrubbed& from,
                               CacheTime parent_expires) {
  const CacheTime now = cache_now();
  const std::uint32_t most = std::min(from.delegation_ttl, cache_.settings().max_ttl);
  delegation.expires = std::min<CacheTime>(now + most, parent_expires);
  (void)cache_.put_delegation(delegation, now, cache_.source_of(from.server));
}

async::Task<Told> Iterator::ask_zone(Way& way, const Question& question, Work& work) {
  const std::size_t all = question.name.label_count();
  std::size_t labels = way.zone.zone.label_count();
  while (settings_.minimise_names && !way.whole_name && labels + 1 < all &&
         way.steps < settings_.limits.minimise_steps) {
    const ResolveLimits& limits = settings_.limits;
    const std::size_t steps_left = limits.minimise_steps - way.steps;
    const std::size_t stride = way.steps < limits.minimise_one_label
                                   ? 1
                                   : std::max<std::size_t>(1, (all - labels) / steps_left);
    labels += stride;
    if (labels >= all) break;
    ++way.steps;
    Question shorter(last_labels(question.name, labels), Type::a);
    Told told = co_await ask_servers(way.zone, std::move(shorter), work);
    if (told.useful && told.scrubbed.meaning == Meaning::referral) co_return told;
    if (told.useful && is_negative_or_alias(told.scrubbed.meaning)) continue;
    // What the root doesn't know isn't there (RFC 8020), and it needn't learn what was below.
    const bool denied =
        told.useful && told.scrubbed.meaning == Meaning::nxdomain && told.scrubbed.answer.empty();
    if (denied && way.zone.zone.is_root()) co_return told;
    // Some other servers deny names that only lead to others, or fail on them: ask for the whole.
    way.whole_name = true;
  }
  Question whole = question;
  Told told = co_await ask_servers(way.zone, std::move(whole), work);
  co_return told;
}

bool Iterator::may_ask(const std::string& literal, bool askable) const {
  if (!askable && !settings_.ask_loopback) return false;
  return std::ranges::find(settings_.own_addresses, literal) == settings_.own_addresses.end();
}

std::vector<async::Endpoint> Iterator::known_addresses(const Delegation::Host& host) {
  std::vector<A> v4 = host.v4;
  std::vector<Aaaa> v6 = host.v6;
  const CacheTime now = cache_now();
  const auto take = [&](const std::optional<EntryView>& view) {
    if (!view || (view->kind() != EntryKind::positive && view->kind() != EntryKind::address))
      return;
    for (const Record& record : view->rrset(host.name).records()) {
      if (const A* one = record.as<A>()) v4.push_back(*one);
      if (const Aaaa* one = record.as<Aaaa>()) v6.push_back(*one);
    }
  };
  if (v4.empty() && v6.empty()) {
    for (const Type type : {Type::a, Type::aaaa}) {
      take(cache_.find(host.name, type, now));
      if (v4.empty() && v6.empty()) take(cache_.find_address(host.name, type, now));
    }
  }
  std::vector<async::Endpoint> endpoints;
  const std::size_t most = settings_.limits.addresses_each;
  for (std::size_t i = 0; i < std::min(v4.size(), most); ++i) {
    if (may_ask(v4[i].text(), is_askable(v4[i])))
      endpoints.push_back(async::Endpoint::inet(v4[i].text(), settings_.authority_port));
  }
  for (std::size_t i = 0; settings_.use_ipv6 && i < std::min(v6.size(), most); ++i) {
    if (may_ask(v6[i].text(), is_askable(v6[i])))
      endpoints.push_back(async::Endpoint::inet(v6[i].text(), settings_.authority_port));
  }
  return endpoints;
}

// First the servers whose addresses are known, then, one after the other, some that must be looked
// up.
async::Task<Told> Iterator::ask_servers(const Delegation& zone, Question question, Work& work) {
  Inquiry inquiry(question, source_of(zone.zone, question.name));
  std::vector<std::size_t> unknown;
  const std::size_t hosts = std::min(zone.hosts.size(), settings_.limits.hosts);
  for (std::size_t i = 0; i < hosts; ++i) {
    const std::vector<async::Endpoint> known = known_addresses(zone.hosts[i]);
    if (known.empty()) unknown.push_back(i);
    inquiry.servers.insert(inquiry.servers.end(), known.begin(), known.end());
  }
  Told told = co_await upstream_.ask(inquiry, work);
  if (told.useful) co_return told;

  shuffle(unknown);
  std::size_t looked_up = 0;
  for (const std::size_t place : unknown) {
    if (work.exhausted || looked_up >= settings_.limits.hosts_looked_up) break;
    const Name host = zone.hosts[place].name;
    // Its address is behind itself; only glue could have helped.
    if (host.is_at_or_below(zone.zone)) continue;
    ++looked_up;
    const bool found = co_await look_up_host(host, work);
    if (!found) continue;
    inquiry.servers = known_addresses(Delegation::Host(host));
    if (inquiry.servers.empty()) continue;
    told = co_await upstream_.ask(inquiry, work);
    if (told.useful) co_return told;
  }
  co_return told;
}

// Puts addresses of a name server into the cache; they may come from anywhere, so they lead there
// and are no answers. No aliases: RFC 2181 10.3.
async::Task<bool> Iterator::look_up_host(Name host, Work& work) {
  const bool cycle = std::ranges::find(work.looking_up, host) != work.looking_up.end();
  if (cycle || work.looking_up.size() >= settings_.limits.nested) co_return false;
  work.looking_up.push_back(host);
  bool any = false;
  for (const Type type : {Type::a, Type::aaaa}) {
    if (type == Type::aaaa && (any || !settings_.use_ipv6)) break;
    const CacheTime now = cache_now();
    if (cache_.find_address(host, type, now) || cache_.find(host, type, now)) continue;
    Question question(host, type);
    Found found = co_await find(std::move(question), work);
    const CacheTime later = cache_now();
    if (found.useful && found.scrubbed.meaning == Meaning::answer &&
        found.scrubbed.answer.size() == 1) {
      RrSet set = std::move(found.scrubbed.answer.front());
      set.ttl = std::max(set.ttl, 1U);  // this question at least shall use it
      any = cache_.put_address(set, later, cache_.source_of(found.scrubbed.server)) || any;
    } else if (!work.exhausted) {
      const RrSet none(host, type, settings_.limits.failure_ttl);
      (void)cache_.put_address(none, later);
    }
  }
  work.looking_up.pop_back();
  co_return any;
}

// RFC 9609: the hints only say whom to ask for the root's servers.
async::Task<Delegation> Iterator::prime(Work& work) {
  Delegation hints;
  for (const RootHint& hint : settings_.root_hints) {
    Delegation::Host host(hint.host);
    for (const std::string& literal : hint.addresses) {
      const auto v4 = parse_a(literal);
      const auto v6 = parse_aaaa(literal);
      if (v4) host.v4.push_back(*v4);
      if (v6) host.v6.push_back(*v6);
    }
    hints.hosts.push_back(std::move(host));
  }
  hints.expires = no_end;
  Inquiry inquiry(Question(Name(), Type::ns), source_of(Name(), Name()));
  inquiry.priming = true;
  for (const Delegation::Host& host : hints.hosts) {
    const std::vector<async::Endpoint> known = known_addresses(host);
    inquiry.servers.insert(inquiry.servers.end(), known.begin(), known.end());
  }
  Told told = co_await upstream_.ask(std::move(inquiry), work);
  if (!told.useful) co_return hints;
  Delegation root = std::move(told.scrubbed.delegation);
  const bool any_address = std::ranges::any_of(root.hosts, [](const Delegation::Host& host) {
    return !host.v4.empty() || !host.v6.empty();
  });
  if (!any_address) co_return hints;
  keep_delegation(root, told.scrubbed, no_end);
  co_return root;
}

}  // namespace posthorn::dns
