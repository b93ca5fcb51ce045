#include "libmail/imap/fetch.h"

#include <algorithm>
#include <array>

#include "libmail/base/text.h"

namespace posthorn::imap {

namespace {

using Kind = FetchItem::Kind;

struct Named {
  Kind kind;
  std::string_view name;
};
// Items without arguments. A name that begins another stands behind it.
constexpr std::array<Named, 16> plain_items = {{
    {Kind::uid, "UID"},
    {Kind::flags, "FLAGS"},
    {Kind::internal_date, "INTERNALDATE"},
    {Kind::rfc822_size, "RFC822.SIZE"},
    {Kind::envelope, "ENVELOPE"},
    {Kind::body_structure, "BODYSTRUCTURE"},
    {Kind::modseq, "MODSEQ"},
    {Kind::save_date, "SAVEDATE"},
    {Kind::email_id, "EMAILID"},
    {Kind::thread_id, "THREADID"},
    {Kind::preview, "PREVIEW"},
    {Kind::rfc822_header, "RFC822.HEADER"},
    {Kind::rfc822_text, "RFC822.TEXT"},
    {Kind::rfc822, "RFC822"},
    {Kind::body, "BODY"},
    {Kind::binary_size, "BINARY.SIZE"},
}};
constexpr std::size_t longest_part = 100;  // MIME's depth limit

std::string part_text(const std::vector<std::uint32_t>& part) {
  std::string text;
  for (const std::uint32_t number : part) {
    if (!text.empty()) text += '.';
    text += std::to_string(number);
  }
  return text;
}

bool is_item_char(char c) {
  return is_alnum(c) || c == '.' || c == '-';
}

std::optional<Kind> plain_item(std::string_view word) {
  for (const Named& one : plain_items)
    if (iequals(one.name, word)) return one.kind;
  return std::nullopt;
}

Partial scan_partial(Scanner& in) {
  Partial partial;
  partial.first = in.number64();
  in.want('.');
  const std::size_t begin = in.position();
  partial.count = in.number64();
  if (in.ok() && partial.count == 0) in.fail_at(begin, "a count of octets, 1 or more");
  in.want('>');
  return partial;
}

// Behind "BODY", "BODY.PEEK", "BINARY", "BINARY.PEEK", at the bracket.
FetchItem scan_bracketed(Scanner& in, Kind kind, bool peek) {
  FetchItem item(kind);
  item.peek = peek;
  in.want('[');
  if (kind == Kind::body_section) {
    item.section = scan_section(in);
  } else {
    item.section.part = scan_part(in);
  }
  in.want(']');
  return item;
}

FetchItem scan_item(Scanner& in) {
  const std::size_t begin = in.position();
  const std::string word = upper(in.take_while(is_item_char));
  const bool bracket = in.peek() == '[';
  FetchItem item;
  if (bracket && (word == "BODY" || word == "BODY.PEEK")) {
    item = scan_bracketed(in, Kind::body_section, word == "BODY.PEEK");
    if (in.take('<')) item.partial = scan_partial(in);
  } else if (bracket && (word == "BINARY" || word == "BINARY.PEEK")) {
    item = scan_bracketed(in, Kind::binary, word == "BINARY.PEEK");
    if (in.take('<')) item.partial = scan_partial(in);
  } else if (bracket && word == "BINARY.SIZE") {
    item = scan_bracketed(in, Kind::binary_size, false);
  } else if (const auto kind = plain_item(word); kind && *kind != Kind::binary_size) {
    item = FetchItem(*kind);
    if (*kind == Kind::preview && in.next_is(" (LAZY)")) item.lazy = in.take_word(" (LAZY)");
  } else {
    in.fail_at(begin, "a data item that FETCH knows");
  }
  return item;
}

std::vector<FetchItem> macro(Scanner& in) {
  std::vector<Kind> kinds;
  const auto is_word = [&in](std::string_view word) {
    Scanner ahead(in.rest());
    return iequals(ahead.take_while(is_item_char), word);
  };
  if (is_word("ALL")) kinds = {Kind::flags, Kind::internal_date, Kind::rfc822_size, Kind::envelope};
  if (is_word("FAST")) kinds = {Kind::flags, Kind::internal_date, Kind::rfc822_size};
  if (is_word("FULL"))
    kinds = {Kind::flags, Kind::internal_date, Kind::rfc822_size, Kind::envelope, Kind::body};
  if (!kinds.empty()) (void)in.take_while(is_item_char);
  std::vector<FetchItem> items;
  for (const Kind kind : kinds) items.emplace_back(kind);
  return items;
}

std::string bracketed(std::string_view name, const FetchItem& item) {
  return std::string(name) + '[' + item.section.to_text() + ']';
}

}  // namespace

std::string Section::to_text() const {
  std::string out = part_text(part);
  const auto append = [&out](std::string_view word) {
    if (!out.empty()) out += '.';
    out += word;
  };
  switch (text) {
    case Text::all:
      return out;
    case Text::header:
      append("HEADER");
      return out;
    case Text::text:
      append("TEXT");
      return out;
    case Text::mime:
      append("MIME");
      return out;
    case Text::header_fields:
      append("HEADER.FIELDS (");
      break;
    case Text::header_fields_not:
      append("HEADER.FIELDS.NOT (");
      break;
  }
  for (std::size_t i = 0; i < fields.size(); ++i) {
    const bool atom =
        !fields[i].empty() && std::all_of(fields[i].begin(), fields[i].end(), is_astring_char);
    std::string quoted = "\"";
    for (const char c : fields[i]) {
      if (c == '"' || c == '\\') quoted += '\\';
      quoted += c;
    }
    out += (i > 0 ? " " : "") + (atom ? fields[i] : quoted + '"');
  }
  return out += ')';
}

FetchItem FetchItem::body_peek(Section of) {
  FetchItem item(Kind::body_section);
  item.section = std::move(of);
  item.peek = true;
  return item;
}

FetchItem FetchItem::binary_peek(std::vector<std::uint32_t> part) {
  FetchItem item(Kind::binary);
  item.section.part = std::move(part);
  item.peek = true;
  return item;
}

bool FetchItem::sets_seen() const {
  switch (kind) {
    case Kind::body_section:
    case Kind::binary:
      return !peek;
    case Kind::rfc822:
    case Kind::rfc822_text:
      return true;
    default:
      return false;
  }
}

std::string FetchItem::request_text() const {
  std::string text;
  if (kind == Kind::body_section) {
    text = bracketed(peek ? "BODY.PEEK" : "BODY", *this);
  } else if (kind == Kind::binary) {
    text = bracketed(peek ? "BINARY.PEEK" : "BINARY", *this);
  } else {
    return response_name() + (lazy ? " (LAZY)" : "");
  }
  if (partial)
    text += '<' + std::to_string(partial->first) + '.' + std::to_string(partial->count) + '>';
  return text;
}

std::string FetchItem::response_name() const {
  std::string text;
  if (kind == Kind::body_section) {
    text = bracketed("BODY", *this);
  } else if (kind == Kind::binary) {
    text = bracketed("BINARY", *this);
  } else if (kind == Kind::binary_size) {
    return bracketed("BINARY.SIZE", *this);
  } else {
    for (const Named& one : plain_items)
      if (one.kind == kind) return std::string(one.name);
  }
  if (partial) text += '<' + std::to_string(partial->first) + '>';
  return text;
}

std::vector<FetchItem> scan_fetch_items(Scanner& in) {
  if (in.peek() != '(') {
    std::vector<FetchItem> items = macro(in);
    if (items.empty()) items.push_back(scan_item(in));
    return items;
  }
  std::vector<FetchItem> items;
  in.enter();
  do {
    FetchItem item = scan_item(in);
    if (!in.ok()) break;
    if (std::find(items.begin(), items.end(), item) == items.end())
      items.push_back(std::move(item));
    // Each is compared with all others.
    if (items.size() > 200) in.fail_here("no more than 200 data items");
  } while (in.take(' '));
  in.leave();
  return items;
}

std::string fetch_items_text(const std::vector<FetchItem>& items) {
  std::string text = "(";
  for (const FetchItem& item : items) {
    if (text.size() > 1) text += ' ';
    text += item.request_text();
  }
  return text += ')';
}

std::optional<FetchItem> scan_response_item(Scanner& in) {
  const std::size_t begin = in.position();
  const std::string word = upper(in.take_while(is_item_char));
  FetchItem item;
  if (in.peek() != '[') {
    const auto kind = plain_item(word);
    if (kind) return FetchItem(*kind);
    in.fail_at(begin, "a data item");
    return std::nullopt;
  }
  if (word == "BODY") {
    item = scan_bracketed(in, Kind::body_section, false);
  } else if (word == "BINARY") {
    item = scan_bracketed(in, Kind::binary, false);
  } else if (word == "BINARY.SIZE") {
    item = scan_bracketed(in, Kind::binary_size, false);
  } else {
    in.fail_at(begin, "a data item");
    return std::nullopt;
  }
  if (in.take('<')) {
    item.partial = Partial{in.number64(), 0};
    in.want('>');
  }
  return in.ok() ? std::optional(std::move(item)) : std::nullopt;
}

std::vector<std::uint32_t> scan_part(Scanner& in) {
  std::vector<std::uint32_t> part;
  if (!is_digit(in.peek())) return part;
  do {
    part.push_back(in.nz_number());
    if (part.size() > longest_part) in.fail_here("a part number with fewer levels");
    // ".HEADER" is the section's.
    const std::string_view rest = in.rest();
    if (rest.size() < 2 || rest[0] != '.' || !is_digit(rest[1])) break;
  } while (in.take('.'));
  return part;
}

Section scan_section(Scanner& in) {
  Section section;
  section.part = scan_part(in);
  if (!section.part.empty() && !in.take('.')) return section;
  if (in.peek() == ']' && section.part.empty()) return section;
  const std::size_t begin = in.position();
  const std::string word = upper(in.take_while(is_item_char));
  if (word == "HEADER") {
    section.text = Section::Text::header;
  } else if (word == "TEXT") {
    section.text = Section::Text::text;
  } else if (word == "MIME" && !section.part.empty()) {
    section.text = Section::Text::mime;
  } else if (word == "HEADER.FIELDS" || word == "HEADER.FIELDS.NOT") {
    section.text =
        word == "HEADER.FIELDS" ? Section::Text::header_fields : Section::Text::header_fields_not;
    in.space();
    in.enter();
    do {
      section.fields.push_back(in.astring());
      if (section.fields.size() > in.dialect().items) in.fail_here("fewer field names");
    } while (in.ok() && in.take(' '));
    in.leave();
  } else {
    in.fail_at(begin, "HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT, or MIME of a part");
  }
  return section;
}

}  // namespace posthorn::imap
