#include "libmail/base/result.h"
#include "libmail/queue/record.h"
#include "libmail/queue/segment.h"

using namespace posthorn;
using namespace posthorn::queue;

// The octets are a segment's records, and an envelope.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view octets(reinterpret_cast<const char*>(data), size);
  const Scan scan = scan_records(octets, first_record, 5, std::nullopt, first_record + size, false);
  for (const FoundRecord& found : scan.records) {
    check(found.offset >= first_record && found.offset < first_record + size, "offset");
    const RecordHeader& header = found.record.header;
    check(encode_header(header) == octets.substr(found.offset - first_record, record_header_size),
          "a header that is not written as it was read");
  }
  if (const std::optional<Entry> entry = decode_entry(octets)) {
    const std::optional<Entry> again = decode_entry(encode_entry(*entry));
    check(again == entry, "an envelope that is not read as it was written");
  }
  return 0;
}
