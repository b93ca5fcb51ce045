#include "libdns/stub/mail.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/async/scope.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

namespace {

// Both address look-ups of one host.
struct HostAnswers {
  Answer ipv6;
  Answer ipv4;
  HostAnswers() = default;
};

async::Task<void> ask_into(Resolver& resolver, Name name, Type type, async::Deadline deadline,
                           Answer* into) {
  Answer answer = co_await resolver.ask(std::move(name), type, deadline);
  *into = std::move(answer);
}

void start_looking(async::Scope& scope, Resolver& resolver, const Name& host, Families families,
                   async::Deadline deadline, HostAnswers& into) {
  if (families != Families::ipv4) {
    scope.spawn(ask_into(resolver, host, Type::aaaa, deadline, &into.ipv6));
  }
  if (families != Families::ipv6) {
    scope.spawn(ask_into(resolver, host, Type::a, deadline, &into.ipv4));
  }
}

void add_address(std::vector<std::string>& addresses, const Record& record) {
  if (addresses.size() == max_addresses_per_host) return;
  if (const Aaaa* aaaa = record.as<Aaaa>()) addresses.push_back(aaaa->text());
  if (const A* a = record.as<A>()) addresses.push_back(a->text());
}

// What the answers for the families asked for mean for the host.
void conclude(MailHost& host, const HostAnswers& answers, Families families, Security of_mx) {
  bool all_answered = true;
  Security security = of_mx;
  for (const Answer* answer : {&answers.ipv6, &answers.ipv4}) {
    if (answer == &answers.ipv6 ? families == Families::ipv4 : families == Families::ipv6) continue;
    host.is_alias = host.is_alias || !answer->aliases.empty();
    all_answered = all_answered && answer->answered();
    for (const Record& record : answer->records) add_address(host.addresses, record);
    if (answer->presence == Presence::found) security = weakest(security, answer->security);
    // Of two reasons the one that names trouble says more.
    if (host.reason.empty() || !answer->answered()) host.reason = answer->reason;
  }
  if (!host.addresses.empty()) {
    host.state = MailHost::State::usable;
    host.security = security;
    host.reason = fmt::format("{}: {} address{}", host.name.text(), host.addresses.size(),
                              host.addresses.size() == 1 ? "" : "es");
  } else if (all_answered) {
    host.state = MailHost::State::no_address;
    host.reason = host.name.text() + ": no address";
  }
}

void shuffle(std::vector<MailHost>& hosts) {
  for (std::size_t i = hosts.size(); i > 1; --i) std::swap(hosts[i - 1], hosts[random_u64() % i]);
}

// The hosts of MX records in the order to try: by preference, equal ones in random order (RFC 5321 5.1), each once.
std::vector<MailHost> hosts_of(const std::vector<Record>& records) {
  std::vector<MailHost> named;
  for (const Record& record : records) {
    if (const Mx* mx = record.as<Mx>()) named.emplace_back(mx->exchange, mx->preference);
  }
  shuffle(named);
  std::sort(named.begin(), named.end(),
            [](const MailHost& a, const MailHost& b) { return a.preference < b.preference; });
  std::vector<MailHost> hosts;
  for (MailHost& host : named) {
    if (hosts.size() == max_mail_hosts) break;
    const auto same = [&host](const MailHost& other) { return other.name == host.name; };
    if (std::none_of(hosts.begin(), hosts.end(), same)) hosts.push_back(std::move(host));
  }
  return hosts;
}

async::Task<void> find_addresses(Resolver& resolver, std::vector<MailHost>* hosts, Security of_mx,
                                 Families families, async::Deadline deadline) {
  std::vector<HostAnswers> answers(hosts->size());
  async::Scope scope;
  for (std::size_t i = 0; i < hosts->size(); ++i) {
    if (!(*hosts)[i].name.is_root()) {
      start_looking(scope, resolver, (*hosts)[i].name, families, deadline, answers[i]);
    }
  }
  co_await scope.join();
  for (std::size_t i = 0; i < hosts->size(); ++i) {
    MailHost& host = (*hosts)[i];
    if (host.name.is_root()) {
      host.state = MailHost::State::no_address;
      host.reason = "an MX record of \".\" among others (RFC 7505 3)";
    } else {
      conclude(host, answers[i], families, of_mx);
    }
  }
}

void conclude(MailRoute& route) {
  const auto has = [&route](MailHost::State state) {
    return std::any_of(route.hosts.begin(), route.hosts.end(),
                       [state](const MailHost& host) { return host.state == state; });
  };
  const std::string domain = route.domain.text();
  if (has(MailHost::State::usable)) {
    route.outcome = MailRoute::Outcome::hosts;
    route.reason = fmt::format("{}: {} mail host{}{}", domain, route.hosts.size(),
                               route.hosts.size() == 1 ? "" : "s",
                               route.implicit ? ", by its address records" : "");
  } else if (has(MailHost::State::unanswered)) {
    route.outcome = MailRoute::Outcome::try_later;
    for (const MailHost& host : route.hosts) {
      if (host.state == MailHost::State::unanswered) route.reason = host.reason;
    }
  } else {
    route.outcome = MailRoute::Outcome::no_addresses;
    route.reason = route.implicit ? domain + " has no MX record and no address"
                                  : "no mail host of " + domain + " has an address";
  }
}

}  // namespace

std::string_view to_string(MailRoute::Outcome outcome) {
  switch (outcome) {
    case MailRoute::Outcome::hosts:
      return "hosts";
    case MailRoute::Outcome::null_mx:
      return "null MX";
    case MailRoute::Outcome::no_such_domain:
      return "no such domain";
    case MailRoute::Outcome::no_addresses:
      return "no addresses";
    case MailRoute::Outcome::try_later:
      return "try later";
  }
  return "unknown";
}

async::Task<MailRoute> find_mail_hosts(Resolver& resolver, Name domain, async::Deadline deadline,
                                       Families families) {
  Answer mx = co_await resolver.ask(std::move(domain), Type::mx, deadline);
  MailRoute route;
  route.domain = mx.owner;
  route.security = mx.security;
  route.reason = mx.reason;
  switch (mx.presence) {
    case Presence::unknown:
      co_return route;
    case Presence::nxdomain:
      route.outcome = MailRoute::Outcome::no_such_domain;
      route.reason = "the domain " + mx.owner.text() + " does not exist";
      co_return route;
    case Presence::nodata:
      route.implicit = true;
      route.hosts.emplace_back(mx.owner, std::uint16_t{0});
      break;
    case Presence::found:
      route.hosts = hosts_of(mx.records);
      break;
  }
  if (!route.implicit && route.hosts.size() == 1 && route.hosts[0].name.is_root()) {
    route.outcome = MailRoute::Outcome::null_mx;
    route.hosts.clear();
    route.reason = "the domain " + mx.owner.text() + " takes no mail (null MX)";
    co_return route;
  }
  co_await find_addresses(resolver, &route.hosts, route.security, families, deadline);
  conclude(route);
  co_return route;
}

async::Task<MailHost> find_host(Resolver& resolver, Name host, async::Deadline deadline,
                                Families families) {
  std::vector<MailHost> hosts(1);
  hosts[0].name = std::move(host);
  co_await find_addresses(resolver, &hosts, Security::secure, families, deadline);
  MailHost found = std::move(hosts[0]);
  co_return found;
}

}  // namespace posthorn::dns
