#include "libdns/dnssec/sign.h"

#include <algorithm>

#include "libdns/dnssec/signed_data.h"

namespace posthorn::dns {

namespace {

// What of a name's types its zone vouches for (RFC 4035 2.3).
TypeBitmap bitmap_of(const ChainName& name) {
  std::vector<Type> types{Type::rrsig, Type::nsec};
  for (const Type type : name.types) {
    if (!name.is_delegation || type == Type::ns || type == Type::ds) types.push_back(type);
  }
  return TypeBitmap(std::move(types));
}

template <class T, class Make>
RrSet of_entry_points(const Name& zone, std::span<const SigningKey> keys, std::uint32_t ttl,
                      const Make& make) {
  RrSet set(zone, T::type, ttl);
  for (const SigningKey& key : keys) {
    if ((key.dnskey().flags & Dnskey::secure_entry_point) != 0)
      set.add(rdata_to_wire(Rdata(T(make(key.dnskey())))));
  }
  return set;
}

}  // namespace

Rrsig make_signature(const RrSet& set, const Name& zone, const SigningKey& key, Validity validity) {
  Rrsig rrsig;
  rrsig.covered = set.type;
  rrsig.algorithm = key.algorithm();
  rrsig.labels = static_cast<std::uint8_t>(rrsig_labels(set.owner));
  rrsig.original_ttl = set.ttl;
  rrsig.expiration = validity.expiration;
  rrsig.inception = validity.inception;
  rrsig.key_tag = key.tag();
  rrsig.signer = zone;
  rrsig.signature = key.sign(signed_data(rrsig, set));
  return rrsig;
}

void sign(RrSet& set, const Name& zone, const SigningKey& key, Validity validity) {
  set.signatures.push_back(rdata_to_wire(Rdata(make_signature(set, zone, key, validity))));
}

void sign_anew(RrSet& set, const Name& zone, std::span<const SigningKey> keys, Validity validity) {
  set.signatures.clear();
  for (const SigningKey& key : keys) sign(set, zone, key, validity);
}

std::vector<RrSet> make_nsec_chain(std::span<const ChainName> names, std::uint32_t ttl) {
  std::vector<const ChainName*> chain;
  const ChainName* delegation = nullptr;  // the last one met
  for (const ChainName& name : names) {
    if (name.types.empty()) continue;
    if (delegation != nullptr && name.name.is_at_or_below(delegation->name)) continue;
    if (name.is_delegation) delegation = &name;
    chain.push_back(&name);
  }
  std::vector<RrSet> sets;
  sets.reserve(chain.size());
  for (std::size_t i = 0; i < chain.size(); ++i)
    sets.push_back(make_nsec(*chain[i], chain[(i + 1) % chain.size()]->name, ttl));
  return sets;
}

RrSet make_nsec(const ChainName& name, const Name& next, std::uint32_t ttl) {
  Nsec nsec;
  nsec.next = next;
  nsec.types = bitmap_of(name);
  RrSet set(name.name, Type::nsec, ttl);
  set.add(rdata_to_wire(Rdata(nsec)));
  return set;
}

RrSet make_cds(const Name& zone, std::span<const SigningKey> keys, std::uint32_t ttl,
               std::uint8_t digest_type) {
  return of_entry_points<Cds>(zone, keys, ttl, [&](const Dnskey& key) {
    Ds ds = make_ds(zone, key, digest_type);
    Cds cds;
    cds.key_tag = ds.key_tag;
    cds.algorithm = ds.algorithm;
    cds.digest_type = ds.digest_type;
    cds.digest = std::move(ds.digest);
    return cds;
  });
}

RrSet make_cdnskey(const Name& zone, std::span<const SigningKey> keys, std::uint32_t ttl) {
  return of_entry_points<Cdnskey>(zone, keys, ttl, [](const Dnskey& key) {
    Cdnskey cdnskey;
    cdnskey.flags = key.flags;
    cdnskey.protocol = key.protocol;
    cdnskey.algorithm = key.algorithm;
    cdnskey.key = key.key;
    return cdnskey;
  });
}

RrSet make_dnskeys(const Name& zone, std::span<const SigningKey> keys, std::uint32_t ttl) {
  RrSet set(zone, Type::dnskey, ttl);
  for (const SigningKey& key : keys) set.add(rdata_to_wire(Rdata(key.dnskey())));
  return set;
}

}  // namespace posthorn::dns
