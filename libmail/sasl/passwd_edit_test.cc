#include "libmail/sasl/passwd_edit.h"

#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::sasl;

namespace {

struct Folder : posthorn::TestFolder {
  [[nodiscard]] std::string users() const { return path("users"); }
  void write(std::string_view text) const { TestFolder::write("users", text); }
  [[nodiscard]] std::string read() const { return TestFolder::read("users"); }
  [[nodiscard]] std::size_t files() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path()), {}));
  }
};

PasswdEntry named(std::string user) {
  PasswdEntry entry;
  entry.user = std::move(user);
  return entry;
}

bool can_log_in(const Folder& folder, std::string_view user, std::string_view password) {
  const auto users = read_users(folder.users());
  REQUIRE(users);
  const PasswdEntry* entry = users->find(user);
  if (entry == nullptr) return false;
  const auto stored = parse_password(entry->password);
  return stored && verify_password(*stored, password);
}

}  // namespace

TEST_CASE("users: add, change, delete, list") {
  const Folder folder;
  REQUIRE(add_user(folder.users(), named("ann@alpha.test"), "first"));
  REQUIRE(add_user(folder.users(), named("bob@alpha.test"), "bobs", Scheme::crypt));
  CHECK(can_log_in(folder, "ann@alpha.test", "first"));
  CHECK(can_log_in(folder, "bob@alpha.test", "bobs"));
  REQUIRE(change_password(folder.users(), "ANN@alpha.test", "second"));
  CHECK_FALSE(can_log_in(folder, "ann@alpha.test", "first"));
  CHECK(can_log_in(folder, "ann@alpha.test", "second"));
  REQUIRE(delete_user(folder.users(), "ann@alpha.test"));
  const auto users = read_users(folder.users());
  REQUIRE(users->entries.size() == 1);
  CHECK(users->entries[0].user == "bob@alpha.test");
  CHECK(folder.files() == 1);  // no temporary file is left
}

TEST_CASE("users: a new file is private, an old one keeps its mode") {
  const Folder folder;
  REQUIRE(add_user(folder.users(), named("ann"), "x"));
  struct stat status{};
  REQUIRE(::stat(folder.users().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0600);
  REQUIRE(::chmod(folder.users().c_str(), 0640) == 0);
  REQUIRE(add_user(folder.users(), named("bob"), "x"));
  REQUIRE(::stat(folder.users().c_str(), &status) == 0);
  CHECK((status.st_mode & 07777) == 0640);
}

TEST_CASE("users: other lines stay as they are, octet for octet") {
  const Folder folder;
  const std::string others =
      "# comment ann:x\r\nweird line\n\nbob:{PLAIN}x:1:2:B:/h:/s:userdb_a=b  nologin\n";
  folder.write(others + "ann:{PLAIN}old:7:8:Ann:/home/ann::k=v\nlast:{PLAIN}x");
  REQUIRE(change_password(folder.users(), "ann", "new"));
  const std::string text = folder.read();
  CHECK(text.substr(0, others.size()) == others);
  CHECK(text.find(":7:8:Ann:/home/ann::k=v\nlast:{PLAIN}x") != std::string::npos);
  CHECK(text.find("{PLAIN}old") == std::string::npos);
  REQUIRE(add_user(folder.users(), named("carl"), "x"));
  CHECK(folder.read().find("last:{PLAIN}x\ncarl:{SCRAM") != std::string::npos);
  REQUIRE(delete_user(folder.users(), "ann"));
  CHECK(folder.read().substr(0, others.size() + 14) == others + "last:{PLAIN}x\n");
}

TEST_CASE("users: a line without a password gets one") {
  const Folder folder;
  folder.write("ann\nbob:\n");
  REQUIRE(change_password(folder.users(), "ann", "x"));
  REQUIRE(change_password(folder.users(), "bob", "y"));
  CHECK(can_log_in(folder, "ann", "x"));
  CHECK(can_log_in(folder, "bob", "y"));
}

TEST_CASE("users: errors say what is wrong and change nothing") {
  const Folder folder;
  folder.write("ann:{PLAIN}x\n");
  CHECK(add_user(folder.users(), named("Ann"), "y").error().kind == PasswdError::Kind::user_exists);
  CHECK(change_password(folder.users(), "eve", "y").error().kind ==
        PasswdError::Kind::no_such_user);
  CHECK(delete_user(folder.users(), "eve").error().kind == PasswdError::Kind::no_such_user);
  CHECK(add_user(folder.users(), named("a:b"), "y").error().kind == PasswdError::Kind::bad_input);
  CHECK(add_user(folder.users(), named("bob"), "").error().kind == PasswdError::Kind::bad_input);
  PasswdEntry injecting = named("bob");
  injecting.home = "/home/bob\nroot:{PLAIN}x";
  CHECK(add_user(folder.users(), injecting, "y").error().kind == PasswdError::Kind::bad_input);
  CHECK(add_user(folder.path("none/users"), named("bob"), "y").error().kind ==
        PasswdError::Kind::io);
  CHECK(folder.read() == "ann:{PLAIN}x\n");
  CHECK(folder.files() == 1);
}

TEST_CASE("users: edits at the same time lose nobody") {
  const Folder folder;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&folder, i] {
      for (int j = 0; j < 5; ++j) {
        const auto done = add_user(
            folder.users(), named("user" + std::to_string(i) + "." + std::to_string(j)), "x");
        (void)done;  // counted below
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(read_users(folder.users())->entries.size() == 20);
}

TEST_CASE("users: an absent file is an empty list") {
  const Folder folder;
  const auto users = read_users(folder.users());
  REQUIRE(users);
  CHECK(users->entries.empty());
}
