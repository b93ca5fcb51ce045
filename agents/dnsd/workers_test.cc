// Worker 0 and another in one loop, at the two ends of a channel.
#include "agents/dnsd/workers.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>

#include "agents/dnsd/worker.h"
#include "libdns/zone/test_zone.h"
#include "libmail/async/loop.h"
#include "libmail/service/listeners.h"

namespace posthorn::dnsd {
namespace {

using async::Deadline;
using async::Task;
using Kind = WorkerNote::Kind;

std::vector<service::OpenListeners> listeners(unsigned datagrams) {
  service::ListenerRequest request;
  request.name = "listen";
  request.endpoints = {async::Endpoint::inet("127.0.0.1", 0),
                       async::Endpoint::inet("127.0.0.1", 0)};
  request.access.datagrams = datagrams;
  auto open = service::open_listeners({request}, {});
  REQUIRE(open);
  return std::move(*open);
}

TEST_CASE("Each worker keeps its UDP socket of each address, worker 0 all else") {
  constexpr unsigned count = 3;
  for (unsigned number = 0; number < count; ++number) {
    auto open = listeners(count);
    keep_share(open, number, count);
    REQUIRE(open.size() == 1);
    CHECK(open.front().sockets.size() == (number == 0 ? 2 : 0));
    REQUIRE(open.front().datagrams.size() == 2);
    CHECK(service::bound_endpoint(open.front().datagrams[0].get()) !=
          service::bound_endpoint(open.front().datagrams[1].get()));
  }
}

TEST_CASE("Sockets that are more than the workers are nobody's loss") {
  std::size_t kept = 0;
  for (unsigned number = 0; number < 2; ++number) {
    auto open = listeners(5);
    keep_share(open, number, 2);
    kept += open.front().datagrams.size();
  }
  CHECK(kept == 2 * 5);
}

TEST_CASE("There are no more workers than UDP sockets at an address") {
  auto open = listeners(1);
  const auto place = fork_workers(3, open);
  REQUIRE(place);
  CHECK(place->count == 1);
  CHECK(place->number == 0);
  CHECK(open.front().sockets.size() == 2);
  CHECK(open.front().datagrams.size() == 2);
}

// Worker 0 with one other.
struct Two {
  service::Log log{"dnsd", service::Log::Format::kv, service::Level::error, -1};
  dns::Zones zones;
  dns::Zones zones_there;
  std::vector<PassedPacket> packets;
  std::vector<unsigned> ended;
  bool reloaded = false;
  bool told_to_end = false;
  std::string answer = R"({"questions":1})";
  std::string asked;
  std::unique_ptr<Workers> workers;
  std::unique_ptr<Worker> worker;

  Two() {
    int ends[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    Workers::Handlers handlers;
    handlers.on_packet = [this](PassedPacket packet) { packets.push_back(std::move(packet)); };
    handlers.on_end = [this](unsigned number) { ended.push_back(number); };
    std::vector<Fd> channels;
    channels.emplace_back(ends[0]);
    workers = std::make_unique<Workers>(std::move(channels), zones, log, std::move(handlers));
    zones.on_change([this](const dns::Name& zone) { workers->changed(zone); });
    Worker::Handlers there;
    there.answer = [this](const WorkerNote& note) {
      asked = note.text;
      return answer;
    };
    there.on_reload = [this] { reloaded = true; };
    there.on_end = [this] { told_to_end = true; };
    worker = std::make_unique<Worker>(Fd(ends[1]), zones_there, log, std::move(there));
  }
  // As a process does that is told to end, or dies.
  Task<void> end_worker() {
    co_await worker->join();
    worker.reset();
  }
  Task<void> end() {
    workers->stop();
    if (worker) {
      co_await until(&told_to_end);
      co_await end_worker();
    }
    co_await workers->join(Deadline::in(std::chrono::seconds(20)));
  }
  static Task<void> until(const bool* is_so) {
    const Deadline deadline = Deadline::in(std::chrono::seconds(20));
    while (!*is_so && !deadline.passed())
      co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(1)));
    CHECK(*is_so);
  }
  // Until the other has this version, 0: none.
  Task<void> until_serial(dns::Name origin, std::uint32_t serial) {
    const Deadline deadline = Deadline::in(std::chrono::seconds(20));
    while (serial_there(origin) != serial && !deadline.passed())
      co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(1)));
    CHECK(serial_there(origin) == serial);
  }
  [[nodiscard]] std::uint32_t serial_there(const dns::Name& origin) const {
    const auto zone = zones_there.at(origin);
    return zone ? zone->serial() : 0;
  }
};

