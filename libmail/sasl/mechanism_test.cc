#include "libmail/sasl/mechanism.h"

#include <catch2/catch.hpp>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"
#include "libmail/sasl/client.h"
#include "libmail/sasl/scram.h"

using namespace posthorn;
using namespace posthorn::sasl;

namespace {

using namespace std::string_literals;

ServerOptions options_with_nonce(std::string nonce = "3rfcNHYJY1ZVvWVs7j") {
  ServerOptions options;
  options.nonce = std::move(nonce);
  return options;
}

ScramKeys keys_for(std::string_view password) {
  return scram_keys(password, "salt of sixteen.", 4096);
}

// Runs a whole exchange between our client and our server; the last step is the result.
struct Exchange {
  ScramClient::Options client;
  ServerOptions server = options_with_nonce();
  std::string mechanism;  // "" = what the client chooses
  ScramKeys stored = keys_for("pencil");
  bool known = true;
  Result<void, std::string> client_verdict;

  Exchange() {
    client.user = "user";
    client.password = "pencil";
    client.nonce = "fyko+d2lbbFgONRv9qkxdawL";
  }
  Step run() {
    ScramClient peer(client);
    auto machine = make_server_mechanism(mechanism.empty() ? peer.mechanism() : mechanism, server);
    REQUIRE(machine);
    Step step = machine->start(peer.first());
    if (step.kind != Step::Kind::need_keys) return step;
    CHECK(step.user == "user");
    step = machine->keys(stored, known);
    REQUIRE(step.kind == Step::Kind::challenge);
    const auto answer = peer.final(step.data);
    REQUIRE(answer);
    step = machine->respond(*answer);
    if (step.kind == Step::Kind::success) client_verdict = peer.finish(step.data);
    return step;
  }
};

}  // namespace

