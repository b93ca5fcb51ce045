#include "libdns/resolver/step.h"

#include <algorithm>

namespace posthorn::dns {

namespace {

std::optional<Name> alias_target(const RrSet& cname) {
  if (cname.rdata.size() != 1) return std::nullopt;
  const auto data = rdata_from_wire(Type::cname, cname.rdata.front());
  const Cname* alias = data ? std::get_if<Cname>(&*data) : nullptr;
  return alias == nullptr ? std::nullopt : std::optional(alias->target);
}

void take_view(Step& step, const EntryView& view, const Name& name) {
  step.security = view.security();
  step.stale = view.is_stale();
  step.wants_refresh = view.wants_refresh();
  step.authority = view.authority();
  if (view.kind() == EntryKind::positive) step.answer.push_back(view.rrset(name));
  if (view.kind() == EntryKind::nxdomain) step.rcode = Rcode::nxdomain;
}

bool is_positive(const std::optional<EntryView>& view) {
  return view && view->kind() == EntryKind::positive;
}

std::optional<Step> recall_cname(Cache& cache, const Name& name, CacheTime now,
                                 Cache::Stale stale) {
  const auto view = cache.find(name, Type::cname, now, stale);
  if (!is_positive(view)) return std::nullopt;
  Step step;
  take_view(step, *view, name);
  step.next = alias_target(step.answer.front());
  return step.next ? std::optional(std::move(step)) : std::nullopt;
}

// The CNAME that a DNAME above the name stands for is made anew for each name.
std::optional<Step> recall_dname(Cache& cache, const Name& name, CacheTime now,
                                 Cache::Stale stale) {
  for (Name above = name; !above.is_root();) {
    above = above.parent();
    const auto view = cache.find(above, Type::dname, now, stale);
    if (!is_positive(view)) continue;
    Step step;
    take_view(step, *view, above);
    const RrSet& set = step.answer.front();
    const auto data = rdata_from_wire(Type::dname, set.rdata.empty() ? "" : set.rdata.front());
    const Dname* dname = data ? std::get_if<Dname>(&*data) : nullptr;
    if (dname == nullptr) return std::nullopt;
    step.next = substitute(name, above, dname->target);
    if (!step.next) {
      step.rcode = Rcode::yxdomain;
      return step;
    }
    RrSet cname(name, Type::cname, set.ttl);
    cname.add(rdata_to_wire(Cname{*step.next}));
    step.answer.push_back(std::move(cname));
    return step;
  }
  return std::nullopt;
}

std::optional<Step> recall_data(Cache& cache, const Question& question, CacheTime now,
                                Cache::Stale stale) {
  const auto view = cache.find(question.name, question.type, now, stale);
  if (view && view->kind() != EntryKind::nxdomain) {
    Step step;
    take_view(step, *view, question.name);
    return step;
  }
  std::optional<Step> alias;
  const bool follows = question.type != Type::cname && question.type != Type::dname;
  if (follows) alias = recall_cname(cache, question.name, now, stale);
  if (!alias && question.type != Type::dname && cache.has_dnames())
    alias = recall_dname(cache, question.name, now, stale);
  if (alias && !follows) alias->next.reset();  // the CNAME is what was asked for
  if (alias) return alias;
  if (!view) return std::nullopt;
  Step step;
  take_view(step, *view, question.name);
  return step;
}

std::optional<Step> recall_bogus(Cache& cache, const Question& question, CacheTime now) {
  for (const Type type : {question.type, Type::cname}) {
    const auto view = cache.find_bogus(question.name, type, now);
    if (!view) continue;
    Step step;
    step.security = Security::bogus;
    step.answer.push_back(view->rrset(question.name));
    if (type == Type::cname && question.type != Type::cname)
      step.next = alias_target(step.answer.front());
    return step;
  }
  return std::nullopt;
}

Step failed_step(const Failure& failure) {
  Step step;
  step.rcode = Rcode::servfail;
  step.security = failure.bogus ? Security::bogus : Security::unavailable;
  step.failed = true;
  step.why = failure.why;
  return step;
}

Step keep_refused(Cache& cache, const Question& question, Scrubbed scrubbed, const Verdict& verdict,
                  const ResolveLimits& limits, Failures failures) {
  const bool bogus = verdict.is_bogus();
  const std::uint32_t ttl = bogus ? limits.bogus_ttl : limits.failure_ttl;
  const Failure failure(ExtendedError(static_cast<std::uint16_t>(verdict.code), verdict.why),
                        bogus);
  const CacheTime now = cache_now();
  const bool kept = failures == Failures::remember;
  if (kept) (void)cache.put_failure(question.name, question.type, failure, ttl, now);
  Step step = failed_step(failure);
  if (!bogus) return step;
  const SourceId source = cache.source_of(scrubbed.server);
  for (const RrSet& set : scrubbed.answer) {
    if (kept) (void)cache.put_bogus(set, ttl, now, source);
  }
  step.answer = std::move(scrubbed.answer);
  step.authority = std::move(scrubbed.authority);
  if (scrubbed.meaning == Meaning::alias) step.next = scrubbed.last;
  if (scrubbed.meaning == Meaning::nxdomain) step.rcode = Rcode::nxdomain;
  return step;
}

// Sets of the answer, each by its own security; a synthesised CNAME is made again when needed.
void keep_sets(Cache& cache, const Scrubbed& scrubbed, const Judgement& judgement, Rank rank,
               CacheTime now) {
  const SourceId source = cache.source_of(scrubbed.server);
  for (std::size_t i = 0; i < scrubbed.answer.size(); ++i) {
    const RrSet& set = scrubbed.answer[i];
    const bool behind_dname = i > 0 && scrubbed.answer[i - 1].type == Type::dname;
    if (behind_dname && set.type == Type::cname && set.signatures.empty()) continue;
    const bool is_last = i + 1 == scrubbed.answer.size();
    (void)cache.put(set, rank, judgement.sets.at(i), now,
                    is_last ? std::span(judgement.proof) : std::span<const RrSet>(), source);
  }
}

}  // namespace

std::optional<Step> recall(Cache& cache, const Question& question, CacheTime now,
                           Cache::Stale stale, bool checking_disabled) {
  auto step = recall_data(cache, question, now, Cache::Stale::no);
  if (step) return step;
  if (checking_disabled) step = recall_bogus(cache, question, now);
  if (step) return step;
  const auto failure = cache.find_failure(question.name, question.type, now);
  if (failure && failure->bogus && !checking_disabled) return failed_step(*failure);
  if (stale == Cache::Stale::yes) {
    step = recall_data(cache, question, now, stale);
    if (step) return step;
  }
  if (failure && !failure->bogus) return failed_step(*failure);
  return std::nullopt;
}

Step keep(Cache& cache, const Question& question, Scrubbed scrubbed, const Judgement& judgement,
          Rank rank, const ResolveLimits& limits, Failures failures) {
  const CacheTime now = cache_now();
  const Verdict& verdict = judgement.verdict;
  if (verdict.is_bogus() || verdict.security == Security::unavailable)
    return keep_refused(cache, question, std::move(scrubbed), verdict, limits, failures);

  keep_sets(cache, scrubbed, judgement, rank, now);
  Step step;
  step.security = verdict.security;
  if (scrubbed.meaning == Meaning::alias) step.next = scrubbed.last;
  if (scrubbed.meaning == Meaning::unusable) step.rcode = Rcode::yxdomain;
  if (scrubbed.meaning == Meaning::nodata || scrubbed.meaning == Meaning::nxdomain) {
    Negative negative;
    negative.nxdomain = scrubbed.meaning == Meaning::nxdomain;
    negative.ttl = std::min(scrubbed.negative_ttl, cache.settings().max_negative_ttl);
    negative.security = verdict.security;
    for (RrSet& set : scrubbed.authority) set.ttl = std::min(set.ttl, negative.ttl);
    negative.authority = scrubbed.authority;
    (void)cache.put_negative(scrubbed.last, question.type, negative, rank, now,
                             cache.source_of(scrubbed.server));
    step.authority = std::move(scrubbed.authority);
    if (negative.nxdomain) step.rcode = Rcode::nxdomain;
  } else {
    step.authority = judgement.proof;
  }
  for (RrSet& set : scrubbed.answer) set.ttl = std::min(set.ttl, cache.settings().max_ttl);
  step.answer = std::move(scrubbed.answer);
  return step;
}

Step keep_failure(Cache& cache, const Question& question, const ExtendedError& why,
                  const ResolveLimits& limits, Failures failures) {
  const Failure failure(why, false);
  if (failures == Failures::remember) {
    (void)cache.put_failure(question.name, question.type, failure, limits.failure_ttl, cache_now());
  }
  return failed_step(failure);
}

}  // namespace posthorn::dns
