#include "libdns/resolver/exchange.h"

#include <netinet/in.h>
#include <sys/socket.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <set>

#include "libdns/resolver/dns_stream.h"
#include "libdns/resolver/match.h"
#include "libdns/wire/builder.h"
#include "libmail/async/loop.h"
#include "libmail/async/poll.h"
#include "libmail/async/scope.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::dns;
using posthorn::async::Deadline;
using posthorn::async::Endpoint;
using posthorn::async::Task;
using std::chrono::milliseconds;

namespace {

std::string query_for(std::string_view name) {
  return make_query(1, Question(*Name::parse(name), Type::a));
}

// The query with QR: what the simplest of servers would say.
std::string echo(std::string_view query) {
  std::string reply(query);
  reply[2] = static_cast<char>(reply[2] | 0x80);
  return reply;
}

// A UDP server on a port of its own that sends what `answer` makes of each query.
class UdpServer {
 public:
  using Answer = Function<std::vector<std::string>(const std::string&)>;
  explicit UdpServer(Answer answer)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0)), answer_(std::move(answer)) {
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(socket_.get(), reinterpret_cast<sockaddr*>(&at), sizeof at) == 0);
    socklen_t length = sizeof at;
    REQUIRE(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&at), &length) == 0);
    port = ntohs(at.sin_port);
    watch_ = std::make_unique<async::FdWatch>(socket_.get(), [this](bool, bool) { serve(); });
    watch_->want(true, false);
  }
  [[nodiscard]] Endpoint endpoint() const { return Endpoint::inet("127.0.0.1", port); }
  std::uint16_t port = 0;
  std::vector<std::uint16_t> from_ports;
  std::vector<std::uint16_t> ids;

 private:
  void serve() {
    char octets[2048];
    sockaddr_in from{};
    socklen_t length = sizeof from;
    const ssize_t count = ::recvfrom(socket_.get(), octets, sizeof octets, 0,
                                     reinterpret_cast<sockaddr*>(&from), &length);
    if (count <= 0) return;
    const std::string query(octets, static_cast<std::size_t>(count));
    from_ports.push_back(ntohs(from.sin_port));
    ids.push_back(message_id(query));
    for (const std::string& reply : answer_(query)) {
      ::sendto(socket_.get(), reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from),
               length);
    }
  }
  Fd socket_;
  Answer answer_;
  std::unique_ptr<async::FdWatch> watch_;
};

struct Asked {
  Result<std::string, ExchangeError> reply = fail(ExchangeError());
};

Task<void> ask_into(NetworkExchange& exchange, Endpoint to, std::string query, Transport transport,
                    Deadline deadline, Asked& into) {
  auto reply = co_await exchange.ask(std::move(to), std::move(query), transport, deadline);
  into.reply = std::move(reply);
}

Asked ask_udp(UdpServer& server, const std::string& query, milliseconds patience) {
  Asked asked;
  NetworkExchange exchange;
  async::run([](NetworkExchange& e, Endpoint to, std::string q, milliseconds wait,
                Asked& into) -> Task<void> {
    const Deadline deadline = Deadline::in(wait);
    co_await ask_into(e, std::move(to), std::move(q), Transport::udp, deadline, into);
    co_await e.close();
  }(exchange, server.endpoint(), query, patience, asked));
  return asked;
}

}  // namespace

TEST_CASE("the reply to a question by UDP is given as it came") {
  UdpServer server([](const std::string& query) { return std::vector{echo(query)}; });
  const std::string query = query_for("MiXed.example");
  const Asked asked = ask_udp(server, query, milliseconds(2000));
  REQUIRE(asked.reply);
  CHECK(asked.reply->substr(4) == query.substr(4));
}

TEST_CASE("the first wrong id ends the try, though the right reply follows") {
  UdpServer server([](const std::string& query) {
    std::string wrong = echo(query);
    wrong[0] = static_cast<char>(wrong[0] + 1);
    return std::vector{wrong, echo(query)};
  });
  const Asked asked = ask_udp(server, query_for("a.example"), milliseconds(2000));
  REQUIRE_FALSE(asked.reply);
  CHECK(asked.reply.error().kind == ExchangeError::Kind::mismatch);
}

