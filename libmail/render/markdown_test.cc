#include "libmail/render/markdown.h"

#include <catch2/catch.hpp>

using namespace posthorn::render;

namespace {

// Without the frame of the document.
std::string body(std::string_view text) {
  const std::string html = markdown_to_html(text);
  const std::size_t begin = html.find("<body>\n") + 7;
  return html.substr(begin, html.find("</body>") - begin);
}

}  // namespace

TEST_CASE("markdown_to_html: CommonMark, tables and bare links") {
  CHECK(body("# Title\n\nText with *emphasis*, **strength** and `code`.\n") ==
        "<h1>Title</h1>\n<p>Text with <em>emphasis</em>, <strong>strength</strong> and "
        "<code>code</code>.</p>\n");
  CHECK(body("* a\n* b\n\n> quoted\n") ==
        "<ul>\n<li>a</li>\n<li>b</li>\n</ul>\n<blockquote>\n<p>quoted</p>\n</blockquote>\n");
  CHECK(body("[x](https://a.test/?a=1&b=2)") ==
        "<p><a href=\"https://a.test/?a=1&amp;b=2\">x</a></p>\n");
  CHECK(body("see https://a.test/") ==
        "<p>see <a href=\"https://a.test/\">https://a.test/</a></p>\n");
  CHECK(body("| a | b |\n|---|---|\n| 1 | 2 |\n").find("<td>1</td>") != std::string::npos);
  CHECK(markdown_to_html("ü").find("<meta charset=\"utf-8\">") != std::string::npos);
}

TEST_CASE("markdown_to_html: HTML is text, and no link does more than lead somewhere") {
  CHECK(body("<script>x</script>") == "<p>&lt;script&gt;x&lt;/script&gt;</p>\n");
  CHECK(body("a <b onclick=x>") == "<p>a &lt;b onclick=x&gt;</p>\n");
  const std::string evil =
      GENERATE(as<std::string>(), "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))",
               "<javascript:alert(1)>", "![x](data:text/html,y)", "[x](vbscript:y)",
               "[x][1]\n\n[1]: javascript:y", "[x](java&#115;cript&#58;y)");
  CAPTURE(evil, body(evil));
  CHECK(body(evil).find("=\"#\"") != std::string::npos);
  CHECK(body("[x](#top) [y](../z) [w](/a:b) ![i](cid:1@a)").find("=\"#\"") == std::string::npos);
}

TEST_CASE("markdown_to_html: a megabyte of brackets is no attack") {
  CHECK(body(std::string(1'000'000, '[')).size() > 1'000'000);
  CHECK(body("a" + std::string(1'000'000, '*') + "b").size() > 100);
  CHECK(body(std::string(200'000, '>')).size() > 100);
}
