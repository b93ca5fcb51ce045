// One zone at one moment. A version never changes: who looks up holds a shared_ptr to it and locks
// nothing; who changes the zone makes a new version with ZoneEditor.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libdns/zone/node.h"

namespace posthorn::dns {

enum class Denial : std::uint8_t { none, nsec, nsec3 };

class Zone {
 public:
  [[nodiscard]] const Name& origin() const { return origin_; }
  [[nodiscard]] const Soa& soa() const { return soa_; }
  [[nodiscard]] std::uint32_t serial() const { return soa_.serial; }
  [[nodiscard]] const RrSet& soa_set() const { return *soa_set_; }
  // The SOA as a negative answer has it: TTL = the lesser of its own and `minimum` (RFC 2308 3).
  [[nodiscard]] const RrSet& negative_soa_set() const { return negative_soa_; }
  // A DNSKEY at the apex that signed something there. Signatures aren't verified.
  [[nodiscard]] bool is_signed() const { return is_signed_; }
  // How a signed zone proves what isn't there; none if it has no chain, or NSEC3 with more
  // iterations than max_nsec3_iterations.
  [[nodiscard]] Denial denial() const { return denial_; }
  [[nodiscard]] const Nsec3param& nsec3_parameters() const { return nsec3_parameters_; }

  // Null if the name has no records (it may exist all the same: see exists()). NSEC3 records are
  // no names of the zone (RFC 5155 7.2.8) and stand in nsec3_nodes().
  [[nodiscard]] const ZoneNode* find(const Name& name) const;
  [[nodiscard]] const RrSet* find(const Name& name, Type type) const;
  // True for names that have records and for empty non-terminals.
  [[nodiscard]] bool exists(const Name& name) const;
  // The delegation that the name lies at or below, null if the zone itself speaks for the name.
  [[nodiscard]] const ZoneNode* cut_above(const Name& name) const;

  [[nodiscard]] const NodeTree& nodes() const { return nodes_; }
  [[nodiscard]] const NodeTree& nsec3_nodes() const { return nsec3_; }
  [[nodiscard]] NodeKey key(const Name& name) const { return NodeKey(name, origin_labels_); }
  // Whether there is any delegation or DNAME; if not, look_up() needn't search for one.
  [[nodiscard]] bool has_cuts() const { return cuts_ != 0; }
  // Whether any name has a label "*".
  [[nodiscard]] bool has_wildcards() const { return wildcards_ != 0; }
  // RRs, signatures included.
  [[nodiscard]] std::size_t record_count() const { return records_; }
  // Octets of RDATA and owner names: what a transfer takes, uncompressed, about.
  [[nodiscard]] std::size_t octet_count() const { return octets_; }
  // All sets in canonical order, SOA first, NSEC3 last.
  void for_each(const std::function<void(const RrSet&)>& visit) const;
  // The same records with the same TTLs.
  bool operator==(const Zone& other) const;

 private:
  friend class ZoneEditor;
  Zone() = default;
  Name origin_;
  std::size_t origin_labels_ = 0;
  NodeTree nodes_;
  NodeTree nsec3_;
  Soa soa_;
  const RrSet* soa_set_ = nullptr;  // in nodes_
  RrSet negative_soa_;
  bool is_signed_ = false;
  Denial denial_ = Denial::none;
  Nsec3param nsec3_parameters_;
  std::size_t cuts_ = 0;
  std::size_t wildcards_ = 0;
  std::size_t records_ = 0;
  std::size_t octets_ = 0;
};

inline constexpr std::uint16_t max_nsec3_iterations = 150;  // RFC 9276 3.2 would have 0
// RRs of one name and type. More don't fit into any message, whatever they are.
inline constexpr std::size_t max_set_records = 5000;

// What changed from one version to the next. The parts are fragments of sets: `rdata` are RRs of the
// set's type, `signatures` RRSIGs; either may be empty. A changed TTL removes and adds the whole.
// SOA RRs are in old_soa and new_soa, their RRSIGs in a part of type SOA.
struct ZoneDifference {
  RrSet old_soa;  // without signatures
  RrSet new_soa;
  std::vector<RrSet> removed;
  std::vector<RrSet> added;
  [[nodiscard]] std::uint32_t from() const;
  [[nodiscard]] std::uint32_t to() const;
  [[nodiscard]] bool empty() const {
    return removed.empty() && added.empty() && old_soa == new_soa;
  }
  bool operator==(const ZoneDifference&) const = default;
};
// Between any two zones of one origin: what a file that was read again has changed.
[[nodiscard]] ZoneDifference difference_between(const Zone& before, const Zone& after);

struct ZoneVersion {
  std::shared_ptr<const Zone> zone;
  ZoneDifference difference;  // to the version the editor began with; empty if there was none
};

enum class EditFault {
  outside_zone,
  not_internet,   // class other than IN
  metatype,       // OPT, TSIG, ANY ...: no zone has them
  misplaced_soa,  // SOA not at the apex
  too_many_records,
  no_soa,          // at the end
  several_soas,    // at the end
  does_not_apply,  // a difference removes what isn't there or adds what is
};
[[nodiscard]] std::string_view to_string(EditFault fault);

// Makes a version of a zone, from the one before or from nothing. Changes are seen by find() at
// once and by others with commit(). Not for two threads.
class ZoneEditor {
 public:
  explicit ZoneEditor(Name origin);
  explicit ZoneEditor(std::shared_ptr<const Zone> previous);

