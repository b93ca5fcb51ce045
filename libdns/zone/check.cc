#include "libdns/zone/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "libdns/wire/presentation.h"
#include "libdns/zone/checks.h"
#include "libdns/zone/lookup.h"
#include "libdns/zone/serial.h"

namespace posthorn::dns {

namespace {

bool is_address(Type type) {
  return type == Type::a || type == Type::aaaa;
}

bool is_wildcard(const Name& name) {
  return name.wire().starts_with(std::string_view("\x01*", 2));
}

class ZoneCheck {
 public:
  ZoneCheck(const Zone& zone, const CheckOptions& options) : zone_(zone), options_(options) {}

  std::vector<Problem> run() {
    find_servers();
    check_soa();
    check_apex();
    const ZoneNode* dname = nullptr;  // the last one met
    for (auto at = zone_.nodes().first(); at.node() != nullptr; at.to_next()) {
      if (dname != nullptr && at.node()->key.starts_with(dname->key)) {
        check_below_dname(*at.node(), *dname);
        continue;
      }
      if (at.node()->find(Type::dname) != nullptr) dname = at.node();
      check_node(*at.node());
    }
    for (auto at = zone_.nsec3_nodes().first(); at.node() != nullptr; at.to_next()) {
      for (const RrSet& set : at.node()->sets) {
        SetReport report(set, problems_);
        check_signatures(zone_, set, options_.now, report);
      }
    }
    return std::move(problems_);
  }

 private:
  // Who is named by an NS: their addresses below a delegation are glue.
  void find_servers() {
    for (auto at = zone_.nodes().first(); at.node() != nullptr; at.to_next()) {
      const RrSet* servers = at.node()->find(Type::ns);
      if (servers == nullptr) continue;
      for (const std::string& octets : servers->rdata) {
        if (auto host = Name::from_wire(octets)) servers_.push_back(std::move(*host));
      }
    }
    std::sort(servers_.begin(), servers_.end());
  }

  void check_soa() {
    const Soa& soa = zone_.soa();
    SetReport report(zone_.soa_set(), problems_);
    if (soa.serial == 0) report.warning("serial 0", "some secondaries take it for no zone");
    if (soa.refresh < soa.retry) {
      report.warning("retry is longer than refresh", "a retry should come sooner (RFC 1912 2.2)");
    }
    if (soa.expire < std::uint64_t{soa.refresh} + soa.retry) {
      report.warning("expire is shorter than refresh and retry together",
                     "secondaries would give the zone up after one failure (RFC 1912 2.2)");
    }
    if (soa.minimum > 86400) {
      report.warning("minimum is over a day: so long \"no such name\" is remembered",
                     "RFC 2308 5 has one to three hours");
    }
    const auto labels = soa.mailbox.labels();
    if (!labels.empty() && labels[0].find('@') != std::string_view::npos) {
      report.warning("the mailbox has an @ in it", "write hostmaster.example.org");
    }
  }

  void check_apex() {
    const ZoneNode& apex = *zone_.find(zone_.origin());
    SetReport report(zone_.soa_set(), problems_);
    const RrSet* servers = apex.find(Type::ns);
    if (servers == nullptr) {
      report.unfit("the zone has no NS", "name the servers of the zone at its top");
    } else if (servers->rdata.size() == 1) {
      SetReport(*servers, problems_).warning("only one name server", "RFC 2182 5 has two or more");
    }
    if (const RrSet* ds = apex.find(Type::ds)) {
      SetReport(*ds, problems_).warning("DS at the top of the zone", "it belongs into the parent");
    }
    if (!zone_.is_signed()) return;
    if (zone_.denial() == Denial::none) {
      report.error("the zone is signed and has no NSEC or NSEC3 that can be used");
    }
    if (zone_.denial() == Denial::nsec3 && zone_.nsec3_parameters().iterations > 0) {
      report.warning("NSEC3 with iterations", "RFC 9276 3.1 has 0 and no salt");
    }
  }

  void check_node(const ZoneNode& node) {
    const Name& owner = node.owner();
    // The delegation above the name, not the one that it is.
    const ZoneNode* above = node.key.empty() ? nullptr : zone_.cut_above(owner.parent());
    if (above != nullptr) return check_below_cut(node, *above);
    check_types(node);
    const bool is_cut = !node.key.empty() && node.find(Type::ns) != nullptr;
    for (const RrSet& set : node.sets) {
      SetReport report(set, problems_);
      if (is_cut && is_hidden_at_cut(set.type)) {
        if (!is_address(set.type) || !is_server(owner)) {
          report.warning("is hidden by the delegation at the same name",
                         "move it into the zone below");
        }
        continue;
      }
      check_targets(zone_, set, report);
      if (set.type == Type::txt) check_mail_policies(zone_, set, report);
      if (!is_cut || set.type != Type::ns) check_signatures(zone_, set, options_.now, report);
    }
  }

