// mime_build: a draft as JSON on each line of standard input to the message as a JSON string on a line of
// standard output, or {"error": ...}. Octets stand in JSON as the code points of the same number.
#include <cstdio>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "libmail/message/builder.h"
#include "libmail/message/flowed.h"
#include "libmail/message/utf8.h"

using namespace posthorn;
using nlohmann::json;

namespace {

std::string to_octets(const std::string& text) {
  std::string out;
  for (std::string_view rest = text; !rest.empty();)
    out += static_cast<char>(message::take_code_point(rest));
  return out;
}

std::string to_text(std::string_view octets) {
  std::string out;
  for (const char c : octets) message::append_utf8(out, static_cast<unsigned char>(c));
  return out;
}

std::vector<message::Address> addresses(const json& draft, const char* key) {
  std::vector<message::Address> list;
  for (const json& one : draft.value(key, json::array()))
    list.push_back({one.at(0), one.at(1), one.at(2)});
  return list;
}

// `streamed` holds the content of parts that are to be streamed; its places are their ids.
message::BuildPart part_of(const json& from, std::vector<std::string>& streamed) {
  message::BuildPart part;
  part.type = from.at("type");
  part.filename = from.value("filename", "");
  part.content_id = from.value("cid", "");
  part.disposition = part.content_id.empty() ? message::Presentation::attachment
                                             : message::Presentation::shown_inline;
  std::string content = to_octets(from.at("content"));
  if (from.value("streamed", false)) {
    part.content = message::StreamedContent{streamed.size()};
    streamed.push_back(std::move(content));
  } else {
    part.content = std::move(content);
  }
  return part;
}

json build(const json& from) {
  message::Draft draft;
  draft.from = addresses(from, "from");
  draft.to.mailboxes = addresses(from, "to");
  draft.cc.mailboxes = addresses(from, "cc");
  draft.subject = from.value("subject", "");
  draft.date = "Sun, 22 Nov 2026 20:24:20 +0100";
  draft.message_id = "<1@a.test>";
  draft.references = from.value("references", std::vector<std::string>());
  const bool allow_8bit = from.value("allow_8bit", false);
  std::vector<std::string> streamed;
  message::BodyParts parts;
  parts.flowed = from.value("flowed", false);
  parts.text = from.value("text", "");
  if (parts.flowed) parts.text = message::make_flowed(parts.text);
  parts.html = from.value("html", "");
  for (const json& one : from.value("related", json::array()))
    parts.related.push_back(part_of(one, streamed));
  for (const json& one : from.value("attachments", json::array()))
    parts.attachments.push_back(part_of(one, streamed));
  if (from.contains("forward"))
    parts.attachments.push_back(message::make_forwarded(to_octets(from["forward"]), allow_8bit));
  draft.body = message::make_body(std::move(parts));

  auto writer = message::MessageWriter::make(
      std::move(draft), {.allow_8bit = allow_8bit, .random = from.value("random", 1u)});
  if (!writer) return {{"error", writer.error().field + ": " + writer.error().text}};
  std::string out;
  for (auto step = writer->next(out); step != message::MessageWriter::Step::done;
       step = writer->next(out)) {
    if (step != message::MessageWriter::Step::source) continue;
    const std::string& content = streamed[writer->source()];
    for (std::size_t at = 0; at < content.size(); at += 1000)
      writer->feed(std::string_view(content).substr(at, 1000), out);
    writer->end_source(out);
  }
  return to_text(out);
}

}  // namespace

int main() {
  std::string line;
  while (std::getline(std::cin, line)) std::puts(build(json::parse(line)).dump().c_str());
  return 0;
}
