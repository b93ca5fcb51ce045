#include "libdns/resolver/recursor.h"

#include <algorithm>
#include <unordered_map>

#include "libdns/resolver/special_names.h"
#include "libdns/resolver/step.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"

namespace posthorn::dns {

namespace {

constexpr std::uint32_t any_ttl = 3600;

ExtendedError error_of(EdeCode code, std::string text) {
  return {static_cast<std::uint16_t>(code), std::move(text)};
}

Resolution servfail(EdeCode code, std::string text) {
  return {Rcode::servfail, Security::unavailable, error_of(code, std::move(text))};
}

// RFC 8482 4.2.
Resolution answer_to_any(const Question& question) {
  Resolution any;
  any.rcode = Rcode::noerror;
  any.security = Security::insecure;
  RrSet set(question.name, Type::hinfo, any_ttl);
  set.add(rdata_to_wire(Hinfo{"RFC8482", ""}));
  any.answer.push_back(std::move(set));
  return any;
}

std::optional<Resolution> special_resolution(const Question& question) {
  auto special = special_answer(question);
  if (!special) return std::nullopt;
  Resolution resolution;
  resolution.security = Security::insecure;
  resolution.rcode =
      special->negative && special->negative->nxdomain ? Rcode::nxdomain : Rcode::noerror;
  resolution.answer = std::move(special->answer);
  if (special->negative) resolution.authority = std::move(special->negative->authority);
  return resolution;
}

bool may_be_asked(Type type) {
  return (!is_metatype(type) || type == Type::any) && type != Type::rrsig;
}

void append(std::vector<RrSet>& to, std::vector<RrSet>& from) {
  for (RrSet& set : from) to.push_back(std::move(set));
}

// Puts the steps of a chain of aliases together.
class Assembly {
 public:
  explicit Assembly(const Question& question) : at_(question) { out_.security = Security::secure; }
  // False: this was the last step.
  bool add(Step step, std::size_t max_aliases) {
    out_.security = weakest(out_.security, step.security);
    out_.stale = out_.stale || step.stale;
    wants_refresh_ = wants_refresh_ || step.wants_refresh;
    append(out_.answer, step.answer);
    append(out_.authority, step.authority);
    out_.rcode = step.rcode;
    if (!step.why.explanation.empty() || step.failed) out_.why = std::move(step.why);
    // However many of them came in one packet.
    const auto aliases = static_cast<std::size_t>(
        std::ranges::count(out_.answer, Type::cname, [](const RrSet& set) { return set.type; }));
    const bool again = step.next && std::ranges::any_of(out_.answer, [&](const RrSet& set) {
                         return set.type == Type::cname && set.owner == *step.next;
                       });
    if (again || aliases > max_aliases) {
      fail(Security::unavailable,
           error_of(EdeCode::other, "aliases without end at " + at_.name.text()));
      return false;
    }
    if (!step.next) return false;
    at_.name = std::move(*step.next);
    return true;
  }
  void fail(Security security, ExtendedError why) {
    out_ = Resolution(Rcode::servfail, security, std::move(why));
  }
  [[nodiscard]] const Question& at() const { return at_; }
  [[nodiscard]] bool wants_refresh() const { return wants_refresh_; }
  [[nodiscard]] Resolution take() {
    // Of a negation behind an alias only the last proofs count; nobody wants one twice.
    std::vector<RrSet> once;
    for (RrSet& set : out_.authority) {
      if (std::ranges::find(once, set) == once.end()) once.push_back(std::move(set));
    }
    out_.authority = std::move(once);
    return std::move(out_);
  }

 private:
  Question at_;
  Resolution out_;
  bool wants_refresh_ = false;
};

}  // namespace

class Recursor::State {
 public:
  State(Cache& cache, Exchange& exchange, RecursorSettings settings)
      : settings_(std::move(settings)),
        cache_(cache),
        upstream_(exchange, settings_, stats_),
        iterator_(cache, upstream_, settings_),
        validator_(iterator_, cache, settings_) {}

  std::optional<Resolution> at_once(const Question& question, const ResolveOptions& options);
  std::optional<Resolution> assemble(const Question& question, bool checking_disabled,
                                     Cache::Stale stale, bool& wants_refresh);
  async::Task<Resolution> resolve(Question question, ResolveOptions options,
                                  async::Deadline deadline);
  void refresh(const Question& question, const ResolveOptions& options);

  RecursorSettings settings_;
  RecursorStats stats_;
  Cache& cache_;
  Upstream upstream_;
  Iterator iterator_;
  Validator validator_;
  async::Scope scope_;

 private:
  struct Flight {
    async::Event done;
    Resolution result;
    std::size_t waiting = 0;
  };
  using Flights = std::unordered_map<std::string, std::shared_ptr<Flight>>;

