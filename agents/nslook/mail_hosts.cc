// Where mail for the domain goes: MX, addresses, PTR, TLSA.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <tuple>

#include "agents/nslook/mail_report.h"
#include "libdns/wire/address.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

constexpr std::size_t max_hosts = 32;  // more aren't looked at

// Nobody on the Internet can reach it (RFC 6890).
bool is_private(std::string_view address) {
  if (const auto v4 = dns::parse_a(address)) {
    const auto& a = v4->address;
    return a[0] == 0 || a[0] == 10 || a[0] == 127 || a[0] >= 224 || (a[0] == 169 && a[1] == 254) ||
           (a[0] == 172 && a[1] >= 16 && a[1] < 32) || (a[0] == 192 && a[1] == 168) ||
           (a[0] == 100 && a[1] >= 64 && a[1] < 128);
  }
  const auto v6 = dns::parse_aaaa(address);
  if (!v6) return false;
  const auto& a = v6->address;
  const bool is_loopback =
      std::all_of(a.begin(), a.end() - 1, [](auto octet) { return octet == 0; });
  return is_loopback || (a[0] & 0xfe) == 0xfc || (a[0] == 0xfe && (a[1] & 0xc0) == 0x80) ||
         a[0] == 0xff;
}

// One TLSA record, as RFC 7672 3.1 sees it. Empty: it can be used.
std::string tlsa_problem(const dns::Tlsa& tlsa) {
  if (tlsa.usage == 0 || tlsa.usage == 1) return "usages 0 and 1 aren't used for SMTP";
  if (tlsa.usage > 3) return "an unknown usage";
  if (tlsa.selector > 1) return "an unknown selector";
  const std::size_t octets = tlsa.association.size();
  if (tlsa.matching == 1 && octets != 32) return "a SHA-256 digest has 32 octets";
  if (tlsa.matching == 2 && octets != 64) return "a SHA-512 digest has 64 octets";
  if (tlsa.matching > 2) return "an unknown matching type";
  return "";
}

async::Task<void> check_tlsa(Answers& answers, dns::Name host, Belief mx, const Vouch& vouch,
                             Findings& findings) {
  const auto at = dns::Name::parse("_25._tcp." + host.text());
  if (!at) co_return;
  Notes notes(findings, "TLSA " + host.text());
  const Answer answer = co_await answers.ask(*at, dns::Type::tlsa);
  if (answer.is_absent()) {
    notes.note("none: senders can't know that this host has TLS");
    co_return;
  }
  if (!answer.is_found()) {
    notes.fail(answer.why, "senders that know DANE won't deliver while this fails (RFC 7672 2.1)");
    co_return;
  }
  std::size_t usable = 0;
  for (const dns::Tlsa& tlsa : answer.all<dns::Tlsa>()) {
    const std::string problem = tlsa_problem(tlsa);
    const std::string shown = fmt::format("{} {} {}", tlsa.usage, tlsa.selector, tlsa.matching);
    if (problem.empty()) ++usable;
    if (!problem.empty()) notes.warn(shown + " can't be used: " + problem, "publish 3 1 1");
  }
  const Belief belief = co_await vouch(*at, dns::Type::tlsa);
  const dns::Security security = dns::weakest(mx.security, belief.security);
  const std::string count = fmt::format("{} that can be used", usable);
  const std::string why = belief.security != dns::Security::secure ? belief.why : mx.why;
  if (security == dns::Security::secure) {
    if (usable > 0) notes.ok(count + ", and the chain of signatures is whole");
    if (usable == 0) notes.fail("none that can be used: DANE senders fall back", "publish 3 1 1");
  } else if (security == dns::Security::insecure) {
    notes.warn(count + ", but not believed: " + why,
               "only a signed zone, and a signed zone of the host, make TLSA count");
  } else {
    notes.fail(count + ", but the signatures are wrong: " + why, "nslook --dnssec shows the link");
  }
}

struct Host {
  dns::Name name;
  std::string preference;  // "10 ", "" without MX
};

async::Task<std::vector<std::string>> check_host(Answers& answers, Host host, Findings& findings) {
  Notes notes(findings, "MX");
  const std::string line = host.preference + shown(host.name);
  std::vector<std::string> addresses = co_await answers.addresses(host.name);
  const Answer v4 = co_await answers.ask(host.name, dns::Type::a);
  if (!v4.aliases.empty()) {
    notes.fail(line + " is an alias of " + shown(v4.owner),
               "write the host's own name into the MX record (RFC 5321 5.1, RFC 2181 10.3)");
  }
  if (addresses.empty()) {
    const std::string why = v4.is_absent() ? "has no address: " + v4.absence_text() : v4.why;
    const std::string hint = is_address(shown(host.name))
                                 ? "an MX record names a host; an address can't stand there"
                                 : "give it an A or AAAA record, or remove it from the MX records";
    notes.fail(line + " " + why, hint);
    co_return addresses;
  }
  notes.ok(line + " at " + fmt::format("{}", fmt::join(addresses, ", ")));
  for (const std::string& address : addresses) {
    if (is_private(address)) {
      notes.fail(address + " can't be reached from elsewhere", "give the host a public address");
    }
  }
  co_return addresses;
}

