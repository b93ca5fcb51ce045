#include "agents/deliverd/lda.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "libmail/async/loop.h"
#include "libmail/base/fd.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::deliverd;
namespace fs = std::filesystem;

namespace {

// A home, and a message on standard input.
struct Home {
  posthorn::TestFolder folder;
  std::string path = folder.path();
  Options options;
  LocalUser self;
  service::Log log{"test", service::Log::Format::kv, service::Level::error, -1};

  Home() {
    options.from_stdin = true;
    options.host.hostname = "mx.beta.test";
    self.name = "bob";
    self.home = path;
  }

  int deliver(const std::string& message) {
    std::ofstream(path + "/input", std::ios::binary) << message;
    const Fd before(fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3));
    {
      const Fd input(open((path + "/input").c_str(), O_RDONLY | O_CLOEXEC));
      REQUIRE(dup2(input.get(), STDIN_FILENO) == STDIN_FILENO);
    }
    const service::Site site = service::Site::find(path);
    const int code = async::run(deliver_stdin(options, self, site, log));
    if (before) dup2(before.get(), STDIN_FILENO);
    return code;
  }
  // The only message in a directory.
  std::string message_in(const std::string& directory) const {
    std::vector<std::string> texts;
    for (const auto& entry : fs::directory_iterator(path + "/" + directory)) {
      std::ifstream in(entry.path(), std::ios::binary);
      texts.emplace_back(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    }
    REQUIRE(texts.size() == 1);
    return texts[0];
  }
};

}  // namespace

TEST_CASE("--stdin: delivers into the Maildir of who runs it, an mbox's From line left out") {
  const std::string message =
      GENERATE(as<std::string>(), "From ann Mon Nov 22\nSubject: hi\n\nFrom here\n",
               "Subject: hi\r\n\r\nFrom here\r\n", "Subject: hi\n\nFrom here");
  Home home;
  home.options.sender = "<ann@alpha.test>";
  CHECK(home.deliver(message) == 0);
  CHECK(
      home.message_in("Maildir/new") ==
      "Return-Path: <ann@alpha.test>\nDelivered-To: bob@mx.beta.test\nSubject: hi\n\nFrom here\n");
}

TEST_CASE("--stdin: short and empty messages are messages") {
  const std::string message = GENERATE(as<std::string>(), "", "F", "From", "From x", "\n");
  Home home;
  CHECK(home.deliver(message) == 0);
  CHECK(home.message_in("Maildir/new")
            .starts_with("Return-Path: <>\nDelivered-To: bob@mx.beta.test\n"));
}

TEST_CASE("--stdin: folders, original recipients, an mbox of one's own") {
  Home home;
  home.options.folder = "Lists/C++";
  home.options.original_recipient = "bobby@old.test";
  CHECK(home.deliver("Subject: hi\n\nx\n") == 0);
  CHECK(home.message_in("Maildir/.Lists.C++/new").find("Delivered-To: bobby@old.test\n") !=
        std::string::npos);
  home.options.mail_location = "mbox:~/mbox";
  CHECK(home.deliver("Subject: hi\n\nx\n") == 67);  // an mbox has no folders
  home.options.folder.clear();
  CHECK(home.deliver("Subject: hi\n\nx\n") == 0);
  CHECK(fs::exists(home.path + "/mbox"));
}

TEST_CASE("--stdin: a large message goes through a file in the home") {
  Home home;
  std::string message = "Subject: large\n\n";
  for (int i = 0; i < 20000; ++i) message += "line " + std::to_string(i) + " of it\n";
  CHECK(home.deliver(message) == 0);
  CHECK(home.message_in("Maildir/new").ends_with("\n" + message));
}

TEST_CASE("--stdin: says by sysexits what went wrong") {
  Home home;
  home.options.sender = "a b";
  CHECK(home.deliver("x") == 64);
  home.options.sender.clear();
  home.options.folder = "../x";
  CHECK(home.deliver("x") == 67);
  home.options.folder.clear();
  home.options.userdb = "unix:" + home.path + "/nobody-listens";
  home.options.deliver_to = "bob@beta.test";
  CHECK(home.deliver("x") == 75);
  CHECK_FALSE(fs::exists(home.path + "/Maildir"));
}
