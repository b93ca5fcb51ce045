#include "agents/nslook/mail_report.h"

#include <algorithm>

#include "agents/nslook/spf.h"
#include "agents/nslook/tags.h"
#include "agents/nslook/test_dns.h"
#include "libmail/base/base64.h"

namespace posthorn::nslook {
namespace {

using Grade = Finding::Grade;

// A domain with everything right.
constexpr std::string_view good =
    "example.org. MX 10 mx.example.org.\n"
    "example.org. MX 20 mx2.example.org.\n"
    "mx.example.org. A 203.0.113.2\n"
    "mx.example.org. AAAA 2001:db8::2\n"
    "mx2.example.org. A 203.0.113.3\n"
    "2.113.0.203.in-addr.arpa. PTR mx.example.org.\n"
    "3.113.0.203.in-addr.arpa. PTR mx2.example.org.\n"
    "2.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa. PTR "
    "mx.example.org.\n"
    "example.org. TXT \"v=spf1 mx include:spf.example.net -all\"\n"
    "spf.example.net. TXT \"v=spf1 ip4:198.51.100.0/24 -all\"\n"
    "_dmarc.example.org. TXT \"v=DMARC1; p=reject; rua=mailto:dmarc@example.org\"\n"
    "_mta-sts.example.org. TXT \"v=STSv1; id=20261123\"\n"
    "mta-sts.example.org. A 203.0.113.4\n"
    "_smtp._tls.example.org. TXT \"v=TLSRPTv1; rua=mailto:tls@example.org\"\n"
    "_25._tcp.mx.example.org. TLSA 3 1 1 "
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n"
    "_25._tcp.mx2.example.org. TLSA 3 1 1 "
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";

// The report.
struct Seen {
  Findings findings;
  // Is there a line of this grade whose text has `part` in it?
  bool has(Grade grade, std::string_view subject, std::string_view part) const {
    INFO(show(findings));
    return std::ranges::any_of(findings, [&](const Finding& one) {
      return one.grade == grade && one.subject == subject &&
             one.text.find(part) != std::string::npos;
    });
  }
};

// The policy of every host.
class FakePolicies final : public PolicySource {
 public:
  async::Task<Result<std::string, std::string>> fetch(std::string host,
                                                      std::vector<std::string> addresses) override {
    asked = host + " at " + addresses.front();
    co_return policy;
  }
  Result<std::string, std::string> policy =
      "version: STSv1\r\nmode: enforce\r\nmx: *.example.org\r\nmax_age: 604800\r\n";
  std::string asked;
};

struct Look : Seen {
  FakeDns dns;
  Asker asker{dns, [] { return test_time; }};
  MailQuestion question;
  dns::Security security = dns::Security::secure;
  FakePolicies policies;

