#include "libmail/message/flowed.h"

#include <algorithm>

#include "libmail/message/utf8.h"

namespace posthorn::message {

namespace {

constexpr std::size_t deepest_quote = 50;

std::string_view take_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

std::string marks(std::size_t depth) {
  return depth == 0 ? std::string() : std::string(depth, '>') + ' ';
}

// Cuts into lines of `width` characters at blanks; the blank stays at the end of each line but the last.
std::vector<std::string_view> wrapped(std::string_view text, std::size_t width) {
  std::vector<std::string_view> lines;
  while (true) {
    std::size_t count = 0;
    std::size_t cut = 0;  // behind the last blank that a line can end with
    std::string_view rest = text;
    while (!rest.empty() && (count <= width || cut == 0)) {
      const char32_t c = take_code_point(rest);
      ++count;
      const bool fits = count <= width || cut == 0;
      if (c == ' ' && fits) cut = text.size() - rest.size();
    }
    if (count <= width || cut == 0 || cut == text.size()) break;
    lines.push_back(text.substr(0, cut));
    text.remove_prefix(cut);
  }
  lines.push_back(text);
  return lines;
}

// How deep a line is quoted; its marks are taken away. Nobody answers an answer a hundred times, but marks stand before
// every line that a long paragraph is wrapped into.
std::size_t take_marks(std::string_view& line) {
  const std::size_t marks = std::min(line.find_first_not_of('>'), line.size());
  line.remove_prefix(marks);
  return std::min(marks, deepest_quote);
}

}  // namespace

std::vector<FlowedParagraph> parse_flowed(std::string_view text, bool delsp) {
  std::vector<FlowedParagraph> paragraphs;
  bool open = false;  // the last line flowed
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const std::size_t depth = take_marks(line);
    if (line.starts_with(' ')) line.remove_prefix(1);  // stuffed
    const bool signature = line == "-- ";
    const bool flows = line.ends_with(' ') && !signature;
    // A paragraph ends where the depth changes, even if its last line flowed (RFC 3676 4.5).
    const bool joins = open && !signature && paragraphs.back().quote_depth == depth;
    if (!joins) paragraphs.push_back({depth, {}, !flows});
    if (flows && delsp) line.remove_suffix(1);
    paragraphs.back().text += line;
    open = flows;
  }
  return paragraphs;
}

std::string reflow(const std::vector<FlowedParagraph>& paragraphs, std::size_t width) {
  std::string out;
  for (const FlowedParagraph& paragraph : paragraphs) {
    const std::string prefix = marks(paragraph.quote_depth);
    const std::size_t room = width > prefix.size() + 10 ? width - prefix.size() : 10;
    if (paragraph.fixed) {
      out.append(prefix).append(paragraph.text).append("\n");
      continue;
    }
    for (std::string_view line : wrapped(paragraph.text, room + 1)) {
      while (line.ends_with(' ')) line.remove_suffix(1);
      out.append(prefix).append(line).append("\n");
    }
  }
  return out;
}

std::string make_flowed(std::string_view text, std::size_t width) {
  std::string out;
  while (!text.empty()) {
    std::string_view line = take_line(text);
    const std::size_t depth = take_marks(line);
    if (depth > 0 && line.starts_with(' ')) line.remove_prefix(1);
    const bool signature = depth == 0 && line == "-- ";
    while (!signature && line.ends_with(' ')) line.remove_suffix(1);
    const std::string prefix = marks(depth);
    for (const std::string_view part :
         wrapped(line, width > prefix.size() ? width - prefix.size() : 1)) {
      out += prefix;
      const bool stuff = depth == 0 && (part.starts_with(' ') || part.starts_with('>') ||
                                        part.starts_with("From "));
      if (stuff) out += ' ';
      out.append(part).append("\n");
    }
  }
  return out;
}

}  // namespace posthorn::message
