// queued's ops socket: agents/queued/ops.h has the verbs.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "agents/posthorn/batch_splitter.h"
#include "agents/posthorn/queue_door.h"
#include "libmail/async/loop.h"
#include "libmail/service/ops.h"
#include "libmail/service/settings.h"

namespace posthorn::operate {

using async::Deadline;
using nlohmann::json;
using service::OpsReply;
using service::ToolError;
namespace exit_code = service::exit_code;

namespace {

constexpr auto patience = std::chrono::minutes(5);
constexpr auto health_patience = std::chrono::seconds(5);
constexpr std::size_t import_octets =
    8 * 1024 * 1024;  // of one request, unless one message is larger

ToolError silent(const IoError& error) {
  return {exit_code::unavailable, "unavailable", "queued does not answer: " + error.text()};
}

// queued's own words.
ToolError refusal(const OpsReply& reply) {
  const json value = json::parse(reply.body, nullptr, false);
  const json error = value.is_object() ? value.value("error", json::object()) : json::object();
  const auto word = [&](const char* key) {
    return error.is_object() ? error.value(key, std::string()) : std::string();
  };
  ToolError made(exit_code::unavailable, word("code"), word("message"), word("hint"));
  if (made.message.empty())
    made.message = "queued answers with HTTP status " + std::to_string(reply.status);
  if (reply.status == 404) made.exit = exit_code::unknown_user;
  if (reply.status == 400 || reply.status == 413) made.exit = exit_code::data;
  if (reply.status == 409)
    made.exit = made.code == "busy" ? exit_code::try_again : exit_code::failed;
  return made;
}

class OnlineDoor final : public QueueDoor {
 public:
  explicit OnlineDoor(std::string socket) : socket_(std::move(socket)) {}

  Result<std::string, ToolError> list(const queue::Filter& filter) override {
    std::string target = "/queue?limit=" + std::to_string(filter.limit);
    const auto add = [&](const char* key, std::string_view value) {
      if (!value.empty()) target += std::string("&") + key + "=" + service::percent_encode(value);
    };
    add("state", filter.state);
    add("from", filter.from);
    add("to", filter.to);
    if (filter.after != queue::MessageId()) add("after", filter.after.text());
    return ask("GET", target);
  }
  Result<std::string, ToolError> show(const std::string& id) override {
    return ask("GET", path(id));
  }
  Result<void, ToolError> cat(const std::string& id, const OctetSink& sink) override {
    return pass_on(ask("GET", path(id) + "/message"), sink);
  }
  Result<void, ToolError> export_to(const std::string& id, const OctetSink& sink) override {
    return pass_on(ask("GET", path(id) + "/export"), sink);
  }
  Result<void, ToolError> hold(const std::string& id, const std::string& reason) override {
    const json body = {{"reason", reason}};
    const auto done =
        ask("POST", path(id) + "/hold", body.dump(-1, ' ', true, json::error_handler_t::replace));
    if (!done) return fail(done.error());
    return {};
  }
  Result<std::size_t, ToolError> change(const std::string& verb, const std::string& id) override {
    const auto done = ask("POST", id.empty() ? "/queue/" + verb : path(id) + "/" + verb);
    if (!done) return fail(done.error());
    const json reply = json::parse(*done, nullptr, false);
    return id.empty() && reply.is_object() ? reply.value("count", std::size_t{0}) : 1;
  }
  Result<std::vector<std::string>, ToolError> import_from(
      const std::function<std::string()>& next) override {
    std::vector<std::string> ids;
    BatchSplitter splitter(import_octets);
    bool at_end = false;
    while (!at_end) {
      const std::string octets = next();
      at_end = octets.empty();
      splitter.feed(octets);
      const std::string piece = splitter.take(at_end);
      if (piece.empty()) continue;
      const auto text = ask("POST", "/queue/import", piece);
      if (!text) return fail(text.error());
      const json reply = json::parse(*text, nullptr, false);
      if (!reply.is_object() || !reply.contains("ids")) {
        return fail(ToolError(exit_code::software, "bad-answer", "queued's answer names no ids"));
      }
      for (const json& id : reply["ids"]) ids.push_back(id.get<std::string>());
      if (reply.contains("error")) {
        const std::string taken = std::to_string(ids.size()) + " messages were taken before";
        return fail(ToolError(exit_code::data, "bad-batch", reply.value("error", ""), taken));
      }
    }
    return ids;
  }

 private:
  static std::string path(const std::string& id) { return "/queue/" + service::percent_encode(id); }

  Result<std::string, ToolError> ask(const std::string& method, const std::string& target,
                                     const std::string& body = {}) {
    auto reply =
        async::run(service::ask_ops(socket_, method, target, body, Deadline::in(patience)));
    if (!reply) return fail(silent(reply.error()));
    if (reply->status != 200) return fail(refusal(*reply));
    return std::move(reply->body);
  }
  static Result<void, ToolError> pass_on(const Result<std::string, ToolError>& octets,
                                         const OctetSink& sink) {
    if (!octets) return fail(octets.error());
    if (auto done = sink(*octets); !done)
      return fail(ToolError(exit_code::unavailable, "io", done.error().text()));
    return {};
  }
  std::string socket_;
};

}  // namespace

std::unique_ptr<QueueDoor> ask_queued(std::string ops_socket) {
  return std::make_unique<OnlineDoor>(std::move(ops_socket));
}

Result<std::unique_ptr<QueueDoor>, ToolError> open_queue(const service::Site& site) {
  const auto file = service::read_site_file(site);
  if (!file) return fail(ToolError(exit_code::config, "configuration", file.error().front()));
  const std::string socket = site.path("run/queued.ops");
  const auto health =
      async::run(service::ask_ops(socket, "GET", "/health", "", Deadline::in(health_patience)));
  if (health) return ask_queued(socket);

  const auto given = file->values.find("queue");
  const bool is_set = given != file->values.end() && !given->second.texts.empty();
  const std::string directory = site.path(is_set ? given->second.texts.front() : "queue");
  auto door = open_queue_files(directory);
  if (door) return std::move(*door);
  if (door.error().code == EBUSY || door.error().code == EAGAIN) {
    ToolError busy = silent(health.error());
    busy.hint = "it holds " + directory + "; ask again, or stop it";
    return fail(std::move(busy));
  }
  const bool denied = door.error().code == EACCES || door.error().code == EPERM;
  return fail(ToolError(
      denied ? exit_code::refused : exit_code::unavailable, "io", door.error().text(),
      denied ? "work as the user of the queue, or as root" : "is this the right --site?"));
}

}  // namespace posthorn::operate