// The records as they are tried; nothing to try if the domain says so.
async::Task<std::vector<Host>> find_hosts(Answers& answers, dns::Name domain, Findings& findings) {
  Notes notes(findings, "MX");
  std::vector<Host> hosts;
  const Answer answer = co_await answers.ask(domain, dns::Type::mx);
  if (answer.presence == Presence::nxdomain) {
    notes.fail("the domain doesn't exist", "is it spelled right, and registered?");
    co_return hosts;
  }
  if (answer.presence == Presence::unknown) {
    notes.fail(answer.why, "senders wait and try again while this fails");
    co_return hosts;
  }
  std::vector<dns::Mx> all = answer.all<dns::Mx>();
  std::ranges::sort(all, [](const dns::Mx& a, const dns::Mx& b) {
    return std::tie(a.preference, a.exchange) < std::tie(b.preference, b.exchange);
  });
  const bool has_null =
      std::ranges::any_of(all, [](const dns::Mx& mx) { return mx.exchange.is_root(); });
  if (has_null && all.size() == 1) {
    const std::string text = "null MX: the domain takes no mail (RFC 7505)";
    if (all[0].preference == 0) notes.note(text);
    if (all[0].preference != 0) notes.warn(text, "its preference has to be 0");
    co_return hosts;
  }
  if (has_null) notes.fail("null MX beside other records", "it has to stand alone (RFC 7505 3)");
  if (all.size() > max_hosts)
    notes.warn(fmt::format("{} records; the first {} are looked at", all.size(), max_hosts));
  for (const dns::Mx& mx : all) {
    if (mx.exchange.is_root() || hosts.size() == max_hosts) continue;
    hosts.push_back({mx.exchange, fmt::format("{} ", mx.preference)});
  }
  if (all.empty()) {
    notes.warn("no MX record: mail goes to the domain's own address",
               "an MX record says so clearly; \"0 .\" says that there is no mail");
    hosts.push_back({domain, ""});
  }
  co_return hosts;
}

}  // namespace

async::Task<void> check_reverse(Answers& answers, std::string address, bool must_have,
                                Findings& findings) {
  Notes notes(findings, "PTR " + address);
  const auto at = dns::reverse_name(address);
  if (!at) {
    notes.fail("that is no address");
    co_return;
  }
  const std::string hint =
      "whoever gave you the address can set its name; many servers refuse mail without";
  const Answer answer = co_await answers.ask(*at, dns::Type::ptr);
  if (!answer.is_found()) {
    const std::string text = answer.is_absent() ? "none" : answer.why;
    if (!answer.is_absent()) {
      notes.warn(text);
      co_return;
    }
    if (must_have) notes.fail(text, hint);
    if (!must_have) notes.warn(text, "it matters if the host sends mail, too: " + hint);
    co_return;
  }
  for (const dns::Ptr& ptr : answer.all<dns::Ptr>()) {
    const auto back = co_await answers.addresses(ptr.target);
    if (std::ranges::find(back, address) != back.end()) {
      notes.ok(shown(ptr.target) + ", which leads back");
      co_return;
    }
  }
  const std::string target = shown(answer.all<dns::Ptr>().front().target);
  const std::string text = target + ", which doesn't lead back";
  if (must_have) notes.fail(text, "give " + target + " this address (FCrDNS)");
  if (!must_have) notes.warn(text, "give " + target + " this address (FCrDNS)");
}

async::Task<std::vector<std::string>> check_hosts(Answers& answers, dns::Name domain, Vouch vouch,
                                                  Findings& findings) {
  const auto hosts = co_await find_hosts(answers, domain, findings);
  std::vector<std::string> all;
  if (hosts.empty()) co_return all;
  std::set<dns::Name> seen;
  for (const Host& host : hosts) {
    if (!seen.insert(host.name).second) continue;
    const auto addresses = co_await check_host(answers, host, findings);
    all.insert(all.end(), addresses.begin(), addresses.end());
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  for (const std::string& address : all) {
    co_await check_reverse(answers, address, false, findings);
  }
  const Belief mx = co_await vouch(domain, dns::Type::mx);
  for (const dns::Name& host : seen) {
    co_await check_tlsa(answers, host, mx, vouch, findings);
  }
  co_return all;
}

}  // namespace posthorn::nslook
