// RRsets (RFC 2181 5): the records of one name and type, which are sent, cached and signed together.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/message.h"

namespace posthorn::dns {

// RDATA stands as octets that are their own context: names written out, as rdata_from_wire() reads.
struct RrSet {
  Name owner;
  Type type = Type::a;
  Class klass = Class::in;
  std::uint32_t ttl = 0;                // seconds; of different ones the least
  std::vector<std::string> rdata;       // in the order they came, none twice
  std::vector<std::string> signatures;  // RDATA of the RRSIGs that cover the set

  RrSet() = default;
  RrSet(Name name, Type of, std::uint32_t seconds)
      : owner(std::move(name)), type(of), ttl(seconds) {}
  [[nodiscard]] bool empty() const { return rdata.empty(); }
  // The records, without the signatures. `rdata` was read before, so this can't fail.
  [[nodiscard]] std::vector<Record> records() const;
  [[nodiscard]] std::vector<Record> signature_records() const;
  // Adds the octets unless they are there.
  void add(std::string octets);
  bool operator==(const RrSet&) const = default;
};

enum class Signatures : bool { omit, include };

// The section's records put together, each set where its first record stood. RRSIGs go to the set
// that they cover; those that cover none are dropped, as are OPT and TSIG.
[[nodiscard]] std::vector<RrSet> collect_rrsets(std::span<const RecordView> section);

}  // namespace posthorn::dns
