#include "libmail/imap/client/client.h"

#include <catch2/catch.hpp>

#include "libmail/imap/client/fetch_tracker.h"

using namespace posthorn;
using namespace posthorn::imap;
using namespace posthorn::imap::client;

namespace {

std::string word_of(const Response& data) {
  if (const auto* status = std::get_if<StatusText>(&data))
    return std::string(name_of(status->condition));
  if (const auto* exists = std::get_if<Exists>(&data))
    return std::to_string(exists->count) + " EXISTS";
  if (const auto* gone = std::get_if<Expunged>(&data))
    return std::to_string(gone->number) + " EXPUNGE";
  if (const auto* gone = std::get_if<Vanished>(&data)) return "VANISHED " + gone->uids.text();
  if (const auto* fetched = std::get_if<Fetched>(&data)) {
    std::string text =
        "FETCH " + std::to_string(fetched->number) + " uid " + std::to_string(fetched->uid);
    if (fetched->flags) text += " (" + fetched->flags->text() + ")";
    if (fetched->envelope) text += " subject " + fetched->envelope->subject;
    for (const FetchedBody& body : fetched->bodies)
      text += " " + body.item.response_name() +
              (body.streamed ? " streamed" : "=" + body.octets.value_or("NIL"));
    return text;
  }
  if (const auto* found = std::get_if<SearchNumbers>(&data))
    return "numbers " + std::to_string(found->numbers.size());
  if (const auto* unknown = std::get_if<UnknownData>(&data)) return "unknown " + unknown->keyword;
  return "data";
}

// All events that are there, one a line.
std::string events(Core& core) {
  std::string log;
  while (auto event = core.next()) {
    if (auto* untagged = std::get_if<Untagged>(&*event)) log += word_of(untagged->data);
    if (auto* done = std::get_if<Done>(&*event))
      log +=
          "done " + std::to_string(done->id) + " " + std::string(name_of(done->status.condition));
    if (auto* more = std::get_if<Continuation>(&*event))
      log += "continue " + std::to_string(more->id);
    if (auto* begins = std::get_if<BodyBegins>(&*event))
      log += "body of " + std::to_string(begins->uid) + " " + begins->item.response_name();
    if (auto* octets = std::get_if<BodyOctets>(&*event)) {
      log += octets->octets;
      continue;
    }
    if (std::holds_alternative<BodyEnds>(*event)) log += "<end>";
    if (std::holds_alternative<StartTls>(*event)) log += "handshake";
    if (auto* closed = std::get_if<Closed>(&*event)) log += "closed: " + closed->why;
    log += '\n';
  }
  return log;
}

std::string fed(Core& core, std::string_view octets) {
  core.feed(octets);
  return events(core);
}

std::string taken(Core& core) {
  return std::exchange(core.output(), "");
}

Core ready() {
  Core core((CoreOptions()));
  (void)fed(core, "* PREAUTH [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] hello\r\n");
  return core;
}

Select select_of(const char* name) {
  Select what;
  what.mailbox.name = name;
  return what;
}

Core selected() {
  Core core = ready();
  core.send(client::select(core.manner(), select_of("INBOX")));
  (void)fed(
      core,
      "* 3 EXISTS\r\n* OK [UIDVALIDITY 7] x\r\n* OK [UIDNEXT 40] x\r\n* OK [HIGHESTMODSEQ 99] x\r\n"
      "* FLAGS (\\Seen)\r\n* OK [PERMANENTFLAGS (\\Seen \\*)] x\r\nA1 OK [READ-WRITE] done\r\n");
  taken(core);
  return core;
}

Request uid_fetch(const char* uids) {
  Fetch what;
  what.uid = true;
  what.messages = *parse_sequence_set(uids);
  what.items = {FetchItem(FetchItem::Kind::flags), FetchItem::body_peek()};
  return client::fetch(what);
}

}  // namespace

