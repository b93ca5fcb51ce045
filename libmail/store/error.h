// Why the store could not do what was asked.
#pragma once

#include <string>

#include "libmail/base/result.h"

namespace posthorn::store {

struct StoreError {
  enum class Kind {
    disk_full,       // no space, no inodes, a file size limit: 452 4.3.1
    over_quota,      // EDQUOT: 452 4.2.2
    locked,          // another program holds the lock longer than we wait: 451 4.2.0, POP3 [IN-USE]
    not_found,       // no such mailbox, or the message was expunged meanwhile
    already_exists,  // a mailbox of that name
    bad_name,        // a path, folder or file name that must not be used
    refused,         // permissions, a symbolic link where none may be, not a directory
    corrupt_index,   // the index has to be made anew; nothing is lost by that
    unavailable,     // every other failure of the file system: try again later
  };
  Kind kind = Kind::unavailable;
  int code = 0;      // the errno behind it, if there is one
  std::string text;  // one line for the log: what was tried, on what, what happened

  StoreError() = default;
  StoreError(Kind what, std::string why) : kind(what), text(std::move(why)) {}
  // Sorts an errno into a kind.
  explicit StoreError(const IoError& error);
};

// `error` behind a step that must not be done twice: never `locked`, which asks the caller to come again with the whole.
StoreError not_again(StoreError error);

template <class T>
using StoreResult = Result<T, StoreError>;

}  // namespace posthorn::store
