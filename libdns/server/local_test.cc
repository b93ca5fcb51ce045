#include "libdns/server/local.h"

#include <catch2/catch.hpp>

#include "libdns/server/compose.h"
#include "libdns/server/test_question.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

constexpr std::string_view head =
    "$TTL 300\n@ SOA ns.one.test. admin.one.test. 1 3600 600 86400 60\n@ NS ns.one.test.\n";

Zones::Pointer zone(std::string_view name, std::string_view records) {
  return zone_of(name, std::string(head) + std::string(records));
}

LocalAnswer ask(const Zones& zones, std::string_view text, Type type = Type::a) {
  const Name name = name_of(text);
  return ask_zones(zones, name.folded().wire(), name, type, false);
}

std::vector<std::string> owners(const LocalAnswer& answer, Type type) {
  std::vector<std::string> found;
  for (const ZoneAnswer& part : answer.parts) {
    for (const RrSet* set : part.answer) {
      if (set->type == type) found.push_back(set->owner.text());
    }
  }
  return found;
}

// What compose() says to somebody trusted who wants AD, `rest` being secure.
bool claims_ad(const LocalAnswer& local) {
  TestQuestion question("to.one.test", Type::a);
  question.authentic_data = true;
  const std::string packet = question.packet();
  Query query;
  read_query(packet, query);
  AnswerClass asker;
  asker.wants_ad = asker.trusted = asker.may_recurse = true;
  Resolution rest;
  rest.security = Security::secure;
  const NewAnswer answer = compose(query, asker, local, &rest);
  return MessageView::parse(answer.message)->header().authentic_data;
}

}  // namespace

TEST_CASE("ask_zones: a DNAME that a chain passes twice, by way of another zone, is told once") {
  Zones zones;
  zones.put(zone("one.test", "tree DNAME two.test.\nend A 192.0.2.1\n"));
  zones.put(zone("two.test", "a CNAME b.tree.one.test.\nb CNAME end.one.test.\n"));
  const LocalAnswer answer = ask(zones, "a.tree.one.test");
  CHECK(owners(answer, Type::dname) == std::vector<std::string>{"tree.one.test"});
  CHECK(owners(answer, Type::cname) ==
        std::vector<std::string>{"a.tree.one.test", "a.two.test", "b.tree.one.test", "b.two.test"});
  CHECK(owners(answer, Type::a) == std::vector<std::string>{"end.one.test"});
}

TEST_CASE("ask_zones: a circle through two zones is told once") {
  Zones zones;
  zones.put(zone("one.test", "a CNAME a.two.test.\n"));
  zones.put(zone("two.test", "a CNAME a.one.test.\n"));
  const LocalAnswer answer = ask(zones, "a.one.test");
  CHECK(owners(answer, Type::cname) == std::vector<std::string>{"a.one.test", "a.two.test"});
  CHECK_FALSE(answer.leads_away());
  CHECK(answer.last().rcode == Rcode::noerror);
}

TEST_CASE("compose: an unsigned alias of ours to somebody's secure name isn't secure") {
  Zones zones;
  zones.put(zone("one.test", "to CNAME www.elsewhere.test.\n"));
  CHECK_FALSE(claims_ad(ask(zones, "to.one.test")));
}
