#include "libdns/zone/update.h"

#include "libdns/wire/builder.h"
#include "libdns/zone/test_zone.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

std::shared_ptr<const Zone> example() {
  return zone_of("a.test", R"(
$TTL 60
@ SOA ns h 10 1 1 1 30
@ NS ns
@ NS ns2
@ MX 10 mail
@ TXT "apex"
ns A 192.0.2.1
ns2 A 192.0.2.2
www A 192.0.2.3
www A 192.0.2.4
www TXT "web"
alias CNAME www
x.deep A 192.0.2.5
)");
}

Record with_class(Record record, Class klass) {
  record.klass = klass;
  record.ttl = 0;
  return record;
}
// "RRset exists", "name is in use", and the deletions, have no data.
Record empty(std::string_view owner, Type type, Class klass) {
  Opaque nothing;
  nothing.type = type;
  return Record(name(owner), 0, nothing, klass);
}
Record value(std::string_view text) {
  return with_class(record(text), Class::in);
}
Record delete_one(std::string_view text) {
  return with_class(record(text), Class::none);
}

struct Request {
  std::vector<Record> prerequisites;
  std::vector<Record> updates;
  Question zone = Question(name("a.test"), Type::soa);
  Header header;
  Request(std::vector<Record> p, std::vector<Record> u)
      : prerequisites(std::move(p)), updates(std::move(u)) {
    header.opcode = Opcode::update;
  }
  [[nodiscard]] std::string octets() const {
    MessageBuilder builder(header);
    REQUIRE(builder.question(zone));
    for (const Record& one : prerequisites) REQUIRE(builder.answer(one));
    for (const Record& one : updates) REQUIRE(builder.authority(one));
    return builder.finish();
  }
};

UpdateContext trusted() {
  UpdateContext context;
  context.trusted = true;
  return context;
}

Result<ZoneVersion, UpdateRefusal> send(const Request& request,
                                        const UpdateContext& context = trusted()) {
  const std::string octets = request.octets();
  const auto view = MessageView::parse(octets);
  REQUIRE(view.has_value());
  return apply_update(example(), *view, context);
}

Rcode rcode_of(const Request& request, const UpdateContext& context = trusted()) {
  const auto version = send(request, context);
  return version ? Rcode::noerror : version.error().rcode;
}

std::shared_ptr<const Zone> changed(std::vector<Record> updates,
                                    const UpdateContext& context = trusted()) {
  const auto version = send(Request({}, std::move(updates)), context);
  if (!version) UNSCOPED_INFO(version.error().reason);
  REQUIRE(version.has_value());
  REQUIRE(version->zone != nullptr);
  return version->zone;
}

bool changes_nothing(std::vector<Record> updates) {
  const auto version = send(Request({}, std::move(updates)));
  return version.has_value() && version->zone == nullptr;
}

std::string line(const Zone& zone, const char* owner, Type type) {
  const RrSet* set = zone.find(name(owner), type);
  return set != nullptr ? line_of(*set) : "";
}

}  // namespace

TEST_CASE("update: records are added, the serial goes up, and the difference is told") {
  const auto version = send(
      Request({}, {record("new.a.test. 300 A 192.0.2.9"), record("www.a.test. 60 A 192.0.2.9")}));
  REQUIRE(version.has_value());
  CHECK(version->zone->serial() == 11);
  CHECK(line(*version->zone, "www.a.test", Type::a) ==
        "www.a.test A 192.0.2.3 192.0.2.4 192.0.2.9");
  CHECK(version->difference.from() == 10);
  CHECK(version->difference.to() == 11);
  CHECK(version->difference.added.size() == 2);
  CHECK(version->difference.removed.empty());
}

TEST_CASE("update: the serial follows the policy, or the update itself if that is newer") {
  UpdateContext context = trusted();
  context.serial_policy = SerialPolicy::unix_time;
  context.now = 1795000000;
  CHECK(changed({record("n.a.test. A 192.0.2.9")}, context)->serial() == 1795000000);
  CHECK(changed({record("a.test. SOA ns.a.test. h.a.test. 50 1 1 1 1")})->serial() == 50);
}

TEST_CASE("update 3.1: the zone section") {
  Request wrong_zone({}, {});
  wrong_zone.zone = Question(name("b.test"), Type::soa);
  CHECK(rcode_of(wrong_zone) == Rcode::notauth);
  Request below({}, {});
  below.zone = Question(name("www.a.test"), Type::soa);
  CHECK(rcode_of(below) == Rcode::notauth);
  Request wrong_type({}, {});
  wrong_type.zone = Question(name("a.test"), Type::a);
  CHECK(rcode_of(wrong_type) == Rcode::formerr);
  Request query({}, {});
  query.header.opcode = Opcode::query;
  CHECK(rcode_of(query) == Rcode::formerr);
}

