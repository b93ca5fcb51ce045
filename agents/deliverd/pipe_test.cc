#include <catch2/catch.hpp>

#include "agents/deliverd/exit_status.h"
#include "agents/deliverd/pipe_command.h"
#include "agents/deliverd/pipe_message.h"

using namespace posthorn;
using namespace posthorn::deliverd;
using Words = std::vector<std::string>;

namespace {

struct Sample {
  smtp::Envelope envelope;
  smtp::SessionInfo session;
  Letter letter{envelope, session};
  PipeRules rules;

  Sample() {
    envelope.trace_id = "TRACE";
    envelope.reverse_path = smtp::Mailbox("ann", "alpha.test");
    envelope.size = 1234;
    envelope.client.address = "192.0.2.1";
    envelope.recipients.emplace_back(smtp::Mailbox("Bob+Lists", "Beta.Test"));
    envelope.recipients.emplace_back(smtp::Mailbox("a b", "beta.test"));
    envelope.recipients[0].orcpt = smtp::OriginalRecipient("rfc822", "bobby@old.test");
    rules.recipient_delimiter = "+";
  }
  Words expand(const std::string& command) {
    std::vector<MacroValues> recipients;
    for (const auto& recipient : envelope.recipients)
      recipients.push_back(recipient_macros(rules, recipient));
    return expand_argv(parse_pipe_argv(command).value(), message_macros(rules, letter), recipients);
  }
  std::string lines(const std::string& text, std::size_t cut) {
    std::string out;
    PipeLines filter(rules);
    filter.append(std::string_view(text).substr(0, cut), out);
    filter.append(std::string_view(text).substr(cut), out);
    filter.finish(out);
    return out;
  }
};

}  // namespace

TEST_CASE("exec: macros stand for the message, and a word with a recipient's comes once for each") {
  Sample s;
  CHECK(s.expand("/bin/x -f ${sender} -s $size $(queue_id) $$ -- ${recipient} u=${user}") ==
        Words{"/bin/x", "-f", "ann@alpha.test", "-s", "1234", "TRACE", "$", "--",
              "Bob+Lists@Beta.Test", "a b@beta.test", "u=Bob", "u=a b"});
  CHECK(s.expand("/bin/x ${extension} ${mailbox}@${domain} ${original_recipient} { two words "
                 "${client_address} }") == Words{"/bin/x", "Lists", "", "Bob+Lists@Beta.Test",
                                                 "a b@beta.test", "bobby@old.test", "a b@beta.test",
                                                 "two words 192.0.2.1"});
}

TEST_CASE("exec: flags fold and quote addresses, the null sender has a name") {
  Sample s;
  s.rules.flags = parse_pipe_flags("huq").value();
  s.envelope.reverse_path.reset();
  CHECK(s.expand("/bin/x ${sender} ${recipient} ${nexthop}") ==
        Words{"/bin/x", "MAILER-DAEMON", "bob+lists@beta.test", "\"a b\"@beta.test", "beta.test"});
  s.rules.null_sender = "";
  CHECK(s.expand("/bin/x -f ${sender}") == Words{"/bin/x", "-f", ""});
}

TEST_CASE("exec: what strangers chose becomes no option and no shell command") {
  Sample s;
  s.envelope.recipients.resize(1);
  s.envelope.recipients[0].mailbox.local_part = "bob+-rf";
  s.envelope.envid = "--help";
  CHECK(s.expand("/bin/x ${extension} --env=${envid} ${envid}") ==
        Words{"/bin/x", "_rf", "--env=--help", "_-help"});
  s.envelope.recipients[0].mailbox.local_part = "x;rm -rf `id` $(sender)";
  CHECK(s.expand("/bin/x ${user}") == Words{"/bin/x", "x;rm -rf `id` $(sender)"});
  const auto environment = pipe_environment({}, message_macros(s.rules, s.letter),
                                            {recipient_macros(s.rules, s.envelope.recipients[0])});
  CHECK(environment.at("LOCAL") == "x_rm_-rf__id____sender_");
  CHECK(environment.at("SENDER") == "ann@alpha.test");
  CHECK_FALSE(environment.contains("SASL_USERNAME"));
}

TEST_CASE("exec: a command line that can't work is refused with the reason") {
  for (const char* bad : {"", "  ", "/bin/x ${recipint}", "/bin/x ${user", "/bin/x $", "/bin/x ${}",
                          "$user x", "/bin/x { a"}) {
    CAPTURE(bad);
    const auto argv = parse_pipe_argv(bad);
    REQUIRE_FALSE(argv);
    CHECK_FALSE(argv.error().empty());
  }
  CHECK(parse_pipe_argv("/bin/x ${recipint}").error().find("${recipient}") != std::string::npos);
  CHECK_FALSE(parse_pipe_flags("DRz"));
  CHECK(parse_pipe_flags("BDFORXhuq.>"));
}

