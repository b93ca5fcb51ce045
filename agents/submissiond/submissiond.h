// submissiond: the message submission agent (RFC 6409). Takes mail from users and writes it into the queue, or passes
// it on while it arrives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/submissiond/policy.h"
#include "agents/submissiond/session.h"
#include "libmail/reception/reception.h"
#include "libmail/service/agent.h"
#include "libmail/session/auth_client.h"

namespace posthorn::submissiond {

struct Options : reception::ReceptionOptions {
  std::string auth = "unix:run/auth.sock";
  bool allow_plaintext_auth = false;
  std::vector<std::string> trusted_users;
  bool hide_client = false;

  Options() : ReceptionOptions("submissiond", {"inet:*:587", "unix:run/submission.sock"}) {}
  void describe(service::OptionTable& table);
};

class Submissiond final : public service::Agent {
 public:
  Submissiond() = default;
  [[nodiscard]] std::string_view name() const override { return "submissiond"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "takes mail from users into the queue";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  std::vector<std::string> check(const service::Site& site) override {
    return options_.check(site);
  }
  service::Confinement confinement(const service::Site& site) override;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  Result<void, std::string> load(service::Daemon& daemon);
  async::Task<void> session(service::Connection connection, bool implicit_tls);

  Options options_;
  reception::Reception reception_{options_};
  std::unique_ptr<session::AuthClient> auth_;  // null: AUTH is not offered
  std::unique_ptr<Counters> counters_;
  std::shared_ptr<const Policy> policy_;
  service::Log* log_ = nullptr;
  bool own_site_ = false;
};

}  // namespace posthorn::submissiond
