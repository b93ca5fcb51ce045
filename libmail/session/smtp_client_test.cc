#include "libmail/session/smtp_client.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/session/scripted_server.h"
#include "libmail/tls/certificate.h"

using namespace posthorn;
using namespace posthorn::session;
using namespace posthorn::session::test;
using namespace std::chrono_literals;
using async::Deadline;
using Codes = std::vector<std::string>;

namespace {

const std::string offers = "250-mx\r\n250-PIPELINING\r\n250-CHUNKING\r\n250 DSN\r\n";
const Step greeting("", "220 mx\r\n");
const Step hello("HLO us.example\r\n", offers);
const Step ehlo("EHLO us.example\r\n", offers);

NextHop hop_to(const Server& server, smtp::ClientDialect dialect) {
  return NextHop(dialect, async::Endpoint::unix_path(server.path));
}

SmtpClientOptions client_options() {
  SmtpClientOptions options;
  options.core.name = "us.example";
  options.timeouts.command = 2s;
  options.timeouts.greeting = 2s;
  options.timeouts.final = 2s;
  return options;
}

smtp::Envelope envelope_for(const std::vector<std::string>& names) {
  smtp::Envelope envelope;
  envelope.reverse_path = smtp::Mailbox("ann", "here.example");
  for (const std::string& name : names)
    envelope.recipients.emplace_back(smtp::Mailbox(name, "there.example"));
  return envelope;
}

Codes codes(const std::vector<smtp::Status>& statuses) {
  Codes list;
  for (const smtp::Status& status : statuses) list.push_back(status.enhanced.text());
  return list;
}

async::Task<std::vector<smtp::Status>> deliver_all(Server& server, SmtpClient& client,
                                                   const std::vector<smtp::Envelope>& messages,
                                                   WholeBody body) {
  async::Scope scope;
  scope.spawn(server.play_all());
  std::vector<smtp::Status> all;
  for (const smtp::Envelope& envelope : messages) {
    auto statuses = co_await client.deliver(envelope, body, Deadline::in(10s));
    all.insert(all.end(), statuses.begin(), statuses.end());
  }
  co_await client.quit(Deadline::in(1s));
  server.listener->close();
  co_await scope.join();
  co_return all;
}

std::vector<smtp::Status> run_all(Server& server, SmtpClient& client,
                                  const std::vector<smtp::Envelope>& messages, WholeBody body) {
  return async::run(deliver_all(server, client, messages, body));
}

}  // namespace

TEST_CASE("next hop: texts that are one, and texts that are none") {
  const auto lmtp = parse_next_hop("lmtp:unix:/run/lmtp.sock");
  REQUIRE(lmtp);
  CHECK(lmtp->dialect == smtp::ClientDialect::lmtp);
  CHECK(lmtp->text() == "lmtp:unix:/run/lmtp.sock");
  const auto inet = parse_next_hop("smtp:inet:[2001:db8::1]:25");
  REQUIRE(inet);
  CHECK(inet->endpoint.host == "2001:db8::1");
  for (const char* bad : {"", "unix:/x", "smtp:", "smtp:stdio:", "smtp:fd:3", "smtp:inet:host",
                          "smtp:inet:*:25", "http:inet:host:80", "smtp:inet:host:0"}) {
    CAPTURE(bad);
    CHECK_FALSE(parse_next_hop(bad));
  }
}

TEST_CASE("SmtpClient: two messages on one connection, each one group") {
  Server server({{greeting, hello, Step("LAST\r\nhi\r\n", "250 m\r\n250 r\r\n250 2.1.5 one\r\n"),
                  Step("LAST\r\nhi\r\n", "250 m\r\n250 r\r\n452 4.2.2 two\r\n")}});
  SmtpClient client(hop_to(server, smtp::ClientDialect::lmtp), client_options());
  const auto statuses =
      run_all(server, client, {envelope_for({"bob"}), envelope_for({"eve"})}, WholeBody("hi\r\n"));
  CHECK(codes(statuses) == Codes{"2.1.5", "4.2.2"});
  REQUIRE(server.heard.size() == 1);
  CHECK(server.heard[0] ==
        "LHLO us.example\r\n"
        "MAIL FROM:<ann@here.example>\r\nRCPT TO:<bob@there.example>\r\nBDAT 4 LAST\r\nhi\r\n"
        "MAIL FROM:<ann@here.example>\r\nRCPT TO:<eve@there.example>\r\nBDAT 4 LAST\r\nhi\r\n"
        "QUIT\r\n");
}

