// sendmail(1) as a whole: what main calls.
#pragma once

#include <string>
#include <vector>

namespace posthorn::sendmail {

// The exit code: 0 done, else sysexits. Reads standard input, writes errors to standard error.
int run(const std::string& program, const std::vector<std::string>& words);

}  // namespace posthorn::sendmail
