#include "libmail/imap/command.h"

#include <catch2/catch.hpp>

#include "libmail/imap/append_command.h"
#include "libmail/imap/metadata.h"

using namespace posthorn;
using namespace posthorn::imap;

namespace {

template <class T>
T parsed(std::string_view text) {
  CAPTURE(text);
  auto command = parse_command(Line("a1 " + std::string(text)));
  REQUIRE(command);
  CHECK(command->tag == "a1");
  REQUIRE(std::holds_alternative<T>(command->body));
  return std::get<T>(std::move(command->body));
}

std::string keys(std::string_view text) {
  Writer out;
  write_search_key(out, parsed<Search>("SEARCH " + std::string(text)).key);
  return out.take();
}

}  // namespace

TEST_CASE("commands: the simple ones, in any case") {
  CHECK(parsed<Simple>("noop") == Simple::noop);
  CHECK(parsed<Simple>("Capability") == Simple::capability);
  CHECK(parsed<Simple>("COMPRESS deflate") == Simple::compress);
  CHECK(parsed<Simple>("EXPUNGE") == Simple::expunge);
  CHECK(parsed<UidExpunge>("UID EXPUNGE 1:3").messages.text() == "1:3");
}

TEST_CASE("commands: log-in in strings of every kind") {
  CHECK(parsed<Login>("LOGIN ann \"se\\\"cret\"") == Login{"ann", "se\"cret"});
  CHECK(parsed<Login>("LOGIN {3}\r\nann {4+}\r\np\"{}") == Login{"ann", "p\"{}"});
  CHECK(parsed<Authenticate>("AUTHENTICATE plain AGEAYg==") ==
        Authenticate{"PLAIN", std::string("\0a\0b", 4)});
  CHECK(parsed<Authenticate>("AUTHENTICATE EXTERNAL =") == Authenticate{"EXTERNAL", ""});
  CHECK(parsed<Authenticate>("AUTHENTICATE LOGIN") == Authenticate{"LOGIN", std::nullopt});
  CHECK(parsed<Id>("ID (\"name\" \"x\" \"os\" NIL)").fields.size() == 2);
  CHECK(parsed<Id>("ID NIL").fields.empty());
  CHECK(parsed<Enable>("ENABLE qresync UTF8=ACCEPT").capabilities ==
        std::vector<std::string>{"QRESYNC", "UTF8=ACCEPT"});
}

TEST_CASE("commands: SELECT with what QRESYNC says") {
  const auto select = parsed<Select>(
      "SELECT inbox (QRESYNC (67890007 20050715194045000 41,43:211 (1:2 5:6)) CONDSTORE)");
  CHECK(select.mailbox.name == "INBOX");
  CHECK(select.condstore);
  REQUIRE(select.qresync);
  CHECK(select.qresync->modseq == 20050715194045000);
  CHECK(select.qresync->known_uids->text() == "41,43:211");
  CHECK(select.qresync->sequence_match->second.text() == "5:6");
  CHECK(parsed<Select>("EXAMINE Entw&APw-rfe").mailbox.name == "Entwürfe");
  CHECK(parsed<Select>("EXAMINE &AGE-").mailbox.bad_name == NameError::not_utf7);
}

TEST_CASE("commands: LIST in its old form and its extended one") {
  CHECK_FALSE(parsed<List>("LIST \"\" %").extended);
  const auto list = parsed<List>(
      "LIST (SUBSCRIBED RECURSIVEMATCH) \"\" (\"INBOX\" Sent/%) RETURN (CHILDREN STATUS (MESSAGES "
      "UNSEEN) SPECIAL-USE)");
  CHECK(list.selection.recursive_match);
  CHECK(list.patterns == std::vector<std::string>{"INBOX", "Sent/%"});
  CHECK(list.returns.special_use);
  CHECK(status_items_text(list.returns.status) == "MESSAGES UNSEEN");
  CHECK(parsed<List>("LSUB \"\" *").lsub);
}

