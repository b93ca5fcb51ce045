#include "agents/mua/envelope.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/message/address_reader.h"
#include "libmail/message/body_reader.h"
#include "libmail/message/date.h"
#include "libmail/message/encoded_word.h"
#include "libmail/message/flowed.h"
#include "libmail/message/message_id.h"
#include "libmail/render/html_text.h"

namespace posthorn::mua {

using message::Part;

namespace {

constexpr std::size_t most_references = 200;
constexpr std::size_t most_listed_addresses = 100;

}  // namespace

const std::vector<std::string>& summary_fields() {
  static const std::vector<std::string> fields = {
      "Date", "From", "To", "Cc", "Reply-To", "Subject", "Message-ID", "In-Reply-To", "References"};
  return fields;
}

std::string read_text(const message::Header& header, std::string_view field) {
  const message::Field* found = header.find(field);
  return found == nullptr ? "" : message::decode_encoded_words(header.value(*found));
}

std::vector<message::Address> read_addresses(const message::Header& header,
                                             std::string_view field) {
  std::vector<message::Address> all;
  for (const message::Field* found : header.find_all(field)) {
    message::AddressReader reader(header.raw_value(*found));
    while (all.size() < most_listed_addresses) {
      auto item = reader.next();
      if (!item) break;
      if (item->kind == message::AddressReader::Item::Kind::group_end) continue;
      item->address.display_name = message::shown_name(item->address);
      const bool group = item->kind == message::AddressReader::Item::Kind::group_begin;
      if (!group || !item->address.display_name.empty()) all.push_back(std::move(item->address));
    }
  }
  return all;
}

void read_header(std::string_view octets, Summary& into) {
  const message::Header header = message::Header::parse(octets);
  into.from = read_addresses(header, "From");
  into.to = read_addresses(header, "To");
  into.cc = read_addresses(header, "Cc");
  into.reply_to = read_addresses(header, "Reply-To");
  into.subject = read_text(header, "Subject");
  if (const auto* date = header.find("Date")) {
    if (const auto parsed = message::parse_date(header.value(*date))) into.date = parsed->time;
  }
  const auto ids = [&](std::string_view name) {
    const message::Field* field = header.find(name);
    return field == nullptr ? std::vector<std::string>()
                            : message::parse_message_ids(header.raw_value(*field), most_references);
  };
  const auto own = ids("Message-ID");
  if (!own.empty()) into.message_id = own.front();
  into.references = ids("References");
  for (std::string& id : ids("In-Reply-To")) {
    if (std::ranges::find(into.references, id) == into.references.end())
      into.references.push_back(std::move(id));
  }
}

std::vector<PartInfo> list_parts(const message::MessageView& view) {
  const auto& parts = view.tree().parts;
  const message::BodyChoice choice = message::choose_bodies(view);
  std::vector<PartInfo> all(parts.size());
  std::vector<std::uint32_t> children(parts.size(), 0);
  for (std::uint32_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts[i];
    PartInfo& info = all[i];
    const message::PartContent content = view.content(i);
    info.depth = part.depth;
    info.type = content.type.type + "/" + content.type.subtype;
    info.charset = lower(content.type.charset());
    info.encoding = name(content.encoding);
    info.filename = content.filename;
    info.disposition = content.disposition ? content.disposition->type : "";
    info.content_id = content.id;
    info.octets = part.crlf_body_size();
    info.attachment = std::ranges::find(choice.attachments, i) != choice.attachments.end();
    const bool taken_apart = view.tree().first_child(i) != Part::none;
    if (i == 0) {
      info.number = taken_apart && part.media.multipart() ? "" : "1";
      continue;
    }
    const Part& parent = parts[part.parent];
    const std::string& above = all[part.parent].number;
    const std::uint32_t place = ++children[part.parent];
    // The message within a message/rfc822 has its number; if it is no multipart, its body is that and ".1".
    if (parent.media.message())
      info.number = taken_apart && part.media.multipart() ? above : above + ".1";
    else
      info.number = (above.empty() ? "" : above + ".") + std::to_string(place);
  }
  return all;
}

bool has_attachment(const message::MessageView& view) {
  return !message::choose_bodies(view).attachments.empty();
}

std::string main_text(const message::MessageView& view, std::size_t width) {
  const message::BodyChoice choice = message::choose_bodies(view);
  std::string all;
  for (const std::uint32_t index : choice.text) {
    const message::PartContent content = view.content(index);
    if (content.type.type != "text") continue;
    std::string text = message::decode_text(view, index);
    const message::Parameter* format = content.type.parameters.find("format");
    if (content.type.subtype == "html") {
      text = render::html_to_text(text).text;
    } else if (format != nullptr && iequals(format->value, "flowed")) {
      const message::Parameter* delsp = content.type.parameters.find("delsp");
      text = message::reflow(
          message::parse_flowed(text, delsp != nullptr && iequals(delsp->value, "yes")), width);
    }
    if (!all.empty() && !all.ends_with('\n')) all += '\n';
    all += text;
  }
  return all;
}

std::string main_html(const message::MessageView& view) {
  std::string all;
  for (const std::uint32_t index : message::choose_bodies(view).html) {
    const message::PartContent content = view.content(index);
    if (content.type.type == "text" && content.type.subtype == "html")
      all += message::decode_text(view, index);
  }
  return all;
}

}  // namespace posthorn::mua
