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

bool has_data(const ZoneNode& node) {
  return std::any_of(node.sets.begin(), node.sets.end(),
                     [](const RrSet& set) { return set.type != Type::nsec; });
}

// Of two nodes with the same name, apart from NSEC.
bool have_same_types(const ZoneNode& a, const ZoneNode& b) {
  const auto is_data = [](const RrSet& set) { return set.type != Type::nsec; };
  auto x = std::find_if(a.sets.begin(), a.sets.end(), is_data);
  auto y = std::find_if(b.sets.begin(), b.sets.end(), is_data);
  while (x != a.sets.end() && y != b.sets.end() && x->type == y->type) {
    x = std::find_if(x + 1, a.sets.end(), is_data);
    y = std::find_if(y + 1, b.sets.end(), is_data);
  }
  return x == a.sets.end() && y == b.sets.end();
}

const RrSet* set_of(const ZoneNode* node, Type type) {
  return node != nullptr ? node->find(type) : nullptr;
}

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
    for (const SigningKey& key : keys.active) {
      auto verifying = VerifyingKey::parse(key.dnskey());
      if (!verifying) return fail(verifying.error());
      verifying_.push_back({key.tag(), std::move(*verifying)});
    }
    const auto prepared = with_keys(zone, keys);
    if (!prepared) return fail(std::string(to_string(prepared.error())));
    zone_ = *prepared;
    origin_ = zone_->origin();
    base_ = published_ != nullptr ? published_ : zone_;
    editor_.emplace(base_);
    remove_what_is_gone();
    take_names();
    for (std::size_t i = 0; i < names_.size(); ++i) sign_name(i);
    return publish();
  }

 private:
  struct OwnName {
    const ZoneNode* node;
    const ZoneNode* before;  // the same name in base_, null if it is new
    bool is_delegation;
  };
  struct OwnKey {
    std::uint16_t tag;
    VerifyingKey key;
  };

  Result<std::shared_ptr<const Zone>, EditFault> with_keys(const std::shared_ptr<const Zone>& zone,
                                                           const ZoneSigningKeys& keys);
  Result<void, EditFault> put_keys(ZoneEditor& editor, const ZoneSigningKeys& keys);
  void remove_what_is_gone();
  void take_names();
  void take_hidden(const ZoneNode& node, const ZoneNode* before);
  void remove_other_types(const ZoneNode& node, const ZoneNode* before, bool has_nsec);
  void sign_name(std::size_t index);
  void chain(std::size_t index);
  void put_plain(const RrSet& set, const RrSet* before);
  void sign_set(const RrSet& set, const RrSet* before);
  [[nodiscard]] const std::vector<SigningKey>& keys_for(Type type) const {
    return is_key_type(type) ? key_keys_ : zone_keys_;
  }
  [[nodiscard]] bool are_good(const RrSet& set, const std::vector<std::string>& signatures) const;
  [[nodiscard]] bool is_good(const RrSet& set, const std::string& octets,
                             const SigningKey& key) const;
  [[nodiscard]] bool verifies(const RrSet& set) const;
  void note_due(const std::vector<std::string>& signatures);
  [[nodiscard]] Validity validity_of(const RrSet& set) const;
  void put(RrSet set);
  void sign_soa(std::uint32_t serial);
  Result<SignedVersion, std::string> publish();

  const SigningPolicy& policy_;
  std::uint64_t now_;
  std::shared_ptr<const Zone> published_;
  std::shared_ptr<const Zone> zone_;  // what is to be signed, with the keys' sets
  std::shared_ptr<const Zone> base_;  // what is edited until it is the signed zone
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
  auto version = editor.commit();
  if (!version) return fail(version.error());
  return version->zone;
}

void ZoneSigner::remove_what_is_gone() {
  Companion wanted(zone_.get());
  for (auto at = base_->nodes().first(); at.node() != nullptr; at.to_next()) {
    const ZoneNode* node = wanted.of(*at.node());
    if (node == nullptr || !has_data(*node)) editor_->remove_name(at.node()->owner());
  }
  for (auto at = base_->nsec3_nodes().first(); at.node() != nullptr; at.to_next()) {
    editor_->remove_set(at.node()->owner(), Type::nsec3);
  }
}

// All names but those below a delegation or DNAME, which have no signature and no NSEC.
void ZoneSigner::take_names() {
  Companion base(base_.get());
  std::string hidden_below;
  bool hides = false;
  for (auto at = zone_->nodes().first(); at.node() != nullptr; at.to_next()) {
    const ZoneNode& node = *at.node();
    if (!has_data(node)) continue;
    const ZoneNode* before = base.of(node);
    if (hides && node.key.starts_with(hidden_below)) {
      take_hidden(node, before);
      continue;
    }
    const bool is_delegation = !node.key.empty() && node.find(Type::ns) != nullptr;
    hides = is_delegation || node.find(Type::dname) != nullptr;
    if (hides) hidden_below = node.key;
    names_.push_back({&node, before, is_delegation});
  }
}

