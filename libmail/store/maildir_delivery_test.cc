#include "libmail/store/maildir_delivery.h"

#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <set>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/store/maildir_name.h"
#include "libmail/store/memory_files.h"

using namespace posthorn;
using namespace posthorn::store;
using namespace std::chrono_literals;

namespace {

MailLocation user(const std::string& name) {
  MailLocation location;
  location.base = "/mail";
  location.components = {name, "Maildir"};
  return location;
}

std::shared_ptr<const Content> content(std::string_view text) {
  ContentWriter writer;
  writer.append(text);
  check(writer.end_text(), "small");
  return std::make_shared<Content>(writer.finish());
}

struct Outcome {
  std::string user;
  std::string text;  // what should lie in new/
  std::optional<StoreResult<Delivered>> result;
};

async::Task<void> deliver_one(MaildirDelivery& delivery, Outcome* outcome) {
  auto body = content(outcome->text.substr(outcome->text.find("Subject:")));
  std::string head = outcome->text.substr(0, outcome->text.find("Subject:"));
  MailLocation location = user(outcome->user);
  std::string folder;
  auto done =
      co_await delivery.deliver(std::move(location), folder, std::move(head), std::move(body));
  outcome->result.emplace(std::move(done));
}

// Delivers `count` messages to three users at once.
async::Task<void> deliver_many(MaildirDelivery& delivery, std::vector<Outcome>& outcomes) {
  async::Scope scope;
  for (Outcome& outcome : outcomes) scope.spawn(deliver_one(delivery, &outcome));
  co_await scope.join();
  co_await delivery.join();
}

std::vector<Outcome> make_outcomes(std::size_t count, const std::string& tag = "x") {
  std::vector<Outcome> outcomes(count);
  for (std::size_t i = 0; i < count; ++i) {
    outcomes[i].user = "user" + std::to_string(i % 3);
    outcomes[i].text = "Return-Path: <>\nSubject: " + tag + std::to_string(i) + "\n\n" +
                       std::string(i, 'b') + "\n";
  }
  return outcomes;
}

std::set<std::string> in_new(const MemoryFiles& files, const std::string& name) {
  std::set<std::string> texts;
  const std::string path = "/mail/" + name + "/Maildir/new";
  for (const std::string& file : files.names(path)) texts.insert(*files.content(path + "/" + file));
  return texts;
}

DeliveryLimits with(CommitMode mode) {
  DeliveryLimits limits;
  limits.commit = mode;
  return limits;
}

}  // namespace

TEST_CASE("MaildirDelivery: a message lies in new/, whole, with its sizes in the name") {
  MemoryFiles files;
  MaildirDelivery delivery(files, "mail.example", 812);
  std::vector<Outcome> outcomes = make_outcomes(1);
  async::run(deliver_many(delivery, outcomes));
  REQUIRE(*outcomes[0].result);
  const Delivered& delivered = **outcomes[0].result;
  CHECK(files.content(delivered.path) == outcomes[0].text);
  CHECK(delivered.size == outcomes[0].text.size());
  const auto name =
      parse_maildir_name(std::string_view(delivered.path).substr(delivered.path.rfind('/') + 1));
  REQUIRE(name);
  CHECK(name->size == delivered.size);
  CHECK(name->crlf_size == delivered.size + 4);
  CHECK(files.names("/mail/user0/Maildir/tmp").empty());
}

TEST_CASE("MaildirDelivery: what comes together shares its syncs") {
  MemoryFiles files;
  MaildirDelivery delivery(files, "mail.example", 812);
  std::vector<Outcome> warm = make_outcomes(3, "warm");
  async::run(deliver_many(delivery, warm));
  const auto before = delivery.counters();
  std::vector<Outcome> outcomes = make_outcomes(100);
  std::size_t syncs = 0;
  files.watch([&syncs](const MemoryFiles::Call& call) {
    if (call.operation == "syncfs" || call.operation == "sync") ++syncs;
  });
  async::run(deliver_many(delivery, outcomes));
  for (const Outcome& outcome : outcomes) CHECK(*outcome.result);
  CHECK(delivery.counters().messages == before.messages + 100);
  CHECK(delivery.counters().batches == before.batches + 1);
  CHECK(delivery.counters().file_system_syncs == before.file_system_syncs + 1);
  CHECK(syncs == 1);  // and one fsync for each of three directories
  CHECK(in_new(files, "user1").size() == 34);
}