TEST_CASE("letters in another case are another question") {
  UdpServer server([](const std::string& query) {
    std::string lower = echo(query);
    for (std::size_t i = 12; i < 22; ++i) lower[i] = static_cast<char>(std::tolower(lower[i]));
    return std::vector{lower};
  });
  const Asked asked = ask_udp(server, query_for("A.eXample"), milliseconds(2000));
  REQUIRE_FALSE(asked.reply);
  CHECK(asked.reply.error().kind == ExchangeError::Kind::mismatch);
}

TEST_CASE("a question without QR that comes back is no reply") {
  UdpServer server([](const std::string& query) { return std::vector{query}; });
  const Asked asked = ask_udp(server, query_for("a.example"), milliseconds(2000));
  REQUIRE_FALSE(asked.reply);
  CHECK(asked.reply.error().kind == ExchangeError::Kind::mismatch);
}

TEST_CASE("packets from another address than the one asked are never seen") {
  UdpServer other([](const std::string&) { return std::vector<std::string>{}; });
  Fd stranger(::socket(AF_INET, SOCK_DGRAM, 0));
  UdpServer* self = nullptr;
  UdpServer server([&](const std::string& query) {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    to.sin_port = htons(self->from_ports.back());
    const std::string forged = echo(query);
    ::sendto(stranger.get(), forged.data(), forged.size(), 0, reinterpret_cast<sockaddr*>(&to),
             sizeof to);
    return std::vector<std::string>{};
  });
  self = &server;
  const Asked asked = ask_udp(server, query_for("a.example"), milliseconds(100));
  REQUIRE_FALSE(asked.reply);
  CHECK(asked.reply.error().kind == ExchangeError::Kind::timed_out);
  CHECK(server.ids.size() == 1);
}

TEST_CASE("ports and ids of questions are spread over their whole range") {
  UdpServer server([](const std::string& query) { return std::vector{echo(query)}; });
  NetworkExchange exchange;
  constexpr int count = 2000;
  async::run([](NetworkExchange& e, Endpoint to) -> Task<void> {
    for (int i = 0; i < count; ++i) {
      Asked asked;
      std::string query = query_for("a.example");
      const Deadline deadline = Deadline::in(milliseconds(2000));
      co_await ask_into(e, to, std::move(query), Transport::udp, deadline, asked);
    }
    co_await e.close();
  }(exchange, server.endpoint()));
  REQUIRE(server.ids.size() == count);
  // 16 classes of 125 each on average; 99.999 % of fair draws stay below 52.
  const auto chi_square = [](const std::vector<std::uint16_t>& values, std::uint32_t first) {
    std::array<double, 16> classes{};
    for (const std::uint16_t value : values) {
      const std::uint32_t place = (value - first) * 16U / (65536U - first);
      REQUIRE(place < 16);
      ++classes[place];
    }
    double sum = 0;
    for (const double seen : classes) sum += (seen - count / 16.0) * (seen - count / 16.0);
    return sum / (count / 16.0);
  };
  CHECK(chi_square(server.ids, 0) < 52);
  CHECK(chi_square(server.from_ports, NetworkSettings().first_port) < 52);
  CHECK(std::set(server.from_ports.begin(), server.from_ports.end()).size() > count * 9 / 10);
}

TEST_CASE("a reply that came while the loop was busy isn't too late") {
  UdpServer server([](const std::string& query) {
    const auto end = std::chrono::steady_clock::now() + milliseconds(60);
    while (std::chrono::steady_clock::now() < end) {
    }
    return std::vector{echo(query)};
  });
  CHECK(ask_udp(server, query_for("a.example"), milliseconds(20)).reply);
}

TEST_CASE("a port where nobody listens is a network error and no silence") {
  std::uint16_t port = 0;
  {
    port = UdpServer([](const std::string&) { return std::vector<std::string>{}; }).port;
  }
  NetworkExchange exchange;
  Asked asked;
  async::run([](NetworkExchange& e, std::uint16_t at, Asked& into) -> Task<void> {
    Endpoint to = Endpoint::inet("127.0.0.1", at);
    std::string query = query_for("a.example");
    const Deadline deadline = Deadline::in(milliseconds(2000));
    co_await ask_into(e, std::move(to), std::move(query), Transport::udp, deadline, into);
    co_await e.close();
  }(exchange, port, asked));
  REQUIRE_FALSE(asked.reply);
  CHECK(asked.reply.error().kind == ExchangeError::Kind::network);
}