TEST_CASE("update 3.2: prerequisites") {
  const std::vector<std::pair<Record, Rcode>> cases = {
      {empty("www.a.test", Type::any, Class::any), Rcode::noerror},
      {empty("none.a.test", Type::any, Class::any), Rcode::nxdomain},
      {empty("deep.a.test", Type::any, Class::any), Rcode::nxdomain},  // empty non-terminal
      {empty("www.a.test", Type::a, Class::any), Rcode::noerror},
      {empty("www.a.test", Type::mx, Class::any), Rcode::nxrrset},
      {empty("none.a.test", Type::any, Class::none), Rcode::noerror},
      {empty("WWW.a.test", Type::any, Class::none), Rcode::yxdomain},
      {empty("www.a.test", Type::mx, Class::none), Rcode::noerror},
      {empty("www.a.test", Type::a, Class::none), Rcode::yxrrset},
      {empty("b.test", Type::any, Class::any), Rcode::notzone},
      {value("mail.b.test. A 192.0.2.1"), Rcode::notzone},
      {value("alias.a.test. CNAME WWW.a.test."), Rcode::noerror},
      {value("www.a.test. A 192.0.2.3"), Rcode::nxrrset},  // one of two
      {value("www.a.test. MX 1 x."), Rcode::nxrrset},
      {record("www.a.test. 5 A 192.0.2.3"), Rcode::formerr},    // a TTL
      {delete_one("www.a.test. A 192.0.2.3"), Rcode::formerr},  // data
      {empty("www.a.test", Type::axfr, Class::any), Rcode::formerr},
      {empty("www.a.test", Type::a, Class::ch), Rcode::formerr},
  };
  for (const auto& [prerequisite, rcode] : cases) {
    INFO(prerequisite.text());
    Request request({prerequisite}, {record("n.a.test. A 192.0.2.9")});
    const std::string octets = request.octets();
    const auto view = MessageView::parse(octets);
    if (!view) {
      CHECK(rcode == Rcode::formerr);  // the packet itself is malformed
      continue;
    }
    CHECK(rcode_of(request) == rcode);
  }
}

TEST_CASE("update 3.2.3: a whole set is compared without regard to order and TTL") {
  CHECK(rcode_of(Request({value("www.a.test. A 192.0.2.4"), value("www.a.test. A 192.0.2.3"),
                          value("www.a.test. A 192.0.2.3")},
                         {})) == Rcode::noerror);
  CHECK(rcode_of(Request({value("www.a.test. A 192.0.2.4"), value("www.a.test. A 192.0.2.3"),
                          value("www.a.test. A 192.0.2.5")},
                         {})) == Rcode::nxrrset);
}

TEST_CASE("update: nothing changes when a prerequisite fails") {
  const auto version = send(
      Request({empty("none.a.test", Type::any, Class::any)}, {record("n.a.test. A 192.0.2.9")}));
  REQUIRE_FALSE(version);
  CHECK(version.error().reason == "prerequisite: none.a.test isn't in use");
}

TEST_CASE("update 3.4.1: the prescan refuses all for one bad record") {
  const std::vector<std::pair<Record, Rcode>> cases = {
      {record("n.b.test. A 192.0.2.1"), Rcode::notzone},
      {empty("www.a.test", Type::axfr, Class::any), Rcode::formerr},
      {empty("www.a.test", Type::any, Class::none), Rcode::formerr},
      {empty("www.a.test", Type::a, Class::none), Rcode::formerr},
      {with_class(record("www.a.test. A 192.0.2.3"), Class::any), Rcode::formerr},
      {with_class(record("www.a.test. A 192.0.2.3"), Class::ch), Rcode::formerr},
      {record("www.a.test. RRSIG A 13 2 60 20300101000000 20200101000000 7 a.test. AAAA"),
       Rcode::refused},
      {record("www.a.test. NSEC a.test. A"), Rcode::refused},
  };
  for (const auto& [bad, rcode] : cases) {
    INFO(bad.text());
    CHECK(rcode_of(Request({}, {record("n.a.test. A 192.0.2.9"), bad})) == rcode);
  }
}

TEST_CASE("update 3.4.1: the deletion of a set has no TTL") {
  Record bad = empty("www.a.test", Type::a, Class::any);
  bad.ttl = 5;
  CHECK(rcode_of(Request({}, {bad})) == Rcode::formerr);
}