  static bool is_hidden_at_cut(Type type) {
    return type != Type::ns && type != Type::ds && type != Type::nsec && type != Type::dname;
  }

  [[nodiscard]] bool is_server(const Name& name) const {
    return std::binary_search(servers_.begin(), servers_.end(), name);
  }

  void check_below_cut(const ZoneNode& node, const ZoneNode& cut) {
    for (const RrSet& set : node.sets) {
      if (is_address(set.type) && is_server(node.owner())) continue;
      SetReport(set, problems_)
          .warning(fmt::format("is hidden by the delegation of {} and no glue", cut.owner().text()),
                   "move it into the zone below, or name its host in an NS");
    }
  }

  void check_below_dname(const ZoneNode& node, const ZoneNode& dname) {
    for (const RrSet& set : node.sets) {
      SetReport(set, problems_)
          .error(fmt::format("is hidden by the DNAME of {}", dname.owner().text()),
                 "nothing stands below a DNAME (RFC 6672 2.4)");
    }
  }

  void check_types(const ZoneNode& node) {
    check_alias(node);
    const RrSet* dname = node.find(Type::dname);
    if (dname != nullptr) check_dname(node, *dname);
    const RrSet* ds = node.find(Type::ds);
    const RrSet* servers = node.find(Type::ns);
    if (ds != nullptr && servers == nullptr) {
      SetReport(*ds, problems_).error("DS without NS: there is no delegation here");
    }
    if (servers != nullptr && is_wildcard(node.owner())) {
      SetReport(*servers, problems_).warning("a delegation at a wildcard (RFC 4592 4.2)");
    }
  }

  void check_alias(const ZoneNode& node) {
    const RrSet* alias = node.find(Type::cname);
    if (alias == nullptr) return;
    SetReport report(*alias, problems_);
    if (alias->rdata.size() > 1) report.unfit("several CNAMEs at one name (RFC 2181 10.1)");
    for (const RrSet& set : node.sets) {
      if (set.type == Type::cname || set.type == Type::nsec) continue;
      report.unfit(fmt::format("CNAME and {} at one name", to_string(set.type)),
                   "a CNAME stands alone (RFC 1034 3.6.2)");
      return;
    }
  }

  void check_dname(const ZoneNode& node, const RrSet& dname) {
    SetReport report(dname, problems_);
    if (dname.rdata.size() > 1) report.error("several DNAMEs at one name (RFC 6672 2.4)");
    if (!node.key.empty() && node.find(Type::ns) != nullptr) {
      report.error("DNAME and delegation at one name (RFC 6672 2.3)");
    }
  }

  const Zone& zone_;
  const CheckOptions& options_;
  std::vector<Problem> problems_;
  std::vector<Name> servers_;
};

}  // namespace

void SetReport::note(Problem::Severity severity, std::string what, std::string hint) {
  problems_.emplace_back(severity, set_.owner.text() + ' ' + to_string(set_.type), std::move(what),
                         std::move(hint));
}

void check_signatures(const Zone& zone, const RrSet& set, std::optional<std::uint64_t> now,
                      SetReport& report) {
  constexpr std::uint32_t soon = 3 * 86400;
  if (!zone.is_signed()) return;
  if (set.signatures.empty()) return report.error("no signature in a signed zone");
  if (!now) return;
  const auto at = static_cast<std::uint32_t>(*now);
  for (const std::string& octets : set.signatures) {
    const auto data = rdata_from_wire(Type::rrsig, octets);
    const Rrsig* signature = data ? std::get_if<Rrsig>(&*data) : nullptr;
    if (signature == nullptr) continue;
    if (!is_newer_serial(signature->expiration, at)) {
      report.error(fmt::format("the signature of key {} expired at {}", signature->key_tag,
                               time_text(signature->expiration)),
                   "sign the zone again");
    } else if (is_newer_serial(signature->inception, at)) {
      report.error(fmt::format("the signature of key {} isn't good before {}", signature->key_tag,
                               time_text(signature->inception)),
                   "is the clock right?");
    } else if (signature->expiration - at < soon) {
      report.warning(fmt::format("the signature of key {} expires at {}", signature->key_tag,
                                 time_text(signature->expiration)),
                     "sign the zone again soon");
    }
  }
}

std::vector<Problem> check_zone(const Zone& zone, const CheckOptions& options) {
  return ZoneCheck(zone, options).run();
}

}  // namespace posthorn::dns
