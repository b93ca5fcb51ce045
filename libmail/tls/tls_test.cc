#include "libmail/tls/tls.h"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/tls/certificate.h"
#include "test/support/test_folder.h"

using namespace posthorn;
using namespace posthorn::tls;
using namespace std::chrono_literals;
using async::Buffer;
using async::Deadline;
using async::Task;

namespace {

// A CA, and a certificate of its for mx.alpha.test and 127.0.0.1, as files.
struct Site {
  posthorn::TestFolder folder;
  std::string directory = folder.path();
  std::string ca, certificate, key;
  Site() {
    const auto root = make_ca("alpha.test CA");
    REQUIRE(root);
    const auto server = issue(*root, {"mx.alpha.test", "127.0.0.1"});
    REQUIRE(server);
    ca = write("ca.pem", root->certificate_pem);
    certificate = write("cert.pem", server->certificate_pem);
    key = write("key.pem", server->key_pem);
  }
  std::string write(const std::string& name, const std::string& text) const {
    folder.write(name, text);
    return folder.path(name);
  }
  [[nodiscard]] std::shared_ptr<ServerContext> server(std::vector<std::string> alpn = {}) const {
    ServerContext::Options options;
    options.certificate_file = certificate;
    options.key_file = key;
    options.alpn = std::move(alpn);
    auto context = ServerContext::load(options);
    REQUIRE(context);
    return *context;
  }
  [[nodiscard]] std::shared_ptr<ClientContext> client(ClientContext::Verify verify,
                                                      bool with_ca = true) const {
    ClientContext::Options options;
    options.verify = verify;
    if (with_ca) options.ca_file = ca;
    auto context = ClientContext::load(options);
    REQUIRE(context);
    return *context;
  }
};

struct Outcome {
  std::string client_problem, server_problem, echoed;
  Facts client_facts;
  std::optional<std::string> client_binding, server_binding;
};

Task<void> serve_echo(std::unique_ptr<async::Stream> under, std::shared_ptr<ServerContext> context,
                      Outcome& out) {
  auto stream = co_await accept(std::move(under), std::move(context), Deadline::in(5s));
  if (!stream) {
    out.server_problem = stream.error().text;
    co_return;
  }
  out.server_binding = (*stream)->channel_binding();
  Buffer buffer;
  for (;;) {
    const auto got = co_await (*stream)->read(buffer, Deadline::in(5s));
    if (!got || *got == 0) co_return;
    const auto written = co_await (*stream)->write(buffer.view(), Deadline::in(5s));
    if (!written) co_return;
    buffer.clear();
  }
}

Task<void> send_all(async::Stream& stream, const std::string& text) {
  (void)co_await stream.write(text, Deadline::in(5s));
}

Task<Outcome> converse(std::shared_ptr<ServerContext> server, std::shared_ptr<ClientContext> client,
                       std::string name, std::string text) {
  Outcome out;
  auto pair = async::make_memory_pair(async::Peer(), async::Peer());
  async::Scope scope;
  scope.spawn(serve_echo(std::move(pair.right), std::move(server), out));
  {
    auto stream = co_await connect(std::move(pair.left), std::move(client), std::move(name),
                                   Deadline::in(5s));
    if (!stream) {
      out.client_problem = stream.error().text;
    } else {
      out.client_facts = (*stream)->facts();
      out.client_binding = (*stream)->channel_binding();
      async::Scope sending;
      sending.spawn(send_all(**stream, text));
      Buffer buffer;
      while (buffer.size() < text.size()) {
        const auto got = co_await (*stream)->read(buffer, Deadline::in(5s));
        if (!got || *got == 0) break;
      }
      out.echoed = std::string(buffer.view());
      co_await sending.join();
      co_await (*stream)->shutdown(Deadline::in(1s));
    }
  }
  co_await scope.join();
  co_return out;
}

}  // namespace