TEST_CASE("update 3.4.2.2: what is there takes the new TTL") {
  const auto zone = changed({record("www.a.test. 900 A 192.0.2.3")});
  CHECK(zone->find(name("www.a.test"), Type::a)->ttl == 900);
  CHECK(zone->find(name("www.a.test"), Type::a)->rdata.size() == 2);
  CHECK(changes_nothing({record("www.a.test. 60 A 192.0.2.3")}));
}

TEST_CASE("update 3.4.2.2: CNAME and other data exclude each other in silence") {
  CHECK(changes_nothing({record("www.a.test. CNAME x.a.test.")}));
  CHECK(changes_nothing({record("alias.a.test. A 192.0.2.1")}));
  CHECK(changes_nothing({record("a.test. CNAME www.a.test.")}));
  const auto replaced = changed({record("alias.a.test. CNAME ns.a.test.")});
  CHECK(line(*replaced, "alias.a.test", Type::cname) == "alias.a.test CNAME ns.a.test.");
}

TEST_CASE("update 3.4.2.2: a SOA counts only if it is newer and at the top") {
  CHECK(changes_nothing({record("a.test. SOA ns.a.test. h.a.test. 9 1 1 1 1")}));
  CHECK(changes_nothing({record("a.test. SOA ns.a.test. h.a.test. 10 2 2 2 2")}));
  CHECK(changes_nothing({record("www.a.test. SOA ns.a.test. h.a.test. 99 1 1 1 1")}));
  const auto zone = changed({record("a.test. SOA ns.a.test. h.a.test. 99 5 1 1 1")});
  CHECK(zone->soa().refresh == 5);
}

TEST_CASE("update 3.4.2.3: sets and names are deleted, SOA and NS of the zone stay") {
  const auto no_a = changed({empty("www.a.test", Type::a, Class::any)});
  CHECK(no_a->find(name("www.a.test"), Type::a) == nullptr);
  CHECK(no_a->find(name("www.a.test"), Type::txt) != nullptr);
  const auto no_name = changed({empty("www.a.test", Type::any, Class::any)});
  CHECK(no_name->find(name("www.a.test")) == nullptr);
  const auto bare = changed({empty("a.test", Type::any, Class::any)});
  CHECK(bare->find(name("a.test"))->sets.size() == 2);
  CHECK(changes_nothing({empty("a.test", Type::ns, Class::any)}));
  CHECK(changes_nothing({empty("a.test", Type::soa, Class::any)}));
  CHECK(changes_nothing({empty("none.a.test", Type::any, Class::any)}));
}

TEST_CASE("update 3.4.2.4: single records are deleted, never the SOA or the last NS") {
  const auto one = changed({delete_one("www.a.test. A 192.0.2.3")});
  CHECK(line(*one, "www.a.test", Type::a) == "www.a.test A 192.0.2.4");
  CHECK(changes_nothing({delete_one("www.a.test. A 192.0.2.99")}));
  CHECK(changes_nothing({delete_one("a.test. SOA ns.a.test. h.a.test. 10 1 1 1 30")}));
  const auto last =
      changed({delete_one("a.test. NS ns.a.test."), delete_one("a.test. NS ns2.a.test.")});
  CHECK(line(*last, "a.test", Type::ns) == "a.test NS ns2.a.test.");
}

TEST_CASE("update: changes count one after the other") {
  const auto zone =
      changed({empty("alias.a.test", Type::cname, Class::any), record("alias.a.test. A 192.0.2.8"),
               record("alias.a.test. CNAME www.a.test.")});
  CHECK(line(*zone, "alias.a.test", Type::a) == "alias.a.test A 192.0.2.8");
  CHECK(line(*zone, "alias.a.test", Type::cname).empty());
  CHECK(changes_nothing({record("n.a.test. A 192.0.2.8"), delete_one("n.a.test. A 192.0.2.8")}));
}

TEST_CASE("update: without key or grant nothing is taken, and nothing told") {
  UpdateContext context;
  const Request snoop({empty("none.a.test", Type::any, Class::any)}, {});
  CHECK(rcode_of(snoop, context) == Rcode::refused);
  context.key = name("stranger");
  const std::vector<Grant> grants = {Grant(name("ann"), Grant::Match::subdomain, name("a.test"))};
  context.grants = grants;
  CHECK(rcode_of(snoop, context) == Rcode::refused);
  context.key = name("ANN");
  CHECK(rcode_of(snoop, context) == Rcode::nxdomain);
}

