// For this room's tests: tables from a text and users from a list, either of which can be made to fail.
#pragma once

#include <catch2/catch.hpp>
#include <set>
#include <string>

#include "libmail/async/loop.h"
#include "libmail/route/entries.h"
#include "libmail/route/resolver.h"

namespace posthorn::route {

class MemoryTable final : public Table {
 public:
  MemoryTable(TableKind kind, const service::Site& site) : check_(entry_check(kind, site)) {}
  void set(std::string_view text) {
    auto table = TextTable::parse(text, check_);
    if (!table) FAIL("line " << table.error().line << ": " << table.error().text);
    table_ = std::move(*table);
  }
  async::Task<TableAnswer> find(std::string key) override {
    ++asked;
    if (fails || key == fails_for) co_return fail(TableError("the table is away"));
    const std::string* value = table_.find(key);
    std::optional<std::string> answer;
    if (value != nullptr) answer = *value;
    co_return TableAnswer(std::move(answer));
  }
  bool fails = false;
  std::string fails_for;
  int asked = 0;

 private:
  EntryCheck check_;
  TextTable table_;
};

class ListedUsers final : public UserLookup {
 public:
  async::Task<UserAnswer> find(std::string name) override {
    if (fails) co_return UserAnswer(UserAnswer::Kind::unavailable, "authd is away");
    if (!names.contains(name)) co_return UserAnswer(UserAnswer::Kind::unknown);
    co_return UserAnswer(UserAnswer::Kind::exists, name);
  }
  std::set<std::string> names;
  bool fails = false;
};

// A site with the domains a.test and b.test, users ann@a.test, bob@a.test and sys, and empty tables.
struct TestSite {
  service::Site site = service::Site::find("/nowhere");
  MemoryTable virtuals{TableKind::virtuals, site};
  MemoryTable aliases{TableKind::aliases, site};
  MemoryTable lists{TableKind::lists, site};
  MemoryTable transports{TableKind::transports, site};
  ListedUsers users;
  ResolverSettings settings;
  Resolver resolver;

  TestSite()
      : settings(make_settings()),
        resolver(site, settings, {&virtuals, &aliases, &lists, &transports}, users,
                 Transport::lmtp(async::Endpoint::unix_path("/local")),
                 Transport::lmtp(async::Endpoint::unix_path("/relay"))) {
    users.names = {"ann@a.test", "bob@a.test", "sys"};
  }
  static ResolverSettings make_settings() {
    ResolverSettings made;
    made.domains = {"a.test", "B.test"};
    return made;
  }
  static smtp::Mailbox mailbox(const std::string& text) {
    auto parsed = smtp::parse_mailbox(text, smtp::Utf8::allowed);
    REQUIRE(parsed);
    return std::move(*parsed);
  }
  Verdict resolve(const std::string& text) { return async::run(resolver.resolve(mailbox(text))); }
};

}  // namespace posthorn::route
