// smtpd: takes mail from other hosts (RFC 5321) and writes it into the queue, or passes it on while it arrives.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/smtpd/policy.h"
#include "agents/smtpd/session.h"
#include "libmail/reception/reception.h"
#include "libmail/service/agent.h"

namespace posthorn::smtpd {

struct Options : reception::ReceptionOptions {
  std::vector<std::string> relay_networks;

  Options() : ReceptionOptions("smtpd", {"inet:*:25", "unix:run/smtp.sock"}) {}
  void describe(service::OptionTable& table);
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
};

class Smtpd final : public service::Agent {
 public:
  Smtpd() = default;
  [[nodiscard]] std::string_view name() const override { return "smtpd"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "takes mail from other hosts into the queue";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  std::vector<std::string> check(const service::Site& site) override {
    return options_.check(site);
  }
  service::Confinement confinement(const service::Site& site) override {
    return reception_.confinement(site);
  }
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  Result<void, std::string> load(service::Daemon& daemon);
  async::Task<void> session(service::Connection connection, bool implicit_tls);

  Options options_;
  reception::Reception reception_{options_};
  std::unique_ptr<Counters> counters_;
  std::shared_ptr<const Policy> policy_;
  service::Log* log_ = nullptr;
};

}  // namespace posthorn::smtpd
