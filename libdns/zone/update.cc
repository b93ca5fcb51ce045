#include "libdns/zone/update.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "libdns/zone/canonical.h"

namespace posthorn::dns {

namespace {

using Outcome = Result<void, UpdateRefusal>;

auto refuse(Rcode rcode, std::string reason) {
  return fail(UpdateRefusal(rcode, std::move(reason)));
}

// What the signer makes.
bool is_made_by_signer(Type type) {
  return type == Type::rrsig || type == Type::nsec || type == Type::nsec3 ||
         type == Type::nsec3param;
}

// What a name without grants for it keeps (RFC 3007 3 has the keys of a zone apart from its data).
bool belongs_to_signing(Type type) {
  return is_made_by_signer(type) || type == Type::dnskey || type == Type::cds ||
         type == Type::cdnskey;
}

bool needs_explicit_grant(Type type) {
  return belongs_to_signing(type) || type == Type::soa || type == Type::ns || type == Type::ds ||
         type == Type::dname;
}

bool matches_name(const Grant& grant, const Name& key, const Name& name) {
  switch (grant.match) {
    case Grant::Match::self:
      return name == key;
    case Grant::Match::exact:
      return name == grant.name;
    case Grant::Match::subdomain:
      return name.is_at_or_below(grant.name);
    case Grant::Match::wildcard:
      return name != grant.name.parent() && name.is_at_or_below(grant.name.parent());
  }
  return false;
}

class Update {
 public:
  Update(std::shared_ptr<const Zone> zone, const MessageView& message, const UpdateContext& context)
      : zone_(std::move(zone)), message_(message), context_(context), editor_(zone_) {}

  Result<ZoneVersion, UpdateRefusal> run() {
    for (const auto step :
         {&Update::check_zone_section, &Update::check_asker, &Update::check_prerequisites,
          &Update::prescan, &Update::check_permissions, &Update::apply}) {
      const Outcome outcome = (this->*step)();
      if (!outcome) return fail(outcome.error());
    }
    return publish();
  }

 private:
  Outcome check_zone_section();
  Outcome check_asker();
  Outcome check_prerequisites();
  Outcome check_prerequisite(const RecordView& record, const Name& name);
  Outcome check_values();
  Outcome prescan();
  Outcome prescan_record(const RecordView& record, const Name& name);
  Outcome check_permissions();
  [[nodiscard]] bool is_permitted(const Name& name, Type type) const;
  [[nodiscard]] bool may_delete_name(const Name& name) const;
  Outcome apply();
  Outcome add(const Record& record);
  [[nodiscard]] bool is_ignored(const Record& record) const;
  void delete_name(const Name& name);
  void delete_set(const Name& name, Type type);
  void delete_record(const Name& name, const Rdata& data);
  Result<ZoneVersion, UpdateRefusal> publish();
  [[nodiscard]] bool is_apex(const Name& name) const { return name == zone_->origin(); }

