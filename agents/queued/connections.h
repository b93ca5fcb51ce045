// Connections to delivery agents, kept between transactions.
#pragma once

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "libmail/session/smtp_client.h"

namespace posthorn::queued {

class Connections {
 public:
  // `name`: what we say in LHLO.
  Connections(std::string name, Duration idle) : name_(std::move(name)), idle_(idle) {}
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

  // One that is connected, or a new one that is not yet. The caller uses it alone until release().
  [[nodiscard]] session::SmtpClient* take(const async::Endpoint& to);
  // Keeps it if it can be used again.
  void release(session::SmtpClient* client);
  void close_idle(MonoTime now);
  // Ends them all: whoever waits for a reply gets a 4.4.2 status at once.
  void close_all();
  [[nodiscard]] std::size_t size() const { return clients_.size(); }

 private:
  struct Kept {
    session::SmtpClient* client = nullptr;
    MonoTime since{};
  };
  std::string name_;
  Duration idle_;
  std::map<session::SmtpClient*, std::unique_ptr<session::SmtpClient>> clients_;
  std::map<std::string, std::vector<Kept>> idle_clients_;  // by endpoint, the latest last
};

}  // namespace posthorn::queued
