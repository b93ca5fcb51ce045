#include "libmail/store/maildrop.h"

#include <catch2/catch.hpp>
#include <optional>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/base/crlf.h"
#include "libmail/store/memory_files.h"

using namespace posthorn;
using namespace posthorn::store;
using namespace std::chrono_literals;

namespace {

constexpr const char* box = "/home/bob/Maildir";

MailLocation location() {
  MailLocation at;
  at.base = "/home/bob";
  at.components = {"Maildir"};
  return at;
}

void put(MemoryFiles& files, const std::string& name, const std::string& text) {
  REQUIRE(open_mailbox(files, location()));
  files.put(std::string(box) + "/" + name, text);
}

auto open(MemoryFiles& files, Duration patience = 5s) {
  const async::Deadline deadline = async::Deadline::in(patience);
  return async::run(open_maildrop(files, location(), deadline));
}

async::Task<StoreResult<std::string>> fetch(Maildrop& drop, std::size_t index) {
  auto message = co_await drop.open(index);
  if (!message) co_return fail(std::move(message.error()));
  std::string out;
  for (;;) {
    auto part = co_await (*message)->next();
    if (!part) co_return fail(std::move(part.error()));
    if (part->empty()) co_return out;
    out += *part;
  }
}

async::Task<void> unlock_soon(MemoryFiles* files) {
  co_await async::sleep_until(async::Deadline::in(150ms));
  auto directory = files->open_directory(box);
  check((*directory)->unlink("dovecot-uidlist.lock").has_value(), "the lock is there");
}

struct Opened {
  std::optional<StoreResult<std::unique_ptr<Maildrop>>> drop;
};

async::Task<void> open_while_locked(MemoryFiles* files, Opened* out) {
  async::Scope scope;
  scope.spawn(unlock_soon(files));
  const async::Deadline deadline = async::Deadline::in(10s);
  auto drop = co_await open_maildrop(*files, location(), deadline);
  out->drop.emplace(std::move(drop));
  co_await scope.join();
}

}  // namespace

TEST_CASE("Maildrop: the octets it gives are as many as it said, with CRLF, at every size") {
  MemoryFiles files;
  const std::string large(200 * 1024, 'y');
  const std::string texts[] = {"",
                               "x",
                               "A: b\n\nc\n",
                               "A: b\r\n\r\nc\r\n",
                               "\n\n\r\r\n",
                               "A: b\n\n" + large + "\n" + large + "\n"};
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    put(files, "new/" + std::to_string(i + 1) + ".M1P1.h", texts[i]);
  }
  auto drop = open(files);
  REQUIRE(drop);
  REQUIRE((*drop)->entries().size() == std::size(texts));
  for (std::size_t i = 0; i < std::size(texts); ++i) {
    CAPTURE(i);
    const auto text = async::run(fetch(**drop, i));
    REQUIRE(text);
    CHECK(text->size() == (*drop)->entries()[i].size);
    std::string expected;
    bool after_cr = false;
    append_crlf(texts[i], after_cr, expected);
    CHECK(*text == expected);
  }
}

TEST_CASE("Maildrop: nothing is deleted before finish(), and then what was asked for") {
  MemoryFiles files;
  for (const char* name : {"new/1.M1P1.h,W=4", "new/2.M1P1.h,W=4", "new/3.M1P1.h,W=4"})
    put(files, name, "abc\n");
  {
    auto drop = open(files);
    REQUIRE(drop);
  }
  CHECK(files.names(std::string(box) + "/new").size() == 3);
  auto drop = open(files);
  const async::Deadline deadline = async::Deadline::in(5s);
  const auto done = async::run((*drop)->finish({0, 2}, {1, 2}, deadline));
  REQUIRE(done);
  CHECK(done->removed == 2);
  CHECK(files.names(std::string(box) + "/new").empty());
  CHECK(files.names(std::string(box) + "/cur") == std::vector<std::string>{"2.M1P1.h,W=4:2,S"});
}

TEST_CASE("Maildrop: a message that another program removed is missed at open(), not before") {
  MemoryFiles files;
  put(files, "new/1.M1P1.h,W=4", "abc\n");
  auto drop = open(files);
  auto directory = files.open_directory(std::string(box) + "/new");
  REQUIRE((*directory)->unlink("1.M1P1.h,W=4"));
  const auto text = async::run(fetch(**drop, 0));
  REQUIRE_FALSE(text);
  CHECK(text.error().kind == StoreError::Kind::not_found);
  CHECK(async::run(fetch(**drop, 7)).error().kind == StoreError::Kind::not_found);
  const async::Deadline deadline = async::Deadline::in(5s);
  CHECK(async::run((*drop)->finish({0}, {}, deadline))->removed == 1);
}

TEST_CASE("Maildrop: a second session finds it in use, at once") {
  MemoryFiles files;
  auto first = open(files);
  REQUIRE(first);
  const auto second = open(files, 1h);
  REQUIRE_FALSE(second);
  CHECK(second.error().kind == StoreError::Kind::locked);
}

TEST_CASE("Maildrop: waits while another program holds the list of UIDs") {
  MemoryFiles files;
  put(files, "new/1.M1P1.h,W=4", "abc\n");
  files.put(std::string(box) + "/dovecot-uidlist.lock", "1:other.host.invalid");
  const auto impatient = open(files, 0s);
  REQUIRE_FALSE(impatient);
  CHECK(impatient.error().kind == StoreError::Kind::locked);
  Opened opened;
  async::run(open_while_locked(&files, &opened));
  REQUIRE(*opened.drop);
  CHECK((**opened.drop)->entries().size() == 1);
}
