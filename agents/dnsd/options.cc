#include "agents/dnsd/options.h"

#include <unistd.h>

#include "agents/dnsd/zone_files.h"
#include "libdns/resolver/server_address.h"
#include "libmail/base/read_file.h"
#include "libmail/base/text.h"

namespace posthorn::dnsd {

namespace {

std::string name_problem(const std::string& text) {
  return dns::Name::parse(text) ? "" : "expects a domain name, not \"" + printable(text) + "\"";
}
std::string forward_problem(const std::string& text) {
  const auto forward = parse_forward(text);
  return forward ? "" : forward.error();
}
std::string notify_problem(const std::string& text) {
  const auto target = parse_notify(text);
  return target ? "" : target.error();
}
std::string grant_problem(const std::string& text) {
  const auto grant = parse_grant(text);
  return grant ? "" : grant.error();
}
std::string secondary_problem(const std::string& text) {
  const auto secondary = parse_secondary(text);
  return secondary ? "" : secondary.error();
}
std::string zone_problem(const std::string& text) {
  const auto equals = text.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == text.size())
    return "expects NAME=FILE, not \"" + printable(text) + "\"";
  return name_problem(text.substr(0, equals));
}

std::vector<dns::Name> names_of(const std::vector<std::string>& texts) {
  std::vector<dns::Name> names;
  for (const std::string& text : texts) names.push_back(*dns::Name::parse(text));
  return names;
}

std::function<bool(const dns::Client&)> client_in(const std::vector<std::string>& list) {
  const auto networks = service::Networks::parse(list);
  return [networks = networks.value_or(service::Networks())](const dns::Client& client) {
    if (client.transport == dns::Client::Transport::unix_stream) return true;
    service::IpAddress address;
    if (!client.is_v6) address.octets[10] = address.octets[11] = 0xff;
    const std::string_view octets = client.octets();
    std::copy(octets.begin(), octets.end(),
              address.octets.end() - static_cast<std::ptrdiff_t>(octets.size()));
    return networks.contains(address);
  };
}

std::uint32_t whole_seconds(Duration duration) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(duration).count());
}

}  // namespace

Result<dns::Forward, std::string> parse_forward(const std::string& text) {
  const auto equals = text.find('=');
  auto suffix = dns::Name::parse(text.substr(0, equals));
  if (equals == std::string::npos || equals == 0 || !suffix)
    return fail("expects DOMAIN=ADDRESS[:PORT] or DOMAIN=unix:PATH, not \"" + printable(text) +
                "\"");
  auto server = dns::parse_server_address(std::string_view(text).substr(equals + 1));
  if (!server) return fail(server.error());
  return dns::Forward(std::move(*suffix), {std::move(*server)});
}

Options::Options() {
  access.datagrams = 1;
  serve.connections = 500;
  serve.connections_per_client = 20;
}

void Options::describe(service::OptionTable& table) {
  describe_sockets(table);
  describe_zones(table);
  describe_resolving(table);
  describe_validation(table);
  describe_cache(table);
  describe_defence(table);
}

void Options::describe_sockets(service::OptionTable& table) {
  table.group("Sockets");
  table.add_listeners("listen", listen, "where DNS is spoken: UDP and TCP, or a Unix stream socket",
                      &access);
  table
      .add("workers", access.datagrams,
           "processes that answer questions by UDP, each with its own cache")
      .unit("processes")
      .between(1, most_workers)
      .at_start();
  table.add("max-connections", serve.connections, "TCP and Unix connections at once")
      .unit("connections");
  table
      .add("max-connections-per-client", serve.connections_per_client,
           "of these from one address (IPv6: one /64)")
      .unit("connections");
  table.add("idle-time", streams.idle, "a connection without a question is closed after this")
      .at_start();
  table
      .add("udp-size", udp_octets,
           "longest answer by UDP; a longer one is truncated and asked for again by TCP")
      .unit("octets")
      .between(512, 4096);
}

