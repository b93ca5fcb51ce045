// A client that comes through a load balancer: its first octets are the balancer's, and its addresses are the ones
// that they say (proxy_header.h).
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/stream.h"
#include "libmail/service/options.h"

namespace posthorn::service {

// How long a proxy may take for its header; it has all of it when it connects.
inline constexpr Duration proxy_header_time = std::chrono::seconds(5);

// The row "proxy-networks" of whoever listens for clients.
void describe_proxies(OptionTable& table, std::vector<std::string>& proxy_networks);
// Whether a connection from `peer` begins with a PROXY header. `proxy_networks`: networks, and "unix" for whoever may
// connect to a Unix socket of ours.
[[nodiscard]] bool is_proxy(const std::vector<std::string>& proxy_networks,
                            const async::Peer& peer);

// Reads the header. The stream that comes back has the client's addresses for its peer (its own, if the header names
// none), and what followed the header in it. An error is for the log; it is empty if the proxy closed before it said
// anything, as those do who only look whether we are there.
async::Task<Result<std::unique_ptr<async::Stream>, std::string>> meet_proxy(
    std::unique_ptr<async::Stream> stream, async::Deadline deadline);

}  // namespace posthorn::service
