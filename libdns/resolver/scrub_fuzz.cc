// Any packet as a server's reply: scrub() must keep its promises, whatever it is.
#include "libdns/resolver/scrub.h"
#include "libmail/base/result.h"

using namespace posthorn;
using namespace posthorn::dns;

namespace {

void check_promises(const Scrubbed& out, const Source& source, const Question& asked) {
  for (const RrSet& set : out.answer) check(set.owner.is_at_or_below(source.zone), "inside");
  for (const RrSet& set : out.authority) check(set.owner.is_at_or_below(source.zone), "inside");
  check(out.answer.size() <= 2 * max_scrubbed_aliases + 2, "few sets");
  if (out.meaning != Meaning::referral) return;
  check(out.delegation.zone != source.zone, "down");
  check(out.delegation.zone.is_at_or_below(source.zone), "below");
  check(asked.name.is_at_or_below(out.delegation.zone), "towards the name");
  check(out.delegation.hosts.size() <= max_delegation_hosts, "few hosts");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto message = MessageView::parse({reinterpret_cast<const char*>(data), size});
  if (!message || message->questions().size() != 1) return 0;
  const Question asked = message->questions().front().question();
  Name zone = asked.name;
  for (bool forwarder : {false, true}) {
    for (zone = asked.name;; zone = zone.parent()) {
      Source source(zone);
      source.forwarder = forwarder;
      source.private_allowed = forwarder;
      check_promises(scrub(*message, asked, source), source, asked);
      if (zone.is_root()) break;
    }
  }
  (void)scrub_priming(*message, Source(Name()));
  return 0;
}
