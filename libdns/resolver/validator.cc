#include "libdns/resolver/validator.h"

#include <algorithm>
#include <chrono>

#include "libdns/resolver/recursor.h"
#include "libdns/resolver/wall_clock.h"
#include "libmail/async/event.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t max_links = 5000;
constexpr std::uint32_t longest_link = 3600;
// Verifications between two pauses: about a millisecond of computing.
constexpr std::size_t verifications_a_pause = 8;

Verdict insecure(std::string why) {
  return {Security::insecure, EdeCode::other, std::move(why)};
}
Verdict bogus(EdeCode code, std::string why) {
  return {Security::bogus, code, std::move(why)};
}
Verdict unavailable(EdeCode code, std::string why) {
  return {Security::unavailable, code, std::move(why)};
}

// Who says that he has signed it: a zone at or above the owner, and above it for DS.
std::optional<Name> signer_of(const RrSet& set) {
  for (const std::string& octets : set.signatures) {
    const auto data = rdata_from_wire(Type::rrsig, octets);
    const Rrsig* signature = data ? std::get_if<Rrsig>(&*data) : nullptr;
    if (signature == nullptr || !set.owner.is_at_or_below(signature->signer)) continue;
    if (set.type == Type::ds && signature->signer == set.owner) continue;
    return signature->signer;
  }
  return std::nullopt;
}

// A CNAME that only says what the DNAME before it means (RFC 6672 5.3.1).
bool is_synthesised(const std::vector<RrSet>& sets, std::size_t at) {
  return at > 0 && sets[at].type == Type::cname && sets[at].signatures.empty() &&
         sets[at - 1].type == Type::dname;
}

const RrSet* ds_set(const Scrubbed& reply) {
  if (reply.meaning != Meaning::answer || reply.answer.size() != 1) return nullptr;
  return reply.answer.front().type == Type::ds ? &reply.answer.front() : nullptr;
}

}  // namespace

struct Validator::SetJudgement {
  Verdict verdict;
  std::vector<RrSet> proof;
  SetJudgement() = default;
  explicit SetJudgement(Verdict v) : verdict(std::move(v)) {}
};

struct Validator::Flight {
  async::Event done;
  Link link;
  bool spent = false;
};

Validator::Validator(Iterator& iterator, Cache& cache, const RecursorSettings& settings)
    : iterator_(iterator), cache_(cache), settings_(settings) {}

std::uint32_t Validator::wall() const {
  if (settings_.wall_seconds) return settings_.wall_seconds();
  return static_cast<std::uint32_t>(wall_seconds());
}

// The closer of anchor and negative anchor decides (RFC 7646 2).
bool Validator::is_covered(const Name& name) const {
  const TrustAnchor* anchor = settings_.anchors.find(name);
  if (!settings_.validate || anchor == nullptr) return false;
  return std::ranges::none_of(settings_.negative_anchors, [&](const Name& negative) {
    return name.is_at_or_below(negative) && negative.is_at_or_below(anchor->zone);
  });
}

void Validator::forget() {
  links_.clear();
}

const Link* Validator::remembered_link(const Name& name) const {
  const auto place = links_.find(name);
  if (place == links_.end() || place->second.expires <= cache_now()) return nullptr;
  return &place->second;
}

Link Validator::remember(const Name& name, Link link, std::uint32_t ttl, const Work& work) {
  if (work.is_spent()) return link;
  const CacheTime now = cache_now();
  const std::uint32_t most = link.is_secure() || link.verdict.security == Security::insecure
                                 ? longest_link
                                 : settings_.limits.bogus_ttl;
  link.expires = now + std::min(ttl, most);
  if (links_.size() >= max_links) {
    std::erase_if(links_, [now](const auto& one) { return one.second.expires <= now; });
    if (links_.size() >= max_links) links_.erase(links_.begin());
  }
  links_.insert_or_assign(name, link);
  return link;
}

async::Task<void> Validator::pause(Work& work) {
  if (work.crypto.verifications() < work.pause_at) co_return;
  work.pause_at = work.crypto.verifications() + verifications_a_pause;
  const async::Deadline soon = async::Deadline::in(std::chrono::milliseconds(1));
  co_await async::sleep_until(soon);
}

