// A fake Internet for tests: servers that know records, written as in a zone file.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "agents/nslook/settings.h"
#include "libdns/wire/builder.h"
#include "libdns/wire/presentation.h"
#include "libdns/wire/test_names.h"
#include "libmail/async/loop.h"

namespace posthorn::nslook {

using dns::name;

// Answers of its records. A SOA makes it the authority for what is below; NS records below that
// make it refer. A resolver has no SOA and answers all there is.
class FakeServer {
 public:
  void add(std::string_view text) {
    dns::EntryReader reader(text);
    dns::Entry entry;
    dns::RecordDefaults defaults;
    defaults.ttl = 300;
    for (auto more = reader.next(entry); more && *more; more = reader.next(entry)) {
      const auto record = dns::parse_record(entry, defaults);
      INFO(std::string(text));
      REQUIRE(record);
      if (record->type() == dns::Type::soa) origins.push_back(record->owner);
      defaults.owner = record->owner;
      records.push_back(*record);
    }
  }
  void remove(const dns::Name& owner, dns::Type type) {
    std::erase_if(records,
                  [&](const auto& one) { return one.owner == owner && one.type() == type; });
  }

  std::vector<dns::Record> records;
  std::vector<dns::Name> origins;
  bool silent = false;
  bool knows_edns = true;
  bool truncates = false;                  // by UDP
  bool authentic = false;                  // sets AD
  dns::Rcode rcode = dns::Rcode::noerror;  // other: the answer to everything
  std::optional<dns::ExtendedError> why;
};

class FakeDns final : public dns::Exchange {
 public:
  // "192.0.2.1#53"
  FakeServer& at(const std::string& address) { return servers_[address]; }
  // "192.0.2.1#53 udp www.example A", in order.
  std::vector<std::string> log;

  async::Task<Result<std::string, dns::ExchangeError>> ask(async::Endpoint to, std::string query,
                                                           dns::Transport transport,
                                                           async::Deadline) override {
    const std::string place = Place("", to).address_text();
    const auto view = dns::MessageView::parse(query);
    REQUIRE(view);
    const dns::Question question = view->questions().front().question();
    log.push_back(place + (transport == dns::Transport::udp ? " udp " : " tcp ") +
                  question.name.text() + " " + dns::to_string(question.type));
    const auto found = servers_.find(place);
    if (found == servers_.end() || found->second.silent) {
      co_return fail(dns::ExchangeError(dns::ExchangeError::Kind::timed_out, "timed out"));
    }
    co_return reply(found->second, *view, question, transport);
  }

 private:
  static bool covers(const dns::Record& record, dns::Type type) {
    const auto* signature = record.as<dns::Rrsig>();
    return signature != nullptr && signature->covered == type;
  }
  static std::vector<dns::Record> find(const FakeServer& server, const dns::Name& owner,
                                       dns::Type type, bool signatures) {
    std::vector<dns::Record> found;
    for (const dns::Record& record : server.records) {
      if (!(record.owner == owner)) continue;
      const bool wanted = record.type() == type || type == dns::Type::any;
      if (wanted || (signatures && covers(record, type))) found.push_back(record);
    }
    return found;
  }
  static bool exists(const FakeServer& server, const dns::Name& wanted) {
    return std::ranges::any_of(server.records, [&](const dns::Record& record) {
      return record.owner.is_at_or_below(wanted) && record.type() != dns::Type::nsec;
    });
  }
  // The delegation that `wanted` lies at or below, unless the server is the authority there.
  static std::optional<dns::Name> cut(const FakeServer& server, const dns::Name& wanted) {
    if (server.origins.empty()) return std::nullopt;
    for (dns::Name at = wanted;; at = at.parent()) {
      if (std::ranges::find(server.origins, at) != server.origins.end()) return std::nullopt;
      if (!find(server, at, dns::Type::ns, false).empty()) return at;
      if (at.is_root()) return std::nullopt;
    }
  }

