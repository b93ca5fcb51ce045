#include "agents/imapd/thread_tree.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::imapd;
using imap::ThreadAlgorithm;

namespace {

MessageKeys keys_of(std::uint32_t uid, std::string subject, std::string id,
                    std::vector<std::string> references = {}, bool reply = false) {
  MessageKeys keys;
  keys.uid = uid;
  keys.sent = uid;
  keys.subject = std::move(subject);
  keys.message_id = std::move(id);
  keys.references = std::move(references);
  keys.is_reply = reply;
  return keys;
}

std::string threads(std::vector<MessageKeys> keys, ThreadAlgorithm algorithm) {
  return imap::threads_text(thread_messages(std::move(keys), algorithm));
}

}  // namespace

TEST_CASE("threads: replies hang below what they answer, in the order they were sent") {
  CHECK(
      threads({keys_of(1, "a", "1@x"), keys_of(2, "a", "2@x", {"1@x"}, true),
               keys_of(3, "a", "3@x", {"1@x", "2@x"}, true), keys_of(4, "a", "4@x", {"1@x"}, true)},
              ThreadAlgorithm::references) == "(1 (2 3)(4))");
}

TEST_CASE("threads: two answers to a message that is not there are siblings") {
  CHECK(threads({keys_of(1, "a", "1@x", {"0@x"}, true), keys_of(2, "a", "2@x", {"0@x"}, true)},
                ThreadAlgorithm::references) == "((1)(2))");
}

TEST_CASE("threads: a subject that comes again without references joins") {
  CHECK(threads({keys_of(1, "a", "1@x"), keys_of(2, "a", "2@x", {}, true), keys_of(3, "b", "3@x")},
                ThreadAlgorithm::references) == "(1 2)(3)");
  CHECK(threads({keys_of(1, "a", "1@x"), keys_of(2, "a", "2@x", {}, true)},
                ThreadAlgorithm::refs) == "(1)(2)");
}

TEST_CASE("threads: references in a circle end") {
  const std::string text = threads(
      {keys_of(1, "a", "1@x", {"2@x"}), keys_of(2, "b", "2@x", {"1@x"})}, ThreadAlgorithm::refs);
  CHECK((text == "(1 2)" || text == "(2 1)" || text == "(1)(2)"));
}

TEST_CASE("threads: two messages of one Message-ID both appear") {
  CHECK(threads({keys_of(1, "a", "1@x"), keys_of(2, "b", "1@x")}, ThreadAlgorithm::refs) ==
        "(1)(2)");
}

TEST_CASE("threads: ORDEREDSUBJECT puts all of a subject below its first message") {
  CHECK(threads({keys_of(1, "a", "1@x"), keys_of(2, "b", "2@x"), keys_of(3, "a", "3@x"),
                 keys_of(4, "a", "4@x")},
                ThreadAlgorithm::ordered_subject) == "(1 (3)(4))(2)");
}

TEST_CASE("threads: a hundred thousand answers in a row are one thread") {
  std::vector<MessageKeys> keys;
  for (std::uint32_t i = 1; i <= 100'000; ++i)
    keys.push_back(keys_of(i, "a", std::to_string(i) + "@x",
                           i == 1 ? std::vector<std::string>()
                                  : std::vector<std::string>{std::to_string(i - 1) + "@x"}));
  CHECK(thread_messages(std::move(keys), ThreadAlgorithm::refs).size() == 100'000);
}
