#include "libdns/zone/check.h"

#include <algorithm>

#include "libdns/zone/checks.h"
#include "libdns/zone/test_zone.h"

using namespace posthorn::dns;

namespace {

// A zone without problems, and more behind it.
std::string with(std::string_view more) {
  return "$TTL 3600\n"
         "@ SOA ns1 hostmaster 1 7200 3600 1209600 3600\n"
         "@ NS ns1\n@ NS ns2\n"
         "ns1 A 192.0.2.1\nns2 A 192.0.2.2\nhost AAAA 2001:db8::1\n" +
         std::string(more) + "\n";
}

Lines problems_of(std::string_view text, CheckOptions options = {}) {
  const auto zone = zone_of("a.test", text);
  Lines lines;
  for (const Problem& problem : check_zone(*zone, options)) lines.push_back(problem.text());
  return lines;
}

// One problem that begins so.
void check_one(std::string_view more, std::string_view expected, CheckOptions options = {}) {
  CAPTURE(more);
  const Lines lines = problems_of(with(more), options);
  for (const std::string& line : lines) UNSCOPED_INFO(line);
  REQUIRE(lines.size() == 1);
  CHECK(lines[0].substr(0, expected.size()) == expected);
}

void check_none(std::string_view more) {
  CAPTURE(more);
  CHECK(problems_of(with(more)) == Lines{});
}

}  // namespace

TEST_CASE("check_zone: only what no UPDATE could make is unfit to be served") {
  const auto unfit = [](std::string_view more) {
    return is_unfit(check_zone(*zone_of("a.test", with(more))));
  };
  CHECK(unfit("www CNAME host\nwww A 192.0.2.1"));
  CHECK(unfit("www CNAME host\nwww CNAME ns1"));
  CHECK(is_unfit(
      check_zone(*zone_of("a.test", "$TTL 1\n@ SOA ns1 hostmaster 1 7200 3600 1209600 3600"))));
  for (const std::string_view more :
       {"loop CNAME loop", "@ TXT \"v=spf1 nonsense -all\"", "@ MX 10 nowhere", "host DS 1 13 2 00",
        "tree DNAME ns1\na.tree A 192.0.2.1", "sel._domainkey TXT \"v=DKIM1; p=!\""}) {
    CAPTURE(more);
    const auto problems = check_zone(*zone_of("a.test", with(more)));
    CHECK(has_errors(problems));
    CHECK(!is_unfit(problems));
  }
}

TEST_CASE("check_zone: a whole mail site's zone has no problem") {
  check_none(R"(
@ MX 10 mail
@ TXT "v=spf1 mx ip4:192.0.2.0/24 ip6:2001:db8::/32 include:spf.other.test -all"
_dmarc TXT "v=DMARC1; p=quarantine; rua=mailto:postmaster@a.test; pct=50; adkim=s"
_mta-sts TXT "v=STSv1; id=20261123T000000"
_smtp._tls TXT "v=TLSRPTv1; rua=mailto:tls@a.test,https://a.test/report"
ed._domainkey TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
mail A 192.0.2.3
_submission._tcp SRV 0 1 587 mail
_imap._tcp SRV 0 0 0 .
www CNAME mail
away CNAME www.other.test.
sub NS ns.sub
sub NS ns.other.test.
ns.sub A 192.0.2.9
nomail MX 0 .
*.w A 192.0.2.4
m MX 5 anything.w
)");
}

TEST_CASE("check_zone: the zone's own servers") {
  CHECK(problems_of("$TTL 60\n@ SOA n h 1 2 1 4 1\n") ==
        Lines{"a.test SOA: error: the zone has no NS (name the servers of the zone at its top)"});
  CHECK(problems_of("$TTL 60\n@ SOA n h 1 2 1 4 1\n@ NS ns.b.test.\n") ==
        Lines{"a.test NS: warning: only one name server (RFC 2182 5 has two or more)"});
  check_one("@ NS nowhere", "a.test NS: error: nowhere.a.test has no address");
  check_one("@ NS alias\nalias CNAME ns1", "a.test NS: error: alias.a.test is a CNAME");
}

