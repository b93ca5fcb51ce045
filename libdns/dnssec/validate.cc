#include "libdns/dnssec/validate.h"

#include <fmt/format.h>

#include <algorithm>

#include "libdns/dnssec/signed_data.h"
#include "libdns/wire/presentation.h"

namespace posthorn::dns {

namespace {

std::string text_of(const RrSet& set) {
  return set.owner.text() + " " + to_string(set.type);
}
std::string text_of(const Ds& ds) {
  return fmt::format("{} {} {}", ds.key_tag, ds.algorithm, ds.digest_type);
}
std::string text_of(std::span<const Ds> all) {
  std::string text;
  for (const Ds& ds : all.first(std::min<std::size_t>(all.size(), 4))) {
    if (!text.empty()) text += ", ";
    text += text_of(ds);
  }
  return text;
}

Verdict bogus(EdeCode code, std::string why) {
  return Verdict(Security::bogus, code, std::move(why));
}

// How far a signature got: of several that fail, the one that came closest tells why.
enum class Stage : std::uint8_t { none, form, key, time, octets, budget };

class SignatureSearch {
 public:
  SignatureSearch(const RrSet& set, const Name& zone, std::span<const ZoneKeys::Key> keys,
                  std::uint32_t now, CryptoBudget& budget)
      : set_(set), zone_(zone), keys_(keys), now_(now), budget_(budget) {
    blame(Stage::none, EdeCode::rrsigs_missing, fmt::format("{} has no RRSIG", text_of(set)));
  }

  // The first good signature, or why there is none.
  Result<Rrsig, Verdict> run() {
    for (const std::string& octets : set_.signatures) {
      const auto data = rdata_from_wire(Type::rrsig, octets);
      const Rrsig* signature = data ? std::get_if<Rrsig>(&*data) : nullptr;
      if (signature == nullptr || !is_well_formed(*signature)) continue;
      if (is_good(*signature)) return *signature;
      if (stage_ == Stage::budget) break;
    }
    return fail(why_);
  }

 private:
  void blame(Stage stage, EdeCode code, std::string why) {
    if (stage < stage_) return;
    stage_ = stage;
    why_ = bogus(code, std::move(why));
  }
  bool refuse(Stage stage, EdeCode code, const std::string& why) {
    blame(stage, code, fmt::format("RRSIG of {}: {}", text_of(set_), why));
    return false;
  }

  // RFC 4035 5.3.1, all that needs neither key nor clock.
  bool is_well_formed(const Rrsig& signature) {
    if (signature.covered != set_.type) return false;
    if (signature.signer != zone_)
      return refuse(Stage::form, EdeCode::dnssec_bogus,
                    fmt::format("signed by {}, not by {}", signature.signer.text(), zone_.text()));
    const std::size_t labels = rrsig_labels(set_.owner);
    if (signature.labels > labels)
      return refuse(Stage::form, EdeCode::dnssec_bogus,
                    fmt::format("covers {} labels of {}", signature.labels, labels));
    // Else "*.org" signed by example.org would stand for all of org.
    if (signature.labels < zone_.label_count())
      return refuse(Stage::form, EdeCode::dnssec_bogus,
                    fmt::format("its {} labels reach above its zone", signature.labels));
    // A proof that was made for "*" says nothing about where another name lies.
    if (signature.labels < labels && (set_.type == Type::nsec || set_.type == Type::nsec3))
      return refuse(Stage::form, EdeCode::dnssec_bogus, "a denial made from a wildcard");
    return true;
  }

  bool is_good(const Rrsig& signature) {
    if (!has_key(signature))
      return refuse(
          Stage::key, EdeCode::dnskey_missing,
          fmt::format("made by key {} {}, which {} doesn't have or its DS doesn't name",
                      signature.key_tag, algorithm_name(signature.algorithm), zone_.text()));
    if (is_newer_serial(signature.inception, signature.expiration))
      return refuse(Stage::time, EdeCode::signature_expired,
                    fmt::format("expires at {}, before it begins at {}",
                                time_text(signature.expiration), time_text(signature.inception)));
    if (is_newer_serial(now_, signature.expiration))
      return refuse(Stage::time, EdeCode::signature_expired,
                    "expired at " + time_text(signature.expiration));
    if (is_newer_serial(signature.inception, now_))
      return refuse(Stage::time, EdeCode::signature_not_yet_valid,
                    "begins only at " + time_text(signature.inception));
    return verifies(signature);
  }

