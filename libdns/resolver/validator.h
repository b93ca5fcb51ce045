// The chain of trust (RFC 4035 5): from an anchor by DS and DNSKEY to the zone of an answer, and
// whether the answer holds. The steps are in libdns/dnssec; here is the way, and what is asked for
// on it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "libdns/dnssec/denial.h"
#include "libdns/dnssec/validate.h"
#include "libdns/resolver/iterator.h"

namespace posthorn::dns {

// What is known of a name: the keys of the zone it is in, or why there are none.
struct Link {
  Verdict verdict;                       // may be `unavailable`: DS or DNSKEY couldn't be had
  std::shared_ptr<const ZoneKeys> keys;  // if secure
  CacheTime expires = 0;
  Link() = default;
  explicit Link(Verdict v) : verdict(std::move(v)) {}
  [[nodiscard]] bool is_secure() const { return verdict.is_secure(); }
};

struct Judgement {
  Verdict verdict;             // of the whole answer: the weakest
  std::vector<Security> sets;  // of each of `scrubbed.answer`
  std::vector<RrSet> proof;    // why a wildcard stands for the name; goes with the last set
};

class Validator {
 public:
  // All outlive it.
  Validator(Iterator& iterator, Cache& cache, const RecursorSettings& settings);

  // Judges what was found for the question. Cuts the TTLs in it to what the signatures allow, and
  // leaves of the authority section what has been proven.
  async::Task<Judgement> judge(Question question, Scrubbed& scrubbed, Work& work);

  [[nodiscard]] std::size_t remembered() const { return links_.size(); }
  void forget();  // after a flush of the cache

 private:
  struct SetJudgement;
  struct Flight;
  [[nodiscard]] bool is_covered(const Name& name) const;
  [[nodiscard]] std::uint32_t wall() const;

  async::Task<SetJudgement> judge_set(RrSet& set, const std::vector<RrSet>& authority, Work& work);
  async::Task<SetJudgement> judge_unsigned(RrSet& set, std::optional<Verdict> reason, Work& work);
  SetJudgement check_signed(RrSet& set, const ZoneKeys& keys, const std::vector<RrSet>& authority,
                            Work& work) const;
  async::Task<Verdict> judge_negative(Question question, Scrubbed& scrubbed, Work& work);
  Verdict check_denial(const Question& question, Scrubbed& scrubbed, const ZoneKeys& keys,
                       Work& work) const;

  // The zone's keys by the signers' own word of who their parent is: one DS and one DNSKEY a zone.
  async::Task<Link> link_of_zone(Name zone, Work& work);
  async::Task<Link> ask_link_of_zone(Name zone, Work& work);
  // The same, but looking for a delegation at every label: for names that nobody signs.
  async::Task<Link> walk_to(Name name, Work& work);
  async::Task<Link> ask_walk_to(Name name, Work& work);
  // What another question is finding out just now; nothing if nobody does, or its budget ran out.
  async::Task<std::optional<Link>> join(std::string key, Work& work);
  // That, or what `asking` (not begun yet) finds out, for the others, too.
  async::Task<Link> once(std::string key, async::Task<Link> asking, Work& work);
  async::Task<Link> link_by_keys(Name zone, std::vector<Ds> trusted, Work& work);
  async::Task<Link> link_by_ds(Name zone, RrSet ds, SourceId source, Link parent, Work& work);
  Link link_without_ds(const Name& name, const Scrubbed& reply, const Link& parent,
                       Work& work) const;
  [[nodiscard]] const Link* remembered_link(const Name& name) const;
  Link remember(const Name& name, Link link, std::uint32_t ttl, const Work& work);
  async::Task<void> pause(Work& work);

  Iterator& iterator_;
  Cache& cache_;
  const RecursorSettings& settings_;
  std::unordered_map<Name, Link, NameHash> links_;
  // By what is asked; whoever waits only waits for zones above his own, so nobody waits in a circle.
  std::unordered_map<std::string, std::shared_ptr<Flight>> flights_;
};

}  // namespace posthorn::dns
