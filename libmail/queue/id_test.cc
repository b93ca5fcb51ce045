#include "libmail/queue/id.h"

#include <catch2/catch.hpp>
#include <set>

#include "libmail/base/text.h"

using posthorn::WallTime;
using posthorn::queue::IdSource;
using posthorn::queue::MessageId;

namespace {
WallTime at(std::int64_t milliseconds) {
  return WallTime(std::chrono::milliseconds(milliseconds));
}
}  // namespace

TEST_CASE("MessageId: its text reads back and tells when it was made") {
  const MessageId id = MessageId::make(at(1'795'378'460'123), 0x12345, 77);
  REQUIRE(MessageId::parse(id.text()) == id);
  CHECK(id.time() == at(1'795'378'460'123));
  CHECK(id.text().size() == 16);
  for (const char c : id.text()) CHECK(posthorn::is_alnum(c));
}

TEST_CASE("MessageId: ids sort by the time of arrival") {
  CHECK(MessageId::make(at(1'000), 5, 9) < MessageId::make(at(1'001), 1, 1));
  CHECK(MessageId::make(at(1'000), 5, 9) < MessageId::make(at(1'000), 5, 10));
}

TEST_CASE("MessageId: what is no id is refused") {
  const char* text = GENERATE("", "0", "0123456789ABCDE", "0123456789ABCDEFG", "0123456789abcdef",
                              "0123456789ABCDEW", "../../etc/passwd");
  CHECK_FALSE(MessageId::parse(text));
}

TEST_CASE("IdSource: no id comes twice, even when the clock stands still or is set back") {
  IdSource source(1);
  std::set<std::string> seen;
  MessageId last;
  for (int i = 0; i < 100'000; ++i) {
    const MessageId id = source.next(at(i < 50'000 ? 5'000 : 4'000));
    CHECK(seen.insert(id.str()).second);
  }
}