TEST_CASE("core: a greeting, a log-in with literals, a selected mailbox") {
  Core core((CoreOptions()));
  core.send(client::login(core.manner(), "ann", "p\"\xc3\xbc"));
  CHECK(taken(core).empty());
  CHECK(fed(core, "* OK hello\r\n") == "OK\n");
  CHECK(taken(core) == "A1 LOGIN ann {4}\r\n");
  CHECK(fed(core, "+ go on\r\n").empty());
  CHECK(taken(core) == "p\"\xc3\xbc\r\n");
  CHECK(fed(core, "A1 OK [CAPABILITY IMAP4rev1 IDLE] in\r\n") == "done 1 OK\n");
  CHECK(core.phase() == Core::Phase::authenticated);
  CHECK(core.capabilities().has("idle"));

  const Core chosen = selected();
  CHECK(chosen.phase() == Core::Phase::selected);
  CHECK(chosen.mailbox().name == "INBOX");
  CHECK(chosen.mailbox().uid_validity == 7);
  CHECK(chosen.mailbox().uid_next == 40);
  CHECK(chosen.mailbox().highest_modseq == 99);
  CHECK(chosen.mailbox().permanent_flags.more_allowed);
  CHECK(chosen.view().count() == 3);
}

TEST_CASE("core: bodies stream past and the rest is whole, at every split") {
  const std::string said =
      "* 2 FETCH (UID 11 FLAGS (\\Seen) BODY[] {12}\r\nSubject: x\r\n X-NEW (1 (2)) BODY[1]<0> "
      "NIL)\r\n"
      "* 3 FETCH (ENVELOPE (NIL {9}\r\nBODY[] {5 NIL NIL NIL NIL NIL NIL NIL NIL) "
      "BODY[HEADER.FIELDS (To)] {0}\r\n UID 12)\r\n"
      "A2 OK done\r\n";
  const std::string expected =
      "body of 11 BODY[]\nSubject: x\r\n<end>\nFETCH 2 uid 11 (\\Seen) BODY[] streamed "
      "BODY[1]<0>=NIL\n"
      "FETCH 3 uid 12 subject BODY[] {5 BODY[HEADER.FIELDS (To)]=\ndone 2 OK\n";
  for (std::size_t cut = 0; cut <= said.size(); ++cut) {
    CAPTURE(cut);
    Core core = selected();
    core.send(uid_fetch("11:12"));
    CHECK(taken(core) == "A2 UID FETCH 11:12 (FLAGS BODY.PEEK[])\r\n");
    std::string log = fed(core, std::string_view(said).substr(0, cut));
    log += fed(core, std::string_view(said).substr(cut));
    CHECK(log == expected);
  }
}

TEST_CASE("core: commands go out together unless one could change what another means") {
  Core core = selected();
  core.send(uid_fetch("1"));
  core.send(client::simple("NOOP"));
  CHECK(taken(core) == "A2 UID FETCH 1 (FLAGS BODY.PEEK[])\r\nA3 NOOP\r\n");
  Fetch by_number;
  by_number.messages = *parse_sequence_set("1");
  by_number.items = {FetchItem(FetchItem::Kind::flags)};
  core.send(client::fetch(by_number));
  CHECK(taken(core).empty());
  CHECK(fed(core, "A3 OK x\r\nA2 OK x\r\n") == "done 3 OK\ndone 2 OK\n");
  CHECK(taken(core) == "A4 FETCH 1 (FLAGS)\r\n");
  core.send(client::select(core.manner(), select_of("b")));
  core.send(client::simple("NOOP"));
  CHECK(taken(core).empty());
  (void)fed(core, "A4 OK x\r\n");
  CHECK(taken(core) == "A5 SELECT b\r\n");
  (void)fed(core, "A5 NO x\r\n");
  CHECK(taken(core) == "A6 NOOP\r\n");
  CHECK(core.phase() == Core::Phase::authenticated);
}

TEST_CASE("core: what comes behind the OK to STARTTLS is thrown away") {
  Core core((CoreOptions()));
  (void)fed(core, "* OK [CAPABILITY IMAP4rev1 STARTTLS AUTH=PLAIN] x\r\n");
  (void)fed(core, "* ENABLED IMAP4rev2 QRESYNC\r\n");
  core.send(client::simple("STARTTLS", Answers::alone));
  CHECK(fed(core, "A1 OK go\r\n* OK [CAPABILITY IMAP4rev1 EVIL] injected\r\n") == "handshake\n");
  core.secured();
  CHECK(core.secure());
  CHECK_FALSE(core.capabilities_known());
  CHECK(core.capabilities().empty());
  CHECK_FALSE(core.is_enabled("QRESYNC"));
  CHECK(events(core).empty());
}

