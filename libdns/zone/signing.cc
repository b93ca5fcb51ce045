#include "libdns/zone/signing.h"

#include <algorithm>

#include "libdns/dnssec/signed_data.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

// The fixed fields of an RRSIG, read from its octets (RFC 4034 3.1).
struct SignatureHead {
  explicit SignatureHead(std::string_view octets) {
    const auto number = [octets](std::size_t at, std::size_t size) {
      std::uint32_t value = 0;
      for (const char c : octets.substr(at, size)) {
        value = value << 8 | static_cast<unsigned char>(c);
      }
      return value;
    };
    if (octets.size() < 19) return;
    algorithm = static_cast<std::uint8_t>(number(2, 1));
    original_ttl = number(4, 4);
    expiration = number(8, 4);
    inception = number(12, 4);
    key_tag = static_cast<std::uint16_t>(number(16, 2));
    signer = octets.substr(18);
  }
  std::uint8_t algorithm = 0;
  std::uint32_t original_ttl = 0;
  std::uint32_t expiration = 0;
  std::uint32_t inception = 0;
  std::uint16_t key_tag = 0;
  std::string_view signer;  // and the signature behind it
};

bool is_same_data(const RrSet& a, const RrSet& b) {
  return a.ttl == b.ttl && a.rdata == b.rdata;
}

bool is_key_type(Type type) {
  return type == Type::dnskey || type == Type::cds || type == Type::cdnskey;
}

// Walks the nodes of a version in step with those of another.
class Companion {
 public:
  explicit Companion(const Zone* zone) {
    if (zone != nullptr) at_.emplace(zone->nodes().first());
  }
  // The node with the same name, null if there is none. Names come in order.
  const ZoneNode* of(const ZoneNode& node) {
    if (!at_) return nullptr;
    for (; at_->node() != nullptr; at_->to_next()) {
      if (at_->node() == &node) return &node;
      const int order = at_->node()->key.compare(node.key);
      if (order == 0) return at_->node();
      if (order > 0) return nullptr;
    }
    return nullptr;
  }

 private:
  std::optional<NodeTree::Position> at_;
};

class ZoneSigner {
 public:
  ZoneSigner(const ZoneSigningKeys& keys, const SigningPolicy& policy, std::uint64_t now,
             std::shared_ptr<const Zone> published)
      : policy_(policy), now_(now), published_(std::move(published)) {
    std::vector<SigningKey> entry_points;
    std::vector<SigningKey> others;
    for (const SigningKey& key : keys.active) {
      const bool is_entry = (key.dnskey().flags & Dnskey::secure_entry_point) != 0;
      (is_entry ? entry_points : others).push_back(key);
    }
    key_keys_ = entry_points.empty() ? others : entry_points;
    zone_keys_ = others.empty() ? entry_points : others;
    result_.next = now + policy.lifetime;
  }

  Result<SignedVersion, std::string> run(const std::shared_ptr<const Zone>& zone,
                                         const ZoneSigningKeys& keys) {
    const auto prepared = with_keys(zone, keys);
    if (!prepared) return fail(std::string(to_string(prepared.error())));
    zone_ = *prepared;
    origin_ = zone_->origin();
    editor_.emplace(zone_);
    for (const SigningKey& key : keys.active) {
      auto verifying = VerifyingKey::parse(key.dnskey());
      if (!verifying) return fail(verifying.error());
      verifying_.push_back({key.tag(), std::move(*verifying)});
    }
    find_authoritative();
    for (std::size_t i = 0; i < names_.size(); ++i) sign_name(i);
    return publish();
  }

 private:
  struct OwnName {
    const ZoneNode* node;
    const ZoneNode* before;  // the same name in published_, null if it is new
    bool is_delegation;
  };
  struct OwnKey {
    std::uint16_t tag;
    VerifyingKey key;
  };

