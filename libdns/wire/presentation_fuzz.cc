// Text as a zone file has it: cut into entries, each read as a record; what is accepted must survive
// the way to the wire and back, and to text and back.
#include <cstdint>

#include "libdns/wire/presentation.h"

using namespace posthorn::dns;

namespace {

void check_record(const Record& record) {
  const std::string wire = rdata_to_wire(record.data);
  const auto from_wire = rdata_from_wire(record.type(), wire);
  posthorn::check(from_wire && *from_wire == record.data, "RDATA survives the wire");
  static_cast<void>(canonical_rdata(record.data));
  const auto from_text = parse_record(record.text());
  posthorn::check(from_text && *from_text == record, "a record survives its text");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  EntryReader reader({reinterpret_cast<const char*>(data), size});
  RecordDefaults defaults;
  defaults.origin = *Name::parse("example.org");
  defaults.ttl = 3600;
  Entry entry;
  for (;;) {
    const auto found = reader.next(entry);
    if (found && !*found) return 0;
    if (!found) {
      static_cast<void>(found.error().text());
      continue;
    }
    posthorn::check(!entry.tokens.empty(), "an entry has tokens");
    const auto record = parse_record(entry, defaults);
    if (!record) {
      static_cast<void>(record.error().text());
      continue;
    }
    defaults.owner = record->owner;
    check_record(*record);
  }
}