TEST_CASE("core: an APPEND waits for +, unless a literal needn't") {
  Core core((CoreOptions()));
  (void)fed(core, "* PREAUTH [CAPABILITY IMAP4rev1 LITERAL-] x\r\n");
  const auto id = core.send(client::append(core.manner(), "Entwürfe", AppendMessage(), 5000));
  CHECK(taken(core) == "A1 APPEND Entw&APw-rfe {5000}\r\n");
  CHECK_FALSE(core.may_send_octets(id));
  CHECK(fed(core, "+ x\r\n") == "continue 1\n");
  CHECK(core.may_send_octets(id));
  core.octets(std::string(4999, 'x'));
  core.send(client::simple("NOOP"));
  CHECK(taken(core).size() == 4999);
  core.octets("y");
  CHECK(taken(core) == "y\r\nA2 NOOP\r\n");
  CHECK(fed(core, "A1 OK [APPENDUID 1 2] x\r\nA2 OK x\r\n") == "done 1 OK\ndone 2 OK\n");
  const auto small = core.send(client::append(core.manner(), "x", AppendMessage(), 2));
  CHECK(taken(core) == "A3 APPEND x {2+}\r\n");
  CHECK(core.may_send_octets(small));
  core.octets("ab");
  CHECK(taken(core) == "ab\r\n");
  core.send(client::append(core.manner(), "x", AppendMessage(), 6000));
  (void)fed(core, "A3 NO x\r\n");
  CHECK(fed(core, "A4 NO [TOOBIG] x\r\n") == "done 4 NO\n");
  CHECK(core.idle());
}

TEST_CASE("core: IDLE begins with + and ends with DONE") {
  Core core = selected();
  core.send(client::simple("IDLE", Answers::alone));
  taken(core);
  core.done_idling();
  CHECK(taken(core).empty());
  CHECK(fed(core, "+ idling\r\n* 4 EXISTS\r\n") == "continue 2\n4 EXISTS\n");
  CHECK(core.idling());
  core.done_idling();
  CHECK(taken(core) == "DONE\r\n");
  CHECK(fed(core, "A2 OK x\r\n") == "done 2 OK\n");
}

TEST_CASE("core: hostile servers end the connection, and the reason says where") {
  const auto after = [](std::string_view octets) {
    Core core = selected();
    core.send(uid_fetch("1:3"));
    return fed(core, octets);
  };
  CHECK(after("* 4 EXPUNGE\r\n") == "closed: the server said what cannot be of the mailbox\n");
  CHECK(after("* 2 EXISTS\r\n") == "closed: the server said what cannot be of the mailbox\n");
  CHECK(after("* 1 FETCH (UID 5)\r\n* 2 FETCH (UID 5)\r\n").find("cannot be") != std::string::npos);
  CHECK(after("A9 OK x\r\n") == "closed: the server answers a command that it wasn't given\n");
  CHECK(after("+ x\r\n") == "closed: the server said + where it wasn't asked to\n");
  CHECK(after("* 1 FETCH (FLAGS (\\Seen)\r\n").find("expected a space") != std::string::npos);
  CHECK(after("* 1 FETCH (FLAGS {99999999999999999999}\r\n").find("size of the literal") !=
        std::string::npos);
  CHECK(after("* 1 FETCH (FLAGS {2000000}\r\n").find("too large") != std::string::npos);
  CHECK(after("* 1 FETCH (BODYSTRUCTURE " + std::string(200, '(') + "\r\n").find("nested") !=
        std::string::npos);
  CHECK(after("* SEARCH 4294967296\r\n").find("number") != std::string::npos);
  CHECK(after("* 4294967295 EXISTS\r\n") == "4294967295 EXISTS\n");
  CHECK(after("* FUTURE (1 2) {3\r\n* OK x\r\n") == "unknown FUTURE\nOK\n");
  CHECK(after("* BYE going down\r\n") == "BYE\n");
  Core greeted((CoreOptions()));
  CHECK(fed(greeted, "220 mx ESMTP\r\n").find("no IMAP server") != std::string::npos);
  Core refused((CoreOptions()));
  CHECK(fed(refused, "* BYE too many\r\n") ==
        "closed: the server refuses the connection: too many\n");
}

