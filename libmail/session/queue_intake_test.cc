#include "libmail/session/queue_intake.h"

#include <catch2/catch.hpp>
#include <cerrno>

#include "libmail/queue/test_queue.h"
#include "libmail/smtp/replies.h"

namespace posthorn::session {

using async::Task;
using queue::MemoryFiles;
using smtp::Reply;
using Call = MemoryFiles::Call;

namespace {

queue::Limits quick() {
  queue::Limits limits;
  limits.wait_for_segment = std::chrono::milliseconds(0);
  limits.inline_body = 20000;
  return limits;
}

struct Queue {
  MemoryFiles files;
  service::Log log{"test", service::Log::Format::kv, service::Level::error, -1};
  explicit Queue(std::size_t segments) { queue::test::make_queue(files, segments); }
};

// Puts one message of `size` octets in, in pieces; gives the last reply.
Task<Reply> put(QueueIntake* intake, std::size_t size, std::string* id) {
  smtp::Envelope envelope = queue::test::envelope();
  envelope.id = intake->next_id();
  *id = envelope.id;
  const smtp::SessionInfo session;
  auto transaction = intake->begin(session);
  (void)co_await transaction->mail(envelope);
  (void)co_await transaction->rcpt(envelope.recipients.front());
  (void)co_await transaction->data();
  for (std::size_t written = 0; written < size; written += 1000) {
    const std::string piece(std::min<std::size_t>(1000, size - written), 'x');
    Reply reply = co_await transaction->write(piece);
    if (reply.negative()) {
      co_await transaction->abort();
      co_return reply;
    }
  }
  Reply reply = co_await transaction->finish(envelope);
  co_return reply;
}

Task<Reply> put_and_stop(QueueIntake* intake, std::size_t size, std::string* id) {
  Reply reply = co_await put(intake, size, id);
  co_await intake->stop();
  co_return reply;
}

Reply put_one(Queue& at, std::size_t size) {
  QueueIntake intake(at.files, queue::test::layout(), quick(), at.log);
  std::string id;
  return async::run(put_and_stop(&intake, size, &id));
}

}  // namespace

TEST_CASE("QueueIntake: the 250 carries the id, and the message lies in the queue") {
  const std::size_t size = GENERATE(0, 1, 999, 16384, 16385, 19999, 50000);
  CAPTURE(size);
  Queue at(2);
  QueueIntake intake(at.files, queue::test::layout(), quick(), at.log);
  std::string id;
  const Reply reply = async::run(put_and_stop(&intake, size, &id));
  CHECK(reply == Reply(250, {2, 0, 0}, "Queued as " + id));

  auto store = queue::Store::open(at.files, queue::test::layout(), queue::test::store_options());
  REQUIRE(store);
  queue::Message* found = (*store)->find(*queue::MessageId::parse(id));
  REQUIRE(found != nullptr);
  auto loaded = (*store)->load_now(*found);
  REQUIRE(loaded);
  CHECK((*loaded)->entry.envelope.size == size);
  if (size < 20000) CHECK((*loaded)->body == std::string(size, 'x'));
}

TEST_CASE("QueueIntake: no segment and no room for one is 452") {
  Queue at(0);
  CHECK(put_one(at, 100) == smtp::reply::no_storage);
}

TEST_CASE("QueueIntake: a sync that fails is 451, for a small message and a spooled one") {
  const std::size_t size = GENERATE(100, 50000);
  Queue at(2);
  at.files.set_fault(
      [](Call call, const std::string&) { return call == Call::sync_data ? EIO : 0; });
  CHECK(put_one(at, size) == smtp::reply::try_later);
}

TEST_CASE("QueueIntake: a full disk under the spool is 452, and nothing of the message stays") {
  Queue at(2);
  at.files.set_fault([](Call call, const std::string& path) {
    return call == Call::write && path.find("/spool/") != std::string::npos ? ENOSPC : 0;
  });
  CHECK(put_one(at, 50000) == smtp::reply::no_storage);
  const auto left = at.files.list(queue::test::layout().spool());
  REQUIRE(left);
  CHECK(left->empty());
}

TEST_CASE("QueueIntake: a message that is aborted or forgotten leaves nothing") {
  Queue at(2);
  QueueIntake intake(at.files, queue::test::layout(), quick(), at.log);
  const auto begin_only = [](QueueIntake* into, bool abort) -> Task<void> {
    smtp::Envelope envelope = queue::test::envelope();
    envelope.id = into->next_id();
    const smtp::SessionInfo session;
    auto transaction = into->begin(session);
    (void)co_await transaction->mail(envelope);
    (void)co_await transaction->data();
    const std::string octets(50000, 'x');
    (void)co_await transaction->write(octets);
    if (abort) co_await transaction->abort();
    transaction.reset();
    CHECK(into->queue().buffered() == 0);
  };
  async::run(begin_only(&intake, true));
  async::run(begin_only(&intake, false));
  async::run(intake.stop());
  const auto left = at.files.list(queue::test::layout().spool());
  REQUIRE(left);
  CHECK(left->empty());
  auto store = queue::Store::open(at.files, queue::test::layout(), queue::test::store_options());
  REQUIRE(store);
  CHECK((*store)->size() == 0);
}

TEST_CASE("QueueIntake: an intake that stops says 421") {
  Queue at(2);
  QueueIntake intake(at.files, queue::test::layout(), quick(), at.log);
  async::run(intake.stop());
  std::string id;
  CHECK(async::run(put(&intake, 100, &id)) == smtp::reply::shutting_down);
}

}  // namespace posthorn::session
