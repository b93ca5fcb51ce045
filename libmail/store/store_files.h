// Files of an account beside its mailboxes.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "libmail/store/error.h"
#include "libmail/store/files.h"

namespace posthorn::store {

// Special uses: "\\Sent<TAB>name" lines. Name -> uses, parted by spaces.
using Notes = std::map<std::string, std::string>;
Notes parse_notes(std::string_view text);
std::string format_notes(const Notes& notes);

// A UIDVALIDITY that no mailbox of this account has had, by Dovecot's files: an empty one carries the last in its name.
std::uint32_t next_uid_validity(Files& files, Directory& root);

// Removes everything below `name`, and itself; not more than `depth` directories deep.
StoreResult<void> remove_tree(Directory& parent, const std::string& name, int depth);

}  // namespace posthorn::store