  // An RRSIG goes to the set it covers, which may come later; one whose set never comes is dropped
  // by commit(). A different TTL is taken over by the whole set: the least wins in a new zone
  // (RFC 2181 5.2), the last in an update (RFC 2136 3.4.2.2). Adding what is there does nothing.
  [[nodiscard]] Result<void, EditFault> add(const Record& record);
  [[nodiscard]] Result<void, EditFault> add(const RrSet& part);
  // Takes the place of the whole set, signatures included. An empty set removes.
  [[nodiscard]] Result<void, EditFault> put(RrSet set);
  // True if it was there. The TTL doesn't matter.
  bool remove(const Name& owner, const Rdata& data);
  bool remove_set(const Name& owner, Type type);
  bool remove_name(const Name& owner);
  // Takes one version's difference over: the edited zone must be what it starts from.
  [[nodiscard]] Result<void, EditFault> apply(const ZoneDifference& difference);
  // Needs a SOA.
  void set_serial(std::uint32_t serial);

  [[nodiscard]] const Name& origin() const { return origin_; }
  // As edited so far; the pointers last until the next change.
  [[nodiscard]] const ZoneNode* find(const Name& owner) const;
  [[nodiscard]] const RrSet* find(const Name& owner, Type type) const;
  [[nodiscard]] std::size_t record_count() const { return records_; }

  // The editor is used up.
  [[nodiscard]] Result<ZoneVersion, EditFault> commit();

 private:
  enum class TtlRule { least, last };
  struct Edit {
    Name owner;
    ZoneNode node;  // sets may be empty, and have signatures without records
  };
  using Edits = std::map<std::string, Edit, std::less<>>;
  [[nodiscard]] Result<void, EditFault> may_add(const Name& owner, Class klass, Type type) const;
  [[nodiscard]] Edits& edits_for(Type type) { return type == Type::nsec3 ? nsec3_edits_ : edits_; }
  [[nodiscard]] const ZoneNode* current(const Name& owner, Type type) const;
  Edit& touch(const Name& owner, Type type);
  RrSet& touch_set(const Name& owner, Type type);
  [[nodiscard]] Result<void, EditFault> add_octets(const Name& owner, Type type, std::uint32_t ttl,
                                                   std::string octets);
  [[nodiscard]] Result<void, EditFault> add_signature(const Name& owner, Type covered,
                                                      std::uint32_t ttl, std::string octets);
  bool remove_octets(const Name& owner, Type type, const std::string& octets);
  bool remove_signature(const Name& owner, Type covered, const std::string& octets);
  void settle(Edits& edits, const NodeTree* before, Zone& zone, ZoneDifference& difference);
  [[nodiscard]] Result<void, EditFault> describe(Zone& zone) const;

  Name origin_;
  std::size_t origin_labels_;
  std::shared_ptr<const Zone> previous_;
  TtlRule ttl_rule_;
  Edits edits_;
  Edits nsec3_edits_;
  std::size_t records_ = 0;
};

}  // namespace posthorn::dns
