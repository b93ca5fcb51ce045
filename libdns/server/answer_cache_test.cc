#include "libdns/server/answer_cache.h"

#include <catch2/catch.hpp>

#include "libdns/server/test_question.h"

using namespace posthorn::dns;

namespace {

constexpr std::size_t budget = 100'000;
const std::string hash_key(16, 'k');

// Keeps the packet that its Query looks into.
struct Asked {
  explicit Asked(std::string name, Type type = Type::a)
      : packet(TestQuestion(std::move(name), type).packet()) {
    read_query(packet, query);
  }
  Asked(const Asked&) = delete;
  std::string packet;
  Query query;
};

NewAnswer answer(std::string message, std::uint32_t lifetime = 0) {
  NewAnswer made;
  made.message = std::move(message);
  made.lifetime = lifetime;
  if (lifetime != 0) made.ttls = {20, 40};
  return made;
}

}  // namespace

TEST_CASE("AnswerCache: an answer is found for the same name in any case, not for another type") {
  AnswerCache cache(budget, hash_key);
  const Asked asked("www.example.test");
  cache.put(asked.query, {}, answer("message"), 1, 1);
  ReadyAnswer ready;
  REQUIRE(cache.find(Asked("WWW.example.TEST").query, {}, 1, 1, ready));
  CHECK(ready.message == "message");
  CHECK_FALSE(cache.find(Asked("www.example.test", Type::mx).query, {}, 1, 1, ready));
}

TEST_CASE("AnswerCache: what the answer depends on keeps askers apart") {
  AnswerCache cache(budget, hash_key);
  const Asked asked("www.example.test");
  AnswerClass asker;
  asker.dnssec_ok = true;
  cache.put(asked.query, asker, answer("signed"), 1, 1);
  ReadyAnswer ready;
  CHECK_FALSE(cache.find(asked.query, {}, 1, 1, ready));
  CHECK(cache.find(asked.query, asker, 1, 1, ready));
}

TEST_CASE("AnswerCache: learned answers age and expire, a zone's live until the zones change") {
  AnswerCache cache(budget, hash_key);
  const Asked learned("a.test");
  const Asked own("b.test");
  cache.put(learned.query, {}, answer("learned", 10), 100, 1);
  cache.put(own.query, {}, answer("own"), 100, 1);
  ReadyAnswer ready;
  REQUIRE(cache.find(learned.query, {}, 104, 1, ready));
  CHECK(ready.age == 4);
  CHECK(ready.ttl_count == 2);
  CHECK(ready.ttls[1] == 40);
  CHECK_FALSE(cache.find(learned.query, {}, 110, 1, ready));
  CHECK(cache.find(own.query, {}, 100000, 1, ready));
  CHECK_FALSE(cache.find(own.query, {}, 100000, 2, ready));
  CHECK(cache.size() == 0);
}

TEST_CASE("AnswerCache: it stays within its budget and keeps what is asked again and again") {
  AnswerCache cache(budget, hash_key);
  const Asked favourite("favourite.test");
  cache.put(favourite.query, {}, answer("x"), 1, 1);
  ReadyAnswer ready;
  for (int i = 0; i < 2000; ++i) {
    const Asked asked("n" + std::to_string(i) + ".test");
    cache.put(asked.query, {}, answer(std::string(200, 'x')), 1, 1);
    CHECK(cache.octets() <= budget);
    REQUIRE(cache.find(favourite.query, {}, 1, 1, ready));
  }
  CHECK(cache.size() > 100);
}

TEST_CASE("AnswerCache: the later answer takes the place of the one before") {
  AnswerCache cache(budget, hash_key);
  const Asked asked("a.test");
  cache.put(asked.query, {}, answer("one"), 1, 1);
  cache.put(asked.query, {}, answer("two"), 1, 1);
  ReadyAnswer ready;
  REQUIRE(cache.find(asked.query, {}, 1, 1, ready));
  CHECK(ready.message == "two");
  CHECK(cache.size() == 1);
}