TEST_CASE("check_zone: numbers of the SOA") {
  const auto lines = problems_of(
      "$TTL 60\n@ SOA n host\\@master 0 100 200 250 100000\n@ NS n.b.test.\n@ NS m.b.test.\n");
  REQUIRE(lines.size() == 5);
  CHECK(lines[0].find("serial 0") != std::string::npos);
  CHECK(lines[1].find("retry is longer") != std::string::npos);
  CHECK(lines[2].find("expire is shorter") != std::string::npos);
  CHECK(lines[3].find("minimum is over a day") != std::string::npos);
  CHECK(lines[4].find("has an @") != std::string::npos);
}

TEST_CASE("check_zone: a CNAME stands alone and leads somewhere") {
  check_one("x CNAME host\nx TXT y", "x.a.test CNAME: error: CNAME and TXT at one name");
  check_one("x CNAME host\nx CNAME ns1", "x.a.test CNAME: error: several CNAMEs");
  check_one("x CNAME nothing", "x.a.test CNAME: warning: nothing.a.test doesn't exist");
  const auto loop = problems_of(with("x CNAME y\ny CNAME x"));
  REQUIRE(loop.size() == 2);
  CHECK(loop[0].find("round in a circle") != std::string::npos);
}

TEST_CASE("check_zone: what a delegation or DNAME hides") {
  check_one("sub NS ns.b.test.\nwww.sub A 192.0.2.1",
            "www.sub.a.test A: warning: is hidden by the delegation of sub.a.test and no glue");
  check_one("sub NS ns.b.test.\nsub MX 10 host",
            "sub.a.test MX: warning: is hidden by the delegation");
  check_none("sub NS sub\nsub A 192.0.2.1");
  check_one("d DNAME b.test.\nx.d A 192.0.2.1",
            "x.d.a.test A: error: is hidden by the DNAME of d.a.test");
  check_one("d DNAME b.test.\nd DNAME c.test.", "d.a.test DNAME: error: several DNAMEs");
  check_one("d DNAME b.test.\nd NS ns.b.test.", "d.a.test DNAME: error: DNAME and delegation");
}

TEST_CASE("check_zone: a delegation has glue") {
  check_one("sub NS ns.sub", "sub.a.test NS: error: ns.sub.a.test has no glue");
  check_one("sub NS ns.sub\nns.sub A 192.0.2.1\nother NS x.sub",
            "other.a.test NS: warning: x.sub.a.test has no glue");
  check_one("host DS 1 13 2 abcd", "host.a.test DS: error: DS without NS");
  check_one("*.x NS ns1", "*.x.a.test NS: warning: a delegation at a wildcard");
}

TEST_CASE("check_zone: an exchange has an address and is no alias (RFC 5321 5.1, RFC 2181 10.3)") {
  check_one("@ MX 10 nowhere", "a.test MX: error: nowhere.a.test has no address");
  check_one("@ MX 10 t\nt TXT x", "a.test MX: error: t.a.test has no address");
  check_one("@ MX 10 alias\nalias CNAME host", "a.test MX: error: alias.a.test is a CNAME");
  check_one("@ MX 0 .\n@ MX 10 host", "a.test MX: error: a null MX beside others");
  check_one("@ MX 10 .", "a.test MX: warning: a null MX has preference 0");
  check_one("@ MX 10 host.a.test\nhost.a.test A 192.0.2.1",
            "a.test MX: warning: host.a.test.a.test has the zone's name twice");
  check_one("_x._tcp SRV 0 0 1 nowhere", "_x._tcp.a.test SRV: warning: nowhere.a.test has no");
  check_one("_x._tcp SRV 0 0 0 .\n_x._tcp SRV 0 0 1 host", "_x._tcp.a.test SRV: error: a target");
}

