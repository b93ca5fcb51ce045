#include "libmail/render/markdown.h"

#include <md4c-html.h>

#include <algorithm>
#include <array>

#include "libmail/base/text.h"

namespace posthorn::render {

namespace {

constexpr std::array<std::string_view, 6> schemes = {
    "http:", "https:", "mailto:", "ftp:", "tel:", "cid:"};

// Whether a link can do nothing but lead somewhere.
bool is_harmless(std::string_view target) {
  const std::size_t colon = target.find(':');
  if (colon == std::string_view::npos) {
    // A reference can hide the colon.
    return target.find("&#") == std::string_view::npos &&
           target.find('\\') == std::string_view::npos;
  }
  if (target.find_first_of("/?#") < colon) return true;
  return std::ranges::any_of(schemes, [&](std::string_view s) { return istarts_with(target, s); });
}

// md4c escapes '"' everywhere but around the attributes it writes, so these marks are its own.
std::string without_harm(std::string_view html) {
  std::string out;
  for (std::size_t tag = html.find('<'); tag != std::string_view::npos; tag = html.find('<')) {
    out.append(html.substr(0, tag));
    html.remove_prefix(tag);
    std::size_t begin = 1;
    for (const std::string_view mark : {"<a href=\"", "<img src=\""}) {
      if (html.starts_with(mark)) begin = mark.size();
    }
    out.append(html.substr(0, begin));
    html.remove_prefix(begin);
    if (begin == 1) continue;
    const std::string_view target = html.substr(0, html.find('"'));
    out.append(is_harmless(target) ? target : std::string_view("#"));
    html.remove_prefix(target.size());
  }
  return out.append(html);
}

}  // namespace

std::string markdown_to_html(std::string_view text) {
  std::string body;
  const auto append = [](const MD_CHAR* piece, MD_SIZE size, void* into) {
    static_cast<std::string*>(into)->append(piece, size);
  };
  constexpr unsigned flags = MD_FLAG_NOHTML | MD_FLAG_TABLES | MD_FLAG_STRIKETHROUGH |
                             MD_FLAG_PERMISSIVEURLAUTOLINKS | MD_FLAG_PERMISSIVEEMAILAUTOLINKS;
  (void)md_html(text.data(), static_cast<MD_SIZE>(text.size()), append, &body, flags, 0);
  return "<!DOCTYPE html>\n<html>\n<head><meta charset=\"utf-8\"></head>\n<body>\n" +
         without_harm(body) + "</body>\n</html>\n";
}

}  // namespace posthorn::render
