#include "libmail/imap/lines.h"

#include <catch2/catch.hpp>

using namespace posthorn::imap;
using Event = LineReader::Event;

namespace {

// What a server's reader makes of octets that come in two cuts, literals over 5 octets streamed: one word an event.
std::string seen(std::string_view octets, std::size_t cut, LineReader reader,
                 bool discard = false) {
  std::string log, streamed;
  for (std::string_view part : {octets.substr(0, cut), octets.substr(cut)}) {
    std::string_view input = part;
    for (bool more = true; more;) {
      const Event event = reader.read(input);
      switch (event) {
        case Event::more:
          more = false;
          break;
        case Event::literal:
          if (discard) {
            log += "discard " + std::to_string(reader.literal().size) + '\n';
            reader.discard();
          } else if (reader.literal().size > 5) {
            log += "stream " + std::to_string(reader.literal().size) +
                   (reader.literal().waits ? " waits\n" : "\n");
            reader.stream();
          } else {
            log += "keep " + std::to_string(reader.literal().size) + '\n';
            (void)reader.keep();
          }
          break;
        case Event::part:
          streamed += reader.part();
          if (reader.left() == 0) log += "streamed " + std::exchange(streamed, "") + '\n';
          break;
        case Event::line:
          log += "line " + reader.take_line().text + '\n';
          break;
        case Event::dropped:
          log += "dropped\n";
          break;
        case Event::error:
          log += "error " + std::string(text_of(reader.error())) + '\n';
          reader.give_up();
          break;
      }
    }
  }
  return log;
}

void same_at_every_split(std::string_view octets, const std::string& expected,
                         const LineReader& reader, bool discard = false) {
  for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
    CAPTURE(cut);
    CHECK(seen(octets, cut, reader, discard) == expected);
  }
}

const LineReader server(LineReader::Side::server);

}  // namespace

TEST_CASE("lines: literals are where they were") {
  same_at_every_split("a LOGIN {3}\r\nann {2+}\r\npw\r\nb NOOP\n",
                      "keep 3\nkeep 2\nline a LOGIN {3}\r\nann {2+}\r\npw\nline b NOOP\n", server);
}

TEST_CASE("lines: a long literal streams past, and NUL in it is not the reader's business") {
  const std::string octets = std::string("a APPEND x {7}\r\nab\0\r\nde\r\nb NOOP\r\n", 33);
  same_at_every_split(octets,
                      "stream 7 waits\nstreamed " + std::string("ab\0\r\nde", 7) +
                          "\nline a APPEND x {7}\r\n\nline b NOOP\n",
                      server);
}

TEST_CASE("lines: a refused literal that doesn't wait is drained with what follows it") {
  same_at_every_split("a LOGIN {3+}\r\nann {4+}\r\npass x\r\nb NOOP\r\n",
                      "discard 3\ndropped\nline b NOOP\n", server, true);
}

TEST_CASE("lines: a refused literal that waits never comes") {
  same_at_every_split("a LOGIN {3}\r\nb NOOP\r\n", "discard 3\nline b NOOP\n", server, true);
}

TEST_CASE("lines: what is over a limit is refused before anything is held") {
  Limits limits;
  limits.line = 20;
  limits.literal = 4;
  limits.literals = 6;
  limits.literal_count = 3;
  const LineReader small(LineReader::Side::server, limits);
  same_at_every_split("a x {4+}\r\nabcd {3+}\r\nabc\r\nb\r\n",
                      "keep 4\nkeep 3\nerror the literal is too large\ndropped\nline b\n", small);
  CHECK(seen("a 0123456789012345678901234567890123456789\r\nb\r\n", 0, small) ==
        "error the line is too long\ndropped\nline b\n");
  limits.line = 40;
  CHECK(seen("a {0+}\r\n{0+}\r\n{0+}\r\n{0+}\r\n\r\nb\r\n", 0,
             LineReader(LineReader::Side::server, limits)) ==
        "keep 0\nkeep 0\nkeep 0\nerror there are too many literals\ndropped\nline b\n");
}

TEST_CASE("lines: NUL, a stray CR and sizes that overflow are errors") {
  CHECK(seen(std::string("a x\0y\r\nb\r\n", 10), 0, server) ==
        "error an octet 0 is only allowed in literal8\ndropped\nline b\n");
  same_at_every_split(std::string("a {4}\r\nab\0d x\r\nb\r\n", 18),
                      "keep 4\nerror an octet 0 is only allowed in literal8\ndropped\nline b\n",
                      server);
  CHECK(seen("a x\ry\r\nb\r\n", 0, server) == "error a CR without LF\ndropped\nline b\n");
  CHECK(seen("a {99999999999999999999}\r\nb\r\n", 0, server).substr(0, 6) == "error ");
  const LineReader minus(LineReader::Side::server, Limits(), 4096);
  CHECK(seen("a {4097+}\r\n", 0, minus).substr(0, 6) == "error ");
  CHECK(seen("a {4097}\r\n", 0, minus) == "stream 4097 waits\n");
}

TEST_CASE("lines: a server's words for people hold no literal, its data does") {
  const LineReader client(LineReader::Side::client);
  CHECK(seen("* OK see {5}\r\na1 NO [ALERT] {3}\r\n+ {2}\r\n", 0, client) ==
        "line * OK see {5}\nline a1 NO [ALERT] {3}\nline + {2}\n");
  CHECK(
      seen("* LIST () \".\" {2}\r\nab\r\na1 NO [BADCHARSET ({5}\r\nUTF-8)] x\r\n", 0, client) ==
      "keep 2\nline * LIST () \".\" {2}\r\nab\nkeep 5\nline a1 NO [BADCHARSET ({5}\r\nUTF-8)] x\n");
}
