#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <iostream>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/test_site.h"
#include "libmail/base/fd.h"
#include "libmail/sasl/passwd_edit.h"

namespace posthorn::operate {
namespace {

// Runs posthorn with these words; `input` is its standard input. Output goes to the file "out".
int run(const TestSite& test, std::vector<std::string> words, const std::string& input = {}) {
  test.write("in", input);
  words.insert(words.begin(), {"--site", test.site().directory()});
  const Fd old_in(::dup(0));
  const Fd old_out(::dup(1));
  const Fd old_err(::dup(2));
  std::fflush(stdout);
  const Fd in(::open(test.path("in").c_str(), O_RDONLY));
  const Fd out(::open(test.path("out").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600));
  ::dup2(in.get(), 0);
  ::dup2(out.get(), 1);
  ::dup2(out.get(), 2);
  std::clearerr(stdin);
  std::cin.clear();
  const int code = service::run_tools("posthorn", "test", commands(), words);
  std::fflush(stdout);
  ::dup2(old_in.get(), 0);
  ::dup2(old_out.get(), 1);
  ::dup2(old_err.get(), 2);
  return code;
}

bool has_password(const TestSite& test, const std::string& user, const std::string& password) {
  const auto users = sasl::read_users(test.path("conf/users"));
  if (!users || users->find(user) == nullptr) return false;
  const auto stored = sasl::parse_password(users->find(user)->password);
  return stored && sasl::verify_password(*stored, password);
}

TEST_CASE("A user is added, gets a new password, is listed and deleted") {
  const TestSite test;
  CHECK(run(test, {"user", "add", "ann@alpha.test"}, "secret\n") == 0);
  CHECK(has_password(test, "ann@alpha.test", "secret"));
  CHECK(run(test, {"user", "passwd", "ann@alpha.test", "--scheme", "CRYPT"}, "other\r\n") == 0);
  CHECK(has_password(test, "ann@alpha.test", "other"));
  CHECK(run(test, {"user", "list"}) == 0);
  CHECK_THAT(test.read("out"), Catch::Contains("ann@alpha.test  CRYPT"));
  CHECK(run(test, {"user", "delete", "ann@alpha.test"}) == 0);
  CHECK(run(test, {"user", "list"}) == 1);
}

TEST_CASE("A made password is printed, as it is or in JSON") {
  const TestSite test;
  CHECK(run(test, {"user", "add", "ann@alpha.test", "--generate"}) == 0);
  CHECK(has_password(test, "ann@alpha.test", std::string(trim(test.read("out")))));
  CHECK(run(test, {"user", "passwd", "ann@alpha.test", "--generate", "--json"}) == 0);
  CHECK_THAT(test.read("out"), Catch::StartsWith("{\"password\":\""));
}

TEST_CASE("Fields of the entry are written") {
  const TestSite test;
  CHECK(run(test,
            {"user", "add", "ann@alpha.test", "--home", "/home/ann", "--extra", "nologin",
             "--extra", "userdb_mail=mbox:~/mail"},
            "x\n") == 0);
  const auto users = sasl::read_users(test.path("conf/users"));
  REQUIRE(users);
  const sasl::PasswdEntry* entry = users->find("ann@alpha.test");
  REQUIRE(entry != nullptr);
  CHECK(entry->home == "/home/ann");
  CHECK(entry->field("nologin") == "");
  CHECK(entry->field("userdb_mail") == "mbox:~/mail");
}

TEST_CASE("What can't be done ends with its own exit code") {
  const TestSite test;
  CHECK(run(test, {"user", "add", "ann@alpha.test"}, "secret\n") == 0);
  CHECK(run(test, {"user", "add", "ann@alpha.test"}, "secret\n") == 1);
  CHECK(run(test, {"user", "passwd", "bob@alpha.test"}, "x\n") == 67);
  CHECK(run(test, {"user", "delete", "bob@alpha.test", "--json"}) == 67);
  CHECK_THAT(test.read("out"), Catch::StartsWith("{\"error\":{\"code\":\"no-such-user\""));
  CHECK(run(test, {"user", "add", "carol@alpha.test"}) == 65);
  CHECK(run(test, {"user", "add", "a:b"}, "x\n") == 65);
  CHECK(run(test, {"user", "add"}, "x\n") == 64);
  test.write("conf/posthorn.toml", "usrs = \"x\"\n");
  CHECK(run(test, {"user", "list"}) == 78);
}

}  // namespace
}  // namespace posthorn::operate
