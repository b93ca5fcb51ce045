// An answer as a resolver has it: its sets against keys out of itself, its denials taken as if they
// had been signed. All work stays inside of the budget.
#include <cstdint>

#include "libdns/dnssec/denial.h"

using namespace posthorn::dns;

namespace {

constexpr std::uint32_t now = 1700000000;

// Each key vouches for itself, so that every one is parsed and tried.
std::vector<Ds> ds_of(const RrSet& dnskeys) {
  std::vector<Ds> trusted;
  for (const Record& record : dnskeys.records())
    trusted.push_back(make_ds(dnskeys.owner, *record.as<Dnskey>()));
  return trusted;
}

void ask(const Denials& denials, const Question& question, CryptoBudget& budget) {
  const Verdict no_name = denies_name(denials, question.name, budget);
  const Verdict no_type = denies_type(denials, question.name, question.type, budget);
  const DsDenial no_ds = denies_ds(denials, question.name, budget);
  for (const Verdict* one : {&no_name, &no_type, &no_ds.verdict})
    posthorn::check(one->is_secure() == one->why.empty(), "a verdict says why");
  posthorn::check(!no_name.is_secure() || question.name.is_at_or_below(denials.zone),
                  "a zone speaks of its names");
  if (const auto wildcard = question.name.parent().child("*"))
    static_cast<void>(denies_closer_name(denials, question.name, *wildcard, budget));
}

void deny(const std::vector<RrSet>& sets, const Question& question, CryptoBudget& budget) {
  Denials denials;
  denials.zone = question.name.parent();
  for (const RrSet& set : sets) {
    if (set.type == Type::soa) denials.zone = set.owner;
    if (set.type == Type::nsec || set.type == Type::nsec3) denials.sets.push_back(set);
  }
  ask(denials, question, budget);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto view = MessageView::parse({reinterpret_cast<const char*>(data), size});
  if (!view || view->questions().empty()) return 0;
  CryptoLimits limits;
  limits.sha1 = Sha1::allowed;
  CryptoBudget budget(limits);
  const auto answer = collect_rrsets(view->answer());
  const auto authority = collect_rrsets(view->authority());

  for (const RrSet& dnskeys : answer) {
    if (dnskeys.type != Type::dnskey) continue;
    const KeysVerdict keys = check_dnskeys(dnskeys, ds_of(dnskeys), now, budget);
    posthorn::check(keys.verdict.is_secure() != keys.keys.keys.empty(), "keys or a reason");
    for (const RrSet& set : answer) {
      const SetVerdict verdict = check_rrset(set, keys.keys, now, budget);
      posthorn::check(verdict.verdict.is_secure() == verdict.verdict.why.empty(),
                      "a verdict says why");
    }
    static_cast<void>(secure_denials(authority, keys.keys, now, budget));
  }
  deny(authority, view->questions()[0].question(), budget);
  posthorn::check(budget.verifications() <= limits.verifications, "verifications in budget");
  posthorn::check(budget.nsec3_hashes() <= limits.nsec3_hashes, "hashes in budget");
  return 0;
}