TEST_CASE("commands: FETCH, STORE, COPY with their modifiers") {
  const auto fetch = parsed<Fetch>("UID FETCH 1:* (FLAGS) (CHANGEDSINCE 12345 VANISHED)");
  CHECK(fetch.uid);
  CHECK(fetch.vanished);
  CHECK(fetch.changed_since == 12345);
  CHECK(parsed<Fetch>("UID FETCH 1:* FLAGS (PARTIAL -1:-100)").partial->from_end);
  const auto store = parsed<Store>("STORE 2:4 (UNCHANGEDSINCE 5) +FLAGS.SILENT (\\Deleted $x)");
  CHECK(store.how == Store::How::add);
  CHECK(store.silent);
  CHECK(store.unchanged_since == 5);
  CHECK(store.flags.text() == "\\Deleted $x");
  CHECK(parsed<Store>("UID STORE $ FLAGS \\Seen \\Draft").flags.text() == "\\Seen \\Draft");
  CHECK(parsed<Copy>("UID MOVE 1 Trash").move);
}

TEST_CASE("commands: search keys are a tree, and come out as they went in") {
  CHECK(keys("ALL") == "ALL");
  CHECK(keys("UNSEEN SINCE 1-Feb-1994 NOT FROM \"Smith\"") ==
        "(UNSEEN SINCE 1-Feb-1994 NOT FROM Smith)");
  CHECK(keys("OR OR SEEN DELETED OR DRAFT ANSWERED") == "OR OR SEEN DELETED OR DRAFT ANSWERED");
  CHECK(keys("OR SEEN OR DELETED DRAFT") == "OR SEEN OR DELETED DRAFT");
  CHECK(keys("(KEYWORD $x UNKEYWORD y) LARGER 5") == "((KEYWORD $x UNKEYWORD y) LARGER 5)");
  CHECK(keys("MODSEQ \"/flags/\\\\draft\" all 620162338") ==
        "MODSEQ \"/flags/\\\\draft\" all 620162338");
  CHECK(keys("HEADER Message-ID \"\" YOUNGER 60 SAVEDATESUPPORTED FUZZY SUBJECT x") ==
        "(HEADER Message-ID \"\" YOUNGER 60 SAVEDATESUPPORTED FUZZY SUBJECT x)");
  const auto search = parsed<Search>(
      "UID SEARCH RETURN (SAVE COUNT PARTIAL 1:10) CHARSET utf-8 TEXT {2}\r\n\xc3\xbc");
  CHECK(search.charset == "UTF-8");
  CHECK(search.returns->save);
  CHECK(search.returns->partial->last == 10);
  CHECK(parsed<Search>("SEARCH RETURN () ALL").returns->all);
  CHECK(parsed<Search>("ESEARCH IN (SUBTREE (a b) PERSONAL) UNSEEN").sources->size() == 2);
  CHECK(parsed<Sort>("SORT (REVERSE DATE SUBJECT) UTF-8 ALL").criteria.size() == 2);
  CHECK(parsed<Thread>("UID THREAD refs US-ASCII ALL").algorithm == ThreadAlgorithm::refs);
}

