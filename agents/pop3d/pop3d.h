// pop3d: lets users fetch their mail (RFC 1939). One program, two roles: the front, and with --worker the mail worker.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/pop3d/front_session.h"
#include "agents/pop3d/options.h"
#include "agents/pop3d/worker_session.h"
#include "libmail/access/agent.h"
#include "libmail/access/sessions.h"

namespace posthorn::pop3d {

class Pop3d final : public access::AccessAgent {
 public:
  explicit Pop3d(std::vector<std::string> command_line);

  [[nodiscard]] std::string_view purpose() const override {
    return "lets users fetch their mail by POP3";
  }
  void describe(service::OptionTable& table) override { options_.describe(table); }

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
  store::SystemFiles files_;
  std::shared_ptr<const WorkerSettings> worker_;
  std::unique_ptr<WorkerCounters> worker_counters_;
  access::Sessions<WorkerSession> workers_;
};

}  // namespace posthorn::pop3d
