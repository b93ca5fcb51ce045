#include "libdns/resolver/scrub.h"

#include <algorithm>

#include "libdns/resolver/addresses.h"

namespace posthorn::dns {

namespace {

template <class T>
std::optional<T> first_as(const RrSet& set) {
  if (set.rdata.empty()) return std::nullopt;
  auto data = rdata_from_wire(set.type, set.rdata.front());
  if (!data) return std::nullopt;
  const T* value = std::get_if<T>(&*data);
  return value == nullptr ? std::nullopt : std::optional<T>(*value);
}

const RrSet* find(const std::vector<RrSet>& sets, const Name& owner, Type type) {
  for (const RrSet& set : sets) {
    if (set.type == type && set.owner == owner) return &set;
  }
  return nullptr;
}

// One section without what lies outside of the sender's zone.
std::vector<RrSet> inside(std::span<const RecordView> section, const Source& source) {
  std::vector<RrSet> sets = collect_rrsets(section);
  std::erase_if(sets, [&](const RrSet& set) {
    return set.klass != Class::in || !set.owner.is_at_or_below(source.zone);
  });
  return sets;
}

template <class T>
void drop_private(RrSet& set) {
  std::erase_if(set.rdata, [&set](const std::string& octets) {
    const auto data = rdata_from_wire(set.type, octets);
    const T* address = data ? std::get_if<T>(&*data) : nullptr;
    return address == nullptr || is_private(*address);
  });
}

class Scrubber {
 public:
  Scrubber(const MessageView& reply, const Question& asked, const Source& source)
      : reply_(reply), asked_(asked), source_(source) {
    out_.rcode = reply.rcode();
    out_.authoritative = reply.header().authoritative;
    out_.last = asked.name;
  }
  Scrubbed run();

 private:
  void follow(const std::vector<RrSet>& answer);
  // One alias further; false if `last` has none.
  bool step(const std::vector<RrSet>& answer);
  bool take_dname(const std::vector<RrSet>& answer);
  bool go_to(Name target);
  void take(const RrSet& set);
  void conclude();
  void keep_proofs(std::vector<RrSet> authority);
  bool take_referral();
  void set_lame(std::string why) { out_.meaning = Meaning::lame, out_.why = std::move(why); }
  void set_unusable(std::string why) {
    out_.meaning = Meaning::unusable, out_.why = std::move(why);
  }

