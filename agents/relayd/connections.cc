#include "agents/relayd/connections.h"

#include <fmt/format.h>

#include <algorithm>

#include "libmail/async/loop.h"
#include "libmail/base/text.h"

namespace posthorn::relayd {

using async::Deadline;
using async::Task;
using session::SmtpClient;
using smtp::EnhancedStatus;
using smtp::Status;

namespace {

constexpr std::size_t max_resting = 10000;

MonoTime now() {
  return async::Loop::current().now();
}

// Kept connections are shared only by what would have opened them in the same way.
std::string key_for(const Destination& destination, const Target& target, Security security) {
  const std::string user = destination.login ? destination.login->user : std::string();
  return fmt::format("{} {} {} {} {} {}", target.hop.text(), target.name,
                     static_cast<int>(security), destination.implicit_tls, destination.xforward,
                     user);
}

}  // namespace

smtp::TlsLevel tls_level(Security security) {
  switch (security) {
    case Security::off:
      return smtp::TlsLevel::never;
    case Security::opportunistic:
      return smtp::TlsLevel::opportunistic;
    case Security::required:
    case Security::verified:
      break;
  }
  return smtp::TlsLevel::required;
}

Lease& Lease::operator=(Lease&& other) noexcept {
  release();
  owner_ = other.owner_;
  place_ = std::move(other.place_);
  key_ = std::move(other.key_);
  client_ = std::move(other.client_);
  return *this;
}

void Lease::release() {
  if (client_ != nullptr) owner_->give_back(std::move(place_), std::move(key_), std::move(client_));
}

Connections::Connections(service::Metrics& metrics)
    : opened_(metrics.counter("posthorn_relayd_connections_total", "connections to other hosts",
                              "result=\"opened\"")),
      reused_(metrics.counter("posthorn_relayd_connections_total", "connections to other hosts",
                              "result=\"reused\"")),
      failed_(metrics.counter("posthorn_relayd_connections_total", "connections to other hosts",
                              "result=\"failed\"")) {
  metrics.gauge("posthorn_relayd_connections", "connections that are open",
                [this] { return static_cast<double>(open()); });
}

Connections::~Connections() = default;

std::size_t Connections::open() const {
  std::size_t count = 0;
  for (const auto& [place, number] : open_) count += number;
  return count;
}

session::SmtpClientOptions Connections::client_options(const Destination& destination,
                                                       const Target& target,
                                                       Security security) const {
  session::SmtpClientOptions options;
  options.core.name = options_.hostname;
  options.core.remote_name = target.name;
  options.core.remote_address = target.address;
  options.core.tls = tls_level(security);
  options.core.login = destination.login;
  options.core.xforward = destination.xforward;
  options.implicit_tls = destination.implicit_tls;
  options.tls_context =
      security == Security::verified ? options_.good_certificate : options_.any_certificate;
  options.tls_name = target.name;
  options.source_address = options_.source_address;
  options.timeouts = options_.timeouts;
  return options;
}

Task<Result<Lease, Status>> Connections::get(const Destination& destination, const Target& target,
                                             Security at_least, Deadline deadline) {
  const Security wanted = destination.security.value_or(options_.security);
  const Security security = std::max(wanted, at_least);
  const std::string place = target.hop.text();
  const std::string key = key_for(destination, target, security);
  if (auto kept = take_idle(place, key)) {
    reused_.add();
    co_return Lease(*this, place, key, std::move(kept));
  }
  const auto count = open_.find(place);
  const bool used_up = count != open_.end() && count->second >= options_.per_host;
  if (used_up && !drop_one_idle(place)) {
    co_return fail(Status(
        EnhancedStatus(4, 4, 5),
        fmt::format("our {} connections to {} are all in use", options_.per_host, target.name)));
  }
  ++open_[place];
  Lease lease(
      *this, place, key,
      std::make_unique<SmtpClient>(target.hop, client_options(destination, target, security)));
  born_[&*lease] = now();
  const auto opened = co_await lease->open(deadline);
  if (!opened) {
    failed_.add();
    note_rest(place);
    co_return fail(opened.error());
  }
  opened_.add();
  resting_.erase(place);
  if (target.by_mx && iequals(lease->core().server_name(), options_.hostname)) {
    lease->close();
    co_return fail(Status(EnhancedStatus(5, 4, 6),
                          fmt::format("mail loops back to us: {}[{}] calls itself {}", target.name,
                                      target.address, options_.hostname)));
  }
  co_return lease;
}

std::unique_ptr<SmtpClient> Connections::take_idle(const std::string& place,
                                                   const std::string& key) {
  for (std::size_t i = idle_.size(); i > 0; --i) {
    Idle& one = idle_[i - 1];
    if (one.key != key) continue;
    std::unique_ptr<SmtpClient> client = std::move(one.client);
    idle_.erase(idle_.begin() + static_cast<std::ptrdiff_t>(i) - 1);
    const auto born = born_.find(client.get());
    const bool old = born == born_.end() || now() - born->second > options_.life_time;
    if (client->connected() && !old) return client;
    born_.erase(client.get());
    forget(place);
  }
  return nullptr;
}

void Connections::give_back(std::string place, std::string key,
                            std::unique_ptr<SmtpClient> client) {
  const bool useful = client->connected() && client->transactions() < options_.transactions;
  if (!useful || idle_.size() >= options_.kept) {
    born_.erase(client.get());
    forget(place);
    return;
  }
  idle_.emplace_back(std::move(place), std::move(key), std::move(client), now());
  if (!timer_.is_set()) timer_.set(Deadline::in(options_.idle_time), [this] { drop_old(); });
}

void Connections::forget(const std::string& place) {
  const auto count = open_.find(place);
  check(count != open_.end() && count->second > 0, "a connection is given back twice");
  if (--count->second == 0) open_.erase(count);
}

// An idle connection of another kind (other security, other login) makes room for one that is needed.
bool Connections::drop_one_idle(const std::string& place) {
  const auto found =
      std::find_if(idle_.begin(), idle_.end(), [&](const Idle& one) { return one.place == place; });
  if (found == idle_.end()) return false;
  born_.erase(found->client.get());
  idle_.erase(found);
  forget(place);
  return true;
}

void Connections::drop_old() {
  const MonoTime limit = now() - options_.idle_time;
  while (!idle_.empty() && idle_.front().since <= limit) {
    const std::string place = idle_.front().place;
    born_.erase(idle_.front().client.get());
    idle_.pop_front();
    forget(place);
  }
  if (!idle_.empty())
    timer_.set(Deadline::at(idle_.front().since + options_.idle_time), [this] { drop_old(); });
}

void Connections::note_rest(const std::string& place) {
  if (resting_.size() >= max_resting) resting_.clear();
  resting_[place] = now() + options_.rest_time;
}

bool Connections::is_resting(const Target& target) const {
  const auto found = resting_.find(target.hop.text());
  return found != resting_.end() && found->second > now();
}

Task<void> Connections::stop() {
  timer_.clear();
  while (!idle_.empty()) {
    Idle one = std::move(idle_.back());
    idle_.pop_back();
    co_await one.client->quit(Deadline::in(std::chrono::seconds(1)));
    born_.erase(one.client.get());
    forget(one.place);
  }
}

}  // namespace posthorn::relayd
