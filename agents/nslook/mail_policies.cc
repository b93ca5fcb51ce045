// DMARC, DKIM, MTA-STS and TLS-RPT.
#include <fmt/format.h>

#include <algorithm>

#include "agents/nslook/mail_report.h"
#include "agents/nslook/tags.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

// The domain, then its parents as the tree walk takes them: of more than eight labels the next has
// seven, and the last has one.
std::vector<dns::Name> tree(const dns::Name& domain) {
  constexpr std::size_t most = 8;
  std::vector<dns::Name> names = {domain};
  dns::Name at = domain.parent();
  while (at.label_count() >= most) at = at.parent();
  for (; !at.is_root(); at = at.parent()) names.push_back(at);
  return names;
}

struct Policy {
  dns::Name domain;  // where it stands
  Texts texts;
};

async::Task<Policy> find_policy(Answers& answers, dns::Name domain) {
  Policy policy;
  for (const dns::Name& name : tree(domain)) {
    const auto at = name.child("_dmarc");
    if (!at) continue;
    Texts texts = co_await find_texts(answers, *at, "v=DMARC1");
    const bool ends = !texts.found.empty() || texts.answer.presence == Presence::unknown;
    policy.texts = std::move(texts);
    policy.domain = name;
    if (ends) break;
  }
  co_return policy;
}

void judge_policy(std::string_view tag, const std::string& value, Notes& notes) {
  if (value == "reject" || value == "quarantine") {
    notes.ok(fmt::format("{}={}", tag, value));
  } else if (value == "none") {
    notes.warn(fmt::format("{}=none: forged mail is delivered", tag),
               "once the reports look right: quarantine, then reject");
  } else {
    notes.fail(fmt::format("{}={} is no policy", tag, printable(value)),
               "none, quarantine or reject");
  }
}

// "mailto:a@b!10m"; gives the domain of the address.
std::optional<std::string> report_domain(std::string_view uri) {
  uri = trim(uri);
  if (!istarts_with(uri, "mailto:")) return std::nullopt;
  const std::string_view address = uri.substr(7, uri.find('!') - 7);
  const auto at = address.rfind('@');
  if (at == std::string_view::npos || at == 0 || at + 1 == address.size()) return std::nullopt;
  return std::string(address.substr(at + 1));
}

// RFC 7489 7.1: who gets reports about others has to say that he wants them.
async::Task<void> check_receiver(Answers& answers, dns::Name domain, std::string receiver,
                                 Notes& notes) {
  const auto name = dns::Name::parse(receiver);
  if (!name) {
    notes.fail("reports go to " + printable(receiver) + ", which is no name");
    co_return;
  }
  // Without a list of public suffixes: one inside of the other is the same organisation.
  if (name->is_at_or_below(domain) || domain.is_at_or_below(*name)) co_return;
  const auto at = dns::Name::parse(domain.text() + "._report._dmarc." + name->text());
  if (!at) co_return;
  const Texts texts = co_await find_texts(answers, *at, "v=DMARC1");
  if (!texts.found.empty()) {
    notes.ok("reports go to " + name->text() + ", which takes them");
  } else {
    notes.warn("reports go to " + name->text() + ", which doesn't say that it takes them",
               "it publishes TXT \"v=DMARC1\" at " + at->text());
  }
}

async::Task<void> check_reports(Answers& answers, dns::Name domain, const Tags& tags,
                                Notes& notes) {
  for (const std::string tag : {"rua", "ruf"}) {
    const auto uris = tags.find(tag);
    if (!uris && tag == "rua") notes.note("no rua: nobody reads how it goes", "rua=mailto:ADDRESS");
    if (!uris) continue;
    for (const std::string_view uri : split(*uris, ',')) {
      const auto receiver = report_domain(uri);
      if (!receiver) notes.fail(tag + "=" + printable(uri) + " isn't mailto:ADDRESS");
      if (receiver) co_await check_receiver(answers, domain, *receiver, notes);
    }
  }
}

void judge_other_tags(const Tags& tags, Notes& notes) {
  for (const std::string_view tag : {"adkim", "aspf"}) {
    const auto value = tags.find(tag);
    if (value && *value != "r" && *value != "s") {
      notes.fail(fmt::format("{}={} is neither r nor s", tag, printable(*value)));
    }
  }
  const auto percent = tags.find("pct");
  if (!percent) return;
  const auto number = parse_number<unsigned>(*percent);
  if (!number || *number > 100) notes.fail("pct=" + printable(*percent) + " is no percentage");
  if (number && *number < 100)
    notes.warn(fmt::format("pct={}: most receivers don't know it any more", *number));
}

}  // namespace