  const MessageView& reply_;
  const Question& asked_;
  const Source& source_;
  std::vector<RrSet> authority_;
  std::vector<Name> seen_;
  bool found_ = false;
  bool broken_ = false;
  Scrubbed out_;
};

void Scrubber::take(const RrSet& set) {
  out_.answer.push_back(set);
  RrSet& kept = out_.answer.back();
  kept.owner = out_.last;
  if (source_.private_allowed) return;
  if (kept.type == Type::a) drop_private<A>(kept);
  if (kept.type == Type::aaaa) drop_private<Aaaa>(kept);
}

bool Scrubber::go_to(Name target) {
  seen_.push_back(out_.last);
  if (std::ranges::find(seen_, target) != seen_.end() || seen_.size() > max_scrubbed_aliases) {
    set_unusable("aliases without end at " + target.text());
    broken_ = true;
    return false;
  }
  out_.last = std::move(target);
  return out_.last.is_at_or_below(source_.zone);
}

// The CNAME beside a DNAME isn't signed; it is made again here, and what came is not looked at.
bool Scrubber::take_dname(const std::vector<RrSet>& answer) {
  const RrSet* dname = nullptr;
  for (const RrSet& set : answer) {
    if (set.type == Type::dname && set.owner != out_.last && out_.last.is_at_or_below(set.owner))
      dname = &set;
  }
  if (dname == nullptr || dname->rdata.size() != 1) return false;
  const auto data = first_as<Dname>(*dname);
  if (!data) return false;
  out_.answer.push_back(*dname);
  auto target = substitute(out_.last, dname->owner, data->target);
  if (!target) {
    out_.rcode = Rcode::yxdomain;
    set_unusable("a DNAME makes " + out_.last.text() + " too long");
    broken_ = true;
    return true;
  }
  RrSet cname(out_.last, Type::cname, dname->ttl);
  cname.add(rdata_to_wire(Cname{*target}));
  out_.answer.push_back(std::move(cname));
  found_ = !go_to(std::move(*target)) && !broken_;
  return true;
}

// Sets found_ when the walk is over without the set asked for: outside of the zone.
bool Scrubber::step(const std::vector<RrSet>& answer) {
  if (asked_.type == Type::cname || asked_.type == Type::dname) return false;
  if (take_dname(answer)) return !broken_ && !found_;
  const RrSet* cname = find(answer, out_.last, Type::cname);
  if (cname == nullptr) return false;
  const auto data = cname->rdata.size() == 1 ? first_as<Cname>(*cname) : std::nullopt;
  if (!data) {
    set_unusable("several CNAMEs at " + out_.last.text());
    broken_ = true;
    return false;
  }
  take(*cname);
  return go_to(data->target);
}

void Scrubber::follow(const std::vector<RrSet>& answer) {
  // Asked for the CNAME that a DNAME stands for: it can't be signed, so the DNAME comes along.
  if (asked_.type == Type::cname && take_dname(answer)) {
    if (!broken_) out_.meaning = Meaning::answer;
    return;
  }
  for (;;) {
    const RrSet* set = find(answer, out_.last, asked_.type);
    if (set != nullptr) {
      take(*set);
      out_.meaning = out_.answer.back().empty() ? Meaning::nodata : Meaning::answer;
      if (out_.answer.back().empty()) out_.answer.pop_back();
      found_ = true;
      return;
    }
    if (!step(answer)) return;
  }
}

// Without the sets of other owners than the proofs need.
void Scrubber::keep_proofs(std::vector<RrSet> authority) {
  for (RrSet& set : authority) {
    if (out_.authority.size() >= max_scrubbed_proofs) break;
    if (set.type == Type::soa) {
      const auto soa = first_as<Soa>(set);
      if (!soa || !out_.last.is_at_or_below(set.owner) || out_.negative_ttl != 0) continue;
      set.ttl = std::min(set.ttl, soa->minimum);
      out_.negative_ttl = set.ttl;
    } else if (set.type != Type::nsec && set.type != Type::nsec3) {
      continue;
    }
    out_.authority.push_back(std::move(set));
  }
}

// Only to a zone between the sender's and the name (RFC 1034 4.3.1): anything else leads nowhere or
// astray.
bool Scrubber::take_referral() {
  const Name& zone = source_.zone;
  const RrSet* best = nullptr;
  bool upwards = false;
  for (const RrSet& set : authority_) {
    if (set.type != Type::ns) continue;
    const bool below = set.owner != zone && set.owner.is_at_or_below(zone);
    const bool leads_on = asked_.name.is_at_or_below(set.owner);
    if (below && leads_on) best = &set;
    if (!below) upwards = true;
  }
  if (best == nullptr) {
    if (upwards) set_lame("refers to itself or upwards");
    return upwards;
  }
  // The parent's servers know no DS: there is none.
  if (asked_.type == Type::ds && best->owner == asked_.name) {
    out_.meaning = Meaning::nodata;
    return true;
  }
  out_.meaning = Meaning::referral;
  out_.delegation.zone = best->owner;
  out_.delegation_ttl = best->ttl;
  for (const Record& record : best->records()) {
    if (out_.delegation.hosts.size() >= max_delegation_hosts) break;
    if (const Ns* ns = record.as<Ns>()) out_.delegation.hosts.emplace_back(ns->host);
  }
  return true;
}

void take_glue(Delegation& delegation, const std::vector<RrSet>& additional, const Source& source) {
  for (Delegation::Host& host : delegation.hosts) {
    for (const RrSet& set : additional) {
      if ((set.type != Type::a && set.type != Type::aaaa) || set.owner != host.name) continue;
      for (const Record& record : set.records()) {
        const A* v4 = record.as<A>();
        const Aaaa* v6 = record.as<Aaaa>();
        if (v4 != nullptr && host.v4.size() < max_glue_each &&
            (source.loopback_servers || is_askable(*v4)))
          host.v4.push_back(*v4);
        if (v6 != nullptr && host.v6.size() < max_glue_each &&
            (source.loopback_servers || is_askable(*v6)))
          host.v6.push_back(*v6);
      }
    }
  }
}

// There was no set as asked for.
void Scrubber::conclude() {
  const bool aliased = !out_.answer.empty();
  if (!out_.last.is_at_or_below(source_.zone)) {
    out_.meaning = Meaning::alias;
    return;
  }
  const bool has_soa = std::ranges::any_of(authority_, [this](const RrSet& set) {
    return set.type == Type::soa && out_.last.is_at_or_below(set.owner);
  });
  if (!aliased && !has_soa && !source_.forwarder && out_.rcode == Rcode::noerror &&
      take_referral()) {
    if (out_.meaning == Meaning::nodata) keep_proofs(std::move(authority_));
    take_glue(out_.delegation, inside(reply_.additional(), source_), source_);
    return;
  }
  if (!source_.forwarder && !out_.authoritative) return set_lame("answers without authority");
  keep_proofs(std::move(authority_));
  if (out_.rcode == Rcode::nxdomain) {
    out_.meaning = Meaning::nxdomain;
  } else if (aliased && out_.negative_ttl == 0) {
    out_.meaning = Meaning::alias;  // the chain may go on, only not in this packet
  } else {
    out_.meaning = Meaning::nodata;
  }
}

Scrubbed Scrubber::run() {
  if (out_.rcode != Rcode::noerror && out_.rcode != Rcode::nxdomain &&
      out_.rcode != Rcode::yxdomain) {
    out_.meaning = Meaning::failed;
    out_.why = to_string(out_.rcode);
    return std::move(out_);
  }
  authority_ = inside(reply_.authority(), source_);
  follow(inside(reply_.answer(), source_));
  if (broken_) return std::move(out_);
  if (out_.meaning == Meaning::answer || out_.meaning == Meaning::nodata) {
    if (!source_.forwarder && !out_.authoritative) {
      set_lame("answers without authority");
      return std::move(out_);
    }
    keep_proofs(std::move(authority_));
    return std::move(out_);
  }
  if (!out_.answer.empty() && !source_.forwarder && !out_.authoritative) {
    set_lame("answers without authority");
    return std::move(out_);
  }
  conclude();
  return std::move(out_);
}

}  // namespace

std::string_view to_string(Meaning meaning) {
  switch (meaning) {
    case Meaning::answer:
      return "answer";
    case Meaning::alias:
      return "alias";
    case Meaning::nodata:
      return "nodata";
    case Meaning::nxdomain:
      return "nxdomain";
    case Meaning::referral:
      return "referral";
    case Meaning::lame:
      return "lame";
    case Meaning::failed:
      return "failed";
    case Meaning::unusable:
      return "unusable";
  }
  return "";
}

Scrubbed scrub(const MessageView& reply, const Question& asked, const Source& source) {
  return Scrubber(reply, asked, source).run();
}

Scrubbed scrub_priming(const MessageView& reply, const Source& source) {
  Scrubbed out;
  out.rcode = reply.rcode();
  const std::vector<RrSet> answer = inside(reply.answer(), source);
  const RrSet* servers = find(answer, source.zone, Type::ns);
  if (out.rcode != Rcode::noerror || servers == nullptr) {
    out.meaning = Meaning::lame;
    out.why = "doesn't know the servers of the root";
    return out;
  }
  out.meaning = Meaning::referral;
  out.delegation.zone = source.zone;
  out.delegation_ttl = servers->ttl;
  for (const Record& record : servers->records()) {
    if (out.delegation.hosts.size() >= max_delegation_hosts) break;
    if (const Ns* ns = record.as<Ns>()) out.delegation.hosts.emplace_back(ns->host);
  }
  take_glue(out.delegation, inside(reply.additional(), source), source);
  return out;
}

std::optional<Name> substitute(const Name& name, const Name& owner, const Name& target) {
  const std::string_view above = name.wire().substr(0, name.wire().size() - owner.wire().size());
  return Name::from_wire(std::string(above) + std::string(target.wire()));
}

}  // namespace posthorn::dns
