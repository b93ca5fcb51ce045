#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "libmail/access/mail_place.h"
#include "libmail/access/own_worker.h"

using namespace posthorn;
using namespace posthorn::access;

namespace {

struct Folder {
  std::string path;
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "access_test.XXXXXX").string();
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

session::UserdbAnswer user(std::string name, sasl::dovecot::Fields fields) {
  session::UserdbAnswer answer(session::UserdbAnswer::Kind::found);
  answer.user = std::move(name);
  answer.fields = std::move(fields);
  return answer;
}

MailPlaces places() {
  MailPlaces places;
  places.mail_location = "maildir:~/Maildir";
  places.mail_directories = {"/srv/mail"};
  return places;
}

}  // namespace

TEST_CASE("locate: the userdb's mail field, else the template in the home") {
  auto where = locate(places(), user("ann@alpha.test", {{"home", "/srv/mail/alpha.test/ann"}}));
  REQUIRE(where);
  CHECK(where->path() == "/srv/mail/alpha.test/ann/Maildir");
  where =
      locate(places(), user("ann@alpha.test", {{"home", "/srv/mail/x"}, {"mail", "mbox:~/inbox"}}));
  REQUIRE(where);
  CHECK(where->path() == "/srv/mail/x/inbox");
  CHECK(where->format == store::MailFormat::mbox);
}

TEST_CASE("locate: mail that lies elsewhere is refused") {
  for (const auto* home :
       {"/srv/mailbox/ann", "/etc", "/srv/mail/../other", "/srv/mailx/../mail"}) {
    CAPTURE(home);
    const bool good = locate(places(), user("ann", {{"home", home}})).has_value();
    CHECK(good == (std::string(home) == "/srv/mailx/../mail"));
  }
  CHECK_FALSE(locate(places(), user("ann", {})));  // no home at all
}

TEST_CASE("worker arguments: the front's, with a name, a socket and a configuration of their own") {
  Folder folder;
  std::filesystem::create_directory(folder.path + "/conf");
  const auto site = service::Site::find(folder.path);
  using Words = std::vector<std::string>;
  CHECK(worker_arguments(
            "pop3d",
            {"/usr/sbin/pop3d", "--site", folder.path, "--name", "pop3d", "--max-errors=3"}, site,
            "unix:/x/w.sock") == Words{"/usr/sbin/pop3d", "--worker", "--site", folder.path,
                                       "--max-errors=3", "--name=pop3d-worker",
                                       "--worker-listen=unix:/x/w.sock"});
  std::ofstream(folder.path + "/conf/p2.toml") << "\n";
  CHECK(worker_arguments("pop3d",
                         {"pop3d", "--name=p2", "--ops", "unix:/x/ops", "--worker-listen=unix:/y"},
                         site, "unix:/x") == Words{"pop3d", "--worker",
                                                   "--config=" + folder.path + "/conf/p2.toml",
                                                   "--name=p2-worker", "--worker-listen=unix:/x"});
  CHECK(worker_arguments("pop3d", {"pop3d", "--config", "/c.toml", "--name", "p2"}, site,
                         "unix:/x") == Words{"pop3d", "--worker", "--config", "/c.toml",
                                             "--name=p2-worker", "--worker-listen=unix:/x"});
}
