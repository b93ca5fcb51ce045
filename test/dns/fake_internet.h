// Servers that exist in memory only: an Exchange that answers from zones, and misbehaves where a rule
// says so.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "libdns/dnssec/sign.h"
#include "libdns/resolver/exchange.h"
#include "libdns/wire/builder.h"
#include "libdns/zone/zone.h"

namespace posthorn::dns::test {

// What a server does with some questions instead of answering truly.
struct Rule {
  std::string server;
  std::optional<Name> name;  // none: any
  bool below = false;        // what is below the name, too
  std::optional<Type> type;
  std::size_t times = 0;  // 0: always
  std::string action;
  std::size_t number = 0;  // of the action, e.g. milliseconds
  // "reply" and "add": records by section, and whether AA is set
  std::vector<Record> sections[3];
  bool authoritative = true;
  Rcode rcode = Rcode::noerror;
  // "replay": the true answer of some zone to another question
  std::string zone;
  std::optional<Question> other;
  // "sign-as": the answer's sets are signed as if this were their owner
  std::optional<Name> owner;
  Rule() = default;
};

// RSA keys of 2048 bits that share this key tag (CVE-2023-50387).
inline constexpr std::uint16_t trap_tag = 4711;
[[nodiscard]] std::vector<Dnskey> trap_keys(std::size_t count);

class FakeInternet final : public Exchange {
 public:
  async::Task<Result<std::string, ExchangeError>> ask(async::Endpoint to, std::string query,
                                                      Transport transport,
                                                      async::Deadline deadline) override;

  struct Packet {
    std::string server;
    Question question;
    Transport transport = Transport::udp;
  };
  std::map<std::string, std::vector<std::shared_ptr<const Zone>>> servers;
  std::map<std::string, std::shared_ptr<const Zone>> zones;
  std::map<std::string, SigningKey> keys;  // of signed zones
  Validity validity;
  std::vector<Rule> rules;
  std::vector<Packet> seen;
  std::size_t in_flight = 0;
  std::size_t most_in_flight = 0;

 private:
  Rule* rule_for(const std::string& server, const Question& question);
  void sign_as(RrSet& set, const Zone& zone, const Name& owner) const;
  std::string answer(const MessageView& query, const std::string& server, Rule* rule,
                     Transport transport) const;
};

}  // namespace posthorn::dns::test