TEST_CASE("core: a goodbye is the reason when the connection ends") {
  Core core = selected();
  (void)fed(core, "* BYE [UNAVAILABLE] maintenance\r\n");
  core.lost("the server closed the connection");
  CHECK(events(core) == "closed: the server said goodbye: maintenance\n");
  CHECK(events(core).empty());
}

TEST_CASE("view: numbers move with every expunge, in whatever form it is told") {
  View view;
  REQUIRE(view.exists(6));
  for (std::uint32_t n = 1; n <= 6; ++n) {
    Fetched one;
    one.number = n;
    one.uid = n * 10;
    REQUIRE(view.fetched(one));
  }
  CHECK(view.expunged(2));
  CHECK(view.uid_of(2) == 30);
  CHECK(view.number_of(60) == 5);
  CHECK(view.vanished(NumberSet{10, 50}, false));
  CHECK(view.uids().text() == "30,40,60");
  CHECK(view.count() == 3);
  CHECK(view.vanished(NumberSet{1, 2, 3}, true));
  CHECK(view.count() == 3);
  CHECK_FALSE(view.exists(2));
  CHECK_FALSE(view.expunged(4));
}

TEST_CASE("view: messages nobody has heard of are only counted") {
  View view(1000);
  REQUIRE(view.exists(4000000000U));
  Fetched far;
  far.number = 3000000000U;
  far.uid = 77;
  CHECK(view.fetched(far));
  CHECK(view.number_of(77) == 3000000000U);
  CHECK(view.expunged(1));
  CHECK(view.number_of(77) == 2999999999U);
  CHECK(view.vanished(NumberSet{5, 80}, false));
  CHECK(view.number_of(77) == 2999999998U);
  CHECK(view.count() == 3999999997U);
  for (std::uint32_t n = 1; n < 4000000U; n += 4000) {
    Fetched one;
    one.number = n;
    one.uid = n < 2 ? 0 : 0;
    CHECK(view.fetched(one));
  }
  CHECK(view.find(2999999998U) != nullptr);
}

