#include "libdns/zone/lookup.h"

#include <algorithm>

#include "libdns/zone/proofs.h"

namespace posthorn::dns {

namespace {

constexpr std::string_view wildcard_label("*\0", 2);

// The name that a record of the set leads to: NS, MX, SRV.
std::optional<Name> host_in(Type type, std::string_view octets) {
  const std::size_t before = type == Type::mx ? 2 : type == Type::srv ? 6 : 0;
  if (octets.size() < before) return std::nullopt;
  return Name::from_wire(octets.substr(before));
}

class Lookup {
 public:
  Lookup(const Zone& zone, Type qtype, bool dnssec_ok, ZoneAnswer& answer)
      : zone_(zone),
        qtype_(qtype),
        proves_(dnssec_ok && zone.denial() != Denial::none),
        answer_(answer) {}

  void run(const Name& qname) {
    if (!qname.is_at_or_below(zone_.origin())) return;
    answer_.authoritative = true;
    answer_.rcode = Rcode::noerror;
    std::optional<Name> target = step(qname);
    for (std::size_t links = 1; target; ++links) {
      if (!target->is_at_or_below(zone_.origin())) {
        answer_.next = std::move(target);
        return;
      }
      if (links == max_chain || is_loop(*target)) return;
      target = step(*target);
    }
  }

 private:
  // Answers for one name; gives where the chain goes on.
  std::optional<Name> step(const Name& name) {
    const NodeKey key = zone_.key(name);
    const ZonePlace place = locate(zone_, key);
    const LocatedName at{name, key, place};
    if (zone_.has_cuts()) {
      const std::size_t deepest = place.encloser_labels;
      for (std::size_t labels = 0; labels <= deepest; ++labels) {
        const ZoneNode* node = zone_.nodes().find(key.prefix(labels));
        if (node == nullptr) continue;
        const bool is_name = labels == key.labels();
        if (labels > 0 && node->find(Type::ns) != nullptr && !(is_name && qtype_ == Type::ds)) {
          refer(*node, name);
          return std::nullopt;
        }
        const RrSet* dname = is_name ? nullptr : node->find(Type::dname);
        if (dname != nullptr) return redirect(*dname, name);
      }
    }
    if (place.exists) return answer_from(at, place.node, Source::name);
    return try_wildcard(at);
  }

  enum class Source { name, wildcard };

  std::optional<Name> try_wildcard(const LocatedName& at) {
    if (zone_.has_wildcards()) {
      std::string wildcard(at.key.prefix(at.place.encloser_labels));
      wildcard += wildcard_label;
      const ZoneNode* node = zone_.nodes().find(wildcard);
      if (node != nullptr) return answer_from(at, node, Source::wildcard);
      // "*" may be an empty non-terminal: then it matches and has no type (RFC 4592 2.2.2).
      NodeTree::Position behind = zone_.nodes().at_or_before(wildcard);
      behind.to_next();
      if (behind.node() != nullptr && behind.node()->key.starts_with(wildcard)) {
        return answer_from(at, nullptr, Source::wildcard);
      }
    }
    answer_.kind = ZoneAnswer::Kind::nxdomain;
    answer_.rcode = Rcode::nxdomain;
    answer_.authority.push_back(&zone_.negative_soa_set());
    if (proves_) Proofs(zone_, answer_).no_name(at);
    return std::nullopt;
  }

  // `node` has the records for the name: its own, the wildcard's, or null: it has none.
  std::optional<Name> answer_from(const LocatedName& at, const ZoneNode* node, Source source) {
    const RrSet* set = nullptr;
    if (node != nullptr) {
      const bool stands_beside =
          qtype_ == Type::rrsig || (qtype_ == Type::nsec && zone_.denial() == Denial::nsec);
      const bool follows = qtype_ != Type::cname && qtype_ != Type::any && !stands_beside;
      const RrSet* alias = node->find(Type::cname);
      set = follows && alias != nullptr ? alias : find_asked(*node, at.name);
    }
    if (set == nullptr) {
      no_type(at, node, source);
      return std::nullopt;
    }
    if (source == Source::wildcard && set->owner != at.name) {
      auto made = std::make_unique<RrSet>(*set);
      made->owner = at.name;
      set = keep(std::move(made));
    }
    answer_.kind = ZoneAnswer::Kind::answer;
    answer_.answer.push_back(set);
    if (source == Source::wildcard && proves_) Proofs(zone_, answer_).wildcard_answer(at);
    if (set->type == Type::cname && qtype_ != Type::cname && qtype_ != Type::any) {
      return Name::from_wire(set->rdata.front());
    }
    add_addresses(*set);
    return std::nullopt;
  }

  const RrSet* find_asked(const ZoneNode& node, const Name& name) {
    if (qtype_ == Type::any) return &node.sets.front();
    if (qtype_ != Type::rrsig) return node.find(qtype_);
    auto made = std::make_unique<RrSet>(name, Type::rrsig, node.sets.front().ttl);
    for (const RrSet& set : node.sets) {
      made->ttl = std::min(made->ttl, set.ttl);
      made->rdata.insert(made->rdata.end(), set.signatures.begin(), set.signatures.end());
    }
    return made->empty() ? nullptr : keep(std::move(made));
  }

