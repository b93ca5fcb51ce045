#include "agents/submissiond/submissiond.h"

#include <utility>

#include "libmail/base/text.h"

namespace posthorn::submissiond {

using async::Deadline;
using async::Task;

service::Confinement Submissiond::confinement(const service::Site& site) {
  service::Confinement confinement = reception_.confinement(site);
  confinement.read.emplace_back("/etc");  // the names behind the uids of Unix-socket peers
  return confinement;
}

// What a reload may change. Sessions that run keep what they have.
Result<void, std::string> Submissiond::load(service::Daemon& daemon) {
  if (auto loaded = reception_.load(daemon); !loaded) return loaded;
  auto policy = std::make_shared<Policy>();
  policy->hostname = options_.host.hostname;
  for (const std::string& user : options_.trusted_users) policy->trusted_users.insert(lower(user));
  policy->local_networks = *service::Networks::parse(options_.local_networks);
  policy->hide_client = options_.hide_client;
  policy->max_received = options_.max_received;
  policy->message.header.header_bytes = options_.max_header;
  policy_ = std::move(policy);
  return {};
}

Task<Result<void, std::string>> Submissiond::start(service::Daemon& daemon) {
  log_ = &daemon.log();
  own_site_ = !daemon.site().is_system();
  if (auto loaded = load(daemon); !loaded) co_return loaded;
  if (!options_.auth.empty()) {
    session::AuthClientOptions ask;
    ask.plaintext_in_clear = options_.allow_plaintext_auth;
    auth_ = std::make_unique<session::AuthClient>(
        service::endpoint_of(daemon.site(), options_.auth), ask, daemon.log());
  }
  auto opened = co_await reception_.open(daemon);
  if (!opened) co_return opened;
  counters_ = std::make_unique<Counters>(daemon.metrics());
  reception_.serve(daemon, [this](service::Connection client, bool implicit_tls) {
    return session(std::move(client), implicit_tls);
  });
  co_return Result<void, std::string>();
}

Task<void> Submissiond::session(service::Connection connection, bool implicit_tls) {
  async::Peer peer = connection.stream->peer();
  LocalUser local = co_await find_local_user(std::move(peer), own_site_);
  session::SmtpSessionSettings settings = reception_.settings(implicit_tls);
  settings.server.auth_in_clear = options_.allow_plaintext_auth;
  const Services services(reception_.resolver(), reception_.intake(), *log_, *counters_);
  std::unique_ptr<session::SmtpHandler> handler =
      std::make_unique<Session>(services, policy_, std::move(local), reception_.make_gates());
  std::unique_ptr<session::SaslServer> sasl;
  if (auth_ != nullptr) sasl = auth_->make_server();
  co_await session::serve_smtp(std::move(connection.stream), std::move(settings),
                               std::move(handler), std::move(sasl));
}

Result<void, std::string> Submissiond::reload(service::Daemon& daemon) {
  reception_.reload();
  return load(daemon);
}

Task<void> Submissiond::drain(service::Daemon&, Deadline) {
  if (auth_ != nullptr) co_await auth_->stop();
  co_await reception_.stop();
}

}  // namespace posthorn::submissiond