void Options::describe_zones(service::OptionTable& table) {
  table.group("Own zones");
  table.add_path("zones", zones, "the directory whose files NAME.zone are the zones served")
      .at_start();
  table.add("zone", zone_files, "another zone file")
      .unit("name=file")
      .at_start()
      .check_with(zone_problem);

  table.add("sign", sign, "a zone of ours that is signed here (DNSSEC)")
      .unit("zone")
      .at_start()
      .check_with(name_problem);
  table
      .add_path(
          "zone-keys", zone_keys,
          "the directory of the keys, as dnssec-keygen makes them; a zone without one gets one")
      .at_start();
  table
      .add("secondary", secondaries,
           "a zone that is copied from its primary, whose answers may be signed with a key")
      .unit("zone=address:port,key")
      .at_start()
      .check_with(secondary_problem);
  table.add_path(
      "keys", keys,
      "the TSIG keys that clients and servers share with us, as tsig-keygen writes them");
  table
      .add("grant", grants,
           "what the holder of a key may change by UPDATE: KEY self|subdomain|exact|wildcard NAME "
           "[TYPE,...]")
      .unit("rule")
      .check_with(grant_problem);
  table.add("serial", serial, "how a zone gets its next serial when it is updated")
      .one_of({"increment", "unix-time"});
  table
      .add("transfer-networks", transfer_networks,
           "who may copy whole zones; clients of Unix sockets always may")
      .unit("network");
  table.add("transfer-key", transfer_keys, "a key whose holder may, from anywhere")
      .unit("name")
      .check_with(name_problem);
  table.add("notify", notify, "a secondary that is told when a zone changes, perhaps under a key")
      .unit("address:port,key")
      .check_with(notify_problem);
}

void Options::describe_resolving(service::OptionTable& table) {
  table.group("Looking further");
  table.add("recursion", recursion, "find answers that own zones don't have").at_start();
  table
      .add("recursion-networks", recursion_networks,
           "whose questions are looked for elsewhere; clients of Unix sockets always may")
      .unit("network");
  table
      .add("trusted-networks", trusted_networks,
           "who is told that answers of own signed zones are secure (AD)")
      .unit("network");
  table
      .add("forward", forwards,
           "the server that is asked about a domain and all below it; \".\" is everything")
      .unit("domain=host:port")
      .at_start()
      .check_with(forward_problem);
  table
      .add_path("root-hints", root_hints,
                "where the root's servers are, as a zone file; empty: those of 2024")
      .at_start();
  table.add("ipv6", ipv6, "ask servers by IPv6, too").at_start();
  table
      .add("minimise-names", minimise_names,
           "tell each server no more of a name than it needs (RFC 9156)")
      .at_start();
  table.add("randomise-case", randomise_case, "write questions in random case against forgers")
      .at_start();
  table
      .add("filter-private", filter_private,
           "drop private addresses from others' answers (DNS rebinding)")
      .at_start();
  table.add("private-name", private_names, "where private addresses are right; and all below it")
      .unit("domain")
      .at_start()
      .check_with(name_problem);
  table
      .add("ask-loopback", ask_loopback,
           "believe that servers of other zones may be on this machine; for tests")
      .at_start();
  table.add("authority-port", authority_port, "where servers of other zones listen; for tests")
      .unit("port")
      .between(1, 65535)
      .at_start();
}

void Options::describe_validation(service::OptionTable& table) {
  table.group("DNSSEC");
  table.add("validate", validate, "check signatures of others' answers").at_start();
  table
      .add_path("trust-anchors", trust_anchors,
                "DS or DNSKEY records as a zone file; empty: the root's keys of 2017 and 2024")
      .at_start();
  table
      .add("negative-trust-anchor", negative_trust_anchors,
           "nothing is validated at this name and below (RFC 7646)")
      .unit("domain")
      .at_start()
      .check_with(name_problem);
}

void Options::describe_cache(service::OptionTable& table) {
  table.group("Cache");
  table.add_size("cache-size", cache.budget_octets, "memory for what was learned").at_start();
  table.add_size("ready-size", ready_octets, "memory for answers that are ready to be sent")
      .at_start();
  table.add("min-ttl", cache.min_ttl, "what was learned is kept at least so long")
      .unit("seconds")
      .between(0, 3600)
      .at_start();
  table.add("max-ttl", cache.max_ttl, "and at most so long").unit("seconds").at_start();
  table
      .add("max-negative-ttl", cache.max_negative_ttl,
           "that there is nothing is kept at most so long")
      .unit("seconds")
      .at_start();
  table.add("prefetch", prefetch, "ask again for what is asked often before it expires").at_start();
  table
      .add("serve-stale", serve_stale,
           "when nobody answers, what expired less than this ago is good enough (RFC 8767)")
      .at_start();
  table.add("never-stale", never_stale, "except at this name and below: block lists")
      .unit("domain")
      .at_start()
      .check_with(name_problem);
}

void Options::describe_defence(service::OptionTable& table) {
  table.group("Defence");
  table.add("cookies", cookies, "know clients again by cookies (RFC 7873)");
  table
      .add("rate-limit", rate.answers,
           "equal answers a second to one network without recursion; 0: no limit")
      .unit("answers");
  table
      .add("rate-slip", rate.slip,
           "of answers over the limit every so many is sent truncated, the others not at all")
      .unit("answers");
}

