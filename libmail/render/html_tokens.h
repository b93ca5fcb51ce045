// HTML cut into tags and text the way browsers do it (WHATWG HTML 13.2.5), in one pass and without a tree.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace posthorn::render {

struct HtmlToken {
  enum class Kind : std::uint8_t { text, start, end };
  Kind kind = Kind::text;
  std::string text;  // character references decoded; of a tag its name in lower case
  std::vector<std::pair<std::string, std::string>>
      attributes;  // lower-case names, the first of each
  bool self_closing = false;

  // "" if there is none.
  [[nodiscard]] std::string_view attribute(std::string_view name) const;
};

// Comments, doctypes and what looks like them are left out; the contents of script, style, xmp, iframe, noembed and
// noframes, too, while their tags are given. title and textarea hold text, whatever is in them.
class HtmlTokenizer {
 public:
  // `html` must outlive the tokenizer.
  explicit HtmlTokenizer(std::string_view html) : html_(html) {}
  // False at the end.
  [[nodiscard]] bool next(HtmlToken& token);

 private:
  bool markup(HtmlToken& token);
  bool tag(HtmlToken& token);
  void attribute(HtmlToken& token);
  void comment();
  void raw_text(HtmlToken& token);
  void skip_blanks();
  [[nodiscard]] char at(std::size_t place) const {
    return place < html_.size() ? html_[place] : '\0';
  }

  std::string_view html_;
  std::size_t at_ = 0;
  std::string raw_;     // of this element the contents come next
  bool plain_ = false;  // behind <plaintext> there is no markup any more
};

// Appends `text` with its character references decoded (&amp;, &#228;, &nbsp without its ';').
void append_decoded(std::string& out, std::string_view text, bool in_attribute);

}  // namespace posthorn::render