  struct Sections {
    std::vector<dns::Record> answer, authority, additional;
    dns::Rcode rcode = dns::Rcode::noerror;
    bool authoritative = false;
  };
  static void refer(const FakeServer& server, const dns::Name& at, Sections& sections) {
    sections.authoritative = false;
    sections.authority = find(server, at, dns::Type::ns, false);
    for (const dns::Record& record : sections.authority) {
      for (const dns::Type type : {dns::Type::a, dns::Type::aaaa}) {
        for (const auto& glue : find(server, record.as<dns::Ns>()->host, type, false)) {
          sections.additional.push_back(glue);
        }
      }
    }
  }
  // The deepest zone at or above `at`, or only above it.
  static dns::Name zone_of(const FakeServer& server, dns::Name at, bool above) {
    if (above) at = at.parent();
    for (;; at = at.parent()) {
      if (!find(server, at, dns::Type::soa, false).empty() || at.is_root()) return at;
    }
  }
  // Which zone a proof comes from: at a delegation both sides have an NSEC.
  static dns::Name zone_of(const FakeServer& server, const dns::Record& record) {
    if (const auto* signature = record.as<dns::Rrsig>()) return signature->signer;
    const auto* nsec = record.as<dns::Nsec>();
    return zone_of(server, record.owner, nsec != nullptr && !nsec->types.contains(dns::Type::soa));
  }
  // SOA, and with DO all proofs that the zone has.
  static void deny(const FakeServer& server, const dns::Question& question, const dns::Name& wanted,
                   bool dnssec, Sections& out) {
    if (!exists(server, wanted)) out.rcode = dns::Rcode::nxdomain;
    const dns::Name zone = zone_of(server, wanted, question.type == dns::Type::ds);
    for (const dns::Record& record : server.records) {
      const bool is_soa = record.type() == dns::Type::soa;
      const bool is_proof = record.type() == dns::Type::nsec || covers(record, dns::Type::nsec) ||
                            covers(record, dns::Type::soa);
      if (!is_soa && !(is_proof && dnssec)) continue;
      if (zone_of(server, record) == zone) out.authority.push_back(record);
    }
  }
  static Sections find_all(const FakeServer& server, const dns::Question& question, bool dnssec) {
    Sections sections;
    sections.authoritative = !server.origins.empty();
    dns::Name at = question.name;
    for (int hops = 0; hops < 20; ++hops) {
      const bool parents_side = question.type == dns::Type::ds;
      if (const auto below = cut(server, parents_side ? at.parent() : at)) {
        refer(server, *below, sections);
        return sections;
      }
      auto found = find(server, at, question.type, dnssec);
      auto alias = find(server, at, dns::Type::cname, dnssec);
      const bool follows = found.empty() && !alias.empty();
      auto& add = follows ? alias : found;
      sections.answer.insert(sections.answer.end(), add.begin(), add.end());
      if (!follows) {
        if (found.empty()) deny(server, question, at, dnssec, sections);
        return sections;
      }
      at = alias.front().as<dns::Cname>()->target;
    }
    return sections;
  }

  static std::string reply(const FakeServer& server, const dns::MessageView& query,
                           const dns::Question& question, dns::Transport transport) {
    const bool dnssec = query.edns() && query.edns()->dnssec_ok;
    dns::Header header = query.header();
    header.response = true;
    header.authentic_data = server.authentic;
    header.recursion_available = server.origins.empty();
    const bool unknown_edns = query.edns() && !server.knows_edns;
    header.truncated = server.truncates && transport == dns::Transport::udp;
    Sections sections;
    if (server.rcode == dns::Rcode::noerror && !unknown_edns && !header.truncated) {
      sections = find_all(server, question, dnssec);
    }
    header.authoritative = sections.authoritative;
    header.rcode = unknown_edns                          ? dns::Rcode::formerr
                   : server.rcode != dns::Rcode::noerror ? server.rcode
                                                         : sections.rcode;
    dns::MessageBuilder builder(header);
    if (query.edns() && server.knows_edns) {
      dns::EdnsSettings edns;
      if (server.why) edns.add(*server.why);
      REQUIRE(builder.edns(std::move(edns)));
    }
    REQUIRE(builder.question(question));
    for (const auto& record : sections.answer) REQUIRE(builder.answer(record));
    for (const auto& record : sections.authority) REQUIRE(builder.authority(record));
    for (const auto& record : sections.additional) REQUIRE(builder.additional(record));
    return builder.finish();
  }

  std::map<std::string, FakeServer> servers_;
};

inline constexpr std::uint64_t test_time = 1'800'000'000;

inline Place place(const std::string& address, std::uint16_t port = dns_port) {
  return Place(address, async::Endpoint::inet(address, port));
}

// Settings that ask 192.0.2.1.
inline Settings test_settings() {
  Settings settings;
  settings.servers = {place("192.0.2.1")};
  settings.manner.retries = 0;
  return settings;
}

}  // namespace posthorn::nslook
