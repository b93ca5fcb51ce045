// Markdown as people write it into mail, to HTML.
#pragma once

#include <string>
#include <string_view>

namespace posthorn::render {

// CommonMark with tables, strikethrough and bare links, as a whole HTML document in UTF-8 with LF ends.
// `text` is well-formed UTF-8. HTML in it is text like any other; links and images to anything but http, https, mailto,
// ftp, tel, cid or a relative place lead nowhere.
[[nodiscard]] std::string markdown_to_html(std::string_view text);

}  // namespace posthorn::render
