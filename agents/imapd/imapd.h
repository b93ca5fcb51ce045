// imapd: mail that stays on the server (RFC 9051, RFC 3501). One program, two roles: the front, and with --worker the mail worker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/imapd/accounts.h"
#include "agents/imapd/front_session.h"
#include "agents/imapd/options.h"
#include "agents/imapd/session.h"
#include "libmail/access/agent.h"
#include "libmail/access/sessions.h"

namespace posthorn::imapd {

// What the options say of a worker's sessions.
[[nodiscard]] WorkerSettings worker_settings(const Options& options, access::MailPlaces places,
                                             const service::Site& site);

class Imapd final : public access::AccessAgent {
 public:
  explicit Imapd(std::vector<std::string> command_line);

  [[nodiscard]] std::string_view purpose() const override {
    return "lets users read and keep their mail by IMAP";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }
  std::vector<std::string> check(const service::Site& site) override {
    return options_.check(site);
  }
  async::Task<void> drain(service::Daemon& daemon, async::Deadline deadline) override;

 private:
  void load_front(access::FrontSettings settings) override;
  void load_worker(access::MailPlaces places) override;
  Result<void, std::string> open_worker(service::Daemon& daemon) override;
  async::Task<void> serve_client(service::Connection connection, bool implicit_tls) override;
  async::Task<void> serve_front(service::Connection connection, bool is_trusted) override;
  void end_sessions() override;

  Options options_;
  FrontSettings front_;
  access::Sessions<FrontSession> fronts_;
  std::shared_ptr<const WorkerSettings> worker_;
  std::unique_ptr<Accounts> accounts_;
  std::unique_ptr<WorkerCounters> worker_counters_;
  access::Sessions<Session> workers_;
};

}  // namespace posthorn::imapd
