#include "libmail/queue/batch.h"

#include <catch2/catch.hpp>

#include "libmail/queue/drop.h"
#include "libmail/queue/test_queue.h"

using namespace posthorn;
using namespace posthorn::queue;

namespace {

struct Read {
  std::vector<smtp::Envelope> envelopes;
  std::vector<std::string> messages;
  std::string error;
  std::size_t error_line = 0;
  bool operator==(const Read& other) const {
    return envelopes == other.envelopes && messages == other.messages && error == other.error;
  }
};

// Fed in pieces of `piece` octets.
Read read(std::string_view file, std::size_t piece) {
  Read result;
  BatchReader reader;
  std::string message;
  while (true) {
    std::string_view input = file.substr(0, piece);
    file.remove_prefix(input.size());
    while (true) {
      const auto event = reader.next(input);
      if (!event) {
        result.error = event.error().text;
        result.error_line = event.error().line;
        return result;
      }
      if (*event == BatchReader::Event::more) break;
      if (*event == BatchReader::Event::envelope) result.envelopes.push_back(reader.envelope());
      if (*event == BatchReader::Event::text) message += reader.text();
      if (*event == BatchReader::Event::message)
        result.messages.push_back(std::exchange(message, {}));
    }
    if (file.empty()) break;
  }
  const auto end = reader.finish();
  if (!end) result.error = end.error().text;
  return result;
}

const std::string two =
    "HELO here\nMAIL FROM:<ann@alpha.test> BODY=8BITMIME\nRCPT TO:<bob@beta.test> NOTIFY=NEVER\n"
    "RCPT TO:<eve@beta.test>\nDATA\nSubject: x\n\n..dot\n...\nend\n.\n"
    "MAIL FROM:<>\r\nRCPT TO:<ann@alpha.test>\r\nDATA\r\n.\r\nQUIT\r\n";

}  // namespace

TEST_CASE("BatchReader: reads transactions with LF and CRLF, at every split") {
  const Read whole = read(two, two.size());
  REQUIRE(whole.error.empty());
  REQUIRE(whole.envelopes.size() == 2);
  CHECK(whole.envelopes[0].recipients.size() == 2);
  CHECK(whole.envelopes[0].body == smtp::Body::eight_bit_mime);
  CHECK(whole.messages.at(0) == "Subject: x\r\n\r\n.dot\r\n..\r\nend\r\n");
  CHECK_FALSE(whole.envelopes[1].reverse_path);
  CHECK(whole.messages.at(1).empty());
  for (std::size_t piece = 1; piece < two.size(); ++piece) CHECK(read(two, piece) == whole);
}

TEST_CASE("BatchReader: what is no batch is an error that names the line") {
  struct Case {
    const char* file;
    const char* text;
    std::size_t line;
  };
  const Case bad = GENERATE(
      Case{"MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nhello\n", "the final dot is missing", 0},
      Case{"MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\nhello\n.", "the final dot is missing", 0},
      Case{"MAIL FROM:<a@b>\nRCPT TO:<c@d>\n", "it ends in the middle of a transaction", 0},
      Case{"MAIL FROM:<a@b>\nDATA\n", "DATA without recipients", 2},
      Case{"RCPT TO:<c@d>\n", "RCPT before MAIL", 1},
      Case{"MAIL FROM:<a@b>\nMAIL FROM:<a@b>\n", "MAIL within a transaction", 2},
      Case{"MAIL FROM:<a@b>\nRCPT TO:<c@d>\nDATA\na\rb\n.\n", "a bare CR or a NUL in the message",
           4},
      Case{"STARTTLS\n", "STARTTLS has no meaning in a batch", 1});
  const Read result = read(bad.file, 1000);
  CHECK(result.error == bad.text);
  if (bad.line != 0) CHECK(result.error_line == bad.line);
  CHECK(result.messages.empty());
}

TEST_CASE("BatchReader: endless lines and recipients end") {
  CHECK(read("MAIL FROM:<" + std::string(10'000, 'a'), 512).error == "a line is too long");
  BatchLimits limits;
  limits.recipients = 2;
  BatchReader reader(limits);
  const std::string file = "MAIL FROM:<>\nRCPT TO:<a@b>\nRCPT TO:<a@b>\nRCPT TO:<a@b>\n";
  std::string_view input = file;
  const auto event = reader.next(input);
  REQUIRE_FALSE(event);
  CHECK(event.error().text == "too many recipients");
}

TEST_CASE("format_batch: what is written reads back") {
  smtp::Envelope envelope = test::envelope();
  envelope.ret = smtp::Ret::headers;
  envelope.envid = "a+b =c";
  envelope.smtputf8 = true;
  envelope.recipients[0].notify = smtp::Notify(smtp::Notify::success | smtp::Notify::failure);
  envelope.recipients[0].orcpt.emplace("rfc822", "robert@beta.test");
  envelope.recipients.emplace_back(smtp::Mailbox("a b", "beta.test"));
  envelope.arrival = {};
  const std::string message = "Subject: .\r\n\r\n.\r\n..x\r\nlast";
  const Read back = read(format_batch(envelope, message), 7);
  REQUIRE(back.error.empty());
  REQUIRE(back.envelopes.size() == 1);
  CHECK(back.envelopes[0] == envelope);
  CHECK(back.messages.at(0) == message + "\r\n");
}

TEST_CASE("drop_batch: the file appears whole, synced before and after its name") {
  MemoryFiles files;
  test::make_queue(files, 0);
  const std::string batch = format_batch(test::envelope(), "x\r\n");
  REQUIRE(drop_batch(files, test::layout().drop(), "one", batch));
  for (std::size_t cut = 0; cut <= files.events(); ++cut) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      const auto disk = files.after_power_cut(cut, MemoryFiles::Unsynced::mixed, cut * 4 + seed);
      const bool there = disk->exists(test::layout().drop() + "/one");
      if (cut == files.events()) CHECK(there);
      if (there) CHECK(disk->contents(test::layout().drop() + "/one") == batch);
    }
  }
}

TEST_CASE("list_drop: hidden names are left alone") {
  MemoryFiles files;
  test::make_queue(files, 0);
  files.set_contents(test::layout().drop() + "/.writing", "x");
  files.set_contents(test::layout().drop() + "/ready", "x");
  const auto found = list_drop(files, test::layout());
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  CHECK(found->front().name == "ready");
}
