#include "agents/relayd/destination.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/smtp/address.h"

namespace posthorn::relayd {

using async::Deadline;
using async::Task;
using smtp::EnhancedStatus;
using smtp::Status;

namespace {

// "example.org", ".org" (what is below each parent), "*".
std::vector<std::string> keys_for(const std::string& domain) {
  std::vector<std::string> keys;
  if (!domain.starts_with('[')) {
    keys.push_back(domain);
    for (std::size_t dot = domain.find('.'); dot != std::string::npos;
         dot = domain.find('.', dot + 1))
      keys.push_back(domain.substr(dot));
  }
  keys.emplace_back("*");
  return keys;
}

// "[192.0.2.1]", "[ipv6:2001:db8::1]" -> the address.
Route literal_route(const std::string& domain) {
  Route route;
  route.kind = Route::Kind::host;
  route.name = domain.substr(1, domain.size() - 2);
  if (istarts_with(route.name, "ipv6:")) route.name.erase(0, 5);
  return route;
}

Status no_route(const dns::MailRoute& found) {
  using Outcome = dns::MailRoute::Outcome;
  switch (found.outcome) {
    case Outcome::null_mx:
      return {EnhancedStatus(5, 1, 10), printable(found.reason)};
    case Outcome::no_such_domain:
      return {EnhancedStatus(5, 1, 2), printable(found.reason)};
    case Outcome::no_addresses:
      return {EnhancedStatus(5, 4, 4), printable(found.reason)};
    case Outcome::hosts:
    case Outcome::try_later:
      break;
  }
  return {EnhancedStatus(4, 4, 3), printable(found.reason)};
}

// None of `hosts` can be tried; those that are not better than `us` are not among them.
Status nobody_to_try(const std::string& domain, const std::vector<dns::MailHost>& hosts,
                     const dns::MailHost* us) {
  const dns::MailHost* absent = nullptr;
  for (const dns::MailHost& host : hosts) {
    if (us != nullptr && host.preference >= us->preference) continue;
    if (host.state == dns::MailHost::State::unanswered)
      return {EnhancedStatus(4, 4, 3), printable(host.reason)};
    absent = &host;
  }
  if (absent != nullptr) return {EnhancedStatus(5, 4, 4), printable(absent->reason)};
  return {EnhancedStatus(5, 4, 6),
          fmt::format("mail for {} loops back to us, its best MX host", domain)};
}

}  // namespace

Task<Result<Route, Status>> Destinations::route_for(std::string domain) {
  for (std::string& key : keys_for(domain)) {
    auto found = co_await routes_.find(std::move(key));
    if (!found) {
      log_.error("-", "routes-failed", {{"why", found.error().text}});
      co_return fail(Status(EnhancedStatus(4, 3, 0), "the routes table can't be read"));
    }
    if (!*found) continue;
    auto route = parse_route(**found);
    if (route) co_return std::move(*route);
    log_.error("-", "routes-failed", {{"domain", domain}, {"why", route.error()}});
    co_return fail(
        Status(EnhancedStatus(4, 3, 5), "the routes table has a bad entry for this domain"));
  }
  if (domain.starts_with('[')) co_return literal_route(domain);
  co_return Route();
}

std::string Destinations::key_of(const Route& route, const std::string& domain) {
  const bool own_mx = route.kind == Route::Kind::mx && route.name.empty();
  return own_mx ? domain : route.place();
}

Task<Result<Destination, Status>> Destinations::find(Route route, std::string domain,
                                                     std::string trace_id, Deadline deadline) {
  Destination destination;
  destination.key = key_of(route, domain);
  destination.security = route.security;
  destination.xforward = route.xforward || route.kind == Route::Kind::unix_socket;
  destination.implicit_tls = route.implicit_tls;
  const std::uint16_t port = route.port == 0 ? options_.default_port : route.port;

  Result<void, Status> added;
  if (route.kind == Route::Kind::unix_socket) {
    const bool relative = !route.path.starts_with('/') && !options_.socket_directory.empty();
    const std::string path = relative ? options_.socket_directory + "/" + route.path : route.path;
    Target target;
    target.hop = session::NextHop(smtp::ClientDialect::smtp, async::Endpoint::unix_path(path));
    target.name = "localhost";
    target.address = "unix";
    destination.targets.push_back(std::move(target));
  } else if (route.kind == Route::Kind::host) {
    route.port = port;
    added = co_await add_host(destination, route, std::move(trace_id), deadline);
  } else {
    const std::string asked = route.name.empty() ? domain : route.name;
    added = co_await add_mx(destination, asked, port, std::move(trace_id), deadline);
  }
  if (!added) co_return fail(added.error());
  const auto logged_in = co_await add_login(destination, route.place());
  if (!logged_in) co_return fail(logged_in.error());
  co_return destination;
}

Task<Result<void, Status>> Destinations::add_host(Destination& into, const Route& route,
                                                  std::string trace_id, Deadline deadline) {
  if (is_address(route.name)) {
    Target target;
    target.hop =
        session::NextHop(smtp::ClientDialect::smtp, async::Endpoint::inet(route.name, route.port));
    target.name = route.name;
    target.address = route.name;
    into.targets.push_back(std::move(target));
    co_return Result<void, Status>();
  }
  auto name = dns::Name::parse(route.name);
  if (!name)
    co_return fail(Status(EnhancedStatus(5, 1, 2), fmt::format("{} is no host name", route.name)));
  const dns::MailHost host = co_await dns_.host(std::move(*name), deadline);
  if (host.state == dns::MailHost::State::unanswered)
    co_return fail(Status(EnhancedStatus(4, 4, 3), printable(host.reason)));
  // A smart host is our own setting: that it has gone must not bounce mail.
  if (host.state == dns::MailHost::State::no_address)
    co_return fail(Status(EnhancedStatus(4, 4, 4), printable(host.reason)));
  add_addresses(into, host, route.port, false, trace_id);
  co_return Result<void, Status>();
}

Task<Result<void, Status>> Destinations::add_mx(Destination& into, std::string domain,
                                                std::uint16_t port, std::string trace_id,
                                                Deadline deadline) {
  auto name = dns::Name::parse(domain);
  if (!name)
    co_return fail(
        Status(EnhancedStatus(5, 1, 2), fmt::format("{} is no domain", printable(domain))));
  const dns::MailRoute found = co_await dns_.mail_hosts(std::move(*name), deadline);
  if (found.outcome != dns::MailRoute::Outcome::hosts) {
    for (const dns::MailHost& host : found.hosts)
      log_.info(trace_id, "mx-skipped",
                {{"domain", domain}, {"host", host.name.text()}, {"why", host.reason}});
    co_return fail(no_route(found));
  }
  // RFC 5321 5.1: we and whoever is not better than we are drop out of the list.
  const auto is_us = [this](const dns::MailHost& host) {
    return iequals(host.name.text(), options_.hostname);
  };
  const auto us = std::find_if(found.hosts.begin(), found.hosts.end(), is_us);
  for (const dns::MailHost& host : found.hosts) {
    const bool behind_us = us != found.hosts.end() && host.preference >= us->preference;
    if (behind_us && !found.implicit) continue;
    if (host.state != dns::MailHost::State::usable) {
      log_.info(trace_id, "mx-skipped",
                {{"domain", domain}, {"host", host.name.text()}, {"why", host.reason}});
      continue;
    }
    if (host.is_alias && !found.implicit)
      log_.warning(trace_id, "mx-is-alias", {{"domain", domain}, {"host", host.name.text()}});
    add_addresses(into, host, port, true, trace_id);
  }
  if (!into.targets.empty()) co_return Result<void, Status>();
  const bool is_ours = us != found.hosts.end();
  co_return fail(nobody_to_try(domain, found.hosts, is_ours ? &*us : nullptr));
}

void Destinations::add_addresses(Destination& into, const dns::MailHost& host, std::uint16_t port,
                                 bool by_mx, const std::string& trace_id) {
  for (const std::string& address : host.addresses) {
    Target target;
    target.hop = session::NextHop(smtp::ClientDialect::smtp, async::Endpoint::inet(address, port));
    target.name = lower(host.name.text());
    target.address = address;
    target.preference = host.preference;
    target.by_mx = by_mx;
    log_.debug(trace_id, "host",
               {{"host", target.name}, {"address", address}, {"preference", host.preference}});
    into.targets.push_back(std::move(target));
  }
}

Task<Result<void, Status>> Destinations::add_login(Destination& into, std::string place) {
  if (logins_.is_empty()) co_return Result<void, Status>();
  auto found = co_await logins_.find(std::move(place));
  if (!found) {
    log_.error("-", "logins-failed", {{"why", found.error().text}});
    co_return fail(Status(EnhancedStatus(4, 3, 0), "the logins table can't be read"));
  }
  if (!*found) co_return Result<void, Status>();
  const std::string& value = **found;
  const std::size_t colon = value.find(':');
  into.login =
      smtp::Credentials{value.substr(0, colon), value.substr(std::min(value.size(), colon + 1))};
  co_return Result<void, Status>();
}

}  // namespace posthorn::relayd
