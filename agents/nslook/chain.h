// The chain of signatures from the trust anchor to an answer, link by link (RFC 4035 5).
#pragma once

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "agents/nslook/finding.h"
#include "libdns/dnssec/denial.h"
#include "libdns/resolver/trust_anchors.h"

namespace posthorn::nslook {

struct Chain {
  dns::Question question;
  Findings links;  // subject: the zone or name that a line is about
  dns::Security security = dns::Security::unavailable;
  std::string reason;  // one sentence; of secure: where trust came from
};

// Asks one resolver for everything, with DO and CD. Replies are remembered, so that many questions
// share a way.
class ChainWalker {
 public:
  // `asker` outlives it. Of `settings`, servers and manner count.
  ChainWalker(Asker& asker, Settings settings, dns::TrustAnchors anchors);
  async::Task<Chain> explain(dns::Question question);

 private:
  struct Walk;
  // RRsets of a reply by section.
  struct Sets {
    dns::Rcode rcode = dns::Rcode::servfail;
    std::vector<dns::RrSet> answer;
    std::vector<dns::RrSet> authority;
    std::string failure;  // not empty: there was no answer
  };
  async::Task<Sets> ask(dns::Name name, dns::Type type);
  // False: the walk has ended, with walk.chain.security and reason.
  async::Task<bool> begin(Walk& walk);
  async::Task<bool> enter_zone(Walk& walk, dns::Name zone, std::vector<dns::Ds> trusted);
  async::Task<bool> step_down(Walk& walk, dns::Name child);
  async::Task<bool> descend(Walk& walk);
  // An alias's target is what `walk.name` becomes, and true is given: go on with it.
  async::Task<bool> judge_answer(Walk& walk);
  bool judge_no_ds(Walk& walk, const dns::Name& child, const Sets& sets);
  void judge_denial(Walk& walk, const Sets& sets);
  bool judge_set(Walk& walk, const dns::RrSet& set, const Sets& sets);

  Asker& asker_;
  Settings settings_;
  dns::TrustAnchors anchors_;
  std::map<std::pair<dns::Name, dns::Type>, Sets> known_;
};

[[nodiscard]] std::string show(const Chain& chain);
[[nodiscard]] Json to_json(const Chain& chain);

}  // namespace posthorn::nslook
