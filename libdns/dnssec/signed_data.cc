#include "libdns/dnssec/signed_data.h"

#include <algorithm>

#include "libdns/wire/builder.h"

namespace posthorn::dns {

namespace {

bool begins_with_asterisk(const Name& name) {
  return name.wire().starts_with("\1*");
}

// Everything of the RRSIG's RDATA that stands before the signature.
void write_fields(Writer& writer, const Rrsig& signature) {
  writer.u16(static_cast<std::uint16_t>(signature.covered));
  writer.u8(signature.algorithm);
  writer.u8(signature.labels);
  writer.u32(signature.original_ttl);
  writer.u32(signature.expiration);
  writer.u32(signature.inception);
  writer.u16(signature.key_tag);
  writer.octets(signature.signer.folded().wire());
}

}  // namespace

std::vector<std::string> canonical_order(const RrSet& set) {
  std::vector<std::string> canonical;
  canonical.reserve(set.rdata.size());
  for (const std::string& octets : set.rdata) {
    const auto data = rdata_from_wire(set.type, octets);
    canonical.push_back(data ? canonical_rdata(*data) : octets);
  }
  // std::string compares octets as unsigned, a shorter one first: the order of RFC 4034 6.3.
  std::sort(canonical.begin(), canonical.end());
  canonical.erase(std::unique(canonical.begin(), canonical.end()), canonical.end());
  return canonical;
}

std::size_t rrsig_labels(const Name& owner) {
  return owner.label_count() - (begins_with_asterisk(owner) ? 1 : 0);
}

Name signed_owner(const Name& owner, std::size_t labels) {
  if (labels >= rrsig_labels(owner)) return owner;
  Name rest = owner;
  for (std::size_t left = owner.label_count(); left > labels; --left) rest = rest.parent();
  // At least one label was cut off, and none is shorter than "*".
  return rest.child("*").value_or(owner);
}

std::string signed_data(const Rrsig& signature, const Name& owner, Class klass,
                        std::span<const std::string> rdata) {
  Writer prefix;
  prefix.octets(signed_owner(owner, signature.labels).folded().wire());
  prefix.u16(static_cast<std::uint16_t>(signature.covered));
  prefix.u16(static_cast<std::uint16_t>(klass));
  prefix.u32(signature.original_ttl);
  Writer writer;
  write_fields(writer, signature);
  for (const std::string& octets : rdata) {
    writer.octets(prefix.out());
    writer.u16(static_cast<std::uint16_t>(octets.size()));
    writer.octets(octets);
  }
  return writer.take();
}

std::string signed_data(const Rrsig& signature, const RrSet& set) {
  return signed_data(signature, set.owner, set.klass, canonical_order(set));
}

}  // namespace posthorn::dns