TEST_CASE("view: mail that comes and goes one by one costs no walk over all messages each") {
  View view;
  constexpr std::uint32_t most = 20'000;
  for (std::uint32_t n = 1; n <= most; ++n) {
    Fetched one;
    one.number = n;
    one.uid = n * 2;
    REQUIRE(view.exists(n));
    REQUIRE(view.fetched(one));
  }
  // 79 stretches at the end, a few of the tree each time.
  CHECK(view.work() / most < 400);
  std::uint64_t sum = 0;
  view.for_each_known([&](std::uint32_t number, const View::Message& message) {
    sum += message.uid == number * 2 ? 1 : 0;
  });
  CHECK(sum == most);
  CHECK(view.first_unheard() == most + 1);
  REQUIRE(view.exists(4'294'967'295U));
  CHECK(view.first_unheard() == most + 1);
  const std::uint64_t before = view.work();
  for (std::uint32_t n = 1; n <= 8000; ++n) {
    REQUIRE(view.vanished(NumberSet{(most - n) * 2}, false));
    REQUIRE(view.expunged(n % 7 + 1));
  }
  CHECK(view.count() == 4'294'967'295U - 16'000U);
  CHECK((view.work() - before) / 16'000 < 200);
}

TEST_CASE("view: messages named all over four thousand million are found without a walk") {
  View view(200'000);
  REQUIRE(view.exists(4'294'967'295U));
  const auto fetch = [&view](std::uint32_t n) {
    Fetched one;
    one.number = (n * 2'654'435'761U) | 1U;
    one.flags = Flags();
    REQUIRE(view.fetched(one));
  };
  for (std::uint32_t n = 1; n <= 1000; ++n) fetch(n);
  // As many stretches as it remembers, and as many between them.
  const std::uint64_t before = view.work();
  for (std::uint32_t n = 1; n <= 5000; ++n) fetch(n);
  CHECK((view.work() - before) / 5000 < 100);
  CHECK(view.first_unheard() == 1);
}

TEST_CASE("responses: body structures are a list of parts with their numbers") {
  const auto response =
      parse_response(Line("* 1 FETCH (BODYSTRUCTURE ((\"TEXT\" \"PLAIN\" (\"CHARSET\" \"utf-8\") "
                          "NIL NIL \"7BIT\" 10 1)"
                          "(\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\" 300 (\"d\" \"s\" ((\"Ann\" "
                          "NIL \"ann\" \"x.org\")) NIL NIL NIL NIL NIL NIL "
                          "\"<1@x>\") ((\"text\" \"html\" NIL NIL NIL \"8bit\" 5 1)(\"image\" "
                          "\"png\" (\"name\" \"a.png\") \"<id>\" \"desc\" \"base64\" "
                          "99 NIL (\"attachment\" (\"filename\" \"a.png\")) (\"en\" \"de\") "
                          "\"loc\" (future 1)) \"mixed\") 12) \"mixed\" (\"boundary\" "
                          "\"b\")))"),
                     false);
  REQUIRE(response);
  const auto& parts = std::get<Fetched>(response->body).structure;
  REQUIRE(parts.size() == 6);
  CHECK(parts[0].type == "multipart");
  CHECK(parts[1].number == std::vector<std::uint32_t>{1});
  CHECK(parts[1].lines == 1);
  CHECK(parts[2].envelope->from[0].mailbox == "ann");
  CHECK(parts[2].lines == 12);
  CHECK(parts[3].number == std::vector<std::uint32_t>{2});
  CHECK(parts[5].number == std::vector<std::uint32_t>{2, 2});
  CHECK(parts[5].disposition_parameters[0].second == "a.png");
  CHECK(parts[5].languages.size() == 2);
}

TEST_CASE("responses: ESEARCH, THREAD, NAMESPACE, QUOTA, METADATA, ACL") {
  const auto read = [](const char* text) {
    auto response = parse_response(Line(text), false);
    REQUIRE(response);
    return std::move(response->body);
  };
  const auto found = std::get<ESearch>(
      read("* ESEARCH (TAG \"A2\") UID MIN 2 COUNT 3 ALL 2,10:11 MODSEQ 9 X (1)"));
  CHECK(found.tag == "A2");
  CHECK(found.all->text() == "2,10:11");
  CHECK(found.modseq == 9U);
  const auto part =
      std::get<ESearch>(read("* ESEARCH (TAG \"A2\") UID PARTIAL (-1:-100 NIL) ADDTO (0 5:3 1 9)"));
  CHECK(part.partial_range->from_end);
  CHECK(part.added.size() == 2);
  CHECK(std::get<ThreadData>(read("* THREAD (1 2)(3)")).threads.size() == 3);
  CHECK(std::get<NamespaceData>(
            read("* NAMESPACE ((\"\" \".\")) NIL ((\"shared.\" \".\" \"X\" (\"a\")))"))
            .shared[0]
            .prefix == "shared.");
  CHECK(std::get<QuotaData>(read("* QUOTA \"\" (STORAGE 10 512)")).resources[0].limit == 512);
  CHECK(std::get<MetadataData>(read("* METADATA \"\" (/shared/comment {2}\r\nab /private/x NIL)"))
            .entries.size() == 2);
  CHECK(std::get<AclData>(read("* ACL INBOX ann lrs bob lr")).rights.size() == 2);
  CHECK(std::get<SearchNumbers>(read("* SEARCH 2 5 (MODSEQ 917162500)")).modseq == 917162500);
  CHECK(std::get<Vanished>(read("* VANISHED (EARLIER) 300:310")).earlier);
  CHECK(
      std::get<StatusAnswer>(read("* STATUS \"a b\" (MESSAGES 231 UIDNEXT 44292)")).data.messages ==
      231U);
}
