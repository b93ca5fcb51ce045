#include <linux/sched.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <memory>

#include "libmail/service/lockdown.h"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define POSTHORN_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__)
#define POSTHORN_SANITIZED 1
#endif

namespace posthorn::service {

namespace {

#ifdef POSTHORN_SANITIZED
constexpr bool sanitized = true;
#else
constexpr bool sanitized = false;
#endif

// What every daemon of ours does: files it has or may open (Landlock says which), sockets, threads,
// time. By name, because the numbers differ between machines and a name this machine lacks is
// skipped.
constexpr std::array base_calls = {
    // files
    "read", "write", "readv", "writev", "pread64", "pwrite64", "preadv", "pwritev", "preadv2",
    "pwritev2", "lseek", "_llseek", "sendfile", "sendfile64", "splice", "tee", "copy_file_range",
    "open", "openat", "openat2", "creat", "close", "close_range", "stat", "stat64", "fstat",
    "fstat64", "lstat", "lstat64", "newfstatat", "fstatat64", "statx", "statfs", "statfs64",
    "fstatfs", "fstatfs64", "access", "faccessat", "faccessat2", "readlink", "readlinkat",
    "getdents", "getdents64", "getcwd", "fsync", "fdatasync", "sync_file_range", "syncfs",
    "fallocate", "fadvise64", "fadvise64_64", "readahead", "truncate", "truncate64", "ftruncate",
    "ftruncate64", "rename", "renameat", "renameat2", "link", "linkat", "unlink", "unlinkat",
    "mkdir", "mkdirat", "rmdir", "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown",
    "lchown", "fchownat", "umask", "utime", "utimes", "utimensat", "utimensat_time64", "futimesat",
    "flock", "fcntl", "fcntl64", "dup", "dup2", "dup3", "pipe", "pipe2", "ioctl", "getxattr",
    "lgetxattr", "fgetxattr",
    // waiting
    "poll", "ppoll", "ppoll_time64", "select", "_newselect", "pselect6", "pselect6_time64",
    "epoll_create", "epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2",
    "eventfd", "eventfd2", "signalfd", "signalfd4", "timerfd_create", "timerfd_settime",
    "timerfd_gettime", "inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
    // sockets; socket() itself depends on the family
    "socketpair", "connect", "accept", "accept4", "bind", "listen", "getsockname", "getpeername",
    "setsockopt", "getsockopt", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg",
    "recvmmsg_time64", "shutdown", "send", "recv",
    // memory
    "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "brk", "mlock", "mlock2", "munlock",
    "msync", "mincore", "membarrier", "memfd_create",
    // threads and signals; clone() only for threads
    "set_robust_list", "get_robust_list", "rseq", "futex", "futex_time64", "futex_waitv",
    "sched_yield", "sched_getaffinity", "sched_setaffinity", "sched_getparam", "sched_getscheduler",
    "gettid", "tgkill", "exit", "exit_group", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn",
    "rt_sigpending", "rt_sigtimedwait", "rt_sigsuspend", "sigaltstack", "sigreturn",
    "set_tid_address", "restart_syscall", "pause", "set_thread_area", "get_thread_area",
    "arch_prctl", "prctl",
    // time
    "nanosleep", "clock_nanosleep", "clock_nanosleep_time64", "clock_gettime", "clock_gettime64",
    "clock_getres", "clock_getres_time64", "gettimeofday", "time", "times", "alarm", "setitimer",
    "getitimer",
    // who and how much
    "getpid", "getppid", "getpgrp", "getpgid", "getsid", "getuid", "getuid32", "geteuid",
    "geteuid32", "getgid", "getgid32", "getegid", "getegid32", "getgroups", "getgroups32",
    "getresuid", "getresuid32", "getresgid", "getresgid32", "getrandom", "getrlimit", "ugetrlimit",
    "prlimit64", "getrusage", "uname", "sysinfo", "getcpu", "capget"};

// A leak check at exit traces its own threads from a clone of the process.
constexpr std::array sanitizer_calls = {"ptrace",     "clone",  "fork", "vfork",
                                        "wait4",      "waitid", "kill", "process_vm_readv",
                                        "personality"};

using Filter = std::unique_ptr<void, void (*)(void*)>;

// Adds a rule for a call of that name; one this machine does not have is no loss.
int allow(const Filter& filter, const char* name) {
  const int call = seccomp_syscall_resolve_name(name);
  if (call == __NR_SCMP_ERROR) return 0;
  const int result = seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  return result == -EDOM || result == -EFAULT ? 0 : result;
}

// An argument compared with a value, or with a value behind a mask.
scmp_arg_cmp argument(unsigned which, scmp_compare how, std::uint64_t a, std::uint64_t b = 0) {
  scmp_arg_cmp comparison{};
  comparison.arg = which;
  comparison.op = how;
  comparison.datum_a = a;
  comparison.datum_b = b;
  return comparison;
}

int allow_families(const Filter& filter, bool internet) {
  // Netlink: glibc asks the kernel for our addresses before it sorts those of a host.
  for (const int family : {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK}) {
    if (family != AF_UNIX && !internet) break;
    const scmp_arg_cmp is_family = argument(0, SCMP_CMP_EQ, static_cast<std::uint64_t>(family));
    const int result =
        seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, &is_family);
    if (result != 0) return result;
  }
  return 0;
}

int allow_threads(const Filter& filter) {
  const scmp_arg_cmp is_thread = argument(0, SCMP_CMP_MASKED_EQ, CLONE_THREAD, CLONE_THREAD);
  const int result =
      seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(clone), 1, &is_thread);
  if (result != 0) return result;
  // Its flags lie in memory, where a filter can't look; told that there is none, glibc takes
  // clone().
  return seccomp_rule_add(filter.get(), SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0);
}

