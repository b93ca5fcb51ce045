#include <catch2/catch.hpp>

#include "libmail/base/text.h"
#include "libmail/smtp/replies.h"
#include "libmail/smtp/reply_parser.h"
#include "libmail/smtp/status.h"

namespace posthorn::smtp {

namespace {

// All replies of `wire`, fed in pieces of `step` octets, each as "CODE STATUS TEXT"; an error ends it.
std::vector<std::string> read_all(std::string_view wire, std::size_t step,
                                  ReplyLimits limits = {}) {
  ReplyParser parser(limits);
  std::vector<std::string> seen;
  while (!wire.empty()) {
    std::string_view piece = wire.substr(0, step);
    wire.remove_prefix(piece.size());
    while (!piece.empty()) {
      const auto whole = parser.feed(piece);
      if (!whole) {
        seen.push_back("! " + std::string(describe(whole.error())));
        return seen;
      }
      if (!*whole) continue;
      const Reply& reply = parser.reply();
      seen.push_back(std::to_string(reply.code) + " " +
                     (reply.status.none() ? "-" : reply.status.text()) + " " + reply.text);
    }
  }
  return seen;
}

}  // namespace

TEST_CASE("a reply is written line by line, its enhanced code on each") {
  CHECK(format_reply(reply::ok) == "250 2.0.0 OK\r\n");
  CHECK(format_reply(Reply(250, {2, 1, 5}, "a\nb")) == "250-2.1.5 a\r\n250 2.1.5 b\r\n");
  CHECK(format_reply(Reply(250, "mx.example\nDSN")) == "250-mx.example\r\n250 DSN\r\n");
  CHECK(format_reply(Reply(250, {2, 0, 0}, "")) == "250 2.0.0 \r\n");
}

TEST_CASE("no text breaks out of its reply") {
  CHECK(format_reply(Reply(550, {5, 0, 0}, std::string("a\rb\0c\x7F", 6))) ==
        "550 5.0.0 a?b?c?\r\n");
  const std::string longest = format_reply(Reply(550, {5, 0, 0}, std::string(1000, 'x')));
  CHECK(longest.size() == 512);
  CHECK(longest.ends_with("x\r\n"));
  std::string euros;
  for (int i = 0; i < 300; ++i) euros += "\xE2\x82\xAC";
  const std::string cut = format_reply(Reply(550, {5, 0, 0}, euros));
  CHECK(cut.size() <= 512);
  CHECK(is_utf8(cut));
}

TEST_CASE("replies are read at every split") {
  const std::string wire =
      "220 mx.example ESMTP\r\n"
      "250-mx.example\r\n250-SIZE 1000\r\n250 8BITMIME\r\n"
      "250 2.1.0 Ok\r\n354\r\n"
      "550-5.1.1 no\r\n550 5.1.1 such user\r\n421 bye\n";
  const std::vector<std::string> expected = {"220 - mx.example ESMTP",
                                             "250 - mx.example\nSIZE 1000\n8BITMIME",
                                             "250 2.1.0 Ok",
                                             "354 - ",
                                             "550 5.1.1 no\nsuch user",
                                             "421 - bye"};
  for (std::size_t step = 1; step <= wire.size(); ++step) {
    CAPTURE(step);
    CHECK(read_all(wire, step) == expected);
  }
}

TEST_CASE("a hostile server is stopped") {
  const auto [wire, why] = GENERATE(table<std::string, const char*>({
      {"hello\r\n", "reply without a code"},
      {"\r\n", "reply without a code"},
      {"25\r\n", "reply without a code"},
      {"2500 x\r\n", "reply without a code"},
      {"150 x\r\n", "reply without a code"},
      {"650 x\r\n", "reply without a code"},
      {"250-a\r\n550 b\r\n", "reply with several codes"},
      {"250-a\r\nb\r\n", "reply without a code"},
      {"250 " + std::string(5000, 'x') + "\r\n", "reply line too long"},
      {std::string(5000, 'x'), "reply line too long"},
  }));
  CAPTURE(wire);
  for (const std::size_t step : {std::size_t{1}, std::size_t{7}, std::size_t{100000}}) {
    CHECK(read_all(wire, step) == std::vector<std::string>{"! " + std::string(why)});
  }
  std::string forever;
  for (int i = 0; i < 20000; ++i) forever += "250-x\r\n";
  CHECK(read_all(forever, 1000) == std::vector<std::string>{"! reply too long"});
}

TEST_CASE("controls in a server's words become question marks") {
  using namespace std::string_literals;
  CHECK(read_all("550 a\rb\0c\x1B[2J\r\n"s, 3) == std::vector<std::string>{"550 - a?b?c?[2J"});
}

TEST_CASE("an enhanced code is three numbers, or it is text") {
  const auto [text, none] = GENERATE(table<const char*, bool>({
      {"2.1.0 x", false},
      {"5.7.999", false},
      {"2.1 x", true},
      {"3.1.0 x", true},
      {"2.1.0x", true},
      {"2.1.1000 x", true},
      {"2..0 x", true},
      {"", true},
  }));
  CAPTURE(text);
  std::string_view rest = text;
  CHECK(take_enhanced_status(rest).has_value() == !none);
}

TEST_CASE("a reply becomes a status and a status a reply") {
  const Status status = to_status(Reply(550, {5, 1, 1}, "no\nsuch user"), "mx.example [192.0.2.1]");
  CHECK(status.is_permanent());
  CHECK(status.enhanced == EnhancedStatus(5, 1, 1));
  CHECK(status.text == "no such user");
  CHECK(status.remote_mta == "mx.example [192.0.2.1]");
  CHECK(to_reply(status) == Reply(550, {5, 1, 1}, "no such user"));
  CHECK(to_reply(status, 554).code == 554);
  CHECK(to_reply(status, 451).code == 550);
}

TEST_CASE("where code and enhanced code contradict each other the code counts") {
  CHECK(to_status(Reply(250, {5, 1, 1}, "x")).succeeded());
  CHECK(to_status(Reply(250, {5, 1, 1}, "x")).enhanced == EnhancedStatus(2, 0, 0));
  CHECK(to_status(Reply(450, "x")).enhanced == EnhancedStatus(4, 0, 0));
  CHECK(to_status(Reply(354, "x")).enhanced == EnhancedStatus(4, 5, 0));
}

}  // namespace posthorn::smtp
