// Who is at the other end of a Unix socket.
#pragma once

#include <sys/types.h>

#include <string>

#include "libmail/async/stream.h"
#include "libmail/async/task.h"

namespace posthorn::submissiond {

// A program of this machine: its user is the authenticated identity.
struct LocalUser {
  bool is_local = false;
  std::string name;      // of the password database; the uid in digits if it has none
  bool is_root = false;  // or, in a site of one's own, whoever runs it

  LocalUser() = default;
};

// For a Unix-socket peer by its uid, for pipes by our own. An inet peer is nobody. `own_site`: our own uid counts as
// root, for whoever runs a site can write its queue anyway.
async::Task<LocalUser> find_local_user(async::Peer peer, bool own_site);

}  // namespace posthorn::submissiond
