#include "libmail/service/landlock.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "libmail/base/fd.h"

namespace posthorn::service {

namespace {

// Rights by the version that brought them. REFER (2): rename and link between directories; TRUNCATE
// (3); IOCTL_DEV (5).
constexpr std::uint64_t access_truncate = 1ULL << 14;
constexpr std::uint64_t access_ioctl_dev = 1ULL << 15;
constexpr std::uint64_t first_rights = (1ULL << 13) - 1;  // EXECUTE .. MAKE_SYM

constexpr std::uint64_t read_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
// Devices, FIFOs and symbolic links are nothing a mail system makes; sockets it does.
constexpr std::uint64_t write_rights =
    read_rights | LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR |
    LANDLOCK_ACCESS_FS_REMOVE_FILE | LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG |
    LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REFER | access_truncate;
// What makes sense for a file that is named itself; the kernel refuses the others there.
constexpr std::uint64_t file_rights = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                                      access_truncate | access_ioctl_dev;

std::uint64_t handled_rights(int abi) {
  std::uint64_t rights = first_rights;
  if (abi >= 2) rights |= LANDLOCK_ACCESS_FS_REFER;
  if (abi >= 3) rights |= access_truncate;
  return rights;
}

Result<void, IoError> add_rule(int ruleset, const PathRule& rule, std::uint64_t handled) {
  const Fd path(::open(rule.path.c_str(), O_PATH | O_CLOEXEC));
  if (!path) return {};  // nothing there: nothing to allow
  struct stat facts{};
  if (::fstat(path.get(), &facts) != 0) return fail(io_error("stat", rule.path));
  landlock_path_beneath_attr attribute{};
  attribute.parent_fd = path.get();
  attribute.allowed_access = (rule.write ? write_rights : read_rights) & handled;
  if (!S_ISDIR(facts.st_mode)) attribute.allowed_access &= file_rights;
  if (::syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &attribute, 0) != 0) {
    return fail(io_error("landlock_add_rule", rule.path));
  }
  return {};
}

}  // namespace

int landlock_abi() {
  const long abi =
      ::syscall(SYS_landlock_create_ruleset, nullptr, 0, LANDLOCK_CREATE_RULESET_VERSION);
  return abi > 0 ? static_cast<int>(abi) : 0;
}

Result<void, IoError> landlock(const std::vector<PathRule>& rules) {
  const std::uint64_t handled = handled_rights(landlock_abi());
  landlock_ruleset_attr attribute{};
  attribute.handled_access_fs = handled;
  const Fd ruleset(
      static_cast<int>(::syscall(SYS_landlock_create_ruleset, &attribute, sizeof attribute, 0)));
  if (!ruleset) return fail(io_error("landlock_create_ruleset"));
  for (const PathRule& rule : rules) {
    if (auto added = add_rule(ruleset.get(), rule, handled); !added) return added;
  }
  if (::syscall(SYS_landlock_restrict_self, ruleset.get(), 0) != 0)
    return fail(io_error("landlock_restrict_self"));
  return {};
}

}  // namespace posthorn::service