TEST_CASE("SmtpClient: a kept connection that the server has closed is replaced once") {
  const Step taken("LAST\r\nhi\r\n", "250 m\r\n250 r\r\n250 ok\r\n");
  const Step taken_and_gone("LAST\r\nhi\r\n", "250 m\r\n250 r\r\n250 ok\r\n", Step::Then::hang_up);
  const Step bye("LAST\r\nhi\r\n", "421 4.4.2 idle\r\n", Step::Then::hang_up);
  for (const Script& first :
       {Script{greeting, hello, taken_and_gone}, Script{greeting, hello, taken, bye}}) {
    Server server({first, {greeting, hello, taken}});
    SmtpClient client(hop_to(server, smtp::ClientDialect::smtp), client_options());
    const auto statuses = run_all(server, client, {envelope_for({"bob"}), envelope_for({"eve"})},
                                  WholeBody("hi\r\n"));
    CHECK(codes(statuses) == Codes{"2.0.0", "2.0.0"});
    CHECK(server.heard.size() == 2);
  }
}

TEST_CASE("SmtpClient: nobody there is 4.4.1 for every recipient") {
  Directory directory;
  SmtpClient client(
      NextHop(smtp::ClientDialect::lmtp, async::Endpoint::unix_path(directory.path + "/none")),
      client_options());
  const auto envelope = envelope_for({"bob", "eve"});
  const auto statuses = async::run(client.deliver(envelope, WholeBody("x\r\n"), Deadline::in(5s)));
  CHECK(codes(statuses) == Codes{"4.4.1", "4.4.1"});
}

TEST_CASE("SmtpClient: a silent server ends with 4.4.2 that names what was awaited") {
  SmtpClientOptions options = client_options();
  options.timeouts.final = 50ms;
  Server server({{greeting, hello, Step("LAST\r\nhi\r\n", "250 m\r\n250 r\r\n")}});
  SmtpClient client(hop_to(server, smtp::ClientDialect::smtp), options);
  const auto statuses = run_all(server, client, {envelope_for({"bob"})}, WholeBody("hi\r\n"));
  CHECK(codes(statuses) == Codes{"4.4.2"});
  CHECK(statuses[0].text ==
        "timed out while waiting for the reply to the end of the message (it may arrive twice)");
}

TEST_CASE("SmtpClient: a large message from a file waits for the RCPT replies and arrives whole") {
  Directory directory;
  std::string message;
  for (int i = 0; message.size() < 300000; ++i)
    message += "line " + std::to_string(i) + "\r\n.\r\n";
  const std::string path = directory.path + "/message";
  std::ofstream(path, std::ios::binary) << "prefix" << message << "suffix";
  std::FILE* file = std::fopen(path.c_str(), "rb");
  REQUIRE(file != nullptr);
  const WholeBody body(::fileno(file), 6, message.size());
  const std::string classic = "250-mx\r\n250 PIPELINING\r\n";
  std::string stuffed;
  for (std::size_t i = 0; i < message.size(); ++i) {
    if (message[i] == '.' && (i == 0 || message[i - 1] == '\n')) stuffed += '.';
    stuffed += message[i];
  }
  Server server({{greeting, Step("EHLO us.example\r\n", classic),
                  Step("RCPT TO:<eve@there.example>\r\n", "250 m\r\n250 r\r\n550 5.1.1 no\r\n"),
                  Step("DATA\r\n", "354 go\r\n"), Step("\r\n.\r\n", "250 2.0.0 ok\r\n")}});
  SmtpClient client(hop_to(server, smtp::ClientDialect::smtp), client_options());
  const auto statuses = run_all(server, client, {envelope_for({"bob", "eve"})}, body);
  std::fclose(file);
  CHECK(codes(statuses) == Codes{"2.0.0", "5.1.1"});
  const std::string& heard = server.heard[0];
  const std::size_t begin = heard.find("DATA\r\n") + 6;
  CHECK(heard.substr(begin, stuffed.size()) == stuffed);
  CHECK(heard.substr(begin + stuffed.size()) == ".\r\nQUIT\r\n");
}

TEST_CASE("SmtpClient: a message file that is too short is never delivered") {
  Directory directory;
  const std::string path = directory.path + "/message";
  std::ofstream(path, std::ios::binary) << "short\r\n";
  std::FILE* file = std::fopen(path.c_str(), "rb");
  REQUIRE(file != nullptr);
  Server server({{greeting, hello, Step("RCPT", "250 m\r\n250 r\r\n")}});
  SmtpClient client(hop_to(server, smtp::ClientDialect::smtp), client_options());
  const auto statuses =
      run_all(server, client, {envelope_for({"bob"})}, WholeBody(::fileno(file), 0, 100));
  std::fclose(file);
  CHECK(codes(statuses) == Codes{"4.3.0"});
  CHECK(server.heard[0].find("LAST") == std::string::npos);
}

