#include "agents/mua/compose.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "agents/mua/envelope.h"
#include "libmail/message/body_reader.h"

using namespace posthorn;
using namespace posthorn::mua;

namespace {

Account account() {
  Account own;
  own.name = "own";
  own.address = {"", "me", "alpha.test"};
  return own;
}

ComposeFlags as_draft() {
  ComposeFlags flags;
  flags.draft = true;
  return flags;
}

std::string draft_of(const Composed& composed) {
  return composed.for_draft.whole().value();
}

}  // namespace

TEST_CASE("compose: a draft taken up again says what it said, and has what it had") {
  ComposeFlags flags = as_draft();
  flags.to = {"J\u00fcrgen <j@beta.test>"};
  flags.cc = {"c@beta.test"};
  flags.bcc = {"b@beta.test"};
  flags.subject = "Gr\u00fc\u00dfe";
  flags.headers = {"X-Own: kept \u00fc"};
  flags.markdown = true;
  message::BuildPart file;
  file.type = "application/pdf";
  file.filename = "caf\u00e9.pdf";
  file.content = std::string("\0\xff\r%PDF\n", 8);
  file.disposition = message::Presentation::attachment;
  message::Draft begun;
  begun.in_reply_to = {"<1@beta.test>"};
  begun.references = {"<0@beta.test>", "<1@beta.test>"};
  const std::string text = "A *line*\n\n" + std::string(150, 'w') + " and more words\n";
  const auto composed = compose(account(), begun, flags, text, {file});
  REQUIRE(composed.has_value());

  const Answering again = make_resumed(account(), draft_of(*composed));
  CHECK(again.draft.to.mailboxes.front().display_name == "J\u00fcrgen");
  CHECK(again.draft.cc.mailboxes.front().addr_spec() == "c@beta.test");
  CHECK(again.draft.bcc.front().addr_spec() == "b@beta.test");
  CHECK(again.draft.subject == "Gr\u00fc\u00dfe");
  CHECK(again.draft.in_reply_to == begun.in_reply_to);
  CHECK(again.draft.references == begun.references);
  REQUIRE(again.draft.fields.size() == 1);
  CHECK(again.draft.fields.front().first.text() == "X-Own");
  CHECK(again.behind == text);
  REQUIRE(again.more.size() == 1);
  CHECK(again.more.front().filename == file.filename);
  CHECK(again.more.front().type == file.type);
  CHECK(std::get<std::string>(again.more.front().content) == std::get<std::string>(file.content));

  // And it can be kept again, any number of times.
  const auto twice = compose(account(), again.draft, as_draft(), again.behind, again.more);
  REQUIRE(twice.has_value());
  const Answering third = make_resumed(account(), draft_of(*twice));
  CHECK(third.draft.subject == again.draft.subject);
  CHECK(third.draft.fields.size() == 1);
  CHECK(third.behind == text);
  CHECK(std::get<std::string>(third.more.front().content) == std::get<std::string>(file.content));
}

TEST_CASE("compose: a forwarded message in a draft stays a message") {
  const std::string original = "From: a@beta.test\r\nSubject: x\r\n\r\ntext\r\n";
  const Answering forwarded = make_forward(account(), original, false);
  ComposeFlags flags = as_draft();
  const auto composed = compose(account(), forwarded.draft, flags, "see below\n", forwarded.more);
  REQUIRE(composed.has_value());
  const Answering again = make_resumed(account(), draft_of(*composed));
  REQUIRE(again.more.size() == 1);
  CHECK(again.more.front().type == "message/rfc822");
  CHECK(std::get<std::string>(again.more.front().content) == original);
}

TEST_CASE("compose: a large file goes into the message in pieces, and out of it as it was") {
  const auto path = std::filesystem::temp_directory_path() / "posthorn-compose-test.bin";
  std::string octets(3 << 20, '\0');
  for (std::size_t i = 0; i < octets.size(); ++i) octets[i] = static_cast<char>(i * 7 + i / 251);
  std::ofstream(path, std::ios::binary) << octets;
  ComposeFlags flags;
  flags.to = {"a@beta.test"};
  flags.attach = {path.string()};
  const auto composed = compose(account(), {}, flags, "x\n");
  std::filesystem::remove(path);
  REQUIRE(composed.has_value());
  const std::string whole = composed->letter.message.whole().value();
  const message::MessageView view(whole);
  const auto parts = list_parts(view);
  REQUIRE(parts.size() == 3);
  CHECK(parts[2].attachment);
  CHECK(message::decode_body(view, 2) == octets);
}
