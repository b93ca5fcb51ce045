#include "libmail/store/content.h"

#include <catch2/catch.hpp>

#include "libmail/base/crlf.h"
#include "libmail/store/maildrop.h"
#include "libmail/store/memory_files.h"

using namespace posthorn::store;
using posthorn::append_crlf;

TEST_CASE("ContentWriter: CRLF becomes LF, wherever the text is cut") {
  const std::string text = "A: b\r\n\r\nline\r\n.\r\nx\ry\r\r\nend\r";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    ContentWriter writer;
    writer.append(std::string_view(text).substr(0, cut));
    writer.append(std::string_view(text).substr(cut));
    REQUIRE(writer.end_text());
    const Content content = writer.finish();
    CHECK(content.in_memory() == "A: b\n\nline\n.\nx\ry\r\nend\r\n");
    CHECK(content.size() == content.in_memory().size());
    // The size that POP3 will announce is the size it will send.
    std::string sent;
    bool after_cr = false;
    append_crlf(content.in_memory(), after_cr, sent);
    CHECK(content.crlf_size() == sent.size());
  }
}

TEST_CASE("ContentWriter: a missing last line end is added, an empty message stays empty") {
  ContentWriter writer;
  CHECK(writer.end_text());
  CHECK(writer.finish().size() == 0);
  ContentWriter open;
  open.append("no end");
  CHECK(open.end_text());
  CHECK(open.finish().in_memory() == "no end\n");
}

TEST_CASE("ContentWriter: beyond the limit a message lies in a file without a name") {
  MemoryFiles files;
  REQUIRE(files.make_directories("/tmp", 0700));
  auto directory = files.open_directory("/tmp");
  REQUIRE(directory);
  ContentWriter writer;
  std::string expected;
  for (int i = 0; i < 9000; ++i) {
    writer.append("a line of a large message, number " + std::to_string(i) + "\r\n");
    expected += "a line of a large message, number " + std::to_string(i) + "\n";
    if (writer.wants_spill()) REQUIRE(writer.spill(**directory));
  }
  writer.append("end");
  expected += "end\n";
  if (!writer.end_text()) REQUIRE(writer.spill(**directory));
  const Content content = writer.finish();
  REQUIRE(content.in_file() != nullptr);
  CHECK(content.in_memory().empty());
  CHECK(content.size() == expected.size());
  CHECK(content.crlf_size() == expected.size() + 9001);
  CHECK(content.in_file()->read(0, expected.size() + 1).value() == expected);
  CHECK(files.names("/tmp").empty());
}

TEST_CASE("append_crlf: the same whole or cut anywhere") {
  const std::string text = "a\nb\r\nc\r\rd\n\n\r";
  const std::string expected = "a\r\nb\r\nc\r\rd\r\n\r\n\r";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    std::string out;
    bool after_cr = false;
    append_crlf(std::string_view(text).substr(0, cut), after_cr, out);
    append_crlf(std::string_view(text).substr(cut), after_cr, out);
    CHECK(out == expected);
  }
}