  void no_type(const LocatedName& at, const ZoneNode* node, Source source) {
    answer_.kind = ZoneAnswer::Kind::nodata;
    answer_.authority.push_back(&zone_.negative_soa_set());
    if (!proves_) return;
    Proofs proofs(zone_, answer_);
    if (source == Source::wildcard) return proofs.wildcard_no_type(at, node);
    proofs.no_type(at);
  }

  // RFC 6672 3.2: the DNAME and a CNAME made of it.
  std::optional<Name> redirect(const RrSet& dname, const Name& name) {
    answer_.kind = ZoneAnswer::Kind::answer;
    // A chain may pass it twice, but a set stands in an answer once (RFC 2181 5).
    if (std::ranges::find(answer_.answer, &dname) == answer_.answer.end()) {
      answer_.answer.push_back(&dname);
    }
    const std::string_view wire = name.wire();
    std::string target(wire.substr(0, wire.size() - dname.owner.wire().size()));
    target += dname.rdata.front();
    std::optional<Name> renamed = Name::from_wire(target);
    if (!renamed) {
      answer_.rcode = Rcode::yxdomain;
      return std::nullopt;
    }
    auto made = std::make_unique<RrSet>(name, Type::cname, dname.ttl);
    made->rdata.push_back(std::move(target));
    answer_.answer.push_back(keep(std::move(made)));
    if (qtype_ == Type::cname || qtype_ == Type::any) return std::nullopt;
    return renamed;
  }

  void refer(const ZoneNode& delegation, const Name& name) {
    answer_.kind = ZoneAnswer::Kind::referral;
    if (answer_.answer.empty()) {
      answer_.authoritative = false;
    } else {
      answer_.next = name;
    }
    const RrSet* servers = delegation.find(Type::ns);
    answer_.authority.push_back(servers);
    if (proves_) {
      if (const RrSet* ds = delegation.find(Type::ds)) {
        answer_.authority.push_back(ds);
      } else {
        Proofs(zone_, answer_).no_ds(delegation);
      }
    }
    add_glue(*servers);
  }

  // Addresses below the delegation come first: nobody finds them without us.
  void add_glue(const RrSet& servers) {
    for (const bool is_required : {true, false}) {
      for (std::size_t i = 0; i < std::min(servers.rdata.size(), max_additional_names); ++i) {
        const auto host = host_in(Type::ns, servers.rdata[i]);
        if (host && host->is_at_or_below(servers.owner) == is_required) add_addresses_of(*host);
      }
      if (is_required) answer_.required_additional = answer_.additional.size();
    }
  }

  void add_addresses(const RrSet& set) {
    if (set.type != Type::ns && set.type != Type::mx && set.type != Type::srv) return;
    for (std::size_t i = 0; i < std::min(set.rdata.size(), max_additional_names); ++i) {
      const auto host = host_in(set.type, set.rdata[i]);
      if (host && zone_.cut_above(*host) == nullptr) add_addresses_of(*host);
    }
  }

  void add_addresses_of(const Name& host) {
    const ZoneNode* node = zone_.find(host);
    if (node == nullptr) return;
    for (const Type type : {Type::a, Type::aaaa}) {
      const RrSet* set = node->find(type);
      auto& sets = answer_.additional;
      if (set != nullptr && std::find(sets.begin(), sets.end(), set) == sets.end())
        sets.push_back(set);
    }
  }

  // The chain comes back to a name that it has passed.
  [[nodiscard]] bool is_loop(const Name& target) const {
    return std::any_of(answer_.answer.begin(), answer_.answer.end(), [&target](const RrSet* set) {
      return set->type == Type::cname && set->owner == target;
    });
  }

  const RrSet* keep(std::unique_ptr<RrSet> set) {
    answer_.synthesised.push_back(std::move(set));
    return answer_.synthesised.back().get();
  }

  const Zone& zone_;
  Type qtype_;
  bool proves_;
  ZoneAnswer& answer_;
};

}  // namespace

void ZoneAnswer::clear() {
  kind = Kind::outside;
  rcode = Rcode::refused;
  authoritative = false;
  answer.clear();
  authority.clear();
  additional.clear();
  required_additional = 0;
  next.reset();
  synthesised.clear();
}

void look_up(const Zone& zone, const Name& qname, Type qtype, bool dnssec_ok, ZoneAnswer& answer) {
  answer.clear();
  Lookup(zone, qtype, dnssec_ok, answer).run(qname);
}

ZoneAnswer look_up(const Zone& zone, const Name& qname, Type qtype, bool dnssec_ok) {
  ZoneAnswer answer;
  look_up(zone, qname, qtype, dnssec_ok, answer);
  return answer;
}

}  // namespace posthorn::dns
