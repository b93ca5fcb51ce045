#include "agents/nslook/chain.h"

#include <algorithm>

#include "agents/nslook/test_dns.h"
#include "libdns/dnssec/sign.h"

namespace posthorn::nslook {
namespace {

using dns::Security;
constexpr std::uint32_t now = test_time;
constexpr std::uint32_t day = 86400;

// A zone signed with NSEC, to be put into a resolver that knows all.
class Zone {
 public:
  Zone(std::string_view apex, std::string_view records) : origin_(name(apex)) {
    FakeServer reader;
    reader.add(shown(origin_) + (origin_.is_root() ? "" : ".") +
               " SOA ns. mail. 1 3600 600 86400 300\n");
    reader.add(records);
    for (const dns::Record& record : reader.records) add(record.owner, record.data);
  }
  void add(const dns::Name& owner, const dns::Rdata& data) {
    auto& set = sets_[{owner, dns::type_of(data)}];
    if (set.empty()) set = dns::RrSet(owner, dns::type_of(data), 300);
    set.add(dns::rdata_to_wire(data));
  }
  dns::Ds ds() const { return dns::make_ds(origin_, key_.dnskey()); }
  // Signed, and with its denials.
  void publish(FakeServer& server, dns::Validity when = {now - day, now + 10 * day}) {
    add(origin_, dns::Rdata(key_.dnskey()));
    std::vector<dns::ChainName> names;
    for (const auto& [id, set] : sets_) {
      if (names.empty() || !(names.back().name == id.first))
        names.push_back({id.first, {}, is_cut(id.first)});
      names.back().types.push_back(id.second);
    }
    for (dns::RrSet& set : dns::make_nsec_chain(names, 300)) sets_[{set.owner, set.type}] = set;
    for (auto& [id, set] : sets_) {
      const bool is_ours = !is_cut(id.first) || id.second != dns::Type::ns;
      if (is_ours) dns::sign(set, origin_, key_, when);
      for (const dns::Record& record : set.records()) server.records.push_back(record);
      for (const std::string& octets : set.signatures) {
        const auto data = dns::rdata_from_wire(dns::Type::rrsig, octets);
        server.records.emplace_back(id.first, 300, *data);
      }
    }
  }

 private:
  bool is_cut(const dns::Name& owner) const {
    return !(owner == origin_) && sets_.contains({owner, dns::Type::ns});
  }
  dns::Name origin_;
  dns::SigningKey key_ = *dns::SigningKey::generate();
  std::map<std::pair<dns::Name, dns::Type>, dns::RrSet> sets_;
};

struct Explain {
  FakeDns dns;
  Asker asker{dns, [] { return test_time; }};
  dns::TrustAnchors anchors;
  Zone root{".", "org. NS ns.org.\nplain. NS ns.plain.\n"};
  Zone org{"org", "example.org. NS ns.example.org.\n"};
  Zone example{"example.org",
               "www.example.org. A 192.0.2.80\nalias.example.org. CNAME www.example.org.\n"
               "out.example.org. CNAME www.plain.\n*.wild.example.org. A 192.0.2.81\n"};