TEST_CASE("SmtpClient: nothing of a large message goes out when nobody takes it") {
  Server server({{greeting, hello, Step("RCPT", "250 m\r\n550 5.1.1 no\r\n"),
                  Step("LAST\r\nhi\r\n", "250 s\r\n250 m\r\n250 r\r\n250 ok\r\n")}});
  SmtpClient client(hop_to(server, smtp::ClientDialect::smtp), client_options());
  const std::string large(SmtpClient::grouped_body + 1, 'x');
  const auto statuses = run_all(server, client, {envelope_for({"bob"})}, WholeBody(large));
  CHECK(codes(statuses) == Codes{"5.1.1"});
  CHECK(server.heard[0].find("BDAT") == std::string::npos);
}

TEST_CASE("SmtpClient: SMTPUTF8 said about a message that is all ASCII is not needed") {
  smtp::Envelope envelope = envelope_for({"bob"});
  envelope.smtputf8 = true;
  Server server({{greeting, hello, Step("LAST\r\n", "250 m\r\n250 r\r\n250 ok\r\n")}});
  SmtpClient client(hop_to(server, smtp::ClientDialect::smtp), client_options());
  CHECK(codes(run_all(server, client, {envelope}, WholeBody("Subject: x\r\n\r\n\xc3\xbc\r\n"))) ==
        Codes{"2.0.0"});

  Server second({{greeting, hello}});
  SmtpClient strict(hop_to(second, smtp::ClientDialect::smtp), client_options());
  CHECK(codes(run_all(second, strict, {envelope}, WholeBody("Subject: \xc3\xbc\r\n\r\nx\r\n"))) ==
        Codes{"5.6.7"});
}

TEST_CASE("SmtpClient: closed is not connected, and the next message opens again") {
  const Step once("LAST\r\nhi\r\n", "250 m\r\n250 r\r\n250 ok\r\n");
  Server server({{greeting, hello}, {greeting, hello, once}});
  SmtpClient client(hop_to(server, smtp::ClientDialect::smtp), client_options());
  async::run([](Server& one, SmtpClient& ours) -> async::Task<void> {
    async::Scope scope;
    scope.spawn(one.play_all());
    const auto opened = co_await ours.open(Deadline::in(5s));
    CHECK(opened);
    CHECK(ours.connected());
    ours.close();
    CHECK_FALSE(ours.connected());
    const smtp::Envelope envelope = envelope_for({"bob"});
    const WholeBody body("hi\r\n");
    const auto statuses = co_await ours.deliver(envelope, body, Deadline::in(5s));
    CHECK(codes(statuses) == Codes{"2.0.0"});
    co_await ours.quit(Deadline::in(1s));
    one.listener->close();
    co_await scope.join();
  }(server, client));
}

namespace {

async::Task<std::vector<smtp::Status>> in_steps(Server& server, SmtpClient& client,
                                                std::string body, std::size_t piece) {
  async::Scope scope;
  scope.spawn(server.play_all());
  const auto opened = co_await client.open(Deadline::in(5s));
  CHECK(opened);
  const smtp::Envelope envelope = envelope_for({"bob", "eve"});
  const auto mailed = co_await client.mail(envelope, Deadline::in(5s));
  CHECK(mailed.succeeded());
  const auto bob = co_await client.rcpt(envelope.recipients[0], Deadline::in(5s));
  CHECK(bob.succeeded());
  const auto eve = co_await client.rcpt(envelope.recipients[1], Deadline::in(5s));
  CHECK(eve.enhanced.text() == "5.1.1");
  const bool begun = co_await client.begin_body(Deadline::in(5s));
  CHECK(begun);
  for (std::size_t at = 0; at < body.size(); at += piece) {
    const bool wanted =
        co_await client.body(std::string_view(body).substr(at, piece), Deadline::in(5s));
    if (!wanted) break;
  }
  auto statuses = co_await client.finish(Deadline::in(5s));
  co_await client.quit(Deadline::in(1s));
  server.listener->close();
  co_await scope.join();
  co_return statuses;
}

}  // namespace

