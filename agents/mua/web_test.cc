#include <catch2/catch.hpp>

#include "agents/mua/autoconfig.h"
#include "agents/mua/list_unsubscribe.h"
#include "agents/mua/output.h"

namespace posthorn::mua {

namespace {

std::optional<UnsubscribeWay> way(const std::string& header) {
  return find_unsubscribe(message::Header::parse(header + "\r\n"));
}

const std::string xml = R"(<?xml version="1.0"?>
<clientConfig version="1.1"><emailProvider id="example.org">
<incomingServer type="pop3"><hostname>pop.example.org</hostname><port>995</port><socketType>SSL</socketType></incomingServer>
<incomingServer type="imap">
  <hostname>imap.%EMAILDOMAIN%</hostname><port>143</port><socketType>STARTTLS</socketType>
  <username>%EMAILLOCALPART%</username></incomingServer>
<incomingServer type="imap"><hostname>plain.example.org</hostname><port>143</port><socketType>plain</socketType></incomingServer>
<outgoingServer type="smtp"><hostname>smtp.example.org</hostname><port>465</port><socketType>SSL</socketType>
  <username>%EMAILADDRESS%</username></outgoingServer>
<outgoingServer type="smtp"><hostname>evil"host</hostname><port>465</port><socketType>SSL</socketType></outgoingServer>
</emailProvider></clientConfig>)";

}  // namespace

TEST_CASE("one click needs https and List-Unsubscribe-Post") {
  const auto both = way(
      "List-Unsubscribe: <mailto:leave@l.example?subject=bye>,\r\n <https://l.example/u?x=1>\r\n"
      "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n");
  REQUIRE(both.has_value());
  CHECK(both->one_click);
  CHECK(both->url == "https://l.example/u?x=1");
  CHECK(both->mailto == std::vector<std::string>{"leave@l.example"});
  CHECK(both->subject == "bye");
  CHECK_FALSE(way("List-Unsubscribe: <https://l.example/u>\r\n")->one_click);
  CHECK_FALSE(way("List-Unsubscribe: <http://l.example/u>\r\nList-Unsubscribe-Post: "
                  "List-Unsubscribe=One-Click\r\n")
                  ->one_click);
  CHECK_FALSE(way("Subject: x\r\n").has_value());
}

TEST_CASE("a second List-Unsubscribe field makes it no one-click") {
  CHECK_FALSE(
      way("List-Unsubscribe: <https://a.example/>\r\nList-Unsubscribe: <https://b.example/>\r\n"
          "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n")
          ->one_click);
}

TEST_CASE("a mailto URI is decoded, and can't inject a line into a subject") {
  const auto uri = parse_mailto(
      "mailto:a%40b@x.example,c@x.example?subject=a%20b&body=1%0d%0a2&cc=no@x.example");
  REQUIRE(uri.has_value());
  CHECK(uri->to == std::vector<std::string>{"a@b@x.example", "c@x.example"});
  CHECK(uri->subject == "a b");
  CHECK(uri->body == "1\n2");
  CHECK_FALSE(parse_mailto("mailto:a@x.example?subject=a%0d%0aBcc:b").has_value());
  CHECK_FALSE(parse_mailto("mailto:a@x.example?subject=%").has_value());
  CHECK_FALSE(parse_mailto("mailto:").has_value());
}

TEST_CASE("an autoconfig file gives the servers that have TLS") {
  const auto servers = read_autoconfig(xml, "ann@example.org", "https://x/");
  REQUIRE(servers.size() == 3);
  const FoundServer* imap = best_server(servers, "imap");
  REQUIRE(imap != nullptr);
  CHECK(imap->host == "imap.example.org");
  CHECK(imap->user == "ann");
  CHECK(imap->tls == TlsMode::starttls);
  CHECK(best_server(servers, "submission")->user == "ann@example.org");
  CHECK(read_autoconfig("<incomingServer type=\"imap\"><hostname>", "a@b.example", "").empty());
}

TEST_CASE("a name with controls is no server's name") {
  const auto named = [](const std::string& user) {
    return read_autoconfig(
               "<incomingServer type=\"imap\"><hostname>i.example.org</hostname><port>993</port>"
               "<socketType>SSL</socketType><username>" +
                   user + "</username></incomingServer>",
               "ann@example.org", "")
        .size();
  };
  CHECK(named("ann") == 1);
  CHECK(named("ann\x1b[2J") == 0);
  CHECK(named("ann\nhost = 1") == 0);
  CHECK(named("ann\u009b2J") == 0);
}

TEST_CASE("what discover prints is an account that can be read") {
  const std::string toml =
      account_toml("ann@example.org", read_autoconfig(xml, "ann@example.org", "https://x/"));
  const auto accounts = parse_accounts(toml, "/x/mua.toml");
  REQUIRE(accounts.has_value());
  CHECK(accounts->all.front().name == "example");
  CHECK(accounts->all.front().server.host == "imap.example.org");
  CHECK(accounts->all.front().server.port == 143);
  CHECK(accounts->all.front().submission.user == "ann@example.org");
}

TEST_CASE("a stranger's text can't steer the terminal") {
  CHECK(shown("a\x1b[2Jb").find('\x1b') == std::string::npos);
  CHECK(shown_text("a\tb\nc\x07").starts_with("a\tb\nc"));
  CHECK(shown_text("a\x1b]0;x\x07").find('\x1b') == std::string::npos);
  CHECK(fit("\u65e5\u672c\u8a9e", 4).starts_with("\u65e5"));
  CHECK(width_of(fit("\u65e5\u672c\u8a9e", 4)) == 4);
}

}  // namespace posthorn::mua
