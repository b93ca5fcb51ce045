#include <unordered_map>

#include "libmail/base/text.h"
#include "libmail/service/listeners.h"
#include "libmail/service/networks.h"
#include "libmail/service/proxied.h"

namespace posthorn::service {

using async::Deadline;
using async::Task;

namespace {

// What connections of one client are counted under: the address, for IPv6 its /64, since one
// customer has that many. "" = not counted.
std::string client_key(const async::Peer& peer) {
  const auto address = parse_ip(peer.address);
  if (!address) return {};
  constexpr std::size_t v6_network = 8;
  const std::string_view octets(reinterpret_cast<const char*>(address->octets.data()),
                                address->octets.size());
  return std::string(address->is_v4() ? octets : octets.substr(0, v6_network));
}

}  // namespace

struct Acceptor::State {
  OpenListeners open;
  Session session;
  const ServeLimits& limits;
  Log& log;
  std::function<void()> stdio_ended;
  std::vector<std::unique_ptr<async::Listener>> listeners;
  std::unordered_map<std::string, std::size_t> per_client;
  std::size_t running = 0;
  async::Scope scope;
  async::Event idle;
  Counter& accepted;
  Counter& refused;
  Gauge& now;

  State(OpenListeners o, Session s, const ServeLimits& l, Log& lg, Metrics& m,
        std::function<void()> ended)
      : open(std::move(o)),
        session(std::move(s)),
        limits(l),
        log(lg),
        stdio_ended(std::move(ended)),
        accepted(m.counter("posthorn_connections_total", "clients accepted", label())),
        refused(m.counter("posthorn_connections_refused_total", "clients over a limit", label())),
        now(m.gauge("posthorn_connections", "clients connected", label())) {}

  [[nodiscard]] std::string label() const { return "listener=\"" + open.name + "\""; }

  // What stands against one more client: the name of the limit, "" if nothing.
  [[nodiscard]] std::string_view limit_hit(const std::string& key) const {
    if (running >= limits.connections) return "connections";
    const auto known = per_client.find(key);
    if (!key.empty() && known != per_client.end() &&
        known->second >= limits.connections_per_client) {
      return "connections_per_client";
    }
    return {};
  }

  void admit(std::unique_ptr<async::Stream> stream) {
    const std::string key = client_key(stream->peer());
    if (turned_away(stream, key)) return;
    accepted.add();
    begin(key);
    Connection connection(std::move(stream), open.name);
    scope.spawn(run(std::move(connection), key, false));
  }

  // True if there is no place for one more client `key`; `stream` is taken then.
  bool turned_away(std::unique_ptr<async::Stream>& stream, const std::string& key) {
    const std::string_view limit = limit_hit(key);
    if (limit.empty()) return false;
    refused.add();
    log.warning("", "connection-refused",
                {{"limit", limit}, {"client", stream->peer().text()}, {"listener", open.name}});
    scope.spawn(refuse(std::move(stream)));
    return true;
  }

  // A balancer's connections are counted by the client each is for, once that is known.
  Task<void> admit_through(std::unique_ptr<async::Stream> stream) {
    const std::string nobody;
    if (turned_away(stream, nobody)) co_return;
    begin(nobody);
    const std::string proxy = stream->peer().text();
    auto client = co_await meet_proxy(std::move(stream), Deadline::in(proxy_header_time));
    end(nobody);
    if (client) {
      admit(std::move(*client));
    } else if (!client.error().empty()) {
      refused.add();
      log.warning("", "proxy-refused",
                  {{"proxy", proxy}, {"listener", open.name}, {"why", client.error()}});
    }
  }

  void begin(const std::string& key) {
    ++running;
    now.add(1);
    idle.reset();
    if (!key.empty()) ++per_client[key];
  }
  void end(const std::string& key) {
    --running;
    now.add(-1);
    const auto known = per_client.find(key);
    if (known != per_client.end() && --known->second == 0) per_client.erase(known);
    if (running == 0) idle.set();
  }

  Task<void> run(Connection connection, std::string key, bool is_stdio) {
    co_await session(std::move(connection));
    end(key);
    if (is_stdio) stdio_ended();
  }

  // Best effort: the reply fits the socket's buffer, so this waits for nobody.
  Task<void> refuse(std::unique_ptr<async::Stream> stream) {
    if (!limits.refusal.empty()) {
      const std::string refusal = limits.refusal;
      const auto ignored = co_await stream->write(refusal, Deadline::in(std::chrono::seconds(1)));
      (void)ignored;
      co_await stream->shutdown(Deadline::in(std::chrono::seconds(1)));
    }
    stream->close();
  }

  Task<void> accept_on(async::Listener* listener) {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      if (is_proxy(limits.proxy_networks, (*stream)->peer())) {
        scope.spawn(admit_through(std::move(*stream)));
      } else {
        admit(std::move(*stream));
      }
    }
  }
};

Acceptor::Acceptor(OpenListeners open, Session session, const ServeLimits& limits, Log& log,
                   Metrics& metrics, std::function<void()> stdio_ended)
    : state_(std::make_unique<State>(std::move(open), std::move(session), limits, log, metrics,
                                     std::move(stdio_ended))) {}
Acceptor::~Acceptor() = default;

Result<void, IoError> Acceptor::start() {
  State& state = *state_;
  for (Fd& socket : state.open.sockets) {
    auto listener = async::listen_on(std::move(socket));
    if (!listener) return fail(std::move(listener.error()));
    state.listeners.push_back(std::move(*listener));
  }
  state.open.sockets.clear();
  for (const auto& listener : state.listeners) state.scope.spawn(state.accept_on(listener.get()));
  if (state.open.stdio) {
    auto stream = async::stdio_stream();
    if (!stream) return fail(std::move(stream.error()));
    state.accepted.add();
    state.begin({});
    Connection connection(std::move(*stream), state.open.name);
    state.scope.spawn(state.run(std::move(connection), {}, true));
  }
  return {};
}

void Acceptor::stop_accepting() {
  for (const auto& listener : state_->listeners) listener->close();
}

std::size_t Acceptor::sessions() const {
  return state_->running;
}

Task<bool> Acceptor::join(Deadline deadline) {
  State& state = *state_;
  while (state.running > 0) {
    const bool ended = co_await state.idle.wait_until(deadline);
    if (!ended) co_return false;
  }
  // Only refusals and closed accept loops are left, which end by themselves.
  co_await state.scope.join();
  co_return true;
}

}  // namespace posthorn::service
