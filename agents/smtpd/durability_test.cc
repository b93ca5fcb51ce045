// "250 means durable" for smtpd: clients on streams in memory, the queue on a disk that forgets what was not synced.
#include <catch2/catch.hpp>

#include "agents/smtpd/session.h"
#include "libmail/queue/test_queue.h"
#include "libmail/session/queue_intake.h"
#include "libmail/session/test_smtp.h"

namespace posthorn::smtpd {

using async::Task;
using queue::MemoryFiles;
using session::test::SmtpTestClient;

namespace {

class EveryUser final : public route::UserLookup {
 public:
  Task<route::UserAnswer> find(std::string name) override {
    co_return route::UserAnswer(route::UserAnswer::Kind::exists, std::move(name));
  }
};

// A message that a client was told is taken, and where the disk's journal stood when the client read that.
struct Taken {
  std::string id;
  std::string octets;
  std::size_t at = 0;
};

// smtpd's session layer over a queue in memory.
class House {
 public:
  explicit House(std::size_t segments) {
    queue::test::make_queue(files_, segments);
    queue::Limits limits;
    limits.wait_for_segment = std::chrono::milliseconds(0);
    limits.inline_body = 8000;
    intake_ = std::make_unique<session::QueueIntake>(files_, queue::test::layout(), limits, log_);
  }

  // `sessions` clients at once, each sends `messages` messages.
  void run(std::size_t sessions, std::size_t messages) { async::run(serve(sessions, messages)); }

  MemoryFiles& files() { return files_; }
  [[nodiscard]] const std::vector<Taken>& taken() const { return taken_; }
  [[nodiscard]] const std::vector<std::string>& refused() const { return refused_; }

 private:
  Task<void> serve(std::size_t sessions, std::size_t messages) {
    for (std::size_t i = 0; i < sessions; ++i) scope_.spawn(client(i, messages));
    co_await scope_.join();
    co_await intake_->stop();
  }

  Task<void> client(std::size_t number, std::size_t messages) {
    async::StreamPair pair = async::make_memory_pair(async::Peer(), session::test::test_peer());
    session::SmtpSessionSettings settings;
    settings.log = &log_;
    const Services services(resolver_, *intake_, log_, counters_);
    std::unique_ptr<session::SmtpHandler> handler = std::make_unique<Session>(
        services, policy_,
        std::make_unique<reception::Gates>(policy_servers_, service::Networks(), no_filters_,
                                           *intake_, log_));
    scope_.spawn(session::serve_smtp(std::move(pair.right), std::move(settings), std::move(handler),
                                     nullptr));
    SmtpTestClient client(std::move(pair.left));
    (void)co_await client.reply();
    (void)co_await client.ask("EHLO c.example");
    for (std::size_t i = 0; i < messages; ++i) {
      // Every fourth is large enough for the spool.
      const std::size_t lines = i % 4 == 3 ? 200 : 20 + i;
      std::string octets =
          "Subject: " + std::to_string(number) + "." + std::to_string(i) + "\r\n\r\n";
      for (std::size_t line = 0; line < lines; ++line) octets += std::string(60, 'x') + "\r\n";
      (void)co_await client.ask("MAIL FROM:<a@x.example>");
      (void)co_await client.ask("RCPT TO:<b@y.example>");
      const std::string chunk = "BDAT " + std::to_string(octets.size()) + " LAST\r\n" + octets;
      (void)co_await client.send(chunk);
      const std::string reply = co_await client.reply();
      note(reply, std::move(octets));
    }
    (void)co_await client.ask("QUIT");
  }

  void note(const std::string& reply, std::string octets) {
    constexpr std::string_view taken = "250 2.0.0 Queued as ";
    if (!reply.starts_with(taken)) {
      refused_.push_back(reply);
      return;
    }
    taken_.push_back(Taken{reply.substr(taken.size()), std::move(octets), files_.events()});
  }

  static route::ResolverSettings resolver_settings() {
    route::ResolverSettings settings;
    settings.domains = {"y.example"};
    return settings;
  }

  MemoryFiles files_;
  service::Log log_{"test", service::Log::Format::kv, service::Level::error, -1};
  service::Metrics metrics_;
  reception::PolicyOptions no_servers_;
  reception::PolicyServers policy_servers_{service::Site::find("/nowhere"), no_servers_, metrics_,
                                           true};
  filter::Filters no_filters_{service::Site::find("/nowhere"), log_, metrics_,
                              filter::HoldingPlace()};
  Counters counters_{metrics_};
  EveryUser users_;
  service::Site site_ = service::Site::find("/nonexistent");
  route::Resolver resolver_{site_,  resolver_settings(), route::Resolver::Tables(),
                            users_, route::Transport(),  route::Transport()};
  std::shared_ptr<const Policy> policy_ = std::make_shared<Policy>();
  std::unique_ptr<session::QueueIntake> intake_;
  async::Scope scope_;
  std::vector<Taken> taken_;
  std::vector<std::string> refused_;
};

// What a disk holds that lost its power behind event `cut`: every message acknowledged before is there, octet for octet
// below its Received field.
void check_after_cut(const House& house, MemoryFiles& files, std::size_t cut,
                     MemoryFiles::Unsynced unsynced) {
  auto disk = files.after_power_cut(cut, unsynced, cut);
  auto store = queue::Store::open(*disk, queue::test::layout(), queue::test::store_options());
  REQUIRE(store);
  for (const Taken& message : house.taken()) {
    queue::Message* found = (*store)->find(*queue::MessageId::parse(message.id));
    if (found == nullptr && message.at <= cut) {
      FAIL("acknowledged and lost: " << message.id << " after event " << cut);
    }
    if (found == nullptr) continue;
    auto loaded = (*store)->load_now(*found);
    REQUIRE(loaded);
    const std::string spooled = disk->contents(queue::test::layout().spooled(found->id));
    const std::string_view body = spooled.empty() ? (*loaded)->body : spooled;
    CHECK(body.starts_with("Received: from "));
    if (!body.ends_with("\r\n" + message.octets)) {
      FAIL("damaged: " << message.id << " after event " << cut);
    }
  }
}

}  // namespace

TEST_CASE("smtpd: what got 250 is on the disk before the 250 leaves") {
  House house(8);
  house.run(6, 8);
  REQUIRE(house.taken().size() == 48);
  CHECK(house.refused().empty());
  for (const Taken& message : house.taken()) {
    check_after_cut(house, house.files(), message.at, MemoryFiles::Unsynced::lost);
  }
}

TEST_CASE("smtpd: a power cut at any point loses nothing acknowledged and damages nothing") {
  House house(8);
  house.run(3, 5);
  REQUIRE(house.taken().size() == 15);
  for (std::size_t cut = 0; cut <= house.files().events(); ++cut) {
    check_after_cut(house, house.files(), cut, MemoryFiles::Unsynced::lost);
    check_after_cut(house, house.files(), cut, MemoryFiles::Unsynced::mixed);
  }
}

TEST_CASE("smtpd: a disk that fails is answered 4xx, and what got 250 is there all the same") {
  const std::size_t nth = GENERATE(range(20, 80, 7));
  House house(8);
  house.files().fail_nth(nth, EIO);
  house.run(2, 6);
  CHECK(house.taken().size() + house.refused().size() == 12);
  for (const std::string& reply : house.refused()) CHECK(reply.starts_with("4"));
  check_after_cut(house, house.files(), house.files().events(), MemoryFiles::Unsynced::lost);
}

}  // namespace posthorn::smtpd
