// Dynamic update (RFC 2136): what a message asks for, whether the asker may, and the new version.
// TSIG has been verified before, and the journal is written after, by the caller.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "libdns/wire/message.h"
#include "libdns/zone/serial.h"
#include "libdns/zone/zone.h"

namespace posthorn::dns {

// Who may change what.
struct Grant {
  enum class Match : std::uint8_t {
    self,       // the name of the key itself; `name` doesn't matter
    exact,      // `name`
    subdomain,  // `name` and all below it
    wildcard,   // what the wildcard `name` ("*.dyn.example.org") matches, at any depth, itself not
  };
  Name key;  // of the TSIG that signed the message
  Match match = Match::subdomain;
  Name name;
  // ANY stands for all; none given: all but NS, DS, DNAME, SOA and what belongs to signing.
  std::vector<Type> types;
  Grant() = default;
  Grant(Name k, Match m, Name n, std::vector<Type> t = {})
      : key(std::move(k)), match(m), name(std::move(n)), types(std::move(t)) {}
};
[[nodiscard]] bool allows(const Grant& grant, const Name& key, const Name& name, Type type);

struct UpdateContext {
  std::optional<Name> key;  // of a verified TSIG
  bool trusted = false;     // a local administrator: no grant needed
  std::span<const Grant> grants;
  SerialPolicy serial_policy = SerialPolicy::increment;
  std::uint64_t now = 0;                // seconds since 1970
  std::size_t max_updates = 1000;       // RRs in the update section
  std::size_t max_records = 5'000'000;  // of the zone afterwards
};

struct UpdateRefusal {
  Rcode rcode = Rcode::formerr;
  std::string reason;  // "prerequisite: www.example.org A exists"; safe to print
  UpdateRefusal() = default;
  UpdateRefusal(Rcode r, std::string why) : rcode(r), reason(std::move(why)) {}
};

// `message` is a request with opcode UPDATE. Order as in RFC 2136 3: zone section, prerequisites,
// prescan, permission, update: all of it or nothing. Who has no grant at all is refused before the
// prerequisites, which would tell what is in the zone. Without a change the version has no zone:
// success, and nothing to publish. Types that the server makes itself in a signed zone (RRSIG,
// NSEC, NSEC3) are refused to all.
[[nodiscard]] Result<ZoneVersion, UpdateRefusal> apply_update(std::shared_ptr<const Zone> zone,
                                                              const MessageView& message,
                                                              const UpdateContext& context);

}  // namespace posthorn::dns
