// What a policy server is told, and what of its answers is understood.
#include "libmail/session/policy_wire.h"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace posthorn;
using namespace posthorn::session;
using namespace std::string_literals;

namespace {

smtp::Mailbox mailbox(std::string_view text) {
  auto parsed = smtp::parse_mailbox(text, smtp::Utf8::allowed);
  REQUIRE(parsed);
  return std::move(*parsed);
}

smtp::SessionInfo session_of_ann() {
  smtp::SessionInfo session;
  session.client.address = "192.0.2.7";
  session.client.port = 4711;
  session.client.name = "mail.example";
  session.client.helo = "helo.example";
  session.client.protocol = "ESMTP";
  session.extended = true;
  session.user = "ann";
  session.mechanism = "PLAIN";
  session.server_address = "198.51.100.25";
  session.server_port = 587;
  session.tls.emplace("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256);
  return session;
}

// The value of `name` in a request; "(absent)" if it isn't there.
std::string value(const std::string& request, const std::string& name) {
  const std::string lines = "\n" + request;
  const std::size_t at = lines.find("\n" + name + "=");
  if (at == std::string::npos) return "(absent)";
  const std::size_t begin = at + name.size() + 2;
  return lines.substr(begin, lines.find('\n', begin) - begin);
}

// The outcome of an answer: its action, "more", or "! why".
std::string taken(std::string_view octets) {
  auto answer = take_policy_answer(octets);
  if (!answer) return "more";
  return *answer ? **answer : "! " + answer->error();
}

using Kind = PolicyAction::Kind;

PolicyAction action(std::string_view text) {
  auto parsed = parse_policy_action(text);
  INFO(text);
  REQUIRE(parsed);
  return std::move(*parsed);
}

}  // namespace

TEST_CASE("a policy server is told of the session, the envelope and the recipient") {
  const smtp::SessionInfo session = session_of_ann();
  smtp::Envelope envelope;
  envelope.id = "4XQ7";
  envelope.reverse_path = mailbox("ann@a.example");
  envelope.size = 12345;
  const smtp::Recipient recipient(mailbox("bob@b.example"));
  PolicyQuestion question(PolicyStage::rcpt, session, "1.2");
  question.envelope = &envelope;
  question.recipient = &recipient;
  CHECK(format_policy_request(question) ==
        "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
        "helo_name=helo.example\nqueue_id=4XQ7\nsender=ann@a.example\nrecipient=bob@b.example\n"
        "recipient_count=0\nclient_address=192.0.2.7\nclient_name=mail.example\n"
        "reverse_client_name=mail.example\nclient_port=4711\nserver_address=198.51.100.25\n"
        "server_port=587\ninstance=1.2\nsasl_method=PLAIN\nsasl_username=ann\nsasl_sender=\n"
        "ccert_subject=\nccert_issuer=\nccert_fingerprint=\nccert_pubkey_fingerprint=\n"
        "encryption_protocol=TLSv1.3\nencryption_cipher=TLS_AES_256_GCM_SHA384\n"
        "encryption_keysize=256\nsize=12345\netrn_domain=\nstress=\npolicy_context=\n\n");
}

TEST_CASE(
    "a policy server is told the stage by Postfix's names, and how many recipients there are") {
  smtp::SessionInfo session = session_of_ann();
  smtp::Envelope envelope;
  envelope.recipients.emplace_back(mailbox("bob@b.example"));
  const auto at = [&](PolicyStage stage) {
    PolicyQuestion question(stage, session, "i");
    question.envelope = &envelope;
    return format_policy_request(question);
  };
  CHECK(value(at(PolicyStage::connect), "protocol_state") == "CONNECT");
  CHECK(value(at(PolicyStage::hello), "protocol_state") == "EHLO");
  CHECK(value(at(PolicyStage::mail), "protocol_state") == "MAIL");
  CHECK(value(at(PolicyStage::mail), "sender").empty());
  CHECK(value(at(PolicyStage::data), "protocol_state") == "DATA");
  CHECK(value(at(PolicyStage::data), "recipient") == "bob@b.example");
  CHECK(value(at(PolicyStage::data), "recipient_count") == "1");
  envelope.recipients.emplace_back(mailbox("cid@b.example"));
  CHECK(value(at(PolicyStage::end_of_message), "protocol_state") == "END-OF-MESSAGE");
  CHECK(value(at(PolicyStage::end_of_message), "recipient").empty());
  CHECK(value(at(PolicyStage::end_of_message), "recipient_count") == "2");
  session.extended = false;
  CHECK(value(at(PolicyStage::hello), "protocol_state") == "HELO");
}

TEST_CASE("nothing that a client says makes another line of a question") {
  smtp::SessionInfo session;
  session.client.helo = "x\nsasl_username=root\r\n\n\0y"s;
  session.user = "a\nb";
  const PolicyQuestion question(PolicyStage::connect, session, "i");
  const std::string request = format_policy_request(question);
  CHECK(value(request, "helo_name") == "x?sasl_username=root????y");
  CHECK(value(request, "sasl_username") == "a?b");
  CHECK(request.find("\n\n") == request.size() - 2);
}

TEST_CASE("a program of this machine is at home, and who is not known has a name") {
  smtp::SessionInfo session;
  session.client.local = true;
  const PolicyQuestion at_home(PolicyStage::connect, session, "i");
  CHECK(value(format_policy_request(at_home), "client_address") == "127.0.0.1");
  CHECK(value(format_policy_request(at_home), "client_name") == "localhost");
  session.client.local = false;
  session.client.address = "2001:db8::1";
  const PolicyQuestion from_afar(PolicyStage::connect, session, "i");
  CHECK(value(format_policy_request(from_afar), "client_address") == "2001:db8::1");
  CHECK(value(format_policy_request(from_afar), "client_name") == "unknown");
}

TEST_CASE("an answer is read at every split, and nothing behind it") {
  const std::string wire = "x=y\r\naction=REJECT no = thanks\naction=OK\n\nnext";
  const std::size_t size = wire.size() - 4;
  for (std::size_t cut = 0; cut < size; ++cut) {
    REQUIRE(taken(std::string_view(wire).substr(0, cut)) == "more");
  }
  for (std::size_t cut = size; cut <= wire.size(); ++cut) {
    std::string_view octets = std::string_view(wire).substr(0, cut);
    auto answer = take_policy_answer(octets);
    REQUIRE(answer);
    REQUIRE(*answer);
    CHECK(**answer == "REJECT no = thanks");
    CHECK(octets.size() == cut - size);
  }
}

TEST_CASE("what is no answer is told as soon as it is seen") {
  CHECK(taken("\n") == "! the server answers without an action");
  CHECK(taken("reply=OK\n\n") == "! the server answers without an action");
  CHECK(taken("220 smtp.example\r\n") == "! the server answers in no known way: 220 smtp.example");
  const std::string endless(max_policy_answer, 'x');
  CHECK(taken("action=" + endless) == "! the server sends an answer that is too long");
  std::string many;
  while (many.size() <= max_policy_answer) many += "a=b\n";
  CHECK(taken(many) == "! the server sends an answer that is too long");
}

TEST_CASE("REJECT, DEFER and replies by number have the text and the status that the server gave") {
  const auto reply = [](std::string_view text) {
    const PolicyAction parsed = action(text);
    CHECK(parsed.kind == Kind::refuse);
    return smtp::format_reply(parsed.reply);
  };
  CHECK(reply("REJECT") == "554 5.7.1 Access denied\r\n");
  CHECK(reply("reject 5.1.8 who are you?") == "554 5.1.8 who are you?\r\n");
  CHECK(reply("REJECT 4.1.8 a status of another class is text") ==
        "554 5.7.1 4.1.8 a status of another class is text\r\n");
  CHECK(reply("DEFER") == "450 4.7.1 Try again later\r\n");
  CHECK(reply("DEFER\tsoon") == "450 4.7.1 soon\r\n");
  CHECK(reply("451 4.3.5 oh") == "451 4.3.5 oh\r\n");
  CHECK(reply("550 no") == "550 5.7.1 no\r\n");
  CHECK(reply("521") == "521 5.7.1 Access denied\r\n");
}

TEST_CASE("no text of a server's makes a second line of a reply, a header field or a log line") {
  const PolicyAction refused = action("REJECT a\rb\x01"s + "c\0d"s);
  CHECK(smtp::format_reply(refused.reply).find_first_of("\r\n\x01") ==
        smtp::format_reply(refused.reply).size() - 2);
  CHECK(smtp::format_reply(action("REJECT " + std::string(5000, 'x')).reply).size() < 1000);
  CHECK_FALSE(parse_policy_action("PREPEND X-A: b\rX-B: c"));
  CHECK_FALSE(parse_policy_action("PREPEND no field"));
  CHECK_FALSE(parse_policy_action("PREPEND : empty"));
  CHECK_FALSE(parse_policy_action("PREPEND a b: c"));
  CHECK_FALSE(parse_policy_action("PREPEND X: \xff"));
}

TEST_CASE("the other actions") {
  CHECK(action("DUNNO").kind == Kind::dunno);
  CHECK(action("  ok  ").kind == Kind::ok);
  CHECK(action("20").kind == Kind::ok);
  CHECK(action("DEFER_IF_PERMIT later").kind == Kind::defer_if_permit);
  CHECK(action("DEFER_IF_PERMIT later").reply.text == "later");
  CHECK(action("DEFER_IF_REJECT").kind == Kind::defer_if_reject);
  CHECK(action("DISCARD").kind == Kind::discard);
  CHECK(action("WARN hm").text == "hm");
  CHECK(action("INFO hm").kind == Kind::info);
  CHECK(action("PREPEND X-Seen: yes, it is").text == "X-Seen: yes, it is");
  CHECK(action("HOLD look at it").text == "look at it");
  CHECK_FALSE(action("HOLD").text.empty());
  CHECK(action("REDIRECT abuse@a.example").address == mailbox("abuse@a.example"));
  CHECK(action("BCC log@a.example").kind == Kind::bcc);
}

TEST_CASE("an action that can't be done is no action") {
  for (const std::string_view text :
       {"", "FILTER smtp:[127.0.0.1]:10025", "REDIRECT", "REDIRECT nobody", "BCC <a@b.example>",
        "BCC a@b.example c@d.example", "250 fine", "OK?", "PREPEND", "45 x"}) {
    INFO(text);
    CHECK_FALSE(parse_policy_action(text));
  }
}
