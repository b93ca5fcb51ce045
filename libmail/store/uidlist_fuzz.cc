// Any octets as dovecot-uidlist: what is read is in order, and what is written is read back the same.
#include <cstdint>
#include <unordered_set>

#include "libmail/base/result.h"
#include "libmail/store/uidlist.h"

using namespace posthorn;
using namespace posthorn::store;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  UidList list = UidList::parse({reinterpret_cast<const char*>(data), size});
  std::unordered_set<std::string> bases;
  std::uint32_t last = 0;
  for (const UidRecord& record : list.records) {
    check(record.uid > last && record.uid < list.next_uid, "UIDs ascend");
    check(bases.insert(record.base).second, "a base stands once");
    check(!uidl_text(record, list.uid_validity).empty(), "there is a UIDL");
    last = record.uid;
  }
  check(list.uid_validity != 0 || list.records.empty(), "no records without UIDVALIDITY");
  if (list.uid_validity == 0) return 0;
  if (list.guid.empty()) list.guid = std::string(32, '0');
  const UidList again = UidList::parse(list.text());
  check(!again.must_rewrite && again.text() == list.text(), "what is written can be read");
  return 0;
}
