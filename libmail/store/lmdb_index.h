// MailIndex in LMDB: one environment a mailbox, `posthorn.index` beside its messages. A commit costs one fdatasync; a power
// cut may undo the last ones and never damages it. index_values.h has the form of what is in it.
#pragma once

#include <cstddef>
#include <memory>

#include "libmail/store/files.h"
#include "libmail/store/mail_index.h"

namespace posthorn::store {

inline constexpr const char* index_name = "posthorn.index";

// Opens, or makes, the index in `directory`, which outlives it. One that is of another version or damaged is made anew. nullptr: another process
// has it, or there can't be one (a read-only disk, a file system in memory). It remembers the last `expunges`.
// If another process has made itself one while ours was at rest and its file removed, we go on in memory.
std::unique_ptr<MailIndex> open_lmdb_index(Directory& directory, std::size_t expunges = 1 << 20);

}  // namespace posthorn::store
