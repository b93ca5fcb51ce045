#include "libdns/stub/resolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "libdns/resolver/dns_stream.h"
#include "libdns/resolver/server_address.h"
#include "libdns/stub/channel.h"
#include "libdns/stub/reply.h"
#include "libdns/wire/address.h"
#include "libdns/wire/builder.h"
#include "libmail/async/event.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t max_servers = 3;  // resolv.conf(5): MAXNS

bool is_loopback(std::string_view address) {
  if (const auto a = parse_a(address)) return a->address[0] == 127;
  const auto aaaa = parse_aaaa(address);
  return aaaa && aaaa->text() == "::1";
}

// The same address, however it is written.
bool same_address(std::string_view a, std::string_view b) {
  const auto a4 = parse_a(a);
  const auto b4 = parse_a(b);
  if (a4 || b4) return a4 == b4;
  const auto a6 = parse_aaaa(a);
  return a6 && a6 == parse_aaaa(b);
}

// One packet on its way. Shared with the channel, since nobody waits for it any more once its time is over.
struct Attempt {
  async::Event done;
  std::string octets;
  std::string trouble = "no reply in time";
};

// On a connection of its own: over a Unix socket one costs less than to keep it.
async::Task<Result<std::string, std::string>> ask_stream(std::string path, std::string query,
                                                         async::Deadline deadline) {
  const std::string id = query.substr(0, 2);
  auto stream = co_await DnsStream::connect(async::Endpoint::unix_path(std::move(path)), deadline);
  if (!stream) co_return fail(stream.error().text());
  const auto sent = co_await stream->send(std::move(query), deadline);
  if (!sent) co_return fail(sent.error().text());
  auto reply = co_await stream->receive(deadline);
  if (!reply) co_return fail(reply.error().text());
  if (!reply->starts_with(id)) co_return fail(std::string("the reply is to another question"));
  co_return std::move(*reply);
}

}  // namespace

