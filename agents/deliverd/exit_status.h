// What a program's end says about a message: pipe(8)'s reading of sysexits.h. Sans I/O.
#pragma once

#include <string_view>

#include "libmail/async/process.h"
#include "libmail/smtp/status.h"

namespace posthorn::deliverd {

// `ended`: nothing if it was killed because its time was up. `output`: the beginning of what it wrote; when it failed and
// that begins with "4.x.y " or "5.x.y ", this is what counts.
smtp::Status status_of_exit(const std::optional<async::ExitStatus>& ended, std::string_view output,
                            std::string_view program);

// The other way, for --stdin: 0, 67, 75, 77, ... by sysexits.h.
int exit_code_of(const smtp::Reply& reply);

}  // namespace posthorn::deliverd
