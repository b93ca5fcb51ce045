// Which NSEC or NSEC3 records a signed zone sends to prove what isn't there (RFC 4035 3.1.3, RFC 5155
// 7.2). Inside libdns/zone.
#pragma once

#include "libdns/zone/lookup.h"

namespace posthorn::dns {

// Where a name is in the zone, or would be.
struct ZonePlace {
  const ZoneNode* node = nullptr;   // null if the name has no records
  std::size_t encloser_labels = 0;  // of the closest ancestor-or-self that exists
  bool exists = false;
};
[[nodiscard]] ZonePlace locate(const Zone& zone, const NodeKey& key);

// A question's name with all that is known of it.
struct LocatedName {
  const Name& name;
  const NodeKey& key;
  const ZonePlace& place;
};

// Adds sets to the authority section, none twice. For zones whose denial() isn't none.
class Proofs {
 public:
  Proofs(const Zone& zone, ZoneAnswer& answer) : zone_(zone), answer_(answer) {}
  void no_type(const LocatedName& at);
  void no_name(const LocatedName& at);
  // An answer, or no type, from the wildcard below the closest encloser.
  void wildcard_answer(const LocatedName& at);
  void wildcard_no_type(const LocatedName& at, const ZoneNode* wildcard);
  // A delegation without DS.
  void no_ds(const ZoneNode& delegation);

 private:
  void add(const RrSet* set);
  // The NSEC of the name, or the one that covers it.
  void add_nsec(std::string_view key);
  [[nodiscard]] const RrSet* nsec3_match(const Name& name) const;
  void add_nsec3_covering(const Name& name);
  // NSEC3 of the closest ancestor of `name` that has one, of `labels` labels below the origin or
  // fewer, and the one that covers the next closer name. Gives the ancestor.
  Name closest_encloser(const Name& name, std::size_t labels);
  [[nodiscard]] std::string wildcard_key(const LocatedName& at) const;
  const Zone& zone_;
  ZoneAnswer& answer_;
};

// `name` without its first labels, so that `labels` are left.
[[nodiscard]] Name ancestor_of(const Name& name, std::size_t labels);

}  // namespace posthorn::dns
