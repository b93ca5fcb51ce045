#include "libmail/render/html_text.h"

#include <catch2/catch.hpp>

#include "libmail/base/text.h"
#include "libmail/render/html_tokens.h"

using namespace posthorn;
using namespace posthorn::render;

namespace {

std::string shown(std::string_view html, std::size_t width = 78) {
  return html_to_text(html, {.width = width}).text;
}

std::string tokens(std::string_view html) {
  HtmlTokenizer tokenizer(html);
  HtmlToken token;
  std::string out;
  while (tokenizer.next(token)) {
    out += token.kind == HtmlToken::Kind::text    ? "'" + token.text + "'"
           : token.kind == HtmlToken::Kind::start ? "<" + token.text
                                                  : "</" + token.text;
    for (const auto& [name, value] : token.attributes) out += " " + name + "=" + value;
    if (token.kind != HtmlToken::Kind::text) out += token.self_closing ? "/>" : ">";
  }
  return out;
}

}  // namespace

TEST_CASE("HtmlTokenizer: cuts as browsers do") {
  const auto [html, expected] = GENERATE(table<std::string, std::string>({
      {"<P Class=a>x</p >y", "<p class=a>'x'</p>'y'"},
      {"a<b", "'a'"},
      {"1 < 2 <3 </", "'1 ''< 2 ''<3 ''</'"},
      {"<a href='x&amp;y' b=\"&copy=1\" c=d/e f>", "<a href=x&y b=&copy=1 c=d/e f=>"},
      {"<br/><img/src=x/onerror=y>", "<br/><img src=x/onerror=y>"},
      {"<a a=1 A=2 a=3>", "<a a=1>"},
      {"x<!-- <b> -- > -->y<!-->z<!--->w<!--a--!>v", "'x''y''z''w''v'"},
      {"x<!-- never closed <b>", "'x'"},
      {"<!DOCTYPE html><?xml?><![CDATA[<b>]]></>x", "']]>''x'"},
      {"<script>if (a<b) '</scripty>'</script>x", "<script></script>'x'"},
      {"<style><!--</style>x--></style>", "<style></style>'x-->'</style>"},
      {"<title>a<b>&amp;</title>", "<title>'a<b>&'</title>"},
      {"<plaintext></plaintext><b>", "<plaintext>'</plaintext><b>'"},
      {"&amp;&lt;&nbsp;&#228;&#xE4;&#128;&#0;&#xd800;&bogus;&auml&euro",
       "'&<\u00a0ää€\ufffd\ufffd&bogus;ä&euro'"},
      {"&#x110000;&#99999999999;&#;&", "'\ufffd\ufffd&#;&'"},
      // Names of HTML 5; those that were there before do without ';', and with more letters behind them.
      {"&apos;&lpar;&Tab;&hearts;&NewLine;&OpenCurlyDoubleQuote;&scaron;&DZcy;&ffilig;",
       "''(\t\u2665\n\u201cš\u040f\ufb03'"},
      {"&copy2026 &notit; &num=1 &excl &CounterClockwiseContourIntegral;",
       "'©2026 ¬it; &num=1 &excl &CounterClockwiseContourIntegral;'"},
      {"<a href='?x&copy2=1&copy;&not&amp'>", "<a href=?x&copy2=1©¬&>"},
      {"<=x>", "'<=x>'"},
      {"<a\"b=c>", "<a\"b=c>"},
  }));
  CAPTURE(html);
  CHECK(tokens(html) == expected);
}

TEST_CASE("html_to_text: paragraphs, headings and breaks") {
  CHECK(shown("<h1>Title</h1><p>One\n two   three</p><p>four<br>five</p><div>six</div>seven") ==
        "Title\n\nOne two three\n\nfour\nfive\n\nsix\nseven\n");
  CHECK(shown("<p>one two three four five", 20) == "one two three four\nfive\n");
  CHECK(shown("<p>" + std::string(30, 'x') + " y", 20) == std::string(30, 'x') + "\ny\n");
  CHECK(shown("<pre>\na  b\n\tc\n</pre>d") == "a  b\n        c\n\nd\n");
  CHECK(shown("a<hr>b") == "a\n" + std::string(40, '-') + "\nb\n");
  CHECK(shown("").empty());
}

TEST_CASE("html_to_text: lists, quotes and tables") {
  CHECK(shown("<ul><li>one<li>two<ol start=9><li>a<li>b</ol></ul>end") ==
        "* one\n* two\n  9. a\n  10. b\nend\n");
  CHECK(shown("<ol><li>one two three four<li></ol>x", 20) == "1. one two three\n   four\n2.\nx\n");
  CHECK(shown("<blockquote><p>a</p><p>b<blockquote>c</blockquote></blockquote>d") ==
        "> a\n>\n> b\n>\n> > c\n\nd\n");
  CHECK(shown("<table><tr><th>Name<th>Price<tr><td>Tea</td><td>2 €</td></table>after") ==
        "Name  Price\nTea  2 €\nafter\n");
  CHECK(shown("</ul></li></blockquote>x<li>y") == "x\n* y\n");
}

TEST_CASE("html_to_text: links are numbered, each once, and listed") {
  const HtmlText result = html_to_text(
      "<a href=\"https://a.test/x y\">one</a>, <a href=\" https://a.test/x y \">two</a>, "
      "<a href=https://b.test>https://b.test</a>, <a href='mailto:ann@a.test'>ann@a.test</a>");
  CHECK(result.text == "one[1], two[1], https://b.test, ann@a.test\n\n[1] https://a.test/x%20y\n");
  CHECK(result.links == std::vector<std::string>{"https://a.test/x%20y"});
}