async::Task<void> check_dmarc(Answers& answers, dns::Name domain, Findings& findings) {
  Notes notes(findings, "DMARC");
  const Policy policy = co_await find_policy(answers, domain);
  const Texts& texts = policy.texts;
  if (texts.answer.presence == Presence::unknown) {
    notes.fail(texts.answer.why);
    co_return;
  }
  if (texts.found.empty()) {
    notes.fail("no policy", "TXT at _dmarc." + domain.text() +
                                ": \"v=DMARC1; p=none; rua=mailto:...\" to begin with");
    co_return;
  }
  const bool is_inherited = !(policy.domain == domain);
  if (is_inherited) notes.note("taken from the parent " + policy.domain.text());
  if (texts.found.size() > 1) {
    notes.fail(fmt::format("{} records: none counts", texts.found.size()), "leave one of them");
    co_return;
  }
  notes.ok(printable(texts.found[0]));
  const auto tags = Tags::parse(texts.found[0]);
  if (!tags) {
    notes.fail(tags.error());
    co_return;
  }
  const auto general = tags->find("p");
  const auto below = tags->find("sp");
  if (!general) notes.fail("it lacks p=", "none, quarantine or reject");
  if (general && !(is_inherited && below)) judge_policy("p", *general, notes);
  if (below) judge_policy("sp", *below, notes);
  judge_other_tags(*tags, notes);
  co_await check_reports(answers, policy.domain, *tags, notes);
}

namespace {

void judge_rsa(std::string_view key, Notes& notes) {
  const auto bits = rsa_bits(key);
  if (!bits) {
    notes.fail("p= is no RSA key", "it is the base64 of a DER public key");
  } else if (*bits < 1024) {
    notes.fail(fmt::format("RSA key of {} bits: receivers ignore it (RFC 8301)", *bits),
               "2048 bits");
  } else if (*bits < 2048) {
    notes.warn(fmt::format("RSA key of {} bits", *bits), "2048 bits (RFC 8301 3.2)");
  } else {
    notes.ok(fmt::format("RSA key of {} bits", *bits));
  }
}

void judge_key(const Tags& tags, Notes& notes) {
  const auto version = tags.find("v");
  if (version && *version != "DKIM1") notes.fail("v=" + printable(*version) + " isn't DKIM1");
  const auto key = tags.find("p");
  if (!key) {
    notes.fail("it lacks p=, the key");
    return;
  }
  if (key->empty()) {
    notes.warn("the key was withdrawn: signatures with it don't count");
    return;
  }
  std::string packed = *key;
  std::erase_if(packed, [](char c) { return is_space(c); });
  const auto octets = decode_base64(packed);
  const std::string kind = tags.find("k").value_or("rsa");
  if (!octets) {
    notes.fail("p= is no base64");
  } else if (kind == "rsa") {
    judge_rsa(*octets, notes);
  } else if (kind == "ed25519") {
    if (octets->size() == 32) notes.ok("Ed25519 key");
    if (octets->size() != 32) notes.fail("an Ed25519 key has 32 octets (RFC 8463)");
  } else {
    notes.warn("k=" + printable(kind) + " is unknown");
  }
  if (tags.find("t").value_or("").find('y') != std::string::npos) {
    notes.warn("t=y: a test, receivers needn't care", "remove it once all is well");
  }
}

}  // namespace

async::Task<void> check_dkim(Answers& answers, dns::Name domain, std::string selector,
                             Findings& findings) {
  Notes notes(findings, "DKIM " + printable(selector));
  const auto at = dns::Name::parse(selector + "._domainkey." + domain.text());
  if (!at) {
    notes.fail("that is no selector");
    co_return;
  }
  const Answer answer = co_await answers.ask(*at, dns::Type::txt);
  if (!answer.is_found()) {
    notes.fail(answer.absence_text(), "TXT at " + at->text());
    co_return;
  }
  if (answer.records.size() > 1) {
    notes.fail("several records: which one counts is chance (RFC 6376 3.6.2.2)");
    co_return;
  }
  const auto tags = Tags::parse(answer.all<dns::Txt>().front().joined());
  if (!tags) {
    notes.fail(tags.error());
    co_return;
  }
  judge_key(*tags, notes);
}