TEST_CASE("MaildirDelivery: nobody is answered before the syncs that cover his message") {
  const auto mode = GENERATE(CommitMode::file, CommitMode::file_system);
  MemoryFiles files;
  std::vector<std::string> log;
  files.watch([&log](const MemoryFiles::Call& call) {
    log.push_back(call.operation + " " + call.subject);
  });
  MaildirDelivery delivery(files, "mail.example", 812, with(mode));
  std::vector<Outcome> outcomes = make_outcomes(5);
  async::run(deliver_many(delivery, outcomes));
  for (const Outcome& outcome : outcomes) {
    REQUIRE(*outcome.result);
    const std::string& path = (*outcome.result)->path;
    const std::string name = path.substr(path.rfind('/') + 1);
    const auto at = [&log](const std::string& what, const std::string& subject) {
      for (std::size_t i = 0; i < log.size(); ++i) {
        if (log[i].starts_with(what + " ") && log[i].find(subject) != std::string::npos) return i;
      }
      FAIL("no " + what + " of " + subject);
      return log.size();
    };
    const std::size_t renamed = at("rename", name);
    CHECK(at("write", name) < renamed);
    if (mode == CommitMode::file) CHECK(at("sync", name) < renamed);
    // The double's disk is the proof for the rest: nothing unsynced is left that it could lose.
    const auto after = files.after_power_cut(MemoryFiles::Unsynced::lost);
    CHECK(after->content(path) == outcome.text);
  }
}

TEST_CASE(
    "MaildirDelivery: a power cut at any call loses nothing acknowledged and leaves nothing "
    "damaged in new/") {
  const auto mode = GENERATE(CommitMode::file, CommitMode::file_system, CommitMode::automatic);
  std::size_t acknowledged = 0;
  for (std::size_t cut = 0; cut < 120; ++cut) {
    MemoryFiles files;
    MaildirDelivery delivery(files, "mail.example", 812, with(mode));
    // The second batch begins with the Maildirs there and the cache warm.
    std::vector<Outcome> first = make_outcomes(3, "first");
    std::vector<Outcome> second = make_outcomes(mode == CommitMode::automatic ? 20 : 7, "second");
    files.cut_at(cut);
    async::run(deliver_many(delivery, first));
    async::run(deliver_many(delivery, second));
    for (unsigned seed = 0; seed < 12; ++seed) {
      using Unsynced = MemoryFiles::Unsynced;
      const Unsynced unsynced = seed == 0   ? Unsynced::lost
                                : seed == 1 ? Unsynced::names_survive
                                : seed == 2 ? Unsynced::contents_survive
                                            : Unsynced::by_chance;
      const auto after = files.after_power_cut(unsynced, seed + static_cast<unsigned>(cut));
      std::map<std::string, std::set<std::string>> sent;
      for (const auto* outcomes : {&first, &second}) {
        for (const Outcome& outcome : *outcomes) {
          sent[outcome.user].insert(outcome.text);
          if (!*outcome.result) continue;
          ++acknowledged;
          if (after->content((*outcome.result)->path) != outcome.text) {
            FAIL("cut " << cut << " seed " << seed << " lost " << (*outcome.result)->path);
          }
        }
      }
      for (const auto& [name, texts] : sent) {
        for (const std::string& text : in_new(*after, name)) {
          if (!texts.contains(text))
            FAIL("cut " << cut << " seed " << seed << " damaged: " << text);
        }
      }
    }
  }
  CHECK(acknowledged > 0);
}

TEST_CASE("MaildirDelivery: a full disk or a quota is an error, and nothing is left") {
  struct Case {
    const char* operation;
    int code;
    StoreError::Kind kind;
  };
  const auto c = GENERATE(values<Case>({{"create", ENOSPC, StoreError::Kind::disk_full},
                                        {"write", ENOSPC, StoreError::Kind::disk_full},
                                        {"write", EDQUOT, StoreError::Kind::over_quota},
                                        {"sync", ENOSPC, StoreError::Kind::disk_full},
                                        {"sync", EIO, StoreError::Kind::unavailable},
                                        {"rename", ENOSPC, StoreError::Kind::disk_full}}));
  MemoryFiles files;
  MaildirDelivery delivery(files, "mail.example", 812, with(CommitMode::file));
  std::vector<Outcome> warm = make_outcomes(3, "warm");
  async::run(deliver_many(delivery, warm));
  std::vector<Outcome> outcomes = make_outcomes(6);
  files.fail_next(c.operation, c.code, 2);
  async::run(deliver_many(delivery, outcomes));
  std::size_t failed = 0;
  for (const Outcome& outcome : outcomes) {
    if (*outcome.result) continue;
    ++failed;
    CHECK(outcome.result->error().kind == c.kind);
    CHECK_FALSE(in_new(files, outcome.user).contains(outcome.text));
  }
  CHECK(failed == 1);
  for (const char* name : {"user0", "user1", "user2"}) {
    CHECK(files.names("/mail/" + std::string(name) + "/Maildir/tmp").empty());
  }
  // And when there is room again it goes on.
  std::vector<Outcome> later = make_outcomes(3, "later");
  async::run(deliver_many(delivery, later));
  for (const Outcome& outcome : later) CHECK(*outcome.result);
}

