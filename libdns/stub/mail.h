// Where mail for a domain goes (RFC 5321 5.1, RFC 7505, RFC 2181 10.3).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libdns/stub/resolver.h"

namespace posthorn::dns {

// A host that the domain names, in the order in which to try.
struct MailHost {
  enum class State {
    usable,      // has an address
    no_address,  // certain: neither A nor AAAA, or no such name; skip it and log it
    unanswered,  // nobody could say; skip it now, it counts as trouble that may pass
  };
  Name name;  // as in the MX record; the certificate's name, whatever aliases say
  std::uint16_t preference = 0;  // less is tried first
  State state = State::unanswered;
  std::vector<std::string> addresses;  // literals, IPv6 before IPv4
  bool is_alias = false;  // the name is a CNAME, which RFC 2181 10.3 forbids: followed, to be
                          // logged as the zone's fault
  Security security = Security::unavailable;  // of its addresses and of the MX records together
  std::string reason;                         // one line; for the log when it is skipped
  MailHost() = default;
  MailHost(Name host, std::uint16_t pref) : name(std::move(host)), preference(pref) {}
};

struct MailRoute {
  enum class Outcome {
    hosts,           // at least one host is usable
    null_mx,         // the domain takes no mail: 5.1.10 (RFC 7505 3)
    no_such_domain,  // NXDOMAIN: 5.1.2
    no_addresses,    // it exists, but no host of it has an address: 5.4.4
    try_later,       // no answer, or one that can't be believed: 4.4.3
  };
  Outcome outcome = Outcome::try_later;
  std::vector<MailHost>
      hosts;    // all that were named, unusable ones too; equal preferences in random order
  Name domain;  // where the aliases of the domain led to (RFC 5321 5.1: "as if the initial name")
  bool implicit = false;                      // no MX record: the domain itself is the host
  Security security = Security::unavailable;  // of the MX answer
  std::string reason;  // one line, for the log and the reply, whatever the outcome
};
[[nodiscard]] std::string_view to_string(MailRoute::Outcome outcome);

enum class Families { both, ipv4, ipv6 };

// At most so many hosts of a domain are looked at, the best preferences first; nobody needs more,
// and a zone with a thousand must not keep us busy.
inline constexpr std::size_t max_mail_hosts = 16;
inline constexpr std::size_t max_addresses_per_host = 16;

// `domain` is what stands behind the @, in ASCII (A-labels), no address literal. Addresses of all
// hosts are asked for at once. `resolver` outlives the task.
async::Task<MailRoute> find_mail_hosts(Resolver& resolver, Name domain, async::Deadline deadline,
                                       Families families = Families::both);
// Addresses of one host by name: a smart host, whose MX nobody asks.
async::Task<MailHost> find_host(Resolver& resolver, Name host, async::Deadline deadline,
                                Families families = Families::both);

}  // namespace posthorn::dns
