// Table files and the answers of table servers.
#include <cstdlib>

#include "libmail/route/entries.h"
#include "libmail/route/open_table.h"
#include "libmail/route/table_wire.h"
#include "libmail/route/transport.h"

using namespace posthorn;
using namespace posthorn::route;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const service::Site site = service::Site::find("/nowhere");
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  for (const TableKind kind :
       {TableKind::aliases, TableKind::virtuals, TableKind::lists, TableKind::transports}) {
    const auto table = TextTable::parse(text, entry_check(kind, site));
    if (!table && table.error().text.empty()) std::abort();
    const auto key = canonical_key(text, kind);
    // A canonical key is its own canonical form, unless it needs quotes to be read again.
    if (key && key->find_first_of("\"\\ \t") == std::string::npos) {
      const auto again = canonical_key(*key, kind);
      if (again && *again != *key) std::abort();
    }
  }
  (void)parse_table_name(text);
  const auto transport = parse_transport(text, site);
  if (transport && parse_transport(transport->text(), site) != *transport) std::abort();
  std::string_view rest = text;
  while (const auto answer = take_socketmap_reply(rest)) {
    if (!*answer) break;
  }
  rest = text;
  while (const auto answer = take_tcp_reply(rest)) {
    if (!*answer) break;
  }
  return 0;
}
