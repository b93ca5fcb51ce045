#include "libmail/service/proxied.h"

#include <algorithm>

#include "libmail/service/networks.h"
#include "libmail/service/proxy_header.h"

namespace posthorn::service {

using async::Deadline;
using async::Task;

namespace {

constexpr std::string_view unix_word = "unix";

class ProxiedStream final : public async::Stream {
 public:
  ProxiedStream(std::unique_ptr<async::Stream> under, async::Peer peer, std::string_view rest)
      : under_(std::move(under)), peer_(std::move(peer)), rest_(rest) {}

  Task<Result<std::size_t, IoError>> read(async::Buffer& into, Deadline deadline) override {
    if (!rest_.empty()) {
      const std::size_t count = rest_.size();
      into.append(rest_);
      rest_ = std::string();
      co_return count;
    }
    auto count = co_await under_->read(into, deadline);
    co_return count;
  }
  Task<Result<void, IoError>> write(std::string_view octets, Deadline deadline) override {
    return under_->write(octets, deadline);
  }
  Task<void> shutdown(Deadline deadline) override { return under_->shutdown(deadline); }
  void close() override { under_->close(); }
  [[nodiscard]] const async::Peer& peer() const override { return peer_; }
  [[nodiscard]] bool has_pending() const override {
    return !rest_.empty() || under_->has_pending();
  }

 private:
  std::unique_ptr<async::Stream> under_;
  async::Peer peer_;
  std::string rest_;  // the client's first octets, that came with the header
};

async::Peer client_of(const ProxyHeader& header) {
  async::Peer peer;
  peer.kind = async::Peer::Kind::inet;
  peer.address = header.source;
  peer.port = header.source_port;
  peer.local_address = header.destination;
  peer.local_port = header.destination_port;
  return peer;
}

}  // namespace

void describe_proxies(OptionTable& table, std::vector<std::string>& proxy_networks) {
  table
      .add(
          "proxy-networks", proxy_networks,
          "load balancers: connections from these networks begin with a PROXY header, version 1 or "
          "2; \"unix\" = those to Unix sockets")
      .unit("network")
      .check_with([](const std::string& text) {
        if (text == unix_word) return std::string();
        auto parsed = Networks::parse({text});
        return parsed ? std::string() : parsed.error();
      });
}

bool is_proxy(const std::vector<std::string>& proxy_networks, const async::Peer& peer) {
  if (proxy_networks.empty()) return false;
  if (peer.kind == async::Peer::Kind::unix_socket) {
    return std::find(proxy_networks.begin(), proxy_networks.end(), unix_word) !=
           proxy_networks.end();
  }
  const auto address = parse_ip(peer.address);
  if (!address) return false;
  return std::any_of(proxy_networks.begin(), proxy_networks.end(),
                     [&address](const std::string& text) {
                       if (text == unix_word) return false;
                       const auto network = Networks::parse({text});
                       return network && network->contains(*address);
                     });
}

Task<Result<std::unique_ptr<async::Stream>, std::string>> meet_proxy(
    std::unique_ptr<async::Stream> stream, Deadline deadline) {
  async::Buffer input;
  std::string_view octets;
  auto header = take_proxy_header(octets);
  while (!header) {
    auto count = co_await stream->read(input, deadline);
    if (!count) co_return fail(count.error().text());
    if (*count == 0)
      co_return fail(std::string(input.empty() ? "" : "it closed inside its PROXY header"));
    octets = input.view();
    header = take_proxy_header(octets);
  }
  if (!*header) co_return fail(header->error());
  async::Peer peer = (*header)->has_addresses ? client_of(**header) : stream->peer();
  std::unique_ptr<async::Stream> client =
      std::make_unique<ProxiedStream>(std::move(stream), std::move(peer), octets);
  co_return std::move(client);
}

}  // namespace posthorn::service
