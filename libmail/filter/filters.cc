#include "libmail/filter/filters.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "libmail/base/text.h"

namespace posthorn::filter {

using async::Task;

namespace {

constexpr std::array<std::pair<std::string_view, WithoutFilter>, 4> without_names{{
    {"tempfail", WithoutFilter::tempfail},
    {"reject", WithoutFilter::reject},
    {"accept", WithoutFilter::accept},
    {"quarantine", WithoutFilter::quarantine},
}};

std::optional<WithoutFilter> parse_without(std::string_view text) {
  const auto* found = std::find_if(without_names.begin(), without_names.end(),
                                   [text](const auto& each) { return each.first == text; });
  if (found == without_names.end()) return std::nullopt;
  return found->second;
}

std::string filter_problem(const std::string& text) {
  const auto filter = parse_filter(text);
  return filter ? std::string() : filter.error();
}

}  // namespace

Result<FilterName, std::string> parse_filter(std::string_view text) {
  FilterName filter;
  const std::size_t equals = text.find('=');
  const std::size_t colon = text.find(':');
  if (equals != std::string_view::npos && equals < colon) {
    filter.without = parse_without(text.substr(0, equals));
    if (!filter.without) {
      return fail(fmt::format("\"{}\" is none of tempfail, reject, accept, quarantine",
                              printable(text.substr(0, equals), 40)));
    }
    text.remove_prefix(equals + 1);
  }
  auto endpoint = async::parse_server(text);
  if (!endpoint) return fail(std::move(endpoint.error()));
  filter.endpoint = std::move(*endpoint);
  return filter;
}

void FilterOptions::describe(service::OptionTable& table) {
  table
      .add("milters", milters,
           "filters that see every message (milter protocol), in this order: inet:HOST:PORT or "
           "unix:PATH; accept=unix:PATH has its own milter-unavailable")
      .unit("filter")
      .check_with(filter_problem);
  table
      .add("milter-unavailable", when_unavailable,
           "what becomes of a message whose filter is down, silent or talks nonsense: 451, 550, "
           "taken without it, or taken and held in the queue")
      .one_of({"tempfail", "reject", "accept", "quarantine"});
  table.add("milter-daemon-name", daemon_name, "what filters are told as {daemon_name}");
  table
      .add("milter-protocol", protocol,
           "the newest version of the protocol that filters are offered")
      .between(milter::oldest_version, milter::newest_version);
  table.add("milter-connect-time", times.connect, "to reach a filter and agree with it");
  table.add("milter-command-time", times.command,
            "for a filter's answer to a client, a sender, a recipient");
  table.add("milter-content-time", times.content,
            "for its answer to a header field or a piece of the body");
  table.add("milter-end-time", times.end_of_message,
            "for its last word on a message; begins anew when it says that it works on it");
}

bool FilterOptions::ask_by_inet() const {
  return std::any_of(milters.begin(), milters.end(), [](const std::string& text) {
    const auto filter = parse_filter(text);
    return filter && filter->endpoint.kind == async::Endpoint::Kind::inet;
  });
}

Filters::Filters(service::Site site, service::Log& log, service::Metrics& metrics,
                 HoldingPlace place)
    : site_(std::move(site)),
      log_(log),
      failures_(metrics.counter("posthorn_milter_failures_total",
                                "filters that were down, silent or talked nonsense")),
      place_(std::move(place)),
      now_(std::make_shared<FilterSet>()) {}

void Filters::load(const FilterOptions& options, const std::string& hostname) {
  auto set = std::make_shared<FilterSet>();
  for (const std::string& text : options.milters) {
    auto name = parse_filter(text);
    if (!name) continue;  // the option's check has refused it
    FilterSet::Filter& filter = set->filters.emplace_back();
    filter.endpoint = service::endpoint_of(site_, std::move(name->endpoint));
    filter.without =
        name->without ? *name->without
                      : parse_without(options.when_unavailable).value_or(WithoutFilter::tempfail);
  }
  set->protocol = options.protocol;
  set->times = options.times;
  set->identity.hostname = hostname;
  set->identity.daemon = options.daemon_name;
  set->identity.software = fmt::format("Posthorn {}", service::version);
  set->place = place_;
  now_ = std::move(set);
}

std::unique_ptr<session::MilterClient> Filters::make_client(const FilterSet& set,
                                                            const FilterSet::Filter& filter) {
  auto client = std::make_unique<session::MilterClient>(filter.endpoint, set.protocol, set.times,
                                                        milter::Limits());
  clients_.insert(client.get());
  return client;
}

void Filters::see_off(std::unique_ptr<session::MilterClient> client) {
  if (client == nullptr) return;
  if (stopping_ || !client->is_open()) {
    clients_.erase(client.get());
    return;
  }
  goodbyes_.spawn(say_goodbye(std::move(client)));
}

Task<void> Filters::say_goodbye(std::unique_ptr<session::MilterClient> client) {
  co_await client->leave();
  clients_.erase(client.get());
}

Task<void> Filters::stop() {
  stopping_ = true;
  for (session::MilterClient* client : clients_) client->cut();
  co_await goodbyes_.join();
}

}  // namespace posthorn::filter
