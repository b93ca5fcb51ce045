#include "libmail/imap/imap_url.h"

#include <catch2/catch.hpp>

namespace posthorn::imap {

TEST_CASE("IMAP URLs: a message, a part of it, and a piece of that") {
  const auto url = parse_imap_url("/INBOX;UIDVALIDITY=785799047/;UID=113330/;section=1.5.9");
  REQUIRE(url);
  CHECK(url->mailbox == "INBOX");
  CHECK(url->uid_validity == 785799047);
  CHECK(url->uid == 113330);
  CHECK(url->section.to_text() == "1.5.9");
  CHECK_FALSE(url->partial);
  const auto header = parse_imap_url("/Entw%C3%BCrfe/;UID=1/;SECTION=HEADER/;PARTIAL=10.20");
  REQUIRE(header);
  CHECK(header->mailbox == "Entwürfe");
  CHECK(header->section.text == Section::Text::header);
  CHECK(header->partial == Partial{10, 20});
  CHECK(parse_imap_url("/a/b/;UID=1/;PARTIAL=5")->partial == Partial{5, 0});
  CHECK(parse_imap_url("/a/b/;uid=1")->mailbox == "a/b");
  CHECK(parse_imap_url(";UID=20/;SECTION=1")->mailbox.empty());
}

TEST_CASE("IMAP URLs: whole ones name their server") {
  const auto url = parse_imap_url("imap://ann;AUTH=*@mail.example.org:143/INBOX/;UID=20");
  REQUIRE(url);
  CHECK(url->user == "ann");
  CHECK(url->host == "mail.example.org:143");
}

TEST_CASE("IMAP URLs: what is none") {
  for (const char* text :
       {"",
        "/",
        "/INBOX",
        "/INBOX/",
        "/INBOX/;UID=",
        "/INBOX/;UID=0",
        "/INBOX/;UID=4294967296",
        "/INBOX/;UID=1x",
        "/IN%BOX/;UID=1",
        "/IN%0ABOX/;UID=1",
        "/%FF/;UID=1",
        "/;UID=1",
        "/INBOX;UIDVALIDITY=0/;UID=1",
        "/INBOX;X=1/;UID=1",
        "/INBOX/;UID=1/;SECTION=",
        "/INBOX/;UID=1/;SECTION=1%20x",
        "/INBOX/;UID=1/;PARTIAL=x",
        "/INBOX/;UID=1/;PARTIAL=1.0",
        "imap:///INBOX/;UID=1",
        "INBOX/;UID=",
        "http://h/INBOX/;UID=1",
        ";UID=1;URLAUTH=anonymous",
        "/INBOX/;UID=1/;URLAUTH=submit+ann:internal:91354a473744909de610943775f92038"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_imap_url(text));
  }
}

}  // namespace posthorn::imap
