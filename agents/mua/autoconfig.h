// What a domain says about its mail servers: SRV records (RFC 6186, RFC 8314) and the autoconfig file of Thunderbird
// and others. Sans I/O but for find_servers().
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "agents/mua/accounts.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"

namespace posthorn::mua {

struct FoundServer {
  std::string protocol;  // "imap", "pop3" or "submission"
  std::string host;
  std::uint16_t port = 0;
  TlsMode tls = TlsMode::implicit;
  std::string user;              // what to log in as, "" = nobody said
  std::string source;            // "SRV _imaps._tcp.example.org", or a URL
  std::uint16_t preference = 0;  // less is better, within its source
};

// The servers in a config-v1.1.xml; %EMAILADDRESS%, %EMAILLOCALPART% and %EMAILDOMAIN% filled in. Servers without TLS,
// with a protocol we don't speak, or with a host that is no domain are left out. Never fails; linear.
[[nodiscard]] std::vector<FoundServer> read_autoconfig(std::string_view xml,
                                                       const std::string& address,
                                                       const std::string& source);

struct Discovery {
  std::vector<FoundServer> servers;
  std::vector<std::string> remarks;  // what was asked in vain
};
struct DiscoverOptions {
  std::string dns_server;         // "" = those of the system
  std::vector<std::string> urls;  // of autoconfig files; empty = where the domain would have them
  std::string ca_file;
  Duration timeout = std::chrono::seconds(10);
};
// Asks all at once. `address` is one that parse_mailbox() takes.
async::Task<Discovery> find_servers(std::string address, DiscoverOptions options);

// The best of a protocol: TLS from the first octet, then STARTTLS; SRV before autoconfig. Null if there is none.
[[nodiscard]] const FoundServer* best_server(const std::vector<FoundServer>& servers,
                                             std::string_view protocol);
// An [accounts.NAME] table.
[[nodiscard]] std::string account_toml(const std::string& address,
                                       const std::vector<FoundServer>& servers);

}  // namespace posthorn::mua