TEST_CASE("update: a grant reaches as far as its names and types") {
  using Match = Grant::Match;
  const Name key = name("host.dyn.test");
  const auto [match, of, owner, type, expected] =
      GENERATE(table<Match, const char*, const char*, Type, bool>({
          {Match::self, ".", "host.dyn.test", Type::a, true},
          {Match::self, ".", "x.host.dyn.test", Type::a, false},
          {Match::exact, "b.test", "B.test", Type::a, true},
          {Match::exact, "b.test", "x.b.test", Type::a, false},
          {Match::subdomain, "b.test", "b.test", Type::txt, true},
          {Match::subdomain, "b.test", "y.x.b.test", Type::txt, true},
          {Match::subdomain, "b.test", "xb.test", Type::txt, false},
          {Match::wildcard, "*.b.test", "y.x.b.test", Type::a, true},
          {Match::wildcard, "*.b.test", "b.test", Type::a, false},
          {Match::subdomain, "b.test", "b.test", Type::soa, false},
          {Match::subdomain, "b.test", "b.test", Type::ns, false},
          {Match::subdomain, "b.test", "b.test", Type::dnskey, false},
      }));
  CAPTURE(of, owner, to_string(type));
  CHECK(allows(Grant(key, match, name(of)), key, name(owner), type) == expected);
  CHECK_FALSE(allows(Grant(name("other"), match, name(of)), key, name(owner), type));
}

TEST_CASE("update: types of a grant, ANY among them") {
  const Name key = name("k");
  const Grant txt(key, Grant::Match::subdomain, name("b.test"), {Type::txt});
  CHECK(allows(txt, key, name("_acme-challenge.b.test"), Type::txt));
  CHECK_FALSE(allows(txt, key, name("b.test"), Type::a));
  const Grant all(key, Grant::Match::subdomain, name("b.test"), {Type::any});
  CHECK(allows(all, key, name("b.test"), Type::ns));
  CHECK_FALSE(allows(all, key, name("b.test"), Type::rrsig));
}

TEST_CASE("update: one record without a grant refuses all") {
  UpdateContext context;
  context.key = name("ann");
  const std::vector<Grant> grants = {
      Grant(name("ann"), Grant::Match::exact, name("www.a.test"), {Type::a, Type::txt})};
  context.grants = grants;
  CHECK(rcode_of(Request({}, {record("www.a.test. A 192.0.2.9")}), context) == Rcode::noerror);
  CHECK(rcode_of(Request({}, {record("www.a.test. A 192.0.2.9"), record("www.a.test. MX 1 .")}),
                 context) == Rcode::refused);
  // Deleting a name needs a grant for all that is there.
  CHECK(rcode_of(Request({}, {empty("www.a.test", Type::any, Class::any)}), context) ==
        Rcode::noerror);
  CHECK(rcode_of(Request({}, {empty("ns.a.test", Type::any, Class::any)}), context) ==
        Rcode::refused);
  const std::vector<Grant> less = {
      Grant(name("ann"), Grant::Match::exact, name("www.a.test"), {Type::a})};
  context.grants = less;
  CHECK(rcode_of(Request({}, {empty("www.a.test", Type::any, Class::any)}), context) ==
        Rcode::refused);
}

TEST_CASE("update: limits on changes and on the zone") {
  UpdateContext context = trusted();
  context.max_updates = 1;
  CHECK(rcode_of(Request({}, {record("x.a.test. A 192.0.2.1"), record("y.a.test. A 192.0.2.1")}),
                 context) == Rcode::refused);
  context = trusted();
  context.max_records = 12;
  CHECK(rcode_of(Request({}, {record("x.a.test. A 192.0.2.1")}), context) == Rcode::refused);
  CHECK(rcode_of(Request({}, {empty("www.a.test", Type::a, Class::any)}), context) ==
        Rcode::noerror);
}

TEST_CASE("update: the keys of a signed zone survive the deletion of its top") {
  const auto zone = zone_of("a.test", R"(
$TTL 60
@ SOA ns h 10 1 1 1 30
@ NS ns
@ A 192.0.2.1
@ DNSKEY 257 3 13 AAAA
@ NSEC ns A NS SOA DNSKEY
ns A 192.0.2.1
)");
  const std::string octets = Request({}, {empty("a.test", Type::any, Class::any)}).octets();
  const auto view = MessageView::parse(octets);
  const auto version = apply_update(zone, *view, trusted());
  REQUIRE(version.has_value());
  CHECK(version->zone->find(name("a.test"), Type::dnskey) != nullptr);
  CHECK(version->zone->find(name("a.test"), Type::nsec) != nullptr);
  CHECK(version->zone->find(name("a.test"), Type::a) == nullptr);
}