TEST_CASE("exec: line ends are written as in C") {
  CHECK(parse_pipe_eol("\\r\\n").value() == "\r\n");
  CHECK(parse_pipe_eol("\\015\\012").value() == "\r\n");
  for (const char* bad : {"", "\\", "\\x", "\\9", "\\01", "\\777"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_pipe_eol(bad));
  }
}

TEST_CASE("exec: flags put fields on top, in Postfix's order") {
  Sample s;
  s.rules.flags = parse_pipe_flags("FRODB").value();
  s.envelope.arrival = WallTime(std::chrono::seconds(1795383894));
  CHECK(pipe_head(s.rules, s.letter, &s.envelope.recipients[0]) ==
        "From ann@alpha.test Sun Nov 22 21:44:54 2026\nReturn-Path: <ann@alpha.test>\n"
        "X-Original-To: bobby@old.test\nDelivered-To: Bob+Lists@Beta.Test\n");
  CHECK(pipe_head(s.rules, s.letter, nullptr) ==
        "From ann@alpha.test Sun Nov 22 21:44:54 2026\nReturn-Path: <ann@alpha.test>\n");
}

TEST_CASE("exec: lines are changed as the flags ask, wherever the message is cut") {
  const std::string text = "A: b\n\n.\n..x\nFrom a\nFromage\nFrom\n>From b\nFr";
  Sample plain;
  Sample all;
  all.rules.flags = parse_pipe_flags(".>B").value();
  all.rules.eol = "\r\n";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    CAPTURE(cut);
    CHECK(plain.lines(text, cut) == text);
    CHECK(all.lines(text, cut) ==
          "A: b\r\n\r\n..\r\n...x\r\n>From a\r\nFromage\r\nFrom\r\n>From b\r\nFr\r\n");
  }
}

TEST_CASE("exec: exit codes mean what Postfix says they mean") {
  const auto [code, reply, status] = GENERATE(table<int, int, std::string>({
      {0, 250, "2.0.0"},
      {64, 550, "5.3.0"},
      {65, 550, "5.6.0"},
      {66, 550, "5.3.0"},
      {67, 550, "5.1.1"},
      {68, 550, "5.1.2"},
      {69, 550, "5.3.0"},
      {70, 550, "5.3.0"},
      {71, 451, "4.3.0"},
      {72, 550, "5.3.0"},
      {73, 550, "5.2.0"},
      {74, 550, "5.3.0"},
      {75, 451, "4.3.0"},
      {76, 550, "5.5.0"},
      {77, 550, "5.7.0"},
      {78, 550, "5.3.5"},
      {1, 550, "5.3.0"},
      {111, 550, "5.3.0"},
  }));
  async::ExitStatus ended;
  ended.code = code;
  const smtp::Reply made = smtp::to_reply(status_of_exit(ended, "", "/bin/x"));
  CHECK(made.code == reply);
  CHECK(made.status.text() == status);
}

TEST_CASE("exec: the program's own words count more than its exit code, if it failed") {
  async::ExitStatus failed;
  failed.code = 1;
  CHECK(status_of_exit(failed, "4.2.2 mailbox full\n", "/bin/x").enhanced.text() == "4.2.2");
  CHECK(status_of_exit(failed, "4.2.2 mailbox full\n", "/bin/x").text == "mailbox full");
  CHECK(status_of_exit(failed, "5.7.1 no\r\nmore", "/bin/x").text == "no\\x0d\\x0amore");
  CHECK(status_of_exit(failed, "2.0.0 fine", "/bin/x").enhanced.text() == "5.3.0");
  CHECK(status_of_exit(failed, "5.1 x", "/bin/x").enhanced.text() == "5.3.0");
  CHECK(status_of_exit(failed, "oops", "/bin/x").text ==
        "Command failed with status 1: /bin/x: oops");
  async::ExitStatus good;
  CHECK(status_of_exit(good, "5.1.1 ignored", "/bin/x").succeeded());
  async::ExitStatus killed;
  killed.signal = 9;
  CHECK(status_of_exit(killed, "", "/bin/x").enhanced.text() == "4.3.0");
  CHECK(status_of_exit(std::nullopt, "", "/bin/x").enhanced.text() == "5.3.0");
}

TEST_CASE("--stdin: its exit codes are sysexits'") {
  CHECK(exit_code_of({250, {2, 0, 0}, "x"}) == 0);
  CHECK(exit_code_of({452, {4, 3, 1}, "x"}) == 75);
  CHECK(exit_code_of({550, {5, 1, 1}, "x"}) == 67);
  CHECK(exit_code_of({554, {5, 6, 0}, "x"}) == 65);
  CHECK(exit_code_of({554, {5, 7, 1}, "x"}) == 77);
}
