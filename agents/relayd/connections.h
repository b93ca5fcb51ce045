// Connections to other hosts: kept for a while, counted per host, and a memory of hosts that did not answer.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>

#include "agents/relayd/destination.h"
#include "libmail/async/timer.h"
#include "libmail/service/metrics.h"
#include "libmail/session/smtp_client.h"

namespace posthorn::relayd {

struct ConnectionOptions {
  std::string hostname;                         // ours, for EHLO
  Security security = Security::opportunistic;  // where the route names none
  std::string source_address;                   // "" = the kernel's choice
  std::size_t per_host = 20;                    // open at once to one address, kept ones included
  std::size_t kept = 100;                       // idle ones in all
  Duration idle_time = std::chrono::seconds(10);
  Duration life_time = std::chrono::minutes(5);  // an older connection is not used again
  std::uint64_t transactions = 100;              // nor one that has done so many
  Duration rest_time = std::chrono::minutes(1);  // a host that did not answer is tried last
  session::SmtpClientTimeouts timeouts;
  std::shared_ptr<tls::ClientContext> any_certificate;
  std::shared_ptr<tls::ClientContext> good_certificate;

  ConnectionOptions() = default;
};

class Connections;

// A connection in use. Gives it back, or its place if it can't be used again, when it dies.
class Lease {
 public:
  Lease() = default;
  Lease(Connections& owner, std::string place, std::string key,
        std::unique_ptr<session::SmtpClient> client)
      : owner_(&owner),
        place_(std::move(place)),
        key_(std::move(key)),
        client_(std::move(client)) {}
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&& other) noexcept;
  ~Lease() { release(); }

  explicit operator bool() const { return client_ != nullptr; }
  session::SmtpClient* operator->() const { return client_.get(); }
  session::SmtpClient& operator*() const { return *client_; }
  void release();

 private:
  Connections* owner_ = nullptr;
  std::string place_;
  std::string key_;
  std::unique_ptr<session::SmtpClient> client_;
};

class Connections {
 public:
  Connections(service::Metrics& metrics);
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  void configure(ConnectionOptions options) { options_ = std::move(options); }
  [[nodiscard]] const ConnectionOptions& options() const { return options_; }

  // A connection to `target` that is open and can take a message; `security` is at least what the destination says.
  // Errors: 4.4.5 our share of the host is in use; what SmtpClient::open() says; 5.4.6 the host is we.
  async::Task<Result<Lease, smtp::Status>> get(const Destination& destination, const Target& target,
                                               Security at_least, async::Deadline deadline);
  // It did not answer lately.
  [[nodiscard]] bool is_resting(const Target& target) const;
  // Says goodbye to all that are idle.
  async::Task<void> stop();

  [[nodiscard]] std::size_t idle() const { return idle_.size(); }
  [[nodiscard]] std::size_t open() const;

 private:
  friend class Lease;
  struct Idle {
    std::string place;
    std::string key;
    std::unique_ptr<session::SmtpClient> client;
    MonoTime since;
    Idle(std::string p, std::string k, std::unique_ptr<session::SmtpClient> c, MonoTime s)
        : place(std::move(p)), key(std::move(k)), client(std::move(c)), since(s) {}
  };

  std::unique_ptr<session::SmtpClient> take_idle(const std::string& place, const std::string& key);
  void give_back(std::string place, std::string key, std::unique_ptr<session::SmtpClient> client);
  void forget(const std::string& place);
  bool drop_one_idle(const std::string& place);
  void drop_old();
  void note_rest(const std::string& place);
  [[nodiscard]] session::SmtpClientOptions client_options(const Destination& destination,
                                                          const Target& target,
                                                          Security security) const;

  ConnectionOptions options_;
  std::unordered_map<std::string, std::size_t> open_;  // by place, idle ones included
  std::unordered_map<std::string, MonoTime> resting_;  // until then
  std::unordered_map<const session::SmtpClient*, MonoTime> born_;
  std::deque<Idle> idle_;  // oldest first
  async::Timer timer_;
  service::Counter& opened_;
  service::Counter& reused_;
  service::Counter& failed_;
};

[[nodiscard]] smtp::TlsLevel tls_level(Security security);

}  // namespace posthorn::relayd
