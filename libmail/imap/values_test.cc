// The small values of the grammar: sets, flags, dates, names, items, criteria, codes.
#include <catch2/catch.hpp>

#include "libmail/imap/capability.h"
#include "libmail/imap/date.h"
#include "libmail/imap/fetch.h"
#include "libmail/imap/flags.h"
#include "libmail/imap/list.h"
#include "libmail/imap/mailbox_name.h"
#include "libmail/imap/response_code.h"
#include "libmail/imap/sequence_set.h"
#include "libmail/imap/sort.h"
#include "libmail/imap/writer.h"

using namespace posthorn;
using namespace posthorn::imap;

TEST_CASE("sequence set: read, resolved, written") {
  const auto set = parse_sequence_set("5:3,*,7,4:6,1:*");
  REQUIRE(set);
  CHECK(set->text() == "5:3,*,7,4:6,1:*");
  CHECK(set->resolve(10).text() == "1:10");
  CHECK(parse_sequence_set("5:3,*,7")->resolve(10).text() == "3:5,7,10");
  CHECK(parse_sequence_set("20:*")->resolve(10).text() == "10:20");
  CHECK(parse_sequence_set("*")->resolve(0).empty());
  CHECK(parse_sequence_set("$")->is_saved());
  CHECK(parse_sequence_set("4294967295")->resolve(1).largest() == 4294967295U);
  for (const char* bad :
       {"", "0", "1:", ":1", "1,", "a", "1 ", "4294967296", "$,1", "**", "1:2:3", "-1"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_sequence_set(bad));
  }
}

TEST_CASE("number set: ranges stay sorted and apart, whatever is added and removed") {
  NumberSet set;
  for (const std::uint32_t n : {9U, 1U, 3U, 2U, 8U, 4294967295U}) set.add(n);
  CHECK(set.text() == "1:3,8:9,4294967295");
  CHECK(set.count() == 6);
  CHECK(set.contains(2));
  CHECK_FALSE(set.contains(4));
  CHECK_FALSE(set.contains(0));
  set.add(4, 7);
  CHECK(set.text() == "1:9,4294967295");
  set.remove(3, 5);
  CHECK(set.text() == "1:2,6:9,4294967295");
  set.remove(NumberSet{1, 7, 9, 4294967295U});
  CHECK(set.text() == "2,6,8");
  CHECK(set.intersected(NumberSet::of(3, 6)).text() == "6");
  std::string all;
  NumberSet::of(3, 5).for_each([&all](std::uint32_t n) { all += std::to_string(n); });
  CHECK(all == "345");
}

TEST_CASE("flags: lists are read without regard to case, and only settable ones may be written") {
  Scanner in("(\\seen $Junk \\FLAGGED $junk)");
  const Flags flags = scan_flag_list(in, FlagUse::writing);
  REQUIRE(in.ok());
  CHECK(flags.text() == "\\Flagged \\Seen $Junk");
  CHECK(flags.has("\\Seen"));
  CHECK(flags.has("$JUNK"));
  for (const char* bad : {"(\\Recent)", "(\\*)", "(\\Odd)", "(a(b))", "(a", "(a  b)"}) {
    CAPTURE(bad);
    Scanner refused(bad);
    (void)scan_flag_list(refused, FlagUse::writing);
    refused.want_end();
    CHECK_FALSE(refused.ok());
  }
  Scanner permanent("(\\Deleted \\* \\Odd)");
  const Flags read = scan_flag_list(permanent, FlagUse::reading);
  CHECK(permanent.ok());
  CHECK(read.more_allowed);
  CHECK(read.has_keyword("\\odd"));
}

TEST_CASE("dates: both forms, there and back") {
  Scanner in("\"17-Jul-1996 02:44:25 -0700\"");
  const DateTime moment = scan_date_time(in);
  REQUIRE(in.ok());
  CHECK(moment.seconds == 837596665);
  CHECK(moment.date() == Date(1996, 7, 17));
  CHECK(format_date_time(moment) == "\"17-Jul-1996 02:44:25 -0700\"");
  CHECK(format_date_time(DateTime(0, 0)) == "\" 1-Jan-1970 00:00:00 +0000\"");
  Scanner day("1-feb-1994");
  CHECK(format_date(scan_date(day)) == "1-Feb-1994");
  for (const char* bad :
       {"31-Feb-1994", "0-Jan-2000", "1-Foo-2000", "1-Jan-99", "1-Jan-20000", "x"}) {
    CAPTURE(bad);
    Scanner refused(bad);
    (void)scan_date(refused);
    refused.want_end();
    CHECK_FALSE(refused.ok());
  }
}