namespace {

// The record says that there is a policy, and which one.
void judge_sts_record(const Texts& texts, Notes& notes) {
  const auto tags = Tags::parse(texts.found[0]);
  const std::string id = tags ? tags->find("id").value_or("") : "";
  const bool good_id = !id.empty() && id.size() <= 32 && std::ranges::all_of(id, is_alnum);
  if (texts.found.size() > 1) {
    notes.fail("several records: the policy doesn't count (RFC 8461 3.1)");
  } else if (!good_id) {
    notes.fail("it lacks id=, 1 to 32 letters and digits",
               "change the id whenever the policy changes");
  } else {
    notes.ok("id=" + id);
  }
}

void judge_sts_policy(const StsPolicy& policy, Notes& notes) {
  constexpr std::uint32_t day = 86400;
  const std::string line = fmt::format("mode: {}, max_age: {}, mx: {}", policy.mode, policy.max_age,
                                       fmt::join(policy.hosts, " "));
  if (policy.mode == "enforce") {
    notes.ok(line);
  } else if (policy.mode == "testing") {
    notes.note(line + ": senders only report what fails", "once the reports look right: enforce");
  } else {
    notes.note(line + ": the domain is leaving MTA-STS");
  }
  if (policy.max_age < day && policy.mode != "none") {
    notes.warn("senders forget it within a day", "max_age of some weeks (RFC 8461 3.2)");
  }
}

async::Task<void> check_sts_hosts(Answers& answers, dns::Name domain, const StsPolicy& policy,
                                  Notes& notes) {
  const Answer mx = co_await answers.ask(domain, dns::Type::mx);
  for (const dns::Mx& one : mx.all<dns::Mx>()) {
    const std::string host = shown(one.exchange);
    if (policy.mode == "none" || one.exchange.is_root() || policy.covers(host)) continue;
    const std::string text = "the policy doesn't name " + host;
    if (policy.mode == "enforce") notes.fail(text + ": no mail goes there", "mx: " + host);
    if (policy.mode == "testing") notes.warn(text, "mx: " + host);
  }
}

}  // namespace

async::Task<void> check_mta_sts(Answers& answers, dns::Name domain, PolicySource& policies,
                                Findings& findings) {
  Notes notes(findings, "MTA-STS");
  const auto at = domain.child("_mta-sts");
  const auto host = domain.child("mta-sts");
  if (!at || !host) co_return;
  const Texts texts = co_await find_texts(answers, *at, "v=STSv1");
  if (texts.found.empty()) {
    const bool unknown = texts.answer.presence == Presence::unknown;
    if (unknown) notes.fail(texts.answer.why);
    if (!unknown) notes.note("none");
    co_return;
  }
  judge_sts_record(texts, notes);
  const auto addresses = co_await answers.addresses(*host);
  if (addresses.empty()) {
    notes.fail(host->text() + " has no address", "the policy is fetched from there by HTTPS");
    co_return;
  }
  const auto text = co_await policies.fetch(shown(*host), addresses);
  const auto policy = text ? parse_sts_policy(*text) : fail(text.error());
  if (!policy) {
    notes.fail("https://" + shown(*host) + "/.well-known/mta-sts.txt: " + policy.error(),
               "without it senders go on with the policy they know, or with none");
    co_return;
  }
  judge_sts_policy(*policy, notes);
  co_await check_sts_hosts(answers, domain, *policy, notes);
}

async::Task<void> check_tls_reports(Answers& answers, dns::Name domain, Findings& findings) {
  Notes notes(findings, "TLS-RPT");
  const auto at = dns::Name::parse("_smtp._tls." + domain.text());
  if (!at) co_return;
  const Texts texts = co_await find_texts(answers, *at, "v=TLSRPTv1");
  if (texts.found.empty()) {
    const bool unknown = texts.answer.presence == Presence::unknown;
    if (unknown) notes.fail(texts.answer.why);
    if (!unknown) notes.note("none: nobody tells you when TLS to your hosts fails");
    co_return;
  }
  if (texts.found.size() > 1) {
    notes.fail("several records: none counts (RFC 8460 3)");
    co_return;
  }
  const auto tags = Tags::parse(texts.found[0]);
  const auto uris = tags ? tags->find("rua") : std::nullopt;
  if (!uris || uris->empty()) {
    notes.fail("it lacks rua=", "rua=mailto:ADDRESS or rua=https://...");
    co_return;
  }
  for (const std::string_view uri : split(*uris, ',')) {
    const bool good = report_domain(uri) || istarts_with(trim(uri), "https://");
    if (good) notes.ok("reports go to " + printable(trim(uri)));
    if (!good) notes.fail("rua=" + printable(uri) + " is neither mailto: nor https:");
  }
}

}  // namespace posthorn::nslook
