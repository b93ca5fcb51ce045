#include "agents/deliverd/session.h"

#include "agents/deliverd/test_mda.h"
#include "libmail/dsn/parse.h"
#include "libmail/store/quota.h"

using namespace posthorn;
using namespace posthorn::deliverd;
using namespace posthorn::deliverd::test;

namespace {

const std::string hello = "LHLO queue\r\n";
const std::string quit = "QUIT\r\n";
const std::string letter = "Subject: hi\r\n\r\n..dots\r\nhello\r\n";

std::vector<std::string> run(Mda& mda, const std::string& say) {
  return async::run(converse(mda, hello + say + quit));
}

}  // namespace

TEST_CASE("LMTP: one answer for each recipient, trace fields on top, LF line ends") {
  Mda mda;
  const auto replies = run(
      mda, "XFORWARD IDENT=TRACE7\r\n" +
               transaction({"<bob@beta.test>", "<nobody@beta.test>", "<carol@BETA.test>"}, letter));
  REQUIRE(replies.size() == 10);
  CHECK(replies[4] == "250 2.1.5 OK");
  CHECK(replies[5] == "550 5.1.1 User unknown");
  CHECK(replies[7] == "250 2.0.0 Delivered");
  CHECK(replies[8] == "250 2.0.0 Delivered");
  REQUIRE(mda.inbox("bob").size() == 1);
  const std::string bobs = *mda.inbox("bob").begin();
  CHECK(
      bobs.starts_with("Return-Path: <ann@alpha.test>\nDelivered-To: bob@beta.test\nReceived: from "
                       "queue (local)\n\tby mx.beta.test"));
  CHECK(bobs.find("with LMTP id ") != std::string::npos);
  CHECK(bobs.find("for <bob@beta.test>") != std::string::npos);
  CHECK(bobs.ends_with("\nSubject: hi\n\n..dots\nhello\n"));
  CHECK(mda.inbox("carol").begin()->find("Delivered-To: carol@BETA.test\n") != std::string::npos);
  CHECK(mda.counters.delivered.value() == 2);
  CHECK(mda.counters.refused.value() == 1);
}

TEST_CASE("LMTP: a recipient that is given twice gets one copy and two answers") {
  Mda mda;
  const auto replies = run(mda, transaction({"<bob@beta.test>", "<bob@beta.test>"}, letter));
  CHECK(std::count(replies.begin(), replies.end(), "250 2.0.0 Delivered") == 2);
  CHECK(mda.inbox("bob").size() == 1);
}

TEST_CASE("LMTP: a userdb that is away is our trouble: 451") {
  Mda mda;
  mda.users.away = true;
  const auto replies = run(mda, "MAIL FROM:<>\r\nRCPT TO:<bob@beta.test>\r\n");
  CHECK(replies[3] == "451 4.3.0 User look-up failed, try again later");
}

TEST_CASE("LMTP: a full disk is 452, and a later message goes through") {
  Mda mda;
  run(mda, transaction({"<bob@beta.test>"}, letter));
  mda.files->fail_next("write", ENOSPC);
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] ==
        "452 4.3.1 Not enough storage, try again later");
  mda.files->fail_next("create", EDQUOT);
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] ==
        "452 4.2.2 Mailbox full, try again later");
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] == "250 2.0.0 Delivered");
  CHECK(mda.inbox("bob").size() == 2);
  CHECK(mda.files->names("/site/mail/beta.test/bob/Maildir/tmp").empty());
}

TEST_CASE("LMTP: one recipient's trouble is not another's") {
  Mda mda;
  mda.users.known["carol@beta.test"].emplace_back("mail", "maildir:/etc/carol");
  const auto replies = run(mda, transaction({"<carol@beta.test>", "<bob@beta.test>"}, letter));
  CHECK(replies[3] == "451 4.3.5 Mailbox misconfigured, try again later");
  CHECK(replies[5] == "250 2.0.0 Delivered");
}

