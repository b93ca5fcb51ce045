#include "libmail/service/tool.h"

#include <fcntl.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdio>

#include "libmail/base/fd.h"

namespace posthorn::service {
namespace {

// Remembers how it was called.
class Recorder final : public Tool {
 public:
  struct Calls {
    std::vector<std::string> words;
    std::string site;
    bool json = false;
    std::uint32_t count = 0;
    int runs = 0;
  };
  Recorder(std::string name, std::string words, Calls& calls)
      : name_(std::move(name)), words_(std::move(words)), calls_(calls) {}
  [[nodiscard]] std::string_view name() const override { return name_; }
  [[nodiscard]] std::string_view words() const override { return words_; }
  [[nodiscard]] std::string_view purpose() const override { return "remembers"; }
  void describe(OptionTable& table) override { table.add("count", calls_.count, "how often"); }
  Result<int, ToolError> run(const ToolCall& call) override {
    ++calls_.runs;
    calls_.words = call.words;
    calls_.site = call.site.directory();
    calls_.json = call.json;
    if (calls_.count == 13)
      return fail(ToolError(exit_code::data, "unlucky", "thirteen", "take another"));
    return exit_code::ok;
  }

 private:
  std::string name_, words_;
  Calls& calls_;
};

struct Program {
  Recorder::Calls list, show;
  std::vector<std::unique_ptr<Tool>> tools;
  Program() {
    tools.push_back(std::make_unique<Recorder>("queue list", "", list));
    tools.push_back(std::make_unique<Recorder>("show", "WORD...", show));
  }
  // With its output thrown away.
  int run(const std::vector<std::string>& arguments) {
    std::fflush(stdout);
    const Fd out(::dup(1));
    const Fd err(::dup(2));
    const Fd null(::open("/dev/null", O_WRONLY));
    ::dup2(null.get(), 1);
    ::dup2(null.get(), 2);
    const int code = run_tools("x", "a program", tools, arguments);
    std::fflush(stdout);
    ::dup2(out.get(), 1);
    ::dup2(err.get(), 2);
    return code;
  }
};

TEST_CASE("A command is found behind options, and gets its own options and words") {
  Program program;
  CHECK(program.run({"--site", "/s", "--json", "queue", "list", "--count", "3"}) == 0);
  CHECK(program.list.runs == 1);
  CHECK(program.list.site == "/s");
  CHECK(program.list.json);
  CHECK(program.list.count == 3);
  CHECK(program.run({"show", "a", "--count=2", "b", "--site=/t", "-"}) == 0);
  CHECK(program.show.words == std::vector<std::string>{"a", "b", "-"});
  CHECK(program.show.site == "/t");
  CHECK_FALSE(program.show.json);
}

TEST_CASE("A wrong command line is 64, the tool's own error is its code") {
  Program program;
  CHECK(program.run({}) == 64);
  CHECK(program.run({"queue"}) == 64);
  CHECK(program.run({"queue", "lst"}) == 64);
  CHECK(program.run({"queue", "list", "word"}) == 64);
  CHECK(program.run({"queue", "list", "--cuont", "1"}) == 64);
  CHECK(program.run({"queue", "list", "--count", "x"}) == 64);
  CHECK(program.list.runs == 0);
  CHECK(program.run({"queue", "list", "--count", "13", "--json"}) == 65);
  CHECK(program.run({"--help"}) == 0);
  CHECK(program.run({"--version"}) == 0);
  CHECK(program.run({"queue", "--help"}) == 0);
  CHECK(program.run({"show", "--help"}) == 0);
  CHECK(program.show.runs == 0);
}

TEST_CASE("Columns are as wide as their widest cell") {
  CHECK(format_columns({{"A", "LONG", "C"}, {"longer", "b", ""}, {"x\ny", "", "z"}}) ==
        "A       LONG  C\nlonger  b\nx\\x0ay        z\n");
}

}  // namespace
}  // namespace posthorn::service
