// HTML of strangers: any octets give well-formed text without controls, and Markdown gives HTML that holds none.
#include <cstdint>

#include "libmail/base/result.h"
#include "libmail/base/text.h"
#include "libmail/message/utf8.h"
#include "libmail/render/html_text.h"
#include "libmail/render/html_tokens.h"
#include "libmail/render/markdown.h"

using namespace posthorn;
using namespace posthorn::render;

namespace {

void hold(bool condition, int line = __builtin_LINE()) {
  check(condition, "what has to hold", __builtin_FILE(), line);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const HtmlText shown = html_to_text(octets, {.width = 30, .depth = 8, .links = 4});
  hold(is_utf8(shown.text));
  hold(shown.links.size() <= 4);
  std::string_view rest = shown.text;
  while (!rest.empty()) {
    const char32_t c = message::take_code_point(rest);
    hold(c == '\n' || !message::is_control(c));
  }

  const std::string text = message::repair_utf8(octets);
  const std::string html = markdown_to_html(text);
  HtmlTokenizer made(html);
  HtmlToken token;
  while (made.next(token)) {
    if (token.kind != HtmlToken::Kind::start) continue;
    hold(token.text != "script" && token.text != "style" && token.text != "iframe");
    const std::string target = lower(token.attribute("href"));
    hold(target.find("script:") != 0 && target.find("javascript:") != 0 &&
         target.find("data:") != 0);
  }
  return 0;
}