  explicit Look(std::string_view zone = good) {
    dns.at("192.0.2.1#53").add(zone);
    question.domain = name("example.org");
  }
  FakeServer& server() { return dns.at("192.0.2.1#53"); }
  Seen operator()() {
    Answers answers(asker, test_settings());
    const Vouch vouch = [this](dns::Name, dns::Type) { return believe(security); };
    async::run([](Answers& a, MailQuestion q, Vouch v, PolicySource& p,
                  Findings& into) -> async::Task<void> {
      auto found = co_await check_mail(a, std::move(q), std::move(v), p);
      into = std::move(found);
    }(answers, question, vouch, policies, findings));
    const Seen& seen = *this;
    return seen;
  }
  static async::Task<Belief> believe(dns::Security how) {
    Belief belief;
    belief.security = how;
    belief.why = "the zone isn't signed";
    co_return belief;
  }
};

}  // namespace

TEST_CASE("A domain with everything right has nothing to be said against it") {
  const Seen look = Look()();
  INFO(show(look.findings));
  CHECK(std::ranges::all_of(look.findings,
                            [](const Finding& one) { return one.grade == Grade::ok; }));
  CHECK(look.has(Grade::ok, "MX", "10 mx.example.org at 2001:db8::2, 203.0.113.2"));
  CHECK(look.has(Grade::ok, "PTR 203.0.113.2", "mx.example.org, which leads back"));
  CHECK(look.has(Grade::ok, "SPF", "2 of 10 look-ups"));
}

TEST_CASE("A null MX alone is a decision, beside others a mistake") {
  CHECK(Look("example.org. MX 0 .\n")().has(Grade::note, "MX", "takes no mail"));
  CHECK(Look("example.org. MX 0 .\nexample.org. MX 10 mx.example.org.\n")().has(
      Grade::fail, "MX", "null MX beside other records"));
}

TEST_CASE("Without MX the domain's own address counts, with a warning") {
  const Seen look = Look("example.org. A 203.0.113.1\n")();
  CHECK(look.has(Grade::warn, "MX", "no MX record"));
  CHECK(look.has(Grade::ok, "MX", "example.org at 203.0.113.1"));
}

TEST_CASE("MX hosts that are aliases, have no address or a private one are faults") {
  const Seen look = Look(
      "example.org. MX 10 a.example.org.\nexample.org. MX 20 b.example.org.\n"
      "example.org. MX 30 c.example.org.\nexample.org. MX 40 192.0.2.9.\n"
      "a.example.org. CNAME real.example.org.\nreal.example.org. A 203.0.113.1\n"
      "c.example.org. A 10.1.2.3\n")();
  CHECK(look.has(Grade::fail, "MX", "10 a.example.org is an alias of real.example.org"));
  CHECK(look.has(Grade::fail, "MX", "20 b.example.org has no address: there is no such name"));
  CHECK(look.has(Grade::fail, "MX", "10.1.2.3 can't be reached"));
  CHECK(look.has(Grade::fail, "MX", "40 192.0.2.9 has no address"));
}

TEST_CASE("A domain that doesn't exist, or that nobody answers for, fails") {
  CHECK(Look("example.net. A 192.0.2.1\n")().has(Grade::fail, "MX", "doesn't exist"));
  Look silent;
  silent.server().silent = true;
  CHECK(silent().has(Grade::fail, "MX", "no answer from 192.0.2.1#53"));
}

TEST_CASE("A PTR that is missing or doesn't lead back is told, of senders as a fault") {
  Look look;
  look.server().remove(name("2.113.0.203.in-addr.arpa"), dns::Type::ptr);
  look.server().add("2.113.0.203.in-addr.arpa. PTR other.example.org.\n");
  CHECK(look().has(Grade::warn, "PTR 203.0.113.2", "other.example.org, which doesn't lead back"));
  look.question.addresses = {"203.0.113.99", "203.0.113.2"};
  look();
  CHECK(look.has(Grade::fail, "PTR 203.0.113.99", "none"));
  CHECK(look.has(Grade::fail, "PTR 203.0.113.2", "doesn't lead back"));
}

TEST_CASE("TLSA counts only if it is secure") {
  Look look;
  CHECK(look().has(Grade::ok, "TLSA mx.example.org", "1 that can be used"));
  look.security = dns::Security::insecure;
  CHECK(look().has(Grade::warn, "TLSA mx.example.org", "not believed: the zone isn't signed"));
  look.security = dns::Security::bogus;
  CHECK(look().has(Grade::fail, "TLSA mx.example.org", "signatures are wrong"));
}

TEST_CASE("TLSA that SMTP doesn't know is told") {
  Look look(
      "example.org. MX 10 mx.example.org.\nmx.example.org. A 203.0.113.2\n"
      "_25._tcp.mx.example.org. TLSA 1 1 1 0011\n_25._tcp.mx.example.org. TLSA 3 1 1 0011\n");
  look();
  CHECK(look.has(Grade::warn, "TLSA mx.example.org", "1 1 1 can't be used: usages 0 and 1"));
  CHECK(look.has(Grade::warn, "TLSA mx.example.org", "3 1 1 can't be used: a SHA-256 digest"));
  CHECK(look.has(Grade::fail, "TLSA mx.example.org", "none that can be used"));
}

TEST_CASE("SPF look-ups are counted through includes, and more than ten are a fault") {
  Look look;
  look.server().remove(name("spf.example.net"), dns::Type::txt);
  look.server().add(
      "spf.example.net. TXT \"v=spf1 include:a.example.net include:b.example.net -all\"\n"
      "a.example.net. TXT \"v=spf1 mx:example.org a:mx.example.org exists:mx.example.org "
      "-all\"\n"
      "b.example.net. TXT \"v=spf1 mx:example.org a:mx.example.org a:mx2.example.org ~all\"\n");
  CHECK(look().has(Grade::ok, "SPF", "10 of 10 look-ups"));
  look.server().add("example.org. TXT \"unrelated\"\n");
  look.server().remove(name("b.example.net"), dns::Type::txt);
  look.server().add(
      "b.example.net. TXT \"v=spf1 mx:example.org a:mx.example.org a:mx2.example.org "
      "a:mta-sts.example.org ~all\"\n");
  CHECK(look().has(Grade::fail, "SPF", "11 of 10 look-ups"));
}

TEST_CASE("SPF terms that find nothing are counted, and more than two are a fault") {
  Look look;
  look.server().remove(name("spf.example.net"), dns::Type::txt);
  look.server().add("spf.example.net. TXT \"v=spf1 a:n1.example.net a:n2.example.net -all\"\n");
  CHECK(look().has(Grade::warn, "SPF", "these find nothing: a:n1.example.net, a:n2.example.net"));
  look.server().remove(name("spf.example.net"), dns::Type::txt);
  look.server().add(
      "spf.example.net. TXT \"v=spf1 a:n1.example.net a:n2.example.net mx:n3.example.net "
      "-all\"\n");
  CHECK(look().has(Grade::fail, "SPF", "3 look-ups find nothing, over the limit of 2"));
}

TEST_CASE("SPF that includes itself, nothing, or two records is a fault") {
  Look look;
  look.server().remove(name("spf.example.net"), dns::Type::txt);
  CHECK(look().has(Grade::fail, "SPF spf.example.net", "no SPF record"));
  look.server().add("spf.example.net. TXT \"v=spf1 include:example.org -all\"\n");
  CHECK(look().has(Grade::fail, "SPF example.org", "it includes itself"));
  look.server().add("spf.example.net. TXT \"v=spf1 -all\"\n");
  CHECK(look().has(Grade::fail, "SPF spf.example.net", "2 SPF records"));
}

TEST_CASE("The end of an SPF record is judged") {
  const auto of = [](std::string_view record) {
    Look look("example.org. A 203.0.113.1\n");
    look.server().add("example.org. TXT \"" + std::string(record) + "\"\n");
    return look();
  };
  CHECK(of("v=spf1 a +all").has(Grade::fail, "SPF", "\"+all\" lets everybody send"));
  CHECK(of("v=spf1 a").has(Grade::warn, "SPF", "nothing is said about all other"));
  CHECK(of("v=spf1 -all a").has(Grade::warn, "SPF", "behind \"all\""));
  CHECK(of("v=spf1 a ip4:1.2.3.400 -all")
            .has(Grade::fail, "SPF", "\"ip4:1.2.3.400\": that is no IPv4"));
  CHECK(
      of("v=spf1 exists:%{i}.example.org -all").has(Grade::note, "SPF", "depends on the message"));
}

TEST_CASE("DMARC is taken from a parent, where sp counts") {
  Look look;
  look.question.domain = name("a.b.example.org");
  look.server().remove(name("_dmarc.example.org"), dns::Type::txt);
  look.server().add(
      "_dmarc.example.org. TXT \"v=DMARC1; p=reject; sp=none; rua=mailto:x@example.org\"\n");
  look();
  CHECK(look.has(Grade::note, "DMARC", "taken from the parent example.org"));
  CHECK(look.has(Grade::warn, "DMARC", "sp=none"));
  CHECK_FALSE(look.has(Grade::ok, "DMARC", "p=reject "));
}

TEST_CASE("DMARC records are looked at tag by tag") {
  const auto of = [](std::string_view record) {
    Look look("example.org. MX 0 .\n");
    look.server().add("_dmarc.example.org. TXT \"" + std::string(record) + "\"\n");
    return look();
  };
  CHECK(of("v=DMARC1; p=none; rua=mailto:a@example.org").has(Grade::warn, "DMARC", "p=none"));
  CHECK(of("v=DMARC1; p=maybe").has(Grade::fail, "DMARC", "p=maybe is no policy"));
  CHECK(of("v=DMARC1; rua=mailto:a@example.org").has(Grade::fail, "DMARC", "it lacks p="));
  CHECK(of("v=DMARC1; p=reject; rua=a@example.org").has(Grade::fail, "DMARC", "isn't mailto:"));
  CHECK(of("v=DMARC1; p=reject; p=none").has(Grade::fail, "DMARC", "stands twice"));
  CHECK(of("v=DMARC1; p=reject; rua=mailto:a@reports.example")
            .has(Grade::warn, "DMARC", "reports.example, which doesn't say that it takes them"));
  CHECK(Look("example.org. MX 0 .\n")().has(Grade::fail, "DMARC", "no policy"));
}

TEST_CASE("Who takes DMARC reports for others has said so") {
  Look look;
  look.server().remove(name("_dmarc.example.org"), dns::Type::txt);
  look.server().add(
      "_dmarc.example.org. TXT \"v=DMARC1; p=reject; rua=mailto:a@reports.example!10m\"\n"
      "example.org._report._dmarc.reports.example. TXT \"v=DMARC1\"\n");
  CHECK(look().has(Grade::ok, "DMARC", "reports.example, which takes them"));
}

namespace {

// A DER RSAPublicKey with a modulus of so many bits, as DKIM has it.
std::string rsa_key(std::size_t bits) {
  std::string modulus(bits / 8, '\xAB');
  modulus.insert(modulus.begin(), '\0');
  const auto element = [](char tag, const std::string& content) {
    std::string length = {'\x82', static_cast<char>(content.size() >> 8),
                          static_cast<char>(content.size() & 0xff)};
    return tag + length + content;
  };
  return element('\x30', element('\x02', modulus) + std::string("\x02\x01\x03", 3));
}

}  // namespace

TEST_CASE("DKIM keys are looked at: kind, size, state") {
  const auto of = [](const std::string& record) {
    Look look("example.org. MX 0 .\n");
    look.server().add("s1._domainkey.example.org. TXT " + record + "\n");
    look.question.selectors = {"s1"};
    return look();
  };
  const auto rsa = [&](std::size_t bits) {
    const std::string key = encode_base64(rsa_key(bits));
    return of("\"v=DKIM1; p=" + key.substr(0, 100) + "\" \"" + key.substr(100, 250) + "\" \"" +
              (key.size() > 350 ? key.substr(350) : "") + "\"");
  };
  CHECK(rsa(2048).has(Grade::ok, "DKIM s1", "RSA key of 2048 bits"));
  CHECK(rsa(1024).has(Grade::warn, "DKIM s1", "RSA key of 1024 bits"));
  CHECK(rsa(512).has(Grade::fail, "DKIM s1", "RSA key of 512 bits"));
  CHECK(of("\"v=DKIM1; k=ed25519; p=" + encode_base64(std::string(32, 'x')) + "\"")
            .has(Grade::ok, "DKIM s1", "Ed25519 key"));
  CHECK(of("\"v=DKIM1; p=\"").has(Grade::warn, "DKIM s1", "withdrawn"));
  CHECK(of("\"v=DKIM1; p=!!\"").has(Grade::fail, "DKIM s1", "p= is no base64"));
  CHECK(of("\"v=DKIM1\"").has(Grade::fail, "DKIM s1", "it lacks p="));
  Look none;
  none.question.selectors = {"s2"};
  CHECK(none().has(Grade::fail, "DKIM s2", "there is no such name"));
}

TEST_CASE("MTA-STS needs an id and a host for its policy") {
  Look look("example.org. MX 0 .\n_mta-sts.example.org. TXT \"v=STSv1; id=a-b\"\n");
  look();
  CHECK(look.has(Grade::fail, "MTA-STS", "it lacks id="));
  CHECK(look.has(Grade::fail, "MTA-STS", "mta-sts.example.org has no address"));
  CHECK(Look("example.org. MX 0 .\n")().has(Grade::note, "MTA-STS", "none"));
}

TEST_CASE("An MTA-STS policy is fetched, and the MX hosts must be in it") {
  Look look;
  CHECK(look().has(Grade::ok, "MTA-STS", "mode: enforce, max_age: 604800, mx: *.example.org"));
  CHECK(look.policies.asked == "mta-sts.example.org at 203.0.113.4");
  look.policies.policy = "version: STSv1\nmode: enforce\nmx: mx.example.org\nmax_age: 3600\n";
  look();
  CHECK(look.has(Grade::fail, "MTA-STS", "the policy doesn't name mx2.example.org"));
  CHECK(look.has(Grade::warn, "MTA-STS", "senders forget it within a day"));
  look.policies.policy = "version: STSv1\nmode: testing\nmx: mx.example.org\nmax_age: 604800\n";
  CHECK(look().has(Grade::warn, "MTA-STS", "the policy doesn't name mx2.example.org"));
  look.policies.policy = fail(std::string("the answer is 404, not 200"));
  CHECK(look().has(Grade::fail, "MTA-STS", "mta-sts.txt: the answer is 404"));
}

TEST_CASE("An MTA-STS policy stands on lines that RFC 8461 knows") {
  CHECK(parse_sts_policy("version: STSv1\nmode: none\nmax_age: 0\nother: x\n"));
  for (const std::string_view wrong :
       {"", "\n", "mode: none\n", "version: STSv2\n",
        "version: STSv1\nmode: on\nmax_age: 1\nmx: a\n", "version: STSv1\nmode: enforce\nmx: a\n",
        "version: STSv1\nmode: enforce\nmax_age: 1\n",
        "version: STSv1\nmode: enforce\nmax_age: 31557601\nmx: a\n",
        "version: STSv1\nmode: enforce\nmax_age: 1\nmx: a*.b\n", "<html>not found</html>"}) {
    CAPTURE(wrong);
    CHECK_FALSE(parse_sts_policy(wrong));
  }
  const auto policy = parse_sts_policy(
      "version: STSv1\r\nmode: enforce\r\nmx: Mx.a.test\r\nmx: *.b.test\r\nmax_age: 1\r\n");
  REQUIRE(policy);
  CHECK(policy->covers("mx.A.test"));
  CHECK(policy->covers("x.b.test"));
  CHECK_FALSE(policy->covers("b.test"));
  CHECK_FALSE(policy->covers("x.y.b.test"));
  CHECK_FALSE(policy->covers("mx.a.test.evil.test"));
}

TEST_CASE("A block list is believed only if its test points are right") {
  const auto of = [](std::string_view records) {
    Look look;
    look.question.block_lists = {"bl.example"};
    look.server().add(records);
    return look();
  };
  constexpr std::string_view works = "2.0.0.127.bl.example. A 127.0.0.2\n";
  CHECK(of(works).has(Grade::ok, "DNSBL bl.example", "203.0.113.2 isn't listed"));
  CHECK(of(std::string(works) + "2.113.0.203.bl.example. A 127.0.0.4\n"
                                "2.113.0.203.bl.example. TXT \"spam seen\"\n")
            .has(Grade::fail, "DNSBL bl.example", "203.0.113.2 is listed (127.0.0.4): spam seen"));
  CHECK(of(std::string(works) + "1.0.0.127.bl.example. A 127.0.0.2\n")
            .has(Grade::fail, "DNSBL bl.example", "it lists everything"));
  CHECK(of("x.bl.example. A 127.0.0.2\n")
            .has(Grade::fail, "DNSBL bl.example", "doesn't list its test point"));
  CHECK(of("2.0.0.127.bl.example. A 127.255.255.254\n1.0.0.127.bl.example. A 127.255.255.254\n")
            .has(Grade::fail, "DNSBL bl.example", "public resolver"));
}

TEST_CASE("Addresses named are the ones that block lists are asked about") {
  Look look;
  look.question.block_lists = {"bl.example"};
  look.question.addresses = {"2001:db8::9"};
  look.server().add(
      "2.0.0.127.bl.example. A 127.0.0.2\n"
      "9.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.bl.example. A 127.0.0.2\n");
  CHECK(look().has(Grade::fail, "DNSBL bl.example", "2001:db8::9 is listed"));
}

TEST_CASE("parse_spf takes what RFC 7208 takes, and names what it doesn't") {
  for (const std::string_view text :
       {"v=spf1", "v=spf1 ", "v=spf1 A/24//64 MX:example.org//48 ?ip6:2001:db8::/32",
        "v=spf1 exists:%{ir}.%{l1r+-}._spf.%{d} exp=%{d2}.example.org unknown=%%x",
        "v=spf1 redirect=_spf.example.org"}) {
    CAPTURE(text);
    CHECK(parse_spf(text));
  }
  for (const std::string_view text :
       {"v=spf1 ip4:1.2.3", "v=spf1 ip4:1.2.3.4/33", "v=spf1 ip6:1.2.3.4", "v=spf1 a/024",
        "v=spf1 all:x.y", "v=spf1 include:", "v=spf1 include", "v=spf1 include:nodot", "v=spf1 mxx",
        "v=spf1 exists:%{q}.x.y", "v=spf1 exists:%x.y", "v=spf1 redirect=a.b redirect=c.d",
        "v=spf1 -"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_spf(text));
  }
}

TEST_CASE("rsa_bits reads both forms of a key, and no more than is there") {
  const std::string key = rsa_key(1024);
  CHECK(rsa_bits(key) == 1024);
  for (std::size_t size = 0; size < 140; ++size) CHECK_FALSE(rsa_bits(key.substr(0, size)));
}

}  // namespace posthorn::nslook