TEST_CASE("who closes the exchange ends what waits") {
  UdpServer server([](const std::string&) { return std::vector<std::string>{}; });
  NetworkExchange exchange;
  Asked asked;
  async::run([](NetworkExchange& e, Endpoint to, Asked& into) -> Task<void> {
    async::Scope scope;
    std::string query = query_for("a.example");
    scope.spawn(ask_into(e, std::move(to), std::move(query), Transport::udp,
                         Deadline::in(milliseconds(5000)), into));
    co_await e.close();
    co_await scope.join();
  }(exchange, server.endpoint(), asked));
  REQUIRE_FALSE(asked.reply);
  CHECK(asked.reply.error().kind == ExchangeError::Kind::cancelled);
}

namespace {

// Accepts connections; on each it takes `batch` queries and answers them the last first, `rounds`
// times, and closes.
struct TcpServer {
  std::unique_ptr<async::Listener> listener;
  std::size_t batch = 1;
  std::size_t rounds = 1000;
  std::size_t accepted = 0;
  bool forge = false;  // answers another question
  std::vector<std::unique_ptr<DnsStream>> streams;
  async::Scope scope;

  explicit TcpServer(const Endpoint& at = Endpoint::inet("127.0.0.1", 0)) {
    auto socket = async::open_listening_socket(at);
    REQUIRE(socket);
    listener = std::move(*async::listen_on(std::move(*socket)));
    scope.spawn(accept_all());
  }
  Task<void> accept_all() {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      ++accepted;
      streams.push_back(std::make_unique<DnsStream>(std::move(*stream)));
      scope.spawn(serve(*streams.back()));
    }
  }
  Task<void> serve(DnsStream& stream) {
    for (std::size_t round = 0; round < rounds; ++round) {
      std::vector<std::string> queries;
      while (queries.size() < batch) {
        const Deadline deadline = Deadline::in(milliseconds(5000));
        auto query = co_await stream.receive(deadline);
        if (!query) co_return;
        queries.push_back(std::move(*query));
      }
      while (!queries.empty()) {
        std::string reply = echo(queries.back());
        if (forge) reply[13] = 'z';
        queries.pop_back();
        const Deadline deadline = Deadline::in(milliseconds(5000));
        auto sent = co_await stream.send(std::move(reply), deadline);
        if (!sent) co_return;
      }
    }
    stream.close();
  }
  Task<void> close() {
    listener->close();
    for (auto& stream : streams) stream->close();
    co_await scope.join();
  }
};

// Asks for each name at once over TCP and waits for all.
Task<void> ask_all(NetworkExchange& exchange, Endpoint to, std::vector<std::string> names,
                   std::vector<Asked>& into) {
  async::Scope scope;
  into.resize(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    scope.spawn(ask_into(exchange, to, query_for(names[i]), Transport::tcp,
                         Deadline::in(milliseconds(3000)), into[i]));
  }
  co_await scope.join();
}

}  // namespace

TEST_CASE("questions share one TCP connection and take their replies in any order") {
  TcpServer server;
  server.batch = 3;
  NetworkExchange exchange;
  std::vector<Asked> asked;
  async::run([](TcpServer& s, NetworkExchange& e, std::vector<Asked>& into) -> Task<void> {
    std::vector<std::string> names;
    for (const char* name : {"a.example", "b.example", "c.example"}) names.emplace_back(name);
    Endpoint to = s.listener->endpoint();
    co_await ask_all(e, std::move(to), std::move(names), into);
    co_await e.close();
    co_await s.close();
  }(server, exchange, asked));
  CHECK(server.accepted == 1);
  for (std::size_t i = 0; i < asked.size(); ++i) {
    REQUIRE(asked[i].reply);
    CHECK(asked[i].reply->at(13) == static_cast<char>('a' + static_cast<int>(i)));
  }
}

TEST_CASE("a Unix socket is a stream, whatever transport is asked for") {
  const posthorn::TestFolder folder;
  const std::string path = folder.path("dns");
  {
    TcpServer server(Endpoint::unix_path(path));
    NetworkExchange exchange;
    Asked asked;
    async::run([](TcpServer& s, NetworkExchange& e, Asked& into) -> Task<void> {
      Endpoint to = s.listener->endpoint();
      std::string query = query_for("a.example");
      const Deadline deadline = Deadline::in(milliseconds(3000));
      co_await ask_into(e, std::move(to), std::move(query), Transport::udp, deadline, into);
      co_await e.close();
      co_await s.close();
    }(server, exchange, asked));
    CHECK(asked.reply);
  }
}

