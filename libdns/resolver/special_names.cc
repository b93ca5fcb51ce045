#include "libdns/resolver/special_names.h"

#include <algorithm>
#include <array>

namespace posthorn::dns {

namespace {

constexpr std::uint32_t local_ttl = 10800;

// RFC 6303 4, RFC 7793, RFC 8375: empty zones. 127.in-addr.arpa and localhost are below, too.
constexpr std::array empty_zones = {
    "invalid",
    "onion",
    "test",
    "home.arpa",
    "localhost",
    "0.in-addr.arpa",
    "10.in-addr.arpa",
    "127.in-addr.arpa",
    "254.169.in-addr.arpa",
    "168.192.in-addr.arpa",
    "2.0.192.in-addr.arpa",
    "100.51.198.in-addr.arpa",
    "113.0.203.in-addr.arpa",
    "255.255.255.255.in-addr.arpa",
    "0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa",
    "d.f.ip6.arpa",
    "8.e.f.ip6.arpa",
    "9.e.f.ip6.arpa",
    "a.e.f.ip6.arpa",
    "b.e.f.ip6.arpa",
    "8.b.d.0.1.0.0.2.ip6.arpa"};

Name name(std::string_view text) {
  return Name::parse(text).value_or(Name());
}

std::vector<Name> make_zones() {
  std::vector<Name> zones;
  for (const char* one : empty_zones) zones.push_back(name(one));
  for (int net = 16; net < 32; ++net)
    zones.push_back(name(std::to_string(net) + ".172.in-addr.arpa"));
  for (int net = 64; net < 128; ++net)
    zones.push_back(name(std::to_string(net) + ".100.in-addr.arpa"));
  return zones;
}

const Name* zone_of(const Name& asked) {
  static const std::vector<Name> tops = {name("arpa"), name("invalid"), name("onion"),
                                         name("localhost"), name("test")};
  const auto is_below = [&asked](const Name& top) { return asked.is_at_or_below(top); };
  if (std::ranges::none_of(tops, is_below)) return nullptr;
  static const std::vector<Name> zones = make_zones();
  for (const Name& zone : zones) {
    if (asked.is_at_or_below(zone)) return &zone;
  }
  return nullptr;
}

RrSet one_record(const Name& owner, const Rdata& data) {
  RrSet set(owner, type_of(data), local_ttl);
  set.add(rdata_to_wire(data));
  return set;
}

RrSet soa_of(const Name& zone) {
  Soa soa;
  soa.primary = zone;
  soa.mailbox = name("nobody.invalid");
  soa.serial = 1;
  soa.refresh = 3600;
  soa.retry = 1200;
  soa.expire = 604800;
  soa.minimum = local_ttl;
  return one_record(zone, soa);
}

// What such names do have.
std::optional<RrSet> record_of(const Question& question, const Name& zone) {
  if (zone == name("localhost") && question.type == Type::a)
    return one_record(question.name, A{{127, 0, 0, 1}});
  if (zone == name("localhost") && question.type == Type::aaaa) {
    Aaaa loopback;
    loopback.address.back() = 1;
    return one_record(question.name, loopback);
  }
  const bool is_loopback = question.name == name("1.0.0.127.in-addr.arpa") ||
                           (zone.label_count() == 34 && zone.labels().front() == "1");
  if (is_loopback && question.type == Type::ptr)
    return one_record(question.name, Ptr{name("localhost")});
  if (question.name == zone && question.type == Type::soa) return soa_of(zone);
  if (question.name == zone && question.type == Type::ns) return one_record(zone, Ns{zone});
  return std::nullopt;
}

bool exists(const Name& asked, const Name& zone) {
  // All names below localhost do (RFC 6761 6.3); elsewhere the zone, 127.0.0.1 and what leads to it.
  return asked == zone || zone == name("localhost") ||
         (zone == name("127.in-addr.arpa") && name("1.0.0.127.in-addr.arpa").is_at_or_below(asked));
}

}  // namespace

std::optional<SpecialAnswer> special_answer(const Question& question) {
  const Name* zone = zone_of(question.name);
  if (zone == nullptr) return std::nullopt;
  SpecialAnswer local;
  auto record = record_of(question, *zone);
  if (record) {
    local.answer.push_back(std::move(*record));
    return local;
  }
  Negative negative;
  negative.nxdomain = !exists(question.name, *zone);
  negative.ttl = local_ttl;
  negative.authority.push_back(soa_of(*zone));
  local.negative = std::move(negative);
  return local;
}

}  // namespace posthorn::dns