  Result<std::shared_ptr<const Zone>, EditFault> with_keys(const std::shared_ptr<const Zone>& zone,
                                                           const ZoneSigningKeys& keys);
  Result<void, EditFault> put_keys(ZoneEditor& editor, const ZoneSigningKeys& keys);
  void find_authoritative();
  void sign_name(std::size_t index);
  void chain(std::size_t index);
  void sign_set(const RrSet& set, const RrSet* now, const RrSet* before);
  [[nodiscard]] const std::vector<SigningKey>& keys_for(Type type) const {
    return is_key_type(type) ? key_keys_ : zone_keys_;
  }
  [[nodiscard]] bool are_good(const RrSet& set, const std::vector<std::string>& signatures) const;
  [[nodiscard]] bool is_good(const RrSet& set, const std::string& octets,
                             const SigningKey& key) const;
  [[nodiscard]] bool verifies(const RrSet& set) const;
  void note_due(const std::vector<std::string>& signatures);
  [[nodiscard]] Validity validity_of(const RrSet& set) const;
  void strip(const RrSet& set);
  void put(RrSet set);
  Result<SignedVersion, std::string> publish();

  const SigningPolicy& policy_;
  std::uint64_t now_;
  std::shared_ptr<const Zone> published_;
  std::shared_ptr<const Zone> zone_;  // with the keys' sets
  Name origin_;
  std::vector<SigningKey> zone_keys_;
  std::vector<SigningKey> key_keys_;
  std::vector<OwnKey> verifying_;
  std::optional<ZoneEditor> editor_;
  std::vector<OwnName> names_;  // that the zone vouches for, in canonical order
  SignedVersion result_;
};

Result<void, EditFault> ZoneSigner::put_keys(ZoneEditor& editor, const ZoneSigningKeys& keys) {
  const Name& origin = editor.origin();
  RrSet dnskeys = make_dnskeys(origin, keys.active, policy_.dnskey_ttl);
  for (const Dnskey& key : keys.published) dnskeys.add(rdata_to_wire(Rdata(key)));
  std::vector<RrSet> sets;
  sets.push_back(std::move(dnskeys));
  if (policy_.has_cds) {
    sets.push_back(make_cds(origin, keys.active, policy_.dnskey_ttl));
    sets.push_back(make_cdnskey(origin, keys.active, policy_.dnskey_ttl));
  }
  for (RrSet& set : sets) {
    std::sort(set.rdata.begin(), set.rdata.end());
    const RrSet* now = editor.find(origin, set.type);
    if (now != nullptr ? is_same_data(*now, set) : set.empty()) continue;
    const auto done = editor.put(std::move(set));
    if (!done) return done;
  }
  return {};
}

Result<std::shared_ptr<const Zone>, EditFault> ZoneSigner::with_keys(
    const std::shared_ptr<const Zone>& zone, const ZoneSigningKeys& keys) {
  ZoneEditor editor(zone);
  const auto done = put_keys(editor, keys);
  if (!done) return fail(done.error());
  editor.remove_set(zone->origin(), Type::nsec3param);
  for (auto at = zone->nsec3_nodes().first(); at.node() != nullptr; at.to_next()) {
    editor.remove_set(at.node()->owner(), Type::nsec3);
  }
  auto version = editor.commit();
  if (!version) return fail(version.error());
  return version->zone;
}

// All names but those below a delegation or DNAME, which keep no signature and no NSEC.
void ZoneSigner::find_authoritative() {
  Companion published(published_.get());
  std::string hidden_below;
  bool hides = false;
  for (auto at = zone_->nodes().first(); at.node() != nullptr; at.to_next()) {
    const ZoneNode& node = *at.node();
    if (hides && node.key.starts_with(hidden_below)) {
      for (const RrSet& set : node.sets) strip(set);
      continue;
    }
    const bool is_delegation = !node.key.empty() && node.find(Type::ns) != nullptr;
    hides = is_delegation || node.find(Type::dname) != nullptr;
    if (hides) hidden_below = node.key;
    const bool has_data = std::any_of(node.sets.begin(), node.sets.end(),
                                      [](const RrSet& set) { return set.type != Type::nsec; });
    if (has_data) {
      names_.push_back({&node, published.of(node), is_delegation});
    } else {
      editor_->remove_set(node.owner(), Type::nsec);
    }
  }
}

