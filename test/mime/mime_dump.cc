// mime_dump [--bodies] FILE...: what libmail/message makes of each message, one line of JSON a file.
// Octets that need not be text stand in JSON as the code points of the same number.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "libmail/imap/body_structure.h"
#include "libmail/imap/envelope.h"
#include "libmail/imap/section.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/charset.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/message_view.h"

using namespace posthorn;
using nlohmann::ordered_json;

namespace {

std::string octets(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) message::append_utf8(out, static_cast<unsigned char>(c));
  return out;
}

ordered_json parameters(const message::ParameterList& list) {
  ordered_json all = ordered_json::object();
  for (const message::Parameter& parameter : list.parameters) all[parameter.name] = parameter.value;
  return all;
}

void add_flags(const message::Part& part, ordered_json& out) {
  using message::Part;
  constexpr std::pair<Part::Flag, const char*> names[] = {
      {Part::default_type, "default_type"},
      {Part::opaque, "opaque"},
      {Part::closed, "closed"},
      {Part::eight_bit, "eight_bit"},
      {Part::nul, "nul"},
      {Part::bare_cr, "bare_cr"},
      {Part::long_line, "long_line"},
      {Part::whole_message, "whole_message"},
  };
  out = ordered_json::array();
  for (const auto& [flag, name] : names) {
    if (part.has(flag)) out.push_back(name);
  }
}

ordered_json show_part(const message::MessageView& view, std::uint32_t index, bool bodies,
                       message::Anomalies& anomalies) {
  const message::Part& part = view.part(index);
  const message::PartContent content = view.content(index, &anomalies);
  ordered_json out;
  out["parent"] = part.parent == message::Part::none ? ordered_json() : ordered_json(part.parent);
  out["depth"] = part.depth;
  out["type"] = content.type.type + "/" + content.type.subtype;
  out["parameters"] = parameters(content.type.parameters);
  out["encoding"] = message::name(part.encoding);
  add_flags(part, out["flags"]);
  out["header"] = {part.header_begin, part.body_begin};
  out["body"] = {part.body_begin, part.body_end};
  out["lines"] = part.body_lines;
  out["crlf_size"] = part.crlf_body_size();
  if (content.disposition) {
    out["disposition"] = content.disposition->type;
    out["disposition_parameters"] = parameters(content.disposition->parameters);
  }
  if (!content.filename.empty()) out["filename"] = content.filename;
  if (!content.id.empty()) out["id"] = octets(content.id);
  if (!content.description.empty())
    out["description"] = message::decode_encoded_words(content.description);
  if (part.has(message::Part::whole_message)) {
    const message::Header header = view.header(index);
    if (const message::Field* subject = header.find("Subject"))
      out["subject"] = message::decode_encoded_words(header.value(*subject));
    ordered_json names = ordered_json::array();
    for (const message::Field& field : header.fields()) names.push_back(octets(header.name(field)));
    out["fields"] = names;
  }
  if (bodies && view.tree().first_child(index) == message::Part::none) {
    out["octets"] = octets(message::decode_body(view, index, &anomalies));
    if (part.media.top == message::TopType::text) out["text"] = message::decode_text(view, index);
  }
  return out;
}

// Every section a client could ask for, to its octets.
ordered_json sections(const message::PartTree& tree) {
  using Text = imap::Section::Text;
  ordered_json out = ordered_json::object();
  std::vector<std::vector<std::uint32_t>> paths = {{}};
  for (std::size_t i = 0; i < paths.size() && paths.size() < 100; ++i) {
    for (const Text what : {Text::all, Text::mime, Text::header, Text::text}) {
      imap::Section section;
      section.part = paths[i];
      section.text = what;
      const auto range = imap::find_section(tree, section);
      if (range) out[section.to_text()] = {range->begin, range->end, range->crlf_size()};
    }
    std::vector<std::uint32_t> child = paths[i];
    for (child.push_back(1); imap::find_part(tree, child); ++child.back()) paths.push_back(child);
  }
  return out;
}

ordered_json show(const std::string& bytes, bool bodies) {
  const message::MessageView view(bytes);
  message::Anomalies anomalies = view.tree().anomalies;
  ordered_json out;
  out["size"] = bytes.size();
  out["parts"] = ordered_json::array();
  for (std::uint32_t i = 0; i < view.tree().parts.size(); ++i)
    out["parts"].push_back(show_part(view, i, bodies, anomalies));
  out["ambiguous"] = anomalies.critical();
  out["anomalies"] = ordered_json::array();
  for (const message::Anomaly& anomaly : anomalies.list())
    out["anomalies"].push_back({message::name(anomaly.kind), anomaly.offset});
  const message::BodyChoice choice = message::choose_bodies(view);
  out["shown"] = {
      {"text", choice.text}, {"html", choice.html}, {"attachments", choice.attachments}};
  out["sections"] = sections(view.tree());
  out["envelope"] = octets(imap::envelope(view.header(0)));
  out["body"] = octets(imap::body_structure(view, imap::BodyForm::body));
  out["bodystructure"] = octets(imap::body_structure(view, imap::BodyForm::body_structure));
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  bool bodies = false;
  int status = 0;
  for (int i = 1; i < argc; ++i) {
    if (argv[i] == std::string_view("--bodies")) {
      bodies = true;
      continue;
    }
    std::ifstream file(argv[i], std::ios::binary);
    if (!file) {
      std::fprintf(stderr, "mime_dump: cannot open %s\n", argv[i]);
      status = 66;
      continue;
    }
    const std::string bytes((std::istreambuf_iterator<char>(file)), {});
    ordered_json line = {{"file", argv[i]}};
    line.update(show(bytes, bodies));
    const std::string text = line.dump();
    std::fwrite(text.data(), 1, text.size(), stdout);
    std::fputc('\n', stdout);
  }
  return status;
}
