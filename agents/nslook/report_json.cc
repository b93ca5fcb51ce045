#include <fmt/format.h>

#include "agents/nslook/report.h"
#include "libmail/base/text.h"

namespace posthorn::nslook {

std::string dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

namespace {

Json section_json(std::span<const dns::RecordView> records) {
  Json list = Json::array();
  for (const dns::RecordView& record : records) {
    if (record.type != dns::Type::opt) list.push_back(to_json(record.record()));
  }
  return list;
}

Json header_json(const dns::MessageView& view) {
  const dns::Header& header = view.header();
  return {{"id", header.id},
          {"opcode", static_cast<int>(header.opcode)},
          {"rcode", dns::to_string(view.rcode())},
          {"flags", flags_of(header)}};
}

Json server_json(const Place& place) {
  if (place.at.kind == async::Endpoint::Kind::unix_socket) {
    return {{"name", place.name}, {"path", place.at.path}};
  }
  return {{"name", place.name}, {"address", place.at.host}, {"port", place.at.port}};
}

void add_edns(Json& json, const dns::Edns& edns) {
  Json options = Json::array();
  for (const dns::EdnsOption& option : edns.options) {
    options.push_back({{"code", option.code}, {"octets", hex(option.octets)}});
  }
  json["edns"] = {{"version", edns.version},
                  {"udp_octets", edns.udp_octets},
                  {"dnssec_ok", edns.dnssec_ok},
                  {"options", std::move(options)}};
  if (const auto why = edns.extended_error()) {
    json["extended_error"] = {{"code", why->code},
                              {"description", why->describe()},
                              {"text", printable(why->explanation)}};
  }
}

Json question_json(const dns::Question& question) {
  return {{"name", shown(question.name)},
          {"class", dns::to_string(question.klass)},
          {"type", dns::to_string(question.type)}};
}

std::string_view code_of(const Failure& failure) {
  switch (failure.kind) {
    case Failure::Kind::silent:
      return "no-answer";
    case Failure::Kind::network:
      return "network";
    case Failure::Kind::malformed:
      return "malformed";
    case Failure::Kind::signature:
      return "bad-signature";
  }
  return "";
}

}  // namespace

Json to_json(const dns::Record& record) {
  return {{"name", shown(record.owner)},
          {"ttl", record.ttl},
          {"class", dns::to_string(record.klass)},
          {"type", dns::to_string(record.type())},
          {"data", dns::to_text(record.data)}};
}

Json to_json(const Reply& reply) {
  const dns::MessageView view = reply.view();
  Json json = {{"server", server_json(reply.server)},
               {"transport", reply.transport_text()},
               {"milliseconds", reply.time.count()},
               {"octets", reply.octets.size()},
               {"header", header_json(view)},
               {"question", question_json(reply.question)},
               {"answer", section_json(view.answer())},
               {"authority", section_json(view.authority())},
               {"additional", section_json(view.additional())}};
  if (view.edns()) add_edns(json, *view.edns());
  if (reply.has_signature) json["tsig"] = true;
  return json;
}

Json to_json(const LookUp& look_up) {
  Json replies = Json::array();
  for (const Asked& asked : look_up.asked) {
    if (asked.reply) {
      replies.push_back(to_json(*asked.reply));
      continue;
    }
    const Failure& failure = asked.reply.error();
    replies.push_back({{"server", server_json(failure.server)},
                       {"question", question_json(asked.question)},
                       {"error", {{"code", code_of(failure)}, {"message", failure.text}}}});
  }
  Json json = {{"name", printable(look_up.given)}, {"found", look_up.is_found()}};
  if (!look_up.fault.empty()) {
    json["error"] = {{"code", "bad-name"}, {"message", look_up.fault}};
  }
  json["replies"] = std::move(replies);
  return json;
}

}  // namespace posthorn::nslook
