// Whatever a TXT record says: terms that are parsed are those that were written, and no target leads
// anywhere but to text.
#include "agents/nslook/spf.h"
#include "agents/nslook/sts_policy.h"
#include "agents/nslook/tags.h"
#include "libmail/base/result.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace posthorn;
  using namespace posthorn::nslook;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)Tags::parse(text);
  (void)parse_sts_policy(text);
  if (!is_spf(text)) return 0;
  const auto record = parse_spf(text);
  if (!record) return 0;
  std::string again = "v=spf1";
  for (const SpfTerm& term : record->terms) {
    again += " " + term.text;
    (void)spf_target(term, "example.org");
  }
  const auto twice = parse_spf(again);
  check(twice && twice->terms.size() == record->terms.size(), "terms are read as they are written");
  return 0;
}
