#include "agents/posthorn/site_setup.h"

#include <catch2/catch.hpp>

#include "agents/posthorn/checks.h"
#include "agents/posthorn/test_site.h"
#include "agents/posthorn/users_file.h"
#include "libmail/sasl/passwd_edit.h"

namespace posthorn::operate {
namespace {

NewSite example() {
  NewSite wanted;
  wanted.address = "127.0.0.1";
  wanted.domains = {"alpha.test", "beta.test"};
  wanted.users = {{"ann@alpha.test", "one"}, {"bob@alpha.test", "two"}};
  wanted.routes = {"gamma.test [127.0.0.2]:25"};
  return wanted;
}

std::vector<std::string> errors_of(const Findings& findings) {
  std::vector<std::string> errors;
  for (const Finding& one : findings) {
    if (one.grade != Finding::Grade::ok) errors.push_back(one.subject + ": " + one.text);
  }
  return errors;
}

TEST_CASE("A new site passes its own check") {
  const TestSite test;
  const service::Site site = test.site();
  REQUIRE(make_site(site, example()));
  const auto file = service::read_site_file(site);
  REQUIRE(file);
  CHECK(file->values.at("domains").texts == std::vector<std::string>{"alpha.test", "beta.test"});
  CHECK(file->values.at("hostname").texts.front() == "mail.alpha.test");
  CHECK(errors_of(check_files(*file, site)).empty());
  CHECK(errors_of(check_certificate(*file, site)).empty());
  CHECK(errors_of(check_users(*file, site)).empty());
  const auto users = sasl::read_users(*users_file(site));
  REQUIRE(users);
  CHECK(users->all_have_scram());
  CHECK_THAT(test.read("conf/routes"), Catch::EndsWith("\ngamma.test [127.0.0.2]:25\n"));
}

TEST_CASE("Made again, a site keeps its certificate, its users and files written by hand") {
  const TestSite test;
  REQUIRE(make_site(test.site(), example()));
  const std::string certificate = test.read("tls/cert.pem");
  test.write("conf/aliases", "team@alpha.test ann@alpha.test\n");
  test.write("conf/posthorn.toml", "hostname = \"own.test\"\n");
  NewSite wanted = example();
  wanted.users = {{"ann@alpha.test", "new"}};
  wanted.routes = {"delta.test unix:/x"};
  REQUIRE(make_site(test.site(), wanted));
  CHECK(test.read("tls/cert.pem") == certificate);
  CHECK(test.read("conf/aliases") == "team@alpha.test ann@alpha.test\n");
  CHECK(test.read("conf/posthorn.toml") == "hostname = \"own.test\"\n");
  CHECK_THAT(test.read("conf/routes"), Catch::EndsWith("\ndelta.test unix:/x\n"));
  const auto users = sasl::read_users(test.path("conf/users"));
  REQUIRE(users);
  REQUIRE(users->entries.size() == 2);
  const auto stored = sasl::parse_password(users->find("ann@alpha.test")->password);
  REQUIRE(stored);
  CHECK(sasl::verify_password(*stored, "new"));
}

TEST_CASE("check names what is open to others, missing, expired or wrong") {
  const TestSite test;
  const service::Site site = test.site();
  REQUIRE(make_site(site, example()));
  ::chmod(test.path("conf/users").c_str(), 0644);
  ::chmod(test.path("tls/key.pem").c_str(), 0644);
  ::chmod(test.path("queue").c_str(), 0777);
  test.write("conf/users",
             test.read("conf/users") + "carol@elsewhere.test:{PLAIN}x\nbroken\x01line\n", 0644);
  std::filesystem::remove(test.path("tls/cert.pem"));
  const auto file = service::read_site_file(site);
  REQUIRE(file);
  using Catch::Contains;
  CHECK_THAT(errors_of(check_files(*file, site)),
             Catch::VectorContains(test.path("queue") + ": " + test.path("queue") +
                                   " is open to everybody: chmod o-w " + test.path("queue")));
  const auto certificate = errors_of(check_certificate(*file, site));
  REQUIRE(certificate.size() == 2);
  CHECK_THAT(certificate[0], Contains("cert.pem"));
  CHECK_THAT(certificate[1], Contains("chmod o-rwx"));
  std::string users;
  for (const std::string& error : errors_of(check_users(*file, site))) users += error + "\n";
  CHECK_THAT(users, Contains("chmod o-rwx"));
  CHECK_THAT(users, Contains("elsewhere.test is not in `domains`"));
  CHECK_THAT(users, Contains("conf/users:4: "));
}

TEST_CASE("A user's home is the entry's, else mail/DOMAIN/USER") {
  const TestSite test;
  sasl::PasswdEntry entry;
  entry.user = "Ann@Alpha.test";
  CHECK(home_of(test.site(), entry) == test.path("mail/alpha.test/ann"));
  entry.user = "ann";
  CHECK(home_of(test.site(), entry) == test.path("mail/ann"));
  entry.home = "/home/ann";
  CHECK(home_of(test.site(), entry) == "/home/ann");
}

}  // namespace
}  // namespace posthorn::operate
