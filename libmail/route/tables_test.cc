#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/async/socket.h"
#include "libmail/route/entries.h"
#include "libmail/route/file_table.h"
#include "libmail/route/open_table.h"
#include "libmail/route/server_table.h"
#include "libmail/route/site_routes.h"
#include "libmail/route/table_wire.h"
#include "libmail/route/test_tables.h"
#include "libmail/route/transport.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::route;

namespace {

struct TempDirectory : posthorn::TestFolder {
  [[nodiscard]] std::string operator/(std::string_view name) const { return path(name); }
};

// "none" for a key that isn't there, "error" for no answer.
std::string shown(const TableAnswer& answer) {
  return answer ? answer->value_or("none") : "error";
}

const EntryCheck anything = [](std::string&, std::string_view) { return std::string(); };

std::string parse_fault(std::string_view text, TableKind kind) {
  static const service::Site site = service::Site::find("/nowhere");
  const auto table = TextTable::parse(text, entry_check(kind, site));
  return table ? "ok" : std::to_string(table.error().line) + ": " + table.error().text;
}

}  // namespace

TEST_CASE("TextTable: reads keys, values, comments and continuation lines") {
  const auto table = TextTable::parse(
      "# a comment\n\nann   bob@a.test  \r\n"
      "team: ann,\n  bob,   \n\t# a comment in between\n\tcarl # no comment\n"
      "\"a key\" x\n\"quote\\\"d\": y\nlast z",
      anything);
  REQUIRE(table);
  CHECK(table->size() == 5);
  CHECK(*table->find("ann") == "bob@a.test");
  CHECK(*table->find("team") == "ann, bob, carl # no comment");
  CHECK(*table->find("a key") == "x");
  CHECK(*table->find("quote\"d") == "y");
  CHECK(*table->find("last") == "z");
  CHECK(table->find("nobody") == nullptr);
  CHECK(TextTable::parse("", anything)->size() == 0);
}

TEST_CASE("TextTable: says what is wrong and on which line") {
  const auto [text, why] = GENERATE(table<std::string, std::string>({
      {"\n  begins blank x",
       "2: this line begins with a blank, but there is no entry before it to continue"},
      {"a b\nkey\n", "2: 'key' has no value; a line is: key value"},
      {"a b\n\nc d\na e\n", "4: 'a' stands in line 1 already; each key may stand once"},
      {"\"open x\n", "1: the quotes around the key are not closed"},
      {"\"a\"b c\n", "1: a blank is missing behind the quoted key"},
      {"\"\" c\n", "1: the key is empty"},
      {std::string("a b\0c\n", 6), "1: there is a NUL octet in it"},
  }));
  const auto table = TextTable::parse(text, anything);
  REQUIRE_FALSE(table);
  CHECK(std::to_string(table.error().line) + ": " + table.error().text == why);
}

TEST_CASE("TextTable: a file, an entry and their number have limits") {
  TextTableLimits limits;
  limits.entries = 2;
  CHECK(TextTable::parse("a 1\nb 2\n", anything, limits));
  CHECK_FALSE(TextTable::parse("a 1\nb 2\nc 3\n", anything, limits));
  limits.entry = 20;
  CHECK_FALSE(TextTable::parse("a 1\n 2345678901234567890\n", anything, limits));
  limits.octets = 5;
  CHECK_FALSE(TextTable::parse("a 1234\n", anything, limits));
}

TEST_CASE("entries: each table refuses what makes no sense in it") {
  const auto [kind, text, why] = GENERATE(table<TableKind, std::string, std::string>({
      {TableKind::aliases, "ann bob@a.test, \"carl x\"@b.test sys", "ok"},
      {TableKind::aliases, "ann@a.test bob", "ok"},
      {TableKind::aliases, "Ann x\nANN y",
       "2: 'ann' stands in line 1 already; each key may stand once"},
      {TableKind::aliases, "ann |/bin/sh",
       "1: 'ann': '|/bin/sh': a table names addresses only; programs and files belong to a "
       "delivery agent "
       "(deliverd --exec)"},
      {TableKind::aliases, "ann a@b@c", "1: 'ann': 'a@b@c' is no address: domain is not valid"},
      {TableKind::aliases, "ann ,", "1: 'ann': there is no address in it"},
      {TableKind::aliases, "ann @b.test", "1: 'ann': '@b.test' is no address"},
      {TableKind::virtuals, "@b.test @c.test", "ok"},
      {TableKind::virtuals, "ann bob@a.test",
       "1: 'ann' has no domain; a key is ann@example.org or @example.org"},
      {TableKind::virtuals, "@ bob@a.test", "1: '@' is no domain"},
      {TableKind::lists, "all owner=ann bob", "ok"},
      {TableKind::lists, "all owner= bob", "1: 'all': owner= without an address"},
      {TableKind::lists, "all owner=ann", "1: 'all': there is no address in it"},
      {TableKind::transports,
       "a.test lmtp:unix:run/x\n.a.test discard:\n* error:no\nann@a.test error:4.2.0 x", "ok"},
      {TableKind::transports, "a.test smtp:inet:x:25",
       "1: 'a.test': 'smtp:inet:x:25' is no transport; expected lmtp:unix:PATH, "
       "lmtp:inet:HOST:PORT, discard: or "
       "error:TEXT"},
      {TableKind::transports,
       "a..test discard:", "1: 'a..test' is neither an address nor a domain, .domain or *"},
      {TableKind::transports, "a.test error:2.0.0 fine",
       "1: 'a.test': the status behind error: is of class 4 or 5, for example 5.1.2"},
  }));
  CAPTURE(text);
  const std::string fault = parse_fault(text, kind);
  // The words of smtp::describe() are that room's.
  const std::string shared = why.substr(0, why.find("is no address: "));
  CHECK(fault.substr(0, shared.size()) == shared);
  CHECK((fault == "ok") == (why == "ok"));
}

