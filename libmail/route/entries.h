// What keys and values of the site's four tables look like (README.md, "The files").
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/route/text_table.h"
#include "libmail/service/site.h"
#include "libmail/smtp/address.h"

namespace posthorn::route {

enum class TableKind { aliases, virtuals, lists, transports };

// A value of aliases, virtual or lists. A member without a domain gets that of the address it stands for, one without
// a local-part ("@example.net") its local-part.
struct Entry {
  std::vector<smtp::Mailbox> members;  // at least one
  std::optional<smtp::Mailbox> owner;  // lists; nothing = owner-LIST
};

// The error says what is wrong.
[[nodiscard]] Result<Entry, std::string> parse_entry(std::string_view value, TableKind kind);

// A key in its canonical form: what Resolver asks for. The error says what is expected.
[[nodiscard]] Result<std::string, std::string> canonical_key(std::string_view key, TableKind kind);

// Both checks for TextTable::parse. `site` outlives the result.
[[nodiscard]] EntryCheck entry_check(TableKind kind, const service::Site& site);

}  // namespace posthorn::route
