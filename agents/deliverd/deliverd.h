// deliverd: the mail delivery agent. LMTP in (RFC 2033); Maildir, mbox or a program out.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/deliverd/drop_reports.h"
#include "agents/deliverd/lda.h"
#include "agents/deliverd/options.h"
#include "agents/deliverd/program_delivery.h"
#include "agents/deliverd/session.h"

namespace posthorn::deliverd {

class Deliverd final : public service::Agent {
 public:
  Deliverd() = default;
  [[nodiscard]] std::string_view name() const override { return "deliverd"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "delivers mail into mailboxes or to a program";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  std::vector<std::string> check(const service::Site& site) override;
  [[nodiscard]] bool is_one_shot() const override { return options_.from_stdin; }
  service::Confinement confinement(const service::Site& site) override;
  Result<void, std::string> before_lockdown(const service::Site& site,
                                            std::vector<service::OpenListeners>& open) override;
  async::Task<int> run_once(const service::Site& site, service::Log& log) override;
  async::Task<Result<void, std::string>> start(service::Daemon& daemon) override;
  Result<void, std::string> reload(service::Daemon& daemon) override;
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  void load(service::Daemon& daemon);
  [[nodiscard]] std::string drop_directory() const;
  [[nodiscard]] bool needs_internet() const;
  [[nodiscard]] bool has_programs() const { return !options_.exec.empty(); }
  Delivery& make_delivery(service::Daemon& daemon);
  void starter_ended(service::Daemon& daemon);
  void declare_metrics(service::Metrics& metrics);
  async::Task<void> session(service::Connection connection);
  async::Task<void> stop_sessions(async::Event& stopping);

  Options options_;
  store::SystemFiles files_;
  queue::IdSource ids_;
  std::unique_ptr<UserdbUsers> users_;
  std::unique_ptr<store::MaildirDelivery> maildirs_;
  std::unique_ptr<MailboxDelivery> mailboxes_;
  std::unique_ptr<async::Starter> starter_;
  std::unique_ptr<ProgramDelivery> programs_;
  Delivery* delivery_ = nullptr;  // the one of the two that there is
  std::unique_ptr<DropReports> reports_;
  std::unique_ptr<filter::Filters> filters_;
  std::unique_ptr<Counters> counters_;
  std::shared_ptr<const SessionRules> rules_;
  session::SmtpSessions sessions_;
  service::Log* log_ = nullptr;
  bool offers_dsn_ = false;
  bool has_internet_ = false;  // what the lock-down has left us
};

}  // namespace posthorn::deliverd