  [[nodiscard]] bool has_key(const Rrsig& signature) const {
    return std::any_of(keys_.begin(), keys_.end(),
                       [&signature](const ZoneKeys::Key& one) { return is_by(signature, one); });
  }
  static bool is_by(const Rrsig& signature, const ZoneKeys::Key& one) {
    return one.tag == signature.key_tag && one.key.algorithm() == signature.algorithm;
  }

  bool verifies(const Rrsig& signature) {
    if (tried_ == budget_.limits().signatures_per_rrset)
      return refuse(Stage::budget, EdeCode::dnssec_bogus,
                    fmt::format("{} tried, none good, more aren't tried", tried_));
    ++tried_;
    if (canonical_.empty()) canonical_ = canonical_order(set_);
    const std::string octets = signed_data(signature, set_.owner, set_.klass, canonical_);
    for (const ZoneKeys::Key& one : keys_) {
      if (!is_by(signature, one)) continue;
      if (!budget_.take_verification())
        return refuse(Stage::budget, EdeCode::other,
                      fmt::format("this question has cost {} verifications, more aren't done",
                                  budget_.verifications()));
      if (one.key.verify(octets, signature.signature)) return true;
    }
    return refuse(Stage::octets, EdeCode::dnssec_bogus,
                  fmt::format("doesn't fit key {} {} of {}", signature.key_tag,
                              algorithm_name(signature.algorithm), zone_.text()));
  }

