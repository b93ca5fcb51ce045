#include "libmail/imap/section.h"

#include <algorithm>

#include "libmail/base/crlf.h"
#include "libmail/base/text.h"
#include "libmail/message/header.h"

namespace posthorn::imap {
namespace {

using message::Part;
using message::PartTree;

std::uint32_t child(const PartTree& tree, std::uint32_t part, std::uint32_t number) {
  std::uint32_t at = tree.first_child(part);
  for (std::uint32_t i = 1; i < number && at != Part::none; ++i) at = tree.parts[at].next;
  return number == 0 ? Part::none : at;
}

// Number `number` within a message: a part of its multipart, or its only part, itself.
std::uint32_t in_message(const PartTree& tree, std::uint32_t part, std::uint32_t number) {
  const Part& message = tree.parts[part];
  if (message.media.multipart() && !message.has(Part::opaque)) return child(tree, part, number);
  return number == 1 ? part : Part::none;
}

SectionRange header_of(const PartTree& tree, std::uint32_t index) {
  const Part& part = tree.parts[index];
  return {part.header_begin, part.body_begin, part.header_bare_lf, index};
}

SectionRange body_of(const PartTree& tree, std::uint32_t index) {
  const Part& part = tree.parts[index];
  return {part.body_begin, part.body_end, part.body_bare_lf, index};
}

}  // namespace

std::optional<std::uint32_t> find_part(const PartTree& tree,
                                       const std::vector<std::uint32_t>& path) {
  std::uint32_t at = 0;
  bool first = true;
  for (const std::uint32_t number : path) {
    const Part& part = tree.parts[at];
    if (first) {
      at = in_message(tree, at, number);
    } else if (part.media.multipart() && !part.has(Part::opaque)) {
      at = child(tree, at, number);
    } else if (const std::uint32_t inner = tree.first_child(at); inner != Part::none) {
      at = in_message(tree, inner, number);
    } else {
      return std::nullopt;
    }
    if (at == Part::none) return std::nullopt;
    first = false;
  }
  return at;
}

std::optional<SectionRange> find_section(const PartTree& tree, const Section& section) {
  const auto part = find_part(tree, section.part);
  if (!part) return std::nullopt;
  using Text = Section::Text;
  const bool whole = section.part.empty();
  if (section.text == Text::mime) {
    return whole ? std::nullopt : std::optional(header_of(tree, *part));
  }
  if (section.text == Text::all) {
    SectionRange range = body_of(tree, *part);
    if (whole) {
      range.begin = 0;
      range.bare_lf += tree.parts[0].header_bare_lf;
    }
    return range;
  }
  std::uint32_t message = *part;
  if (!whole) {
    if (!tree.parts[*part].media.message()) return std::nullopt;
    message = tree.first_child(*part);
    if (message == Part::none) return std::nullopt;
  }
  return section.text == Text::text ? body_of(tree, message) : header_of(tree, message);
}

std::string header_fields(std::string_view header, const std::vector<std::string>& names,
                          bool except) {
  const message::Header fields = message::Header::parse(header);
  std::string out;
  for (const message::Field& field : fields.fields()) {
    const bool named = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
      return name.size() == field.name_size && iequals(name, fields.name(field));
    });
    if (named == except) continue;
    const std::string_view whole = fields.whole(field);
    // Most fields are one line that has its CRLF already.
    const bool is_ready = whole.ends_with("\r\n") && whole.find('\n') == whole.size() - 1;
    bool after_cr = false;
    if (is_ready)
      out += whole;
    else
      append_crlf(whole, after_cr, out);
    if (!whole.empty() && whole.back() != '\n') out += "\r\n";
  }
  return out += "\r\n";
}

}  // namespace posthorn::imap
