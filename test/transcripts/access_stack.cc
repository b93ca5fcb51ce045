#include "test/transcripts/access_stack.h"

#include "test/transcripts/dialogue.h"

namespace posthorn::test {

using async::Endpoint;
using async::Listener;
using async::Stream;
using async::Task;

namespace {

session::AuthClientOptions auth_options(const Transcript& transcript) {
  session::AuthClientOptions options;
  options.plaintext_in_clear = transcript.value("plaintext-in-clear") == "yes";
  return options;
}

async::Peer peer_of(const Transcript& transcript) {
  async::Peer peer;
  if (transcript.value("client") == "unix") {
    peer.kind = async::Peer::Kind::unix_socket;
    return peer;
  }
  peer.kind = async::Peer::Kind::inet;
  peer.address = "192.0.2.7";
  return peer;
}

}  // namespace

AccessStack::AccessStack(const Transcript& transcript, const Pop3Site& site,
                         std::string worker_socket)
    : transcript_(transcript),
      site_(site),
      worker_socket_(std::move(worker_socket)),
      log_("transcript", service::Log::Format::kv, service::Level::error, -1),
      users_(site.path("conf/users"), log_, [] {}),
      lookups_(metrics_),
      auth_(Endpoint::unix_path(site.socket("auth.sock")), auth_options(transcript), log_),
      userdb_(Endpoint::unix_path(site.socket("userdb.sock")), session::UserdbOptions(), log_) {
  userdb_settings_.home = site.path("mail/%d/%n");
}

AccessStack::~AccessStack() = default;

Endpoint AccessStack::worker() const {
  return Endpoint::unix_path(site_.socket(worker_socket_));
}

Task<std::string> AccessStack::play(bool octet_by_octet) {
  const auto started = co_await users_.start();
  check(started.has_value(), "the users file can be read");
  authd::VerifierOptions rules;
  rules.plaintext_in_clear = transcript_.value("plaintext-in-clear") == "yes";
  verifier_ = std::make_unique<authd::Verifier>(users_, std::move(rules), log_, metrics_);
  auto auth = listen("auth.sock");
  auto userdb = listen("userdb.sock");
  auto worker = listen(worker_socket_);
  scope_.spawn(accept_auth(auth.get()));
  scope_.spawn(accept_userdb(userdb.get()));
  scope_.spawn(accept_fronts(worker.get()));

  Stage stage;
  stage.in_process = false;  // mailboxes are read in the pool: time is real
  stage.octet_by_octet = octet_by_octet;
  stage.tls = site_.client_tls();
  stage.take_message = [this] { return site_.messages(); };
  stage.connect = [this] { return connect(); };
  stage.act = [this](const std::string& words) { return site_.act(words); };
  auto client = co_await connect();
  auto wrong = co_await test::play(transcript_, std::move(client), stage);

  co_await clients_.join();
  co_await end();
  for (Listener* listener : {auth.get(), userdb.get(), worker.get()}) listener->close();
  co_await auth_.stop();
  co_await userdb_.stop();
  co_await scope_.join();
  co_await users_.stop();
  co_return wrong;
}

Task<std::unique_ptr<Stream>> AccessStack::connect() {
  async::StreamPair pair = async::make_memory_pair(async::Peer(), peer_of(transcript_));
  clients_.spawn(serve_client(std::move(pair.right)));
  co_return std::move(pair.left);
}

std::unique_ptr<Listener> AccessStack::listen(const std::string& name) const {
  auto opened = async::open_listening_socket(Endpoint::unix_path(site_.socket(name)));
  check(opened.has_value(), "a Unix socket in a temporary directory can be opened");
  return *async::listen_on(std::move(*opened));
}

Task<void> AccessStack::accept_auth(Listener* listener) {
  for (;;) {
    auto stream = co_await listener->accept();
    if (!stream) co_return;
    scope_.spawn(serve_auth(std::move(*stream)));
  }
}

Task<void> AccessStack::serve_auth(std::unique_ptr<Stream> stream) {
  authd::AuthSession session(std::move(stream), *verifier_, log_, 1);
  co_await session.serve();
}

Task<void> AccessStack::accept_userdb(Listener* listener) {
  for (;;) {
    auto stream = co_await listener->accept();
    if (!stream) co_return;
    scope_.spawn(serve_userdb(std::move(*stream)));
  }
}

Task<void> AccessStack::serve_userdb(std::unique_ptr<Stream> stream) {
  authd::UserdbSession session(std::move(stream), users_, userdb_settings_, lookups_, log_);
  co_await session.serve();
}

Task<void> AccessStack::accept_fronts(Listener* listener) {
  for (;;) {
    auto stream = co_await listener->accept();
    if (!stream) co_return;
    clients_.spawn(serve_front(std::move(*stream)));
  }
}

}  // namespace posthorn::test
