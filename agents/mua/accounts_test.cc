#include "agents/mua/accounts.h"

#include <catch2/catch.hpp>

namespace posthorn::mua {

namespace {

const std::string two = R"(default = "home"
[accounts.work]
address = "Ann <ann@example.org>"
store = "imap"
host = "imap.example.org"
user = "ann"
password_command = ["pass", "show", "work"]
[accounts.work.submission]
host = "smtp.example.org"
tls = "starttls"
[accounts.work.folders]
sent = "Sent Mail"
[accounts.home]
address = "ann@home.example"
store = "maildir"
path = "Mail"
sendmail = "sendmail -i"
)";

std::string fault(const std::string& text) {
  const auto parsed = parse_accounts(text, "/x/mua.toml");
  return parsed ? "" : parsed.error().message;
}

}  // namespace

TEST_CASE("accounts with their servers, the default one first") {
  const auto accounts = parse_accounts(two, "/x/mua.toml");
  REQUIRE(accounts.has_value());
  REQUIRE(accounts->all.size() == 2);
  const Account& home = accounts->all[0];
  CHECK(home.name == "home");
  CHECK(home.path == "/x/Mail");
  CHECK(home.sendmail == std::vector<std::string>{"/bin/sh", "-c", "sendmail -i"});
  const Account& work = accounts->all[1];
  CHECK(work.address.display_name == "Ann");
  CHECK(work.server.port == 993);
  CHECK(work.submission.port == 587);
  CHECK(work.submission.user == "ann");
  CHECK(work.submission.secret.password_command.size() == 3);
  CHECK(work.folders.at("sent") == "Sent Mail");
}

TEST_CASE("an error names file, line and what is meant") {
  CHECK(fault("[accounts.a]\naddres = \"x@y.example\"\n") ==
        "/x/mua.toml:2: unknown key \"addres\"; did you mean \"address\"?");
  CHECK(fault("[accounts.a]\nstore = \"imap\"\n").find("\"host\" is missing") != std::string::npos);
  CHECK(fault("[accounts.a]\naddress = \"nobody\"\n").find("no e-mail address") !=
        std::string::npos);
  CHECK(fault("[accounts.a]\nport = 0\n").find("1 to 65535") != std::string::npos);
  CHECK(fault("x = [").find("/x/mua.toml:1") != std::string::npos);
  CHECK(fault("").find("no account") != std::string::npos);
}

TEST_CASE("accounts are chosen by name, and a wrong name finds the near one") {
  const auto accounts = parse_accounts(two, "/x/mua.toml");
  REQUIRE(accounts.has_value());
  CHECK(choose_accounts(*accounts, "", false)->front().name == "home");
  CHECK(choose_accounts(*accounts, "work,home", false)->size() == 2);
  CHECK(choose_accounts(*accounts, "", true)->size() == 2);
  CHECK(choose_accounts(*accounts, "wrok", false).error().hint == "did you mean work?");
}

TEST_CASE("an account owns its address and its aliases") {
  const auto accounts = parse_accounts(
      "[accounts.a]\naddress = \"Ann@Example.org\"\naliases = [\"sales@example.org\"]\n", "/x/m");
  REQUIRE(accounts.has_value());
  message::Address sales;
  sales.local_part = "Sales";
  sales.domain = "EXAMPLE.org";
  CHECK(accounts->all.front().owns(sales));
  sales.domain = "example.com";
  CHECK_FALSE(accounts->all.front().owns(sales));
}

}  // namespace posthorn::mua
