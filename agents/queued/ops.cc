#include "agents/queued/ops.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::queued {
namespace {

using queue::MessageId;
using service::OpsReply;
using service::OpsRequest;

constexpr std::size_t most_rows = 10'000;
constexpr std::size_t ids_at_once = 2000;
constexpr std::uint64_t most_octets =
    256 << 20;  // of one reply; larger queues are exported when stopped

OpsReply not_found(std::string_view what) {
  return OpsReply::error(404, "not-found",
                         fmt::format("no message {} is in the queue", printable(what)),
                         "posthorn queue list shows what there is");
}

// What a verb could not do.
OpsReply refusal(const MessageId& id, const queue::CommandError& error) {
  if (error.code == "not-found") return not_found(id.text());
  return OpsReply::error(error.code == "io" ? 500 : 409, error.code, error.message);
}

OpsReply bad_request(std::string_view message) {
  return OpsReply::error(400, "bad-request", message);
}

// "/queue/ID/message" -> {"ID", "message"}
struct Target {
  std::string first;
  std::string second;
};
Target target_of(const std::string& path) {
  Target target;
  std::string_view rest = path;
  rest.remove_prefix(std::min(rest.size(), std::string_view("/queue/").size()));
  const std::size_t slash = rest.find('/');
  target.first = rest.substr(0, slash);
  if (slash != std::string_view::npos) target.second = rest.substr(slash + 1);
  return target;
}

std::string parameter(const OpsRequest& request, const std::string& name) {
  const auto found = request.query.find(name);
  return found == request.query.end() ? std::string() : found->second;
}

Result<queue::Filter, std::string> read_filter(const OpsRequest& request) {
  queue::Filter filter;
  filter.state = parameter(request, "state");
  filter.from = parameter(request, "from");
  filter.to = parameter(request, "to");
  if (const std::string after = parameter(request, "after"); !after.empty()) {
    const auto id = MessageId::parse(after);
    if (!id) return fail("after=" + printable(after) + " is no message id");
    filter.after = *id;
  }
  if (const std::string limit = parameter(request, "limit"); !limit.empty()) {
    const auto number = parse_number<std::size_t>(limit);
    if (!number || *number == 0 || *number > most_rows) {
      return fail(fmt::format("limit={} is not between 1 and {}", printable(limit), most_rows));
    }
    filter.limit = *number;
  }
  return filter;
}

OpsReply text_reply(std::string type, std::string body) {
  OpsReply reply(std::move(body));
  reply.content_type = std::move(type);
  return reply;
}

}  // namespace

void Ops::serve(service::OpsServer& server) {
  server.get("/queue", [this](OpsRequest request) { return list(std::move(request)); });
  server.get("/queue/", [this](OpsRequest request) { return get(std::move(request)); });
  server.post("/queue/", [this](OpsRequest request) { return post(std::move(request)); });
}

async::Task<OpsReply> Ops::get(OpsRequest request) {
  const Target target = target_of(request.path);
  if (target.first == "destinations") co_return destinations();
  if (target.first == "export") {
    auto reply = co_await export_all();
    co_return reply;
  }
  const auto id = MessageId::parse(target.first);
  if (!id || store_.find(*id) == nullptr) co_return not_found(target.first);
  if (target.second.empty()) {
    auto reply = co_await show(*id);
    co_return reply;
  }
  if (target.second == "message") {
    auto reply = co_await cat(*id);
    co_return reply;
  }
  if (target.second == "export") {
    auto reply = co_await export_one(*id);
    co_return reply;
  }
  co_return OpsReply::error(404, "not-found", "there is no such resource");
}

async::Task<OpsReply> Ops::post(OpsRequest request) {
  const Target target = target_of(request.path);
  if (target.first == "flush" && target.second.empty()) co_return flush_all();
  if (target.first == "import" && target.second.empty()) {
    auto reply = co_await import(std::move(request.body));
    co_return reply;
  }
  const auto id = MessageId::parse(target.first);
  if (!id || store_.find(*id) == nullptr) co_return not_found(target.first);
  std::string name = target.second;
  auto reply = co_await verb(*id, std::move(name), std::move(request.body));
  co_return reply;
}

async::Task<std::shared_ptr<queue::Loaded>> Ops::load(MessageId id) {
  const queue::Message* message = store_.find(id);
  if (message == nullptr || message->doomed) co_return nullptr;
  const queue::Store::LoadPlan plan = store_.plan_load(*message);
  auto read = [this, &plan] { return store_.load_planned(plan); };
  auto loaded = co_await async::blocking(std::move(read));
  // Delivered, and its segment recycled, while we looked.
  if (!loaded) co_return nullptr;
  co_return std::move(*loaded);
}

async::Task<OpsReply> Ops::list(OpsRequest request) {
  const auto filter = read_filter(request);
  if (!filter) co_return bad_request(filter.error());
  std::vector<queue::Row> rows;
  std::vector<MessageId> ids = next_ids(store_, filter->after, ids_at_once);
  while (!ids.empty()) {
    for (const MessageId& id : ids) {
      auto loaded = co_await load(id);
      const queue::Message* message = store_.find(id);
      if (!loaded || message == nullptr) continue;
      queue::Row row = make_row(*loaded, state_of(*message, wall_now()));
      if (!matches(row, *filter)) continue;
      if (rows.size() == filter->limit) co_return OpsReply(to_json(rows, true));
      rows.push_back(std::move(row));
    }
    ids = next_ids(store_, ids.back(), ids_at_once);
  }
  co_return OpsReply(to_json(rows, false));
}