TEST_CASE("check_zone: SPF") {
  const auto [record, expected] = GENERATE(table<const char*, const char*>({
      {"v=spf1 a mx -all\"\n@ TXT \"v=spf1 -all", "a.test TXT: error: 2 SPF records"},
      {"v=spf1 ipv4:192.0.2.1 -all", "a.test TXT: error: SPF: \"ipv4:192.0.2.1\" is no term"},
      {"v=spf1 ip4:192.0.2.256 -all", "a.test TXT: error: SPF: \"ip4:192.0.2.256\" is no term"},
      {"v=spf1 ip4:192.0.2.0/33 -all", "a.test TXT: error: SPF: \"ip4:192.0.2.0/33\""},
      {"v=spf1 include: -all", "a.test TXT: error: SPF: \"include:\" is no term"},
      {"v=spf1 exists:%x.b.test -all", "a.test TXT: error: SPF: \"exists:%x.b.test\""},
      {"v=spf1 a/24//129 -all", "a.test TXT: error: SPF: \"a/24//129\""},
      {"v=spf1 -all:x", "a.test TXT: error: SPF: \"-all:x\""},
      {"v=spf1 +all", "a.test TXT: warning: SPF: \"+all\" lets everybody send"},
      {"v=spf1 mx", "a.test TXT: warning: SPF: no \"all\""},
      {"v=spf1 ptr -all", "a.test TXT: warning: SPF: \"ptr\""},
      {"v=spf1 -all mx", "a.test TXT: warning: SPF: what stands behind"},
      {"v=spf1;a -all", "a.test TXT: error: SPF: there is no space"},
      {"v=spf1 a:b1.x a:b2.x a:b3.x a:b4.x a:b5.x a:b6.x a:b7.x a:b8.x a:b9.x a:c.x mx -all",
       "a.test TXT: error: SPF: 11 look-ups"},
  }));
  check_one("@ TXT \"" + std::string(record) + "\"", expected);
}

TEST_CASE("check_zone: an SPF record among so much TXT that answers get large") {
  check_one("@ TXT \"v=spf1 -all\"\n@ TXT \"" + std::string(240, 'x') + "\" \"" +
                std::string(220, 'y') + "\"",
            "a.test TXT: warning: SPF: 471 octets of TXT at this name");
}

