#include "libmail/service/log.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "libmail/base/fd.h"

namespace posthorn::service {
namespace {

// A log that writes into a pipe, and what came out.
struct Capture {
  Fd read_end;
  Fd write_end;
  std::unique_ptr<Log> log;

  explicit Capture(Log::Format format, Level level = Level::info) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    read_end.reset(ends[0]);
    write_end.reset(ends[1]);
    log = std::make_unique<Log>("smtpd", format, level, write_end.get());
  }
  std::string text() {
    log->flush();
    std::string out(100000, 0);
    ::fcntl(read_end.get(), F_SETFL, O_NONBLOCK);
    const auto count = ::read(read_end.get(), out.data(), out.size());
    out.resize(count > 0 ? static_cast<std::size_t>(count) : 0);
    return out;
  }
};

std::string tag() {
  return " smtpd[" + std::to_string(::getpid()) + "]: ";
}

TEST_CASE("A line is time, tag, trace id, event and fields") {
  Capture capture(Log::Format::kv);
  capture.log->info("4XQ7k2", "queued",
                    {{"size", 42u}, {"from", "ann@example.org"}, {"delay", Duration(1234567890)}});
  const std::string line = capture.text();
  REQUIRE(line.size() > 24);
  CHECK(line[10] == 'T');
  CHECK(line[23] == 'Z');
  CHECK(line.substr(24) == tag() + "4XQ7k2 queued size=42 from=ann@example.org delay=1.234\n");
}

TEST_CASE("Strangers' octets cannot forge a line or a field") {
  Capture capture(Log::Format::kv);
  capture.log->info("", "x",
                    {{"a", "b\nc d=\"e\" \\x0a \xff"}, {"empty", ""}, {"yes", true}, {"n", -1}});
  CHECK(capture.text().substr(24) ==
        tag() + R"(- x a="b\x0ac d=\"e\" \\x0a \xff" empty="" yes=true n=-1)" + "\n");
}

TEST_CASE("A value is cut at 512 octets") {
  Capture capture(Log::Format::kv);
  capture.log->info("", "x", {{"a", std::string(600, 'y')}});
  CHECK(capture.text().substr(24) == tag() + "- x a=\"" + std::string(512, 'y') + "...\"\n");
}

TEST_CASE("A forked child's lines are told from its parent's") {
  Capture capture(Log::Format::kv);
  capture.log->info("", "before");
  const pid_t child = ::fork();
  if (child == 0) {
    capture.log->go_on_as_child("/1");
    capture.log->info("", "after");
    capture.log->flush();
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  const std::string text = capture.text();
  CHECK(text.find(" smtpd/1[" + std::to_string(child) + "]: - after\n") != std::string::npos);
  CHECK(text.find("before") == text.rfind("before"));
}

TEST_CASE("A level that is off writes nothing, others than info are named") {
  Capture capture(Log::Format::kv, Level::warning);
  capture.log->info("", "quiet");
  capture.log->debug("", "quieter");
  capture.log->warning("", "loud");
  CHECK(capture.text().substr(24) == tag() + "- loud level=warning\n");
}

TEST_CASE("A JSON line is JSON whatever it holds") {
  Capture capture(Log::Format::json);
  capture.log->error(
      "id", "x",
      {{"raw", "\x01\xff\"\\\n"}, {"utf8", "gr\xc3\xbc\xc3\x9f"}, {"n", 18446744073709551615u}});
  const auto line = nlohmann::json::parse(capture.text());
  CHECK(line["agent"] == "smtpd");
  CHECK(line["id"] == "id");
  CHECK(line["level"] == "error");
  CHECK(line["event"] == "x");
  CHECK(line["raw"] == "\\x01\\xff\"\\\\x0a");
  CHECK(line["utf8"] == "gr\xc3\xbc\xc3\x9f");
  CHECK(line["n"] == 18446744073709551615u);
}

}  // namespace
}  // namespace posthorn::service
