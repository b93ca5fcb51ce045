// authd: who is it? Two sockets: `auth`, where servers have their clients' SASL exchanges judged, and `userdb`, where agents
// ask who exists. It alone reads passwords.
#pragma once

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "agents/authd/auth_session.h"
#include "agents/authd/userdb_session.h"
#include "libmail/service/agent.h"

namespace posthorn::authd {

struct Options {
  std::vector<std::string> listen = {"unix:run/auth.sock"};
  std::vector<std::string> listen_userdb = {"unix:run/userdb.sock"};
  service::SocketAccess listen_access{"0660"};
  service::SocketAccess userdb_access{"0660"};
  std::string users = "conf/users";
  std::string home = "mail/%d/%n";
  VerifierOptions verifier;
  service::ServeLimits serve;

  void describe(service::OptionTable& table);
};

class Authd final : public service::Agent {
 public:
  [[nodiscard]] std::string_view name() const override { return "authd"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "tells who a client is (SASL) and which users there are";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  std::vector<std::string> check(const service::Site& site) override;
  service::Confinement confinement(const service::Site& site) override;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  async::Task<void> serve_auth(service::Connection connection);
  async::Task<void> serve_userdb(service::Connection connection);
  async::Task<void> end_sessions_when_stopping();
  void users_changed();
  [[nodiscard]] UserdbSettings userdb_settings(const service::Site& site) const;

  Options options_;
  service::Daemon* daemon_ = nullptr;
  std::unique_ptr<Users> users_;
  std::unique_ptr<Verifier> verifier_;
  std::unique_ptr<UserdbCounters> counters_;
  UserdbSettings userdb_;
  bool offers_scram_ = false;  // what sessions were told
  std::uint64_t connections_ = 0;
  std::set<AuthSession*> auth_sessions_;
  std::set<UserdbSession*> userdb_sessions_;
};

}  // namespace posthorn::authd
