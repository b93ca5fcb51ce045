#include "libmail/milter/change.h"

#include <catch2/catch.hpp>

#include "libmail/milter/mail_macros.h"

using namespace posthorn;
using namespace posthorn::milter;

namespace {

const std::string block =
    "Received: from us\r\n\tby us\r\nReceived: from them\r\nSubject: one\r\nTo: a\r\n\r\n";

std::string changed(const Change& change, bool leading_space = false) {
  HeaderEdit header(block);
  smtp::Envelope envelope;
  const auto applied = apply(change, leading_space, header, envelope);
  return applied ? header.text() : "error: " + applied.error();
}

smtp::Envelope envelope() {
  smtp::Envelope envelope;
  envelope.reverse_path = smtp::Mailbox("ann", "a.test");
  envelope.recipients.emplace_back(smtp::Mailbox("bob", "b.test"));
  envelope.recipients.emplace_back(smtp::Mailbox("eve", "b.test"));
  return envelope;
}

smtp::Envelope changed_envelope(const Change& change) {
  smtp::Envelope it = envelope();
  HeaderEdit header(block);
  REQUIRE(apply(change, false, header, it).has_value());
  return it;
}

}  // namespace

TEST_CASE("milter: a header that nobody changes is the same octets") {
  for (const std::string& text : {block, std::string("A:b\nC : d\r\n"), std::string("no field\r\n"),
                                  std::string("A: b\r\nodd\r\nB: c\r\n\r\n"), std::string()}) {
    CHECK(HeaderEdit(text).text() == text);
  }
}

TEST_CASE("milter: our own Received is hidden, and nothing else") {
  const HeaderEdit header(block);
  REQUIRE(header.fields().size() == 4);
  CHECK(header.fields()[0].ours);
  CHECK_FALSE(header.fields()[1].ours);
  CHECK(header.fields()[1].name() == "Received");
  CHECK(header.fields()[1].raw_value() == " from them");
}

TEST_CASE("milter: fields behind a line that is none are the body's") {
  const HeaderEdit header("A: b\r\nodd\r\nB: c\r\n\r\n");
  CHECK(header.fields().size() == 1);
}

TEST_CASE("milter: a field is added behind the others") {
  CHECK(changed(AddField{"X", "y"}).ends_with("To: a\r\nX: y\r\n\r\n"));
  CHECK(changed(AddField{"X", " y"}, true).ends_with("X: y\r\n\r\n"));
}

TEST_CASE("milter: a field is put above all, below our Received, or further down") {
  CHECK(changed(InsertField{0, "X", "y"}).starts_with("X: y\r\nReceived: from us"));
  CHECK(changed(InsertField{1, "X", "y"})
            .starts_with("Received: from us\r\n\tby us\r\nX: y\r\nReceived: from them"));
  CHECK(changed(InsertField{4000000000, "X", "y"}).ends_with("To: a\r\nX: y\r\n\r\n"));
}

TEST_CASE("milter: the Nth field of a name is changed, one that is not there added") {
  CHECK(changed(ChangeField{1, "subject", "two"}).find("\r\nsubject: two\r\nTo") !=
        std::string::npos);
  CHECK(changed(ChangeField{1, "Received", "me"})
            .starts_with("Received: from us\r\n\tby us\r\nReceived: me\r\n"));
  CHECK(changed(ChangeField{2, "Subject", "two"}).ends_with("To: a\r\nSubject: two\r\n\r\n"));
}

TEST_CASE("milter: a field without a value goes, ours can't") {
  CHECK(changed(ChangeField{1, "SUBJECT", ""}).find("Subject") == std::string::npos);
  CHECK(changed(ChangeField{3, "Subject", ""}) == block);
  CHECK(changed(ChangeField{2, "Received", ""}) == block);
}

TEST_CASE("milter: however a filter ends its lines, a field stays one field") {
  CHECK(changed(AddField{"X", "a\nb\r\n c\rd\r\n"}).ends_with("X: a\r\n\tb\r\n c d\r\n\r\n"));
  CHECK(changed(AddField{"X", "a\n\n\nY: z"}).ends_with("X: a\r\n\t\r\n\t\r\n\tY: z\r\n\r\n"));
}

TEST_CASE("milter: names that are none and lines without end are refused") {
  CHECK(changed(AddField{"X Y", "z"}).starts_with("error"));
  CHECK(changed(AddField{"", "z"}).starts_with("error"));
  CHECK(changed(InsertField{0, "X:", "z"}).starts_with("error"));
  CHECK(changed(ChangeField{1, "X\r\nY", "z"}).starts_with("error"));
  CHECK(changed(AddField{"X", std::string(70000, 'z')}).starts_with("error"));
}

TEST_CASE("milter: a recipient is added once, with parameters") {
  const smtp::Envelope it = changed_envelope(AddRecipient{"cat@c.test", "NOTIFY=NEVER"});
  REQUIRE(it.recipients.size() == 3);
  CHECK(it.recipients[2].mailbox == smtp::Mailbox("cat", "c.test"));
  CHECK(it.recipients[2].notify.bits == smtp::Notify::never);
  CHECK(changed_envelope(AddRecipient{"<bob@b.test>", ""}).recipients.size() == 2);
}