async::Task<Link> Validator::link_by_keys(Name zone, std::vector<Ds> trusted, Work& work) {
  Question question(zone, Type::dnskey);
  Found found = co_await iterator_.find(std::move(question), work);
  if (!found.useful) {
    Link failed(unavailable(EdeCode::dnskey_missing,
                            "no DNSKEY of " + zone.text() + ": " + found.why.explanation));
    co_return remember(zone, std::move(failed), settings_.limits.failure_ttl, work);
  }
  co_await pause(work);
  Scrubbed& reply = found.scrubbed;
  if (reply.meaning != Meaning::answer || reply.answer.size() != 1) {
    Link none(bogus(EdeCode::dnskey_missing, zone.text() + " has no DNSKEY, but a DS"));
    co_return remember(zone, std::move(none), settings_.limits.bogus_ttl, work);
  }
  RrSet& set = reply.answer.front();
  KeysVerdict keys = check_dnskeys(set, trusted, wall(), work.crypto);
  Link link(keys.verdict);
  if (!link.is_secure()) {
    co_return remember(zone, std::move(link), set.ttl, work);
  }
  set.ttl = std::min(set.ttl, keys.keys.ttl);
  (void)cache_.put(set, reply.authoritative ? Rank::authoritative : Rank::answer, Security::secure,
                   cache_now(), {}, cache_.source_of(reply.server));
  const std::uint32_t ttl = keys.keys.ttl;
  link.keys = std::make_shared<const ZoneKeys>(std::move(keys.keys));
  co_return remember(zone, std::move(link), ttl, work);
}

// `ds` as it came from others; the keys of `parent` must have signed it.
async::Task<Link> Validator::link_by_ds(Name zone, RrSet ds, SourceId source, Link parent,
                                        Work& work) {
  SetVerdict checked = check_rrset(ds, *parent.keys, wall(), work.crypto);
  co_await pause(work);
  if (!checked.verdict.is_secure() || checked.wildcard) {
    Link link(checked.wildcard
                  ? bogus(EdeCode::dnssec_bogus, "a wildcard gives the DS of " + zone.text())
                  : checked.verdict);
    co_return remember(zone, std::move(link), settings_.limits.bogus_ttl, work);
  }
  ds.ttl = std::min(ds.ttl, checked.ttl);
  (void)cache_.put(ds, Rank::authoritative, Security::secure, cache_now(), {}, source);
  std::vector<Ds> trusted = ds_records(ds);
  Verdict support = check_ds_support(zone, trusted, work.crypto.limits().sha1);
  if (!support.is_secure()) co_return remember(zone, Link(std::move(support)), ds.ttl, work);
  auto link = co_await link_by_keys(std::move(zone), std::move(trusted), work);
  co_return link;
}

async::Task<std::optional<Link>> Validator::join(std::string key, Work& work) {
  const auto there = flights_.find(key);
  if (there == flights_.end()) co_return std::nullopt;
  const std::shared_ptr<Flight> flight = there->second;
  const bool done = co_await flight->done.wait_until(work.deadline);
  if (!done || flight->spent) co_return std::nullopt;
  co_return flight->link;
}

async::Task<Link> Validator::once(std::string key, async::Task<Link> asking, Work& work) {
  auto joined = co_await join(key, work);
  if (joined) co_return std::move(*joined);
  const auto flight = std::make_shared<Flight>();
  const bool first = flights_.emplace(key, flight).second;
  flight->link = co_await std::move(asking);
  flight->spent = work.is_spent();
  if (first) flights_.erase(key);
  flight->done.set();
  co_return flight->link;
}

async::Task<Link> Validator::link_of_zone(Name zone, Work& work) {
  if (!is_covered(zone)) co_return Link(insecure("no trust anchor covers " + zone.text()));
  const Link* known = remembered_link(zone);
  if (known != nullptr) co_return *known;
  std::string key = "zone " + std::string(zone.folded().wire());
  async::Task<Link> asking = ask_link_of_zone(std::move(zone), work);
  auto link = co_await once(std::move(key), std::move(asking), work);
  co_return link;
}

async::Task<Link> Validator::ask_link_of_zone(Name zone, Work& work) {
  const TrustAnchor* anchor = settings_.anchors.find(zone);
  if (anchor->zone == zone) {
    std::vector<Ds> trusted = anchor->ds;
    auto link = co_await link_by_keys(std::move(zone), std::move(trusted), work);
    co_return link;
  }
  const Name top = anchor->zone;
  Question question(zone, Type::ds);
  Found found = co_await iterator_.find(std::move(question), work);
  const RrSet* ds = found.useful ? ds_set(found.scrubbed) : nullptr;
  const std::optional<Name> signer = ds == nullptr ? std::nullopt : signer_of(*ds);
  if (signer && signer->is_at_or_below(top)) {
    RrSet set = *ds;
    Name parent_zone = *signer;
    Link parent = co_await link_of_zone(std::move(parent_zone), work);
    if (parent.is_secure()) {
      Name name = zone;
      const SourceId source = cache_.source_of(found.scrubbed.server);
      Link link =
          co_await link_by_ds(std::move(name), std::move(set), source, std::move(parent), work);
      if (!link.verdict.is_bogus()) co_return link;
    }
  }
  auto link = co_await walk_to(std::move(zone), work);
  co_return link;
}

