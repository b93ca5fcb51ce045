#include "test/dns/fake_internet.h"

#include <algorithm>

#include "libdns/dnssec/cookie.h"
#include "libdns/wire/test_keys.h"
#include "libdns/zone/lookup.h"
#include "libmail/async/loop.h"

namespace posthorn::dns::test {

namespace {

constexpr std::chrono::milliseconds usual_delay{5};

ExchangeError error_of(ExchangeError::Kind kind, const std::string& server) {
  return {kind, "fake trouble with " + server};
}

// Flips a bit of each signature.
RrSet with_broken_signatures(RrSet set) {
  for (std::string& octets : set.signatures) octets.back() = static_cast<char>(octets.back() ^ 1);
  return set;
}

// Signatures that may be of any of the keys that trap_keys() makes, and are of none (KeyTrap).
std::vector<std::string> trap_signatures(const RrSet& set, std::size_t count) {
  std::vector<std::string> signatures;
  const auto data = rdata_from_wire(Type::rrsig, set.signatures.at(0));
  for (std::size_t i = 0; i < count; ++i) {
    Rrsig one = std::get<Rrsig>(*data);
    one.algorithm = 8;
    one.key_tag = trap_tag;
    one.signature = std::string(256, static_cast<char>('a' + i));
    signatures.push_back(rdata_to_wire(one));
  }
  return signatures;
}

constexpr const char* server_cookie = "cookies!";

struct Reply {
  Header header;
  std::string cookie;
  std::optional<Rcode> rcode;  // over 15
  std::vector<RrSet> sections[3];
  bool truncated = false;
};

Reply from_zone(const Zone& zone, const Question& question) {
  Reply reply;
  const ZoneAnswer found = look_up(zone, question.name, question.type, true);
  reply.header.rcode = found.rcode;
  reply.header.authoritative = found.authoritative;
  for (const RrSet* set : found.answer) reply.sections[0].push_back(*set);
  for (const RrSet* set : found.authority) reply.sections[1].push_back(*set);
  for (const RrSet* set : found.additional) reply.sections[2].push_back(*set);
  return reply;
}

void add_records(Reply& reply, const Rule& rule) {
  for (std::size_t section = 0; section < 3; ++section) {
    for (const Record& record : rule.sections[section]) {
      RrSet set(record.owner, record.type(), record.ttl);
      set.add(rdata_to_wire(record.data));
      // Records of one set come one after the other.
      auto& sets = reply.sections[section];
      const auto same = std::ranges::find_if(
          sets, [&](const RrSet& one) { return one.owner == set.owner && one.type == set.type; });
      if (same == sets.end()) {
        sets.push_back(std::move(set));
      } else {
        same->add(set.rdata.front());
      }
    }
  }
}

void change(Reply& reply, const Rule& rule) {
  for (auto& section : reply.sections) {
    for (RrSet& set : section) {
      if (rule.action == "break-signatures") set = with_broken_signatures(set);
      if (rule.action == "strip-signatures") set.signatures.clear();
      if (rule.action == "sign-with-trap") set.signatures = trap_signatures(set, rule.number);
      if (rule.action == "add-trap" && !set.signatures.empty()) {
        const std::vector<std::string> traps = trap_signatures(set, rule.number);
        set.signatures.insert(set.signatures.begin(), traps.begin(), traps.end());
      }
    }
    if (rule.action == "strip-proofs") {
      std::erase_if(section, [](const RrSet& set) {
        return set.type == Type::nsec || set.type == Type::nsec3;
      });
    }
  }
}

std::string write(const Reply& reply, const Question& question, bool edns, std::size_t limit) {
  MessageBuilder builder(reply.header, limit);
  (void)builder.question(question);
  EdnsSettings settings;
  if (!reply.cookie.empty()) settings.options.emplace_back(edns_cookie, reply.cookie);
  if (edns) (void)builder.edns(std::move(settings));
  if (reply.rcode) builder.set_rcode(*reply.rcode);
  bool all = true;
  for (const RrSet& set : reply.sections[0]) all = builder.answer(set, Signatures::include) && all;
  for (const RrSet& set : reply.sections[1])
    all = builder.authority(set, Signatures::include) && all;
  if (!all) builder.set_truncated();
  for (const RrSet& set : reply.sections[2]) (void)builder.additional(set, Signatures::include);
  return builder.finish();
}

}  // namespace

std::vector<Dnskey> trap_keys(std::size_t count) {
  std::vector<Dnskey> keys;
  for (std::size_t i = 0; i < count; ++i) {
    Dnskey key;
    key.flags = Dnskey::zone_key;
    key.algorithm = 8;
    key.key = std::string("\3\1\0\1", 4) + std::string(252, static_cast<char>(0x80 + i)) +
              std::string("\0\0\0\1", 4);
    const std::size_t at = key.key.size() - 4;
    keys.push_back(with_tag(std::move(key), trap_tag, at));
  }
  return keys;
}

namespace {

// A server that insists on cookies: who comes without gets one, and no answer.
void add_cookie(Reply& reply, const MessageView& query) {
  for (const EdnsOption& option : query.edns()->options) {
    if (option.code != edns_cookie) continue;
    const auto cookie = parse_cookie(option.octets);
    if (!cookie) continue;
    if (cookie->server != server_cookie) reply = Reply(), reply.rcode = Rcode::badcookie;
    reply.cookie = std::string(cookie->client) + server_cookie;
  }
}

}  // namespace

Rule* FakeInternet::rule_for(const std::string& server, const Question& question) {
  for (Rule& rule : rules) {
    if (rule.server != "*" && rule.server != server) continue;
    const bool name_fits = !rule.name || *rule.name == question.name ||
                           (rule.below && question.name.is_at_or_below(*rule.name));
    if (!name_fits || (rule.type && *rule.type != question.type)) continue;
    if (rule.action == "used-up") continue;
    return &rule;
  }
  return nullptr;
}

void FakeInternet::sign_as(RrSet& set, const Zone& zone, const Name& owner) const {
  RrSet other = set;
  other.owner = owner;
  const SigningKey& key = keys.at(zone.origin().text());
  set.signatures = {rdata_to_wire(make_signature(other, zone.origin(), key, validity))};
}

std::string FakeInternet::answer(const MessageView& query, const std::string& server, Rule* rule,
                                 Transport transport) const {
  const Question question = query.questions().front().question();
  const std::string action = rule == nullptr ? "" : rule->action;
  Reply reply;
  reply.header.rcode = Rcode::refused;
  std::shared_ptr<const Zone> closest;
  const auto place = servers.find(server);
  if (place != servers.end()) {
    for (const auto& zone : place->second) {
      const bool parent_side =
          question.type == Type::ds && question.name == zone->origin() && !question.name.is_root();
      if (!question.name.is_at_or_below(zone->origin())) continue;
      if (parent_side && place->second.size() > 1) continue;
      if (!closest || zone->origin().is_at_or_below(closest->origin())) closest = zone;
    }
  }
  if (closest && action != "reply") reply = from_zone(*closest, question);
  if (action == "replay") {
    reply = from_zone(*zones.at(rule->zone), *rule->other);
    for (RrSet& set : reply.sections[0]) {
      if (set.owner == rule->other->name) set.owner = question.name;
    }
  }
  if (action == "reply") {
    reply.header.rcode = rule->rcode;
    reply.header.authoritative = rule->authoritative;
  }
  if (action == "reply" || action == "add") add_records(reply, *rule);
  if (rule != nullptr) change(reply, *rule);
  if (action == "sign-as") {
    for (RrSet& set : reply.sections[0]) sign_as(set, *closest, *rule->owner);
  }
  if (action == "servfail") reply = Reply(), reply.header.rcode = Rcode::servfail;
  if (action == "refused") reply = Reply(), reply.header.rcode = Rcode::refused;
  if (action == "not-authoritative") reply.header.authoritative = false;
  if (action == "claim-ad") reply.header.authentic_data = true;
  bool edns = query.edns().has_value();
  if (action == "cookies" && edns) add_cookie(reply, query);
  if (action == "no-edns" && edns) {
    reply = Reply();
    reply.header.rcode = Rcode::formerr;
    edns = false;
  }
  reply.header.id = query.header().id;
  reply.header.response = true;
  const bool udp = transport == Transport::udp;
  if (action == "truncate" && udp) {
    reply.sections[0].clear(), reply.sections[1].clear(), reply.sections[2].clear();
    reply.header.truncated = true;
  }
  const std::size_t limit = !udp ? max_message_octets : edns ? edns_udp_octets : 512;
  return write(reply, question, edns, limit);
}

async::Task<Result<std::string, ExchangeError>> FakeInternet::ask(async::Endpoint to,
                                                                  std::string query,
                                                                  Transport transport,
                                                                  async::Deadline deadline) {
  using Kind = ExchangeError::Kind;
  const auto message = MessageView::parse(query);
  check(message.has_value() && message->questions().size() == 1, "a query of ours can be read");
  Packet packet{to.host, message->questions().front().question(), transport};
  Rule* rule = rule_for(to.host, packet.question);
  std::string action = rule == nullptr ? "" : rule->action;
  const bool udp = transport == Transport::udp;
  const bool has_capital =
      std::ranges::any_of(packet.question.name.wire(), [](char c) { return c >= 'A' && c <= 'Z'; });
  seen.push_back(std::move(packet));
  Duration delay = usual_delay;
  if (action == "delay") delay = std::chrono::milliseconds(rule->number);
  std::string reply = answer(*message, to.host, rule, transport);
  if (rule != nullptr && rule->times > 0 && --rule->times == 0) rule->action = "used-up";

  const bool silent =
      action == "drop" || !servers.contains(to.host) || (action == "no-tcp" && !udp);
  most_in_flight = std::max(most_in_flight, ++in_flight);
  const async::Deadline arrives = async::Deadline::in(delay);
  const async::Deadline until = silent ? deadline : arrives.or_before(deadline);
  co_await async::sleep_until(until);
  --in_flight;
  if (silent || deadline < arrives) co_return fail(error_of(Kind::timed_out, to.host));
  if (udp && action == "wrong-id") co_return fail(error_of(Kind::mismatch, to.host));
  if (udp && (action == "lower-case" || action == "no-tcp") && has_capital)
    co_return fail(error_of(Kind::mismatch, to.host));
  if (action == "garbage") reply.resize(reply.size() - 1);
  co_return reply;
}

}  // namespace posthorn::dns::test
