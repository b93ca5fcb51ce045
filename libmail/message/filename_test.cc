#include "libmail/message/filename.h"

#include <catch2/catch.hpp>

using namespace posthorn::message;

namespace {

ParameterList parsed(const std::string& text) {
  Anomalies anomalies;
  return parse_parameters(text, anomalies);
}

}  // namespace

TEST_CASE("filename_for_disk: gives a name that is only a name, on every system") {
  const auto [name, expected] = GENERATE(table<std::string, std::string>({
      {"report.pdf", "report.pdf"},
      {"Größe 1.txt", "Größe 1.txt"},
      {"../../etc/passwd", "passwd"},
      {"C:\\Windows\\win.ini", "win.ini"},
      {"C:win.ini", "C_win.ini"},
      {"a/b\\c", "c"},
      {"..", "attachment"},
      {"...", "attachment"},
      {"", "attachment"},
      {"/", "attachment"},
      {".bashrc", "bashrc"},
      {"x.exe. . ", "x.exe"},
      {"a\r\nb\0c.txt", "ab"},
      {"gpj.\u202e\u2066exe.doc", "gpj.exe.doc"},
      {"a\u200bb\ufeff.txt", "ab.txt"},
      {"a<b>c:\"|?*.txt", "a_b_c_____.txt"},
      {"CON", "_CON"},
      {"con.txt", "_con.txt"},
      {"LPT1.tar.gz", "_LPT1.tar.gz"},
      {"COM¹", "_COM¹"},
      {"console.txt", "console.txt"},
      {"-rf", "_rf"},
      {"~root", "_root"},
      {"bad\xff.txt", "bad\ufffd.txt"},
      {"a\u00a0b", "a b"},
  }));
  CAPTURE(name);
  CHECK(filename_for_disk(name) == expected);
}

TEST_CASE("filename_for_disk: a long name is cut between characters, its extension kept") {
  const std::string name = filename_for_disk(std::string(300, 'x') + ".pdf");
  CHECK(name.size() == 200);
  CHECK(name.ends_with("x.pdf"));
  std::string umlauts;
  for (int i = 0; i < 300; ++i) umlauts += "ü";
  const std::string cut = filename_for_disk(umlauts + ".txt");
  CHECK(cut.size() <= 200);
  CHECK(cut.find("\ufffd") == std::string::npos);
  CHECK(cut.ends_with("ü.txt"));
  CHECK(filename_for_disk("a." + std::string(300, 'y')).size() == 200);
  CHECK(filename_for_disk(std::string(199, 'x') + " y" + std::string(40, 'z')) ==
        std::string(199, 'x'));
}

TEST_CASE("filename_for_display: shows what would steer the text around it") {
  CHECK(filename_for_display("plain.txt") == "plain.txt");
  CHECK(filename_for_display("cod\u202exslx.exe") == "cod<U+202E>xslx.exe");
  CHECK(filename_for_display("a\nb\x1b[2J") == "a<U+000A>b<U+001B>[2J");
  CHECK(filename_for_display("שלום.exe") == "\u2068שלום.exe\u2069");
  CHECK(filename_for_display("a\u2069b") == "a<U+2069>b");
}

TEST_CASE("filename_danger: judges what a click would open") {
  const auto [name, danger] = GENERATE(table<std::string, int>({
      {"a.txt", 0},
      {"a.exe", 2},
      {"a.EXE ", 2},
      {"a.exe...", 2},
      {"a.ex\u200be", 2},
      {"a.txt.lnk", 2},
      {"a.zip", 1},
      {"a.html", 1},
      {"a", 0},
      {"exe", 0},
      {"a.", 0},
  }));
  CAPTURE(name);
  CHECK(filename_danger(name) == danger);
}

TEST_CASE("has_hidden_extension: knows the disguises of a program") {
  CHECK(has_hidden_extension("invoice.pdf.exe"));
  CHECK(has_hidden_extension("photo.jpg                     .scr"));
  CHECK(has_hidden_extension("gpj.\u202e.exe"));
  CHECK_FALSE(has_hidden_extension("setup.exe"));
  CHECK_FALSE(has_hidden_extension("setup-1.2.exe"));
  CHECK_FALSE(has_hidden_extension("archive.tar.gz"));
}

TEST_CASE("part_filename: of two names a part goes by the more dangerous one") {
  const ParameterList none;
  const auto one = parsed("; filename=a.txt");
  CHECK(part_filename(&one, nullptr).name == "a.txt");
  CHECK_FALSE(part_filename(&one, &none).conflicting);
  const auto two = parsed("; filename=a.exe; filename*=utf-8''a.txt");
  CHECK(part_filename(&two, nullptr).name == "a.exe");
  CHECK(part_filename(&two, nullptr).conflicting);
  const auto type = parsed("; name=b.scr");
  CHECK(part_filename(&one, &type).name == "b.scr");
  const auto same = parsed("; name=a.txt");
  CHECK_FALSE(part_filename(&one, &same).conflicting);
  CHECK(part_filename(nullptr, &same).name == "a.txt");
  CHECK(part_filename(nullptr, nullptr).name.empty());
}