TEST_CASE("milter: a recipient is deleted, one who is not there can't be") {
  const smtp::Envelope it = changed_envelope(DeleteRecipient{"<bob@B.test>"});
  REQUIRE(it.recipients.size() == 1);
  CHECK(it.recipients[0].mailbox.local_part == "eve");
  CHECK(changed_envelope(DeleteRecipient{"<nobody@b.test>"}).recipients.size() == 2);
}

TEST_CASE("milter: the sender is changed, to nobody too") {
  CHECK(changed_envelope(ChangeSender{"<cat@c.test>", "RET=HDRS"}).reverse_path ==
        smtp::Mailbox("cat", "c.test"));
  CHECK(changed_envelope(ChangeSender{"<cat@c.test>", "RET=HDRS"}).ret == smtp::Ret::headers);
  CHECK_FALSE(changed_envelope(ChangeSender{"<>", ""}).reverse_path.has_value());
  CHECK(changed_envelope(ChangeSender{"<dörte@c.test>", ""}).smtputf8);
}

TEST_CASE("milter: a quarantine keeps its reason, without controls") {
  CHECK(changed_envelope(Quarantine{"odd\r\nthing"}).hold_reason == "odd\\x0d\\x0athing");
  CHECK_FALSE(changed_envelope(Quarantine{""}).hold_reason.empty());
}

TEST_CASE("milter: addresses that are none are refused") {
  HeaderEdit header(block);
  smtp::Envelope it = envelope();
  for (const Change& change :
       {Change(AddRecipient{"<>", ""}), Change(AddRecipient{"bob", ""}),
        Change(AddRecipient{"<a@b.c>\r\nDATA", ""}), Change(AddRecipient{"<a@b.c>", "NOTIFY=SOON"}),
        Change(DeleteRecipient{"x"}), Change(ChangeSender{"<a@b.c> <d@e.f>", ""}),
        Change(ChangeSender{"<a@b.c>", "SIZE=x"})}) {
    CHECK_FALSE(apply(change, false, header, it).has_value());
  }
  CHECK(it == envelope());
}

TEST_CASE("milter: MAIL and RCPT are told with their parameters") {
  smtp::Envelope it = envelope();
  it.size = 1000;
  it.body = smtp::Body::eight_bit_mime;
  it.reverse_path = smtp::Mailbox("a b", "a.test");
  CHECK(mail_arguments(it) ==
        std::vector<std::string>{"<\"a b\"@a.test>", "SIZE=1000", "BODY=8BITMIME"});
  it.reverse_path.reset();
  CHECK(mail_arguments(it).front() == "<>");
  it.recipients[0].notify = smtp::Notify(smtp::Notify::never);
  CHECK(rcpt_arguments(it, it.recipients[0]) ==
        std::vector<std::string>{"<bob@b.test>", "NOTIFY=NEVER"});
}

TEST_CASE("milter: a client on a Unix socket is localhost, one without a name its address") {
  smtp::SessionInfo session;
  CHECK(client_host(session) == "localhost");
  CHECK(client_address(session).address == "127.0.0.1");
  session.client.address = "2001:db8::1";
  session.client.port = 4711;
  CHECK(client_host(session) == "[2001:db8::1]");
  CHECK(client_address(session).family == '6');
  CHECK(client_address(session).port == 4711);
}

TEST_CASE("milter: macros have the names that Postfix and Sendmail send") {
  const auto value = [](const Macros& macros, std::string_view name) {
    for (const Macro& macro : macros) {
      if (macro.name == name) return macro.value;
    }
    return std::string("-");
  };
  smtp::SessionInfo session;
  session.client.address = "192.0.2.1";
  session.client.name = "a.test";
  session.server_address = "192.0.2.2";
  session.server_port = 25;
  session.tls = smtp::TlsInfo("TLSv1.3", "TLS_AES_256_GCM_SHA384", 256);
  session.user = "ann@a.test";
  session.mechanism = "PLAIN";
  Identity identity;
  identity.hostname = "mx.test";
  identity.daemon = "smtpd";
  identity.software = "Posthorn 1";
  const Macros connect = connect_macros(identity, session);
  CHECK(value(connect, "j") == "mx.test");
  CHECK(value(connect, "_") == "a.test [192.0.2.1]");
  CHECK(value(connect, "{daemon_name}") == "smtpd");
  CHECK(value(connect, "{daemon_port}") == "25");
  CHECK(value(connect, "{client_name}") == "a.test");
  CHECK(value(hello_macros(session), "{tls_version}") == "TLSv1.3");
  CHECK(value(hello_macros(session), "{cipher_bits}") == "256");
  smtp::Envelope it = envelope();
  it.id = "4XQ7k2";
  const Macros mail = mail_macros(it, session);
  CHECK(value(mail, "i") == "4XQ7k2");
  CHECK(value(mail, "{auth_type}") == "PLAIN");
  CHECK(value(mail, "{auth_authen}") == "ann@a.test");
  CHECK(value(mail, "{mail_addr}") == "ann@a.test");
  CHECK(value(rcpt_macros(it, it.recipients[0]), "{rcpt_host}") == "b.test");
}