TEST_CASE("commands: quota, rights, metadata, notify") {
  CHECK(parsed<SetQuota>("SETQUOTA \"\" (storage 512 MESSAGE 10)").limits[0].first == "STORAGE");
  CHECK(parsed<SetAcl>("SETACL INBOX fred +lrs").how == SetAcl::How::add);
  CHECK(parsed<SetAcl>("SETACL INBOX \"-a b\" -w").identifier == "-a b");
  CHECK(parsed<DeleteAcl>("DELETEACL INBOX {4+}\r\nfred").identifier == "fred");
  CHECK(parsed<ListRights>("LISTRIGHTS INBOX $staff").identifier == "$staff");
  CHECK(parsed<CancelUpdate>("CANCELUPDATE \"a1\" \"a2\"").tags.size() == 2);
  CHECK(parsed<Search>("ESEARCH RETURN (PARTIAL 1:2 UPDATE) 1:3").sources->empty());
  CHECK(parsed<GetMetadata>("GETMETADATA (MAXSIZE 1024 DEPTH 1) \"\" (/shared/comment /private/x)")
            .entries.size() == 2);
  CHECK_FALSE(parsed<SetMetadata>("SETMETADATA INBOX (/private/comment NIL)").entries[0].second);
  const auto notify = parsed<Notify>(
      "NOTIFY SET STATUS (selected (MessageNew (UID FLAGS) MessageExpunge)) (subtree (a b) NONE)");
  REQUIRE(notify.sets.size() == 2);
  CHECK(notify.sets[0].new_message.size() == 2);
  CHECK(notify.sets[1].mailboxes.size() == 2);
  CHECK(notify.sets[1].none);
  CHECK(notify.status);
  CHECK(parsed<Notify>("NOTIFY SET (personal (Other messagenew))").sets[0].events ==
        std::vector<std::string>{"Other", "MessageNew"});
}

TEST_CASE("metadata: entries as deep as was asked, and the responses") {
  using Depth = GetMetadata::Depth;
  CHECK(is_within("/private/a", "/private/a", Depth::zero));
  CHECK_FALSE(is_within("/private/a/b", "/private/a", Depth::zero));
  CHECK(is_within("/private/a/b", "/private/a", Depth::one));
  CHECK_FALSE(is_within("/private/a/b/c", "/private/a", Depth::one));
  CHECK(is_within("/private/a/b/c", "/private/a", Depth::infinity));
  CHECK_FALSE(is_within("/private/ab", "/private/a", Depth::infinity));
  CHECK(metadata_text("INBOX", {{"/shared/a", "x\ny"}, {"/shared/b", std::nullopt}}, false) ==
        "METADATA INBOX (/shared/a {3}\r\nx\ny /shared/b NIL)");
  CHECK(metadata_names_text("\"\"", {"/shared/a", "/private/b"}) ==
        "METADATA \"\" /shared/a /private/b");
}

TEST_CASE("commands: what is wrong is said, with the place") {
  const auto error = [](std::string_view text) {
    const auto command = parse_command(Line(std::string(text)));
    return command ? std::string("fine") : command.error().tag + " " + command.error().text();
  };
  CHECK(error("a1 FETCH x FLAGS") == "a1 FETCH: expected a set of numbers at octet 10");
  CHECK(error("a1 FROB") == "a1 unknown command");
  CHECK(error("a1 UID NOOP") == "a1 unknown command");
  CHECK(error("a1") == "a1 expected a space at octet 3");
  CHECK(error("") == "* expected a tag at octet 1");
  CHECK(error("a1 NOOP x") == "a1 NOOP: expected the end of the line at octet 8");
  CHECK(error("a1 LOGIN \"\xc3\xbc\" x").substr(0, 9) == "a1 LOGIN:");
  CHECK(error("a1 STORE 1 FLAGS (\\Recent)").substr(0, 9) == "a1 STORE:");
  CHECK(error("a1 APPEND x").substr(0, 10) == "a1 APPEND:");
  CHECK(error("a1 SELECT x (QRESYNC (0 1))").substr(0, 10) == "a1 SELECT:");
  CHECK(error("a1 LIST (RECURSIVEMATCH) \"\" *").substr(0, 8) == "a1 LIST:");
  CHECK(error("a1 SEARCH " + std::string(60, '(') + "ALL" + std::string(60, ')')).substr(0, 10) ==
        "a1 SEARCH:");
  std::string nots = "a1 SEARCH ";
  for (int i = 0; i < 60; ++i) nots += "NOT ";
  CHECK(error(nots + "ALL").substr(0, 10) == "a1 SEARCH:");
}