  std::shared_ptr<const Zone> zone_;
  const MessageView& message_;
  const UpdateContext& context_;
  ZoneEditor editor_;
  // RFC 2136 2.4.2: sets that must be there exactly so, TTLs aside.
  std::map<std::pair<Name, Type>, RrSet> expected_;
};

// RFC 2136 3.1.
Outcome Update::check_zone_section() {
  const Header& header = message_.header();
  if (header.opcode != Opcode::update || header.response) {
    return refuse(Rcode::formerr, "not an update");
  }
  if (message_.questions().size() != 1) {
    return refuse(Rcode::formerr, "the zone section hasn't exactly one zone");
  }
  const QuestionView& zone = message_.questions()[0];
  if (zone.type != Type::soa) return refuse(Rcode::formerr, "the zone section's type isn't SOA");
  if (zone.klass != Class::in || !(zone.name == zone_->origin())) {
    return refuse(Rcode::notauth, fmt::format("{} is no zone of this server", zone.name.text()));
  }
  if (message_.authority().size() > context_.max_updates) {
    return refuse(Rcode::refused, fmt::format("{} changes; at most {} at once are taken",
                                              message_.authority().size(), context_.max_updates));
  }
  return {};
}

Outcome Update::check_asker() {
  if (context_.trusted) return {};
  if (!context_.key) return refuse(Rcode::refused, "unsigned updates aren't taken");
  const bool has_grant =
      std::any_of(context_.grants.begin(), context_.grants.end(),
                  [this](const Grant& grant) { return grant.key == *context_.key; });
  if (has_grant) return {};
  return refuse(Rcode::refused, fmt::format("no grant for key {}", context_.key->text()));
}

// RFC 2136 3.2.
Outcome Update::check_prerequisites() {
  for (const RecordView& record : message_.answer()) {
    const Name name = record.owner.name();
    if (record.ttl != 0) return refuse(Rcode::formerr, "a prerequisite has a TTL");
    if (!name.is_at_or_below(zone_->origin())) {
      return refuse(Rcode::notzone,
                    fmt::format("prerequisite: {} is outside of the zone", name.text()));
    }
    const Outcome outcome = check_prerequisite(record, name);
    if (!outcome) return outcome;
  }
  return check_values();
}

Outcome Update::check_prerequisite(const RecordView& record, const Name& name) {
  const Type type = record.type;
  if (is_metatype(type) && type != Type::any) {
    return refuse(Rcode::formerr, "a prerequisite of a type that no zone has");
  }
  if (record.klass == Class::in) {
    if (type == Type::any) return refuse(Rcode::formerr, "a prerequisite of type ANY and class IN");
    RrSet& set = expected_.try_emplace({name, type}, name, type, 0).first->second;
    std::string octets = rdata_to_wire(record.data());
    const std::size_t place = canonical_place(set, octets);
    if (place < set.rdata.size() && same_rdata(type, set.rdata[place], octets)) return {};
    set.rdata.insert(set.rdata.begin() + static_cast<std::ptrdiff_t>(place), std::move(octets));
    return {};
  }
  if ((record.klass != Class::any && record.klass != Class::none) || !record.rdata().empty()) {
    return refuse(Rcode::formerr, "a prerequisite has data, or a class that means nothing");
  }
  const bool wants = record.klass == Class::any;
  if (type == Type::any) {
    const bool is_used = zone_->find(name) != nullptr;
    if (wants == is_used) return {};
    return wants
               ? refuse(Rcode::nxdomain, fmt::format("prerequisite: {} isn't in use", name.text()))
               : refuse(Rcode::yxdomain, fmt::format("prerequisite: {} is in use", name.text()));
  }
  const bool exists = zone_->find(name, type) != nullptr;
  if (wants == exists) return {};
  const std::string what = fmt::format("prerequisite: {} {}", name.text(), to_string(type));
  return wants ? refuse(Rcode::nxrrset, what + " doesn't exist")
               : refuse(Rcode::yxrrset, what + " exists");
}

Outcome Update::check_values() {
  for (const auto& [key, set] : expected_) {
    const RrSet* found = zone_->find(key.first, key.second);
    const bool is_same =
        found != nullptr &&
        std::equal(found->rdata.begin(), found->rdata.end(), set.rdata.begin(), set.rdata.end(),
                   [&set](const auto& a, const auto& b) { return same_rdata(set.type, a, b); });
    if (is_same) continue;
    return refuse(Rcode::nxrrset, fmt::format("prerequisite: {} {} has other values",
                                              key.first.text(), to_string(key.second)));
  }
  return {};
}

// RFC 2136 3.4.1.
Outcome Update::prescan() {
  for (const RecordView& record : message_.authority()) {
    const Name name = record.owner.name();
    if (!name.is_at_or_below(zone_->origin())) {
      return refuse(Rcode::notzone, fmt::format("update: {} is outside of the zone", name.text()));
    }
    const Outcome outcome = prescan_record(record, name);
    if (!outcome) return outcome;
  }
  return {};
}

Outcome Update::prescan_record(const RecordView& record, const Name& name) {
  const bool is_meta = is_metatype(record.type);
  const auto malformed = [&name](std::string_view why) {
    return refuse(Rcode::formerr, fmt::format("update: {}: {}", name.text(), why));
  };
  switch (record.klass) {
    case Class::in:
      if (is_meta) return malformed("a type that no zone has can't be added");
      return {};
    case Class::any:
      if (record.ttl != 0 || !record.rdata().empty()) {
        return malformed("the deletion of a set has a TTL or data");
      }
      if (is_meta && record.type != Type::any) return malformed("a type that no zone has");
      return {};
    case Class::none:
      if (record.ttl != 0) return malformed("the deletion of a record has a TTL");
      if (is_meta) return malformed("a type that no zone has");
      if (record.rdata().empty() && !rdata_from_wire(record.type, "")) {
        return malformed("the deletion of a record has no data");
      }
      return {};
    default:
      return malformed("a class that means nothing");
  }
}

// RFC 2136 3.3, per record.
Outcome Update::check_permissions() {
  for (const RecordView& record : message_.authority()) {
    const Name name = record.owner.name();
    if (is_made_by_signer(record.type)) {
      return refuse(Rcode::refused, fmt::format("{} {}: the server makes these itself", name.text(),
                                                to_string(record.type)));
    }
    const bool is_allowed =
        record.type == Type::any ? may_delete_name(name) : is_permitted(name, record.type);
    if (is_allowed) continue;
    return refuse(Rcode::refused, fmt::format("key {} may not change {} {}", context_.key->text(),
                                              name.text(), to_string(record.type)));
  }
  return {};
}

bool Update::is_permitted(const Name& name, Type type) const {
  if (context_.trusted) return true;
  return std::any_of(context_.grants.begin(), context_.grants.end(),
                     [&](const Grant& grant) { return allows(grant, *context_.key, name, type); });
}

// All types that are there must be the asker's; of a name that isn't there some type.
bool Update::may_delete_name(const Name& name) const {
  if (context_.trusted) return true;
  const ZoneNode* node = zone_->find(name);
  if (node == nullptr) {
    return std::any_of(context_.grants.begin(), context_.grants.end(), [&](const Grant& grant) {
      return grant.key == *context_.key && matches_name(grant, *context_.key, name);
    });
  }
  return std::all_of(node->sets.begin(), node->sets.end(), [&](const RrSet& set) {
    const bool stays = belongs_to_signing(set.type) ||
                       (is_apex(name) && (set.type == Type::soa || set.type == Type::ns));
    return stays || is_permitted(name, set.type);
  });
}

// RFC 2136 3.4.2.
Outcome Update::apply() {
  for (const RecordView& record : message_.authority()) {
    const Name name = record.owner.name();
    if (record.klass == Class::in) {
      const Outcome outcome = add(record.record());
      if (!outcome) return outcome;
    } else if (record.klass == Class::none) {
      delete_record(name, record.data());
    } else if (record.type == Type::any) {
      delete_name(name);
    } else {
      delete_set(name, record.type);
    }
  }
  if (editor_.record_count() > std::max(context_.max_records, zone_->record_count())) {
    return refuse(Rcode::refused,
                  fmt::format("the zone would have over {} records", context_.max_records));
  }
  return {};
}

// Not an error (3.4.2.2): a CNAME beside other data, data beside a CNAME, a SOA that isn't newer.
bool Update::is_ignored(const Record& record) const {
  if (const Soa* soa = record.as<Soa>()) {
    if (!is_apex(record.owner)) return true;
    const RrSet* now = editor_.find(record.owner, Type::soa);
    const auto data = rdata_from_wire(Type::soa, now->rdata.front());
    return !data || !is_newer_serial(soa->serial, std::get<Soa>(*data).serial);
  }
  const ZoneNode* node = editor_.find(record.owner);
  if (node == nullptr) return false;
  const bool adds_alias = record.type() == Type::cname;
  return std::any_of(node->sets.begin(), node->sets.end(), [&](const RrSet& set) {
    if (set.empty() || is_made_by_signer(set.type)) return false;
    return adds_alias != (set.type == Type::cname);
  });
}

Outcome Update::add(const Record& record) {
  if (is_ignored(record)) return {};
  const Type type = record.type();
  // Of these there is one at a name, which the new one replaces.
  const bool is_single = type == Type::cname || type == Type::soa || type == Type::dname;
  if (is_single) {
    if (const RrSet* old = editor_.find(record.owner, type)) {
      const std::vector<Record> records = old->records();
      for (const Record& one : records) editor_.remove(record.owner, one.data);
    }
  }
  const auto added = editor_.add(record);
  if (added) return {};
  return refuse(Rcode::refused, fmt::format("{} {}: {}", record.owner.text(), to_string(type),
                                            to_string(added.error())));
}

void Update::delete_name(const Name& name) {
  const ZoneNode* node = editor_.find(name);
  if (node == nullptr) return;
  std::vector<Type> types;
  for (const RrSet& set : node->sets) {
    const bool stays = is_apex(name) && (set.type == Type::soa || set.type == Type::ns ||
                                         belongs_to_signing(set.type));
    if (!stays) types.push_back(set.type);
  }
  for (const Type type : types) editor_.remove_set(name, type);
}

void Update::delete_set(const Name& name, Type type) {
  if (is_apex(name) && (type == Type::soa || type == Type::ns)) return;
  editor_.remove_set(name, type);
}

void Update::delete_record(const Name& name, const Rdata& data) {
  const Type type = type_of(data);
  if (type == Type::soa) return;
  if (is_apex(name) && type == Type::ns) {
    const RrSet* servers = editor_.find(name, Type::ns);
    if (servers == nullptr || servers->rdata.size() == 1) return;
  }
  editor_.remove(name, data);
}

// RFC 2136 3.7.
Result<ZoneVersion, UpdateRefusal> Update::publish() {
  const auto failed = [](EditFault fault) {
    return refuse(Rcode::servfail, std::string(to_string(fault)));
  };
  ZoneEditor unchanged_serial = editor_;
  auto version = unchanged_serial.commit();
  if (!version) return failed(version.error());
  if (version->difference.empty()) return ZoneVersion();
  if (version->zone->serial() != zone_->serial()) return std::move(*version);
  editor_.set_serial(next_serial(zone_->serial(), context_.serial_policy, context_.now));
  version = editor_.commit();
  if (!version) return failed(version.error());
  return std::move(*version);
}

}  // namespace

bool allows(const Grant& grant, const Name& key, const Name& name, Type type) {
  if (grant.key != key || !matches_name(grant, key, name)) return false;
  if (is_made_by_signer(type)) return false;
  if (grant.types.empty()) return !needs_explicit_grant(type);
  return std::any_of(grant.types.begin(), grant.types.end(),
                     [type](Type one) { return one == type || one == Type::any; });
}

Result<ZoneVersion, UpdateRefusal> apply_update(std::shared_ptr<const Zone> zone,
                                                const MessageView& message,
                                                const UpdateContext& context) {
  return Update(std::move(zone), message, context).run();
}

}  // namespace posthorn::dns
