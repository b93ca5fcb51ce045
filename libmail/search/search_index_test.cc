#include "libmail/search/search_index.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utf8proc.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>

#include "libmail/base/text.h"
#include "libmail/search/folded_text.h"

namespace posthorn::search {
namespace {

namespace fs = std::filesystem;
using Kind = SearchError::Kind;

struct Folder {
  std::string path;
  Folder() {
    std::string form =
        (fs::canonical(fs::temp_directory_path()) / "posthorn-search-XXXXXX").string();
    REQUIRE(mkdtemp(form.data()) != nullptr);
    path = form;
  }
  ~Folder() { fs::remove_all(path); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file() const { return path + "/" + index_name; }
  std::unique_ptr<SearchIndex> make(const Limits& limits = {}, std::uint32_t validity = 7) {
    remark.clear();
    IndexOwner owner;
    owner.uid_validity = validity;
    owner.mailbox = "guid";
    auto made = make_index(path, owner, limits, remark);
    REQUIRE(made);
    return std::move(*made);
  }
  std::string remark;
};

IndexedMessage body_of(std::uint32_t uid, std::string folded) {
  IndexedMessage message;
  message.uid = uid;
  message.is_indexed = true;
  message.text[static_cast<std::size_t>(Column::body)] = std::move(folded);
  return message;
}

void add(SearchIndex& index, const std::vector<IndexedMessage>& messages) {
  const auto added = index.add(messages);
  INFO((added ? "" : added.error().text));
  REQUIRE(added);
}

imap::NumberSet ask(SearchIndex& index, std::initializer_list<Column> in, std::string_view folded) {
  const auto found = index.candidates(std::span(in.begin(), in.size()), folded);
  INFO((found ? "" : found.error().text));
  REQUIRE(found);
  REQUIRE(*found);
  return **found;
}

// Words of one alphabet that folding, SQLite and UTF-8 make hard.
const std::vector<std::string> pieces = {
    "a",          "b",      "c",      " ",      "\n",     "i",
    "I",          "\u0130", "\u0131", "\u00df", "ss",     "\u1e9e",
    "e\u0301",    "\u00e9", "\u0301", "\u0323", "\u4e2d", "\u6587",
    "\U0001f600", "\"",     "*",      "(",      ")",      "AND",
    "OR",         "NOT",    "NEAR",   "{",      "}",      ":",
    "^",          "+",      "-",      "'",      "%",      std::string(1, '\0'),
    "\xff",       "\xc3",   "\xe4",   "body:",  "\ufb01", "\u03a3",
    "\u03c2"};

constexpr std::array in_body = {Column::body};

std::string random_text(std::mt19937& random, std::size_t most) {
  std::string text;
  for (std::size_t n = random() % (most + 1); n > 0; --n) text += pieces[random() % pieces.size()];
  return text;
}

TEST_CASE("SearchIndex: candidates are never fewer than the messages that have the needle") {
  const auto seed = GENERATE(range(1U, 5U));
  std::mt19937 random(seed);
  Folder folder;
  const auto index = folder.make();
  std::vector<IndexedMessage> messages;
  for (std::uint32_t uid = 1; uid <= 60; ++uid)
    messages.push_back(body_of(uid, fold_case(random_text(random, 40))));
  add(*index, messages);
  std::size_t narrowed = 0;
  for (int i = 0; i < 600; ++i) {
    // Half of the needles are cut out of a text, wherever that falls: in the middle of characters as well.
    std::string needle = fold_case(random_text(random, 5));
    if (i % 2 == 0) {
      const std::string& text = messages[random() % messages.size()].text.back();
      if (!text.empty()) needle = text.substr(random() % text.size(), 1 + random() % 12);
    }
    const auto found = index->candidates(in_body, needle);
    INFO((found ? "" : found.error().text));
    REQUIRE(found);
    if (needle.size() < 2) {
      CHECK_FALSE(*found);
      continue;
    }
    REQUIRE(*found);
    for (const IndexedMessage& message : messages) {
      if (message.text.back().find(needle) != std::string::npos)
        CHECK((*found)->contains(message.uid));
    }
    if ((*found)->count() < messages.size()) ++narrowed;
  }
  CHECK(narrowed > 300);
}

TEST_CASE("SearchIndex: a needle of two octets is found at the end of a text, too") {
  Folder folder;
  const auto index = folder.make();
  add(*index,
      {body_of(1, "xy"), body_of(2, "axy"), body_of(3, "yx"), body_of(4, "x"), body_of(5, "")});
  CHECK(ask(*index, {Column::body}, "xy") == imap::NumberSet({1, 2}));
}

TEST_CASE("SearchIndex: each column narrows, and the header as a whole has names and values") {
  Folder folder;
  const auto index = folder.make();
  const std::string text =
      "From: =?ISO-8859-1?Q?J=FCrgen?= <j@example.org>\r\nTo: Ann <ann@example.org>\r\n"
      "Subject: Stra=?UTF-8?Q?=C3=9Fe?=\r\nX-Colour: red \xe4\r\nCc: cecil@x\r\nBcc: "
      "bea@x\r\n\r\nHello green "
      "world\r\n";
  add(*index, {texts_of(9, message::MessageView(text), Limits())});
  const imap::NumberSet nine = {9};
  CHECK(ask(*index, {Column::from}, fold_case("JÜRGEN")) == nine);
  CHECK(ask(*index, {Column::to}, fold_case("JÜRGEN")).empty());
  CHECK(ask(*index, {Column::subject}, fold_case("strasse")) == nine);
  CHECK(ask(*index, {Column::to}, "ann") == nine);
  CHECK(ask(*index, {Column::cc}, "cecil") == nine);
  CHECK(ask(*index, {Column::bcc}, "bea@x") == nine);
  CHECK(ask(*index, {Column::header}, "x-colour: red") == nine);
  CHECK(ask(*index, {Column::header}, fold_case("jürgen")) == nine);
  CHECK(ask(*index, {Column::body}, "green") == nine);
  CHECK(ask(*index, {Column::subject, Column::from}, "green").empty());
  CHECK(ask(*index, {Column::header, Column::body}, "green") == nine);
}

TEST_CASE("SearchIndex: it knows what it has when it is opened again, and takes nothing twice") {
  Folder folder;
  {
    const auto index = folder.make();
    IndexedMessage large;
    large.uid = 2;
    add(*index, {body_of(1, "first one"), large, body_of(3, "third one")});
    add(*index, {body_of(3, "another"), body_of(4, "fourth one")});
  }
  const auto index = folder.make();
  CHECK(folder.remark.empty());
  const auto known = index->known();
  REQUIRE(known);
  CHECK(known->seen.text() == "1:4");
  CHECK(known->indexed.text() == "1,3:4");
  CHECK(ask(*index, {Column::body}, " one") == imap::NumberSet({1, 3, 4}));
  CHECK(ask(*index, {Column::body}, "another").empty());
  CHECK(index->verify());
}

TEST_CASE("SearchIndex: an index of another UIDVALIDITY is not believed") {
  Folder folder;
  add(*folder.make(), {body_of(1, "first one")});
  IndexOwner owner;
  owner.uid_validity = 8;
  owner.mailbox = "guid";
  const auto opened = open_index(folder.path, owner);
  REQUIRE_FALSE(opened);
  CHECK(opened.error().kind == Kind::missing);
  const auto index = folder.make(Limits(), 8);
  CHECK(index->known()->seen.empty());
}

TEST_CASE("SearchIndex: a damaged file is thrown away, with a remark") {
  Folder folder;
  {
    const auto index = folder.make();
    for (std::uint32_t uid = 1; uid < 400; ++uid)
      add(*index, {body_of(uid, "some text of number " + std::to_string(uid * 7919))});
  }
  SECTION("it is no database") {
    std::ofstream(folder.file()) << std::string(20000, 'x');
  }
  SECTION("it is cut") {
    fs::resize_file(folder.file(), 1000);
  }
  SECTION("its tables are overwritten") {
    std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(16384, '\x5a');
  }
  const auto index = folder.make();
  CHECK_FALSE(folder.remark.empty());
  CHECK(index->known()->seen.empty());
  add(*index, {body_of(1, "first one")});
  CHECK(ask(*index, {Column::body}, "first") == imap::NumberSet({1}));
}

TEST_CASE("SearchIndex: verify() finds pages that were changed") {
  Folder folder;
  {
    const auto index = folder.make();
    std::vector<IndexedMessage> messages;
    std::mt19937 random(3);
    for (std::uint32_t uid = 1; uid < 400; ++uid)
      messages.push_back(body_of(uid, random_text(random, 200)));
    add(*index, messages);
    REQUIRE(index->verify());
  }
  const auto size = fs::file_size(folder.file());
  REQUIRE(size > 10 * 4096);
  {
    std::fstream file(folder.file(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(size / 4096 * 4096 - 3 * 4096));
    file << std::string(2 * 4096, '\x33');
  }
  const auto checked = folder.make()->verify();
  REQUIRE_FALSE(checked);
  CHECK(checked.error().kind == Kind::damaged);
}

TEST_CASE(
    "SearchIndex: a file that is as large as it may be takes no more, and goes on answering") {
  Folder folder;
  Limits limits;
  limits.file_octets = std::uint64_t{200} * 1024;
  const auto index = folder.make(limits);
  std::mt19937 random(1);
  std::uint32_t uid = 1;
  auto added = index->add(std::vector<IndexedMessage>{body_of(uid, "the first one")});
  while (added && uid < 3000)
    added = index->add(std::vector<IndexedMessage>{body_of(++uid, random_text(random, 400))});
  REQUIRE_FALSE(added);
  CHECK(added.error().kind == Kind::full);
  CHECK(index->known()->seen.largest() == uid - 1);
  CHECK(ask(*index, {Column::body}, "first one").contains(1));
}

TEST_CASE("SearchIndex: of two writers the second is told; readers see what was there") {
  Folder folder;
  const auto first = folder.make();
  const auto second = folder.make();
  add(*first, {body_of(1, "first one")});
  CHECK(ask(*second, {Column::body}, "first") == imap::NumberSet({1}));
  add(*second, {body_of(1, "other"), body_of(2, "second one")});
  CHECK(ask(*first, {Column::body}, "one") == imap::NumberSet({1, 2}));
}

TEST_CASE("SearchIndex: a writer that is killed leaves what its index says it has") {
  Folder folder;
  add(*folder.make(), {body_of(1, "marked with number 1,")});
  for (int round = 0; round < 8; ++round) {
    const pid_t writer = fork();
    REQUIRE(writer >= 0);
    if (writer == 0) {
      IndexOwner owner;
      owner.uid_validity = 7;
      owner.mailbox = "guid";
      std::string remark;
      const auto index = make_index(folder.path, owner, Limits(), remark);
      if (!index) _exit(1);
      std::mt19937 random(static_cast<unsigned>(round));
      const auto known = (*index)->known();
      for (std::uint32_t uid = known->seen.largest() + 1;; uid += 10) {
        std::vector<IndexedMessage> batch;
        for (std::uint32_t i = uid; i < uid + 10; ++i)
          batch.push_back(body_of(i, "marked with number " + std::to_string(i) + ", " +
                                         fold_case(random_text(random, 200))));
        if (!(*index)->add(batch)) _exit(1);
      }
    }
    usleep(static_cast<useconds_t>(20'000 + 9'000 * round));
    kill(writer, SIGKILL);
    int status = 0;
    REQUIRE(waitpid(writer, &status, 0) == writer);
    REQUIRE(WIFSIGNALED(status));
    const auto index = folder.make();
    CHECK(folder.remark.empty());
    CHECK(index->verify());
    const auto known = index->known();
    REQUIRE(known);
    known->indexed.for_each([&](std::uint32_t uid) {
      if (uid % 7 == 0 || uid == known->indexed.largest())
        CHECK(ask(*index, {Column::body}, "number " + std::to_string(uid) + ",").contains(uid));
    });
  }
  CHECK(folder.make()->known()->indexed.count() > 10);
}

TEST_CASE("SearchIndex: a link in its place is not followed") {
  Folder folder;
  std::ofstream(folder.path + "/else") << "";
  fs::create_symlink("else", folder.file());
  std::string remark;
  const auto made = make_index(folder.path, IndexOwner(), Limits(), remark);
  // The link itself goes; what it pointed to stays as it was.
  if (made) CHECK_FALSE(fs::is_symlink(folder.file()));
  CHECK(fs::file_size(folder.path + "/else") == 0);
}

TEST_CASE("fold_case: each stretch between ASCII is folded as the whole would be") {
  std::mt19937 random(11);
  for (int i = 0; i < 3000; ++i) {
    std::string text = random_text(random, 12);
    if (i % 3 == 0) {
      for (int n = 0; n < 6; ++n) {
        const unsigned c = 0x80 + random() % 0x780;
        text += static_cast<char>(0xC0 | c >> 6);
        text += static_cast<char>(0x80 | (c & 0x3F));
      }
    }
    if (!is_utf8(text)) continue;
    utf8proc_uint8_t* mapped = nullptr;
    const auto size = utf8proc_map(
        reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
        static_cast<utf8proc_ssize_t>(text.size()), &mapped,
        static_cast<utf8proc_option_t>(UTF8PROC_CASEFOLD | UTF8PROC_DECOMPOSE | UTF8PROC_STABLE));
    REQUIRE(size >= 0);
    const std::string whole(reinterpret_cast<const char*>(mapped), static_cast<std::size_t>(size));
    std::free(mapped);
    CHECK(fold_case(text) == whole);
  }
  CHECK(fold_case("A\xff\xc3 \u00c4\xe4 B") == "a\xff\xc3 \u00c4\xe4 b");
}

TEST_CASE("texts_of: a message with too much text is noted, not indexed") {
  Limits limits;
  limits.message_octets = 1000;
  const std::string text = "Subject: x\r\n\r\n" + std::string(2000, 'a');
  const IndexedMessage message = texts_of(4, message::MessageView(text), limits);
  CHECK_FALSE(message.is_indexed);
  CHECK(message.size() == 0);
}

}  // namespace
}  // namespace posthorn::search
