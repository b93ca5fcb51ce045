// All that a domain says about its mail, looked at.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "agents/nslook/answers.h"
#include "agents/nslook/finding.h"
#include "agents/nslook/sts_policy.h"
#include "libdns/wire/security.h"

namespace posthorn::nslook {

struct MailQuestion {
  dns::Name domain;
  std::vector<std::string> selectors;    // of DKIM
  std::vector<std::string> block_lists;  // zones
  std::vector<std::string> addresses;    // that send; empty: those of the MX hosts
};

// How far the answer to a question may be believed, and why not more: chain.h says it.
struct Belief {
  dns::Security security = dns::Security::insecure;
  std::string why;
};
using Vouch = std::function<async::Task<Belief>(dns::Name name, dns::Type type)>;

async::Task<Findings> check_mail(Answers& answers, MailQuestion question, Vouch vouch,
                                 PolicySource& policies);

// The parts. Each appends to `findings`.

// MX, addresses, PTR, TLSA. Gives the hosts' addresses.
async::Task<std::vector<std::string>> check_hosts(Answers& answers, dns::Name domain, Vouch vouch,
                                                  Findings& findings);
// PTR of an address, and whether the name there leads back.
async::Task<void> check_reverse(Answers& answers, std::string address, bool must_have,
                                Findings& findings);
async::Task<void> check_spf(Answers& answers, dns::Name domain, Findings& findings);
async::Task<void> check_dmarc(Answers& answers, dns::Name domain, Findings& findings);
async::Task<void> check_dkim(Answers& answers, dns::Name domain, std::string selector,
                             Findings& findings);
async::Task<void> check_mta_sts(Answers& answers, dns::Name domain, PolicySource& policies,
                                Findings& findings);
async::Task<void> check_tls_reports(Answers& answers, dns::Name domain, Findings& findings);
async::Task<void> check_block_list(Answers& answers, std::string zone,
                                   std::vector<std::string> addresses, Findings& findings);

// TXT records at `name` that begin with "v=VERSION", joined (RFC 7208 3.3).
struct Texts {
  Answer answer;
  std::vector<std::string> found;
};
async::Task<Texts> find_texts(Answers& answers, dns::Name name, std::string version);

}  // namespace posthorn::nslook
