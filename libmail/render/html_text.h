// HTML of mail as text for people. Nothing is fetched, run or obeyed: scripts, styles, forms' contents, SVG and
// MathML are left out, links are numbered and listed below, images are their alternative text.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::render {

struct HtmlTextOptions {
  std::size_t width = 78;       // columns that paragraphs are wrapped to
  std::size_t input = 2 << 20;  // octets that are read; the rest is left out
  std::size_t depth = 512;      // of lists and quotes; deeper ones are shown like the last
  std::size_t links = 2000;     // that are numbered
  bool list_links = true;       // below the text
};

struct HtmlText {
  std::string text;                // UTF-8, LF ends, no controls, no bidirectional controls
  std::vector<std::string> links;  // [0] is "[1]" in the text
  bool cut = false;                // there was more than HtmlTextOptions::input
};

// `html` is well-formed UTF-8 (what message::TextDecoder makes). Any input gives a text; linear in its size, does not
// recurse. Links other than http, https, mailto, ftp, tel are not listed. A link whose text names another host than
// it leads to says so in the list.
[[nodiscard]] HtmlText html_to_text(std::string_view html, const HtmlTextOptions& options = {});

}  // namespace posthorn::render
