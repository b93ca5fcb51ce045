// The agents' way to DNS: asks a resolver (dnsd or any other), and says what kind of answer came.
//
//   dns::Resolver resolver(dns::ResolverOptions::from_system());
//   auto answer = co_await resolver.ask(name, dns::Type::a, deadline);
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/message.h"
#include "libdns/wire/security.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"

namespace posthorn::dns {

// What the answer says about the question.
enum class Presence {
  found,     // there are records of the type
  nodata,    // the name exists, the type doesn't (RFC 2308 2.2)
  nxdomain,  // the name doesn't exist
  unknown,   // bogus or unavailable
};
[[nodiscard]] std::string_view to_string(Presence presence);

struct Answer {
  Security security = Security::unavailable;
  Presence presence = Presence::unknown;
  Rcode rcode = Rcode::servfail;
  std::vector<Record> records;  // of the type asked, at `owner`
  Name owner;                   // the name asked, or where its aliases led to
  std::vector<Name> aliases;    // the CNAMEs' owners, from the name asked on; empty = no alias
  std::uint32_t ttl = 0;        // seconds; the least along the way
  std::string
      reason;  // one line for the log and the report: "example.org MX: NXDOMAIN from 127.0.0.1"
  std::optional<ExtendedError> extended_error;  // RFC 8914, if the resolver gave one

  [[nodiscard]] bool answered() const { return presence != Presence::unknown; }
};

struct Server {
  std::string address;  // literal IPv4 or IPv6; "" with a path
  std::uint16_t port = 53;
  std::string path;  // a Unix stream socket: DNS as over TCP
  Server() = default;
  Server(std::string at, std::uint16_t p = 53) : address(std::move(at)), port(p) {}
  [[nodiscard]] std::string text() const;  // "127.0.0.1:53", "[::1]:53", "unix:/run/dns.sock"
  bool operator==(const Server&) const = default;
};
// As parse_server_address(); no names.
[[nodiscard]] std::optional<Server> parse_server(std::string_view text);
// The `nameserver` lines of resolv.conf(5), three at most; 127.0.0.1 if there is none.
[[nodiscard]] std::vector<Server> parse_resolv_conf(std::string_view text);

struct ResolverOptions {
  std::vector<Server> servers;  // asked in this order
  // AD is believed only from a Unix socket, a loopback address and from these.
  std::vector<std::string> trusted;
  Duration try_time = std::chrono::seconds(2);  // for one server, doubled in each later round
  unsigned rounds = 2;                          // over all servers
  unsigned max_aliases = 11;                    // CNAMEs followed for one question
  ResolverOptions() = default;
  explicit ResolverOptions(std::vector<Server> to) : servers(std::move(to)) {}
  // Servers of /etc/resolv.conf. Reads the file: call it at start, before the agent locks itself
  // in.
  static ResolverOptions from_system();
};

// One for each loop. Destroying it while a question waits answers that question `unavailable`
// first; its task must still be joined by its owner.
class Resolver {
 public:
  explicit Resolver(ResolverOptions options);
  ~Resolver();
  Resolver(const Resolver&) = delete;
  Resolver& operator=(const Resolver&) = delete;

  // Records of one type at a name, aliases followed. Always answers, by `deadline` at the latest.
  async::Task<Answer> ask(Name name, Type type, async::Deadline deadline);

  [[nodiscard]] const ResolverOptions& options() const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

}  // namespace posthorn::dns