void ZoneSigner::take_hidden(const ZoneNode& node, const ZoneNode* before) {
  for (const RrSet& set : node.sets) {
    if (set.type != Type::nsec) put_plain(set, set_of(before, set.type));
  }
  remove_other_types(node, before, false);
}

void ZoneSigner::remove_other_types(const ZoneNode& node, const ZoneNode* before, bool has_nsec) {
  if (before == nullptr || (before == &node && has_nsec)) return;
  for (const RrSet& set : before->sets) {
    const bool stays = set.type == Type::nsec ? has_nsec : node.find(set.type) != nullptr;
    if (!stays) editor_->remove_set(set.owner, set.type);
  }
}

void ZoneSigner::put_plain(const RrSet& set, const RrSet* before) {
  if (before != nullptr && before->signatures.empty() && is_same_data(*before, set)) return;
  RrSet plain(set.owner, set.type, set.ttl);
  plain.rdata = set.rdata;
  put(std::move(plain));
}

// What goes back was in the zone before, so nothing about it can be refused.
void ZoneSigner::put(RrSet set) {
  check(editor_->put(std::move(set)).has_value(), "a zone takes its own sets");
}

void ZoneSigner::sign_name(std::size_t index) {
  const OwnName& name = names_[index];
  for (const RrSet& set : name.node->sets) {
    if (set.type == Type::nsec || set.type == Type::soa) continue;  // below, and last
    const RrSet* before = set_of(name.before, set.type);
    name.is_delegation&& set.type != Type::ds ? put_plain(set, before) : sign_set(set, before);
  }
  remove_other_types(*name.node, name.before, true);
  chain(index);
}

// The name's NSEC, which leads to the next name.
void ZoneSigner::chain(std::size_t index) {
  const OwnName& name = names_[index];
  const Name& next = names_[(index + 1) % names_.size()].node->owner();
  const RrSet* before = set_of(name.before, Type::nsec);
  const std::uint32_t ttl = zone_->negative_soa_set().ttl;
  const bool is_unchanged =
      published_ != nullptr && before != nullptr && before->ttl == ttl &&
      have_same_types(*name.before, *name.node) &&
      iequals(std::string_view(before->rdata.front()).substr(0, next.wire().size()), next.wire());
  if (is_unchanged) return sign_set(*before, before);
  ChainName link;
  link.name = name.node->owner();
  link.is_delegation = name.is_delegation;
  for (const RrSet& set : name.node->sets) {
    if (set.type != Type::nsec) link.types.push_back(set.type);
  }
  sign_set(make_nsec(link, next, ttl), before);
}

// `set` as it shall be, `before` as it is in base_. Signatures of a published version are ours;
// those that only stood in a text must verify.
void ZoneSigner::sign_set(const RrSet& set, const RrSet* before) {
  if (before != nullptr && (before == &set || is_same_data(*before, set)) &&
      are_good(set, before->signatures) && (published_ != nullptr || verifies(*before))) {
    return note_due(before->signatures);
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

void ZoneSigner::sign_soa(std::uint32_t serial) {
  RrSet set(origin_, Type::soa, zone_->soa_set().ttl);
  set.signatures = zone_->soa_set().signatures;
  Soa soa = zone_->soa();
  soa.serial = serial;
  set.rdata.push_back(rdata_to_wire(Rdata(std::move(soa))));
  sign_set(set, &base_->soa_set());
}

Result<SignedVersion, std::string> ZoneSigner::publish() {
  std::uint32_t serial = zone_->serial();
  if (published_ != nullptr && !is_newer_serial(serial, published_->serial())) {
    // With the serial of before, is it what was before?
    const SignedVersion so_far = result_;
    ZoneEditor changing = *editor_;
    sign_soa(published_->serial());
    const auto same = editor_->commit();
    if (!same) return fail(std::string(to_string(same.error())));
    if (same->difference.empty()) return std::move(result_);
    result_ = so_far;
    editor_ = std::move(changing);
    serial = next_serial(published_->serial(), policy_.serial, now_);
  }
  sign_soa(serial);
  auto version = editor_->commit();
  if (!version) return fail(std::string(to_string(version.error())));
  result_.version = std::move(*version);
  if (published_ == nullptr) result_.version.difference = ZoneDifference();
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