// kill() without a signal only asks whether a process is there: whose lock is this?
int allow_looking_for_processes(const Filter& filter) {
  const scmp_arg_cmp no_signal = argument(1, SCMP_CMP_EQ, 0);
  return seccomp_rule_add_array(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(kill), 1, &no_signal);
}

int fill(const Filter& filter, const Confinement& confinement, Lockdown how) {
  for (const char* name : base_calls) {
    if (const int result = allow(filter, name); result != 0) return result;
  }
  if (sanitized) {
    for (const char* name : sanitizer_calls) {
      if (const int result = allow(filter, name); result != 0) return result;
    }
  } else if (how == Lockdown::full) {
    for (const int call : {SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(ptrace)}) {
      if (const int result = seccomp_rule_add(filter.get(), SCMP_ACT_KILL_PROCESS, call, 0);
          result != 0)
        return result;
    }
  }
  if (const int result = allow_threads(filter); result != 0) return result;
  if (const int result = allow_looking_for_processes(filter); result != 0) return result;
  return allow_families(filter, confinement.internet);
}

}  // namespace

Result<void, IoError> confine_calls(const Confinement& confinement, Lockdown how,
                                    LockdownReport& report) {
  if (how == Lockdown::off) {
    report.notes.emplace_back("lockdown is off");
    return {};
  }
  const std::uint32_t otherwise = how == Lockdown::full ? SCMP_ACT_ERRNO(EPERM) : SCMP_ACT_LOG;
  const Filter filter(seccomp_init(otherwise), [](void* context) { seccomp_release(context); });
  if (!filter) return fail(IoError(ENOMEM, "make a seccomp filter"));
  // A foreign ABI on the same machine (32 bits) is no way around the list: libseccomp kills it by
  // itself.
  int result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_TSYNC, 1);
  if (result == 0) result = seccomp_attr_set(filter.get(), SCMP_FLTATR_CTL_OPTIMIZE, 2);
  if (result == 0) result = fill(filter, confinement, how);
  if (result == 0) result = seccomp_load(filter.get());
  if (result == -EINVAL || result == -ENOSYS || result == -EOPNOTSUPP) {
    report.notes.emplace_back("this kernel has no seccomp");
    return {};
  }
  if (result != 0) return fail(IoError(-result, "load the seccomp filter"));
  report.seccomp = true;
  return {};
}

}  // namespace posthorn::service