TEST_CASE("LMTP: a message that has been in this mailbox goes round in a loop") {
  Mda mda;
  const std::string looped = "Received: by x; y\r\ndelivered-to: Bob@Beta.Test\r\n" + letter;
  const auto replies = run(mda, transaction({"<bob@beta.test>", "<carol@beta.test>"}, looped));
  CHECK(replies[5].starts_with("554 5.4.6 Mail loop"));
  CHECK(replies[6] == "250 2.0.0 Delivered");
  CHECK(mda.inbox("bob").empty());
  // In the body it is text.
  CHECK(run(mda,
            transaction({"<bob@beta.test>"}, "A: b\r\n\r\nDelivered-To: bob@beta.test\r\n"))[4] ==
        "250 2.0.0 Delivered");
}

TEST_CASE("LMTP: a client that writes Delivered-To on top as it hands over is no loop") {
  Mda mda;
  CHECK(run(mda, transaction({"<bob@beta.test>"}, "Delivered-To: bob@beta.test\r\n" + letter))[4] ==
        "250 2.0.0 Delivered");
}

TEST_CASE("LMTP: a large message goes through a file and comes out whole") {
  Mda mda;
  std::string body = "Subject: large\r\n\r\n";
  std::string stored = "Subject: large\n\n";
  for (int i = 0; i < 20000; ++i) {
    body += "line " + std::to_string(i) + " of a large message\r\n";
    stored += "line " + std::to_string(i) + " of a large message\n";
  }
  const auto replies = run(mda, transaction({"<bob@beta.test>", "<carol@beta.test>"}, body));
  CHECK(replies[5] == "250 2.0.0 Delivered");
  CHECK(replies[6] == "250 2.0.0 Delivered");
  CHECK(mda.inbox("bob").begin()->ends_with("\n" + stored));
  CHECK(mda.inbox("carol").begin()->ends_with("\n" + stored));
  CHECK(mda.files->names("/site/mail") == std::vector<std::string>{"beta.test"});
}

TEST_CASE("LMTP: no room for a large message's file is 452 and not the end of the session") {
  Mda mda;
  std::string body = "Subject: large\r\n\r\n";
  for (int i = 0; i < 400; ++i) body += std::string(900, 'x') + "\r\n";
  mda.files->fail_next("write", ENOSPC);
  const auto replies =
      run(mda, transaction({"<bob@beta.test>"}, body) + transaction({"<bob@beta.test>"}, letter));
  CHECK(replies[4] == "452 4.3.1 Not enough storage, try again later");
  CHECK(replies[7] == "250 2.0.0 Delivered");
  CHECK(mda.inbox("bob").size() == 1);
}

TEST_CASE("LMTP: RSET and a new MAIL forget everything") {
  Mda mda;
  const auto replies = run(mda, "MAIL FROM:<a@b.test>\r\nRCPT TO:<bob@beta.test>\r\nRSET\r\n" +
                                    transaction({"<carol@beta.test>"}, letter));
  CHECK(replies.back().starts_with("221"));
  CHECK(mda.inbox("bob").empty());
  CHECK(mda.inbox("carol").size() == 1);
}

TEST_CASE("LMTP: NOTIFY=SUCCESS is answered with a report, for those who were delivered to") {
  Mda mda;
  run(mda, transaction({"<bob@beta.test> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;b@old.test",
                        "<nobody@beta.test> NOTIFY=SUCCESS", "<carol@beta.test> NOTIFY=FAILURE"},
                       letter, "MAIL FROM:<ann@alpha.test> RET=HDRS ENVID=e7"));
  REQUIRE(mda.reports.sent.size() == 1);
  CHECK(mda.reports.sent[0].to == "ann@alpha.test");
  const auto report = dsn::parse_report(mda.reports.sent[0].message);
  REQUIRE(report);
  CHECK(report->envid == "e7");
  REQUIRE(report->recipients.size() == 1);
  CHECK(report->recipients[0].action == dsn::Action::delivered);
  CHECK(report->recipients[0].final_recipient.address == "bob@beta.test");
  CHECK(report->recipients[0].original_recipient->address == "b@old.test");
  CHECK(report->returned.find("Subject: hi") != std::string::npos);
}

TEST_CASE(
    "LMTP: nobody is told about a report, and a report that can't be written undoes no delivery") {
  Mda mda;
  run(mda, transaction({"<bob@beta.test> NOTIFY=SUCCESS"}, letter, "MAIL FROM:<>"));
  CHECK(mda.reports.sent.empty());
  mda.reports.full = true;
  CHECK(run(mda, transaction({"<bob@beta.test> NOTIFY=SUCCESS"}, letter))[4] ==
        "250 2.0.0 Delivered");
}

