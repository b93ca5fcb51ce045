// What of a reply may be believed, and what it means. Pure; runs on every packet from others before
// anything of it is used or cached.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libdns/cache/cache.h"
#include "libdns/wire/message.h"
#include "libdns/wire/rrset.h"

namespace posthorn::dns {

// Whom the packet comes from.
struct Source {
  Name zone;                    // the zone it was asked as a server of; nothing outside is believed
  bool forwarder = false;       // it asks others for us, and is no authority itself
  bool private_allowed = true;  // addresses of inner networks may be in answers
  bool loopback_servers = false;  // glue may point at 127/8 and the like
  Source() = default;
  explicit Source(Name of) : zone(std::move(of)) {}
};

enum class Meaning : std::uint8_t {
  answer,    // the set that was asked for, perhaps behind aliases
  alias,     // aliases only; ask on for `last`
  nodata,    // `last` has no such type
  nxdomain,  // `last` doesn't exist
  referral,  // ask the servers of `delegation`
  lame,      // isn't the authority it should be
  failed,    // its rcode says so
  unusable,  // contradicts itself
};
[[nodiscard]] std::string_view to_string(Meaning meaning);

struct Scrubbed {
  Meaning meaning = Meaning::unusable;
  Rcode rcode = Rcode::noerror;
  bool authoritative = false;
  // Aliases in the order they lead on, then what was asked for. The owner of each is written as it
  // was asked for. A CNAME that a DNAME stands for comes behind it and has no signature.
  std::vector<RrSet> answer;
  Name last;                       // where the aliases end
  std::vector<RrSet> authority;    // SOA, NSEC and NSEC3 of the zone
  std::uint32_t negative_ttl = 0;  // RFC 2308 5; 0 without SOA: don't keep
  Delegation delegation;           // expires isn't set
  std::uint32_t delegation_ttl = 0;
  std::string why;     // lame, unusable: what is wrong with it
  std::string server;  // who said it; scrub() leaves it empty
};

inline constexpr std::size_t max_scrubbed_aliases = 11;
inline constexpr std::size_t max_delegation_hosts = 13;
inline constexpr std::size_t max_scrubbed_proofs = 20;  // SOA, NSEC and NSEC3 sets
inline constexpr std::size_t max_glue_each = 4;         // of one host and family

[[nodiscard]] Scrubbed scrub(const MessageView& reply, const Question& asked, const Source& source);
// The root's name servers from their answer to "NS ." (RFC 9609 3.2): the delegation of the root
// and its TTL; no hosts if it is no such answer.
[[nodiscard]] Scrubbed scrub_priming(const MessageView& reply, const Source& source);

// What `name` becomes by a DNAME of `owner` (RFC 6672 2.2); nothing if it gets too long.
[[nodiscard]] std::optional<Name> substitute(const Name& name, const Name& owner,
                                             const Name& target);

}  // namespace posthorn::dns
