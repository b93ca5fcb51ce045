#include "libdns/dnssec/denial.h"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <algorithm>
#include <memory>

#include "libdns/dnssec/proofs.h"
#include "libdns/wire/encoding.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t sha1_octets = 20;

// A proof that fails because a part of it wasn't good is told by that part.
Verdict explained(Verdict verdict, const Denials& denials) {
  return verdict.is_bogus() && denials.worst.is_bogus() ? denials.worst : verdict;
}

// Tries the one kind, then the other: zones have one, but change over.
template <class Ask>
auto by_any_proof(const Denials& denials, const Name& name, CryptoBudget& budget, const Ask& ask) {
  using Answer = decltype(ask(std::declval<NsecProofs&>()));
  Answer answer(not_proven(fmt::format("{}: {} has sent no NSEC and no NSEC3 of its own",
                                       name.text(), denials.zone.text())));
  const auto verdict_of = [](auto& of) -> Verdict& {
    if constexpr (std::is_same_v<Answer, Verdict>) {
      return of;
    } else {
      return of.verdict;
    }
  };
  if (!name.is_at_or_below(denials.zone)) {
    verdict_of(answer) =
        not_proven(fmt::format("{} is outside of the zone {}", name.text(), denials.zone.text()));
    return answer;
  }
  NsecProofs nsec(denials);
  if (!nsec.empty()) answer = ask(nsec);
  if (verdict_of(answer).is_bogus()) {
    Nsec3Proofs nsec3(denials, budget);
    if (!nsec3.empty()) answer = ask(nsec3);
  }
  verdict_of(answer) = explained(verdict_of(answer), denials);
  return answer;
}

}  // namespace

Bits judge(const TypeBitmap& types, Type type, const Name& name) {
  if (type == Type::any) return types.empty() ? Bits::denied : Bits::has_type;
  const bool is_apex = types.contains(Type::soa);
  if (type == Type::ds && is_apex && !name.is_root()) return Bits::wrong_side;
  if (type != Type::ds && is_delegation(types)) return Bits::wrong_side;
  if (types.contains(type) || types.contains(Type::cname)) return Bits::has_type;
  return Bits::denied;
}

bool is_delegation(const TypeBitmap& types) {
  return types.contains(Type::ns) && !types.contains(Type::soa);
}

bool hides_below(const TypeBitmap& types) {
  return is_delegation(types) || types.contains(Type::dname);
}

bool is_below(const Name& name, const Name& ancestor) {
  return name.is_at_or_below(ancestor) && name != ancestor;
}

Name last_labels(const Name& name, std::size_t count) {
  Name rest = name;
  for (std::size_t left = name.label_count(); left > count; --left) rest = rest.parent();
  return rest;
}

Name wildcard_of(const Name& encloser) {
  // An encloser has a name below it, so there is room for a label of one octet.
  return encloser.child("*").value_or(encloser);
}

Verdict not_proven(std::string why) {
  return Verdict(Security::bogus, EdeCode::nsec_missing, std::move(why));
}

Denials secure_denials(std::span<const RrSet> authority, const ZoneKeys& keys, std::uint32_t now,
                       CryptoBudget& budget) {
  Denials denials;
  denials.zone = keys.zone;
  std::size_t looked_at = 0;
  for (const RrSet& set : authority) {
    if (set.type != Type::nsec && set.type != Type::nsec3) continue;
    if (looked_at++ == budget.limits().denial_records) break;
    SetVerdict checked = check_rrset(set, keys, now, budget);
    if (!checked.verdict.is_secure()) {
      denials.worst = std::move(checked.verdict);
      continue;
    }
    denials.ttl = denials.sets.empty() ? checked.ttl : std::min(denials.ttl, checked.ttl);
    denials.sets.push_back(set);
  }
  return denials;
}

Verdict denies_name(const Denials& denials, const Name& name, CryptoBudget& budget) {
  return by_any_proof(denials, name, budget,
                      [&](auto& proofs) { return proofs.denies_name(name); });
}

Verdict denies_type(const Denials& denials, const Name& name, Type type, CryptoBudget& budget) {
  return by_any_proof(denials, name, budget,
                      [&](auto& proofs) { return proofs.denies_type(name, type); });
}

Verdict denies_closer_name(const Denials& denials, const Name& name, const Name& wildcard,
                           CryptoBudget& budget) {
  if (!wildcard.wire().starts_with("\1*") || !is_below(name, wildcard.parent()))
    return not_proven(fmt::format("{} doesn't stand for {}", wildcard.text(), name.text()));
  return by_any_proof(denials, name, budget,
                      [&](auto& proofs) { return proofs.denies_closer_name(name, wildcard); });
}

DsDenial denies_ds(const Denials& denials, const Name& name, CryptoBudget& budget) {
  return by_any_proof(denials, name, budget, [&](auto& proofs) { return proofs.denies_ds(name); });
}

std::string nsec3_hash(const Name& name, std::string_view salt, std::uint16_t iterations) {
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(),
                                                                   EVP_MD_CTX_free);
  std::string hash(name.folded().wire());
  bool is_good = EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr) == 1;
  for (unsigned round = 0; is_good && round <= iterations; ++round) {
    // The digest is looked up once: without a name the next round takes the same.
    if (round != 0) is_good = EVP_DigestInit_ex(context.get(), nullptr, nullptr) == 1;
    is_good = is_good && EVP_DigestUpdate(context.get(), hash.data(), hash.size()) == 1 &&
              EVP_DigestUpdate(context.get(), salt.data(), salt.size()) == 1;
    hash.resize(sha1_octets);
    is_good =
        is_good && EVP_DigestFinal_ex(context.get(), reinterpret_cast<unsigned char*>(hash.data()),
                                      nullptr) == 1;
  }
  check(is_good, "OpenSSL makes SHA-1");
  return hash;
}

std::string nsec3_label(std::string_view hash) {
  return encode_base32hex(hash);
}

}  // namespace posthorn::dns