TEST_CASE("parse_transport: reads the four forms and writes them back") {
  const service::Site site = service::Site::find("/s");
  const auto [text, back] = GENERATE(table<std::string, std::string>({
      {"lmtp:unix:run/x.sock", "lmtp:unix:/s/run/x.sock"},
      {"lmtp:unix:/x.sock", "lmtp:unix:/x.sock"},
      {"lmtp:inet:[::1]:24", "lmtp:inet:[::1]:24"},
      {"discard:", "discard:"},
      {"error:5.1.2 gone away", "error:5.1.2 gone away"},
      {"error: just no", "error:5.0.0 just no"},
      {"error:", "error:5.0.0 Delivery is refused here"},
  }));
  const auto transport = parse_transport(text, site);
  REQUIRE(transport);
  CHECK(transport->text() == back);
  CHECK(parse_transport(transport->text(), site) == *transport);
  for (const auto* bad :
       {"", "lmtp", "lmtp:stdio:", "lmtp:fd:3", "discard:x", "nothing:", "unix:/x"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_transport(bad, site));
  }
}

TEST_CASE("FileTable: an absent file is empty, a bad one keeps the old version") {
  const TempDirectory dir;
  FileTable table(dir / "aliases", anything);
  CHECK(table.read_now());
  CHECK(table.is_empty());
  dir.replace("aliases", "a 1\n");
  CHECK(async::run(table.read()));
  CHECK(shown(async::run(table.find("a"))) == "1");
  dir.replace("aliases", "a 2\nb\n");
  const auto bad = async::run(table.read());
  REQUIRE_FALSE(bad);
  CHECK(bad.error() == (dir / "aliases") + ":2: 'b' has no value; a line is: key value");
  CHECK(shown(async::run(table.find("a"))) == "1");
  FileTable directory(dir.path(), anything);
  CHECK_FALSE(directory.read_now());
}

TEST_CASE("SiteRoutes: a replaced table counts within a second") {
  const TempDirectory dir;
  std::filesystem::create_directory(dir / "conf");
  dir.replace("conf/aliases", "x ann@a.test\n");
  const service::Site site = service::Site::find(dir.path());
  ListedUsers users;
  service::Log log("test", service::Log::Format::kv, service::Level::error, -1);
  RouteOptions options;
  SiteRoutes routes(site, options, {"a.test"}, users, log);
  CHECK(options.check(site).empty());

  struct Run {
    static async::Task<void> all(SiteRoutes& routes, const TempDirectory& dir) {
      const smtp::Mailbox x("x", "a.test");
      const smtp::Mailbox y("y", "a.test");
      auto started = co_await routes.start();
      CHECK(started);
      Verdict verdict = co_await routes.resolver().resolve(x);
      CHECK(verdict.kind == Verdict::Kind::alias);
      dir.replace("conf/aliases", "y ann@a.test\n");
      const async::Deadline minute = async::Deadline::in(std::chrono::minutes(1));
      do {
        const async::Deadline soon = async::Deadline::in(std::chrono::milliseconds(20));
        co_await async::sleep_until(soon);
        verdict = co_await routes.resolver().resolve(y);
      } while (verdict.kind != Verdict::Kind::alias && !minute.passed());
      CHECK(verdict.kind == Verdict::Kind::alias);
      verdict = co_await routes.resolver().resolve(x);
      CHECK(verdict.kind == Verdict::Kind::unknown_user);
      co_await routes.stop();
    }
  };
  async::run(Run::all(routes, dir));

  dir.replace("conf/lists", "all\n");
  const auto problems = options.check(site);
  REQUIRE(problems.size() == 1);
  CHECK(problems[0] == (dir / "conf/lists") + ":1: 'all' has no value; a line is: key value");
}

