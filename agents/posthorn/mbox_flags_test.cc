#include "agents/posthorn/mbox_flags.h"

#include <catch2/catch.hpp>

#include "libmail/store/snapshot.h"

namespace posthorn::operate {
namespace {

namespace flag = store::flag;

TEST_CASE("mbox flags: what is written is taken out again, and lines of the message itself stay") {
  MboxFlags flags;
  flags.flags = flag::seen | flag::flagged | flag::deleted;
  flags.keywords = {"$Forwarded", "work"};
  const std::string message = "Status: own\nSubject: x\n\nStatus: body\n";
  std::string written = mbox_flag_lines(flags) + message;
  CHECK(written.starts_with("Status: RO\nX-Status: FD\nX-Keywords: $Forwarded work\n"));
  CHECK(take_mbox_flags(written) == flags);
  CHECK(written == message);
  std::string none = mbox_flag_lines(MboxFlags()) + message;
  CHECK(take_mbox_flags(none) == MboxFlags());
  CHECK(none == message);
}

TEST_CASE("mbox flags: those of other programs stand anywhere in the header") {
  std::string message =
      "Subject: x\nX-Keywords: a\n b\nstatus: RO\nX-Status: A\nTo: y\n\nStatus: R\n";
  const MboxFlags flags = take_mbox_flags(message);
  CHECK(flags.flags == (flag::seen | flag::answered));
  CHECK(flags.keywords == std::vector<std::string>{"a", "b"});
  CHECK(message == "Subject: x\nTo: y\n\nStatus: R\n");
}

TEST_CASE("mbox flags: a message without a header keeps its octets") {
  for (const std::string text : {"", "\n", "\nbody\n", "no end"}) {
    std::string message = text;
    CHECK(take_mbox_flags(message) == MboxFlags());
    CHECK(message == text);
  }
}

TEST_CASE("mbox dates: as asctime writes them, and as others do") {
  const WallTime wanted{std::chrono::seconds(1795379060)};
  for (const char* line :
       {"From a@b Sun Nov 22 20:24:20 2026\n", "From - Sun Nov 22 20:24:20 2026",
        "From a b Sun Nov 22 21:24:20 2026 +0100", "From a@b Sun Nov 22 19:54:20 -0030 2026",
        "From a@b Sun Nov 22 20:24:20 UTC 2026"}) {
    INFO(line);
    const auto date = date_of_from_line(line);
    REQUIRE(date);
    CHECK(*date == wanted);
  }
  for (const char* line :
       {"From a@b", "From ", "From a@b Sun Foo 22 20:24:20 2026",
        "From a@b Sun Nov 31 20:24:20 2026", "From a@b Sun Nov 22 25:24:20 2026"}) {
    INFO(line);
    CHECK_FALSE(date_of_from_line(line));
  }
}

}  // namespace
}  // namespace posthorn::operate
