// What one client's question may still spend. Made once; everything that the question sets off
// draws on it: other servers tried, aliases, name servers' addresses, DS and DNSKEY.
#pragma once

#include <string>
#include <vector>

#include "libdns/dnssec/budget.h"
#include "libdns/resolver/limits.h"
#include "libdns/wire/name.h"
#include "libmail/async/timer.h"

namespace posthorn::dns {

struct Work {
  std::size_t queries_left;
  async::Deadline deadline;
  CryptoBudget crypto;
  std::vector<Name> looking_up;  // hosts whose addresses are wanted, the outermost first
  std::size_t pause_at = 0;      // verifications, see Validator::pause()
  bool exhausted = false;        // something was not done for want of budget

  Work(const ResolveLimits& limits, async::Deadline until)
      : queries_left(limits.upstream_queries), deadline(until) {}
  // What came out since says more about this question's budget than about others' names: it must not
  // be remembered for them.
  [[nodiscard]] bool is_spent() const { return exhausted || crypto.is_exhausted(); }
  // One message to another server; false if there is nothing left to spend.
  [[nodiscard]] bool spend() {
    if (queries_left == 0 || deadline.passed()) {
      exhausted = true;
      return false;
    }
    --queries_left;
    return true;
  }
};

}  // namespace posthorn::dns
