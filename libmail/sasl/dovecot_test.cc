#include "libmail/sasl/dovecot.h"

#include <catch2/catch.hpp>

#include "libmail/base/tab_escape.h"
#include "libmail/sasl/userdb.h"

using namespace posthorn;
using namespace posthorn::sasl::dovecot;
using namespace std::string_literals;

namespace {

std::vector<std::string> lines_of(LineReader& reader) {
  std::vector<std::string> lines;
  while (auto line = reader.next()) lines.push_back(std::move(*line));
  return lines;
}

std::string without_end(std::string line) {
  REQUIRE(line.find('\n') == line.size() - 1);
  line.pop_back();
  return line;
}

}  // namespace

TEST_CASE("LineReader: gives the same lines at every split") {
  const std::string bytes = "VERSION\t1\t2\n\nCPID\t77\r\nAUTH\t1\tPLAIN\tservice=smtp\nunfinished";
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    LineReader reader;
    std::vector<std::string> lines;
    for (const auto part :
         {std::string_view(bytes).substr(0, cut), std::string_view(bytes).substr(cut)}) {
      reader.feed(part);
      for (auto& line : lines_of(reader)) lines.push_back(std::move(line));
    }
    CHECK(lines == std::vector<std::string>{"VERSION\t1\t2", "", "CPID\t77",
                                            "AUTH\t1\tPLAIN\tservice=smtp"});
  }
}

TEST_CASE("LineReader: octet by octet, a million short lines cost no quadratic time") {
  LineReader reader;
  std::size_t count = 0;
  for (int i = 0; i < 1000; ++i) {
    std::string block;
    for (int j = 0; j < 1000; ++j) block += "x\n";
    reader.feed(block);
    count += lines_of(reader).size();
  }
  CHECK(count == 1'000'000);
}

TEST_CASE("LineReader: a line over the limit ends it, before it is whole") {
  LineReader exact(10);
  exact.feed(std::string(10, 'a') + "\n");
  CHECK(exact.next() == std::string(10, 'a'));
  LineReader reader(10);
  reader.feed(std::string(11, 'a'));
  CHECK_FALSE(reader.next());
  CHECK(reader.too_long());
  reader.feed("\nnext\n");
  CHECK_FALSE(reader.next());
}

TEST_CASE("tab escapes: every octet comes back") {
  std::string all;
  for (int i = 0; i < 256; ++i) all.push_back(static_cast<char>(i));
  const std::string escaped = tab_escape(all);
  CHECK(escaped.find_first_of("\t\n\r\0"s) == std::string::npos);
  CHECK(tab_unescape(escaped) == all);
  CHECK_FALSE(tab_unescape("a\001"));
  CHECK(tab_unescape("a\001x") == "ax");
}

TEST_CASE("AUTH: reads what Postfix, Exim and Dovecot's servers send") {
  const auto message = parse_client_line(
      "AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.1\trip=2001:db8::1\tlport=587\trport="
      "4711\tsecured=tls\t"
      "session=a/b\tresp=AGFubgBzZWNyZXQ=");
  REQUIRE(message);
  const auto& request = std::get<AuthRequest>(*message);
  CHECK(request.id == 1);
  CHECK(request.mechanism == "PLAIN");
  CHECK(request.service == "smtp");
  CHECK(request.local_ip == "192.0.2.1");
  CHECK(request.remote_ip == "2001:db8::1");
  CHECK(request.local_port == 587);
  CHECK(request.remote_port == 4711);
  CHECK(request.secured);
  CHECK(request.tls);
  CHECK_FALSE(request.final_resp_ok);
  CHECK(request.initial_response == "\0ann\0secret"s);
  CHECK(find_field(request.other, "nologin") == "");
}

TEST_CASE("AUTH: no initial response and an empty one are told apart") {
  CHECK_FALSE(
      std::get<AuthRequest>(*parse_client_line("AUTH\t1\tPLAIN\tservice=x")).initial_response);
  for (const auto* empty :
       {"AUTH\t1\tPLAIN\tservice=x\tresp==", "AUTH\t1\tPLAIN\tservice=x\tresp="})
    CHECK(std::get<AuthRequest>(*parse_client_line(empty)).initial_response == "");
}

TEST_CASE("client lines: what is written is read back the same") {
  AuthRequest request;
  request.id = 4294967295u;
  request.mechanism = "SCRAM-SHA-256-PLUS";
  request.service = "pop3";
  request.secured = request.tls = request.final_resp_ok = request.no_penalty = true;
  request.local_ip = "192.0.2.1";
  request.remote_ip = "192.0.2.2";
  request.local_port = 995;
  request.remote_port = 1;
  request.session = "tab\there";
  request.channel_binding = "\x00\x01\xff"s;
  request.initial_response = "p=tls-exporter,,n=a,r=b";
  request.other = {{"cert_username", "x y"}, {"debug", ""}};
  const std::vector<ClientMessage> messages{Version(),           Cpid{42},        request,
                                            Continue(7, "\0x"s), Continue(8, ""), Cancel{9}};
  for (const auto& message : messages) {
    const auto back = parse_client_line(without_end(format_client_line(message)));
    REQUIRE(back);
    CHECK(*back == message);
  }
}