TEST_CASE("LMTP: extensions find their user, and a folder if that is wanted") {
  Mda mda;
  mda.rules.recipient_delimiter = "+-";
  mda.users.known["a-b@beta.test"];
  CHECK(run(mda, transaction({"<bob+lists@beta.test>"}, letter))[4] == "250 2.0.0 Delivered");
  CHECK(mda.inbox("bob").size() == 1);
  CHECK(run(mda, transaction({"<a-b@beta.test>"}, letter))[4] == "250 2.0.0 Delivered");
  CHECK(mda.inbox("a-b").size() == 1);
  CHECK(run(mda, "MAIL FROM:<>\r\nRCPT TO:<nobody+x@beta.test>\r\n")[3] ==
        "550 5.1.1 User unknown");
  mda.rules.extension_folder = true;
  run(mda, transaction({"<bob+lists@beta.test>", "<bob+.x@beta.test>"}, letter));
  CHECK(mda.files->names("/site/mail/beta.test/bob/Maildir/.lists/new").size() == 1);
  CHECK(mda.inbox("bob").size() == 2);  // the second is no folder's name
}

TEST_CASE("LMTP: <Postmaster> without a domain is ours") {
  Mda mda;
  mda.users.known["Postmaster@beta.test"];
  CHECK(run(mda, transaction({"<Postmaster>"}, letter))[4] == "250 2.0.0 Delivered");
}

TEST_CASE("LMTP: an mbox, a home and a location of one's own") {
  Mda mda;
  mda.users.known["bob@beta.test"].emplace_back("mail", "mbox:/var/mail/%n");
  mda.users.known["carol@beta.test"].emplace_back("home", "/home/carol");
  mda.users.known["carol@beta.test"].emplace_back("mail", "maildir:~/Maildir");
  const auto replies = run(mda, transaction({"<bob@beta.test>", "<carol@beta.test>"}, letter));
  CHECK(replies[5] == "250 2.0.0 Delivered");
  CHECK(replies[6] == "250 2.0.0 Delivered");
  CHECK(mda.files->content("/var/mail/bob")->starts_with("From ann@alpha.test "));
  CHECK(mda.files->names("/home/carol/Maildir/new").size() == 1);
  mda.files->put("/var/mail/bob.lock", "1:other.host.invalid");
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] ==
        "451 4.2.0 Mailbox is locked, try again later");
}

TEST_CASE("LMTP: a mailbox that is full takes nothing, now or ever as the setting says") {
  Mda mda;
  mda.users.known["bob@beta.test"].emplace_back("quota_rule", "*:messages=1");
  mda.users.known["carol@beta.test"].emplace_back("quota_rule", "nonsense");
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] == "250 2.0.0 Delivered");
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] ==
        "452 4.2.2 Mailbox full, try again later");
  mda.rules.quota_full_bounces = true;
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] == "552 5.2.2 Mailbox full");
  CHECK(mda.inbox("bob").size() == 1);
  CHECK(run(mda, transaction({"<carol@beta.test>"}, letter))[3] ==
        "451 4.3.5 Mailbox misconfigured, try again later");
}

TEST_CASE("LMTP: limits that IMAP's SETQUOTA left beside the mail count before the rule") {
  Mda mda;
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] == "250 2.0.0 Delivered");
  const char* maildir = "/site/mail/beta.test/bob/Maildir";
  const auto root = mda.files->open_directory(maildir);
  REQUIRE(root);
  store::QuotaLimits limits;
  limits.messages = 2;
  REQUIRE(store::Quota(*mda.files, **root, store::QuotaLimits()).set_limits(limits));
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] == "250 2.0.0 Delivered");
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] ==
        "452 4.2.2 Mailbox full, try again later");
  mda.users.known["bob@beta.test"].emplace_back("quota_rule", "*:messages=100");
  CHECK(run(mda, transaction({"<bob@beta.test>"}, letter))[4] ==
        "452 4.2.2 Mailbox full, try again later");
}
