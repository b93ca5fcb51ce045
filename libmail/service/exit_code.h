// Exit codes of every program: 0 and 1, else those of sysexits.h.
#pragma once

namespace posthorn::service::exit_code {

inline constexpr int ok = 0;
inline constexpr int failed = 1;         // nothing found, or a check failed
inline constexpr int usage = 64;         // the command line
inline constexpr int data = 65;          // what was read is not what it should be
inline constexpr int unknown_user = 67;  // or folder
inline constexpr int unavailable = 69;   // something that is needed does not answer
inline constexpr int software = 70;      // a bug of ours
inline constexpr int try_again = 75;
inline constexpr int refused = 77;  // no permission
inline constexpr int config = 78;   // a configuration file

}  // namespace posthorn::service::exit_code