TEST_CASE("MaildirDelivery: a failed syncfs fails its whole batch and cleans up") {
  MemoryFiles files;
  MaildirDelivery delivery(files, "mail.example", 812, with(CommitMode::file_system));
  std::vector<Outcome> warm = make_outcomes(3, "warm");
  async::run(deliver_many(delivery, warm));
  std::vector<Outcome> outcomes = make_outcomes(6);
  files.fail_next("syncfs", EIO);
  async::run(deliver_many(delivery, outcomes));
  for (const Outcome& outcome : outcomes) {
    CHECK_FALSE(*outcome.result);
    CHECK(in_new(files, outcome.user).size() == 1);
    CHECK(files.names("/mail/" + outcome.user + "/Maildir/tmp").empty());
  }
}

TEST_CASE("MaildirDelivery: a Maildir that was removed while it was open is made again") {
  MemoryFiles files;
  MaildirDelivery delivery(files, "mail.example", 812);
  std::vector<Outcome> first = make_outcomes(1, "first");
  async::run(deliver_many(delivery, first));
  files.fail_next("create", ENOENT);  // what the kernel says of a removed directory
  std::vector<Outcome> second = make_outcomes(1, "second");
  async::run(deliver_many(delivery, second));
  CHECK(*second[0].result);
  CHECK(in_new(files, "user0").size() == 2);
}

TEST_CASE("MaildirDelivery: a folder is made with its mark, a large body comes from its file") {
  MemoryFiles files;
  REQUIRE(files.make_directories("/spool", 0700));
  auto spool = files.open_directory("/spool");
  ContentWriter writer;
  writer.append("Subject: large\r\n\r\n" + std::string(300 * 1024, 'x') + "\r\n");
  REQUIRE(writer.wants_spill());
  REQUIRE(writer.spill(**spool));
  REQUIRE(writer.end_text());
  auto body = std::make_shared<const Content>(writer.finish());
  MaildirDelivery delivery(files, "mail.example", 812);
  std::string folder = ".Lists.C++";
  std::string head = "Return-Path: <>\n";
  auto delivered = async::run(delivery.deliver(user("bob"), folder, head, body));
  REQUIRE(delivered);
  CHECK(delivered->path.starts_with("/mail/bob/Maildir/.Lists.C++/new/"));
  CHECK(files.content(delivered->path)->size() == 300 * 1024 + 33);
  CHECK(files.content("/mail/bob/Maildir/.Lists.C++/maildirfolder") == "");
}

TEST_CASE("CommitChoice: syncfs for many, as long as it is the faster") {
  CommitChoice choice(CommitMode::automatic, 16);
  CHECK(choice.choose(15) == CommitMode::file);
  CHECK(choice.choose(16) == CommitMode::file_system);
  choice.report(CommitMode::file, 10, 10ms);         // 1 ms each
  choice.report(CommitMode::file_system, 20, 50ms);  // somebody copies a DVD
  CHECK(choice.choose(20) == CommitMode::file);
  CHECK(choice.choose(60) == CommitMode::file_system);
  choice.report(CommitMode::file_system, 20, 5ms);
  CHECK(choice.choose(16) == CommitMode::file_system);
  choice.report(CommitMode::file_system, 20, 50ms);
  int tries = 0;
  while (choice.choose(20) == CommitMode::file) ++tries;  // it is tried again some time
  CHECK(tries > 10);
  CHECK(CommitChoice(CommitMode::file, 16).choose(1000) == CommitMode::file);
  CHECK(CommitChoice(CommitMode::file_system, 16).choose(1) == CommitMode::file_system);
}

TEST_CASE("CommitChoice: a slow syncfs is not gone on with for want of a comparison") {
  CommitChoice choice(CommitMode::automatic, 4);
  choice.report(CommitMode::file_system, 10, 2ms);
  CHECK(choice.choose(10) == CommitMode::file_system);
  choice.report(CommitMode::file_system, 10, 300ms);
  CHECK(choice.choose(10) == CommitMode::file);
  choice.report(CommitMode::file, 1,
                400ms);  // everything is slow: a lone file is the hint there is
  CHECK(choice.choose(10) == CommitMode::file_system);
  choice.report(CommitMode::file, 5, 5ms);  // and a batch is better than a hint
  choice.report(CommitMode::file, 1, 400ms);
  CHECK(choice.choose(10) == CommitMode::file);
}
