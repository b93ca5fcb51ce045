#include "libmail/pop3/command.h"

#include <catch2/catch.hpp>

#include "libmail/pop3/reply.h"

using namespace posthorn::pop3;

TEST_CASE("parse_command: every command in its forms") {
  CHECK(*parse_command("CAPA") == Command(Simple::capa));
  CHECK(*parse_command("quit ") == Command(Simple::quit));
  CHECK(*parse_command("UTF8") == Command(Simple::utf8));
  CHECK(*parse_command("user ann@alpha.test") == Command(User{"ann@alpha.test"}));
  CHECK(*parse_command("PASS  two  spaces ") == Command(Pass{" two  spaces "}));
  CHECK(*parse_command("AUTH") == Command(Auth{"", std::nullopt}));
  CHECK(*parse_command("auth plain") == Command(Auth{"PLAIN", std::nullopt}));
  CHECK(*parse_command("AUTH PLAIN =") == Command(Auth{"PLAIN", ""}));
  CHECK(*parse_command("AUTH SCRAM-SHA-256 YWJj") == Command(Auth{"SCRAM-SHA-256", "abc"}));
  CHECK(*parse_command("LIST") == Command(List{}));
  CHECK(*parse_command("LIST 3") == Command(List{3}));
  CHECK(*parse_command("UIDL 4294967295") == Command(Uidl{4294967295u}));
  CHECK(*parse_command("RETR 1") == Command(Retr{1}));
  CHECK(*parse_command("DELE 1") == Command(Dele{1}));
  CHECK(*parse_command("TOP 2 0") == Command(Top{2, 0}));
}

TEST_CASE("parse_command: refuses what is none") {
  const std::string line = GENERATE(
      as<std::string>(), "", " ", "HELO x", "QUITE", "QUIT now", "RETR", "RETR 0", "RETR -1",
      "RETR 1 2", "RETR x", "RETR 4294967296", "LIST a", "TOP 1", "TOP 1 -1", "TOP 1 2 3", "USER",
      "PASS", "AUTH PLAIN !!", "AUTH PL/AIN", "AUTH PLAIN AB=", std::string("NOOP\0", 5),
      std::string("USER a\0b", 8), "USER a\rb", "AUTH " + std::string(21, 'X'));
  CAPTURE(line);
  CHECK_FALSE(parse_command(line));
}

TEST_CASE("replies: are written and read, with their codes") {
  CHECK(format_reply(Reply(true, "", "")) == "+OK\r\n");
  CHECK(format_reply(Reply(false, code::in_use, "busy")) == "-ERR [IN-USE] busy\r\n");
  CHECK(format_reply(Reply(false, "", "a\r\nb")) == "-ERR a  b\r\n");
  CHECK(parse_reply("-ERR [in-use] busy") == Reply(false, "IN-USE", "busy"));
  CHECK(parse_reply("+OK") == Reply(true, "", ""));
  for (const auto* line : {"", "+ abc", "+OKAY", "OK", "* OK"}) CHECK_FALSE(parse_reply(line));
}
