// A zone file: what is accepted must survive its own text, and every name in it must be found.
#include <cstdint>

#include "libdns/zone/check.h"
#include "libdns/zone/lookup.h"
#include "libdns/zone/master_file.h"

using namespace posthorn;
using namespace posthorn::dns;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const Name origin = *Name::parse("example.org");
  MasterFileOptions options;
  options.limits.records = 20000;
  options.limits.generated = 300;
  // The file includes its own first half, so circles and depth are met as well.
  options.open = [text](std::string_view path,
                        std::string_view) -> Result<std::string, std::string> {
    if (path.size() > 12) return fail(std::string("no such file"));
    return std::string(text.substr(0, text.size() / 2));
  };
  const MasterFile file = parse_master_file(text, origin, options);
  for (const Problem& problem : file.problems) static_cast<void>(problem.text());
  check((file.zone == nullptr) == has_errors(file.problems), "a zone or an error");
  if (!file.zone) return 0;
  const MasterFile again = parse_master_file(to_master_file(*file.zone), origin);
  check(again.zone != nullptr && *again.zone == *file.zone, "a zone survives its text");
  ZoneAnswer answer;
  file.zone->for_each([&](const RrSet& set) {
    look_up(*file.zone, set.owner, set.type, true, answer);
    check(answer.kind != ZoneAnswer::Kind::outside, "an owner is inside the zone");
    if (const auto below = set.owner.child("nothing-here")) {
      look_up(*file.zone, *below, Type::a, true, answer);
    }
  });
  static_cast<void>(check_zone(*file.zone));
  return 0;
}
