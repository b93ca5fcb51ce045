// The life of a program that is a front or, with --worker, a mail worker. pop3d and imapd derive from it and say what they speak.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/access/front_client.h"
#include "libmail/access/options.h"
#include "libmail/access/own_worker.h"
#include "libmail/service/agent.h"
#include "libmail/session/auth_client.h"
#include "libmail/session/userdb_client.h"

namespace posthorn::access {

struct Protocol {
  std::string_view agent;    // "imapd"
  std::string_view service;  // "imap": for ALPN and the userdb
  std::string_view too_many_clients;
  std::string_view too_many_mailboxes;  // both: octets for who is turned away, with CRLF
};

class AccessAgent : public service::Agent {
 public:
  // The command line, for the worker that is started from it. `options` and what `protocol` points to outlive it.
  AccessAgent(const Protocol& protocol, Options& options, std::vector<std::string> command_line)
      : protocol_(protocol), shared_(options), command_line_(std::move(command_line)) {}

  [[nodiscard]] std::string_view name() const final { return protocol_.agent; }
  [[nodiscard]] bool listens_on(std::string_view listener) const final;
  std::vector<std::string> check(const service::Site& site) override { return shared_.check(site); }
  service::Confinement confinement(const service::Site& site) final;
  Result<void, std::string> before_lockdown(const service::Site& site,
                                            std::vector<service::OpenListeners>& open) final;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) final;
  Result<void, std::string> reload(service::Daemon& daemon) final;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 protected:
  // A front's settings, at the start and at each reload.
  virtual void load_front(FrontSettings settings) = 0;
  virtual void load_worker(MailPlaces places) = 0;
  // Once, after load_worker(): what needs more than settings. A text ends the start.
  virtual Result<void, std::string> open_worker(service::Daemon& daemon) = 0;
  virtual async::Task<void> serve_client(service::Connection connection, bool implicit_tls) = 0;
  // `is_trusted`: the peer may name any user.
  virtual async::Task<void> serve_front(service::Connection connection, bool is_trusted) = 0;
  // We are stopping.
  virtual void end_sessions() = 0;

  [[nodiscard]] service::Daemon& daemon() { return *daemon_; }
  [[nodiscard]] session::AuthClient& auth() { return *auth_; }
  [[nodiscard]] session::UserdbClient& userdb() { return *userdb_; }
  [[nodiscard]] FrontCounters& front_counters() { return *front_counters_; }

 private:
  async::Task<Result<void, std::string>> start_front();
  async::Task<bool> worker_answers(async::Endpoint worker);
  Result<void, std::string> reload_front();
  Result<void, std::string> start_worker();
  [[nodiscard]] async::Endpoint worker_endpoint() const;
  async::Task<void> end_sessions_when_stopping();
  async::Task<void> accept_front(service::Connection connection);

  const Protocol& protocol_;
  Options& shared_;
  std::vector<std::string> command_line_;
  service::Daemon* daemon_ = nullptr;
  std::optional<OwnWorker> own_worker_;
  Fd front_pipe_;  // of a worker that a front has started
  std::unique_ptr<async::FdWatch> front_watch_;
  std::unique_ptr<session::AuthClient> auth_;
  std::unique_ptr<FrontCounters> front_counters_;
  std::unique_ptr<session::UserdbClient> userdb_;
  uid_t front_uid_ = 0;
};

}  // namespace posthorn::access