std::string_view to_string(Presence presence) {
  switch (presence) {
    case Presence::found:
      return "found";
    case Presence::nodata:
      return "no data";
    case Presence::nxdomain:
      return "no such name";
    case Presence::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string Server::text() const {
  if (!path.empty()) return "unix:" + path;
  return address.find(':') == std::string::npos ? fmt::format("{}:{}", address, port)
                                                : fmt::format("[{}]:{}", address, port);
}

std::optional<Server> parse_server(std::string_view text) {
  auto endpoint = parse_server_address(text);
  if (!endpoint) return std::nullopt;
  Server server(std::move(endpoint->host), endpoint->port);
  server.path = std::move(endpoint->path);
  return server;
}

std::vector<Server> parse_resolv_conf(std::string_view text) {
  std::vector<Server> servers;
  for (const std::string_view line : split(text, '\n')) {
    const auto parts = words(line);
    if (parts.size() < 2 || parts[0] != "nameserver" || servers.size() == max_servers) continue;
    // An IPv6 address may name its interface, which c-ares can't.
    const std::string_view address = parts[1].substr(0, parts[1].find('%'));
    if (parse_a(address) || parse_aaaa(address)) servers.emplace_back(std::string(address));
  }
  if (servers.empty()) servers.emplace_back("127.0.0.1");
  return servers;
}

ResolverOptions ResolverOptions::from_system() {
  std::ifstream file("/etc/resolv.conf");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return ResolverOptions(parse_resolv_conf(text));
}

struct Resolver::State {
  explicit State(ResolverOptions given)
      : options(std::move(given)), channels(options.servers.size()) {}

  ResolverOptions options;
  std::vector<std::shared_ptr<Channel>> channels;  // one a server; empty until it is needed
  bool closed = false;

  [[nodiscard]] bool trusts(const Server& server) const {
    return !server.path.empty() || is_loopback(server.address) ||
           std::any_of(options.trusted.begin(), options.trusted.end(),
                       [&server](const std::string& a) { return same_address(a, server.address); });
  }
  std::shared_ptr<Channel> channel(std::size_t server) {
    auto& open = channels[server];
    if (!open) open = std::make_shared<Channel>(options.servers[server]);
    return open;
  }
  // c-ares has met a server without EDNS on this channel and may have turned EDNS off for it. Questions on the way
  // still end there, later ones get a new channel.
  void retire(const std::shared_ptr<Channel>& used) {
    std::replace(channels.begin(), channels.end(), used, std::shared_ptr<Channel>());
  }

  // The reply's octets, or why there are none.
  async::Task<Result<std::string, std::string>> send(std::shared_ptr<Channel> channel,
                                                     std::string query, async::Deadline deadline);
  static async::Task<Reading> ask_server(std::shared_ptr<State> state, std::size_t server,
                                         Question question, std::vector<Name> aliases,
                                         async::Deadline deadline);
  static async::Task<Reading> ask_servers(std::shared_ptr<State> state, Question question,
                                          std::vector<Name> aliases, async::Deadline deadline);
};

async::Task<Result<std::string, std::string>> Resolver::State::send(
    std::shared_ptr<Channel> channel, std::string query, async::Deadline deadline) {
  const auto attempt = std::make_shared<Attempt>();
  channel->send(std::move(query), [attempt](Result<std::string_view, std::string> reply) {
    if (reply) {
      attempt->octets = *reply;
    } else {
      attempt->trouble = reply.error();
    }
    attempt->done.set();
  });
  // Late or never: what counts is whether octets came.
  static_cast<void>(co_await attempt->done.wait_until(deadline));
  if (attempt->octets.empty()) co_return fail(std::move(attempt->trouble));
  co_return std::move(attempt->octets);
}

async::Task<Reading> Resolver::State::ask_server(std::shared_ptr<State> state, std::size_t server,
                                                 Question question, std::vector<Name> aliases,
                                                 async::Deadline deadline) {
  const Server& to = state->options.servers[server];
  QueryFlags flags;
  flags.authentic_data = true;
  std::string query = make_query(static_cast<std::uint16_t>(random_u64()), question, flags);
  const bool is_stream = !to.path.empty();
  const std::shared_ptr<Channel> channel = is_stream ? nullptr : state->channel(server);
  Result<std::string, std::string> reply;
  if (is_stream) {
    reply = co_await ask_stream(to.path, std::move(query), deadline);
  } else {
    reply = co_await state->send(channel, std::move(query), deadline);
  }
  Reading reading;
  if (!reply) {
    reading.answer.owner = question.name;
    reading.answer.reason = reply.error();
  } else {
    reading = read_reply(*reply, question, state->trusts(to), aliases, state->options.max_aliases);
    if (!reading.edns && channel) state->retire(channel);
  }
  if (!reading.answer.reason.empty()) reading.answer.reason += " from " + to.text();
  co_return reading;
}

async::Task<Reading> Resolver::State::ask_servers(std::shared_ptr<State> state, Question question,
                                                  std::vector<Name> aliases,
                                                  async::Deadline deadline) {
  const std::size_t servers = state->options.servers.size();
  std::vector<std::string> troubles(servers);
  std::vector<bool> settled(servers, false);
  Reading last;
  last.answer.owner = question.name;
  Duration patience = state->options.try_time;
  for (unsigned round = 0; round < state->options.rounds; ++round, patience *= 2) {
    for (std::size_t server = 0; server < servers; ++server) {
      if (settled[server] || state->closed || deadline.passed()) continue;
      const async::Deadline until = async::Deadline::in(patience).or_before(deadline);
      Reading reading = co_await ask_server(state, server, question, aliases, until);
      if (reading.usable) co_return reading;
      troubles[server] = reading.answer.reason;
      settled[server] = reading.final;
      last = std::move(reading);
    }
  }
  std::string reason;
  for (const std::string& trouble : troubles) {
    if (trouble.empty()) continue;
    if (!reason.empty()) reason += "; ";
    reason += trouble;
  }
  if (reason.empty()) reason = servers == 0 ? "no server is configured" : "no time left to ask";
  last.answer.reason = std::move(reason);
  co_return last;
}

Resolver::Resolver(ResolverOptions options) : state_(std::make_shared<State>(std::move(options))) {}

Resolver::~Resolver() {
  state_->closed = true;
  for (const auto& channel : state_->channels) {
    if (channel) channel->close();
  }
}

const ResolverOptions& Resolver::options() const {
  return state_->options;
}

async::Task<Answer> Resolver::ask(Name name, Type type, async::Deadline deadline) {
  const std::shared_ptr<State> state = state_;  // outlives a resolver that is destroyed meanwhile
  const std::string asked = name.text() + " " + to_string(type);
  std::vector<Name> aliases;
  std::uint32_t ttl = 0x7fffffff;
  Security security = Security::secure;
  Question question(std::move(name), type);
  for (;;) {
    Reading reading = co_await State::ask_servers(state, question, aliases, deadline);
    Answer answer = std::move(reading.answer);
    aliases.insert(aliases.end(), answer.aliases.begin(), answer.aliases.end());
    ttl = std::min(ttl, answer.ttl);
    security = weakest(security, answer.security);
    if (reading.ask_next) {
      question.name = std::move(*reading.ask_next);
      continue;
    }
    answer.aliases = std::move(aliases);
    answer.ttl = answer.answered() ? ttl : 0;
    answer.security = security;
    const std::string_view what =
        answer.security == Security::bogus ? "bogus" : to_string(answer.presence);
    std::string reason = answer.reason.empty() ? fmt::format("{}: {}", asked, what)
                                               : fmt::format("{}: {}", asked, answer.reason);
    if (!answer.aliases.empty()) reason += " (alias of " + answer.owner.text() + ")";
    answer.reason = std::move(reason);
    co_return answer;
  }
}

}  // namespace posthorn::dns