TEST_CASE("TLS: octets come back, the certificate is checked, both ends see one channel binding") {
  const Site site;
  const std::string text(1'000'000, 'p');
  const auto out = async::run(
      converse(site.server(), site.client(ClientContext::Verify::require), "mx.alpha.test", text));
  CHECK(out.client_problem.empty());
  CHECK(out.echoed == text);
  CHECK(out.client_facts.peer_verified);
  CHECK(out.client_facts.version == "TLSv1.3");
  REQUIRE(out.client_binding);
  CHECK(out.client_binding->size() == 32);
  CHECK(out.client_binding == out.server_binding);
}

TEST_CASE("TLS: a literal address in the certificate is a name like another") {
  const Site site;
  const auto out = async::run(
      converse(site.server(), site.client(ClientContext::Verify::require), "127.0.0.1", "x"));
  CHECK(out.client_problem.empty());
}

TEST_CASE(
    "TLS: a certificate for another name or from a stranger is refused where it must be good") {
  const Site site;
  const auto other = async::run(
      converse(site.server(), site.client(ClientContext::Verify::require), "mx.beta.test", "x"));
  CHECK_THAT(other.client_problem, Catch::Contains("ostname mismatch"));
  const auto nameless =
      async::run(converse(site.server(), site.client(ClientContext::Verify::require), "", "x"));
  CHECK_THAT(nameless.client_problem, Catch::Contains("no name"));
  const Site stranger;
  const auto unknown = async::run(converse(
      site.server(), stranger.client(ClientContext::Verify::require), "mx.alpha.test", "x"));
  CHECK_FALSE(unknown.client_problem.empty());
  CHECK_FALSE(unknown.server_problem.empty());
}

TEST_CASE("TLS: an opportunistic client goes on and says what was wrong") {
  const Site site;
  const auto out = async::run(
      converse(site.server(), site.client(ClientContext::Verify::none), "mx.beta.test", "hi"));
  CHECK(out.echoed == "hi");
  CHECK_FALSE(out.client_facts.peer_verified);
  CHECK_FALSE(out.client_facts.peer_problem.empty());
}

namespace {
Task<std::string> greet_in_clear(std::shared_ptr<ServerContext> context) {
  Outcome out;
  auto pair = async::make_memory_pair(async::Peer(), async::Peer());
  async::Scope scope;
  scope.spawn(serve_echo(std::move(pair.right), std::move(context), out));
  (void)co_await pair.left->write("EHLO client.example\r\nMAIL FROM:<a@b.example>\r\n",
                                  Deadline::in(1s));
  co_await scope.join();
  co_return out.server_problem;
}
}  // namespace

TEST_CASE("ClientContext: one set of authorities serves under both rules") {
  const Site site;
  auto any = site.client(ClientContext::Verify::none);
  auto strict = any->with(ClientContext::Verify::require);
  const auto lenient = async::run(converse(site.server(), any, "mx.beta.test", "hi"));
  CHECK(lenient.echoed == "hi");
  any.reset();
  const auto good = async::run(converse(site.server(), strict, "mx.alpha.test", "hi"));
  CHECK(good.client_facts.peer_verified);
  const auto bad = async::run(converse(site.server(), strict, "mx.beta.test", "hi"));
  CHECK_FALSE(bad.client_problem.empty());
}

TEST_CASE("TLS: a client that speaks plain text is told from one that shakes hands") {
  const Site site;
  CHECK_FALSE(async::run(greet_in_clear(site.server())).empty());
}

TEST_CASE("ServerContext: names the file that is wrong") {
  const Site site;
  ServerContext::Options options;
  options.certificate_file = site.directory + "/absent.pem";
  options.key_file = site.key;
  auto absent = ServerContext::load(options);
  REQUIRE_FALSE(absent);
  CHECK_THAT(absent.error().text, Catch::Contains("absent.pem"));
  const Site other;
  options.certificate_file = site.certificate;
  options.key_file = other.key;
  CHECK_FALSE(ServerContext::load(options));
}

TEST_CASE("days_left: tells when a certificate ends") {
  const Site site;
  const auto days = days_left(site.certificate);
  REQUIRE(days);
  CHECK(*days >= 395);
  CHECK(*days <= 397);
  CHECK_FALSE(days_left(site.directory + "/absent.pem"));
}
