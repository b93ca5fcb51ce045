#include "agents/mua/ui/draw.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

#include "agents/mua/output.h"
#include "agents/mua/ui/sample.h"

using namespace posthorn;
using namespace posthorn::mua;
using namespace posthorn::mua::ui;
using Code = Key::Code;

namespace {

// The screen as text, a bar at the end of each row.
std::string picture(const Sample& sample) {
  const Model& model = sample.model();
  const Screen screen = draw(model, model.width, model.height);
  std::string all = "\n";
  for (int y = 0; y < screen.height; ++y) all += screen.text_of(y) + "|\n";
  return all;
}

struct Utc {
  Utc() {
    ::setenv("TZ", "UTC", 1);  // NOLINT(concurrency-mt-unsafe): tests are one thread
    ::tzset();
  }
};
const Utc utc;

}  // namespace

TEST_CASE("mua ui: the list at 80 columns") {
  Sample sample(80, 10);
  sample.fill();
  CHECK(picture(sample) == R"(
 mua  carl  INBOX                                             3 messages, 2 new|
N    2026-10-26 10:33 山田             日本語の件名|
N    2026-10-26 08:33 Jürgen           Plan|
N    2026-10-26 09:33 Ann              └─Re: Plan|
|
|
|
|
|
 ?:help  q:quit  Enter:open  /:search  c:compose  r:reply  d:delete|
)");
}

TEST_CASE("mua ui: the list at 40x10, the smallest") {
  Sample sample(40, 10);
  sample.fill();
  CHECK(picture(sample) == R"(
 mua  carl  INBOX     3 messages, 2 new|
N    10-26 山田       日本語の件名|
N    10-26 Jürgen     Plan|
N    10-26 Ann        └─Re: Plan|
|
|
|
|
|
 ?:help  q:quit  Enter:open  /:search|
)");
}

TEST_CASE("mua ui: below 40x10 there is one line that says so") {
  Sample sample(39, 9);
  CHECK(picture(sample) == R"(
39x9 is too small: mua needs 40x10|
|
|
|
|
|
|
|
|
)");
  const Screen tiny = draw(sample.model(), 3, 1);
  CHECK(tiny.text_of(0) == "3x\u2026");
}

TEST_CASE("mua ui: folders, list and message at 100 columns") {
  Sample sample(100, 24);
  sample.fill().open("Guten Tag\n> zitiert\n\n" + std::string(90, 'x') + " ende\n");
  CHECK(picture(sample) == R"(
 mua  carl  INBOX                                                                 3 messages, 1 new|
 INBOX             1│     2026-10-26 10:33 山田            日本語の件名|
 Bin                │N    2026-10-26 08:33 Jürgen          Plan|
   C++             7│N    2026-10-26 09:33 Ann             └─Re: Plan|
                    │|
                    │|
                    │|
                    │|
                    │── 日本語の件名 ───────────────────────────────────────────────────────────────|
                    │From: 山田 <x@beta.test>|
                    │To: carl@dove.test|
                    │Date: 2026-10-26 10:33|
                    │Subject: 日本語の件名|
                    │|
                    │Guten Tag|
                    │> zitiert|
                    │|
                    │xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx|
                    │xxxxxxxxxxx ende|
                    │|
                    │|
                    │|
                    │|
 | setting flags|
)");
  const Screen screen = draw(sample.model(), 100, 24);
  CHECK(screen.styles_of(15).substr(21, 9) == "qqqqqqqqq");
  CHECK(screen.styles_of(1).substr(21, 4) == "rrrr");
  CHECK(screen.styles_of(2).substr(21, 4) == "bbbb");
}

TEST_CASE("mua ui: the status line says what it waits for, how long, and how to give up") {
  Sample sample(80, 10);
  sample.tell(Tick{sample.now + std::chrono::seconds(12)});
  Model model = sample.model();
  model.pending.front().since = sample.now;
  const Screen screen = draw(model, 80, 10);
  CHECK(screen.text_of(9) == " | opening INBOX, waiting for imap.dove.test: 12 s  (Esc gives up)");
}

TEST_CASE("mua ui: a folded conversation says how much it hides, and whether any of it is new") {
  Sample sample(80, 10);
  auto first = sample_message(1, "Ann", "Plan");
  first.flags.set(imap::SystemFlag::seen);
  sample.fill({first, sample_message(2, "Bob", "Re: Plan", "<1@beta.test>")}).press('t');
  CHECK(draw(sample.model(), 80, 10).text_of(1) ==
        "n    2026-10-26 08:33 Ann              [+1] Plan");
}