  [[nodiscard]] bool is_local(const Question& question) const;
  [[nodiscard]] bool may_be_stale(const Question& question) const;
  [[nodiscard]] static std::string key_of(const Question& question, const ResolveOptions& options);
  std::shared_ptr<Flight> start(const Question& question, const ResolveOptions& options);
  std::optional<Resolution> stale_answer(const Question& question, const ResolveOptions& options);
  async::Task<void> fly(Question question, ResolveOptions options, std::string key,
                        std::shared_ptr<Flight> flight);
  async::Task<Resolution> run(Question question, ResolveOptions options);
  async::Task<Step> find_out(Question question, bool own, Work& work);

  Flights flights_;
  std::size_t refreshing_ = 0;
};

std::string Recursor::State::key_of(const Question& question, const ResolveOptions& options) {
  std::string key(question.name.folded().wire());
  key += to_string(question.type);
  if (options.checking_disabled) key += '!';
  return key;
}

// Whoever forwards a suffix means it, whatever an RFC says about the name.
bool Recursor::State::is_local(const Question& question) const {
  return std::ranges::none_of(settings_.forwards, [&](const Forward& forward) {
    return !forward.suffix.is_root() && question.name.is_at_or_below(forward.suffix);
  });
}

bool Recursor::State::may_be_stale(const Question& question) const {
  return settings_.serve_stale &&
         std::ranges::none_of(settings_.never_stale,
                              [&](const Name& name) { return question.name.is_at_or_below(name); });
}

std::optional<Resolution> Recursor::State::assemble(const Question& question,
                                                    bool checking_disabled, Cache::Stale stale,
                                                    bool& wants_refresh) {
  Assembly assembly(question);
  const CacheTime now = cache_now();
  for (;;) {
    auto step = recall(cache_, assembly.at(), now, stale, checking_disabled);
    if (!step) return std::nullopt;
    if (step->failed) {
      assembly.fail(step->security, step->why);
      break;
    }
    if (!assembly.add(std::move(*step), settings_.limits.aliases)) break;
  }
  wants_refresh = assembly.wants_refresh();
  Resolution resolution = assembly.take();
  resolution.from_cache = true;
  return resolution;
}

std::optional<Resolution> Recursor::State::at_once(const Question& question,
                                                   const ResolveOptions& options) {
  if (question.klass != Class::in)
    return Resolution(Rcode::refused, Security::insecure,
                      error_of(EdeCode::not_supported, "class " + to_string(question.klass)));
  if (!may_be_asked(question.type))
    return Resolution(Rcode::notimp, Security::insecure,
                      error_of(EdeCode::not_supported, "type " + to_string(question.type)));
  if (question.type == Type::any) return answer_to_any(question);
  if (!options.refresh) {
    bool wants_refresh = false;
    auto known = assemble(question, options.checking_disabled, Cache::Stale::no, wants_refresh);
    if (known && wants_refresh && settings_.prefetch) refresh(question, options);
    if (known) return known;
  }
  return is_local(question) ? special_resolution(question) : std::nullopt;
}

void Recursor::State::refresh(const Question& question, const ResolveOptions& options) {
  if (refreshing_ >= settings_.limits.refreshing ||
      flights_.size() >= settings_.limits.questions / 2)
    return;
  if (flights_.contains(key_of(question, options))) return;
  ++stats_.prefetches;
  ResolveOptions again = options;
  again.refresh = true;
  (void)start(question, again);
}

std::shared_ptr<Recursor::State::Flight> Recursor::State::start(const Question& question,
                                                                const ResolveOptions& options) {
  auto flight = std::make_shared<Flight>();
  std::string key = key_of(question, options);
  flights_.insert_or_assign(key, flight);
  if (options.refresh) ++refreshing_;
  scope_.spawn(fly(question, options, std::move(key), flight));
  return flight;
}

async::Task<void> Recursor::State::fly(Question question, ResolveOptions options, std::string key,
                                       std::shared_ptr<Flight> flight) {
  flight->result = co_await run(std::move(question), options);
  const auto place = flights_.find(key);
  if (place != flights_.end() && place->second == flight) flights_.erase(place);
  if (options.refresh) --refreshing_;
  flight->done.set();
}

// `own`: the question is the client's, not one that an alias of somebody led to.
async::Task<Step> Recursor::State::find_out(Question question, bool own, Work& work) {
  Found found = co_await iterator_.find(question, work);
  if (!found.useful) {
    ++stats_.failures;
    if (work.exhausted) ++stats_.limited;
    const Failures failures = own || !work.is_spent() ? Failures::remember : Failures::forget;
    co_return keep_failure(cache_, question, found.why, settings_.limits, failures);
  }
  const Judgement judgement = co_await validator_.judge(question, found.scrubbed, work);
  if (judgement.verdict.is_bogus()) ++stats_.bogus;
  const Rank rank = found.forwarded ? Rank::answer : Rank::authoritative;
  const Failures failures = own || !work.is_spent() ? Failures::remember : Failures::forget;
  co_return keep(cache_, question, std::move(found.scrubbed), judgement, rank, settings_.limits,
                 failures);
}

async::Task<Resolution> Recursor::State::run(Question question, ResolveOptions options) {
  Work work(settings_.limits, async::Deadline::in(settings_.limits.wall_clock));
  Assembly assembly(question);
  bool first = true;
  for (;;) {
    std::optional<Step> step;
    if (!first || !options.refresh)
      step =
          recall(cache_, assembly.at(), cache_now(), Cache::Stale::no, options.checking_disabled);
    if (!step) {
      Question at = assembly.at();
      step = co_await find_out(std::move(at), first, work);
    }
    first = false;
    const bool usable = options.checking_disabled && step->security == Security::bogus;
    if (step->failed && !usable) {
      assembly.fail(step->security, std::move(step->why));
      break;
    }
    if (usable && step->rcode == Rcode::servfail) step->rcode = Rcode::noerror;
    if (!assembly.add(std::move(*step), settings_.limits.aliases)) break;
  }
  stats_.verifications += work.crypto.verifications();
  stats_.nsec3_hashes += work.crypto.nsec3_hashes();
  co_return assembly.take();
}

std::optional<Resolution> Recursor::State::stale_answer(const Question& question,
                                                        const ResolveOptions& options) {
  if (!may_be_stale(question)) return std::nullopt;
  bool unused = false;
  auto stale = assemble(question, options.checking_disabled, Cache::Stale::yes, unused);
  if (!stale || !stale->stale || stale->rcode == Rcode::servfail) return std::nullopt;
  for (auto* section : {&stale->answer, &stale->authority}) {
    for (RrSet& set : *section) set.ttl = std::max(set.ttl, settings_.limits.stale_ttl);
  }
  const bool nothing = stale->rcode == Rcode::nxdomain;
  stale->why = error_of(nothing ? EdeCode::stale_nxdomain : EdeCode::stale_answer, "");
  return stale;
}

async::Task<Resolution> Recursor::State::resolve(Question question, ResolveOptions options,
                                                 async::Deadline deadline) {
  ++stats_.questions;
  auto known = at_once(question, options);
  if (known && known->rcode == Rcode::servfail && known->security != Security::bogus) {
    auto stale = stale_answer(question, options);
    if (stale) known = std::move(stale);
  }
  if (known) {
    ++stats_.from_cache;
    co_return std::move(*known);
  }
  std::shared_ptr<Flight> flight;
  const auto there = flights_.find(key_of(question, options));
  if (there != flights_.end()) {
    ++stats_.joined;
    flight = there->second;
  } else if (flights_.size() < settings_.limits.questions) {
    flight = start(question, options);
  }
  if (!flight || flight->waiting >= settings_.limits.waiting_each_question) {
    ++stats_.limited;
    co_return servfail(EdeCode::other, "too many questions at once");
  }
  ++flight->waiting;
  const bool may_stale = may_be_stale(question);
  const async::Deadline soon = async::Deadline::in(settings_.limits.stale_after);
  async::Deadline until = may_stale ? deadline.or_before(soon) : deadline;
  bool done = co_await flight->done.wait_until(until);
  const bool good = done && (flight->result.rcode != Rcode::servfail ||
                             flight->result.security == Security::bogus);
  if (!good && may_stale) {
    auto stale = stale_answer(question, options);
    if (stale) {
      --flight->waiting;
      co_return std::move(*stale);
    }
  }
  if (!done) done = co_await flight->done.wait_until(deadline);
  --flight->waiting;
  if (done) co_return flight->result;
  co_return servfail(EdeCode::no_reachable_authority, "no answer in time");
}

Recursor::Recursor(Cache& cache, Exchange& exchange, RecursorSettings settings)
    : state_(std::make_unique<State>(cache, exchange, std::move(settings))) {}
Recursor::~Recursor() = default;

async::Task<Resolution> Recursor::resolve(Question question, ResolveOptions options,
                                          async::Deadline deadline) {
  return state_->resolve(std::move(question), options, deadline);
}

std::optional<Resolution> Recursor::from_cache(const Question& question, ResolveOptions options) {
  auto known = state_->at_once(question, options);
  if (known && known->rcode == Rcode::servfail && state_->settings_.serve_stale)
    return std::nullopt;  // resolve() may have something stale
  if (known) ++state_->stats_.questions, ++state_->stats_.from_cache;
  return known;
}

async::Task<void> Recursor::close() {
  return state_->scope_.join();
}

RecursorStats Recursor::stats() const {
  return state_->stats_;
}

std::vector<ServerLine> Recursor::servers() const {
  std::vector<ServerLine> lines;
  const MonoTime now = async::Loop::current().now();
  state_->upstream_.servers().for_each([&](const KnownServer& server) {
    ServerLine line;
    line.server = server.endpoint.text();
    line.round_trip_ms = static_cast<std::int64_t>(server.round_trip);
    line.silences = server.silences;
    line.resting = server.rests(now);
    line.edns = now >= server.no_edns_until;
    lines.push_back(std::move(line));
  });
  return lines;
}

Cache& Recursor::cache() {
  return state_->cache_;
}

void Recursor::forget_trust() {
  state_->validator_.forget();
}

CacheTime Recursor::now() const {
  return cache_now();
}

}  // namespace posthorn::dns
