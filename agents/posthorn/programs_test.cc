#include "agents/posthorn/programs.h"

#include <catch2/catch.hpp>

#include "agents/posthorn/test_site.h"
#include "libmail/async/loop.h"

namespace posthorn::operate {
namespace {

using async::Deadline;
using std::chrono::seconds;

service::AgentEntry entry(const std::string& name, std::vector<std::string> command = {}) {
  service::AgentEntry made;
  made.name = name;
  made.command = std::move(command);
  made.where = "posthorn.toml:1";
  return made;
}

TEST_CASE("A foreign program is started as it is, by path or by name") {
  const TestSite site;
  const auto by_path = find_program(entry("x", {"/bin/sh", "-c", "true"}), site.site());
  REQUIRE(by_path);
  CHECK_FALSE(by_path->is_ours);
  CHECK(by_path->argv == std::vector<std::string>{"/bin/sh", "-c", "true"});
  const auto by_name = find_program(entry("x", {"sh"}), site.site());
  REQUIRE(by_name);
  CHECK(by_name->argv == std::vector<std::string>{"sh"});
}

TEST_CASE("A program that is not there is named with where it was looked for") {
  const TestSite site;
  const auto no_path = find_program(entry("x", {"/nonexistent/x"}), site.site());
  REQUIRE_FALSE(no_path);
  CHECK(no_path.error() == "posthorn.toml:1: there is no program /nonexistent/x");
  const auto no_agent = find_program(entry("imapx"), site.site());
  REQUIRE_FALSE(no_agent);
  CHECK(no_agent.error() == "posthorn.toml:1: agents.imapx is no agent of ours: give it a command");
}

TEST_CASE("run_program gives the output and the exit code, and kills what takes too long") {
  const auto done = async::run(
      run_program({"/bin/sh", "-c", "echo out; echo err >&2; exit 3"}, Deadline::in(seconds(60))));
  REQUIRE(done);
  CHECK(done->exit == 3);
  CHECK(done->text == "out\nerr\n");
  const auto slow = async::run(
      run_program({"/bin/sh", "-c", "sleep 60"}, Deadline::in(std::chrono::milliseconds(200))));
  REQUIRE_FALSE(slow);
  CHECK(slow.error().code == IoError::timed_out);
}

TEST_CASE("An agent's listeners are read with their modes, owners, groups and kinds") {
  const TestSite site;
  site.write("x",
             "#!/bin/sh\nprintf 'listen\\tinet:*:25\\t0666\\t\\t\\tudp=3\\nauth\\tunix:/a "
             "b\\t0660\\tann\\tmail\\tstream\\n'\n",
             0755);
  AgentProgram program;
  program.name = "x";
  program.argv = {site.path("x")};
  const auto listeners = async::run(ask_listeners(program, Deadline::in(seconds(60))));
  REQUIRE(listeners);
  REQUIRE(listeners->size() == 2);
  CHECK(listeners->at(0).endpoint == async::Endpoint::inet("*", 25));
  CHECK(listeners->at(0).access.datagrams == 3);
  CHECK(listeners->at(1).access.datagrams == 0);
  CHECK(listeners->at(1).option == "auth");
  CHECK(listeners->at(1).endpoint.path == "/a b");
  CHECK(listeners->at(1).access.mode == "0660");
  CHECK(listeners->at(1).access.owner == "ann");
  CHECK(listeners->at(1).access.group == "mail");
}

}  // namespace
}  // namespace posthorn::operate