TEST_CASE("mua ui: nothing in a message steers the terminal") {
  Sample sample(80, 24);
  auto evil = sample_message(1, "E\x1b[2Jvil\u202E", "S\x1b]0;x\x07ub\u009B31m");
  sample.fill({evil}).open(shown_text("a\x1b[31mred\x07\u009B5m\x7F\u2028 end\r\n"));
  const Screen screen = draw(sample.model(), 80, 24);
  for (const Cell& cell : screen.cells) {
    for (const char c : cell.text) {
      CHECK(static_cast<unsigned char>(c) >= 0x20);
      CHECK(c != 0x7F);
    }
    CHECK(cell.text.find("\u009B") == std::string::npos);
    CHECK(cell.text.find("\u202E") == std::string::npos);
  }
}

TEST_CASE("mua ui: put() replaces controls whoever forgot to") {
  Screen screen(10, 1);
  CHECK(put(screen, {0, 0}, 10, "a\x1b[m\n\u0085z") == 7);
  CHECK(screen.text_of(0) == "a\uFFFD[m\uFFFD\uFFFDz");
}

TEST_CASE("mua ui: wide, combining and emoji characters take the columns they take") {
  Screen screen(8, 1);
  CHECK(put(screen, {0, 0}, 8, "e\u0301\u65E5\U0001F600x") == 6);
  CHECK(screen.at(0, 0).text == "e\u0301");
  CHECK(screen.at(1, 0).text == "\u65E5");
  CHECK(screen.at(2, 0).text.empty());
  CHECK(screen.at(5, 0).text == "x");
  // A wide one that does not fit is left out whole.
  Screen narrow(4, 1);
  CHECK(put(narrow, {0, 0}, 4, "\u65E5\u672C\u8A9E") == 3);
  CHECK(narrow.text_of(0) == "\u65E5\u2026");
  Screen many(2, 1);
  std::string zalgo = "a";
  for (int i = 0; i < 1000; ++i) zalgo += "\u0301";
  CHECK(put(many, {0, 0}, 2, zalgo) == 1);
  CHECK(many.at(0, 0).text.size() == 1 + 4 * 2);
}

TEST_CASE(
    "mua ui: lines are broken at blanks, long words where they must be, wide ones never in half") {
  using Rows = std::vector<std::string>;
  CHECK(wrap("one two three", 8) == Rows{"one two ", "three"});
  CHECK(wrap("abcdefghij", 4) == Rows{"abcd", "efgh", "ij"});
  CHECK(wrap("\u65E5\u672C\u8A9E", 3) == Rows{"\u65E5", "\u672C", "\u8A9E"});
  CHECK(wrap("", 10) == Rows{""});
  CHECK(wrap("a\tb", 20) == Rows{"a       b"});
  CHECK(wrap("ab cd", 2) == Rows{"ab", "cd"});
}

TEST_CASE("mua ui: prompt and chooser have the terminal's cursor where one types") {
  Sample sample(80, 10);
  sample.fill().press('/').type("abc").press(Code::left);
  Screen screen = draw(sample.model(), 80, 10);
  CHECK(screen.text_of(9) == " Search: abc");
  REQUIRE(screen.cursor);
  CHECK(screen.cursor->x == 11);
  sample.press(Code::escape).press('m');
  screen = draw(sample.model(), 80, 10);
  CHECK(screen.text_of(4).find("\u2502 Bin") != std::string::npos);
  CHECK(screen.text_of(5).find("\u2502 Lists/C++") != std::string::npos);
  REQUIRE(screen.cursor);
}

TEST_CASE("mua ui: the help fits the smallest screen by scrolling") {
  Sample sample(40, 10);
  sample.fill().press('?');
  const std::string first = draw(sample.model(), 40, 10).text_of(2);
  for (int i = 0; i < 40; ++i) sample.press('j');
  const std::string last = draw(sample.model(), 40, 10).text_of(7);
  CHECK(first.find("arrows") != std::string::npos);
  CHECK(last.find("^L ^Z") != std::string::npos);
}

TEST_CASE("mua ui: a long error is said whole, over more than one line") {
  Sample sample(40, 10);
  sample.fill().press('d');
  sample.tell(Failed{sample.model().pending.front().id,
                     "there is no folder for trash (trash = \"...\" in [accounts.carl.folders])"});
  const Screen screen = draw(sample.model(), 40, 10);
  CHECK(screen.text_of(8) + screen.text_of(9) ==
        " there is no folder for trash (trash ="
        "\"...\" in [accounts.carl.folders])");
}
