#include "agents/smtpd/smtpd.h"

#include <utility>

namespace posthorn::smtpd {

using async::Deadline;
using async::Task;

// What a reload may change. Sessions that run keep what they have.
Result<void, std::string> Smtpd::load(service::Daemon& daemon) {
  if (auto loaded = reception_.load(daemon); !loaded) return loaded;
  auto policy = std::make_shared<Policy>();
  policy->hostname = options_.host.hostname;
  policy->relay_networks = *service::Networks::parse(options_.relay_networks);
  policy->local_networks = *service::Networks::parse(options_.local_networks);
  policy->max_received = options_.max_received;
  policy->max_header = options_.max_header;
  policy_ = std::move(policy);
  return {};
}

Task<Result<void, std::string>> Smtpd::start(service::Daemon& daemon) {
  log_ = &daemon.log();
  if (auto loaded = load(daemon); !loaded) co_return loaded;
  auto opened = co_await reception_.open(daemon);
  if (!opened) co_return opened;
  counters_ = std::make_unique<Counters>(daemon.metrics());
  reception_.serve(daemon, [this](service::Connection client, bool implicit_tls) {
    return session(std::move(client), implicit_tls);
  });
  co_return Result<void, std::string>();
}

Task<void> Smtpd::session(service::Connection connection, bool implicit_tls) {
  const Services services(reception_.resolver(), reception_.intake(), *log_, *counters_);
  std::unique_ptr<session::SmtpHandler> handler =
      std::make_unique<Session>(services, policy_, reception_.make_gates(policy_->relay_networks));
  co_await session::serve_smtp(std::move(connection.stream), reception_.settings(implicit_tls),
                               std::move(handler), nullptr);
}

Result<void, std::string> Smtpd::reload(service::Daemon& daemon) {
  reception_.reload();
  return load(daemon);
}

Task<void> Smtpd::drain(service::Daemon&, Deadline) {
  co_await reception_.stop();
}

}  // namespace posthorn::smtpd
