// posthorn dns update: changes a zone on its server (RFC 2136), over TCP or a Unix socket.
#include <fmt/format.h>

#include <iostream>
#include <nlohmann/json.hpp>

#include "agents/posthorn/commands.h"
#include "agents/posthorn/dns_update_script.h"
#include "libdns/dnssec/tsig.h"
#include "libdns/resolver/dns_stream.h"
#include "libdns/resolver/server_address.h"
#include "libdns/resolver/wall_clock.h"
#include "libdns/wire/builder.h"
#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::operate {

namespace exit_code = service::exit_code;
using Json = nlohmann::ordered_json;

namespace {

// Where to send, and how.
struct Way {
  async::Endpoint server;
  std::optional<dns::TsigKey> key;
  Duration timeout = std::chrono::seconds(10);
};

ToolError no_answer(const Way& way, const std::string& why) {
  return {exit_code::unavailable, "no-answer", way.server.text() + ": " + why};
}

// One message there, one back; signed both ways if there is a key.
async::Task<Result<std::string, ToolError>> exchange(Way way, std::string message) {
  const auto deadline = async::Deadline::in(way.timeout);
  auto stream = co_await dns::DnsStream::connect(way.server, deadline);
  if (!stream) co_return fail(no_answer(way, stream.error().text()));
  std::optional<dns::TsigVerifier> verifier;
  if (way.key) {
    const std::string mac = dns::sign_request(message, *way.key, dns::wall_seconds());
    verifier.emplace(*way.key, mac);
  }
  const auto sent = co_await stream->send(std::move(message), deadline);
  if (!sent) co_return fail(no_answer(way, sent.error().text()));
  auto reply = co_await stream->receive(deadline);
  stream->close();
  if (!reply) co_return fail(no_answer(way, reply.error().text()));
  const auto view = dns::MessageView::parse(*reply);
  if (!view || !view->header().response) {
    co_return fail(no_answer(way, "what came is no answer"));
  }
  if (!verifier) co_return std::move(*reply);
  const auto good = verifier->check(*reply, dns::wall_seconds());
  if (good && *good) co_return std::move(*reply);
  const std::string why = good ? "the answer isn't signed" : good.error().why;
  co_return fail(ToolError(exit_code::refused, "bad-signature", "TSIG: " + why,
                           "is it the right key, and are both clocks right?"));
}

// The zone that a name is in: the owner of the SOA that its server tells.
async::Task<Result<dns::Name, ToolError>> find_zone(Way way, dns::Name name) {
  way.key.reset();
  const dns::Question question(name, dns::Type::soa);
  std::string query = dns::make_query(0, question);
  const auto reply = co_await exchange(way, std::move(query));
  if (!reply) co_return fail(reply.error());
  const auto view = dns::MessageView::parse(*reply);
  for (const auto section : {view->answer(), view->authority()}) {
    for (const dns::RecordView& record : section) {
      if (record.type == dns::Type::soa) co_return record.owner.name();
    }
  }
  co_return fail(ToolError(exit_code::failed, "no-zone",
                           way.server.text() + " doesn't tell which zone " + name.text() + " is in",
                           "--zone names it"));
}

ToolError refusal(dns::Rcode rcode, const UpdateRequest& request) {
  using dns::Rcode;
  const std::string name = dns::to_string(rcode);
  switch (rcode) {
    case Rcode::yxdomain:
    case Rcode::yxrrset:
    case Rcode::nxrrset:
    case Rcode::nxdomain:
      return {exit_code::failed, "prerequisite", name + ": a prerequisite isn't met",
              "nothing was changed"};
    case Rcode::refused:
      return {exit_code::refused, "refused", "REFUSED: the server doesn't allow it",
              "does the key have a grant for these names and types?"};
    case Rcode::notauth:
      return {exit_code::refused, "not-authoritative",
              "NOTAUTH: the server isn't the primary of " + request.zone->text() +
                  ", or doesn't know the key"};
    case Rcode::notzone:
      return {exit_code::data, "not-zone", "NOTZONE: a name isn't in " + request.zone->text()};
    default:
      return {exit_code::unavailable, "failed", "the server answered " + name};
  }
}

class DnsUpdate final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "dns update"; }
  [[nodiscard]] std::string_view words() const override { return "[COMMAND...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "change a zone on its server: add and delete records, if prerequisites are met";
  }
  void describe(service::OptionTable& table) override {
    table.group("Update");
    table.add("server", server_, "HOST, HOST:PORT or unix:PATH; empty: the site's dnsd")
        .flag_only();
    table.add("zone", zone_, "the zone; empty: the server is asked").flag_only();
    table.add("key", key_, "TSIG key, ALGORITHM:NAME:SECRET").flag_only();
    table.add("timeout", timeout_, "how long the server may take").flag_only();
  }

  Result<int, ToolError> run(const ToolCall& call) override {
    UpdateScript script;
    script.server = server_;
    script.key = key_;
    if (!zone_.empty()) {
      auto done = script.take("zone " + zone_);
      if (!done) return fail(ToolError(exit_code::usage, "usage", "--zone: " + done.error()));
    }
    if (!call.words.empty()) {
      for (const std::string& line : script_of_words(call.words)) {
        auto done = take(script, line, call, 0);
        if (!done) return fail(done.error());
      }
      return send(script, call);
    }
    return run_script(script, call);
  }

 private:
  // False: the script is over.
  Result<bool, ToolError> take(UpdateScript& script, const std::string& line, const ToolCall& call,
                               std::size_t number) {
    const auto next = script.take(line);
    if (!next) {
      const std::string where = number == 0 ? "" : fmt::format("line {}: ", number);
      return fail(ToolError(exit_code::data, "bad-command", where + next.error()));
    }
    using Next = UpdateScript::Next;
    if (*next == Next::quit) return false;
    if (*next == Next::show) fmt::print("{}", show_update(script.request()));
    if (*next == Next::send) {
      auto sent = send(script, call);
      if (!sent) return fail(sent.error());
    }
    return true;
  }

  Result<int, ToolError> run_script(UpdateScript& script, const ToolCall& call) {
    std::size_t number = 0;
    for (std::string line; std::getline(std::cin, line);) {
      if (line.ends_with('\r')) line.pop_back();
      const auto going = take(script, line, call, ++number);
      if (!going) return fail(going.error());
      if (!*going) return exit_code::ok;
    }
    return script.request().empty() ? exit_code::ok : send(script, call);
  }

  Result<Way, ToolError> way_of(const UpdateScript& script, const ToolCall& call) const {
    Way way;
    way.timeout = timeout_;
    const std::string text =
        script.server.empty() ? "unix:" + call.site.path("run/dns.sock") : script.server;
    auto server = dns::parse_server_address(text, dns::Hosts::names);
    if (!server) return fail(ToolError(exit_code::usage, "usage", "--server: " + server.error()));
    way.server = std::move(*server);
    if (script.key.empty()) return way;
    auto key = dns::TsigKey::parse(script.key);
    if (!key) return fail(ToolError(exit_code::usage, "bad-key", key.error()));
    way.key = std::move(*key);
    return way;
  }

  Result<int, ToolError> send(UpdateScript& script, const ToolCall& call) {
    if (script.request().empty()) {
      return fail(ToolError(exit_code::usage, "nothing", "there is nothing to be changed",
                            "posthorn dns update add NAME TTL TYPE DATA"));
    }
    const auto way = way_of(script, call);
    if (!way) return fail(way.error());
    const UpdateRequest& request = script.request();
    if (!request.zone) {
      const auto& first = request.updates.empty() ? request.prerequisites : request.updates;
      auto zone = async::run(find_zone(*way, first.front().owner));
      if (!zone) return fail(zone.error());
      script.set_zone(std::move(*zone));
    }
    std::string message = build_update(request);
    if (message.empty()) {
      return fail(ToolError(exit_code::data, "too-long", "that is more than one message holds",
                            "send it in parts"));
    }
    const auto reply = async::run(exchange(*way, std::move(message)));
    if (!reply) return fail(reply.error());
    const dns::Rcode rcode = dns::MessageView::parse(*reply)->rcode();
    if (rcode != dns::Rcode::noerror) return fail(refusal(rcode, request));
    if (call.json) {
      fmt::print("{}\n", Json({{"zone", request.zone->text()},
                               {"rcode", dns::to_string(rcode)},
                               {"prerequisites", request.prerequisites.size()},
                               {"updates", request.updates.size()}})
                             .dump());
    }
    script.clear();
    return exit_code::ok;
  }

  std::string server_;
  std::string zone_;
  std::string key_;
  Duration timeout_ = std::chrono::seconds(10);
};

}  // namespace

std::unique_ptr<Tool> make_dns_update() {
  return std::make_unique<DnsUpdate>();
}

}  // namespace posthorn::operate
