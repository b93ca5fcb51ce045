#include "libmail/store/location.h"

#include <catch2/catch.hpp>

using namespace posthorn::store;

namespace {

MailUser bob() {
  MailUser user;
  user.name = "bob@beta.test";
  user.local = "bob";
  user.domain = "Beta.Test";
  user.home = "/home/bob";
  return user;
}

}  // namespace

TEST_CASE("make_mail_location: what a user's name makes is not trusted, what stands before is") {
  const auto location = make_mail_location("maildir:/srv/mail/%d/%n/Maildir", bob());
  REQUIRE(location);
  CHECK(location->base == "/srv/mail");
  CHECK(location->components == std::vector<std::string>{"beta.test", "bob", "Maildir"});
  CHECK(location->path() == "/srv/mail/beta.test/bob/Maildir");
}

TEST_CASE("make_mail_location: the home is trusted, what lies in it is not") {
  for (const char* form : {"maildir:~/Maildir", "maildir:%h/Maildir"}) {
    const auto location = make_mail_location(form, bob());
    REQUIRE(location);
    CHECK(location->base == "/home/bob");
    CHECK(location->components == std::vector<std::string>{"Maildir"});
  }
  const auto inbox = make_mail_location("mbox:/var/mail/%u", bob());
  REQUIRE(inbox);
  CHECK(inbox->format == MailFormat::mbox);
  CHECK(inbox->components == std::vector<std::string>{"bob@beta.test"});
}

TEST_CASE("make_mail_location: a user's name can't lead out of the mail directory") {
  using namespace std::string_literals;
  for (const std::string& local : {".."s, "."s, ""s, "../../etc"s, "a/b"s, ".hidden"s, "a\0b"s,
                                   "a\nb"s, std::string(256, 'x')}) {
    MailUser user = bob();
    user.local = local;
    CAPTURE(local);
    const auto location = make_mail_location("maildir:/srv/mail/%d/%n/Maildir", user);
    REQUIRE_FALSE(location);
    CHECK(location.error().kind == StoreError::Kind::bad_name);
  }
}

TEST_CASE("make_mail_location: says what is wrong with a form") {
  MailUser homeless = bob();
  homeless.home.clear();
  CHECK_FALSE(make_mail_location("maildir:~/Maildir", homeless));
  for (const char* form : {"/srv/mail", "sdbox:/x", "maildir:Maildir", "maildir:/x/%q",
                           "maildir:/x/%", "maildir:/x:INBOX=/y", ""}) {
    CAPTURE(form);
    const auto location = make_mail_location(form, bob());
    REQUIRE_FALSE(location);
    CHECK_FALSE(location.error().text.empty());
  }
}

TEST_CASE("lies_below: whole names, and no way out by dots") {
  const std::vector<std::string> directories = {"/srv/mail", "/home/"};
  for (const char* good : {"/srv/mail", "/srv/mail/ann", "/srv/mail/../mail/ann", "/home/ann"}) {
    CAPTURE(good);
    CHECK(lies_below(good, directories));
  }
  for (const char* bad : {"/srv/mailx", "/srv", "/srv/mail/../keys", "/home/../etc", ""}) {
    CAPTURE(bad);
    CHECK_FALSE(lies_below(bad, directories));
  }
  CHECK(lies_below("/anywhere", {}));
  CHECK(make_mail_location("maildir:~/Maildir", MailUser("ann@a.test", "/home/ann"), directories));
  CHECK_FALSE(make_mail_location("maildir:~/Maildir", MailUser("ann", "/etc"), directories));
}

TEST_CASE("maildir_folder_directory: Maildir++ names, and modified UTF-7 for what is not ASCII") {
  CHECK(maildir_folder_directory("INBOX") == "");
  CHECK(maildir_folder_directory("Lists/C++") == ".Lists.C++");
  CHECK(maildir_folder_directory("Lists.C++") == ".Lists.C++");
  CHECK(maildir_folder_directory("R&D") == ".R&-D");
  // The examples of RFC 3501 5.1.3 and one beyond the BMP.
  CHECK(maildir_folder_directory("\xe5\x8f\xb0\xe5\x8c\x97") == ".&U,BTFw-");
  CHECK(maildir_folder_directory("Entw\xc3\xbcrfe") == ".Entw&APw-rfe");
  CHECK(maildir_folder_directory("\xf0\x9f\x93\xaf") == ".&2D3c7w-");
}

TEST_CASE("maildir_folder_directory: refuses what would be another directory") {
  for (const char* folder : {"..", "a//b", "/a", "a/", "~root", "a/../b", "x\xff", "a\tb"}) {
    CAPTURE(folder);
    CHECK_FALSE(maildir_folder_directory(folder));
  }
  CHECK_FALSE(maildir_folder_directory(std::string(300, 'x')));
}