async::Task<OpsReply> Ops::show(MessageId id) {
  auto loaded = co_await load(id);
  const queue::Message* message = store_.find(id);
  if (!loaded || message == nullptr) co_return not_found(id.text());
  co_return OpsReply(to_json(make_row(*loaded, state_of(*message, wall_now()))));
}

async::Task<OpsReply> Ops::print(MessageId id, Printer printer, std::string type) {
  auto loaded = co_await load(id);
  if (!loaded) co_return not_found(id.text());
  auto read = [this, &loaded, printer]() -> Result<std::string, IoError> {
    std::string text;
    const queue::Sink sink = [&text](std::string_view piece) -> Result<void, IoError> {
      text += piece;
      return {};
    };
    const auto written = printer(store_.files(), store_.layout(), *loaded, sink);
    if (!written) return fail(written.error());
    return text;
  };
  auto text = co_await async::blocking(std::move(read));
  if (!text) co_return OpsReply::error(500, "io", text.error().text());
  co_return text_reply(std::move(type), std::move(*text));
}

async::Task<OpsReply> Ops::cat(MessageId id) {
  return print(id, queue::write_body, "message/rfc822");
}

async::Task<OpsReply> Ops::export_one(MessageId id) {
  return print(id, queue::write_batch, "application/batch-SMTP");
}

async::Task<OpsReply> Ops::export_all() {
  std::string all;
  std::vector<MessageId> ids = next_ids(store_, MessageId(), ids_at_once);
  while (!ids.empty()) {
    for (const MessageId& id : ids) {
      auto one = co_await export_one(id);
      if (one.status == 404) continue;
      if (one.status != 200) co_return one;
      all += one.body;
      if (all.size() > most_octets) {
        co_return OpsReply::error(413, "too-large", "the queue is too large for one reply",
                                  "export messages one by one, or stop queued and export then");
      }
    }
    ids = next_ids(store_, ids.back(), ids_at_once);
  }
  co_return text_reply("application/batch-SMTP", std::move(all));
}

async::Task<OpsReply> Ops::import(std::string batch) {
  queue::Importer importer(store_.intake(), "operator");
  auto fed = co_await importer.feed(batch);
  Result<void, queue::CommandError> done = fed;
  if (fed) done = importer.finish();
  if (!done && importer.ids().empty()) {
    co_return OpsReply::error(400, done.error().code, done.error().message);
  }
  nlohmann::json reply;
  reply["ids"] = importer.ids();
  if (!done) reply["error"] = done.error().message;
  co_await scheduler_.look();
  co_return OpsReply(reply.dump());
}

async::Task<OpsReply> Ops::verb(MessageId id, std::string name, std::string body) {
  Scheduler::Done done;
  if (name == "hold") {
    std::string reason = "held by the operator";
    const auto given = nlohmann::json::parse(body.empty() ? "{}" : body, nullptr, false);
    if (!given.is_object()) co_return bad_request("the body is no JSON object");
    if (given.contains("reason") && given["reason"].is_string()) reason = given["reason"];
    done = co_await scheduler_.hold(id, std::move(reason));
  } else if (name == "release") {
    done = co_await scheduler_.release(id);
  } else if (name == "requeue") {
    done = co_await scheduler_.requeue(id);
  } else if (name == "flush") {
    done = scheduler_.flush(id);
  } else if (name == "delete") {
    done = scheduler_.remove(id);
  } else {
    co_return OpsReply::error(404, "not-found", "there is no such verb",
                              "hold, release, requeue, flush, delete");
  }
  if (!done) co_return refusal(id, done.error());
  nlohmann::json reply;
  reply["id"] = id.text();
  reply["done"] = name;
  co_return OpsReply(reply.dump());
}

OpsReply Ops::flush_all() {
  scheduler_.forget_troubles();
  nlohmann::json reply;
  reply["count"] = scheduler_.flush_all();
  return OpsReply(reply.dump());
}

OpsReply Ops::destinations() const {
  nlohmann::json all = nlohmann::json::array();
  const MonoTime now = async::Loop::current().now();
  const auto seconds_left = [now](MonoTime until) {
    return until <= now ? 0.0 : std::chrono::duration<double>(until - now).count();
  };
  for (const auto& [key, destination] : scheduler_.dispatcher().destinations()) {
    nlohmann::json one;
    one["agent"] = destination->agent->endpoint.text();
    one["domain"] = destination->domain;
    one["active"] = destination->active;
    one["waiting"] = destination->waiting.size();
    one["parked"] = destination->parked.size();
    one["limit"] = destination->limit;
    one["failures"] = destination->health.failures();
    one["rests"] = std::max(seconds_left(destination->health.rest_until()),
                            seconds_left(destination->agent->rest_until));
    one["trouble"] = printable(destination->health.trouble().text);
    all.push_back(std::move(one));
  }
  nlohmann::json reply;
  reply["destinations"] = std::move(all);
  return OpsReply(reply.dump());
}

}  // namespace posthorn::queued