dns::Zones::Pointer version(const char* origin, unsigned serial) {
  return dns::zone_of(origin, "@ 60 SOA ns h " + std::to_string(serial) +
                                  " 1 1 1 1\n@ 60 NS ns\nns 60 A 192.0.2.1\n"
                                  "odd\\.dot 60 TXT \"\\255\\\"\"\n");
}

Task<void> start_two() {
  Two two;
  two.zones.put(version("a.test", 5));
  two.zones.put(version("b.test", 6));
  two.zones.put_empty(dns::name("never.test"));
  async::Scope scope;
  bool may_go = false;
  scope.spawn([](Two* in, bool* went) -> Task<void> {
    const bool may = co_await in->worker->wait_for_zones();
    *went = may;
    in->worker->tell_ready();
  }(&two, &may_go));
  const auto started = co_await two.workers->start();
  CHECK(started);
  co_await scope.join();
  CHECK(may_go);
  CHECK(*two.zones_there.at(dns::name("a.test")) == *two.zones.at(dns::name("a.test")));
  CHECK(two.serial_there(dns::name("b.test")) == 6);
  CHECK(two.zones_there.has(dns::name("never.test")));
  CHECK(two.zones_there.at(dns::name("never.test")) == nullptr);
  co_await two.end();
}

TEST_CASE("All zones of the start are there before a worker may go") {
  async::run(start_two());
}

Task<void> change_zones() {
  Two two;
  const dns::Name origin = dns::name("a.test");
  for (unsigned serial = 1; serial <= 200; ++serial) two.zones.put(version("a.test", serial));
  co_await two.until_serial(origin, 200);
  CHECK(two.zones_there.generation() < 50);  // told as a few, not as 200
  two.zones.remove(origin);
  co_await two.until_serial(origin, 0);
  CHECK_FALSE(two.zones_there.has(origin));
  two.zones.put(version("a.test", 7));
  co_await two.until_serial(origin, 7);
  co_await two.end();
}

TEST_CASE("The last version is told, and that a zone is gone") {
  async::run(change_zones());
}

Task<void> ask_two() {
  Two two;
  auto replies = co_await two.workers->ask(Kind::cache, R"({"name":"x."})");
  REQUIRE(replies.size() == 1);
  CHECK(replies[0].worker == 1);
  REQUIRE(replies[0].json);
  CHECK((*replies[0].json)["questions"] == 1);
  CHECK(two.asked == R"({"name":"x."})");
  two.answer = "no JSON";
  replies = co_await two.workers->ask(Kind::stats, std::string());
  CHECK_FALSE(replies[0].json);
  two.answer = "[" + std::string(1'000'000, ' ') + "]";
  replies = co_await two.workers->ask(Kind::stats, std::string());
  CHECK(replies[0].json);
  two.workers->reload();
  co_await Two::until(&two.reloaded);
  co_await two.end();
}

TEST_CASE("A worker answers operators' questions, at any length, and what is no answer is none") {
  async::run(ask_two());
}

Task<void> lose_one() {
  Two two;
  co_await two.end_worker();
  const auto started = co_await two.workers->start();
  CHECK_FALSE(started);
  CHECK(two.ended == std::vector<unsigned>{1});
  const auto replies = co_await two.workers->ask(Kind::stats, std::string());
  CHECK_FALSE(replies[0].json);
  co_await two.end();
  CHECK(two.ended.size() == 1);
}

TEST_CASE("A worker that ends unbidden is told of, and the start fails") {
  async::run(lose_one());
}

class Way final : public dns::Sink {
 public:
  explicit Way(int socket) { way_.socket = socket; }
  Task<bool> send(std::string) override { co_return false; }
  [[nodiscard]] const dns::DatagramWay* datagram() const override { return &way_; }

 private:
  dns::DatagramWay way_;
};

Task<void> pass_packet() {
  Two two;
  const auto open = listeners(1);
  Way way(open.front().datagrams.front().get());
  std::string request = "an update";
  co_await two.worker->handle(std::move(request), dns::Client(), way);
  const Deadline deadline = Deadline::in(std::chrono::seconds(20));
  while (two.packets.empty() && !deadline.passed())
    co_await async::sleep_until(Deadline::in(std::chrono::milliseconds(1)));
  REQUIRE(two.packets.size() == 1);
  CHECK(two.packets[0].packet == "an update");
  CHECK(two.packets[0].listener == service::bound_endpoint(open.front().datagrams.front().get()));
  co_await two.end();
}

TEST_CASE("A request comes to worker 0 with the address it was sent to") {
  async::run(pass_packet());
}

}  // namespace
}  // namespace posthorn::dnsd