std::vector<std::string> Options::check(const service::Site&) const {
  std::vector<std::string> problems;
  const auto files = find_zone_files(zones, zone_files);
  if (!files) problems.push_back(files.error());
  for (const ZoneFile& file : files ? *files : std::vector<ZoneFile>()) {
    const dns::MasterFile loaded = load_zone_file(file);
    if (loaded.zone) continue;  // what else is wrong with it is logged
    for (const dns::Problem& problem : loaded.problems) {
      if (problem.severity != dns::Problem::Severity::warning) problems.push_back(problem.text());
    }
  }
  for (const auto* list : {&recursion_networks, &trusted_networks, &transfer_networks}) {
    const auto networks = service::Networks::parse(*list);
    if (!networks) problems.push_back(networks.error());
  }
  if (const auto read = read_keys(); !read) problems.push_back(read.error());
  const auto check_text = [&problems](const std::string& path, auto parse) {
    if (path.empty()) return;
    const auto text = read_file(path);
    if (!text) return problems.push_back(text.error().text());
    const auto parsed = parse(*text);
    if (!parsed) problems.push_back(path + ": " + parsed.error());
  };
  check_text(root_hints, [](const std::string& text) { return dns::parse_root_hints(text); });
  check_text(trust_anchors, [](const std::string& text) { return dns::TrustAnchors::parse(text); });
  return problems;
}

Result<std::vector<dns::TsigKey>, std::string> Options::read_keys() const {
  if (keys.empty() || ::access(keys.c_str(), F_OK) != 0) return std::vector<dns::TsigKey>();
  const auto text = read_file(keys);
  if (!text) return fail(text.error().text());
  auto parsed = dns::parse_tsig_keys(*text);
  if (!parsed) return fail(keys + ": " + parsed.error());
  return std::move(*parsed);
}

KeeperSettings Options::keeper_settings() const {
  KeeperSettings settings;
  for (const std::string& text : grants) settings.grants.push_back(*parse_grant(text));
  for (const std::string& text : notify) settings.notify.push_back(*parse_notify(text));
  settings.transfer_keys = names_of(transfer_keys);
  settings.transfer_networks = *service::Networks::parse(transfer_networks);
  if (serial == "unix-time") settings.serial_policy = dns::SerialPolicy::unix_time;
  return settings;
}

SigningSettings Options::signing_settings() const {
  SigningSettings settings;
  settings.zones = names_of(sign);
  settings.keys = zone_keys;
  if (serial == "unix-time") settings.policy.serial = dns::SerialPolicy::unix_time;
  return settings;
}

dns::RecursorSettings Options::recursor_settings() const {
  dns::RecursorSettings settings;
  for (const std::string& text : forwards) {
    dns::Forward forward = *parse_forward(text);
    bool is_known = false;
    for (dns::Forward& other : settings.forwards) {
      if (other.suffix != forward.suffix) continue;
      other.servers.push_back(forward.servers.front());
      is_known = true;
    }
    if (!is_known) settings.forwards.push_back(std::move(forward));
  }
  if (!root_hints.empty()) settings.root_hints = *dns::parse_root_hints(*read_file(root_hints));
  if (!trust_anchors.empty())
    settings.anchors = *dns::TrustAnchors::parse(*read_file(trust_anchors));
  settings.negative_anchors = names_of(negative_trust_anchors);
  settings.validate = validate;
  settings.use_ipv6 = ipv6;
  settings.minimise_names = minimise_names;
  settings.randomise_case = randomise_case;
  settings.prefetch = prefetch;
  settings.serve_stale = serve_stale != Duration::zero();
  settings.never_stale = names_of(never_stale);
  settings.filter_private_answers = filter_private;
  settings.private_names = names_of(private_names);
  settings.ask_loopback = ask_loopback;
  settings.authority_port = authority_port;
  return settings;
}

dns::CacheSettings Options::cache_settings() const {
  dns::CacheSettings settings = cache;
  settings.stale_for = whole_seconds(serve_stale);
  return settings;
}

dns::ResponderSettings Options::responder_settings() const {
  dns::ResponderSettings settings;
  settings.stream_idle = streams.idle;
  settings.may_recurse = client_in(recursion_networks);
  settings.is_trusted = client_in(trusted_networks);
  settings.udp_octets = udp_octets;
  settings.rate = rate;
  settings.ready_octets = ready_octets;
  return settings;
}

}  // namespace posthorn::dnsd
