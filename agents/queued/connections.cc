#include "agents/queued/connections.h"

#include "libmail/async/loop.h"

namespace posthorn::queued {

Connections::~Connections() = default;

session::SmtpClient* Connections::take(const async::Endpoint& to) {
  std::vector<Kept>& kept = idle_clients_[to.text()];
  while (!kept.empty()) {
    session::SmtpClient* client = kept.back().client;
    kept.pop_back();
    if (client->connected()) return client;
    clients_.erase(client);
  }
  session::SmtpClientOptions options;
  options.core.name = name_;
  auto client = std::make_unique<session::SmtpClient>(
      session::NextHop(smtp::ClientDialect::lmtp, to), std::move(options));
  session::SmtpClient* made = client.get();
  clients_.emplace(made, std::move(client));
  return made;
}

void Connections::release(session::SmtpClient* client) {
  if (!client->connected()) {
    clients_.erase(client);
    return;
  }
  Kept kept;
  kept.client = client;
  kept.since = async::Loop::current().now();
  idle_clients_[client->hop().endpoint.text()].push_back(kept);
}

void Connections::close_idle(MonoTime now) {
  for (auto& [endpoint, kept] : idle_clients_) {
    std::size_t old = 0;
    while (old < kept.size() && kept[old].since + idle_ <= now) ++old;
    for (std::size_t i = 0; i < old; ++i) clients_.erase(kept[i].client);
    kept.erase(kept.begin(), kept.begin() + static_cast<std::ptrdiff_t>(old));
  }
}

void Connections::close_all() {
  for (auto& [client, owned] : clients_) client->close();
}

}  // namespace posthorn::queued
