// 250 means durable: no positive answer leaves before the syncs that cover the message have returned, and whatever call the
// power goes at, nothing that was answered is missing and nothing in new/ is damaged.
#include <set>

#include "agents/deliverd/test_mda.h"

using namespace posthorn;
using namespace posthorn::deliverd;
using namespace posthorn::deliverd::test;

namespace {

constexpr std::size_t connections = 5;
constexpr std::size_t messages = 3;  // of each, one after the other

std::string body_of(std::size_t connection, std::size_t message) {
  return "Subject: " + std::to_string(connection) + "/" + std::to_string(message) + "\n\n" +
         std::string(200 * (connection + 1), 'x') + "\nthe end\n";
}

std::string to_crlf(const std::string& text) {
  std::string out;
  for (const char c : text) out += c == '\n' ? "\r\n" : std::string(1, c);
  return out;
}

// What one connection has got so far.
struct Progress {
  std::size_t connection = 0;
  std::size_t positive = 0;   // answers to messages
  std::size_t uncovered = 0;  // of them, those that left before their message was on disk
};

bool is_on_disk(const MemoryFiles& disk, const std::string& body) {
  for (const char* user : {"bob", "carol"}) {
    for (const std::string& text : Mda::inbox_of(disk, user)) {
      if (text.ends_with("\n" + body)) return true;
    }
  }
  return false;
}

// Looks at the disk at the moment in which an answer is handed to the kernel: with all that is unsynced lost.
class Witness final : public async::Stream {
 public:
  Witness(std::unique_ptr<async::Stream> inner, MemoryFiles& files, Progress& progress)
      : inner_(std::move(inner)), files_(files), progress_(progress) {}

  async::Task<Result<std::size_t, IoError>> read(async::Buffer& into,
                                                 async::Deadline deadline) override {
    return inner_->read(into, deadline);
  }
  async::Task<Result<void, IoError>> write(std::string_view octets,
                                           async::Deadline deadline) override {
    for (std::size_t at = octets.find("250 2.0.0 Delivered"); at != std::string_view::npos;
         at = octets.find("250 2.0.0 Delivered", at + 1)) {
      const auto disk = files_.after_power_cut(MemoryFiles::Unsynced::lost);
      if (!is_on_disk(*disk, body_of(progress_.connection, progress_.positive)))
        ++progress_.uncovered;
      ++progress_.positive;
    }
    return inner_->write(octets, deadline);
  }
  async::Task<void> shutdown(async::Deadline deadline) override {
    return inner_->shutdown(deadline);
  }
  void close() override { inner_->close(); }
  [[nodiscard]] const async::Peer& peer() const override { return inner_->peer(); }
  [[nodiscard]] bool has_pending() const override { return inner_->has_pending(); }

 private:
  std::unique_ptr<async::Stream> inner_;
  MemoryFiles& files_;
  Progress& progress_;
};

// A queue: one transaction after the other, each sent when the one before was answered.
async::Task<void> send_messages(Mda* mda, Progress* progress) {
  const std::unique_ptr<async::Stream> stream =
      mda->connect([mda, progress](std::unique_ptr<async::Stream> inner) {
        return std::make_unique<Witness>(std::move(inner), *mda->files, *progress);
      });
  ReplyReader reader(*stream);
  std::string line = co_await reader.next();
  const async::Deadline deadline = async::Deadline::in(std::chrono::seconds(30));
  std::string say = "LHLO queue\r\n";
  auto written = co_await stream->write(say, deadline);
  line = co_await reader.next();
  for (std::size_t i = 0; i < messages && written && progress->positive == i; ++i) {
    const std::string user =
        (progress->connection + i) % 2 == 0 ? "<bob@beta.test>" : "<carol@beta.test>";
    say = transaction({user}, to_crlf(body_of(progress->connection, i)));
    written = co_await stream->write(say, deadline);
    for (int reply = 0; reply < 3; ++reply) line = co_await reader.next();
  }
  stream->close();
}

async::Task<void> send_all(Mda& mda, std::vector<Progress>& progress) {
  async::Scope clients;
  for (Progress& one : progress) clients.spawn(send_messages(&mda, &one));
  co_await clients.join();
  co_await mda.scope.join();
  co_await mda.maildirs->join();
}

std::vector<Progress> start() {
  std::vector<Progress> progress(connections);
  for (std::size_t i = 0; i < connections; ++i) progress[i].connection = i;
  return progress;
}

store::DeliveryLimits with(store::CommitMode mode) {
  store::DeliveryLimits limits;
  limits.commit = mode;
  limits.file_system_sync_from = 3;
  return limits;
}

// Nothing in new/ but whole messages.
bool is_undamaged(const MemoryFiles& disk) {
  std::set<std::string> bodies;
  for (std::size_t c = 0; c < connections; ++c) {
    for (std::size_t m = 0; m < messages; ++m) bodies.insert(body_of(c, m));
  }
  for (const char* user : {"bob", "carol"}) {
    for (const std::string& text : Mda::inbox_of(disk, user)) {
      const std::size_t at = text.find("Subject: ");
      if (!text.starts_with("Return-Path: <ann@alpha.test>\n") || at == std::string::npos)
        return false;
      if (!bodies.contains(text.substr(at))) return false;
    }
  }
  return true;
}

}  // namespace

TEST_CASE("deliverd: no 250 leaves before the syncs that cover its message have returned") {
  const auto mode = GENERATE(store::CommitMode::file, store::CommitMode::file_system,
                             store::CommitMode::automatic);
  Mda mda(with(mode));
  std::vector<Progress> progress = start();
  async::run(send_all(mda, progress));
  for (const Progress& one : progress) {
    CHECK(one.positive == messages);
    CHECK(one.uncovered == 0);
  }
  CHECK(is_undamaged(*mda.files));
}

TEST_CASE(
    "deliverd: whatever call the power goes at, what was answered is there and nothing is "
    "damaged") {
  const auto mode = GENERATE(store::CommitMode::file, store::CommitMode::file_system,
                             store::CommitMode::automatic);
  std::size_t answered = 0;
  std::size_t all = 0;
  for (std::size_t cut = 0; cut < 150; ++cut) {
    Mda mda(with(mode));
    mda.files->cut_at(mda.files->changes() + cut);
    std::vector<Progress> progress = start();
    async::run(send_all(mda, progress));
    for (unsigned seed = 0; seed < 10; ++seed) {
      using Unsynced = MemoryFiles::Unsynced;
      const Unsynced unsynced = seed == 0   ? Unsynced::lost
                                : seed == 1 ? Unsynced::names_survive
                                : seed == 2 ? Unsynced::contents_survive
                                            : Unsynced::by_chance;
      const auto disk =
          mda.files->after_power_cut(unsynced, seed * 1000 + static_cast<unsigned>(cut));
      if (!is_undamaged(*disk))
        FAIL("cut " << cut << " seed " << seed << ": a damaged message in new/");
      for (const Progress& one : progress) {
        if (one.uncovered > 0) FAIL("cut " << cut << ": answered too early");
        for (std::size_t i = 0; i < one.positive; ++i) {
          if (!is_on_disk(*disk, body_of(one.connection, i))) {
            FAIL("cut " << cut << " seed " << seed << ": message " << one.connection << "/" << i
                        << " is lost");
          }
        }
      }
    }
    for (const Progress& one : progress) answered += one.positive;
    all += connections * messages;
  }
  // The cuts were spread over the whole: early ones leave most unanswered, late ones little.
  CHECK(answered > all / 10);
  CHECK(answered < all);
}