void ZoneSigner::strip(const RrSet& set) {
  if (set.type == Type::nsec) {
    editor_->remove_set(set.owner, Type::nsec);
  } else if (!set.signatures.empty()) {
    RrSet plain = set;
    plain.signatures.clear();
    put(std::move(plain));
  }
}

// What goes back was in the zone before, so nothing about it can be refused.
void ZoneSigner::put(RrSet set) {
  check(editor_->put(std::move(set)).has_value(), "a zone takes its own sets");
}

void ZoneSigner::sign_name(std::size_t index) {
  const OwnName& name = names_[index];
  for (const RrSet& set : name.node->sets) {
    if (set.type == Type::nsec || set.type == Type::soa) continue;  // below, and last
    if (name.is_delegation && set.type != Type::ds) {
      strip(set);
    } else {
      sign_set(set, &set, name.before != nullptr ? name.before->find(set.type) : nullptr);
    }
  }
  chain(index);
}

// The name's NSEC, which leads to the next name.
void ZoneSigner::chain(std::size_t index) {
  const OwnName& name = names_[index];
  const Name& next = names_[(index + 1) % names_.size()].node->owner();
  const RrSet* old = name.node->find(Type::nsec);
  const std::uint32_t ttl = zone_->negative_soa_set().ttl;
  const bool is_unchanged =
      old != nullptr && name.before == name.node && old->ttl == ttl &&
      iequals(std::string_view(old->rdata.front()).substr(0, next.wire().size()), next.wire());
  const RrSet* before = name.before != nullptr ? name.before->find(Type::nsec) : nullptr;
  if (is_unchanged) return sign_set(*old, old, before);
  ChainName link;
  link.name = name.node->owner();
  link.is_delegation = name.is_delegation;
  for (const RrSet& set : name.node->sets) {
    if (set.type != Type::nsec) link.types.push_back(set.type);
  }
  RrSet made = make_nsec(link, next, ttl);
  if (old != nullptr && is_same_data(*old, made)) return sign_set(*old, old, before);
  sign_set(made, old, before);
}

// `set` as it shall be, `now` as it is in the zone, `before` as others have it. It is put into the
// zone if it, or its signatures, aren't there yet.
void ZoneSigner::sign_set(const RrSet& set, const RrSet* now, const RrSet* before) {
  const bool is_known = before != nullptr && (before == &set || is_same_data(*before, set));
  if (is_known && are_good(set, before->signatures)) {
    note_due(before->signatures);
    if (now == before) return;
    if (now != nullptr && is_same_data(*now, set) && now->signatures == before->signatures) return;
    RrSet kept = set;
    kept.signatures = before->signatures;
    return put(std::move(kept));
  }
  const bool may_be_ours = published_ == nullptr && now != nullptr && *now == set;
  if (may_be_ours && are_good(set, set.signatures) && verifies(set)) {
    return note_due(set.signatures);
  }
  RrSet fresh = set;
  sign_anew(fresh, origin_, keys_for(set.type), validity_of(set));
  result_.signatures += fresh.signatures.size();
  note_due(fresh.signatures);
  put(std::move(fresh));
}

// One of each key that should sign, none of another, and none due.
bool ZoneSigner::are_good(const RrSet& set, const std::vector<std::string>& signatures) const {
  const auto& keys = keys_for(set.type);
  if (signatures.size() != keys.size()) return false;
  return std::all_of(keys.begin(), keys.end(), [&](const SigningKey& key) {
    return std::any_of(signatures.begin(), signatures.end(),
                       [&](const std::string& octets) { return is_good(set, octets, key); });
  });
}

