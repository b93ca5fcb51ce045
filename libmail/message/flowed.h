// Text of format=flowed (RFC 3676): lines that a reader may join and wrap to its own width.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace posthorn::message {

struct FlowedParagraph {
  std::size_t quote_depth = 0;
  std::string text;    // lines joined, space-stuffing and quote marks taken away
  bool fixed = false;  // one line that isn't to be wrapped (it did not flow)
};

// `text` is UTF-8 with CRLF or LF ends. "-- " stays a line of its own.
[[nodiscard]] std::vector<FlowedParagraph> parse_flowed(std::string_view text, bool delsp = false);
// For a screen of `width` columns; quote marks as "> " (">> " at depth 2). Fixed lines stay as long as
// they are. Width is counted in characters; words longer than a line are not cut.
[[nodiscard]] std::string reflow(const std::vector<FlowedParagraph>& paragraphs, std::size_t width);
// Text as people write it (a paragraph is one long line or several; quoted lines begin with '>') to format=flowed
// without DelSp: lines of at most 72 characters, space-stuffed, trailing blanks only where it flows. LF ends.
[[nodiscard]] std::string make_flowed(std::string_view text, std::size_t width = 72);

}  // namespace posthorn::message
