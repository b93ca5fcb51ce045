#include "agents/imapd/return_watch.h"

#include <catch2/catch.hpp>

namespace posthorn::imapd {

TEST_CASE("UNAUTHENTICATE: what follows it waits, wherever the octets are cut") {
  const std::string octets = "a1 NOOP\r\na2 unauthenticate\r\na3 LOGIN x y\r\n";
  const std::size_t stop = octets.find("a3");
  for (std::size_t cut = 0; cut <= octets.size(); ++cut) {
    UnauthenticateWatch watch;
    const auto first = watch.from_client(std::string_view(octets).substr(0, cut));
    if (cut >= stop) {
      CHECK(first == stop);
      continue;
    }
    CHECK_FALSE(first);
    CHECK(watch.from_client(std::string_view(octets).substr(cut)) == stop - cut);
  }
}

TEST_CASE("UNAUTHENTICATE: the client returns when the worker's last line is its OK") {
  const auto returned = [](std::string_view told) {
    UnauthenticateWatch watch;
    (void)watch.from_client("a2 UNAUTHENTICATE\r\n");
    for (const char c : told) watch.from_worker(std::string_view(&c, 1));
    return watch.has_returned();
  };
  CHECK(returned("* 1 EXISTS\r\na2 OK done\r\n"));
  CHECK_FALSE(returned("a2 BAD no\r\n"));
  CHECK_FALSE(returned("a1 OK done\r\n"));
  CHECK_FALSE(returned("a2 OK done\r\n* BYE goodbye\r\n"));
  CHECK_FALSE(returned("a2 OK done\r\n* "));
  CHECK_FALSE(returned("a2 OK d"));
  CHECK_FALSE(returned(""));
}

TEST_CASE("UNAUTHENTICATE: nothing else is it") {
  for (const char* line : {"a2 UNAUTHENTICATE now\r\n", " UNAUTHENTICATE\r\n", "UNAUTHENTICATE\r\n",
                           "a b UNAUTHENTICATE\r\n"}) {
    UnauthenticateWatch watch;
    CAPTURE(line);
    CHECK_FALSE(watch.from_client(line));
  }
  UnauthenticateWatch watch;
  CHECK_FALSE(watch.from_client(std::string(1000, 'x') + " UNAUTHENTICATE\r\n"));
}

}  // namespace posthorn::imapd
