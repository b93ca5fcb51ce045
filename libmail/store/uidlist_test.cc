#include "libmail/store/uidlist.h"

#include <catch2/catch.hpp>

using namespace posthorn::store;

namespace {
const std::string guid = "3085f01b7f11094c501100008c4a11c1";
const std::string header = "3 V1275660208 N25022 G" + guid + "\n";
}  // namespace

TEST_CASE("UidList: reads Dovecot's list and writes it back octet for octet") {
  const std::string text = "3 V1275660208 N25022 G" + guid + " Xunknown Y\n" +
                           "25006 :1276528487.M364837P9451.kurkku,S=1355,W=1394\n"
                           "25017 W2481 Pold-uidl Zkept :1276533073.M242911P3632.kurkku\n";
  const UidList list = UidList::parse(text);
  CHECK(list.damage.empty());
  CHECK_FALSE(list.must_rewrite);
  CHECK(list.uid_validity == 1275660208);
  CHECK(list.next_uid == 25022);
  CHECK(list.guid == guid);
  REQUIRE(list.records.size() == 2);
  CHECK(list.records[1].field('W') == "2481");
  CHECK(list.records[1].field('P') == "old-uidl");
  CHECK_FALSE(list.records[1].field('Q'));
  CHECK(list.text() == text);
}

TEST_CASE("UidList: flags in a file name are not part of it") {
  const UidList list = UidList::parse(header + "25023 :a.b.c:2,FS\n");
  REQUIRE(list.records.size() == 1);
  CHECK(list.records[0].base == "a.b.c");
  CHECK(list.next_uid == 25024);  // appended lines raise it
}

TEST_CASE("UidList: Courier's list is taken over, and to be written anew") {
  const UidList list =
      UidList::parse("1 1200000000 13\n5 1200000001.M1P2.host,S=7\n12 1200000002.M1P3.host\n");
  CHECK(list.uid_validity == 1200000000);
  CHECK(list.next_uid == 13);
  CHECK(list.must_rewrite);
  REQUIRE(list.records.size() == 2);
  CHECK(list.records[0].uid == 5);
  CHECK(list.records[1].base == "1200000002.M1P3.host");
}

TEST_CASE("UidList: a damaged line costs its message the UID, and nobody else") {
  const auto [line, kept] = GENERATE(table<std::string, std::size_t>({
      {"0 :zero", 2},
      {"x :word", 2},
      {"4294967295 :too-high", 2},
      {"99999999999 :too-high", 2},
      {"1 :not-ascending", 2},
      {"5", 2},
      {"5 W12", 2},
      {"5 :", 2},
      {"5 :a/b", 2},
      {"5 :.hidden", 2},
      {"5 :first", 2},  // an earlier line's file: the later UID counts
      {"5 \x01"
       "field :c",
       3},
  }));
  CAPTURE(line);
  const UidList list = UidList::parse(header + "3 :first\n" + line + "\n6 :last\n");
  CHECK(list.must_rewrite);
  CHECK_FALSE(list.damage.empty());
  CHECK(list.records.size() == kept);
  CHECK(list.records.back().uid == 6);
  for (std::size_t i = 1; i < list.records.size(); ++i) {
    CHECK(list.records[i - 1].uid < list.records[i].uid);
  }
}

TEST_CASE("UidList: a list without a usable header is no list") {
  for (const char* text : {"", "2 V1 N1\n5 :a\n", "3 V0 N5\n", "3 Vx N5\n", "3 V7\n", "1 0 5\n",
                           "1 7\n", "junk\n", "3 V7 N5 G0"}) {
    CAPTURE(text);
    const UidList list = UidList::parse(text);
    CHECK(list.uid_validity == 0);
    CHECK(list.next_uid == 1);
    CHECK(list.records.empty());
  }
}

TEST_CASE("UidList: a last line without its end was never announced") {
  const UidList list = UidList::parse(header + "3 :first\n4 :sec");
  REQUIRE(list.records.size() == 1);
  CHECK(list.must_rewrite);
}

TEST_CASE("UidRecord: setting a field keeps the others") {
  UidRecord record;
  record.fields = "W1 Pabc W2";
  record.set_field('W', "77");
  CHECK(record.fields == "Pabc W77");
}

TEST_CASE("uidl_text: Dovecot's default, unless an older server's was saved") {
  UidRecord record;
  record.uid = 0x21;
  CHECK(uidl_text(record, 0x4c08e3b0) == "000000214c08e3b0");
  record.fields = "Pwhqtswo00WBw418f9t5JxYwZ";
  CHECK(uidl_text(record, 1) == "whqtswo00WBw418f9t5JxYwZ");
  record.fields = "P" + std::string(71, 'x');
  CHECK(uidl_text(record, 1) == "0000002100000001");
  record.fields = "P\xff";
  CHECK(uidl_text(record, 1) == "0000002100000001");
}