TEST_CASE("a server that closes an idle connection costs nothing but a new one") {
  TcpServer server;
  server.rounds = 1;
  NetworkExchange exchange;
  std::vector<Asked> first, second;
  async::run([](TcpServer& s, NetworkExchange& e, std::vector<Asked>& one,
                std::vector<Asked>& two) -> Task<void> {
    std::vector<std::string> names(1, "a.example");
    Endpoint to = s.listener->endpoint();
    co_await ask_all(e, to, names, one);
    co_await ask_all(e, to, names, two);
    co_await e.close();
    co_await s.close();
  }(server, exchange, first, second));
  CHECK(first.at(0).reply);
  CHECK(second.at(0).reply);
  CHECK(server.accepted == 2);
}

TEST_CASE("by TCP, too, a reply to another question is refused") {
  TcpServer server;
  server.forge = true;
  NetworkExchange exchange;
  std::vector<Asked> asked;
  async::run([](TcpServer& s, NetworkExchange& e, std::vector<Asked>& into) -> Task<void> {
    std::vector<std::string> names(1, "a.example");
    Endpoint to = s.listener->endpoint();
    co_await ask_all(e, std::move(to), std::move(names), into);
    co_await e.close();
    co_await s.close();
  }(server, exchange, asked));
  REQUIRE_FALSE(asked.at(0).reply);
  CHECK(asked.at(0).reply.error().kind == ExchangeError::Kind::protocol);
}

TEST_CASE("a framed message of less than a header ends the stream") {
  auto pair = async::make_memory_pair(async::Peer(), async::Peer());
  std::optional<IoError> error;
  async::run([](async::StreamPair& both, std::optional<IoError>& into) -> Task<void> {
    const Deadline deadline = Deadline::in(milliseconds(1000));
    const std::string octets("\0\3abc", 5);
    auto sent = co_await both.left->write(octets, deadline);
    DnsStream stream(std::move(both.right));
    auto message = co_await stream.receive(deadline);
    if (!message) into = message.error();
    (void)sent;
  }(pair, error));
  REQUIRE(error);
  CHECK(error->code == EBADMSG);
}

TEST_CASE("messages come out of a stream however their octets are cut") {
  const std::string message = query_for("split.example");
  std::string framed;
  for (int i = 0; i < 2; ++i) {
    framed += static_cast<char>(message.size() >> 8);
    framed += static_cast<char>(message.size() & 0xff);
    framed += message;
  }
  for (std::size_t cut = 1; cut < framed.size(); ++cut) {
    auto pair = async::make_memory_pair(async::Peer(), async::Peer());
    std::size_t whole = 0;
    async::run([](async::StreamPair& both, const std::string& octets, std::size_t at,
                  const std::string& wanted, std::size_t& count) -> Task<void> {
      const Deadline deadline = Deadline::in(milliseconds(1000));
      DnsStream stream(std::move(both.right));
      async::Scope scope;
      const std::string_view all = octets;
      scope.spawn([](async::Stream& to, std::string_view first, std::string_view rest,
                     Deadline until) -> Task<void> {
        auto one = co_await to.write(first, until);
        auto two = co_await to.write(rest, until);
        (void)one, (void)two;
      }(*both.left, all.substr(0, at), all.substr(at), deadline));
      for (int i = 0; i < 2; ++i) {
        auto got = co_await stream.receive(deadline);
        if (got && *got == wanted) ++count;
      }
      co_await scope.join();
    }(pair, framed, cut, message, whole));
    CHECK(whole == 2);
  }
}

TEST_CASE("a reply without question is one only if it says that nothing was understood") {
  const std::string query = query_for("a.example");
  std::string bare = echo(query).substr(0, 12);
  bare[5] = 0;
  bare[11] = 0;
  bare[3] = 1;
  CHECK(is_reply_to(query, bare, LetterCase::exact));
  bare[3] = 0;
  CHECK_FALSE(is_reply_to(query, bare, LetterCase::exact));
}