TEST_CASE("html_to_text: a link that says another host than it leads to is shown to do so") {
  CHECK(shown("<a href='https://evil.test/'>www.bank.test</a>") ==
        "www.bank.test[1]\n\n[1] https://evil.test/  (the text says bank.test)\n");
  CHECK(shown("<a href='https://bank.test@evil.test/'>https://bank.test/login</a>")
            .find("(the text says bank.test)") != std::string::npos);
  CHECK(shown("<a href='https://www.bank.test/a'>bank.test</a>").find("says") == std::string::npos);
}

// One input for each way that mail clients have been attacked (the CVE numbers are Roundcube's).
TEST_CASE("html_to_text: evil HTML is text or nothing") {
  const std::string evil = GENERATE(
      as<std::string>(), "<script>evil()</script>ok", "<svg><script>evil()</script></svg>ok",
      "<svg><use href=\"data:image/svg+xml;base64,evil\"/></svg>ok",           // 2023-5631
      "<svg><animate attributeName=href values=javascript:evil() /></svg>ok",  // 2024-37383
      "<svg><style>@import 'https://evil.test'</style></svg>ok",               // 2025-68461
      "<math><mtext><table><mglyph><style><img src=x onerror=evil()></style></math>ok",
      "<img src=\"https://evil.test/pixel\" width=1 height=1>ok",  // tracking
      "<style>@import url(https://evil.test); p{background:url(//evil.test)}</style>ok",
      "<body background=\"https://evil.test/x\" onload=evil()>ok",  // 2026-26079
      "<div style=\"background:url(https://evil.test)\">ok</div>",
      "<a href=\"javascript:evil()\">ok</a>", "<a href=\"java\tscript:evil()\">ok</a>",
      "<a href=\"&#106;avascript:evil()\">ok</a>", "<a href=\"data:text/html,evil\">ok</a>",
      "<a href=\"vbscript:evil\">ok</a>", "<iframe src=evil srcdoc=\"evil\">evil</iframe>ok",
      "<object data=evil type=text/html></object>ok", "<embed src=evil>ok",
      "<form action=https://evil.test><input name=p value=evil></form>ok",
      "<base href=https://evil.test/>ok", "<meta http-equiv=refresh content=\"0;url=evil\">ok",
      "<link rel=stylesheet href=https://evil.test>ok", "<template>evil</template>ok",
      "<title>evil</title>ok", "<noembed>evil</noembed>ok", "<xmp>evil</xmp>ok",
      "<select><option>evil</select>ok", "<textarea>evil</textarea>ok", "<!-- evil -->ok",
      "<!--[if mso]>evil<![endif]-->ok", "<a href='https://x' title=evil></a>ok",
      "<div style='display : none'><div>evil</div>evil</div>ok", "ok<script>evil", "ok<!-- evil",
      "ok<svg>evil", "ok<a href=\"evil");
  CAPTURE(evil);
  const HtmlText result = html_to_text(evil);
  CHECK(result.text.find("evil") == std::string::npos);
  CHECK(result.text.find("ok") != std::string::npos);
}

TEST_CASE("html_to_text: nothing steers the screen or the direction of text") {
  CHECK(shown("a&#27;[2Jb\x1b[31mc&#x9b;d") == "a[2Jb[31mc\u203ad\n");
  CHECK(shown("a\u202eb&#x202e;c\u2066d\u200be") == "abcde\n");
  CHECK(shown("x&nbsp;&zwnj;&nbsp;&zwnj;&nbsp;y") == "x y\n");
  CHECK(shown("<a href='https://a.test/&#27;[2J&#x202e;'>l</a>") ==
        "l[1]\n\n[1] https://a.test/[2J\n");
  CHECK(shown("\xff\xfe") == "\ufffd\ufffd\n");
}

TEST_CASE("html_to_text: SVG and templates can't hide the rest of the mail behind a breakout") {
  CHECK(shown("<svg><path/><p>seen") == "seen\n");
  CHECK(shown("<svg/>seen") == "seen\n");
}

TEST_CASE("html_to_text: reads two megabytes and says that there was more") {
  const HtmlText result = html_to_text(std::string(3 << 20, 'x'));
  CHECK(result.cut);
  CHECK(result.text.size() == (2 << 20) + 1);
  CHECK_FALSE(html_to_text("x").cut);
}

// What costs more with each octet doesn't come to an end here: ctest's time limit is for that, `scripts/bench mime` for figures.
TEST_CASE("html_to_text: a line of two million tabs is no reason to count it two million times") {
  const HtmlText result = html_to_text("<pre>" + std::string(2 << 20, '\t') + "end");
  CHECK(result.text.size() < 64 << 20);
  CHECK(html_to_text("<pre>ab\tc\n\td</pre>").text == "ab      c\n        d\n");
}

TEST_CASE("html_to_text: much of the worst comes to an end and takes bounded room") {
  const std::string unit = GENERATE(as<std::string>(), "<b>", "<div>", "<blockquote>", "<ul><li>",
                                    "<ul>x<br>", "<font color=1><p>", "<", "&", "<a b=c ", "<!--",
                                    "<a href=https://x/>y", "<table><tr><td>", "</p>", "<svg>",
                                    "a ", "<pre>\t", "&#0;", "<li>", "<p>x", "<script>");
  std::string html;
  while (html.size() < (256 << 10)) html += unit;
  CAPTURE(unit);
  const HtmlText result = html_to_text(html);
  CHECK(result.text.size() < 32 * html.size());
  CHECK(is_utf8(result.text));
}