TEST_CASE("SCRAM: gives the octets of RFC 7677's example") {
  ServerOptions options = options_with_nonce("%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
  auto machine = make_server_mechanism("SCRAM-SHA-256", options);
  ScramClient::Options who;
  who.user = "user";
  who.password = "pencil";
  who.nonce = "rOprNGfwEbeRWgbNEkqO";
  ScramClient client(who);
  CHECK(client.first() == "n,,n=user,r=rOprNGfwEbeRWgbNEkqO");
  REQUIRE(machine->start(client.first()).kind == Step::Kind::need_keys);
  const std::string salt = "\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81"s;
  const Step first = machine->keys(scram_keys("pencil", salt, 4096), true);
  CHECK(first.data ==
        "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096");
  const auto final = client.final(first.data);
  REQUIRE(final);
  CHECK(*final ==
        "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
        "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
  const Step last = machine->respond(*final);
  CHECK(last.kind == Step::Kind::success);
  CHECK(last.data == "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
  CHECK(client.finish(last.data));
}

TEST_CASE("SCRAM: a wrong password and an unknown user fail alike") {
  Exchange wrong;
  wrong.client.password = "pencils";
  const Step a = wrong.run();
  Exchange unknown;
  unknown.stored = decoy_keys("secret", "user");
  unknown.known = false;
  const Step b = unknown.run();
  for (const Step& step : {a, b}) {
    CHECK(step.kind == Step::Kind::failure);
    CHECK(step.refusal == Refusal::bad_credentials);
    CHECK(step.detail == a.detail);
  }
}

TEST_CASE("SCRAM: a decoy whose proof fits is still nobody") {
  Exchange exchange;
  exchange.known = false;
  CHECK(exchange.run().refusal == Refusal::bad_credentials);
}

TEST_CASE("decoy_keys: the same salt for a name at each try, another for another") {
  CHECK(decoy_keys("secret", "ann") == decoy_keys("secret", "Ann"));
  CHECK(decoy_keys("secret", "ann").salt != decoy_keys("secret", "bob").salt);
  CHECK(decoy_keys("secret", "ann").salt != decoy_keys("other", "ann").salt);
  CHECK(decoy_keys("secret", "ann").salt.size() == 16);
}

TEST_CASE("SCRAM-PLUS: binds to the TLS connection") {
  Exchange exchange;
  exchange.client.channel_binding = std::string(32, 'b');
  exchange.client.server_offers_plus = true;
  exchange.server.channel_binding = std::string(32, 'b');
  CHECK(exchange.run().kind == Step::Kind::success);
  CHECK(exchange.client_verdict);

  exchange.server.channel_binding =
      std::string(32, 'c');  // somebody in between has two connections
  const Step step = exchange.run();
  CHECK(step.kind == Step::Kind::failure);
  CHECK(step.refusal == Refusal::bad_binding);
}

TEST_CASE("SCRAM: a client that says y is refused where -PLUS was offered, and welcome elsewhere") {
  Exchange exchange;
  exchange.client.channel_binding = std::string(32, 'b');
  exchange.client.server_offers_plus = false;
  CHECK(exchange.run().kind == Step::Kind::success);
  exchange.server.channel_binding = std::string(32, 'b');
  CHECK(exchange.run().refusal == Refusal::bad_binding);
}

TEST_CASE(
    "SCRAM: a client without channel binding may use the plain variant where -PLUS is offered") {
  Exchange exchange;
  exchange.server.channel_binding = std::string(32, 'b');
  CHECK(exchange.run().kind == Step::Kind::success);
}

TEST_CASE("SCRAM: the flag must go with the mechanism") {
  const auto [mechanism, message] = GENERATE(table<const char*, const char*>({
      {"SCRAM-SHA-256-PLUS", "n,,n=user,r=abc"},
      {"SCRAM-SHA-256-PLUS", "y,,n=user,r=abc"},
      {"SCRAM-SHA-256-PLUS", "p=tls-unique,,n=user,r=abc"},
      {"SCRAM-SHA-256", "p=tls-exporter,,n=user,r=abc"},
  }));
  CAPTURE(mechanism, message);
  ServerOptions options = options_with_nonce();
  options.channel_binding = std::string(32, 'b');
  const Step step = make_server_mechanism(mechanism, options)->start(message);
  CHECK(step.kind == Step::Kind::failure);
  CHECK(step.refusal == Refusal::bad_binding);
}

TEST_CASE("SCRAM: refuses messages outside the grammar") {
  const std::string message = GENERATE(
      as<std::string>(), "", "n", "n,", "n,,", "x,,n=user,r=abc", "n,,r=abc,n=user", "n,,n=,r=abc",
      "n,,n=us=2Der,r=abc", "n,,n=us=3,r=abc", "n,,n=user", "n,,n=user,r=", "n,,n=user,r=a\x01",
      "n,,m=x,n=user,r=abc", "n,user,n=user,r=abc", "n,a=,n=user,r=abc", "p=,,n=user,r=abc",
      "n,,n=user,r=abc,", "n,,n=user,r=abc,x", "n,,n=us\xffr,r=abc");
  CAPTURE(message);
  const Step step = make_server_mechanism("SCRAM-SHA-256", options_with_nonce())->start(message);
  CHECK(step.kind == Step::Kind::failure);
  CHECK(step.refusal == Refusal::malformed);
}

TEST_CASE("SCRAM: refuses final messages that are none, another nonce, another header") {
  const auto [message, why] = GENERATE(table<const char*, Refusal>({
      {"", Refusal::malformed},
      {"c=biws", Refusal::malformed},
      {"c=biws,r=abc3rfcNHYJY1ZVvWVs7j", Refusal::malformed},
      {"c=biws,r=abc3rfcNHYJY1ZVvWVs7j,p=!", Refusal::malformed},
      {"c=biws,r=abc3rfcNHYJY1ZVvWVs7k,p=AAAA", Refusal::malformed},
      {"c=biws,r=abc,p=AAAA", Refusal::malformed},
      {"c=biws,r=abc3rfcNHYJY1ZVvWVs7j,p=AAAA,x=y", Refusal::malformed},
      {"c=eSws,r=abc3rfcNHYJY1ZVvWVs7j,p=AAAA", Refusal::bad_binding},
      {"c=biws,r=abc3rfcNHYJY1ZVvWVs7j,p=AAAA", Refusal::bad_credentials},
      {"c=biws,r=abc3rfcNHYJY1ZVvWVs7j,p=", Refusal::bad_credentials},
  }));
  CAPTURE(message);
  auto machine = make_server_mechanism("SCRAM-SHA-256", options_with_nonce());
  REQUIRE(machine->start("n,,n=user,r=abc").kind == Step::Kind::need_keys);
  REQUIRE(machine->keys(keys_for("pencil"), true).kind == Step::Kind::challenge);
  const Step step = machine->respond(message);
  CHECK(step.kind == Step::Kind::failure);
  CHECK(step.refusal == why);
}

TEST_CASE("SCRAM: names with commas and equals signs travel encoded") {
  CHECK(encode_saslname("a,b=c") == "a=2Cb=3Dc");
  CHECK(decode_saslname("a=2Cb=3Dc") == "a,b=c");
  const Step step =
      make_server_mechanism("SCRAM-SHA-256", options_with_nonce())->start("n,,n=a=2Cb,r=abc");
  CHECK(step.user == "a,b");
}

TEST_CASE("SCRAM: acting as somebody else is refused after good credentials") {
  const auto [authorization, kind] = GENERATE(table<const char*, Step::Kind>(
      {{"a=USER", Step::Kind::success}, {"a=root", Step::Kind::failure}}));
  auto machine = make_server_mechanism("SCRAM-SHA-256", options_with_nonce());
  const std::string header = "n,"s + authorization + ",";
  const std::string bare = "n=user,r=abc";
  REQUIRE(machine->start(header + bare).kind == Step::Kind::need_keys);
  const Step challenge = machine->keys(keys_for("pencil"), true);
  const std::string without = (authorization == "a=USER"s ? "c=bixhPVVTRVIs"s : "c=bixhPXJvb3Qs"s) +
                              ",r=abc3rfcNHYJY1ZVvWVs7j";
  const std::string salted = salted_password("pencil", "salt of sixteen.", 4096);
  std::string proof = hmac_sha256(salted, "Client Key");
  const std::string signature =
      hmac_sha256(sha256(proof), bare + "," + challenge.data + "," + without);
  for (std::size_t i = 0; i < proof.size(); ++i)
    proof[i] = static_cast<char>(proof[i] ^ signature[i]);
  CHECK(machine->respond(without + ",p=" + encode_base64(proof)).kind == kind);
}

TEST_CASE("SCRAM client: refuses a server that cheats") {
  ScramClient::Options who;
  who.user = "user";
  who.password = "pencil";
  who.nonce = "abc";
  const std::string first =
      GENERATE(as<std::string>(), "r=abc,s=AAAA,i=4096", "r=xyzdef,s=AAAA,i=4096",
               "r=abcdef,s=AAAA,i=2000000", "r=abcdef,s=AAAA,i=0", "r=abcdef,s=,i=4096",
               "r=abcdef,i=4096", "e=other-error");
  CAPTURE(first);
  ScramClient client(who);
  (void)client.first();
  CHECK_FALSE(client.final(first));
  CHECK_FALSE(client.finish("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="));
}

TEST_CASE("PLAIN: name and password come out, with and without initial response") {
  auto machine = make_server_mechanism("plain", {});
  Step step = machine->start(std::nullopt);
  CHECK(step.kind == Step::Kind::challenge);
  CHECK(step.data.empty());
  step = machine->respond(plain_response("ann@alpha.test", "s e\tcret"));
  CHECK(step.kind == Step::Kind::check_password);
  CHECK(step.user == "ann@alpha.test");
  CHECK(step.password == "s e\tcret");
  step = machine->checked(true);
  CHECK(step.kind == Step::Kind::success);
  CHECK(step.user == "ann@alpha.test");
}

TEST_CASE("PLAIN: refuses what is not two NULs with a name and a password") {
  const std::string message =
      GENERATE(as<std::string>(), "", "ann", "\0ann"s, "\0ann\0"s, "\0\0pass"s, "\0ann\0pa\0ss"s,
               "\0a\nb\0pass"s, "\0\xff\0pass"s, "\0" + std::string(321, 'a') + "\0pass"s);
  CAPTURE(message);
  const Step step = make_server_mechanism("PLAIN", {})->start(message);
  CHECK(step.kind == Step::Kind::failure);
  CHECK(step.refusal == Refusal::malformed);
}

TEST_CASE("PLAIN: acting as somebody else is refused") {
  auto machine = make_server_mechanism("PLAIN", {});
  REQUIRE(machine->start(plain_response("ann", "secret", "bob")).kind ==
          Step::Kind::check_password);
  CHECK(machine->checked(true).refusal == Refusal::not_authorized);
  auto same = make_server_mechanism("PLAIN", {});
  REQUIRE(same->start(plain_response("ann", "secret", "ANN")).kind == Step::Kind::check_password);
  CHECK(same->checked(true).kind == Step::Kind::success);
}

TEST_CASE("LOGIN: asks twice, or once after an initial response") {
  for (const bool initial : {false, true}) {
    auto machine = make_server_mechanism("LOGIN", {});
    Step step = initial ? machine->start("ann") : machine->start(std::nullopt);
    if (!initial) {
      CHECK(step.data == "Username:");
      step = machine->respond("ann");
    }
    CHECK(step.data == "Password:");
    step = machine->respond("secret");
    CHECK(step.kind == Step::Kind::check_password);
    CHECK(step.user == "ann");
    CHECK(step.password == "secret");
    CHECK(machine->checked(false).refusal == Refusal::bad_credentials);
  }
}

TEST_CASE("EXTERNAL: is who the layer below says, and somebody else only where that is allowed") {
  CHECK_FALSE(make_server_mechanism("EXTERNAL", {}));
  ServerOptions options;
  options.external_identity = "ann";
  const auto start = [&options](std::string_view response) {
    return make_server_mechanism("EXTERNAL", options)->start(response);
  };
  CHECK(start("").user == "ann");
  CHECK(start("ANN").kind == Step::Kind::success);
  CHECK(start("bob").refusal == Refusal::not_authorized);
  options.external_as_anybody = true;
  CHECK(start("bob").user == "bob");
  CHECK(start("b\nb").refusal == Refusal::malformed);
  CHECK(make_server_mechanism("EXTERNAL", options)->start(std::nullopt).kind ==
        Step::Kind::challenge);
}

TEST_CASE("mechanisms: a response over the limit is refused") {
  for (const auto* name : {"PLAIN", "LOGIN", "SCRAM-SHA-256"}) {
    CAPTURE(name);
    auto machine = make_server_mechanism(name, options_with_nonce());
    Step step = machine->start(std::string(12289, 'a'));
    if (step.kind == Step::Kind::challenge) step = machine->respond(std::string(12289, 'a'));
    CHECK(step.kind == Step::Kind::failure);
  }
}

TEST_CASE("make_server_mechanism: knows no others, and -PLUS only with a binding") {
  CHECK_FALSE(make_server_mechanism("CRAM-MD5", options_with_nonce()));
  CHECK_FALSE(make_server_mechanism("SCRAM-SHA-256-PLUS", options_with_nonce()));
}