bool ZoneSigner::is_good(const RrSet& set, const std::string& octets, const SigningKey& key) const {
  const SignatureHead head(octets);
  const auto now = static_cast<std::uint32_t>(now_);
  return head.key_tag == key.tag() && head.algorithm == key.algorithm() &&
         head.original_ttl == set.ttl && !is_newer_serial(head.inception, now) &&
         is_newer_serial(head.expiration, now + policy_.renewal) &&
         istarts_with(head.signer, origin_.wire());
}

bool ZoneSigner::verifies(const RrSet& set) const {
  return std::all_of(set.signatures.begin(), set.signatures.end(), [&](const std::string& octets) {
    const auto data = rdata_from_wire(Type::rrsig, octets);
    const Rrsig* rrsig = data ? std::get_if<Rrsig>(&*data) : nullptr;
    if (rrsig == nullptr || rrsig->labels != rrsig_labels(set.owner)) return false;
    const std::string covered = signed_data(*rrsig, set);
    return std::any_of(verifying_.begin(), verifying_.end(), [&](const OwnKey& own) {
      return own.tag == rrsig->key_tag && own.key.algorithm() == rrsig->algorithm &&
             own.key.verify(covered, rrsig->signature);
    });
  });
}

void ZoneSigner::note_due(const std::vector<std::string>& signatures) {
  const auto now = static_cast<std::uint32_t>(now_);
  for (const std::string& octets : signatures) {
    const std::uint32_t left = SignatureHead(octets).expiration - now;
    const std::uint64_t due = now_ + (left > policy_.renewal ? left - policy_.renewal : 1);
    result_.next = std::min(result_.next, due);
  }
}

// Spread over the jitter by the name, so that not all are due in the same minute.
Validity ZoneSigner::validity_of(const RrSet& set) const {
  const std::size_t hash = NameHash()(set.owner) + 0x9e3779b9u * static_cast<std::size_t>(set.type);
  const auto now = static_cast<std::uint32_t>(now_);
  // The SOA lasts longest: it is signed with every change anyway.
  const bool is_spread = policy_.jitter != 0 && set.type != Type::soa;
  const auto less = is_spread ? static_cast<std::uint32_t>((hash >> 7) % policy_.jitter) : 0;
  Validity validity;
  validity.inception = now - policy_.inception;
  validity.expiration = now + policy_.lifetime - less;
  return validity;
}

Result<SignedVersion, std::string> ZoneSigner::publish() {
  const bool goes_on =
      published_ != nullptr && !is_newer_serial(zone_->serial(), published_->serial());
  if (goes_on) editor_->set_serial(published_->serial());
  const auto sign_soa = [this] {
    const RrSet* soa = editor_->find(origin_, Type::soa);
    sign_set(*soa, soa, published_ != nullptr ? published_->find(origin_, Type::soa) : nullptr);
  };
  if (!goes_on) sign_soa();
  if (goes_on) {
    // With the serial of before, is it what was before?
    const SignedVersion so_far = result_;
    ZoneEditor changing = *editor_;
    sign_soa();
    auto same = editor_->commit();
    if (!same) return fail(std::string(to_string(same.error())));
    if (difference_between(*published_, *same->zone).empty()) return std::move(result_);
    result_ = so_far;
    editor_ = std::move(changing);
    editor_->set_serial(next_serial(published_->serial(), policy_.serial, now_));
    sign_soa();
  }
  auto version = editor_->commit();
  if (!version) return fail(std::string(to_string(version.error())));
  result_.version.zone = std::move(version->zone);
  if (published_ != nullptr) {
    result_.version.difference = difference_between(*published_, *result_.version.zone);
  }
  return std::move(result_);
}

}  // namespace

Result<SignedVersion, std::string> sign_zone(std::shared_ptr<const Zone> zone,
                                             const ZoneSigningKeys& keys,
                                             const SigningPolicy& policy, std::uint64_t now,
                                             std::shared_ptr<const Zone> published) {
  if (keys.active.empty()) return fail(std::string("no key to sign with"));
  return ZoneSigner(keys, policy, now, std::move(published)).run(zone, keys);
}

}  // namespace posthorn::dns