TEST_CASE("server lines: what is written is read back the same") {
  Ok ok;
  ok.id = 3;
  ok.user = "ann@alpha.test";
  ok.additional_data = "v=abc";
  ok.other = {{"home", "/srv/a b\tc"}, {"nologin", ""}};
  Fail no;
  no.id = 4;
  no.user = "ann";
  no.reason = "try again later";
  no.code = "temp_fail";
  no.temporary = true;
  const std::vector<ServerMessage> messages{Version(),
                                            Mechanism{"PLAIN", {"plaintext"}},
                                            Spid{"77"},
                                            Cuid{5},
                                            Cookie{"00ff"},
                                            Done(),
                                            Continue(1, "r=abc"),
                                            ok,
                                            no};
  for (const auto& message : messages) {
    const auto back = parse_server_line(without_end(format_server_line(message)));
    REQUIRE(back);
    CHECK(*back == message);
  }
}

TEST_CASE("FAIL: old and new ways to say temporary and not authorized") {
  CHECK(std::get<Fail>(*parse_server_line("FAIL\t1\tuser=a\ttemp")).temporary);
  CHECK(std::get<Fail>(*parse_server_line("FAIL\t1\tcode=temp_fail")).temporary);
  CHECK(std::get<Fail>(*parse_server_line("FAIL\t1\tauthz")).not_authorized);
  CHECK(std::get<Fail>(*parse_server_line("FAIL\t1\tuser_disabled")).code == "user_disabled");
  CHECK_FALSE(std::get<Fail>(*parse_server_line("FAIL\t1")).temporary);
}

TEST_CASE("client lines: refuses what is no request, and never quotes it") {
  const std::string line = GENERATE(
      as<std::string>(), "", "AUTH", "AUTH\tx\tPLAIN\tservice=s", "AUTH\t1", "AUTH\t1\tPLAIN",
      "AUTH\t1\tPLAIN\tresp=secret!", "AUTH\t1\tPLAIN\tservice=s\tresp=AAAA\tsecured", "CONT",
      "CONT\t99999999999\tAAAA", "CANCEL\t-1", "CPID\t0", "CPID", "VERSION\t2\t0", "VERSION\t1",
      "secret! words that are long", "AUTH\t1\tPLAIN\tservice=\001");
  CAPTURE(line);
  const auto parsed = parse_client_line(line);
  REQUIRE_FALSE(parsed);
  CHECK(parsed.error().find("words that are long") == std::string::npos);
  if (line.rfind("secret", 0) != 0) CHECK(parsed.error().find("secret") == std::string::npos);
}

TEST_CASE("client lines: data that is no base64 is told, for it may be a stranger's") {
  const auto request = parse_client_line("AUTH\t1\tPLAIN\tservice=s\tresp=secret!");
  REQUIRE(request);
  CHECK(std::get<AuthRequest>(*request).bad_data);
  const auto answer = parse_client_line("CONT\t7\tsecret!");
  REQUIRE(answer);
  CHECK(std::get<Continue>(*answer).bad_data);
  CHECK(std::get<Continue>(*answer).data.empty());
  CHECK(parse_client_line(format_client_line(*answer)) == answer);
  CHECK(parse_client_line(format_client_line(*request)) == request);
  CHECK_FALSE(parse_server_line("CONT\t7\tsecret!"));
}

TEST_CASE("userdb: what is written is read back the same") {
  UserRequest user;
  user.id = 1;
  user.user = "ann@alpha.test";
  user.fields = {{"service", "smtpd"}};
  ListRequest list;
  list.id = 2;
  list.pattern = "*@alpha.test";
  OtherRequest other;
  other.id = 3;
  other.verb = "PASS";
  for (const UserdbRequest& message :
       {UserdbRequest(Version()), UserdbRequest(Cpid{4}), UserdbRequest(user), UserdbRequest(list),
        UserdbRequest(other)}) {
    const auto back = parse_userdb_request(without_end(format_userdb_request(message)));
    REQUIRE(back);
    CHECK(*back == message);
  }
  UserReply found;
  found.id = 1;
  found.user = "ann@alpha.test";
  found.fields = {{"home", "/srv/mail/ann"}, {"uid", "1000"}};
  LookupFailed failed;
  failed.id = 3;
  failed.reason = "no file";
  ListItem item;
  item.id = 2;
  item.user = "ann@alpha.test";
  for (const UserdbReply& message :
       {UserdbReply(Version()), UserdbReply(Spid{"1"}), UserdbReply(found),
        UserdbReply(NotFound{2}), UserdbReply(failed), UserdbReply(item),
        UserdbReply(ListDone{2, false}), UserdbReply(ListDone{2, true})}) {
    const auto back = parse_userdb_reply(without_end(format_userdb_reply(message)));
    REQUIRE(back);
    CHECK(*back == message);
  }
}

TEST_CASE("userdb: refuses what is no request") {
  for (const auto* line : {"", "USER", "USER\t1", "USER\t1\t", "USER\tx\tann", "LIST", "NONSENSE"})
    CHECK_FALSE(parse_userdb_request(line));
  for (const auto* line : {"", "USER\t1", "LIST\t1", "WHAT\t1", "NOTFOUND"})
    CHECK_FALSE(parse_userdb_reply(line));
}

TEST_CASE("matches_pattern: stars, question marks, no exponential time") {
  CHECK(matches_pattern("*", ""));
  CHECK(matches_pattern("*@alpha.test", "ann@ALPHA.test"));
  CHECK_FALSE(matches_pattern("*@alpha.test", "ann@beta.test"));
  CHECK(matches_pattern("a?n*", "ann"));
  CHECK_FALSE(matches_pattern("a?n", "an"));
  CHECK_FALSE(matches_pattern("", "a"));
  CHECK_FALSE(matches_pattern("*a*a*a*a*a*a*a*a*b", std::string(20000, 'a')));
}
