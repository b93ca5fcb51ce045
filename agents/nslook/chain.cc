#include "agents/nslook/chain.h"

#include <fmt/format.h>

#include <algorithm>

#include "agents/nslook/chain_text.h"

namespace posthorn::nslook {

using dns::Security;

namespace {

constexpr std::size_t max_aliases = 8;

const dns::RrSet* find(const std::vector<dns::RrSet>& sets, const dns::Name& owner,
                       dns::Type type) {
  const auto found = std::ranges::find_if(
      sets, [&](const dns::RrSet& set) { return set.type == type && set.owner == owner; });
  return found == sets.end() ? nullptr : &*found;
}

}  // namespace

// One name on its way.
struct ChainWalker::Walk {
  Chain chain;
  dns::Name name;      // what is looked for now: the question's name, or an alias's target
  dns::ZoneKeys keys;  // of the zone that the walk is in
  std::uint32_t now = 0;
  dns::CryptoBudget budget;
  bool is_denied = false;  // NXDOMAIN on the way down: nothing exists below

  // Ends the walk.
  bool end(Security security, std::string why) {
    chain.security = security;
    chain.reason = std::move(why);
    return false;
  }
  bool end(const dns::Verdict& verdict, const std::string& subject) {
    Notes notes(chain.links, subject);
    if (verdict.is_bogus()) notes.fail(verdict.why);
    if (!verdict.is_bogus()) notes.note(verdict.why);
    return end(verdict.security, verdict.why);
  }
};

ChainWalker::ChainWalker(Asker& asker, Settings settings, dns::TrustAnchors anchors)
    : asker_(asker), settings_(std::move(settings)), anchors_(std::move(anchors)) {
  settings_.manner.dnssec_ok = true;
  settings_.manner.checking_disabled = true;
}

async::Task<ChainWalker::Sets> ChainWalker::ask(dns::Name name, dns::Type type) {
  const std::pair<dns::Name, dns::Type> key(name, type);
  const auto known = known_.find(key);
  if (known != known_.end()) co_return known->second;
  dns::Question question(name, type);
  const auto reply = co_await ask_servers(asker_, settings_, std::move(question));
  Sets sets;
  if (!reply) {
    sets.failure = reply.error().text;
  } else {
    const dns::MessageView view = reply->view();
    sets.rcode = view.rcode();
    sets.answer = dns::collect_rrsets(view.answer());
    sets.authority = dns::collect_rrsets(view.authority());
    if (sets.rcode != dns::Rcode::noerror && sets.rcode != dns::Rcode::nxdomain) {
      sets.failure = fmt::format("{} answered {} for {} {}", reply->server.address_text(),
                                 dns::to_string(sets.rcode), shown(name), dns::to_string(type));
    }
  }
  known_.emplace(key, sets);
  co_return sets;
}

async::Task<bool> ChainWalker::enter_zone(Walk& walk, dns::Name zone,
                                          std::vector<dns::Ds> trusted) {
  const std::string subject = shown(zone);
  const dns::Verdict supported = dns::check_ds_support(zone, trusted);
  if (!supported.is_secure()) co_return walk.end(supported, subject);
  const Sets sets = co_await ask(zone, dns::Type::dnskey);
  if (!sets.failure.empty()) co_return walk.end(Security::unavailable, sets.failure);
  const dns::RrSet* keys = find(sets.answer, zone, dns::Type::dnskey);
  Notes notes(walk.chain.links, subject);
  if (keys == nullptr) {
    const std::string why = "the parent has a DS, but there is no DNSKEY";
    notes.fail(why, "publish the keys, or have the parent remove the DS");
    co_return walk.end(Security::bogus, subject + ": " + why);
  }
  notes.note(keys_text(*keys, trusted));
  const dns::KeysVerdict verdict = dns::check_dnskeys(*keys, trusted, walk.now, walk.budget);
  if (!verdict.verdict.is_secure()) co_return walk.end(verdict.verdict, subject);
  notes.ok("DNSKEY set: " + signatures_text(*keys, walk.now));
  walk.keys = verdict.keys;
  co_return true;
}

async::Task<bool> ChainWalker::begin(Walk& walk) {
  const dns::TrustAnchor* anchor = anchors_.find(walk.name);
  if (anchor == nullptr) {
    co_return walk.end(Security::insecure, "there is no trust anchor for " + shown(walk.name));
  }
  Notes notes(walk.chain.links, shown(anchor->zone));
  notes.ok("trust anchor " + ds_text(anchor->ds));
  walk.is_denied = false;
  co_return co_await enter_zone(walk, anchor->zone, anchor->ds);
}

bool ChainWalker::judge_no_ds(Walk& walk, const dns::Name& child, const Sets& sets) {
  const auto denials = dns::secure_denials(sets.authority, walk.keys, walk.now, walk.budget);
  const dns::DsDenial denial = dns::denies_ds(denials, child, walk.budget);
  Notes notes(walk.chain.links, shown(child));
  if (denial.verdict.is_bogus()) return walk.end(denial.verdict, shown(child));
  if (denial.is_delegation || !denial.verdict.is_secure()) {
    const std::string why = fmt::format("{} proves that {} has no DS: below it nothing is signed",
                                        shown(walk.keys.zone), shown(child));
    notes.note(why + (denial.verdict.why.empty() ? "" : " (" + denial.verdict.why + ")"));
    return walk.end(Security::insecure, why);
  }
  if (sets.rcode == dns::Rcode::nxdomain) walk.is_denied = true;
  return true;
}

async::Task<bool> ChainWalker::step_down(Walk& walk, dns::Name child) {
  const Sets sets = co_await ask(child, dns::Type::ds);
  if (!sets.failure.empty()) co_return walk.end(Security::unavailable, sets.failure);
  // An alias: a name in this zone, no zone of its own.
  if (find(sets.answer, child, dns::Type::cname) != nullptr) co_return true;
  const dns::RrSet* ds = find(sets.answer, child, dns::Type::ds);
  if (ds == nullptr) co_return judge_no_ds(walk, child, sets);
  const dns::SetVerdict verdict = dns::check_rrset(*ds, walk.keys, walk.now, walk.budget);
  if (!verdict.verdict.is_secure()) co_return walk.end(verdict.verdict, shown(child));
  const auto trusted = dns::ds_records(*ds);
  Notes notes(walk.chain.links, shown(child));
  notes.ok(ds_text(trusted) + " at " + shown(walk.keys.zone) + ": " +
           signatures_text(*ds, walk.now));
  co_return co_await enter_zone(walk, child, trusted);
}

// Every name between the zone and the one looked for might be a zone. DS of a name is its parent's.
async::Task<bool> ChainWalker::descend(Walk& walk) {
  std::vector<dns::Name> names;
  dns::Name at = walk.name;
  if (walk.chain.question.type == dns::Type::ds && !at.is_root()) at = at.parent();
  for (; !(at == walk.keys.zone) && !at.is_root(); at = at.parent()) names.push_back(at);
  std::ranges::reverse(names);
  for (const dns::Name& child : names) {
    const bool going = co_await step_down(walk, child);
    if (!going) co_return false;
    if (walk.is_denied) break;
  }
  co_return true;
}

bool ChainWalker::judge_set(Walk& walk, const dns::RrSet& set, const Sets& sets) {
  const std::string subject = shown(set.owner);
  const std::string type = dns::to_string(set.type);
  const dns::SetVerdict verdict = dns::check_rrset(set, walk.keys, walk.now, walk.budget);
  if (!verdict.verdict.is_secure()) return walk.end(verdict.verdict, subject + " " + type);
  Notes notes(walk.chain.links, subject);
  notes.ok(type + ": " + signatures_text(set, walk.now));
  if (!verdict.wildcard) return true;
  const auto denials = dns::secure_denials(sets.authority, walk.keys, walk.now, walk.budget);
  const dns::Verdict closer =
      dns::denies_closer_name(denials, set.owner, *verdict.wildcard, walk.budget);
  if (!closer.is_secure()) return walk.end(closer, subject + " " + type);
  notes.ok("made from the wildcard " + shown(*verdict.wildcard) +
           ", rightly: nothing closer exists");
  return true;
}

void ChainWalker::judge_denial(Walk& walk, const Sets& sets) {
  const auto denials = dns::secure_denials(sets.authority, walk.keys, walk.now, walk.budget);
  const bool no_name = sets.rcode == dns::Rcode::nxdomain;
  const dns::Type type = walk.chain.question.type;
  const dns::Verdict verdict = no_name ? dns::denies_name(denials, walk.name, walk.budget)
                                       : dns::denies_type(denials, walk.name, type, walk.budget);
  if (!verdict.is_secure()) {
    walk.end(verdict, shown(walk.name));
    return;
  }
  const std::string what =
      no_name ? "there is no such name" : "there is no " + dns::to_string(type);
  Notes notes(walk.chain.links, shown(walk.name));
  notes.ok(what + ", proven by " + proof_text(denials));
  walk.end(Security::secure, what + ", and " + shown(walk.keys.zone) + " proves it");
}

async::Task<bool> ChainWalker::judge_answer(Walk& walk) {
  const dns::Type type = walk.chain.question.type;
  const Sets sets = co_await ask(walk.name, type);
  if (!sets.failure.empty()) co_return walk.end(Security::unavailable, sets.failure);
  if (const dns::RrSet* set = find(sets.answer, walk.name, type)) {
    if (!judge_set(walk, *set, sets)) co_return false;
    co_return walk.end(Security::secure, "every link from the trust anchor down is good");
  }
  for (const dns::RrSet& set : sets.answer) {  // RFC 6672: the CNAME of a DNAME has no signature
    const bool above = walk.name.is_at_or_below(set.owner) && !(walk.name == set.owner);
    if (set.type == dns::Type::dname && above && !judge_set(walk, set, sets)) co_return false;
  }
  const dns::RrSet* alias = find(sets.answer, walk.name, dns::Type::cname);
  if (alias == nullptr) {
    judge_denial(walk, sets);
    co_return false;
  }
  const bool is_made = std::ranges::any_of(sets.answer, [&](const dns::RrSet& set) {
    return set.type == dns::Type::dname && walk.name.is_at_or_below(set.owner) &&
           set.owner.is_at_or_below(walk.keys.zone);
  });
  if (!is_made && !judge_set(walk, *alias, sets)) co_return false;
  const dns::Name target = alias->records().front().as<dns::Cname>()->target;
  Notes notes(walk.chain.links, shown(walk.name));
  notes.note("an alias of " + shown(target));
  walk.name = target;
  co_return true;
}

async::Task<Chain> ChainWalker::explain(dns::Question question) {
  Walk walk;
  walk.chain.question = question;
  walk.name = question.name;
  walk.now = static_cast<std::uint32_t>(asker_.now());
  for (std::size_t aliases = 0; aliases <= max_aliases; ++aliases) {
    bool going = co_await begin(walk);
    if (going) going = co_await descend(walk);
    if (going) going = co_await judge_answer(walk);
    if (!going) co_return walk.chain;
  }
  walk.end(Security::unavailable, "too many aliases");
  co_return walk.chain;
}

std::string show(const Chain& chain) {
  std::string text = show(chain.links);
  return text + fmt::format("\n{} {}: {}: {}\n", shown(chain.question.name),
                            dns::to_string(chain.question.type), dns::to_string(chain.security),
                            chain.reason);
}

Json to_json(const Chain& chain) {
  Json links = Json::array();
  for (const Finding& link : chain.links) {
    links.push_back(
        {{"zone", link.subject}, {"grade", to_string(link.grade)}, {"text", link.text}});
  }
  return {{"version", 1},
          {"name", shown(chain.question.name)},
          {"type", dns::to_string(chain.question.type)},
          {"security", dns::to_string(chain.security)},
          {"reason", chain.reason},
          {"links", std::move(links)}};
}

}  // namespace posthorn::nslook