  FakeServer& server() { return dns.at("192.0.2.1#53"); }
  void link() {
    anchors.add(dns::Name(), root.ds());
    root.add(name("org"), dns::Rdata(org.ds()));
    org.add(name("example.org"), dns::Rdata(example.ds()));
  }
  void publish() {
    link();
    root.publish(server());
    org.publish(server());
    example.publish(server());
    server().add("www.plain. A 192.0.2.90\n");
  }
  Chain operator()(std::string_view asked, dns::Type type = dns::Type::a) {
    Settings settings = test_settings();
    ChainWalker walker(asker, settings, anchors);
    Chain result;
    async::run([](ChainWalker& w, dns::Question q, Chain& into) -> async::Task<void> {
      auto done = co_await w.explain(std::move(q));
      into = std::move(done);
    }(walker, dns::Question(name(asked), type), result));
    return result;
  }
};

bool tells(const Chain& chain, Finding::Grade grade, std::string_view zone, std::string_view part) {
  return std::ranges::any_of(chain.links, [&](const Finding& one) {
    return one.grade == grade && one.subject == zone && one.text.find(part) != std::string::npos;
  });
}

}  // namespace

TEST_CASE("A whole chain is secure, and each link is told") {
  Explain explain;
  explain.publish();
  const Chain chain = explain("www.example.org");
  INFO(show(chain));
  CHECK(chain.security == Security::secure);
  CHECK(tells(chain, Finding::Grade::ok, ".", "trust anchor DS "));
  CHECK(tells(chain, Finding::Grade::note, "org", "named by the DS"));
  CHECK(tells(chain, Finding::Grade::ok, "example.org", " at org: signed by org "));
  CHECK(tells(chain, Finding::Grade::ok, "www.example.org", "A: signed by example.org "));
  CHECK(tells(chain, Finding::Grade::ok, "www.example.org", "10 days left"));
}

TEST_CASE("An unsigned delegation ends the chain as insecure, and says where") {
  Explain explain;
  explain.publish();
  const Chain chain = explain("www.plain");
  INFO(show(chain));
  CHECK(chain.security == Security::insecure);
  CHECK(chain.reason == ". proves that plain has no DS: below it nothing is signed");
}

TEST_CASE("Aliases are followed, and the weakest end counts") {
  Explain explain;
  explain.publish();
  CHECK(explain("alias.example.org").security == Security::secure);
  const Chain out = explain("out.example.org");
  CHECK(tells(out, Finding::Grade::note, "out.example.org", "an alias of www.plain"));
  CHECK(out.security == Security::insecure);
}

TEST_CASE("What isn't there is secure if it is proven") {
  Explain explain;
  explain.publish();
  const Chain name = explain("nobody.example.org");
  INFO(show(name));
  CHECK(name.security == Security::secure);
  CHECK(name.reason == "there is no such name, and example.org proves it");
  CHECK(explain("www.example.org", dns::Type::mx).reason ==
        "there is no MX, and example.org proves it");
}

TEST_CASE("A missing proof is bogus") {
  Explain explain;
  explain.publish();
  std::erase_if(explain.server().records, [](const dns::Record& record) {
    return record.type() == dns::Type::nsec && record.owner.is_at_or_below(name("example.org"));
  });
  CHECK(explain("nobody.example.org").security == Security::bogus);
}

TEST_CASE("An expired signature is bogus, and the link is named") {
  Explain explain;
  explain.link();
  explain.root.publish(explain.server());
  explain.org.publish(explain.server());
  explain.example.publish(explain.server(), {now - 10 * day, now - day});
  const Chain chain = explain("www.example.org");
  INFO(show(chain));
  CHECK(chain.security == Security::bogus);
  CHECK(chain.reason.find("example.org") != std::string::npos);
}

TEST_CASE("A changed record is bogus") {
  Explain explain;
  explain.publish();
  explain.server().remove(name("www.example.org"), dns::Type::a);
  explain.server().add("www.example.org. A 203.0.113.66\n");
  const Chain chain = explain("www.example.org");
  CHECK(chain.security == Security::bogus);
  CHECK(show(chain).find("www.example.org A: bogus: ") != std::string::npos);
}

TEST_CASE("Another key than the parent names is bogus, no key at all too") {
  Explain explain;
  explain.link();
  Zone other("example.org", "www.example.org. A 192.0.2.80\n");
  explain.root.publish(explain.server());
  explain.org.publish(explain.server());
  other.publish(explain.server());
  CHECK(explain("www.example.org").security == Security::bogus);
  explain.server().remove(name("example.org"), dns::Type::dnskey);
  CHECK(explain("www.example.org").reason ==
        "example.org: the parent has a DS, but there is no DNSKEY");
}

TEST_CASE("Without an anchor nothing is secure, without an answer nothing is known") {
  Explain explain;
  explain.publish();
  explain.anchors = dns::TrustAnchors();
  CHECK(explain("www.example.org").security == Security::insecure);
  explain.link();
  explain.server().silent = true;
  CHECK(explain("www.example.org").security == Security::unavailable);
}

}  // namespace posthorn::nslook
