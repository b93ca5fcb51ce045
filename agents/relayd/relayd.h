// relayd: hands messages to other hosts (RFC 5321 client side), an LMTP server towards queued. It stores nothing.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "agents/relayd/connections.h"
#include "agents/relayd/destination.h"
#include "agents/relayd/relayed.h"
#include "agents/relayd/session.h"
#include "libdns/stub/resolver.h"
#include "libmail/async/watch.h"
#include "libmail/route/file_table.h"
#include "libmail/service/agent.h"

namespace posthorn::relayd {

struct Options {
  std::vector<std::string> listen = {"unix:run/relay.sock"};
  service::SocketAccess access = service::SocketAccess("0660");
  std::string hostname;
  std::string routes = "conf/routes";
  std::string logins = "conf/relay-logins";
  std::uint16_t mx_port = 25;
  std::vector<std::string> dns_servers;
  std::vector<std::string> trusted_resolvers;
  bool ipv6 = true;
  bool ipv4 = true;
  std::string source_address;
  std::string tls = "opportunistic";
  std::string tls_ca;
  std::string queue = "queue";
  std::uint64_t message_size = 0;
  std::size_t max_recipients = 1000;
  SessionOptions session;
  ConnectionOptions connections;
  service::ServeLimits serve;

  Options();
  void describe(service::OptionTable& table);
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
};

// The two tables, not read yet. Their entries are checked and their keys made canonical when they are.
[[nodiscard]] std::unique_ptr<route::FileTable> routes_table(const std::string& path);
[[nodiscard]] std::unique_ptr<route::FileTable> logins_table(const std::string& path);

// MailDns by libdns/stub.
class StubDns final : public MailDns {
 public:
  StubDns(dns::ResolverOptions options, dns::Families families)
      : resolver_(std::move(options)), families_(families) {}
  async::Task<dns::MailRoute> mail_hosts(dns::Name domain, async::Deadline deadline) override {
    return dns::find_mail_hosts(resolver_, std::move(domain), deadline, families_);
  }
  async::Task<dns::MailHost> host(dns::Name name, async::Deadline deadline) override {
    return dns::find_host(resolver_, std::move(name), deadline, families_);
  }

 private:
  dns::Resolver resolver_;
  dns::Families families_;
};

class Relayd final : public service::Agent {
 public:
  Relayd() = default;
  [[nodiscard]] std::string_view name() const override { return "relayd"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "hands messages to other hosts";
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
  async::Task<void> session(service::Connection connection);
  async::Task<void> stop_sessions(async::Event& stopping);
  async::Task<void> read_again(std::string path);
  void watch_tables();

  Options options_;
  service::Log* log_ = nullptr;
  std::string site_directory_;
  std::unique_ptr<StubDns> dns_;
  std::unique_ptr<route::FileTable> routes_;
  std::unique_ptr<route::FileTable> logins_;
  std::unique_ptr<async::FileWatch> watch_;
  std::unique_ptr<Destinations> destinations_;
  std::unique_ptr<Connections> connections_;
  std::unique_ptr<RelayedReports> reports_;
  std::unique_ptr<Counters> counters_;
  queue::IdSource ids_;
  session::SmtpSessions sessions_;
  async::Scope reading_;
};

}  // namespace posthorn::relayd
