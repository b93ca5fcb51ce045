#include "agents/imapd/fetch_body.h"

#include "libmail/imap/section.h"
#include "libmail/message/body_reader.h"

namespace posthorn::imapd {

using imap::FetchItem;
using imap::Section;

namespace {

Section section_of(const FetchItem& item) {
  Section section = item.section;
  if (item.kind == FetchItem::Kind::rfc822_header) section.text = Section::Text::header;
  if (item.kind == FetchItem::Kind::rfc822_text) section.text = Section::Text::text;
  return section;
}

std::string_view cut(std::string_view octets, const std::optional<imap::Partial>& partial) {
  if (!partial) return octets;
  if (partial->first >= octets.size()) return {};
  return octets.substr(partial->first, partial->count);
}

void append_literal(std::string_view octets, bool binary, std::string& out) {
  if (binary) out += '~';
  out.append("{").append(std::to_string(octets.size())).append("}\r\n").append(octets);
}

}  // namespace

bool is_about_header(const FetchItem& item) {
  const Section section = section_of(item);
  return section.part.empty() &&
         (section.text == Section::Text::header || section.text == Section::Text::header_fields ||
          section.text == Section::Text::header_fields_not);
}

const message::MessageView& FetchedText::view() {
  if (!view_) view_ = std::make_unique<message::MessageView>(octets_);
  return *view_;
}

std::optional<std::string_view> FetchedText::section(const Section& section, std::string& held) {
  const bool whole = section.part.empty() && section.text == Section::Text::all;
  if (whole) return octets_;
  const bool is_not = section.text == Section::Text::header_fields_not;
  if (section.part.empty() && (section.text == Section::Text::header_fields || is_not)) {
    held = imap::header_fields(octets_, section.fields, is_not);
    return held;
  }
  const auto range = imap::find_section(view().tree(), section);
  if (!range) return std::nullopt;
  const std::string_view found =
      std::string_view(octets_).substr(range->begin, range->end - range->begin);
  if (section.text != Section::Text::header_fields && !is_not) return found;
  held = imap::header_fields(found, section.fields, is_not);
  return held;
}

bool FetchedText::append_binary(const FetchItem& item, std::string& out) {
  const bool is_size = item.kind == FetchItem::Kind::binary_size;
  if (item.section.part.empty()) {
    if (is_size) {
      out += std::to_string(octets_.size());
    } else {
      append_literal(cut(octets_, item.partial), false, out);
    }
    return true;
  }
  const auto part = imap::find_part(view().tree(), item.section.part);
  if (!part) {
    out += is_size ? "0" : "NIL";
    return true;
  }
  if (view().part(*part).encoding == message::Encoding::unknown) return false;
  const std::string body = message::decode_body(view(), *part);
  if (is_size) {
    out += std::to_string(body.size());
    return true;
  }
  const std::string_view wanted = cut(body, item.partial);
  append_literal(wanted, wanted.find('\0') != std::string_view::npos, out);
  return true;
}

bool FetchedText::append_item(const FetchItem& item, std::string_view name, std::string& out) {
  out.append(name).append(" ");
  if (item.kind == FetchItem::Kind::binary || item.kind == FetchItem::Kind::binary_size)
    return append_binary(item, out);
  std::string held;
  const auto found = section(section_of(item), held);
  if (!found) {
    out += "NIL";
    return true;
  }
  append_literal(cut(*found, item.partial), false, out);
  return true;
}

}  // namespace posthorn::imapd
