#include "libmail/queue/commands.h"

#include <catch2/catch.hpp>

#include "libmail/queue/test_queue.h"

using namespace posthorn;
using namespace posthorn::queue;

namespace {

std::vector<test::Acknowledged> fill(MemoryFiles& files, std::size_t count) {
  for (std::uint64_t generation = 1; generation <= 2; ++generation) {
    check(make_directories(files, test::layout(), 0700).has_value(), "directories");
    check(make_segment(files, test::layout(), generation).has_value(), "segment");
  }
  std::vector<test::Acknowledged> messages = test::make_messages(count, 500);
  Writer writer(files, test::layout(), "");
  async::run(test::send_all(&writer, &files, &messages, 4));
  return messages;
}

std::unique_ptr<OfflineQueue> open(MemoryFiles& files) {
  auto queue = OfflineQueue::open(files, test::layout());
  REQUIRE(queue);
  return std::move(*queue);
}

Sink into(std::string& out) {
  return [&out](std::string_view piece) -> Result<void, IoError> {
    out += piece;
    return {};
  };
}

}  // namespace

TEST_CASE("OfflineQueue: hold, release and delete last beyond the tool") {
  MemoryFiles files;
  const auto messages = fill(files, 3);
  const std::string first = messages[0].id.str();
  REQUIRE(open(files)->hold(first, "looks \"odd\""));
  CHECK(open(files)->show(first)->state == "held");
  CHECK(open(files)->show(first)->hold_reason == "looks \"odd\"");
  Filter held;
  held.state = "held";
  CHECK(open(files)->list(held)->size() == 1);
  REQUIRE(open(files)->release(first));
  CHECK(open(files)->show(first)->state == "ready");
  REQUIRE(open(files)->remove(first));
  const auto gone = open(files)->show(first);
  REQUIRE_FALSE(gone);
  CHECK(gone.error().code == "not-found");
  CHECK(open(files)->list(Filter())->size() == 2);
}

TEST_CASE("OfflineQueue: list filters and pages") {
  MemoryFiles files;
  const auto messages = fill(files, 5);
  const auto queue = open(files);
  Filter filter;
  filter.limit = 2;
  bool more = false;
  const auto page = queue->list(filter, &more);
  REQUIRE(page->size() == 2);
  CHECK(more);
  CHECK(page->front().id == messages[0].id.text());
  filter.after = *MessageId::parse(page->back().id);
  filter.limit = 100;
  CHECK(queue->list(filter, &more)->size() == 3);
  CHECK_FALSE(more);
  filter = Filter();
  filter.from = "ANN@alpha.test";
  filter.to = "@beta.test";
  CHECK(queue->list(filter)->size() == 5);
  filter.to = "@a.test";
  CHECK(queue->list(filter)->empty());
}

TEST_CASE("OfflineQueue: what is exported can be imported, with nothing lost") {
  MemoryFiles files;
  const auto messages = fill(files, 3);
  std::string batch;
  REQUIRE(open(files)->export_to("", into(batch)));
  MemoryFiles others;
  fill(others, 0);
  const auto queue = open(others);
  Importer importer(queue->store().intake(), "admin");
  auto import = [](Importer* to, Store* store, std::string text) -> async::Task<void> {
    for (std::size_t at = 0; at < text.size(); at += 100) {
      auto fed = co_await to->feed(std::string_view(text).substr(at, 100));
      CHECK(fed.has_value());
    }
    CHECK(to->finish().has_value());
    co_await store->intake().stop();
  };
  async::run(import(&importer, &queue->store(), batch));
  CHECK(importer.ids().size() == 3);
  const auto again = [&] {
    auto& store = queue->store();
    async::run([](Store* in) -> async::Task<void> {
      auto found = co_await in->poll(100);
      CHECK(found.size() == 3);
    }(&store));
    std::string out;
    REQUIRE(queue->export_to("", into(out)));
    return out;
  }();
  CHECK(again == batch);
  std::string text;
  REQUIRE(queue->cat(importer.ids()[1], into(text)));
  CHECK(text == test::body_of(messages[1].id, messages[1].size) + "\r\n");
}

TEST_CASE("json_text: whatever a stranger wrote stays one JSON string") {
  CHECK(json_text("a\"b\\c\n") == R"("a\"b\\c\u000a")");
  CHECK(json_text("\xff").find('\xff') == std::string::npos);
  CHECK(json_text("é") == "\"é\"");
}
