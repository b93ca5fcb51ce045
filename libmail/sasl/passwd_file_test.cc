#include "libmail/sasl/passwd_file.h"

#include <catch2/catch.hpp>

using namespace posthorn::sasl;

TEST_CASE("passwd file: reads Dovecot's eight fields") {
  const PasswdFile file = parse_passwd_file(
      "# users of alpha.test\n"
      "\n"
      "ann@alpha.test:{PLAIN}secret:1000:1001:Ann:/srv/mail/ann:/bin/sh:userdb_mail=maildir:~/"
      "Maildir nologin\r\n"
      "bob:{PLAIN}x");
  REQUIRE(file.problems.empty());
  REQUIRE(file.entries.size() == 2);
  const PasswdEntry* ann = file.find("ANN@alpha.TEST");
  REQUIRE(ann != nullptr);
  CHECK(ann->user == "ann@alpha.test");
  CHECK(ann->password == "{PLAIN}secret");
  CHECK(ann->uid == 1000u);
  CHECK(ann->gid == 1001u);
  CHECK(ann->gecos == "Ann");
  CHECK(ann->home == "/srv/mail/ann");
  CHECK(ann->shell == "/bin/sh");
  CHECK(ann->field("userdb_mail") == "maildir:~/Maildir");
  CHECK(ann->field("nologin") == "");
  CHECK_FALSE(ann->field("other"));
  CHECK(file.find("bob")->home.empty());
  CHECK(file.find("eve") == nullptr);
}

TEST_CASE("passwd file: a bad line is left out and named, the others count") {
  const PasswdFile file = parse_passwd_file(
      "ann:{PLAIN}x\n"
      ":{PLAIN}x\n"
      "a b:{PLAIN}x\n"
      "../etc:{PLAIN}x\n"
      "carl:{PLAIN}x:uid\n"
      "ANN:{PLAIN}second\n"
      "dora:{NONSENSE}sesame\n"
      "emil:{PLAIN}x\n");
  CHECK(file.entries.size() == 3);  // ann, dora (known, can't log in), emil
  CHECK(file.find("dora") != nullptr);
  CHECK(file.find("ann")->password == "{PLAIN}x");
  REQUIRE(file.problems.size() == 6);
  CHECK(file.problems[0].line == 2);
  CHECK(file.problems[5].line == 7);
  for (const auto& problem : file.problems) CHECK(problem.text.find("sesame") == std::string::npos);
}

TEST_CASE("passwd file: an overlong line and a NUL are problems") {
  CHECK(parse_passwd_file("ann:{PLAIN}" + std::string(17000, 'x')).problems.size() == 1);
  CHECK(parse_passwd_file(std::string("ann:{PLAIN}a\0b", 14)).problems.size() == 1);
}

TEST_CASE("passwd file: SCRAM may be advertised while each who can log in has keys") {
  const std::string keys =
      "{SCRAM-SHA-256}4096,W22ZaJ0SNY7soEsUEjb6gQ==,WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=,"
      "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
  CHECK(parse_passwd_file("ann:" + keys + "\nbob:" + keys).all_have_scram());
  CHECK(parse_passwd_file("ann:" + keys + "\nlist:\n").all_have_scram());  // can't log in at all
  CHECK_FALSE(parse_passwd_file("ann:" + keys + "\nbob:{PLAIN}x").all_have_scram());
  CHECK_FALSE(parse_passwd_file("ann:" + keys + "\nbob:$y$j9T$abc").all_have_scram());
  CHECK_FALSE(parse_passwd_file("").all_have_scram());
}

TEST_CASE("passwd file: an entry is written as it is read") {
  const std::string line = "ann:{PLAIN}x:1::Ann A.:/home/ann::userdb_mail=maildir:~/M nologin";
  CHECK(format_passwd_entry(parse_passwd_file(line).entries.at(0)) == line);
}

TEST_CASE("user_name_problem: a name can't leave its folder or its line") {
  for (const auto* good : {"ann", "ann@alpha.test",
                           "Gr\xc3\xbc\xc3\x9f"
                           "e@alpha.test",
                           "a+b", "..."})
    CHECK_FALSE(user_name_problem(good));
  for (const auto* bad : {"", ".", "..", "a/b", "../a", "a:b", "a b", "a\nb", "a\x7f", "#a", "\xff",
                          "..@alpha.test", "a@..", "a@", "@a"}) {
    CAPTURE(bad);
    CHECK(user_name_problem(bad));
  }
  CHECK(user_name_problem(std::string(321, 'a')));
}