  const RrSet& set_;
  const Name& zone_;
  std::span<const ZoneKeys::Key> keys_;
  std::uint32_t now_;
  CryptoBudget& budget_;
  std::vector<std::string> canonical_;
  std::size_t tried_ = 0;
  Stage stage_ = Stage::none;
  Verdict why_;
};

// RFC 4035 5.3.3: none of the three may be outlived.
std::uint32_t ttl_of(const RrSet& set, const Rrsig& signature, std::uint32_t now) {
  return std::min({set.ttl, signature.original_ttl, signature.expiration - now});
}

struct TaggedKey {
  Dnskey key;
  std::uint16_t tag;
};

// Keys that may sign a zone's sets, at most so many of one tag.
std::vector<TaggedKey> signing_keys(const RrSet& set, const CryptoLimits& limits) {
  std::vector<TaggedKey> keys;
  for (const std::string& octets : set.rdata) {
    if (keys.size() == limits.keys_per_zone) break;
    const auto data = rdata_from_wire(Type::dnskey, octets);
    const Dnskey* key = data ? std::get_if<Dnskey>(&*data) : nullptr;
    if (key == nullptr || key->protocol != 3) continue;
    if ((key->flags & Dnskey::zone_key) == 0 || (key->flags & Dnskey::revoked) != 0) continue;
    if (!is_supported_algorithm(key->algorithm, limits.sha1)) continue;
    const std::uint16_t tag = key_tag(*key);
    const auto alike = std::count_if(keys.begin(), keys.end(), [key, tag](const TaggedKey& one) {
      return one.key.algorithm == key->algorithm && one.tag == tag;
    });
    if (static_cast<std::size_t>(alike) < limits.keys_per_tag) keys.push_back({*key, tag});
  }
  return keys;
}

bool is_usable(const Ds& ds, Sha1 sha1) {
  return is_supported_algorithm(ds.algorithm, sha1) && is_supported_digest(ds.digest_type);
}

// Those that a key is looked for by: known ones, with SHA-1 only if there are no others.
std::vector<Ds> usable_ds(std::span<const Ds> all, const CryptoLimits& limits) {
  std::vector<Ds> usable;
  for (const Ds& ds : all) {
    if (is_usable(ds, limits.sha1)) usable.push_back(ds);
  }
  const bool has_better = std::any_of(usable.begin(), usable.end(),
                                      [](const Ds& ds) { return ds.digest_type != digest::sha1; });
  if (has_better)
    std::erase_if(usable, [](const Ds& ds) { return ds.digest_type == digest::sha1; });
  if (usable.size() > limits.ds_per_zone) usable.resize(limits.ds_per_zone);
  return usable;
}

// Takes those out that a DS names. `why` is told of one that is named and can't be read.
std::vector<ZoneKeys::Key> take_entry_keys(std::vector<TaggedKey>& keys, const Name& zone,
                                           std::span<const Ds> usable, Sha1 sha1, Verdict& why) {
  std::vector<ZoneKeys::Key> entries;
  std::erase_if(keys, [&](const TaggedKey& one) {
    const bool is_named = std::any_of(usable.begin(), usable.end(),
                                      [&](const Ds& ds) { return matches(ds, zone, one.key); });
    if (!is_named) return false;
    auto verifying = VerifyingKey::parse(one.key, sha1);
    if (verifying) {
      entries.push_back(ZoneKeys::Key{one.tag, std::move(*verifying)});
    } else {
      why = bogus(EdeCode::dnssec_bogus,
                  fmt::format("DNSKEY {} of {} is {}", one.tag, zone.text(), verifying.error()));
    }
    return true;
  });
  return entries;
}

}  // namespace

std::vector<Ds> ds_records(const RrSet& set) {
  std::vector<Ds> all;
  if (set.type != Type::ds) return all;
  for (const std::string& octets : set.rdata) {
    const auto data = rdata_from_wire(Type::ds, octets);
    if (const Ds* ds = data ? std::get_if<Ds>(&*data) : nullptr) all.push_back(*ds);
  }
  return all;
}

Verdict check_ds_support(const Name& zone, std::span<const Ds> trusted, Sha1 sha1) {
  if (trusted.empty())
    return bogus(EdeCode::dnskey_missing, "there is no DS that vouches for " + zone.text());
  EdeCode code = EdeCode::unsupported_algorithm;
  for (const Ds& ds : trusted) {
    if (is_usable(ds, sha1)) return {};
    if (is_supported_algorithm(ds.algorithm, sha1)) code = EdeCode::unsupported_digest;
  }
  return Verdict(Security::insecure, code,
                 fmt::format("no DS of {} has an algorithm and a digest that are known here ({})",
                             zone.text(), text_of(trusted)));
}

KeysVerdict check_dnskeys(const RrSet& dnskeys, std::span<const Ds> trusted, std::uint32_t now,
                          CryptoBudget& budget) {
  const Name& zone = dnskeys.owner;
  KeysVerdict result;
  result.verdict = check_ds_support(zone, trusted, budget.limits().sha1);
  if (!result.verdict.is_secure()) return result;
  const std::vector<Ds> usable = usable_ds(trusted, budget.limits());
  if (dnskeys.type != Type::dnskey || dnskeys.empty()) {
    result.verdict = bogus(
        EdeCode::dnskey_missing,
        fmt::format("{} has no DNSKEY, but its parent has DS {}", zone.text(), text_of(usable)));
    return result;
  }
  result.verdict = bogus(EdeCode::dnskey_missing, fmt::format("no DNSKEY of {} matches its DS {}",
                                                              zone.text(), text_of(usable)));

  const Sha1 sha1 = budget.limits().sha1;
  std::vector<TaggedKey> others = signing_keys(dnskeys, budget.limits());
  std::vector<ZoneKeys::Key> entries = take_entry_keys(others, zone, usable, sha1, result.verdict);
  if (entries.empty()) return result;
  const auto signature = SignatureSearch(dnskeys, zone, entries, now, budget).run();
  if (!signature) {
    result.verdict = signature.error();
    return result;
  }
  result.verdict = Verdict();
  result.keys.zone = zone;
  result.keys.ttl = ttl_of(dnskeys, *signature, now);
  result.keys.keys = std::move(entries);
  for (const TaggedKey& one : others) {
    auto verifying = VerifyingKey::parse(one.key, sha1);
    if (verifying) result.keys.keys.push_back(ZoneKeys::Key{one.tag, std::move(*verifying)});
  }
  return result;
}

SetVerdict check_rrset(const RrSet& set, const ZoneKeys& keys, std::uint32_t now,
                       CryptoBudget& budget) {
  SetVerdict result;
  if (!set.owner.is_at_or_below(keys.zone)) {
    result.verdict = bogus(EdeCode::dnssec_bogus, fmt::format("{} is outside of the zone {}",
                                                              text_of(set), keys.zone.text()));
    return result;
  }
  if (set.type == Type::ds && set.owner == keys.zone) {
    result.verdict = bogus(EdeCode::dnssec_bogus, fmt::format("{} stands in its own zone, not in "
                                                              "its parent",
                                                              text_of(set)));
    return result;
  }
  const auto signature = SignatureSearch(set, keys.zone, keys.keys, now, budget).run();
  if (!signature) {
    result.verdict = signature.error();
    return result;
  }
  result.ttl = ttl_of(set, *signature, now);
  if (signature->labels < rrsig_labels(set.owner))
    result.wildcard = signed_owner(set.owner, signature->labels);
  return result;
}

}  // namespace posthorn::dns
