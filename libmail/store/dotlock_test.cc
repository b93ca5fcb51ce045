#include "libmail/store/dotlock.h"

#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "libmail/store/memory_files.h"

using namespace posthorn::store;
using namespace std::chrono_literals;

namespace {

struct Fixture {
  MemoryFiles files;
  std::unique_ptr<Directory> directory;
  Fixture() {
    REQUIRE(files.make_directories("/box", 0700));
    directory = std::move(*files.open_directory("/box"));
  }
  auto lock() { return DotLock::try_acquire(files, *directory, "list"); }
};

std::string host() {
  char name[256] = {};
  REQUIRE(gethostname(name, sizeof name - 1) == 0);
  return name;
}

}  // namespace

TEST_CASE("DotLock: holds pid:host, keeps others out, goes away") {
  Fixture f;
  {
    auto first = f.lock();
    REQUIRE(first);
    CHECK(f.files.content("/box/list.lock") == std::to_string(getpid()) + ":" + host());
    const auto second = f.lock();
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == StoreError::Kind::locked);
  }
  CHECK(f.files.names("/box").empty());
  CHECK(f.lock());
}

TEST_CASE("DotLock: the lock of a process that is gone is removed at once") {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  REQUIRE(waitpid(child, nullptr, 0) == child);
  Fixture f;
  f.files.put("/box/list.lock", std::to_string(child) + ":" + host());
  CHECK(f.lock());
}

TEST_CASE("DotLock: a living process keeps its lock, however old it is") {
  Fixture f;
  f.files.put("/box/list.lock", std::to_string(getppid()) + ":" + host());
  f.files.advance(24h);
  CHECK_FALSE(f.lock());
}

TEST_CASE("DotLock: the lock of an earlier process with our number is removed at once") {
  Fixture f;
  f.files.put("/box/list.lock", std::to_string(getpid()) + ":" + host());
  CHECK_FALSE(f.lock());  // another task of ours
  const auto next_life = f.files.after_power_cut(MemoryFiles::Unsynced::lost);
  auto directory = next_life->open_directory("/box");
  REQUIRE(directory);
  CHECK(DotLock::try_acquire(*next_life, **directory, "list"));
}

TEST_CASE("DotLock: another host's lock is stale when it was not touched for two minutes") {
  Fixture f;
  f.files.put("/box/list.lock", "1:other.host.invalid");
  f.files.advance(119s);
  CHECK_FALSE(f.lock());
  f.files.advance(2s);
  CHECK(f.lock());
}

TEST_CASE("DotLock: one whose maker was killed before it could write is nobody's after a while") {
  Fixture f;
  f.files.put("/box/list.lock", "");
  f.files.advance(15s);
  CHECK_FALSE(f.lock());
  f.files.advance(10s);
  CHECK(f.lock());
}

TEST_CASE("DotLock: is touched every ten seconds while it is held") {
  Fixture f;
  auto lock = f.lock();
  REQUIRE(lock);
  const auto made = f.directory->status("list.lock")->modified;
  f.files.advance(9s);
  REQUIRE(lock->keep());
  CHECK(f.directory->status("list.lock")->modified == made);
  f.files.advance(2s);
  REQUIRE(lock->keep());
  CHECK(f.directory->status("list.lock")->modified == made + 11s);
}

TEST_CASE("DotLock: who lost it notices, and leaves the other's alone") {
  Fixture f;
  {
    auto lock = f.lock();
    REQUIRE(lock);
    REQUIRE(f.directory->unlink("list.lock"));
    f.files.put("/box/list.lock", "1:other.host.invalid");
    CHECK_FALSE(lock->verify());
  }
  CHECK(f.files.content("/box/list.lock") == "1:other.host.invalid");
}

TEST_CASE("DotLock: on a full disk it is held without a name in it, so that mail can be deleted") {
  Fixture f;
  f.files.fail_next("write", GENERATE(ENOSPC, EDQUOT));
  {
    const auto lock = f.lock();
    REQUIRE(lock);
    const auto second = f.lock();
    REQUIRE_FALSE(second);
    CHECK(second.error().kind == StoreError::Kind::locked);
  }
  CHECK(f.files.names("/box").empty());
}

TEST_CASE("DotLock: nobody ever sees it without its maker's name") {
  char form[] = "/tmp/posthorn-dotlock-XXXXXX";
  REQUIRE(mkdtemp(form) != nullptr);
  SystemFiles files;
  const auto directory = files.open_directory(form);
  REQUIRE(directory);
  std::atomic<bool> over = false;
  std::atomic<int> seen = 0;
  std::atomic<int> empty = 0;
  std::thread reader([&] {
    const auto other = files.open_directory(form);
    while (!over) {
      const auto file = (*other)->open_file("x.lock", OpenMode::read, 0);
      if (!file) continue;
      ++seen;
      if ((*file)->read(0, 100)->empty()) ++empty;
    }
  });
  for (int i = 0; i < 20000 && (i < 2000 || seen < 100); ++i)
    REQUIRE(DotLock::try_acquire(files, **directory, "x"));
  over = true;
  reader.join();
  CHECK(seen > 0);
  CHECK(empty == 0);
  CHECK((*directory)->list()->empty());
  REQUIRE(rmdir(form) == 0);
}

TEST_CASE("DotLock: a disk that fails leaves no lock behind") {
  Fixture f;
  f.files.fail_next("write", EIO);
  REQUIRE_FALSE(f.lock());
  CHECK(f.files.names("/box").empty());
}
