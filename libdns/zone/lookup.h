// What a zone says to a question (RFC 1034 4.3.2, RFC 4592, RFC 6672, RFC 4035 3.1, RFC 5155 7.2).
#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "libdns/zone/zone.h"

namespace posthorn::dns {

// CNAMEs and DNAMEs followed inside one zone. A longer chain is given as far as this, and the asker
// may ask on.
inline constexpr std::size_t max_chain = 11;
// Names of MX, NS and SRV whose addresses are added.
inline constexpr std::size_t max_additional_names = 16;

// Points into the Zone, which must outlive it, and owns what was synthesised. Moving keeps the
// pointers right.
struct ZoneAnswer {
  enum class Kind : std::uint8_t {
    answer,    // something in the answer section, maybe only a chain of CNAMEs
    nodata,    // the name exists, the type doesn't; maybe behind a chain
    nxdomain,  // the last name of the chain doesn't exist
    referral,  // another zone speaks for it; maybe behind a chain
    outside,   // the name isn't in this zone at all: REFUSED
  };
  Kind kind = Kind::outside;
  Rcode rcode = Rcode::refused;
  bool authoritative = false;  // AA (RFC 1035 4.1.1): false for a bare referral
  // With dnssec_ok, all sets are to be sent with their signatures.
  std::vector<const RrSet*> answer;
  std::vector<const RrSet*> authority;
  std::vector<const RrSet*> additional;
  // So many of `additional`, from the begin, are glue without which a referral leads nowhere: if
  // they don't fit, set TC (RFC 9471 3.1).
  std::size_t required_additional = 0;
  // The answer ends in a CNAME to this name, of which this zone knows nothing (it's outside, or
  // below a delegation): another zone of the server may go on from here.
  std::optional<Name> next;
  std::vector<std::unique_ptr<RrSet>> synthesised;

  // Keeps the memory of the vectors.
  void clear();
};

// `zone` must be the closest one to the name that the server has; for DS at a zone's apex it is the
// zone above (RFC 4035 3.1.4.1). ANY gets one set (RFC 8482 4.1), RRSIG the name's signatures.
// Answers are minimal: no NS beside an answer.
[[nodiscard]] ZoneAnswer look_up(const Zone& zone, const Name& qname, Type qtype, bool dnssec_ok);
// The same into an answer that is used again and again.
void look_up(const Zone& zone, const Name& qname, Type qtype, bool dnssec_ok, ZoneAnswer& answer);

}  // namespace posthorn::dns