TEST_CASE("mailbox names: modified UTF-7 has one form") {
  for (const auto& [utf8, wire] : std::vector<std::pair<std::string, std::string>>{
           {"INBOX", "INBOX"},
           {"a&b", "a&-b"},
           {"台北", "&U,BTFw-"},
           {"Entwürfe", "Entw&APw-rfe"},
           {"~peter/mail/台北/日本語", "~peter/mail/&U,BTFw-/&ZeVnLIqe-"},
           {"😀", "&2D3eAA-"}}) {
    CAPTURE(wire);
    CHECK(encode_utf7(utf8) == wire);
    REQUIRE(decode_utf7(wire));
    CHECK(*decode_utf7(wire) == utf8);
  }
  // Not canonical, unpaired, unterminated, left over, two runs in a row, 8-bit, a control.
  for (const char* bad : {"&AGE-", "&2D0-", "&3gA-", "&U,BTFw", "&U,BTFx-", "&U,A-&APw-",
                          "\xc3\xbc", "a\tb", "&AAA-", "&A-", "&U/A-", "&"}) {
    CAPTURE(bad);
    CHECK_FALSE(decode_utf7(bad));
  }
}

TEST_CASE("mailbox names: INBOX in any case, NFC, and what can't be made") {
  CHECK(name_from_wire("inBox", false, '.') == "INBOX");
  CHECK(name_from_wire("inbox.x", false, '.') == "INBOX.x");
  CHECK(name_from_wire("inboxes", false, '.') == "inboxes");
  CHECK(name_from_wire("u\xcc\x88", true, '.') == "\xc3\xbc");
  CHECK_FALSE(name_from_wire("\xff", true, '.'));
  CHECK(check_new_name("a.b", '.'));
  for (const std::string& bad :
       {std::string(""), std::string("a..b"), std::string(".a"), std::string("a*"),
        std::string("a\x01"), std::string("\xe2\x80\xa8"), std::string(256, 'a')}) {
    CAPTURE(bad);
    CHECK_FALSE(check_new_name(bad, '.'));
  }
}

TEST_CASE("list patterns: percent stops at the separator, and many wildcards cost nothing") {
  const auto matches = [](const char* pattern, const char* name) {
    return ListPattern(pattern, '.').matches(name);
  };
  CHECK(matches("*", "a.b.c"));
  CHECK(matches("%", "a"));
  CHECK_FALSE(matches("%", "a.b"));
  CHECK(matches("a.%", "a.b"));
  CHECK(matches("%.%", "a.b"));
  CHECK(matches("*b", "a.b"));
  CHECK(matches("inbox", "INBOX"));
  CHECK(matches("inbox.*", "INBOX.x"));
  CHECK_FALSE(matches("", "a"));
  CHECK(ListPattern("a.%.c", '.').may_match_below("a.b"));
  CHECK_FALSE(ListPattern("a.%", '.').may_match_below("b"));
  std::string wild;
  for (int i = 0; i < 500; ++i) wild += "a%*";
  CHECK_FALSE(ListPattern(wild + "b", '.').matches(std::string(900, 'a')));
}

TEST_CASE("fetch items: sections and partials, there and back") {
  Scanner in(
      "(UID BODY.PEEK[1.2.HEADER.FIELDS (From \"x y\")]<0.100> BINARY[2]<5.1> RFC822.SIZE BODY "
      "BODYSTRUCTURE BODY[1.MIME] "
      "PREVIEW (LAZY) BINARY.SIZE[3] UID)");
  const std::vector<FetchItem> items = scan_fetch_items(in);
  REQUIRE(in.ok());
  CHECK(items.size() == 9);
  CHECK(fetch_items_text(items) ==
        "(UID BODY.PEEK[1.2.HEADER.FIELDS (From \"x y\")]<0.100> BINARY[2]<5.1> RFC822.SIZE BODY "
        "BODYSTRUCTURE BODY[1.MIME] "
        "PREVIEW (LAZY) BINARY.SIZE[3])");
  CHECK(items[1].response_name() == "BODY[1.2.HEADER.FIELDS (From \"x y\")]<0>");
  Scanner full("full");
  CHECK(fetch_items_text(scan_fetch_items(full)) ==
        "(FLAGS INTERNALDATE RFC822.SIZE ENVELOPE BODY)");
  for (const char* bad : {"BODY[MIME]", "BODY[0]", "BODY[1.]", "BODY[]<0.0>", "BODY[]<0>", "()",
                          "BODY[HEADER.FIELDS ()]", "FOO", "BINARY[HEADER]",
                          "BODY[]<9223372036854775808.1>", "(ALL)"}) {
    CAPTURE(bad);
    Scanner refused(bad);
    (void)scan_fetch_items(refused);
    refused.want_end();
    CHECK_FALSE(refused.ok());
  }
}

