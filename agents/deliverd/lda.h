// `deliverd --stdin`: one message for one user, with dovecot-lda's letters and sysexits codes.
#pragma once

#include <string>
#include <vector>

#include "agents/deliverd/options.h"

namespace posthorn::deliverd {

// Where the one message goes, known before the process locks itself in.
struct LocalUser {
  std::string name;  // of who runs this; "" if -d says who
  std::string home;
};
// Who runs this process, from the user database of the system.
Result<LocalUser, std::string> who_runs_this();

// The directories that a delivery to who runs this touches: the home, and where the mail is.
std::vector<std::string> own_directories(const Options& options, const service::Site& site);

// Reads standard input to its end and delivers. The exit code.
async::Task<int> deliver_stdin(const Options& options, const LocalUser& self,
                               const service::Site& site, service::Log& log);

}  // namespace posthorn::deliverd
