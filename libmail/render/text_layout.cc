#include "libmail/render/text_layout.h"

#include <algorithm>

#include "libmail/message/characters.h"
#include "libmail/message/utf8.h"

namespace posthorn::render {

namespace {

constexpr std::size_t deepest_prefix =
    40;  // columns; what lies deeper stands no further to the right
constexpr std::size_t narrowest = 10;

bool is_joiner(char32_t c) {
  return c == 0x200c || c == 0x200d;
}

}  // namespace

void TextLayout::put(char32_t c) {
  if (message::is_odd_space(c) || c == '\n' || c == '\r' || c == '\t' || c == '\f') c = ' ';
  const bool behind_blank = line_.empty() || line_.back() == ' ';
  if (c == ' ' ? behind_blank : message::is_control(c)) return;
  // Joiners are letters' business: between blanks they only fill a line up.
  if (message::is_invisible(c) && (!is_joiner(c) || behind_blank)) return;
  message::append_utf8(line_, c);
  ++columns_;
}

void TextLayout::flow(std::string_view text) {
  while (!text.empty()) put(message::take_code_point(text));
}

void TextLayout::preformatted(std::string_view text) {
  while (!text.empty()) {
    const char32_t c = message::take_code_point(text);
    if (c == '\n') {
      write(line_);
      clear_line();
    } else if (c == '\t') {
      const std::size_t blanks = 8 - columns_ % 8;
      line_.append(blanks, ' ');
      columns_ += blanks;
    } else if (!message::is_control(c) && (!message::is_invisible(c) || is_joiner(c))) {
      message::append_utf8(line_, c);
      ++columns_;
    }
  }
}

void TextLayout::literal(std::string_view text) {
  line_.append(text);
  columns_ += message::count_code_points(text);
}

void TextLayout::clear_line() {
  line_.clear();
  columns_ = 0;
}

// Cuts the paragraph at blanks.
void TextLayout::end_line() {
  std::string_view rest = line_;
  while (rest.ends_with(' ')) rest.remove_suffix(1);
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  std::size_t indent = 0;
  for (const Container& container : containers_) {
    if (indent >= deepest_prefix) break;
    indent += container.kind == Kind::quote ? 2 : container.indent;
  }
  indent = std::min(indent, deepest_prefix);
  const std::size_t room = width_ > indent + narrowest ? width_ - indent : narrowest;
  while (!rest.empty()) {
    std::size_t columns = 0;
    std::size_t cut = 0;
    std::size_t at = 0;
    for (; at < rest.size() && (columns <= room || cut == 0); ++at) {
      if (rest[at] == ' ' && columns <= room) cut = at;
      if (rest[at] == ' ' && columns > room && cut == 0) cut = at;
      if ((rest[at] & 0xc0) != 0x80) ++columns;
    }
    if (columns <= room || cut == 0) cut = rest.size();
    write(rest.substr(0, cut));
    rest.remove_prefix(cut);
    while (rest.starts_with(' ')) rest.remove_prefix(1);
  }
  clear_line();
}

void TextLayout::end_paragraph() {
  end_line();
  if (!gap_) gap_quote_ = quote();
  gap_ = true;
}

// The quote marks of an empty line.
std::string TextLayout::quote() const {
  std::string out;
  for (const Container& container : containers_) {
    if (out.size() >= deepest_prefix) break;
    if (container.kind == Kind::quote) out += out.empty() ? ">" : " >";
  }
  return out;
}

void TextLayout::rule() {
  end_line();
  write(std::string(std::min<std::size_t>(width_, 40), '-'));
}

std::string TextLayout::prefix() {
  std::string out;
  for (Container& container : containers_) {
    if (out.size() >= deepest_prefix) break;
    if (container.kind == Kind::quote) {
      out += "> ";
    } else if (!container.marker.empty()) {
      out += container.marker;
      container.marker.clear();
    } else {
      out.append(container.indent, ' ');
    }
  }
  if (!containers_.empty()) containers_.back().marker.clear();
  if (out.size() > deepest_prefix) out.resize(deepest_prefix);
  return out;
}

void TextLayout::write(std::string_view line) {
  if (gap_ && !out_.empty()) {
    // Between two quotes of different depth the empty line belongs to the outer one.
    out_.append(std::string_view(gap_quote_).substr(0, quote().size())).append("\n");
  }
  gap_ = false;
  const std::size_t begin = out_.size();
  out_.append(prefix()).append(line);
  while (out_.size() > begin && out_.back() == ' ') out_.pop_back();
  out_ += '\n';
}

void TextLayout::open(Kind kind, std::size_t first_number) {
  end_line();
  if (containers_.size() == depth_) return;
  containers_.push_back({kind, first_number, {}, 0});
}

void TextLayout::pop_to(std::size_t size) {
  end_line();
  // An item without text is a line of its own.
  if (!containers_.empty() && !containers_.back().marker.empty()) write({});
  containers_.resize(size);
}

void TextLayout::close(Kind kind) {
  const auto found = std::find_if(containers_.rbegin(), containers_.rend(),
                                  [kind](const Container& c) { return c.kind == kind; });
  if (found == containers_.rend()) return end_line();
  pop_to(static_cast<std::size_t>(containers_.rend() - found) - 1);
}

void TextLayout::open_item() {
  close_item();
  if (containers_.size() == depth_) return;
  std::string marker = "* ";
  if (!containers_.empty() && containers_.back().kind == Kind::numbers)
    marker = std::to_string(containers_.back().number++) + ". ";
  const std::size_t indent = marker.size();
  containers_.push_back({Kind::item, 1, std::move(marker), indent});
}

// The open item, unless another list or a quote began within it.
void TextLayout::close_item() {
  end_line();
  if (!containers_.empty() && containers_.back().kind == Kind::item) pop_to(containers_.size() - 1);
}

std::string TextLayout::take() {
  end_line();
  return std::move(out_);
}

}  // namespace posthorn::render
