#include "agents/deliverd/program_delivery.h"

#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "libmail/async/loop.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::deliverd;
namespace fs = std::filesystem;

namespace {

// A letter for two, and a directory for what programs write.
struct Sample {
  posthorn::TestFolder folder;
  std::string directory = folder.path();
  smtp::Envelope envelope;
  smtp::SessionInfo session;
  Letter letter{envelope, session};
  PipeRules rules;
  std::unique_ptr<async::Starter> starter;

  explicit Sample(std::size_t recipients = 1) {
    auto begun = async::Starter::begin();
    REQUIRE(begun);
    starter = std::move(*begun);
    envelope.id = envelope.trace_id = "TRACE";
    envelope.reverse_path = smtp::Mailbox("ann", "alpha.test");
    const char* names[] = {"bob", "carol"};
    for (std::size_t i = 0; i < recipients; ++i)
      envelope.recipients.emplace_back(smtp::Mailbox(names[i], "beta.test"));
    put("Subject: hi\r\n\r\nhello\r\n");
  }
  ~Sample() {
    const pid_t pid = starter->pid();
    starter.reset();
    ::waitpid(pid, nullptr, 0);
  }

  void put(const std::string& text) {
    store::SystemFiles files;
    auto spool = files.open_directory(directory);
    store::ContentWriter writer;
    writer.append(text);
    if (writer.wants_spill()) REQUIRE(writer.spill(**spool));
    if (!writer.end_text()) REQUIRE(writer.spill(**spool));
    letter.content = std::make_shared<const store::Content>(writer.finish());
  }
  // A program: what stands in `script`, run by sh.
  void program(const std::string& script, const std::string& arguments = "") {
    std::ofstream(directory + "/program") << script;
    rules.argv = parse_pipe_argv("/bin/sh " + directory + "/program " + arguments).value();
    rules.directory = directory;
  }
  std::vector<Outcome> deliver() {
    ProgramDelivery delivery(*starter, 4, directory);
    delivery.set_rules(rules);
    const std::vector<Target> targets(envelope.recipients.size());
    return async::run(delivery.deliver(letter, targets));
  }
  std::string file(const std::string& name) {
    std::ifstream in(directory + "/" + name, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
};

}  // namespace

TEST_CASE("exec: the program reads the message and sees its arguments and environment") {
  Sample s;
  s.rules.flags = parse_pipe_flags("RD").value();
  s.program("cat > message; echo \"$0 $*\" > words; env > environment",
            "-f ${sender} -- ${recipient}");
  const auto outcomes = s.deliver();
  REQUIRE(outcomes.size() == 1);
  CHECK(outcomes[0].reply.code == 250);
  CHECK(s.file("message") ==
        "Return-Path: <ann@alpha.test>\nDelivered-To: bob@beta.test\nSubject: hi\n\nhello\n");
  CHECK(s.file("words") == s.directory + "/program -f ann@alpha.test -- bob@beta.test\n");
  CHECK(s.file("environment").find("RECIPIENT=bob@beta.test\n") != std::string::npos);
  CHECK(s.file("environment").find("SENDER=ann@alpha.test\n") != std::string::npos);
}

TEST_CASE("exec: one run for all recipients, or one for each if a field is each one's own") {
  Sample s(2);
  s.program("echo \"$*\" >> runs", "${recipient}");
  const auto together = s.deliver();
  CHECK(together.size() == 2);
  CHECK(s.file("runs") == "bob@beta.test carol@beta.test\n");
  fs::remove(s.directory + "/runs");
  s.rules.flags = parse_pipe_flags("D").value();
  s.program("test $1 = bob@beta.test", "${recipient}");
  const auto each = s.deliver();
  CHECK(each[0].reply.code == 250);
  CHECK(each[1].reply.code == 550);
}

TEST_CASE("exec: what the program says and how it ends decide") {
  Sample s;
  s.program("echo 4.2.2 the box is full; exit 1");
  CHECK(s.deliver()[0].reply == smtp::Reply(451, {4, 2, 2}, "the box is full"));
  s.program("echo 5.7.1 go away >&2; exit 77");
  CHECK(s.deliver()[0].reply == smtp::Reply(550, {5, 7, 1}, "go away"));
  s.program("exit 75");
  CHECK(s.deliver()[0].reply.status.text() == "4.3.0");
  s.program("kill -9 $$");
  CHECK(s.deliver()[0].reply.status.text() == "4.3.0");
}

TEST_CASE("exec: a program that does not read, or writes without end, harms nobody") {
  Sample s;
  s.put("Subject: large\r\n\r\n" + std::string(3 << 20, 'x') + "\r\n");
  s.program("exec <&-; yes 2>/dev/null | head -c 1000000");
  CHECK(s.deliver()[0].reply.code == 250);
  s.program("wc -c < /dev/stdin > size");
  CHECK(s.deliver()[0].reply.code == 250);
  CHECK(std::stoul(s.file("size")) == (3 << 20) + 17);
}

TEST_CASE("exec: a program that takes too long is killed") {
  Sample s;
  s.rules.time_limit = std::chrono::milliseconds(300);
  s.program("exec sleep 60");
  const auto began = std::chrono::steady_clock::now();
  CHECK(s.deliver()[0].reply.status.text() == "5.3.0");
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
}

TEST_CASE("exec: a program that is not there is our trouble") {
  Sample s;
  s.rules.argv = {"/nonexistent/program"};
  const auto outcomes = s.deliver();
  CHECK(outcomes[0].reply.transient());
  CHECK(outcomes[0].why.find("/nonexistent/program") != std::string::npos);
}

TEST_CASE("exec: a starter that has died is our trouble") {
  Sample s;
  s.program("touch ran");
  REQUIRE(::kill(s.starter->pid(), SIGKILL) == 0);
  const auto outcomes = s.deliver();
  CHECK(outcomes[0].reply.code == 451);
  CHECK(outcomes[0].reply.status.text() == "4.3.5");
  CHECK_FALSE(fs::exists(s.directory + "/ran"));
}

TEST_CASE("exec: with flag D a message that was here before is a loop") {
  Sample s;
  s.letter.header = "Received: by x; y\nDelivered-To: bob@beta.test\n";
  s.program("touch ran");
  CHECK(s.deliver()[0].reply.code == 250);
  fs::remove(s.directory + "/ran");
  s.rules.flags = parse_pipe_flags("D").value();
  CHECK(s.deliver()[0].reply.status.text() == "5.4.6");
  CHECK_FALSE(fs::exists(s.directory + "/ran"));
}
