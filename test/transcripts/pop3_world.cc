#include "test/transcripts/pop3_world.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>

#include "agents/authd/auth_session.h"
#include "agents/authd/userdb_session.h"
#include "agents/pop3d/front_session.h"
#include "agents/pop3d/worker_session.h"
#include "libmail/async/loop.h"
#include "libmail/async/socket.h"
#include "libmail/base/text.h"
#include "libmail/sasl/passwd_edit.h"
#include "libmail/session/auth_client.h"
#include "libmail/tls/certificate.h"
#include "test/transcripts/dialogue.h"

namespace posthorn::test {

using async::Endpoint;
using async::Task;

namespace {

// Number, flags, text: the third has every line that a protocol of lines has trouble with.
constexpr const char* messages_of_ann[] = {
    "Subject: one\n\nfirst\n",
    "Subject: two\nX-Long: 1\n\n.\n..\n.dot\n\nlast line without end",
    "Subject: gr\xc3\xbc\xc3\x9f\x65\n\nline 1\nline 2\nline 3\n",
};

void write(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

Pop3Site::Pop3Site() {
  for (const char* folder : {"conf", "run", "mail", "tls"})
    std::filesystem::create_directory(path(folder));
  for (const char* user : {"ann", "bob"}) {
    sasl::PasswdEntry entry;
    entry.user = user;
    check(sasl::add_user(path("conf/users"), entry, "secret").has_value(), "a user can be added");
  }
  const auto ca = tls::make_ca("transcripts");
  const auto issued = tls::issue(*ca, {"mx.example.org"});
  write(path("tls/ca.pem"), ca->certificate_pem);
  write(path("tls/cert.pem"), issued->certificate_pem);
  write(path("tls/key.pem"), issued->key_pem);
  tls::ServerContext::Options server;
  server.certificate_file = path("tls/cert.pem");
  server.key_file = path("tls/key.pem");
  server_ = *tls::ServerContext::load(server);
  tls::ClientContext::Options client;
  client.verify = tls::ClientContext::Verify::require;
  client.ca_file = path("tls/ca.pem");
  client_ = *tls::ClientContext::load(client);
}

Pop3Site::~Pop3Site() = default;

void Pop3Site::renew() const {
  std::filesystem::remove_all(path("mail"));
  std::filesystem::remove_all(path("run"));
  std::filesystem::create_directory(path("run"));
  for (const char* user : {"ann", "bob"}) {
    for (const char* folder : {"new", "cur", "tmp"})
      std::filesystem::create_directories(path("mail/" + std::string(user) + "/Maildir/" + folder));
  }
  int number = 0;
  for (const char* text : messages_of_ann) {
    const std::string name = std::to_string(1000 + ++number) + ".M1P1.host";
    write(path("mail/ann/Maildir/new/" + name), text);
  }
}

std::string Pop3Site::messages() const {
  std::set<std::string> found;
  for (const char* folder : {"new", "cur"}) {
    for (const auto& entry :
         std::filesystem::directory_iterator(path("mail/ann/Maildir/" + std::string(folder)))) {
      const std::string name = entry.path().filename().string();
      const bool seen = name.find(":2,") != std::string::npos &&
                        name.find('S', name.find(":2,")) != std::string::npos;
      found.insert(name.substr(3, 1) + (seen ? "s" : ""));
    }
  }
  std::string text;
  for (const std::string& number : found) text += (text.empty() ? "" : " ") + number;
  return text;
}

namespace {

// authd, worker and front of one transcript.
class Stack {
 public:
  Stack(const Transcript& transcript, const Pop3Site& site)
      : transcript_(transcript),
        site_(site),
        log_("transcript", service::Log::Format::kv, service::Level::error, -1),
        users_(site.path("conf/users"), log_, [] {}),
        lookups_(metrics_),
        auth_(Endpoint::unix_path(site.socket("auth.sock")), auth_options(transcript), log_),
        userdb_(Endpoint::unix_path(site.socket("userdb.sock")), session::UserdbOptions(), log_),
        front_counters_(metrics_, "pop3d"),
        worker_counters_(metrics_) {
    userdb_settings_.home = site.path("mail/%d/%n");
  }

  Task<std::string> play(bool octet_by_octet) {
    const auto started = co_await users_.start();
    check(started.has_value(), "the users file can be read");
    authd::VerifierOptions rules;
    rules.plaintext_in_clear = transcript_.value("plaintext-in-clear") == "yes";
    verifier_ = std::make_unique<authd::Verifier>(users_, std::move(rules), log_, metrics_);
    worker_settings_ = worker_settings();
    auto auth = listen("auth.sock");
    auto userdb = listen("userdb.sock");
    auto worker = listen("pop3-worker.sock");
    scope_.spawn(accept_auth(auth.get()));
    scope_.spawn(accept_userdb(userdb.get()));
    scope_.spawn(accept_front(worker.get()));

    Stage stage;
    stage.in_process = false;  // mailboxes are read in the pool: time is real
    stage.octet_by_octet = octet_by_octet;
    stage.tls = site_.client_tls();
    stage.take_message = [this] { return site_.messages(); };
    async::StreamPair pair = async::make_memory_pair(async::Peer(), peer());
    scope_.spawn(serve_client(std::move(pair.right)));
    auto wrong = co_await test::play(transcript_, std::move(pair.left), stage);

    co_await clients_.join();
    for (auto* listener : {auth.get(), userdb.get(), worker.get()}) listener->close();
    co_await auth_.stop();
    co_await userdb_.stop();
    co_await scope_.join();
    co_await users_.stop();
    co_return wrong;
  }

 private:
  static session::AuthClientOptions auth_options(const Transcript& transcript) {
    session::AuthClientOptions options;
    options.plaintext_in_clear = transcript.value("plaintext-in-clear") == "yes";
    return options;
  }
  [[nodiscard]] async::Peer peer() const {
    async::Peer peer;
    if (transcript_.value("client") == "unix") {
      peer.kind = async::Peer::Kind::unix_socket;
      return peer;
    }
    peer.kind = async::Peer::Kind::inet;
    peer.address = "192.0.2.7";
    return peer;
  }
  [[nodiscard]] pop3::Limits limits() const {
    pop3::Limits limits;
    const auto set = [this](const char* key, auto& into) {
      const auto number = parse_size(transcript_.value(key));
      if (number) into = static_cast<std::decay_t<decltype(into)>>(*number);
    };
    set("max-errors", limits.errors);
    set("max-logins", limits.logins);
    set("max-line", limits.command);
    return limits;
  }
  [[nodiscard]] bool is_on(const char* key, bool otherwise = false) const {
    const std::string value = transcript_.value(key);
    return value.empty() ? otherwise : value == "yes";
  }
  [[nodiscard]] Duration span(const char* key, Duration otherwise) const {
    Duration value = otherwise;
    (void)parse_duration(transcript_.value(key), value);
    return value;
  }
  [[nodiscard]] std::shared_ptr<const pop3d::WorkerSettings> worker_settings() const {
    auto settings = std::make_shared<pop3d::WorkerSettings>();
    settings->places.mail_location = "maildir:~/Maildir";
    settings->places.mail_directories = {site_.path("mail")};
    settings->delete_after_retr = is_on("delete-after-retr");
    settings->mark_seen = is_on("mark-seen", true);
    settings->refuse_utf8 = is_on("refuse-utf8");
    settings->lock_time = std::chrono::seconds(1);
    settings->idle_time = span("idle-time", std::chrono::minutes(10));
    settings->limits = limits();
    return settings;
  }
  [[nodiscard]] pop3d::FrontSettings front_settings() const {
    pop3d::FrontSettings settings;
    settings.worker = Endpoint::unix_path(site_.socket("pop3-worker.sock"));
    const std::string tls = transcript_.value("tls");
    if (!tls.empty()) settings.tls = site_.server_tls();
    settings.implicit_tls = tls == "implicit";
    settings.plaintext_in_clear = is_on("plaintext-in-clear");
    settings.delete_after_retr = is_on("delete-after-retr");
    settings.limits = limits();
    settings.login_time = span("login-time", std::chrono::minutes(3));
    settings.idle_time = span("idle-time", std::chrono::minutes(10));
    return settings;
  }

  std::unique_ptr<async::Listener> listen(const std::string& name) {
    auto opened = async::open_listening_socket(Endpoint::unix_path(site_.socket(name)));
    check(opened.has_value(), "a Unix socket in a temporary directory can be opened");
    return *async::listen_on(std::move(*opened));
  }
  Task<void> accept_auth(async::Listener* listener) {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      scope_.spawn(serve_auth(std::move(*stream)));
    }
  }
  Task<void> serve_auth(std::unique_ptr<async::Stream> stream) {
    authd::AuthSession session(std::move(stream), *verifier_, log_, 1);
    co_await session.serve();
  }
  Task<void> accept_userdb(async::Listener* listener) {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      scope_.spawn(serve_userdb(std::move(*stream)));
    }
  }
  Task<void> serve_userdb(std::unique_ptr<async::Stream> stream) {
    authd::UserdbSession session(std::move(stream), users_, userdb_settings_, lookups_, log_);
    co_await session.serve();
  }
  Task<void> accept_front(async::Listener* listener) {
    for (;;) {
      auto stream = co_await listener->accept();
      if (!stream) co_return;
      clients_.spawn(serve_front(std::move(*stream)));
    }
  }
  Task<void> serve_front(std::unique_ptr<async::Stream> stream) {
    const bool is_trusted = stream->peer().uid == ::getuid();
    pop3d::WorkerSession session(std::move(stream), is_trusted, userdb_, files_, worker_settings_,
                                 log_, worker_counters_);
    co_await session.serve();
  }
  Task<void> serve_client(std::unique_ptr<async::Stream> stream) {
    pop3d::FrontSession session(std::move(stream), auth_.make_server(), front_settings(), log_,
                                front_counters_);
    co_await session.serve();
  }

  const Transcript& transcript_;
  const Pop3Site& site_;
  service::Log log_;
  service::Metrics metrics_;
  authd::Users users_;
  std::unique_ptr<authd::Verifier> verifier_;
  authd::UserdbSettings userdb_settings_;
  authd::UserdbCounters lookups_;
  session::AuthClient auth_;
  session::UserdbClient userdb_;
  store::SystemFiles files_;
  std::shared_ptr<const pop3d::WorkerSettings> worker_settings_;
  access::FrontCounters front_counters_;
  pop3d::WorkerCounters worker_counters_;
  async::Scope clients_;
  async::Scope scope_;
};

}  // namespace

std::string play_pop3_in_process(const Transcript& transcript, const Pop3Site& site,
                                 bool octet_by_octet) {
  site.renew();
  Stack stack(transcript, site);
  return async::run(stack.play(octet_by_octet));
}

}  // namespace posthorn::test