// No DS came for the name: a delegation to an unsigned zone, or no zone of its own.
Link Validator::link_without_ds(const Name& name, const Scrubbed& reply, const Link& parent,
                                Work& work) const {
  const ZoneKeys& keys = *parent.keys;
  if (!reply.answer.empty()) {
    // An alias: then it is no delegation, if the alias is true.
    SetVerdict alias = check_rrset(reply.answer.front(), keys, wall(), work.crypto);
    return alias.verdict.is_secure() ? parent : Link(alias.verdict);
  }
  const Denials denials = secure_denials(reply.authority, keys, wall(), work.crypto);
  DsDenial denial = denies_ds(denials, name, work.crypto);
  if (denial.verdict.is_bogus()) return Link(std::move(denial.verdict));
  if (!denial.is_delegation && denial.verdict.is_secure()) return parent;
  return Link(insecure(name.text() + " is delegated without DS"));
}

async::Task<Link> Validator::walk_to(Name name, Work& work) {
  if (!is_covered(name)) co_return Link(insecure("no trust anchor covers " + name.text()));
  const Link* known = remembered_link(name);
  if (known != nullptr && !known->verdict.is_bogus()) co_return *known;
  std::string key = "name " + std::string(name.folded().wire());
  async::Task<Link> asking = ask_walk_to(std::move(name), work);
  auto link = co_await once(std::move(key), std::move(asking), work);
  co_return link;
}

async::Task<Link> Validator::ask_walk_to(Name name, Work& work) {
  const TrustAnchor* anchor = settings_.anchors.find(name);
  if (anchor->zone == name) {
    std::vector<Ds> trusted = anchor->ds;
    auto link = co_await link_by_keys(std::move(name), std::move(trusted), work);
    co_return link;
  }
  Name above = name.parent();
  Link parent = co_await walk_to(std::move(above), work);
  if (!parent.is_secure()) co_return parent;
  Question question(name, Type::ds);
  Found found = co_await iterator_.find(std::move(question), work);
  if (!found.useful) {
    co_return Link(unavailable(EdeCode::no_reachable_authority,
                               "no DS of " + name.text() + ": " + found.why.explanation));
  }
  const RrSet* ds = ds_set(found.scrubbed);
  if (ds != nullptr) {
    RrSet set = *ds;
    const SourceId source = cache_.source_of(found.scrubbed.server);
    auto link =
        co_await link_by_ds(std::move(name), std::move(set), source, std::move(parent), work);
    co_return link;
  }
  Link link = link_without_ds(name, found.scrubbed, parent, work);
  co_await pause(work);
  const std::uint32_t ttl = std::max(found.scrubbed.negative_ttl, settings_.limits.failure_ttl);
  co_return remember(name, std::move(link), ttl, work);
}

// By the keys of the zone that has signed it.
Validator::SetJudgement Validator::check_signed(RrSet& set, const ZoneKeys& keys,
                                                const std::vector<RrSet>& authority,
                                                Work& work) const {
  SetVerdict checked = check_rrset(set, keys, wall(), work.crypto);
  SetJudgement judgement(checked.verdict);
  if (!checked.verdict.is_secure()) return judgement;
  set.ttl = std::min(set.ttl, checked.ttl);
  if (!checked.wildcard) return judgement;
  Denials denials = secure_denials(authority, keys, wall(), work.crypto);
  judgement.verdict = denies_closer_name(denials, set.owner, *checked.wildcard, work.crypto);
  if (judgement.verdict.is_bogus()) return judgement;
  set.ttl = std::min(set.ttl, denials.ttl);
  judgement.proof = std::move(denials.sets);
  return judgement;
}

// Nobody's signature holds: is that as it should be? `reason`: what was wrong with those there are.
async::Task<Validator::SetJudgement> Validator::judge_unsigned(RrSet& set,
                                                               std::optional<Verdict> reason,
                                                               Work& work) {
  Name name = set.type == Type::ds ? set.owner.parent() : set.owner;
  Link link = co_await walk_to(std::move(name), work);
  if (!link.is_secure()) co_return SetJudgement(std::move(link.verdict));
  if (reason) co_return SetJudgement(std::move(*reason));
  co_return SetJudgement(bogus(EdeCode::rrsigs_missing, set.owner.text() + " " +
                                                            to_string(set.type) +
                                                            " has no signature, though " +
                                                            link.keys->zone.text() + " is signed"));
}

