// What strangers may put into drop/ besides files: on a real file system.
#include "libmail/queue/drop.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/queue/files.h"

using namespace posthorn;
using namespace posthorn::queue;

namespace {

struct DropDirectory {
  std::filesystem::path root =
      std::filesystem::temp_directory_path() / ("posthorn-drop-" + hex(random_octets(6)));
  Layout layout{root.string()};
  RealFiles files;

  DropDirectory() { std::filesystem::create_directories(layout.drop()); }
  ~DropDirectory() { std::filesystem::remove_all(root); }
  [[nodiscard]] std::string path(const std::string& name) const {
    return layout.drop() + '/' + name;
  }
  void write(const std::string& where) const { std::ofstream(where) << "MAIL FROM:<>\n"; }
};

}  // namespace

TEST_CASE("list_drop: links, FIFOs and directories are no messages") {
  const DropDirectory drop;
  drop.write(drop.path("message"));
  const std::string secret = drop.root / "secret";
  drop.write(secret);
  REQUIRE(::symlink(secret.c_str(), drop.path("symbolic").c_str()) == 0);
  REQUIRE(::link(secret.c_str(), drop.path("second-name").c_str()) == 0);
  REQUIRE(::mkfifo(drop.path("fifo").c_str(), 0600) == 0);
  REQUIRE(::mkdir(drop.path("directory").c_str(), 0700) == 0);
  RealFiles files;
  const auto found = list_drop(files, drop.layout);
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(found->front().name == "message");
}

TEST_CASE("RealFiles: what is swapped in behind a listing is not followed and not waited for") {
  DropDirectory drop;
  const std::string secret = drop.root / "secret";
  drop.write(secret);
  REQUIRE(::symlink(secret.c_str(), drop.path("message").c_str()) == 0);
  CHECK_FALSE(drop.files.open(drop.path("message"), OpenFor::reading, 0));
  REQUIRE(::mkfifo(drop.path("fifo").c_str(), 0600) == 0);
  const auto fifo = drop.files.open(drop.path("fifo"), OpenFor::reading, 0);  // returns at once
  REQUIRE(fifo);
  const auto status = (*fifo)->status();
  REQUIRE(status);
  CHECK_FALSE(status->is_regular);
}
