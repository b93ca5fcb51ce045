#include "libdns/resolver/tcp.h"

#include <unordered_map>

#include "libdns/resolver/dns_stream.h"
#include "libdns/resolver/match.h"
#include "libmail/async/loop.h"
#include "libmail/base/random.h"

namespace posthorn::dns {

namespace {

using Kind = ExchangeError::Kind;

// Replies to nobody, on one connection: who waited may have given up, but not so often.
constexpr std::size_t max_strays = 200;

}  // namespace

struct TcpAsker::Waiting {
  std::string query;
  async::Event done;
  Result<std::string, ExchangeError> result = fail(ExchangeError());
};

struct TcpAsker::Connection {
  async::Endpoint to;
  std::optional<DnsStream> stream;  // none until it is connected
  bool dead = false;
  bool writing = false;
  std::size_t strays = 0;
  std::size_t answered = 0;
  MonoTime last_use;
  std::list<std::string> out;  // not yet sent
  std::unordered_map<std::uint16_t, Waiting*> waiting;

  explicit Connection(async::Endpoint endpoint)
      : to(std::move(endpoint)), last_use(async::Loop::current().now()) {}
  [[nodiscard]] std::uint16_t free_id() const {
    for (;;) {
      const auto id = static_cast<std::uint16_t>(random_u64());
      if (!waiting.contains(id)) return id;
    }
  }
};

async::Task<Result<std::string, ExchangeError>> TcpAsker::ask(async::Endpoint to, std::string query,
                                                              async::Deadline deadline) {
  if (closed_) co_return fail(ExchangeError(Kind::cancelled, "closed"));
  Shared connection = connection_to(to, deadline, false);
  // A server may close a connection that was idle just when we use it: that isn't its answer.
  const bool was_used = connection->answered > 0;
  auto reply = co_await ask_on(std::move(connection), query, deadline);
  if (reply || !was_used || closed_ || reply.error().kind != Kind::network) co_return reply;
  Shared fresh = connection_to(to, deadline, true);
  auto second = co_await ask_on(std::move(fresh), std::move(query), deadline);
  co_return second;
}

TcpAsker::Shared TcpAsker::connection_to(const async::Endpoint& to, async::Deadline deadline,
                                         bool fresh) {
  for (const Shared& one : connections_) {
    if (one->dead || !(one->to == to) || (fresh && one->answered > 0)) continue;
    if (one->waiting.size() < settings_.questions_each) return one;
  }
  make_room();
  auto connection = std::make_shared<Connection>(to);
  connections_.push_back(connection);
  scope_.spawn(run(connection, deadline));
  return connection;
}

// The one that has done nothing for the longest goes; one that is waited for only if there is no
// other.
void TcpAsker::make_room() {
  if (connections_.size() < settings_.connections) return;
  Connection* oldest = nullptr;
  for (const Shared& one : connections_) {
    if (one->dead || !one->stream) continue;
    if (oldest == nullptr || one->waiting.empty() > oldest->waiting.empty() ||
        (one->waiting.empty() == oldest->waiting.empty() && one->last_use < oldest->last_use))
      oldest = one.get();
  }
  if (oldest != nullptr) end(*oldest, ExchangeError(Kind::network, "too many connections"));
}

async::Task<Result<std::string, ExchangeError>> TcpAsker::ask_on(Shared connection,
                                                                 std::string query,
                                                                 async::Deadline deadline) {
  const std::uint16_t id = connection->free_id();
  set_message_id(query, id);
  Waiting waiting;
  waiting.query = query;
  connection->waiting.emplace(id, &waiting);
  connection->out.push_back(std::move(query));
  if (connection->stream && !connection->writing) scope_.spawn(write_queries(connection));
  const bool done = co_await waiting.done.wait_until(deadline);
  if (!done) {
    connection->waiting.erase(id);
    co_return fail(ExchangeError(Kind::timed_out, "no answer from " + connection->to.text()));
  }
  co_return std::move(waiting.result);
}

async::Task<void> TcpAsker::run(Shared connection, async::Deadline connect_deadline) {
  async::Endpoint to = connection->to;
  auto stream = co_await DnsStream::connect(std::move(to), connect_deadline);
  if (!stream) {
    const auto kind = stream.error().code == IoError::timed_out ? Kind::timed_out : Kind::network;
    end(*connection, ExchangeError(kind, stream.error().text()));
  } else {
    connection->stream.emplace(std::move(*stream));
    if (closed_) end(*connection, ExchangeError(Kind::cancelled, "closed"));
    if (!connection->dead) {
      scope_.spawn(write_queries(connection));
      co_await read_replies(connection);
    }
  }
  connections_.remove(connection);
}

async::Task<void> TcpAsker::read_replies(Shared connection) {
  while (!connection->dead) {
    const async::Deadline deadline = async::Deadline::in(settings_.idle);
    auto message = co_await connection->stream->receive(deadline);
    const MonoTime now = async::Loop::current().now();
    if (!message) {
      const bool in_use =
          !connection->waiting.empty() && now < connection->last_use + settings_.idle;
      if (message.error().code == IoError::timed_out && in_use) continue;
      end(*connection, ExchangeError(Kind::network, message.error().text()));
      break;
    }
    connection->last_use = now;
    const auto place = connection->waiting.find(message_id(*message));
    if (place == connection->waiting.end()) {
      if (++connection->strays <= max_strays) continue;
      end(*connection, ExchangeError(Kind::protocol, "replies to nothing that was asked"));
      break;
    }
    Waiting* waiting = place->second;
    connection->waiting.erase(place);
    ++connection->answered;
    if (is_reply_to(waiting->query, *message, LetterCase::ignored)) {
      waiting->result = std::move(*message);
    } else {
      waiting->result = fail(ExchangeError(Kind::protocol, "a reply to another question"));
    }
    waiting->done.set();
  }
}

async::Task<void> TcpAsker::write_queries(Shared connection) {
  if (connection->writing) co_return;
  connection->writing = true;
  while (!connection->dead && !connection->out.empty()) {
    connection->last_use = async::Loop::current().now();
    std::string query = std::move(connection->out.front());
    connection->out.pop_front();
    const async::Deadline deadline = async::Deadline::in(settings_.idle);
    auto sent = co_await connection->stream->send(std::move(query), deadline);
    if (!sent) end(*connection, ExchangeError(Kind::network, sent.error().text()));
  }
  connection->writing = false;
}

// Tells everybody who waits. The reading task sees it and takes the connection off the list.
void TcpAsker::end(Connection& connection, const ExchangeError& why) {
  connection.dead = true;
  if (connection.stream) connection.stream->close();
  for (auto& [id, waiting] : connection.waiting) {
    waiting->result = fail(why);
    waiting->done.set();
  }
  connection.waiting.clear();
}

async::Task<void> TcpAsker::close() {
  closed_ = true;
  for (const Shared& one : connections_) end(*one, ExchangeError(Kind::cancelled, "closed"));
  co_await scope_.join();
}

}  // namespace posthorn::dns
