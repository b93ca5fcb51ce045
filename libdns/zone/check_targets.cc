// Where the names in records lead: NS, MX, SRV, CNAME, PTR, and what TLSA and TXT look like.
#include <fmt/format.h>

#include <algorithm>

#include "libdns/zone/checks.h"
#include "libdns/zone/lookup.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

enum class Target { outside, addressed, alias, no_address, no_name };

// What the zone knows of a host; "outside" if another zone answers for it.
Target look_at(const Zone& zone, const Name& host) {
  bool exists = false;
  for (const Type type : {Type::a, Type::aaaa}) {
    const ZoneAnswer answer = look_up(zone, host, type, false);
    if (answer.kind == ZoneAnswer::Kind::outside || answer.kind == ZoneAnswer::Kind::referral) {
      if (answer.answer.empty()) return Target::outside;
    }
    if (!answer.answer.empty() && answer.answer.front()->type == Type::cname) return Target::alias;
    if (answer.kind == ZoneAnswer::Kind::answer) return Target::addressed;
    exists = exists || answer.rcode == Rcode::noerror;
  }
  return exists ? Target::no_address : Target::no_name;
}

// "mail.example.org.example.org": a dot was forgotten in the text.
void check_doubled_origin(const Zone& zone, const Name& target, SetReport& report) {
  const std::size_t origin = zone.origin().label_count();
  if (origin == 0 || target.label_count() < 2 * origin) return;
  if (!target.is_at_or_below(zone.origin())) return;
  const std::string_view wire = target.wire();
  auto above =
      Name::from_wire(std::string(wire.substr(0, wire.size() - zone.origin().wire().size())) +
                      std::string(1, '\0'));
  if (above && above->is_at_or_below(zone.origin())) {
    report.warning(fmt::format("{} has the zone's name twice", target.text()),
                   "is the dot at the end missing?");
  }
}

// `strict`: a host without address is an error.
void check_host(const Zone& zone, const Name& host, bool strict, SetReport& report) {
  check_doubled_origin(zone, host, report);
  switch (look_at(zone, host)) {
    case Target::alias:
      return report.error(fmt::format("{} is a CNAME", host.text()),
                          "name the host itself (RFC 2181 10.3)");
    case Target::no_address:
    case Target::no_name: {
      std::string what = fmt::format("{} has no address", host.text());
      std::string hint = "add A or AAAA";
      return strict ? report.error(std::move(what), std::move(hint))
                    : report.warning(std::move(what), std::move(hint));
    }
    case Target::outside:
    case Target::addressed:
      return;
  }
}

void check_ns(const Zone& zone, const RrSet& set, SetReport& report) {
  for (const std::string& octets : set.rdata) {
    const auto host = Name::from_wire(octets);
    if (!host) continue;
    const ZoneNode* cut = zone.cut_above(*host);
    if (cut == nullptr) {
      check_host(zone, *host, true, report);
      continue;
    }
    // Below a delegation: what counts is the glue.
    const ZoneNode* node = zone.find(*host);
    if (node != nullptr && (node->find(Type::a) != nullptr || node->find(Type::aaaa) != nullptr))
      continue;
    std::string what = fmt::format("{} has no glue", host->text());
    if (host->is_at_or_below(set.owner)) {
      report.error(std::move(what), "add its A or AAAA here: nobody can ask for it");
    } else {
      report.warning(std::move(what), "add its A or AAAA here");
    }
  }
}

void check_mx(const Zone& zone, const RrSet& set, SetReport& report) {
  for (const std::string& octets : set.rdata) {
    const auto data = rdata_from_wire(Type::mx, octets);
    const Mx* mx = data ? std::get_if<Mx>(&*data) : nullptr;
    if (mx == nullptr) continue;
    if (!mx->exchange.is_root()) {
      check_host(zone, mx->exchange, true, report);
      continue;
    }
    if (set.rdata.size() > 1) {
      report.error("a null MX beside others", "RFC 7505 3: it stands alone and means \"no mail\"");
    } else if (mx->preference != 0) {
      report.warning("a null MX has preference 0 (RFC 7505 3)");
    }
  }
}

