#include "libmail/store/lmdb_index.h"

#include <sys/wait.h>
#include <unistd.h>

#include <random>

#include "libmail/store/index_values.h"
#include "libmail/store/test_maildir.h"

namespace posthorn::store {
namespace {

using namespace test;
using Uids = std::vector<std::uint32_t>;

std::unique_ptr<MaildirBox> open_indexed(Site& site) {
  auto directories = site.directories();
  auto index = open_lmdb_index(*directories.root);
  return std::make_unique<MaildirBox>(*site.host, std::move(directories), std::move(index),
                                      BoxSettings());
}

// Rows enough for some pages.
IndexBatch a_thousand_rows() {
  IndexBatch batch;
  batch.header = IndexHeader();
  for (std::uint32_t uid = 1; uid <= 1000; ++uid) {
    MessageRow row;
    row.uid = uid;
    batch.rows.push_back(row);
    batch.names.emplace_back(uid, "name" + std::to_string(uid));
  }
  return batch;
}

TEST_CASE("LmdbIndex: cut while it is open, it ends who reads it, and only that one") {
  Site site;
  auto directories = site.directories();
  const pid_t reader = fork();
  if (reader == 0) {
    const auto index = open_lmdb_index(*directories.root);
    if (!index || !index->write(a_thousand_rows())) _exit(11);
    auto file = directories.root->open_file(index_name, OpenMode::update, 0600);
    if (!file || !(*file)->truncate(8192)) _exit(12);
    const auto read = index->rows([](const MessageRow&) {});
    _exit(read ? 13 : 14);
  }
  int status = 0;
  REQUIRE(waitpid(reader, &status, 0) == reader);
  // A sanitizer ends a process in its own way.
  CHECK((WIFSIGNALED(status) ? WTERMSIG(status) == SIGBUS : WEXITSTATUS(status) < 10));
  CHECK(directories.root->status(index_name)->size == 0);
  const auto index = open_lmdb_index(*directories.root);
  REQUIRE(index);
  CHECK_FALSE(index->header().value());
}

TEST_CASE("LmdbIndex: what was written is there after opening it again") {
  Site site;
  auto directories = site.directories();
  IndexBatch batch;
  IndexHeader header;
  header.uid_validity = 7;
  header.guid = "abc";
  header.counts.messages = 2;
  batch.header = header;
  for (const std::uint32_t uid : {3U, 900U}) {
    MessageRow row;
    row.uid = uid;
    row.modseq = uid * 1000ULL;
    row.keywords = 1ULL << 63;
    batch.rows.push_back(row);
    batch.names.emplace_back(uid, "name" + std::to_string(uid));
  }
  batch.vanished.emplace_back(50, Uids{1, 2, 5});
  {
    auto index = open_lmdb_index(*directories.root);
    REQUIRE(index);
    CHECK_FALSE(index->header().value());
    REQUIRE(index->write(batch));
    const std::vector<std::pair<std::uint32_t, std::string>> values = {
        {3, "three"}, {4, "nobody"}, {900, std::string(100000, 'x')}};
    REQUIRE(index->put_values(CachedValue::envelope, values));
    // Nobody else may have it meanwhile.
    CHECK(open_lmdb_index(*directories.root) == nullptr);
  }
  auto index = open_lmdb_index(*directories.root);
  REQUIRE(index);
  CHECK(index->header().value() == header);
  std::vector<MessageRow> rows;
  REQUIRE(index->rows([&](const MessageRow& row) { rows.push_back(row); }));
  CHECK(rows == batch.rows);
  CHECK(index->names_of(Uids{1, 3, 900, 901}).value() ==
        std::vector<std::string>{"", "name3", "name900", ""});
  CHECK(index->vanished(49).value() == Uids{1, 2, 5});
  CHECK(index->vanished(50)->empty());
  std::map<std::uint32_t, std::size_t> found;
  REQUIRE(
      index->values(CachedValue::envelope, Uids{2, 3, 4, 900},
                    [&](std::uint32_t uid, std::string_view value) { found[uid] = value.size(); }));
  CHECK(found == std::map<std::uint32_t, std::size_t>{{3, 5}, {900, 100000}});
  IndexBatch removal;
  removal.removed = {3};
  REQUIRE(index->write(removal));
  found.clear();
  REQUIRE(
      index->values(CachedValue::envelope, Uids{3, 900},
                    [&](std::uint32_t uid, std::string_view value) { found[uid] = value.size(); }));
  CHECK(found.size() == 1);
  REQUIRE(index->clear());
  CHECK_FALSE(index->header().value());
}

TEST_CASE(
    "LmdbIndex: a kind of values that nobody asks for goes after a month, and the others stay") {
  Site site;
  auto directories = site.directories();
  auto index = open_lmdb_index(*directories.root);
  REQUIRE(index);
  REQUIRE(index->write(a_thousand_rows()));
  const std::vector<std::pair<std::uint32_t, std::string>> values = {{3, "three"}};
  REQUIRE(index->put_values(CachedValue::envelope, values));
  REQUIRE(index->put_values(CachedValue::body_structure, values));
  const auto has = [&index](CachedValue kind) {
    bool found = false;
    REQUIRE(index->values(kind, Uids{3}, [&](std::uint32_t, std::string_view) { found = true; }));
    return found;
  };
  const auto day = [](int number) { return WallTime(std::chrono::days(20000 + number)); };
  index->forget_unused(day(0));
  index->forget_unused(day(29));
  CHECK(has(CachedValue::envelope));
  index->forget_unused(day(29));
  index.reset();
  index = open_lmdb_index(*directories.root);
  index->forget_unused(day(31));
  CHECK_FALSE(has(CachedValue::body_structure));
  index->forget_unused(day(58));
  index->forget_unused(day(59));
  CHECK(has(CachedValue::envelope));
  CHECK(index->names_of(Uids{3}).value() == std::vector<std::string>{"name3"});
}

TEST_CASE("LmdbIndex: what was written is there while a clock is set back by years") {
  Site site;
  auto directories = site.directories();
  auto index = open_lmdb_index(*directories.root);
  REQUIRE(index->write(a_thousand_rows()));
  const std::vector<std::pair<std::uint32_t, std::string>> values = {{3, "three"}};
  REQUIRE(index->put_values(CachedValue::preview, values));
  index->forget_unused(WallTime(std::chrono::days(20000)));
  index->forget_unused(WallTime(std::chrono::days(100)));
  index->forget_unused(WallTime(std::chrono::days(120)));
  std::size_t found = 0;
  REQUIRE(index->values(CachedValue::preview, Uids{3},
                        [&](std::uint32_t, std::string_view) { ++found; }));
  CHECK(found == 1);
}

TEST_CASE("LmdbIndex: the map grows with what is put in") {
  Site site;
  auto directories = site.directories();
  auto index = open_lmdb_index(*directories.root);
  for (std::uint32_t uid = 1; uid <= 60; ++uid) {
    IndexBatch batch;
    MessageRow row;
    row.uid = uid;
    batch.rows.push_back(row);
    REQUIRE(index->write(batch));
    const std::vector<std::pair<std::uint32_t, std::string>> values = {
        {uid, std::string(1 << 20, 'x')}};
    REQUIRE(index->put_values(CachedValue::header, values));
  }
  std::size_t octets = 0;
  Uids all;
  for (std::uint32_t uid = 1; uid <= 60; ++uid) all.push_back(uid);
  REQUIRE(index->values(CachedValue::header, all,
                        [&](std::uint32_t, std::string_view value) { octets += value.size(); }));
  CHECK(octets == 60U << 20);
}

TEST_CASE("MaildirBox: who asks from before what the index has forgotten is told so") {
  Site site;
  auto directories = site.directories();
  BoxSettings settings;
  settings.index_delay = Duration::zero();
  MaildirBox box(*site.host, site.directories(), open_lmdb_index(*directories.root, 2), settings);
  for (int i = 0; i < 5; ++i) site.deliver();
  sync(box);
  const std::uint64_t before = box.snapshot()->highest_modseq();
  std::uint64_t second = 0;
  for (const std::uint32_t uid : {1U, 2U, 3U, 4U}) {
    const auto expunged = box.expunge(Uids{uid});
    REQUIRE(expunged);
    if (uid == 2) second = expunged->modseq;
  }
  CHECK_FALSE(box.vanished(before)->complete);
  const auto late = box.vanished(second);
  CHECK(late->complete);
  CHECK(late->uids == Uids{3, 4});
}

TEST_CASE("MaildirBox: what is written already is not written when it is closed") {
  Site site;
  auto box = open_indexed(site);
  site.deliver();
  sync(*box);
  usleep(40000);
  sync(*box);
  REQUIRE(box->rest());
  const auto before = fs::last_write_time(site.maildir(index_name));
  const auto octets = site.content(index_name);
  REQUIRE(box->rest());
  box.reset();
  CHECK(fs::last_write_time(site.maildir(index_name)) == before);
  CHECK(site.content(index_name) == octets);
}

TEST_CASE("MaildirBox: the next process reads the index and no directory") {
  Site site(GENERATE(false, true));
  {
    auto box = open_indexed(site);
    for (int i = 0; i < 3; ++i) site.deliver();
    sync(*box, true);
    REQUIRE(box->store_flags(Uids{2}, add_flags(flag::seen, {"work"})));
    REQUIRE(box->expunge(Uids{3}));
    usleep(40000);
    sync(*box);
    REQUIRE(box->rest());
  }
  auto box = open_indexed(site);
  sync(*box);
  const auto snapshot = box->snapshot();
  CHECK(uids_of(*snapshot) == Uids{1, 2});
  CHECK(snapshot->find(2)->keywords == 1);
  const std::uint64_t modseq = snapshot->highest_modseq();
  sync(*box);
  CHECK(box->snapshot()->highest_modseq() == modseq);
  CHECK(box->vanished(snapshot->find(1)->modseq)->uids == Uids{3});
  CHECK(box->text(2).value() == "Subject: x\r\n\r\nbody\r\n");
}

TEST_CASE("MaildirBox: without its index nothing is lost but the history") {
  Site site;
  std::uint64_t modseq = 0;
  {
    auto box = open_indexed(site);
    for (int i = 0; i < 3; ++i) site.deliver();
    sync(*box);
    REQUIRE(box->store_flags(Uids{2}, add_flags(flag::seen)));
    REQUIRE(box->expunge(Uids{1}));
    modseq = box->snapshot()->highest_modseq();
  }
  const std::string damage = GENERATE("removed", "cut", "garbage", "nothing");
  const std::string file = site.maildir(index_name);
  if (damage == "removed") fs::remove(file);
  if (damage == "cut") fs::resize_file(file, 5000);
  if (damage == "garbage") std::ofstream(file) << std::string(100000, 'z');
  auto box = open_indexed(site);
  sync(*box);
  const auto snapshot = box->snapshot();
  CHECK(uids_of(*snapshot) == Uids{2, 3});
  CHECK((snapshot->find(2)->flags & flag::seen) != 0);
  CHECK(snapshot->uid_next() == 4);
  CHECK(box->vanished(modseq)->complete == (damage == "nothing"));
  if (damage != "nothing") {
    CHECK(snapshot->find(2)->modseq > modseq);
    CHECK(snapshot->find(3)->modseq > modseq);
  }
}

// What becomes of the file behind our back, while nobody uses the mailbox.
void meddle(const Site& site, const std::string& what) {
  const std::string file = site.maildir(index_name);
  const std::string old = site.path + "/old";
  if (what == "removed") fs::remove(file);
  if (what == "another file") fs::rename(old, file);
  if (what == "another content") fs::copy_file(old, file, fs::copy_options::overwrite_existing);
  if (what == "cut") fs::resize_file(file, 0);
}

TEST_CASE("MaildirBox: an index that is removed or changed at rest is not believed") {
  const std::string what = GENERATE("removed", "another file", "another content", "cut", "nothing");
  Site site(true);
  (void)site.directories();
  std::vector<std::string> bases;
  for (int i = 0; i < 3; ++i) bases.push_back(site.deliver());
  {
    auto box = open_indexed(site);
    sync(*box);
    REQUIRE(box->rest());
  }
  fs::copy_file(site.maildir(index_name), site.path + "/old");
  std::uint64_t modseq = 0;
  {
    auto box = open_indexed(site);
    sync(*box, true);
    REQUIRE(box->store_flags(Uids{2}, add_flags(flag::flagged)));
    modseq = box->snapshot()->highest_modseq();
    REQUIRE(box->rest());
    meddle(site, what);

    REQUIRE(box->rest());
    sync(*box);
    // The first who asks the index may hear that it was damaged.
    (void)box->text(1);
    sync(*box);
    CHECK(uids_of(*box->snapshot()) == Uids{1, 2, 3});
    CHECK((box->snapshot()->find(2)->flags & flag::flagged) != 0);
    CHECK(box->text(2).value() == "Subject: x\r\n\r\nbody\r\n");
    REQUIRE(box->store_flags(Uids{3}, add_flags(flag::seen)));
    CHECK(box->snapshot()->find(3)->modseq > modseq);
    CHECK(box->take_remarks().size() == (what == "nothing" ? 0U : 1U));
    usleep(40000);
    sync(*box);
    REQUIRE(box->rest());
  }
  // And the next process reads in it what is so.
  auto directories = site.directories();
  const auto index = open_lmdb_index(*directories.root);
  REQUIRE(index);
  const auto header = index->header().value();
  REQUIRE(header);
  CHECK(header->highest_modseq > modseq);
  std::vector<std::uint16_t> flags;
  REQUIRE(index->rows(
      [&](const MessageRow& row) { flags.push_back(row.flags & (flag::seen | flag::flagged)); }));
  CHECK(flags == std::vector<std::uint16_t>{0, flag::flagged, flag::seen});
  CHECK(index->names_of(Uids{1, 2, 3}).value() == bases);
}

TEST_CASE("MaildirBox: an index that another process has made meanwhile is left to it") {
  Site site;
  (void)site.directories();
  for (int i = 0; i < 3; ++i) site.deliver();
  auto box = open_indexed(site);
  sync(*box, true);
  REQUIRE(box->rest());
  fs::remove(site.maildir(index_name));
  auto directories = site.directories();
  const auto other = open_lmdb_index(*directories.root);
  REQUIRE(other);
  REQUIRE(other->write(a_thousand_rows()));

  (void)box->text(1);
  sync(*box);
  CHECK(box->text(2).value() == "Subject: x\r\n\r\nbody\r\n");
  REQUIRE(box->store_flags(Uids{3}, add_flags(flag::seen)));
  REQUIRE(box->rest());
  box.reset();
  CHECK(other->names_of(Uids{1000}).value() == std::vector<std::string>{"name1000"});
}

TEST_CASE("Index values: what is encoded is decoded, and anything else is refused") {
  IndexHeader header;
  header.uid_validity = 1;
  header.guid = std::string(32, 'a');
  header.cur.modified = -5;
  const std::string text = encode_header(header);
  CHECK(decode_header(text) == header);
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string other = text;
    other[i] = static_cast<char>(other[i] ^ 1);
    CHECK_FALSE(decode_header(other));
    CHECK_FALSE(decode_header(text.substr(0, i)));
  }
  CHECK(encode_uids({1, 2, 3, 9}).size() == 16);
  CHECK(decode_uids(encode_uids({1, 2, 3, 9})) == Uids{1, 2, 3, 9});
  CHECK_FALSE(decode_uids(std::string(8, '\xff')));
  CHECK_FALSE(decode_uids("x"));
}

}  // namespace
}  // namespace posthorn::store
