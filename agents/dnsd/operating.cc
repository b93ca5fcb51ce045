// What operators see: metrics, and the verbs of the ops socket.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/dnsd/dnsd.h"
#include "agents/dnsd/merge.h"
#include "libmail/base/text.h"

namespace posthorn::dnsd {

using async::Task;
using nlohmann::ordered_json;
using service::OpsReply;
using service::OpsRequest;

namespace {

constexpr std::size_t most_lines = 10000;  // of the cache in one reply

std::string text_of(const ordered_json& json) {
  return json.dump(-1, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

OpsReply bad_request(std::string_view what, std::string_view hint = {}) {
  return OpsReply::error(400, "bad-request", what, hint);
}

using Parameters = std::map<std::string, std::string>;

std::string parameter(const Parameters& query, const char* name) {
  const auto found = query.find(name);
  return found == query.end() ? std::string() : found->second;
}

ordered_json line_json(const dns::CacheLine& line) {
  return {{"name", line.name.text()},
          {"type", static_cast<std::uint16_t>(line.type) == 0 ? "" : dns::to_string(line.type)},
          {"data", line.data},
          {"ttl", line.ttl_left},
          {"rank", dns::to_string(line.rank)},
          {"security", dns::to_string(line.security)},
          {"kind", dns::to_string(line.kind)},
          {"source", line.source}};
}

// Which lines are asked for.
struct Wanted {
  std::optional<dns::Name> name;
  std::optional<dns::Name> below;
  std::optional<dns::Type> type;
  std::size_t limit = most_lines;

  [[nodiscard]] bool fits(const dns::CacheLine& line) const {
    if (name && line.name != *name) return false;
    if (below && !line.name.is_at_or_below(*below)) return false;
    return !type || line.type == *type;
  }
};

Result<std::optional<dns::Name>, OpsReply> name_parameter(const std::string& text) {
  if (text.empty()) return std::optional<dns::Name>();
  auto name = dns::Name::parse(text);
  if (!name) return fail(bad_request(printable(text) + " is no domain name"));
  return std::optional<dns::Name>(std::move(*name));
}

Result<Wanted, OpsReply> wanted_lines(const Parameters& query) {
  Wanted wanted;
  auto name = name_parameter(parameter(query, "name"));
  if (!name) return fail(name.error());
  wanted.name = std::move(*name);
  auto below = name_parameter(parameter(query, "below"));
  if (!below) return fail(below.error());
  wanted.below = std::move(*below);
  const std::string type = parameter(query, "type");
  if (!type.empty()) wanted.type = dns::parse_type(type);
  if (!type.empty() && !wanted.type)
    return fail(bad_request(printable(type) + " is no record type", "for example MX, or TYPE65"));
  const std::string limit = parameter(query, "limit");
  if (!limit.empty()) {
    const auto number = parse_number<std::size_t>(limit);
    if (!number) return fail(bad_request("limit is a number"));
    wanted.limit = std::min(*number, most_lines);
  }
  return wanted;
}

ordered_json lines_json(dns::Cache& cache, const dns::Recursor& recursor, const Wanted& wanted) {
  ordered_json lines = ordered_json::array();
  bool is_whole = true;
  cache.for_each(recursor.now(), [&](const dns::CacheLine& line) {
    if (!wanted.fits(line)) return true;
    is_whole = lines.size() < wanted.limit;
    if (is_whole) lines.push_back(line_json(line));
    return is_whole;
  });
  return {{"lines", lines}, {"more", !is_whole}};
}

// How many entries are gone.
Result<std::size_t, OpsReply> flush_entries(dns::Cache& cache, const std::string& wanted) {
  const auto body = ordered_json::parse(wanted, nullptr, false);
  if (!body.is_object()) return fail(bad_request("the body is no JSON object"));
  const auto text = [&body](const char* key) {
    return body.contains(key) && body[key].is_string() ? body[key].get<std::string>() : "";
  };
  const auto name = name_parameter(text("name"));
  if (!name) return fail(name.error());
  const auto below = name_parameter(text("below"));
  if (!below) return fail(below.error());
  const std::string what = text("what");
  if (*name) return cache.flush(**name);
  if (*below) return cache.flush_below(**below);
  if (what == "all") return cache.flush_all();
  if (what == "bogus") return cache.flush_bogus();
  if (what == "negative") return cache.flush_negative();
  return fail(bad_request("what shall be flushed?",
                          "name or below with a domain name, or what with all, bogus or negative"));
}

// Who did not answer is named.
void name_silent(ordered_json& reply, const std::vector<WorkerReply>& replies) {
  for (const WorkerReply& each : replies) {
    if (!each.json) reply["silent_workers"].push_back(each.worker);
  }
}

}  // namespace

void Dnsd::declare_verbs(service::OpsServer& ops) {
  ops.get("/zones", [this](OpsRequest) { return show_zones(); });
  ops.get("/stats", [this](OpsRequest) { return show_stats(); });
  ops.get("/cache", [this](OpsRequest request) { return show_cache(std::move(request)); });
  ops.post("/cache/flush", [this](OpsRequest request) { return flush_cache(std::move(request)); });
}

Task<OpsReply> Dnsd::show_zones() {
  ordered_json zones = ordered_json::array();
  for (const dns::Name& origin : zones_.origins()) {
    const auto zone = zones_.at(origin);
    ordered_json entry = {{"zone", origin.text()}, {"served", zone != nullptr}};
    if (zone != nullptr) {
      entry["serial"] = zone->serial();
      entry["records"] = zone->record_count();
      entry["signed"] = zone->is_signed();
    }
    zones.push_back(std::move(entry));
  }
  co_return OpsReply(text_of({{"zones", zones}}));
}

Task<std::vector<WorkerReply>> Dnsd::ask_workers(WorkerNote::Kind kind, std::string text) {
  if (!workers_) co_return std::vector<WorkerReply>();
  auto replies = co_await workers_->ask(kind, std::move(text));
  co_return std::move(replies);
}

// In another worker: the same as the verbs below say for worker 0 alone.
std::string Dnsd::answer_worker_0(const WorkerNote& note) {
  if (note.kind == WorkerNote::Kind::stats) return text_of(stats());
  if (!cache_) return text_of(ordered_json::object());
  if (note.kind == WorkerNote::Kind::flush) {
    const auto flushed = flush(note.text);
    return text_of({{"flushed", flushed ? *flushed : 0}});
  }
  Parameters query;
  const auto asked = ordered_json::parse(note.text, nullptr, false);
  for (const auto& [key, value] : asked.items()) {
    if (value.is_string()) query[key] = value.get<std::string>();
  }
  const auto wanted = wanted_lines(query);
  return text_of(wanted ? lines_json(*cache_, *recursor_, *wanted) : ordered_json::object());
}

Task<OpsReply> Dnsd::show_cache(OpsRequest request) {
  if (!cache_) co_return OpsReply::error(404, "no-cache", "recursion is off");
  const auto wanted = wanted_lines(request.query);
  if (!wanted) co_return wanted.error();
  ordered_json shown = lines_json(*cache_, *recursor_, *wanted);
  std::string question = text_of(ordered_json(request.query));
  const auto replies = co_await ask_workers(WorkerNote::Kind::cache, std::move(question));
  for (const WorkerReply& reply : replies) {
    if (reply.json) add_lines(shown, *reply.json, wanted->limit);
  }
  name_silent(shown, replies);
  co_return OpsReply(text_of(shown));
}

Result<std::size_t, OpsReply> Dnsd::flush(const std::string& wanted) {
  auto flushed = flush_entries(*cache_, wanted);
  if (!flushed) return flushed;
  recursor_->forget_trust();
  responder_->forget_ready();
  return flushed;
}

Task<OpsReply> Dnsd::flush_cache(OpsRequest request) {
  if (!cache_) co_return OpsReply::error(404, "no-cache", "recursion is off");
  const auto flushed = flush(request.body);
  if (!flushed) co_return flushed.error();
  ordered_json sum = {{"flushed", *flushed}};
  std::string question = request.body;
  const auto replies = co_await ask_workers(WorkerNote::Kind::flush, std::move(question));
  for (const WorkerReply& reply : replies) {
    if (reply.json) add_stats(sum, *reply.json);
  }
  name_silent(sum, replies);
  log_->info("", "cache-flushed", {{"entries", sum["flushed"].get<std::size_t>()}});
  co_return OpsReply(text_of(sum));
}

ordered_json Dnsd::stats() const {
  const dns::ResponderCounters& counters = responder_->counters();
  ordered_json rcodes = ordered_json::object();
  for (std::size_t i = 0; i < counters.rcodes.size(); ++i) {
    if (counters.rcodes[i] != 0)
      rcodes[i == 15 ? "other" : dns::to_string(static_cast<dns::Rcode>(i))] = counters.rcodes[i];
  }
  ordered_json stats = {
      {"questions",
       {{"udp", counters.udp},
        {"tcp", counters.tcp},
        {"unix", counters.unix_stream},
        {"ignored", counters.ignored}}},
      {"answers",
       {{"ready", counters.ready},
        {"authoritative", counters.authoritative},
        {"cached", counters.cached},
        {"recursed", counters.recursed},
        {"truncated", counters.truncated},
        {"rate_limited", counters.rate_limited},
        {"late", counters.late}}},
      {"rcodes", rcodes},
      {"ready",
       {{"entries", responder_->ready().size()}, {"octets", responder_->ready().octets()}}}};
  if (cache_) {
    const dns::CacheStats cache = cache_->stats();
    stats["cache"] = {{"entries", cache.entries},   {"octets", cache.octets},
                      {"hits", cache.hits},         {"stale_hits", cache.stale_hits},
                      {"inserted", cache.inserted}, {"refused", cache.refused},
                      {"evicted", cache.evicted}};
    const dns::RecursorStats others = recursor_->stats();
    stats["others"] = {{"questions", others.questions}, {"joined", others.joined},
                       {"sent", others.upstream},       {"tcp", others.tcp},
                       {"timeouts", others.timeouts},   {"mismatches", others.mismatches},
                       {"failures", others.failures},   {"bogus", others.bogus},
                       {"limited", others.limited},     {"prefetches", others.prefetches}};
    ordered_json servers = ordered_json::array();
    for (const dns::ServerLine& line : recursor_->servers()) {
      servers.push_back({{"server", line.server},
                         {"round_trip_ms", line.round_trip_ms},
                         {"silences", line.silences},
                         {"resting", line.resting},
                         {"edns", line.edns}});
    }
    stats["servers"] = servers;
  }
  return stats;
}

Task<OpsReply> Dnsd::show_stats() {
  ordered_json sum = stats();
  if (!workers_) co_return OpsReply(text_of(sum));
  ordered_json each = ordered_json::array();
  each.push_back({{"worker", 0}, {"stats", sum}});
  const auto replies = co_await ask_workers(WorkerNote::Kind::stats, std::string());
  for (const WorkerReply& reply : replies) {
    if (!reply.json) continue;
    add_stats(sum, *reply.json);
    each.push_back({{"worker", reply.worker}, {"stats", *reply.json}});
  }
  sum["workers"] = each;
  name_silent(sum, replies);
  co_return OpsReply(text_of(sum));
}

// Who is silent has the numbers that it had: none of them ever falls.
Task<OpsReply> Dnsd::show_metrics(service::Metrics& metrics) {
  const auto replies = co_await ask_workers(WorkerNote::Kind::stats, std::string());
  for (const WorkerReply& reply : replies) {
    if (reply.json) stats_of_[reply.worker] = *reply.json;
  }
  OpsReply reply(metrics.text());
  reply.content_type = service::metrics_type;
  co_return std::move(reply);
}

double Dnsd::of_others(const char* pointer) const {
  const ordered_json::json_pointer at(pointer);
  double sum = 0;
  for (const auto& [number, told] : stats_of_) {
    if (told.contains(at) && told[at].is_number()) sum += told[at].get<double>();
  }
  return sum;
}

void Dnsd::declare_metrics(service::Metrics& metrics) {
  const dns::ResponderCounters& counters = responder_->counters();
  const auto show = [this, &metrics](const char* name, const char* help, const std::uint64_t& value,
                                     const char* place) {
    metrics.gauge(name, help,
                  [this, &value, place] { return static_cast<double>(value) + of_others(place); });
  };
  show("posthorn_dnsd_questions_udp", "questions by UDP since the start", counters.udp,
       "/questions/udp");
  show("posthorn_dnsd_questions_tcp", "questions by TCP since the start", counters.tcp,
       "/questions/tcp");
  show("posthorn_dnsd_questions_unix", "questions by Unix sockets since the start",
       counters.unix_stream, "/questions/unix");
  show("posthorn_dnsd_answers_ready", "answers that were ready", counters.ready, "/answers/ready");
  show("posthorn_dnsd_answers_authoritative", "answers from own zones", counters.authoritative,
       "/answers/authoritative");
  show("posthorn_dnsd_answers_cached", "answers from the cache", counters.cached,
       "/answers/cached");
  show("posthorn_dnsd_answers_recursed", "answers for which others were asked", counters.recursed,
       "/answers/recursed");
  show("posthorn_dnsd_answers_truncated", "answers that were too long for UDP", counters.truncated,
       "/answers/truncated");
  show("posthorn_dnsd_answers_rate_limited", "answers over the rate limit", counters.rate_limited,
       "/answers/rate_limited");
  if (!cache_) return;
  metrics.gauge("posthorn_dnsd_cache_entries", "entries of the cache", [this] {
    return static_cast<double>(cache_->stats().entries) + of_others("/cache/entries");
  });
  metrics.gauge("posthorn_dnsd_cache_octets", "memory of the cache", [this] {
    return static_cast<double>(cache_->stats().octets) + of_others("/cache/octets");
  });
}

}  // namespace posthorn::dnsd