async::Task<Validator::SetJudgement> Validator::judge_set(RrSet& set,
                                                          const std::vector<RrSet>& authority,
                                                          Work& work) {
  if (!is_covered(set.owner)) {
    co_return SetJudgement(insecure("no trust anchor covers " + set.owner.text()));
  }
  std::optional<Verdict> reason;
  std::optional<Name> signer = signer_of(set);
  if (signer && is_covered(*signer)) {
    Link link = co_await link_of_zone(std::move(*signer), work);
    if (link.is_secure()) {
      SetJudgement judgement = check_signed(set, *link.keys, authority, work);
      co_await pause(work);
      if (!judgement.verdict.is_bogus()) co_return judgement;
      reason = judgement.verdict;
    } else if (link.verdict.security != Security::insecure) {
      co_return SetJudgement(std::move(link.verdict));
    }
  }
  auto judgement = co_await judge_unsigned(set, std::move(reason), work);
  co_return judgement;
}

Verdict Validator::check_denial(const Question& question, Scrubbed& scrubbed, const ZoneKeys& keys,
                                Work& work) const {
  const Name& name = scrubbed.last;
  Denials denials = secure_denials(scrubbed.authority, keys, wall(), work.crypto);
  Verdict verdict;
  if (scrubbed.meaning == Meaning::nxdomain) {
    verdict = denies_name(denials, name, work.crypto);
  } else if (question.type == Type::ds && !name.is_root()) {
    verdict = denies_ds(denials, name, work.crypto).verdict;
  } else {
    verdict = denies_type(denials, name, question.type, work.crypto);
  }
  if (verdict.is_bogus()) return verdict;
  std::vector<RrSet> proven = std::move(denials.sets);
  for (RrSet& set : scrubbed.authority) {
    if (set.type != Type::soa) continue;
    const SetVerdict soa = check_rrset(set, keys, wall(), work.crypto);
    if (soa.verdict.is_secure()) proven.insert(proven.begin(), std::move(set));
    break;
  }
  scrubbed.negative_ttl = std::min(scrubbed.negative_ttl, denials.ttl);
  scrubbed.authority = std::move(proven);
  return verdict;
}

async::Task<Verdict> Validator::judge_negative(Question question, Scrubbed& scrubbed, Work& work) {
  const Name last = scrubbed.last;
  if (!is_covered(last)) co_return insecure("no trust anchor covers " + last.text());
  std::optional<Name> signer;
  for (const RrSet& set : scrubbed.authority) {
    std::optional<Name> one = signer_of(set);
    const bool fits = one && last.is_at_or_below(*one) &&
                      (question.type != Type::ds || last.is_root() || *one != last);
    if (fits && !signer) signer = std::move(one);
  }
  std::optional<Verdict> reason;
  if (signer && is_covered(*signer)) {
    Link link = co_await link_of_zone(std::move(*signer), work);
    if (link.is_secure()) {
      Verdict verdict = check_denial(question, scrubbed, *link.keys, work);
      co_await pause(work);
      if (!verdict.is_bogus()) co_return verdict;
      reason = std::move(verdict);
    } else if (link.verdict.security != Security::insecure) {
      co_return link.verdict;
    }
  }
  Name name = question.type == Type::ds ? last.parent() : last;
  Link link = co_await walk_to(std::move(name), work);
  if (!link.is_secure()) co_return link.verdict;
  if (reason) co_return std::move(*reason);
  co_return bogus(EdeCode::nsec_missing, "nothing proves that " + last.text() + " has no " +
                                             to_string(question.type) + ", though " +
                                             link.keys->zone.text() + " is signed");
}

async::Task<Judgement> Validator::judge(Question question, Scrubbed& scrubbed, Work& work) {
  Judgement all;
  const auto weaken = [&all](const Verdict& verdict) {
    const bool is_weaker = weakest(all.verdict.security, verdict.security) != all.verdict.security;
    if (is_weaker) all.verdict = verdict;
  };
  for (std::size_t i = 0; i < scrubbed.answer.size(); ++i) {
    if (is_synthesised(scrubbed.answer, i)) {
      all.sets.push_back(all.sets.back());
      scrubbed.answer[i].ttl = scrubbed.answer[i - 1].ttl;
      continue;
    }
    SetJudgement one = co_await judge_set(scrubbed.answer[i], scrubbed.authority, work);
    weaken(one.verdict);
    all.sets.push_back(one.verdict.security);
    for (RrSet& set : one.proof) all.proof.push_back(std::move(set));
    if (all.verdict.is_bogus() || all.verdict.security == Security::unavailable) co_return all;
  }
  if (scrubbed.meaning == Meaning::nodata || scrubbed.meaning == Meaning::nxdomain) {
    const Verdict verdict = co_await judge_negative(std::move(question), scrubbed, work);
    weaken(verdict);
  } else {
    scrubbed.authority.clear();
  }
  co_return all;
}

}  // namespace posthorn::dns
