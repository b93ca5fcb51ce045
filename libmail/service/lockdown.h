// Least privilege for a running process: no_new_privs, Landlock for the file system, seccomp for
// system calls, resource limits. What the kernel does not offer is left out and logged, never an
// error.
#pragma once

#include <string>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::service {

// What a process may touch after its start. It starts no programs: who has to begins an
// async::Starter before. Directories are the unit: a rule on a file would not
// cover the file that is renamed over it. A directory that does not exist is skipped.
struct Confinement {
  std::vector<std::string>
      read;  // directories: files below may be opened for reading, names listed
  std::vector<std::string>
      write;  // directories: below, all of read, and write, make, rename (also between two such
              // directories: LANDLOCK_ACCESS_FS_REFER), link, remove
  bool internet =
      true;  // may open and use AF_INET and AF_INET6 sockets; Unix sockets are always allowed
  std::size_t max_files = 65536;  // RLIMIT_NOFILE is raised to this if it may be

  Confinement() = default;
};

// How much of it is applied. `log_only` lets a forbidden system call pass and has the kernel log it
// (audit).
enum class Lockdown { full, log_only, off };

// What was done, for one log line: "landlock=abi4 seccomp=on" ...
struct LockdownReport {
  int landlock_abi = 0;  // 0: the kernel has none, or it is off
  bool seccomp = false;
  std::vector<std::string> notes;  // what is missing and why
  LockdownReport() = default;
};

// Before the first thread is made: no_new_privs, limits, Landlock (it binds the calling thread and
// its descendants).
Result<LockdownReport, IoError> confine_files(const Confinement& confinement, Lockdown how);
// After start-up, all threads (TSYNC): the seccomp filter. A call outside the list returns EPERM,
// so that a library's optional call degrades instead of killing mail in flight; execve and ptrace
// kill the process, for nobody here calls them in earnest.
Result<void, IoError> confine_calls(const Confinement& confinement, Lockdown how,
                                    LockdownReport& report);

// Whether there is such a user; the error says what to do.
Result<void, std::string> check_user(const std::string& user);
// Becomes `user` with its groups, for good. Error: no such user, or no permission; names the user.
Result<void, std::string> switch_user(const std::string& user);

}  // namespace posthorn::service
