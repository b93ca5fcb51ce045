#include "libmail/message/reply.h"

#include <catch2/catch.hpp>

#include "libmail/message/address_format.h"

using namespace posthorn::message;

namespace {

const std::vector<Address> me = {{"", "Me", "here.test"}};

struct Answer {
  std::string to;
  std::string cc;
  Draft draft;
};

Answer answer(std::string_view header, ReplyOptions options = {.own = me}) {
  Answer result;
  result.draft = make_reply(Header::parse(header), options);
  result.to = format_address_list(result.draft.to);
  result.cc = format_address_list(result.draft.cc);
  return result;
}

}  // namespace

TEST_CASE("make_reply: goes to the author, or to whom the author says") {
  CHECK(answer("From: Ann <ann@a.test>\nTo: me@here.test, bob@b.test\n\n").to ==
        "Ann <ann@a.test>");
  CHECK(answer("From: ann@a.test\nReply-To: =?utf-8?Q?B=C3=BCro?= <office@a.test>\n\n").to ==
        "=?utf-8?B?QsO8cm8=?= <office@a.test>");
  CHECK(answer("From: me@HERE.test\nTo: bob@b.test\n\n").to == "bob@b.test");
  CHECK(answer("From: me@here.test\nTo: me@here.test\n\n").to == "me@here.test");
  CHECK(answer("Subject: nobody\n\n").to.empty());
}

TEST_CASE("make_reply: to all, each once and oneself never") {
  const auto all = answer(
      "From: ann@a.test\nTo: Me@Here.test, bob@b.test, ANN@a.test\nCc: x: carl@c.test;, "
      "bob@b.test\n\n",
      {.to_all = true, .own = me});
  CHECK(all.to == "ann@a.test");
  CHECK(all.cc == "bob@b.test, carl@c.test");
}

TEST_CASE("make_reply: to the list alone, if there is one") {
  const std::string header =
      "From: ann@a.test\nList-Post: <mailto:list@l.test?subject=x> (all)\n\n";
  CHECK(answer(header, {.to_list = true}).to == "list@l.test");
  CHECK(answer("From: ann@a.test\nList-Post: NO\n\n", {.to_list = true}).to == "ann@a.test");
  CHECK(answer(header).to == "ann@a.test");
}

TEST_CASE("make_reply: nothing of the original can become a field of the answer") {
  Draft draft = make_reply(
      Header::parse("From: \"x\\\r\n Bcc: v\"@a.test, =?utf-8?Q?a=0D=0ABcc:_v@v.test?= <e@e.test>\n"
                    "Subject: =?utf-8?Q?a=0D=0ABcc:_v@v.test?=\nMessage-ID: <a@b>\nReferences: "
                    "<x<y@z> <ok@z>\n\n"),
      {});
  draft.from = me;
  const auto message = build_message(draft, {});
  REQUIRE(message);
  CHECK(Header::parse(*message).count("Bcc") == 0);
  CHECK(draft.subject == "Re: aBcc: v@v.test");
  CHECK(draft.references == std::vector<std::string>{"<ok@z>", "<a@b>"});
}

TEST_CASE("make_reply: Subject and References as RFC 5322 3.6.4 says") {
  CHECK(answer("Subject: RE: x\n\n").draft.subject == "RE: x");
  CHECK(answer("Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\n\n").draft.subject == "Re: Grüße");
  using Ids = std::vector<std::string>;
  const Draft first = answer("Message-ID: <1@a>\n\n").draft;
  CHECK(first.in_reply_to == Ids{"<1@a>"});
  CHECK(first.references == Ids{"<1@a>"});
  CHECK(answer("Message-ID: <2@a>\nIn-Reply-To: <1@a>\n\n").draft.references ==
        Ids{"<1@a>", "<2@a>"});
  CHECK(answer("Message-ID: <2@a>\nIn-Reply-To: <1@a> <0@a>\n\n").draft.references == Ids{"<2@a>"});
  std::string many = "Message-ID: <last@a>\nReferences:";
  for (int i = 0; i < 300; ++i) many += " <" + std::to_string(i) + "@a>";
  const Draft limited = answer(many + "\n\n", {.references = 4}).draft;
  CHECK(limited.references == Ids{"<0@a>", "<198@a>", "<199@a>", "<last@a>"});
}

TEST_CASE("make_forward, forwarded_head: say what is forwarded") {
  const Header header = Header::parse(
      "From: =?utf-8?Q?=C3=84nn?= <ann@a.test>\nTo: bob@b.test\nDate: Sun, 22 Nov 2026 20:24:20 "
      "+0100\n"
      "Subject: x\nMessage-ID: <1@a>\n\n");
  CHECK(make_forward(header).subject == "Fwd: x");
  CHECK(make_forward(Header::parse("Subject: FW: x\n\n")).subject == "FW: x");
  CHECK(forwarded_head(header) ==
        "---------- Forwarded message ----------\nFrom: Änn <ann@a.test>\nDate: Sun, 22 Nov 2026 "
        "20:24:20 +0100\n"
        "Subject: x\nTo: bob@b.test\n");
  CHECK(attribution(header) == "On Sun, 22 Nov 2026 20:24:20 +0100 Änn wrote:");
  CHECK(attribution(Header::parse("From: ann@a.test\n\n")) == "ann@a.test wrote:");
}

TEST_CASE("quote_text: marks each line and leaves the signature out") {
  CHECK(quote_text("one\r\n> two\n\nthree\n-- \nAnn\n", "Ann wrote:") ==
        "Ann wrote:\n> one\n>> two\n>\n> three\n");
  CHECK(quote_text("x", "") == "> x\n");
}
