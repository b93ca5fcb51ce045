// Where a user's mail lies: the userdb's word, else a template, and below which directories at all.
#pragma once

#include <string>
#include <vector>

#include "libmail/session/userdb_client.h"
#include "libmail/store/location.h"

namespace posthorn::access {

struct MailPlaces {
  std::string mail_location;                  // of users without a `mail` field
  std::vector<std::string> mail_directories;  // absolute; empty: mailboxes may lie anywhere

  MailPlaces() = default;
};

// The userdb's `mail`, else the template; below one of the directories. The error is for the log.
[[nodiscard]] store::StoreResult<store::MailLocation> locate(const MailPlaces& places,
                                                             const session::UserdbAnswer& user);

}  // namespace posthorn::access
