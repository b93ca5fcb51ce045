#include "libmail/queue/outcome.h"

#include <catch2/catch.hpp>

#include "libmail/queue/test_queue.h"

using namespace posthorn;
using namespace posthorn::queue;

namespace {

constexpr std::uint64_t generation = 5;
const MessageId first = test::id_of(1);
const MessageId second = test::id_of(2);

MessageState some_state() {
  MessageState state;
  state.offset = 4096;
  state.size = 777;
  state.attempts = 3;
  state.next = WallTime(std::chrono::seconds(1'700'000'100));
  state.held = true;
  state.expanded = true;
  state.hold_reason = "looks odd";
  RecipientState& bob =
      state.recipients.emplace_back(smtp::Recipient(smtp::Mailbox("b o%b\n", "beta.test")));
  bob.recipient.notify = smtp::Notify(smtp::Notify::failure);
  bob.recipient.orcpt.emplace("rfc822", "robert@beta.test");
  bob.phase = Phase::bounced;
  bob.when = WallTime(std::chrono::microseconds(1'700'000'000'123'456));
  bob.last = smtp::Status({5, 1, 1}, "no such user", "mx.beta.test [192.0.2.1]");
  RecipientState& dash = state.recipients.emplace_back(smtp::Recipient(smtp::Mailbox("-x", "")));
  dash.original = 1;
  dash.sender.emplace();
  RecipientState& member =
      state.recipients.emplace_back(smtp::Recipient(smtp::Mailbox("m", "x.test")));
  member.sender.emplace(smtp::Mailbox("owner list", "x.test"));
  return state;
}

std::string block(const MessageId& id) {
  std::string out;
  append_block(out, generation, id, some_state());
  return out;
}

void add(std::string& to, const MessageId& id, const Outcome& outcome) {
  append_line(to, generation, id, outcome);
}

}  // namespace

TEST_CASE("outcomes: a block reads back") {
  const auto state = read_block(block(first), generation, first);
  REQUIRE(state);
  CHECK(*state == some_state());
  CHECK_FALSE(read_block(block(first), generation, second));
  CHECK_FALSE(read_block(block(first), generation + 1, first));
}

TEST_CASE("outcomes: lines behind a block change it, and the block is no longer current") {
  std::string file = block(first);
  RecipientChange sent;
  sent.index = 1;
  sent.phase = Phase::sent;
  sent.status = smtp::Status({2, 0, 0}, "ok");
  add(file, first, sent);
  add(file, first, Warned());
  add(file, first, Reported());
  const OutcomeFileContents contents = read_outcomes(file, generation);
  const MessageHistory& history = contents.messages.at(first);
  CHECK(history.place == MessageHistory::Place::here);
  CHECK_FALSE(history.block_is_current);
  CHECK(history.state.warned);
  CHECK(history.state.recipients[0].phase == Phase::reported);
  CHECK(history.state.recipients[1].phase == Phase::sent);
  CHECK(contents.whole == file.size());
}

TEST_CASE("outcomes: the last block of a message counts") {
  std::string file = block(first) + block(second);
  MessageState later = some_state();
  later.attempts = 4;
  const std::uint64_t at = file.size();
  append_block(file, generation, first, later);
  const std::uint64_t size = file.size() - at;
  add(file, second, Done());
  const OutcomeFileContents contents = read_outcomes(file, generation);
  const MessageHistory& history = contents.messages.at(first);
  CHECK(history.state.attempts == 4);
  CHECK(history.block_offset == at);
  CHECK(history.block_size == size);
  CHECK(read_block(file.substr(at, size), generation, first) == later);
  CHECK(contents.messages.at(second).place == MessageHistory::Place::done);
}

TEST_CASE("outcomes: moved, dropped, copied and scanned are understood") {
  std::string file;
  Moved moved;
  moved.generation = 0xabc;
  add(file, first, moved);
  add(file, second, Dropped());
  std::string copy = block(test::id_of(3));
  add(copy, test::id_of(3), Copied());
  Scanned scanned;
  scanned.offset = 8192;
  add(copy, MessageId(), scanned);
  const OutcomeFileContents contents = read_outcomes(file + copy, generation);
  CHECK(contents.messages.at(first).place == MessageHistory::Place::moved);
  CHECK(contents.messages.at(second).place == MessageHistory::Place::dropped);
  CHECK(contents.messages.at(test::id_of(3)).copied);
  CHECK(contents.messages.at(test::id_of(3)).block_is_current);
  CHECK(contents.scanned == 8192);
}

TEST_CASE(
    "outcomes: a file that is cut anywhere keeps all its whole lines and no part of another") {
  const std::string before = block(first);
  std::string file = before;
  add(file, first, Done());
  for (std::size_t size = 0; size <= file.size(); ++size) {
    const OutcomeFileContents contents =
        read_outcomes(std::string_view(file).substr(0, size), generation);
    CHECK(contents.damaged_lines == 0);
    CHECK(contents.whole <= size);
    const auto found = contents.messages.find(first);
    const bool has_block = found != contents.messages.end() && found->second.has_block;
    CHECK(has_block == (size >= before.size()));
    if (!has_block) continue;
    const bool is_done = found->second.place == MessageHistory::Place::done;
    CHECK(is_done == (size == file.size()));
    CHECK(found->second.state.recipients == some_state().recipients);
  }
}

TEST_CASE(
    "outcomes: a flipped bit spoils one line, is counted, and makes a start scan everything") {
  std::string file = block(first);
  Scanned scanned;
  scanned.offset = 8192;
  add(file, MessageId(), scanned);
  const std::size_t spoiled_to = file.size() - 1;  // a line feed that is gone spoils two lines
  add(file, second, Done());
  for (std::size_t bit = 0; bit < spoiled_to * 8; ++bit) {
    std::string flipped = file;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const OutcomeFileContents contents = read_outcomes(flipped, generation);
    CHECK(contents.damaged_lines >= 1);
    CHECK(contents.scanned == 0);
    CHECK(contents.messages.at(second).place == MessageHistory::Place::done);
    const auto found = contents.messages.find(first);
    if (found != contents.messages.end() && found->second.has_block) {
      CHECK(found->second.state == some_state());
    }
  }
}

TEST_CASE("outcomes: a block that was begun and not ended leaves the one before in force") {
  std::string file = block(first);
  MessageState later = some_state();
  later.attempts = 9;
  std::string unfinished;
  append_block(unfinished, generation, first, later);
  unfinished.resize(unfinished.rfind('\n', unfinished.size() - 2) + 1);
  const OutcomeFileContents contents = read_outcomes(file + unfinished, generation);
  CHECK(contents.messages.at(first).state.attempts == 3);
}

TEST_CASE("outcomes: a remote host's words cannot break a line") {
  RecipientChange change;
  change.status = smtp::Status({4, 0, 0}, "a\r\nb\0c\x7f é % -", "-");
  std::string line;
  add(line, first, change);
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  CHECK(line.find('\r') == std::string::npos);
  const auto read = parse_line(std::string_view(line).substr(0, line.size() - 1), generation);
  REQUIRE(read);
  CHECK(std::get<RecipientChange>(read->outcome).status == change.status);
}