TEST_CASE("commands: ten thousand ORs are one key, not ten thousand levels") {
  std::string chain = "a1 SEARCH ";
  for (int i = 0; i < 9000; ++i) chain += "OR SEEN ";
  const auto command = parse_command(Line(chain + "DRAFT"));
  REQUIRE(command);
  CHECK(std::get<Search>(command->body).key.children.size() == 9001);
}

namespace {

// Plays a server's way with APPEND: what the parser says at each literal and at the end.
std::string append_log(std::string_view octets) {
  std::string log;
  LineReader reader(LineReader::Side::server);
  AppendParser parser((CommandDialect()));
  const auto parts = [&] {
    for (const AppendPart& part : parser.take_parts()) {
      if (part.begins_message) log += "message(" + parser.message().flags.text() + ") ";
      log += part.kind == AppendPart::Kind::url ? "url=" + part.url + " "
                                                : std::to_string(part.size) + " ";
    }
  };
  std::string_view input = octets;
  while (true) {
    switch (reader.read(input)) {
      case LineReader::Event::literal:
        switch (parser.announced(reader.line())) {
          case AppendParser::Announced::keep:
            (void)reader.keep();
            break;
          case AppendParser::Announced::message:
            parts();
            reader.stream();
            break;
          case AppendParser::Announced::wrong:
            return log + parser.error().text();
        }
        break;
      case LineReader::Event::part:
        break;
      case LineReader::Event::line:
        if (!parser.finish(reader.line())) return log + parser.error().text();
        parts();
        return log + "to " + parser.head().mailbox.name;
      default:
        return log + "?";
    }
  }
}

}  // namespace

TEST_CASE(
    "Append: a line that ends where a literal was announced is an error that says what is "
    "missing") {
  AppendParser parser((CommandDialect()));
  Line line;
  line.text = "a APPEND x {3}";
  REQUIRE(parser.announced(line) == AppendParser::Announced::message);
  // Not what came before: the octets that were announced never came into this line.
  CHECK(parser.announced(line) == AppendParser::Announced::wrong);
  CHECK(parser.error().text() == "APPEND: expected a literal at octet 15");
  CHECK(parser.error().tag == "a");
}

TEST_CASE("append: messages, parts and URLs as they come") {
  CHECK(append_log(
            "a APPEND Drafts (\\Seen) \" 7-Feb-1994 21:52:25 -0800\" {10}\r\n0123456789\r\n") ==
        "message(\\Seen) 10 to Drafts");
  CHECK(append_log("a APPEND {6}\r\nDrafts {3}\r\nabc\r\n") == "message() 3 to Drafts");
  CHECK(append_log("a APPEND x {3}\r\nabc (\\Draft) {2}\r\nde\r\n") ==
        "message() 3 message(\\Draft) 2 to x");
  CHECK(append_log("a APPEND x CATENATE (URL \"/a;UID=1\" TEXT {3}\r\nabc URL {2}\r\n/b TEXT "
                   "{1}\r\nz)\r\n") == "message() url=/a;UID=1 3 url=/b 1 to x");
  CHECK(append_log("a APPEND x CATENATE (URL \"/a\")\r\n") == "message() url=/a to x");
  CHECK(append_log("a APPEND x UTF8 (~{3}\r\nabc)\r\n") == "message() 3 to x");
  CHECK(append_log("a UID REPLACE 4 x {3}\r\nabc\r\n") == "message() 3 to x");
  CHECK(append_log("a APPEND x (\\Recent) {3}\r\nabc\r\n") ==
        "APPEND: expected a flag that can be set at octet 13");
  CHECK(append_log("a APPEND x CATENATE ()\r\n") == "APPEND: expected TEXT or URL at octet 23");
  CHECK(append_log("a REPLACE 1 x {3}\r\nabc {3}\r\nabc\r\n") ==
        "message() 3 REPLACE: expected the end of the line at octet 20");
  CHECK(append_log("a APPEND x\r\n") == "APPEND: expected a space at octet 11");
}
