#include <algorithm>

#include "agents/mua/imap_store.h"
#include "libmail/base/text.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/filename.h"
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

// The multipart a part lies in, "" for none.
std::string container_of(const std::vector<imap::client::BodyPart>& all, std::size_t index) {
  for (std::size_t i = index; i-- > 0;) {
    if (all[i].depth < all[index].depth) return all[i].type + "/" + all[i].subtype;
  }
  return "";
}

bool is_attachment(const PartInfo& part, const std::string& container) {
  if (part.type.starts_with("multipart/")) return false;
  if (part.disposition == "attachment") return true;
  if (part.type == "text/plain" || part.type == "text/html")
    return !part.filename.empty() && part.disposition != "inline";
  const bool picture = part.type.starts_with("image/") &&
                       (part.disposition == "inline" || container == "multipart/related");
  return !picture;
}

}  // namespace

std::vector<PartInfo> parts_of(const std::vector<imap::client::BodyPart>& structure) {
  std::vector<PartInfo> all;
  std::vector<std::uint32_t> messages;  // depths of the messages/rfc822 we are in
  for (std::size_t i = 0; i < structure.size(); ++i) {
    const imap::client::BodyPart& from = structure[i];
    while (!messages.empty() && messages.back() >= from.depth) messages.pop_back();
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
    // What lies in an attached message belongs to it.
    part.attachment = messages.empty() && is_attachment(part, container_of(structure, i));
    if (part.type == "message/rfc822" || part.type == "message/global")
      messages.push_back(from.depth);
    all.push_back(std::move(part));
  }
  return all;
}

}  // namespace posthorn::mua
