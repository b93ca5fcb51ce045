#include "libmail/message/base_subject.h"

#include <catch2/catch.hpp>

using namespace posthorn::message;

TEST_CASE("base_subject: takes off what replies and forwards add (RFC 5256 2.1)") {
  const auto [subject, expected, reply] = GENERATE(table<std::string, std::string, bool>({
      {"Hello", "Hello", false},
      {"Re: Hello", "Hello", true},
      {"RE: re : Fwd: FW: Hello", "Hello", true},
      {"Re[2]: Hello", "Hello", true},
      {"[list] Re: [list] Hello", "Hello", true},
      {"[list] Hello", "Hello", false},
      {"[a][b] Hello", "Hello", false},
      {"Hello (fwd)", "Hello", true},
      {"Hello (fwd) (FWD) ", "Hello", true},
      {"[fwd: Hello]", "Hello", true},
      {"[Fwd: Re: [list] Hello (fwd)]", "Hello", true},
      {"  a \t  b\r\n c ", "a b c", false},
      {"=?utf-8?Q?Re=3A_Gr=C3=BC=C3=9Fe?=", "Grüße", true},
      {"Regarding: this", "Regarding: this", false},
      {"Re", "Re", false},
      {"[list]", "[list]", false},
      {"Re:", "", true},
      {"[open Hello", "[open Hello", false},
      {"AW: Hello", "AW: Hello", false},
      {"", "", false},
  }));
  CAPTURE(subject);
  const BaseSubject base = base_subject(subject);
  CHECK(base.text == expected);
  CHECK(base.reply == reply);
}

TEST_CASE("base_subject: a megabyte of leaders is taken off in linear time") {
  std::string subject;
  for (int i = 0; i < 250'000; ++i) subject += "Re: ";
  CHECK(base_subject(subject + "x").text == "x");
  std::string blobs;
  for (int i = 0; i < 300'000; ++i) blobs += "[x]";
  CHECK(base_subject(blobs).text == "[x]");
}
