#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "agents/posthorn/batch_splitter.h"
#include "agents/posthorn/queue_door.h"
#include "agents/posthorn/test_site.h"

namespace posthorn::operate {
namespace {

const std::string batch =
    "MAIL FROM:<ann@alpha.test>\r\nRCPT TO:<bob@beta.test>\r\nDATA\r\nSubject: "
    "one\r\n\r\n..dot\r\nDATA\r\n.\r\n"
    "MAIL FROM:<>\r\nRCPT TO:<carol@beta.test>\r\nRCPT TO:<dan@beta.test>\r\nDATA\r\nSubject: "
    "two\r\n\r\n.\r\n";

TEST_CASE("A batch is cut between transactions only, however it comes in") {
  const std::size_t first = batch.find("MAIL FROM:<>");
  for (std::size_t cut = 0; cut <= batch.size(); ++cut) {
    CAPTURE(cut);
    BatchSplitter splitter(1);
    std::vector<std::string> pieces;
    const auto take = [&](bool at_end) {
      std::string piece = splitter.take(at_end);
      if (!piece.empty()) pieces.push_back(std::move(piece));
    };
    splitter.feed(std::string_view(batch).substr(0, cut));
    take(false);
    splitter.feed(std::string_view(batch).substr(cut));
    take(false);
    take(true);
    std::string whole;
    for (const std::string& piece : pieces) {
      REQUIRE(
          (whole.size() + piece.size() == first || whole.size() + piece.size() == batch.size()));
      whole += piece;
    }
    REQUIRE(whole == batch);
  }
}

TEST_CASE("A batch is not cut into smaller pieces than asked for, and its torn end is kept") {
  BatchSplitter splitter(batch.size() * 2);
  std::string torn = batch + batch + batch + "MAIL FROM:<x@y.test>\r\nDATA\r\nSubj";
  splitter.feed(torn);
  CHECK(splitter.take(false) == batch + batch + batch);
  CHECK(splitter.take(false).empty());
  CHECK(splitter.take(true) == "MAIL FROM:<x@y.test>\r\nDATA\r\nSubj");
}

// A queue on the disk, with the two messages of `batch` in it.
struct Fixture {
  TestSite site;
  std::vector<std::string> ids;

  std::unique_ptr<QueueDoor> open() {
    auto door = open_queue(site.site());
    REQUIRE(door);
    return std::move(*door);
  }
  Fixture() {
    std::string left = batch;
    const auto next = [&left] { return std::exchange(left, {}); };
    const auto taken = open()->import_from(next);
    INFO((taken ? "" : taken.error().message));
    REQUIRE(taken);
    ids = *taken;
    REQUIRE(ids.size() == 2);
  }
  nlohmann::json list(const queue::Filter& filter = {}) {
    const auto text = open()->list(filter);
    REQUIRE(text);
    return nlohmann::json::parse(*text)["messages"];
  }
};

TEST_CASE("While queued is stopped the commands work on the files") {
  Fixture fixture;
  REQUIRE(fixture.list().size() == 2);
  CHECK(fixture.list()[0]["id"] == fixture.ids[0]);
  CHECK(fixture.list()[1]["recipients"].size() == 2);

  REQUIRE(fixture.open()->hold(fixture.ids[0], "to be looked at"));
  queue::Filter held;
  held.state = "held";
  REQUIRE(fixture.list(held).size() == 1);
  CHECK(fixture.list(held)[0]["hold_reason"] == "to be looked at");
  REQUIRE(fixture.open()->change("release", fixture.ids[0]));
  CHECK(fixture.list(held).empty());

  std::string out;
  const auto sink = [&out](std::string_view octets) -> Result<void, IoError> {
    out += octets;
    return {};
  };
  REQUIRE(fixture.open()->cat(fixture.ids[0], sink));
  CHECK_THAT(out, Catch::EndsWith("Subject: one\r\n\r\n.dot\r\nDATA\r\n"));
  out.clear();
  REQUIRE(fixture.open()->export_to(fixture.ids[1], sink));
  CHECK_THAT(out, Catch::Contains("RCPT TO:<dan@beta.test>"));
  CHECK_THAT(out, Catch::EndsWith("Subject: two\r\n\r\n.\r\n"));

  REQUIRE(fixture.open()->change("delete", fixture.ids[0]));
  REQUIRE(fixture.list().size() == 1);
  CHECK(fixture.list()[0]["id"] == fixture.ids[1]);
  CHECK(fixture.open()->change("requeue", fixture.ids[1]));
  CHECK(fixture.open()->change("flush", ""));
}

TEST_CASE("A message that is not there is 67, a batch that is none 65") {
  Fixture fixture;
  const auto missing = fixture.open()->show("0000000000000000");
  REQUIRE_FALSE(missing);
  CHECK(missing.error().exit == 67);
  std::string left = "HELO\r\nMAIL nonsense\r\n";
  const auto next = [&left] { return std::exchange(left, {}); };
  const auto refused = fixture.open()->import_from(next);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().exit == 65);
  CHECK(fixture.list().size() == 2);
}

TEST_CASE("Two at once can't have the files") {
  Fixture fixture;
  const auto first = fixture.open();
  const auto second = open_queue(fixture.site.site());
  REQUIRE_FALSE(second);
  CHECK(second.error().exit == 69);
}

}  // namespace
}  // namespace posthorn::operate