TEST_CASE("threads: trees as the standard draws them, there and back") {
  for (const char* text : {"(2)(3 6 (4 23)(44 7 96))", "((3)(5))", "(1)", "", "(1 2 3)",
                           "(166)(167)(168)", "(1 (2)(3 (4)(5)))"}) {
    CAPTURE(text);
    Scanner in(text);
    const std::vector<ThreadEntry> threads = scan_threads(in);
    REQUIRE(in.ok());
    CHECK(threads_text(threads) == text);
  }
  Scanner in("(3 6 (4 23)(44 7))");
  CHECK(scan_threads(in) ==
        std::vector<ThreadEntry>{{3, 0}, {6, 1}, {4, 2}, {23, 3}, {44, 2}, {7, 3}});
  for (const char* bad : {"(1", "1)", "(0)", "x", "(1 a)"}) {
    CAPTURE(bad);
    Scanner refused(bad);
    (void)scan_threads(refused);
    CHECK_FALSE(refused.ok());
  }
}

TEST_CASE("list: an answer with everything in it, there and back") {
  Scanner in(
      "(\\HasChildren \\Sent) \".\" \"Entw&APw-rfe\" (\"CHILDINFO\" (\"SUBSCRIBED\") \"X\" (a (b)) "
      "\"OLDNAME\" (old))",
      [] {
        Dialect lenient;
        lenient.lenient = true;
        return lenient;
      }());
  const ListEntry entry = scan_list_entry(in);
  REQUIRE(in.ok());
  CHECK(entry.name == "Entwürfe");
  CHECK(entry.separator == '.');
  CHECK(entry.has("\\sent"));
  CHECK(list_entry_text(entry, false) ==
        "LIST (\\HasChildren \\Sent) \".\" Entw&APw-rfe (\"CHILDINFO\" (\"SUBSCRIBED\") "
        "\"OLDNAME\" (old))");
}

TEST_CASE("status: items and figures") {
  Scanner in("(messages SIZE MAILBOXID DELETED-STORAGE)");
  const StatusItems items = scan_status_items(in);
  REQUIRE(in.ok());
  CHECK(status_items_text(items) == "MESSAGES SIZE MAILBOXID DELETED-STORAGE");
  Scanner answer("(MESSAGES 17 X-NEW (1 2) MAILBOXID (F1) APPENDLIMIT NIL)");
  const StatusData data = scan_status_data(answer);
  REQUIRE(answer.ok());
  CHECK(status_data_text(data) == "(MESSAGES 17 MAILBOXID (F1))");
}

TEST_CASE("response codes: COPYUID pairs its ranges in the server's order") {
  const StatusText status =
      parse_status_text(Condition::ok, "[COPYUID 38505 304,319:320 3956:3958] Done");
  CHECK(status.text == "Done");
  const auto copied = copy_uid(status.code);
  REQUIRE(copied);
  CHECK(copied->target_of(304) == 3956);
  CHECK(copied->target_of(320) == 3958);
  CHECK(copied->target_of(305) == 0);
  CHECK_FALSE(copy_uid(parse_status_text(Condition::ok, "[COPYUID 1 1:5 1:4] x").code));
  CHECK_FALSE(
      copy_uid(parse_status_text(Condition::ok, "[COPYUID 1 1:4294967295 1:4294967295] x").code));
  CHECK(
      append_uid(parse_status_text(Condition::ok, "[APPENDUID 38505 3955] x").code)->uids.text() ==
      "3955");
  CHECK(parse_status_text(Condition::no, "[never closed").text == "[never closed");
  CHECK(format_status("*", StatusText(Condition::ok, ResponseCode("UIDNEXT", "5"), "a\r\nb")) ==
        "* OK [UIDNEXT 5] a  b\r\n");
}

TEST_CASE("writer: the shortest form that carries a string") {
  const auto written = [](std::string_view value, bool utf8 = false) {
    return Writer(Writer::Literals::server, utf8).astring(value).take();
  };
  CHECK(written("INBOX") == "INBOX");
  CHECK(written("") == "\"\"");
  CHECK(written("nil") == "\"nil\"");
  CHECK(written("a b\"c\\") == "\"a b\\\"c\\\\\"");
  CHECK(written("ü") == "{2}\r\nü");
  CHECK(written("ü", true) == "\"ü\"");
  CHECK(written("a\nb") == "{3}\r\na\nb");
  CHECK(written(std::string_view("a\0b", 3)) == std::string("~{3}\r\na\0b", 9));
  Writer waiting(Writer::Literals::synchronous);
  waiting.literal("abc").sp().literal("d");
  CHECK(waiting.breaks() == std::vector<std::size_t>{5, 14});
  Writer plus(Writer::Literals::small_plus);
  plus.literal("abc").literal(std::string(5000, 'x'));
  CHECK(plus.text().substr(0, 17) == "{3+}\r\nabc{5000}\r\n");
}

TEST_CASE("capabilities: words, mechanisms and numbers") {
  const Capabilities all =
      Capabilities::parse("IMAP4rev1 AUTH=PLAIN auth=scram-sha-256 APPENDLIMIT=1000 LITERAL+");
  CHECK(all.has("literal+"));
  CHECK_FALSE(all.rev2());
  CHECK(all.values("AUTH") == std::vector<std::string>{"PLAIN", "SCRAM-SHA-256"});
  CHECK(all.number("APPENDLIMIT") == 1000);
}