void check_srv(const Zone& zone, const RrSet& set, SetReport& report) {
  for (const std::string& octets : set.rdata) {
    const auto data = rdata_from_wire(Type::srv, octets);
    const Srv* srv = data ? std::get_if<Srv>(&*data) : nullptr;
    if (srv == nullptr) continue;
    if (!srv->target.is_root()) {
      check_host(zone, srv->target, false, report);
    } else if (set.rdata.size() > 1) {
      report.error("a target \".\" beside others", "RFC 2782: it means \"no such service\"");
    }
  }
}

void check_cname(const Zone& zone, const RrSet& set, SetReport& report) {
  const auto target = Name::from_wire(set.rdata.front());
  if (!target) return;
  check_doubled_origin(zone, *target, report);
  const ZoneAnswer followed = look_up(zone, *target, Type::a, false);
  if (followed.kind == ZoneAnswer::Kind::nxdomain) {
    report.warning(fmt::format("{} doesn't exist", target->text()));
  } else if (followed.kind == ZoneAnswer::Kind::answer && !followed.next &&
             followed.answer.back()->type == Type::cname) {
    report.error(fmt::format("{} leads round in a circle, or too far", target->text()),
                 "a chain of CNAMEs ends at an address");
  }
}

void check_ptr(const Zone& zone, const RrSet& set, SetReport& report) {
  if (set.rdata.size() > 1) {
    report.warning("several names for one address", "mail servers look at one of them, any");
  }
  for (const std::string& octets : set.rdata) {
    const auto target = Name::from_wire(octets);
    if (!target) continue;
    const auto labels = target->labels();
    if (!labels.empty() && iequals(labels.back(), "arpa")) {
      report.warning(fmt::format("leads to {}", target->text()),
                     "is the dot at the end of the name missing?");
    }
    check_doubled_origin(zone, *target, report);
  }
}

bool is_tlsa_owner(const Name& owner) {
  const auto labels = owner.labels();
  return labels.size() > 2 && labels[0].starts_with('_') &&
         parse_number<std::uint16_t>(labels[0].substr(1)) && labels[1].starts_with('_');
}

void check_tlsa(const Zone& zone, const RrSet& set, SetReport& report) {
  if (!zone.is_signed()) {
    report.warning("TLSA in an unsigned zone is ignored (RFC 6698 4.1)", "sign the zone");
  }
  if (!is_tlsa_owner(set.owner)) {
    report.warning("the name isn't of the form _25._tcp.mail.example.org (RFC 6698 3)");
  }
  const bool is_smtp = istarts_with(set.owner.text(), "_25._tcp.");
  for (const std::string& octets : set.rdata) {
    const auto data = rdata_from_wire(Type::tlsa, octets);
    const Tlsa* tlsa = data ? std::get_if<Tlsa>(&*data) : nullptr;
    if (tlsa == nullptr) continue;
    const std::size_t length = octets.size() - 3;
    const auto matching = static_cast<unsigned char>(octets[2]);
    const auto usage = static_cast<unsigned char>(octets[0]);
    if ((matching == 1 && length != 32) || (matching == 2 && length != 64)) {
      report.error(fmt::format("a digest of type {} hasn't {} octets", matching, length));
    }
    if (is_smtp && usage < 2) {
      report.warning("usage 0 and 1 are not used with SMTP (RFC 7672 3.1.3)", "write 2 or 3");
    }
  }
}

}  // namespace

void check_targets(const Zone& zone, const RrSet& set, SetReport& report) {
  switch (set.type) {
    case Type::ns:
      return check_ns(zone, set, report);
    case Type::mx:
      return check_mx(zone, set, report);
    case Type::srv:
      return check_srv(zone, set, report);
    case Type::cname:
      return check_cname(zone, set, report);
    case Type::ptr:
      return check_ptr(zone, set, report);
    case Type::tlsa:
      return check_tlsa(zone, set, report);
    case Type::spf:
      return report.warning("the type SPF has been withdrawn (RFC 7208 3.1)", "write TXT");
    default:
      return;
  }
}

}  // namespace posthorn::dns
