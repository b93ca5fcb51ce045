// One step of an answer: what a name has, or where it leads; from the cache and into it.
#pragma once

#include <optional>
#include <vector>

#include "libdns/cache/cache.h"
#include "libdns/resolver/validator.h"

namespace posthorn::dns {

struct Step {
  Rcode rcode = Rcode::noerror;
  Security security = Security::secure;
  std::vector<RrSet> answer;  // aliases, then perhaps what was asked for
  std::vector<RrSet> authority;
  std::optional<Name> next;  // ask on for this name
  bool failed = false;       // no answer, or bogus: `why`; data only for who wants it with CD
  ExtendedError why;
  bool stale = false;
  bool wants_refresh = false;
  Step() = default;
};

// What the cache says. With `checking_disabled` also data that validation refused, and no failures
// of validation.
[[nodiscard]] std::optional<Step> recall(Cache& cache, const Question& question, CacheTime now,
                                         Cache::Stale stale, bool checking_disabled);

// Is a failure remembered? Not if it is only our question's budget that has run out: whoever leads
// his question to a name of somebody else's must not spoil that name for others.
enum class Failures : bool { forget, remember };

// A judged reply as a step; what may be kept of it is put into the cache.
[[nodiscard]] Step keep(Cache& cache, const Question& question, Scrubbed scrubbed,
                        const Judgement& judgement, Rank rank, const ResolveLimits& limits,
                        Failures failures);
// Nobody answered usefully.
[[nodiscard]] Step keep_failure(Cache& cache, const Question& question, const ExtendedError& why,
                                const ResolveLimits& limits, Failures failures);

}  // namespace posthorn::dns