TEST_CASE("SmtpClient: in steps, each reply comes back, small pieces gather") {
  std::string body;
  while (body.size() < 100000) body += "0123456789012345678901234567890123456789\r\n";
  for (const std::size_t piece : {1000UL, 50000UL, 100000UL, 200000UL}) {
    Server server({{greeting, ehlo, Step("MAIL FROM:<ann@here.example>\r\n", "250 ok\r\n"),
                    Step("bob", "250 ok\r\n"), Step("eve", "550 5.1.1 no\r\n"),
                    Step(" LAST\r\n", "250 1\r\n250 2\r\n250 3\r\n250 4\r\n")}});
    SmtpClient client(hop_to(server, smtp::ClientDialect::smtp), client_options());
    const auto statuses = async::run(in_steps(server, client, body, piece));
    CAPTURE(piece);
    REQUIRE(statuses.size() == 2);
    CHECK(statuses[1].enhanced.text() == "5.1.1");
    std::string wire = server.heard[0].substr(server.heard[0].find("BDAT"));
    std::string sent;
    std::size_t chunks = 0;
    while (wire.starts_with("BDAT ")) {
      const std::size_t size = std::stoul(wire.substr(5));
      wire.erase(0, wire.find("\r\n") + 2);
      sent += wire.substr(0, size);
      wire.erase(0, size);
      ++chunks;
    }
    CHECK(sent == body);
    CHECK(chunks <= 4);
  }
}

namespace {

struct Tls {
  Directory directory;
  std::string ca = directory.path + "/ca.pem";
  std::shared_ptr<tls::ServerContext> server;

  Tls() {
    const auto root = tls::make_ca("test CA");
    REQUIRE(root);
    const auto issued = tls::issue(*root, {"mx.example"});
    REQUIRE(issued);
    tls::ServerContext::Options options;
    options.certificate_file = directory.path + "/cert.pem";
    options.key_file = directory.path + "/key.pem";
    std::ofstream(ca) << root->certificate_pem;
    std::ofstream(options.certificate_file) << issued->certificate_pem;
    std::ofstream(options.key_file) << issued->key_pem;
    auto context = tls::ServerContext::load(options);
    REQUIRE(context);
    server = *context;
  }
  [[nodiscard]] std::shared_ptr<tls::ClientContext> client(
      tls::ClientContext::Verify verify) const {
    tls::ClientContext::Options options;
    options.verify = verify;
    options.ca_file = ca;
    auto context = tls::ClientContext::load(options);
    REQUIRE(context);
    return *context;
  }
};

const Step starttls_offer("EHLO us.example\r\n", "250-mx\r\n250 STARTTLS\r\n");
const Step starttls("STARTTLS\r\n", "220 go\r\n", Step::Then::shake_hands);
const Step taken("LAST\r\nhi\r\n", "250 m\r\n250 r\r\n250 ok\r\n");

SmtpClientOptions tls_options(const Tls& tls, smtp::TlsLevel level, const std::string& name) {
  SmtpClientOptions options = client_options();
  options.core.tls = level;
  const bool verify = level == smtp::TlsLevel::required;
  options.tls_context =
      tls.client(verify ? tls::ClientContext::Verify::require : tls::ClientContext::Verify::none);
  options.tls_name = name;
  return options;
}

}  // namespace

TEST_CASE("SmtpClient: STARTTLS, and the certificate is checked where TLS is required") {
  const Tls tls;
  for (const auto level : {smtp::TlsLevel::opportunistic, smtp::TlsLevel::required}) {
    Server server({{greeting, starttls_offer, starttls, ehlo, taken}});
    server.tls = tls.server;
    SmtpClient client(hop_to(server, smtp::ClientDialect::smtp),
                      tls_options(tls, level, "mx.example"));
    CHECK(codes(run_all(server, client, {envelope_for({"bob"})}, WholeBody("hi\r\n"))) ==
          Codes{"2.0.0"});
    CHECK(client.core().secure());
  }
  Server wrong({{greeting, starttls_offer, starttls, ehlo, taken}});
  wrong.tls = tls.server;
  SmtpClient client(hop_to(wrong, smtp::ClientDialect::smtp),
                    tls_options(tls, smtp::TlsLevel::required, "other.example"));
  CHECK(codes(run_all(wrong, client, {envelope_for({"bob"})}, WholeBody("hi\r\n"))) ==
        Codes{"4.7.5"});
}

TEST_CASE("SmtpClient: opportunistic TLS that breaks is followed by a connection in clear") {
  const Tls tls;
  const Step broken("STARTTLS\r\n", "220 go\r\n");
  Server server({{greeting, starttls_offer, broken,
                  Step("\x16\x03", "this is no TLS\r\n", Step::Then::hang_up)},
                 {greeting, ehlo, taken}});
  SmtpClient client(hop_to(server, smtp::ClientDialect::smtp),
                    tls_options(tls, smtp::TlsLevel::opportunistic, "mx.example"));
  const auto statuses = run_all(server, client, {envelope_for({"bob"})}, WholeBody("hi\r\n"));
  INFO(statuses[0].text);
  CHECK(codes(statuses) == Codes{"2.0.0"});
  CHECK_FALSE(client.core().secure());
}