TEST_CASE("check_spf: what is allowed passes, and included records count") {
  const auto zone = zone_of("a.test", with(R"(
one TXT "v=spf1 include:two.a.test a mx exists:%{ir}.x.test ~all"
two TXT "v=spf1 include:one.a.test ip4:192.0.2.1 ?all"
)"));
  for (const char* record : {"v=spf1", "v=spf1 a/24 mx:b.test/24//64 a//64 ?ptr:b.test -all",
                             "v=spf1 exists:%{l1r-}.%{d2} redirect=_spf.b.test",
                             "v=spf1 exp=e.b.test x=y -all", "V=SPF1 A -ALL"}) {
    CAPTURE(record);
    CHECK(check_spf(*zone, record).errors.empty());
  }
  CHECK(check_spf(*zone, "v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 -all").look_ups == 0);
  // Two records that include each other end, over the limit.
  CHECK(check_spf(*zone, "v=spf1 include:one.a.test -all").look_ups > max_spf_look_ups);
}

TEST_CASE("check_zone: DMARC, DKIM, MTA-STS, TLS-RPT") {
  const auto [line, expected] = GENERATE(table<const char*, const char*>({
      {"_dmarc TXT \"v=DMARC1\"", "_dmarc.a.test TXT: error: DMARC without p="},
      {"_dmarc TXT \"p=none; v=DMARC1\"", "_dmarc.a.test TXT: error: no record here"},
      {"_dmarc TXT \"v=DMARC1; p=block\"", "_dmarc.a.test TXT: error: p=block: not none"},
      {"_dmarc TXT \"v=DMARC1; p=none; rua=post@a.test\"",
       "_dmarc.a.test TXT: error: rua=post@a.test is no address"},
      {"_dmarc TXT \"v=DMARC1; p=none; pct=101\"", "_dmarc.a.test TXT: error: pct="},
      {"_dmarc TXT \"v=DMARC1; p=none; aspf=x\"", "_dmarc.a.test TXT: error: aspf=x"},
      {"_dmarc TXT \"v=DMARC1; p=none\"\n_dmarc TXT \"v=DMARC1; p=reject\"",
       "_dmarc.a.test TXT: error: 2 records v=DMARC1"},
      {"@ TXT \"v=DMARC1; p=none\"", "a.test TXT: warning: a DMARC record that receivers"},
      {"s._domainkey TXT \"v=DKIM1; k=rsa\"", "s._domainkey.a.test TXT: error: a DKIM key without"},
      {"s._domainkey TXT \"k=rsa; v=DKIM1; p=\"",
       "s._domainkey.a.test TXT: error: v= is not first"},
      {"s._domainkey TXT \"p=\"", "s._domainkey.a.test TXT: warning: p= is empty"},
      {"s._domainkey TXT \"p=a=b\"", "s._domainkey.a.test TXT: error: p= is not base64"},
      {"s._domainkey TXT \"k=ed25519; p=AAAA\"", "s._domainkey.a.test TXT: error: an ed25519 key"},
      {"s._domainkey TXT \"p=AAAA\"", "s._domainkey.a.test TXT: error: an RSA key under 1024"},
      {"s._domainkey TXT \"hello\"", "s._domainkey.a.test TXT: error: this is no DKIM key"},
      {"_mta-sts TXT \"v=STSv1; id=2026-11\"", "_mta-sts.a.test TXT: error: id= must be"},
      {"_mta-sts TXT \"v=STSv2; id=1\"", "_mta-sts.a.test TXT: error: no record here"},
      {"_smtp._tls TXT \"v=TLSRPTv1\"", "_smtp._tls.a.test TXT: error: TLS-RPT without rua="},
      {"_smtp._tls TXT \"v=TLSRPTv1; rua=x\"", "_smtp._tls.a.test TXT: error: rua=x is no"},
  }));
  if (std::string_view(line).find("v=DKIM1; p=\"") != std::string_view::npos) {
    CHECK(problems_of(with(line)).size() == 2);  // and it is revoked
  } else {
    check_one(line, expected);
  }
}

TEST_CASE("check_zone: TLSA and SPF of old, PTR without its dot") {
  check_one("_25._tcp.host TLSA 3 1 1 " + std::string(64, 'a'),
            "_25._tcp.host.a.test TLSA: warning: TLSA in an unsigned zone");
  const auto lines = problems_of(with("host TLSA 1 1 2 " + std::string(64, 'a')));
  REQUIRE(lines.size() == 3);
  CHECK(lines[1].find("isn't of the form") != std::string::npos);
  CHECK(lines[2].find("a digest of type 2 hasn't 32 octets") != std::string::npos);
  check_one("x SPF \"v=spf1 -all\"", "x.a.test SPF: warning: the type SPF has been withdrawn");
  check_one("1 PTR host.2.0.192.in-addr.arpa.", "1.a.test PTR: warning: leads to");
  check_one("1 PTR x.b.test.\n1 PTR y.b.test.", "1.a.test PTR: warning: several names");
}

TEST_CASE("check_zone: signatures that are missing, old or of tomorrow") {
  const auto signed_zone = [](const char* begin, const char* end) {
    std::string text =
        "$TTL 60\n@ SOA n h 1 2 1 4 1\n@ NS ns.b.test.\n@ NS ns.c.test.\n"
        "@ DNSKEY 257 3 13 AAAA\n@ NSEC @ NS SOA RRSIG NSEC DNSKEY\n";
    for (const char* type : {"SOA", "NS", "DNSKEY", "NSEC"}) {
      text +=
          std::string("@ RRSIG ") + type + " 13 2 60 " + end + " " + begin + " 7 a.test. AAAA\n";
    }
    return text;
  };
  CheckOptions options;
  options.now = 1763856000;  // 2025-11-23
  const auto good = signed_zone("20251101000000", "20251201000000");
  CHECK(problems_of(good, options) == Lines{});
  const auto expired = problems_of(signed_zone("20251001000000", "20251101000000"), options);
  REQUIRE(expired.size() == 4);
  CHECK(expired[0] ==
        "a.test NS: error: the signature of key 7 expired at 20251101000000 (sign the zone again)");
  CHECK(problems_of(signed_zone("20251201000000", "20251211000000"), options).size() == 4);
  CHECK(problems_of(signed_zone("20251101000000", "20251125000000"), options)[0].find(
            "warning: the signature of key 7 expires at") != std::string::npos);
  CHECK(problems_of(good + "x A 192.0.2.1\nsub NS ns.b.test.\n", options) ==
        Lines{"x.a.test A: error: no signature in a signed zone"});
}
