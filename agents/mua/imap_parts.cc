#include "agents/mua/imap_store.h"
#include "libmail/base/text.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/filename.h"
#include "libmail/message/message_view.h"
#include "libmail/message/parameters.h"

namespace posthorn::mua {

namespace {

// A server gives parameters as they stand in the message; the reader of messages decodes them.
message::ParameterList decode(const imap::client::Parameters& parameters) {
  std::string text;
  for (const auto& [name, value] : parameters) {
    text += "; " + name + "=\"";
    for (const char c : value) {
      if (c == '"' || c == '\\') text += '\\';
      text += c;
    }
    text += '"';
  }
  message::Anomalies ignored;
  return message::parse_parameters(text, ignored);
}

std::string number_text(const std::vector<std::uint32_t>& number) {
  std::string text;
  for (const std::uint32_t each : number) text += (text.empty() ? "" : ".") + std::to_string(each);
  return text;
}

// As far as choose_bodies() looks at it.
message::PartTree tree_of(const std::vector<imap::client::BodyPart>& structure) {
  message::PartTree tree;
  tree.parts.resize(structure.size());
  std::vector<std::uint32_t> open;  // the parts that the current one lies in
  std::vector<std::uint32_t> before(structure.size(), message::Part::none);  // their last child
  for (std::uint32_t i = 0; i < structure.size(); ++i) {
    message::Part& part = tree.parts[i];
    part.media = message::classify(structure[i].type, structure[i].subtype);
    while (!open.empty() && structure[open.back()].depth >= structure[i].depth) open.pop_back();
    if (!open.empty()) {
      part.parent = open.back();
      std::uint32_t& sibling = before[part.parent];
      if (sibling != message::Part::none) tree.parts[sibling].next = i;
      sibling = i;
    }
    open.push_back(i);
  }
  for (std::uint32_t i = 0; i < structure.size(); ++i) {
    if (tree.parts[i].media.multipart() && tree.first_child(i) == message::Part::none)
      tree.parts[i].flags |= message::Part::opaque;
  }
  return tree;
}

}  // namespace

std::vector<PartInfo> parts_of(const std::vector<imap::client::BodyPart>& structure) {
  std::vector<PartInfo> all;
  for (std::size_t i = 0; i < structure.size(); ++i) {
    const imap::client::BodyPart& from = structure[i];
    PartInfo part;
    part.number = number_text(from.number);
    part.depth = from.depth;
    part.type = from.type + "/" + from.subtype;
    const message::ParameterList parameters = decode(from.parameters);
    const message::ParameterList disposition = decode(from.disposition_parameters);
    if (const auto* charset = parameters.find("charset")) part.charset = lower(charset->value);
    part.filename = message::part_filename(&disposition, &parameters).name;
    part.encoding = lower(from.encoding);
    part.disposition = lower(from.disposition);
    part.content_id = from.id;
    part.octets = from.octets;
    all.push_back(std::move(part));
  }
  const auto use = [&all](std::uint32_t i) {
    const std::string& disposition = all[i].disposition;
    return message::PartUse{!disposition.empty() && disposition != "inline",
                            !all[i].filename.empty()};
  };
  for (const std::uint32_t i : message::choose_bodies(tree_of(structure), use).attachments)
    all[i].attachment = true;
  return all;
}

}  // namespace posthorn::mua