TEST_CASE("parse_table_name: reads files and servers") {
  CHECK(parse_table_name("")->kind == TableName::Kind::none);
  CHECK(parse_table_name("conf/x")->path == "conf/x");
  const auto map = parse_table_name("socketmap:inet:127.0.0.1:99:users");
  REQUIRE(map);
  CHECK(map->map == "users");
  CHECK(map->endpoint.port == 99);
  CHECK(parse_table_name("tcp:unix:/x")->endpoint.path == "/x");
  for (const auto* bad :
       {"socketmap:unix:/x:", "socketmap:users", "tcp:fd:3", "tcp:", "socketmap:stdio::x"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_table_name(bad));
  }
}

TEST_CASE("table wire: replies are read at every split") {
  struct Codec {
    std::optional<TableAnswer> (*take)(std::string_view&);
    std::string reply;
    std::string shown;
  };
  const auto codec = GENERATE(Codec{take_socketmap_reply, "10:OK a@b cde,", "a@b cde"},
                              Codec{take_socketmap_reply, "3:OK ,", ""},
                              Codec{take_socketmap_reply, "9:NOTFOUND ,", "none"},
                              Codec{take_socketmap_reply, "9:TEMP away,", "error"},
                              Codec{take_tcp_reply, "200 a%40b\n", "a@b"},
                              Codec{take_tcp_reply, "500 no such\r\n", "none"},
                              Codec{take_tcp_reply, "400 busy\n", "error"});
  for (std::size_t cut = 0; cut <= codec.reply.size(); ++cut) {
    CAPTURE(codec.reply, cut);
    std::string_view first = std::string_view(codec.reply).substr(0, cut);
    const auto early = codec.take(first);
    CHECK(early.has_value() == (cut == codec.reply.size()));
    const std::string more = codec.reply + "next";
    std::string_view all = more;
    const auto answer = codec.take(all);
    REQUIRE(answer);
    CHECK(all == "next");
    CHECK(shown(*answer) == codec.shown);
  }
}

TEST_CASE("table wire: what is no reply is an error") {
  for (const auto* bad : {"x", "12345678", "200000:", "3:OK x", "4:EEK ,", ":,", "-1:,"}) {
    CAPTURE(bad);
    std::string_view octets = bad;
    const auto answer = take_socketmap_reply(octets);
    if (std::string_view(bad) == "x") {
      CHECK_FALSE(answer);  // not yet
    } else {
      REQUIRE(answer);
      CHECK_FALSE(*answer);
    }
  }
  for (const auto* bad : {"\n", "200\n", "2000 x\n", "200 %4\n", "200 %zz\n", "300 x\n"}) {
    CAPTURE(bad);
    std::string_view octets = bad;
    const auto answer = take_tcp_reply(octets);
    REQUIRE(answer);
    if (std::string_view(bad) != "200\n") CHECK_FALSE(*answer);
  }
  const std::string endless(5000, 'x');
  std::string_view octets = endless;
  CHECK_FALSE(*take_tcp_reply(octets));
  CHECK(format_tcp_request("a b%@\xff") == "get a%20b%25@%ff\n");
  CHECK(format_socketmap_request("map", "ann@b.te") == "12:map ann@b.te,");
}

TEST_CASE("ServerTable: asks, keeps the connection, and asks again when it was closed") {
  const TempDirectory dir;
  const auto endpoint = async::Endpoint::unix_path(dir / "map.sock");
  auto socket = async::open_listening_socket(endpoint);
  REQUIRE(socket);
  auto listener = async::listen_on(std::move(*socket));
  REQUIRE(listener);

  struct Run {
    // Answers two questions a connection, then closes it.
    static async::Task<void> serve(async::Listener& at, int& connections) {
      for (;;) {
        auto accepted = co_await at.accept();
        if (!accepted) co_return;
        ++connections;
        async::Buffer input;
        for (int i = 0; i < 2; ++i) {
          const async::Deadline deadline = async::Deadline::in(std::chrono::seconds(5));
          auto count = co_await (*accepted)->read(input, deadline);
          if (!count || *count == 0) break;
          std::string reply = "9:NOTFOUND ,";
          if (input.view() == "7:m known,") reply = "8:OK value,";
          input.clear();
          auto written = co_await (*accepted)->write(reply, deadline);
          if (!written) break;
        }
        (*accepted)->close();
      }
    }
    static async::Task<void> all(async::Listener& at, async::Endpoint endpoint, int& connections) {
      async::Scope scope;
      scope.spawn(serve(at, connections));
      TableName name;
      name.kind = TableName::Kind::socketmap;
      name.endpoint = std::move(endpoint);
      name.map = "m";
      ServerTable table(name);
      for (int i = 0; i < 5; ++i) {
        const std::string known = "known";
        const std::string other = "other";
        auto hit = co_await table.find(known);
        CHECK(shown(hit) == "value");
        auto miss = co_await table.find(other);
        CHECK(shown(miss) == "none");
      }
      at.close();
      co_await scope.join();
      const std::string late = "late";
      auto away = co_await table.find(late);
      CHECK_FALSE(away);
      CHECK(away.error().text.find("socketmap unix:") == 0);
    }
  };
  int connections = 0;
  async::run(Run::all(**listener, endpoint, connections));
  CHECK(connections == 5);
}
