#include "agents/authd/users.h"

#include <chrono>
#include <ctime>

#include "agents/authd/test_site.h"
#include "agents/authd/userdb_session.h"

using namespace posthorn;
using namespace posthorn::authd;
using async::Task;

TEST_CASE("userdb fields: from the line, the template, and userdb_ extras, never the password") {
  const auto file = sasl::parse_passwd_file(
      "ann@alpha.test:{PLAIN}secret:1000:1001::/srv/ann::userdb_mail=maildir:~/M "
      "userdb_quota_rule=*:storage=1G nologin\n"
      "bob@alpha.test:{PLAIN}secret\n"
      "carl:{PLAIN}secret\n");
  using Fields = sasl::dovecot::Fields;
  CHECK(userdb_fields(file.entries[0], "/mail/%d/%n") == Fields{{"uid", "1000"},
                                                                {"gid", "1001"},
                                                                {"home", "/srv/ann"},
                                                                {"mail", "maildir:~/M"},
                                                                {"quota_rule", "*:storage=1G"}});
  CHECK(userdb_fields(file.entries[1], "/mail/%d/%n") == Fields{{"home", "/mail/alpha.test/bob"}});
  CHECK(userdb_fields(file.entries[1], "/mail/%u/%%") ==
        Fields{{"home", "/mail/bob@alpha.test/%"}});
  CHECK(userdb_fields(file.entries[2], "/mail/%d/%n") == Fields{{"home", "/mail/carl"}});
  CHECK(userdb_fields(file.entries[2], "").empty());
}

TEST_CASE("snapshot: the decoy is as slow as the usual entry") {
  const std::string crypt = *sasl::make_password("x", sasl::Scheme::crypt);
  const std::string scram = *sasl::make_password("x");
  const auto mostly_crypt =
      make_snapshot(sasl::parse_passwd_file("a:" + crypt + "\nb:" + crypt + "\nc:" + scram + "\n"));
  CHECK(std::holds_alternative<sasl::CryptHash>(mostly_crypt->decoy));
  const auto empty = make_snapshot(sasl::parse_passwd_file(""));
  CHECK(std::holds_alternative<sasl::ScramKeys>(empty->decoy));
}

TEST_CASE("users: an absent file is no users, a damaged one keeps what was read last") {
  struct Run {
    static Task<void> all(UsersFolder* folder) {
      Users users(folder->file(), silent_log(), [] {});
      auto started = co_await users.start();
      CHECK(started);
      CHECK(users.now()->file.entries.empty());
      folder->write("ann:{PLAIN}x\n");
      const async::Deadline deadline = async::Deadline::in(std::chrono::minutes(1));
      while (users.now()->find("ann", "") == nullptr && !deadline.passed()) {
        co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(20)));
      }
      CHECK(users.now()->find("ann", "") != nullptr);
      folder->write("<html>not a users file</html>\n");
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(1000)));
      CHECK(users.now()->find("ann", "") != nullptr);
      std::filesystem::remove(folder->file());
      std::filesystem::create_directory(folder->file());
      co_await async::sleep_until(async::Deadline::in(std::chrono::milliseconds(1000)));
      CHECK(users.now()->find("ann", "") != nullptr);
      co_await users.stop();
    }
  };
  UsersFolder folder;
  async::run(Run::all(&folder));
}

TEST_CASE("userdb session: answers USER and LIST, refuses PASS, ends on nonsense") {
  struct Run {
    static Task<void> all(UsersFolder* folder) {
      Users users(folder->file(), silent_log(), [] {});
      const auto started = co_await users.start();
      CHECK(started);
      UserdbSettings settings;
      settings.home = "/mail/%d/%n";
      settings.realm = "alpha.test";
      service::Metrics metrics;
      UserdbCounters counters(metrics);
      UserdbSession session(nullptr, users, settings, counters, silent_log());
      CHECK_FALSE(session.answer("USER\t1\tann"));  // VERSION comes first
      CHECK(session.answer("VERSION\t1\t0") == "");
      CHECK(session.answer("USER\t1\tANN@alpha.test\tservice=lmtp") ==
            "USER\t1\tann@alpha.test\thome=/mail/alpha.test/ann\n");
      CHECK(session.answer("USER\t2\tann") ==
            "USER\t2\tann@alpha.test\thome=/mail/alpha.test/ann\n");
      CHECK(session.answer("USER\t3\teve@alpha.test") == "NOTFOUND\t3\n");
      CHECK(session.answer("LIST\t4") ==
            "LIST\t4\tann@alpha.test\nLIST\t4\tbob@beta.test\nDONE\t4\n");
      CHECK(session.answer("LIST\t5\tuser=*@beta.test") == "LIST\t5\tbob@beta.test\nDONE\t5\n");
      const auto pass = session.answer("PASS\t6\tann@alpha.test");
      CHECK(pass->rfind("FAIL\t6\treason=", 0) == 0);
      CHECK(pass->find("secret") == std::string::npos);
      CHECK_FALSE(session.answer("USER"));
      CHECK_FALSE(session.answer("VERSION\t2\t0"));
      co_await users.stop();
    }
  };
  UsersFolder folder;
  folder.write("ann@alpha.test:{PLAIN}secret\nbob@beta.test:{PLAIN}secret\n");
  async::run(Run::all(&folder));
}

TEST_CASE("verifier: an unknown user takes as long as a wrong password") {
  struct Run {
    static Task<void> all(UsersFolder* folder) {
      Users users(folder->file(), silent_log(), [] {});
      const auto started = co_await users.start();
      CHECK(started);
      service::Metrics metrics;
      Verifier verifier(users, VerifierOptions(), silent_log(), metrics);
      // Processor time, which a busy machine does not stretch.
      std::clock_t known = 0, unknown = 0;
      for (int i = 0; i < 12; ++i) {
        std::clock_t begin = std::clock();
        auto verdict = co_await verifier.verify("ann", "wrong");
        known += std::clock() - begin;
        CHECK_FALSE(verdict.good);
        begin = std::clock();
        verdict = co_await verifier.verify("eve", "wrong");
        unknown += std::clock() - begin;
        CHECK_FALSE(verdict.good);
      }
      CHECK(unknown > known / 2);
      CHECK(known > unknown / 2);
      co_await users.stop();
    }
  };
  UsersFolder folder;
  folder.write(user_line("ann", "secret", sasl::Scheme::crypt));
  async::run(Run::all(&folder));
}
