// Changes to the users file. Every change is atomic: a new file is written beside it, synced,
// renamed over it, and the directory is synced; owner and mode of the old file stay, a new file is
// 0600. Two edits at once wait for each other (a lock on the directory). Other lines stay as they
// are, octet for octet. These calls sleep: programs only, or async::blocking().
#pragma once

#include "libmail/base/result.h"
#include "libmail/sasl/passwd_file.h"
#include "libmail/sasl/password.h"

namespace posthorn::sasl {

struct PasswdError {
  enum class Kind { no_such_user, user_exists, bad_input, io };
  Kind kind = Kind::io;
  std::string text;  // a sentence for the operator

  PasswdError() = default;
  PasswdError(Kind k, std::string t) : kind(k), text(std::move(t)) {}
};

// Adds `user` with a password made by make_password() and whatever else `entry` says (its
// `password` is replaced). Makes the file if there is none, not its directory.
Result<void, PasswdError> add_user(const std::string& file, PasswdEntry entry,
                                   std::string_view password,
                                   Scheme scheme = Scheme::scram_sha_256);
// A new password; the rest of the user's line stays.
Result<void, PasswdError> change_password(const std::string& file, std::string_view user,
                                          std::string_view password,
                                          Scheme scheme = Scheme::scram_sha_256);
Result<void, PasswdError> delete_user(const std::string& file, std::string_view user);
// Users and problems; an absent file is an empty list.
Result<PasswdFile, PasswdError> read_users(const std::string& file);

}  // namespace posthorn::sasl
