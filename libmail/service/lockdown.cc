#include "libmail/service/lockdown.h"

#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>

#include "libmail/service/landlock.h"

namespace posthorn::service {

namespace {

// What the C library, name look-ups, time zones, iconv and OpenSSL read behind our back.
constexpr const char* system_reads[] = {"/etc",
                                        "/usr",
                                        "/lib",
                                        "/lib64",
                                        "/run/systemd/resolve",
                                        "/dev/urandom",
                                        "/dev/random",
                                        "/proc",
                                        "/sys/devices/system/cpu"};

void raise_file_limit(std::size_t wanted, LockdownReport& report) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t before = limit.rlim_cur;
  limit.rlim_cur = std::max<rlim_t>(limit.rlim_cur, std::min<rlim_t>(wanted, limit.rlim_max));
  if (limit.rlim_cur != before) ::setrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur < wanted)
    report.notes.push_back("open files limited to " + std::to_string(limit.rlim_cur));
}

}  // namespace

Result<LockdownReport, IoError> confine_files(const Confinement& confinement, Lockdown how) {
  LockdownReport report;
  raise_file_limit(confinement.max_files, report);
  const rlimit no_core{0, 0};  // a core holds passwords and mail
  if (how != Lockdown::off) ::setrlimit(RLIMIT_CORE, &no_core);
  if (how == Lockdown::off) return report;
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return fail(io_error("no_new_privs"));
  if (how == Lockdown::log_only) return report;  // Landlock has no such mode on the kernels we know

  report.landlock_abi = landlock_abi();
  if (report.landlock_abi == 0) {
    report.notes.emplace_back("this kernel has no Landlock");
    return report;
  }
  std::vector<PathRule> rules;
  for (const char* path : system_reads) rules.push_back({path, false});
  rules.push_back({"/dev/null", true});
  for (const std::string& path : confinement.read) rules.push_back({path, false});
  for (const std::string& path : confinement.write) rules.push_back({path, true});
  if (auto done = landlock(rules); !done) return fail(std::move(done.error()));
  return report;
}

namespace {

Result<const passwd*, std::string> find_user(const std::string& user) {
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry != nullptr) return entry;
  return fail("there is no user \"" + user + "\": create it, or set `user` to one that exists");
}

}  // namespace

Result<void, std::string> check_user(const std::string& user) {
  const auto entry = find_user(user);
  return entry ? Result<void, std::string>() : fail(entry.error());
}

Result<void, std::string> switch_user(const std::string& user) {
  const auto found = find_user(user);
  if (!found) return fail(found.error());
  const passwd* entry = *found;
  if (::getuid() == entry->pw_uid && ::geteuid() == entry->pw_uid) return {};
  // The kernel forgets the parent-death signal with the old user; who relied on it still does.
  int death_signal = 0;
  ::prctl(PR_GET_PDEATHSIG, &death_signal);
  const pid_t parent = ::getppid();
  if (::initgroups(user.c_str(), entry->pw_gid) != 0 ||
      ::setresgid(entry->pw_gid, entry->pw_gid, entry->pw_gid) != 0 ||
      ::setresuid(entry->pw_uid, entry->pw_uid, entry->pw_uid) != 0) {
    return fail(io_error("become user", user).text());
  }
  if (death_signal != 0) {
    ::prctl(PR_SET_PDEATHSIG, death_signal);
    if (::getppid() != parent) return fail(std::string("the supervisor has ended"));
  }
  return {};
}

}  // namespace posthorn::service
