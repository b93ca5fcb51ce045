#include "agents/sendmail/arguments.h"

#include <catch2/catch.hpp>

using namespace posthorn;
using namespace posthorn::sendmail;
using Mode = Arguments::Mode;
using Words = std::vector<std::string>;

namespace {

Arguments parse(const Words& words, const std::string& program = "sendmail") {
  auto parsed = parse_arguments(program, words);
  INFO((parsed ? std::string() : parsed.error()));
  REQUIRE(parsed);
  return *parsed;
}

}  // namespace

TEST_CASE("sendmail: what programs really call it with") {
  CHECK(parse({"-t", "-i"}).recipients_from_header);
  CHECK(parse({"-ti"}).dot_is_text);
  CHECK(parse({"-oi", "-oem", "-f", "ann@x", "--", "bob@y"}).dot_is_text);
  const Arguments cron = parse({"-FCronDaemon", "-i", "-B8BITMIME", "-oem", "root"});
  CHECK(cron.full_name == "CronDaemon");
  CHECK(cron.body == smtp::Body::eight_bit_mime);
  CHECK(cron.recipients == Words{"root"});
  const Arguments mutt = parse(
      {"-oem", "-oi", "-N", "failure,delay", "-R", "hdrs", "-fann@x", "--", "bob@y", "-eve@z"});
  CHECK(mutt.notify == smtp::Notify(smtp::Notify::failure | smtp::Notify::delay));
  CHECK(mutt.ret == smtp::Ret::headers);
  CHECK(mutt.sender == "ann@x");
  CHECK(mutt.recipients == Words{"bob@y", "-eve@z"});
}

TEST_CASE("sendmail: a sender that is nobody") {
  CHECK(parse({"-f", "", "bob"}).sender == "");
  CHECK(parse({"-f<>", "bob"}).sender == "<>");
  CHECK(parse({"-r", "ann", "bob"}).sender == "ann");
}

TEST_CASE("sendmail: modes") {
  CHECK(parse({"-bs"}).mode == Mode::smtp);
  CHECK(parse({"-b", "p"}).mode == Mode::list);
  CHECK(parse({"-bv", "ann"}).mode == Mode::verify);
  CHECK(parse({"-bi"}).mode == Mode::aliases);
  CHECK(parse({}, "/usr/bin/mailq").mode == Mode::list);
  CHECK(parse({}, "newaliases").mode == Mode::aliases);
  CHECK(parse({"-q"}).mode == Mode::flush);
  CHECK(parse({"-q30m"}).mode == Mode::deliver);
}

TEST_CASE("sendmail: -qI, -qR and -qS name what is tried again") {
  const Arguments flush = parse({"-qIabc"});
  CHECK(flush.flush_by == 'I');
  CHECK(flush.flush_what == "abc");
  CHECK(parse({"-qI", "abc"}).flush_what == "abc");
  CHECK_FALSE(parse_arguments("sendmail", {"-qI"}));
}

TEST_CASE("sendmail: named options, xtext, and what is ignored") {
  CHECK(parse({"-O", "requiretls=yes", "-Osmtputf8=yes"}).requiretls);
  CHECK(parse({"-O", "DeliveryMode=b", "bob"}).recipients == Words{"bob"});
  CHECK(parse({"-V", "a+2Bb"}).envid == "a+b");
  CHECK(parse({"-Ac", "-X", "/tmp/log", "-L", "tag", "-mnUGvx", "-h", "3", "-d0.1", "-C/etc/x",
               "-p", "ESMTP:h", "bob"})
            .recipients == Words{"bob"});
}

TEST_CASE("sendmail: what it refuses, in a sentence") {
  for (const Words& words :
       {Words{"-f"}, Words{"-B", "9BIT"}, Words{"-N", "sometimes"}, Words{"-N", "never,delay"},
        Words{"-R", "half"}, Words{"-V", "a b"}, Words{"-V", ""}, Words{"-bd"}, Words{"-bz"},
        Words{"-Z"}, Words{"--nonsense"}, Words{"--site"}, Words{"bob", "-i"},
        Words{"-O", "smtputf8=maybe"}}) {
    CAPTURE(words);
    const auto parsed = parse_arguments("sendmail", words);
    REQUIRE_FALSE(parsed);
    CHECK_FALSE(parsed.error().empty());
  }
}
