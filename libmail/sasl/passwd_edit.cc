#include "libmail/sasl/passwd_edit.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>

#include "libmail/base/fd.h"
#include "libmail/base/random.h"

namespace posthorn::sasl {
namespace {

constexpr std::size_t max_file = 256u << 20;

PasswdError io_problem(const std::string& operation, const std::string& path) {
  return {PasswdError::Kind::io, io_error(operation, path).text()};
}
PasswdError bad_input(std::string text) {
  return {PasswdError::Kind::bad_input, std::move(text)};
}

std::string directory_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

struct OldFile {
  std::string text;
  mode_t mode = 0600;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  bool exists = false;
};

Result<OldFile, PasswdError> read_old(const std::string& path) {
  OldFile old;
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) {
    if (errno == ENOENT) return old;
    return fail(io_problem("open", path));
  }
  struct stat status{};
  if (::fstat(fd.get(), &status) != 0) return fail(io_problem("stat", path));
  if (!S_ISREG(status.st_mode))
    return fail(PasswdError(PasswdError::Kind::io, path + " is not a regular file"));
  if (static_cast<std::size_t>(status.st_size) > max_file)
    return fail(PasswdError(PasswdError::Kind::io, path + " is larger than 256 MiB"));
  old.exists = true;
  old.mode = status.st_mode & 07777;
  old.uid = status.st_uid;
  old.gid = status.st_gid;
  std::string block(65536, '\0');
  for (;;) {
    const ssize_t count = ::read(fd.get(), block.data(), block.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(io_problem("read", path));
    if (count == 0) return old;
    old.text.append(block, 0, static_cast<std::size_t>(count));
  }
}

// Removes what was not renamed.
struct TemporaryFile {
  std::string path;
  bool renamed = false;
  explicit TemporaryFile(std::string p) : path(std::move(p)) {}
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!renamed) ::unlink(path.c_str());
  }
};

Result<void, PasswdError> replace(const std::string& path, const OldFile& old,
                                  std::string_view text, const Fd& directory) {
  TemporaryFile temporary(path + "." + hex(random_octets(6)) + ".tmp");
  const Fd fd(::open(temporary.path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  if (!fd) return fail(io_problem("create", temporary.path));
  if (old.exists) {
    struct stat status{};
    if (::fstat(fd.get(), &status) != 0) return fail(io_problem("stat", temporary.path));
    const bool same_owner = status.st_uid == old.uid && status.st_gid == old.gid;
    // Owner first: chown may clear mode bits. Losing the group would lock authd out, so it is an
    // error.
    if (!same_owner && ::fchown(fd.get(), old.uid, old.gid) != 0)
      return fail(io_problem("chown", temporary.path));
    if (::fchmod(fd.get(), old.mode) != 0) return fail(io_problem("chmod", temporary.path));
  }
  if (!write_all(fd.get(), text)) return fail(io_problem("write", temporary.path));
  if (::fsync(fd.get()) != 0) return fail(io_problem("fsync", temporary.path));
  if (::rename(temporary.path.c_str(), path.c_str()) != 0) return fail(io_problem("rename", path));
  temporary.renamed = true;
  if (::fsync(directory.get()) != 0) return fail(io_problem("fsync", directory_of(path)));
  return {};
}

// Reads, lets `change` make the new text, writes; under the directory's lock.
template <class Change>
Result<void, PasswdError> edit(const std::string& path, Change change) {
  const std::string folder = directory_of(path);
  const Fd directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory) return fail(io_problem("open", folder));
  while (::flock(directory.get(), LOCK_EX) != 0) {
    if (errno != EINTR) return fail(io_problem("lock", folder));
  }
  const auto old = read_old(path);
  if (!old) return fail(old.error());
  const Result<std::string, PasswdError> text = change(old->text);
  if (!text) return fail(text.error());
  return replace(path, *old, *text, directory);
}

// Where `user`'s line lies, its line end included.
struct Place {
  std::size_t begin = 0, size = 0;
};
std::optional<Place> find_line(std::string_view text, std::string_view user) {
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find('\n', begin), text.size());
    const std::string_view line = text.substr(begin, end - begin);
    const bool comment = !line.empty() && line.front() == '#';
    if (!comment && iequals(line.substr(0, line.find(':')), user))
      return Place{begin, std::min(end + 1, text.size()) - begin};
    begin = end + 1;
  }
  return std::nullopt;
}

bool breaks_line(std::string_view field, bool colon_is_bad) {
  return std::any_of(field.begin(), field.end(), [colon_is_bad](char c) {
    return static_cast<unsigned char>(c) < 32 || c == 127 || (colon_is_bad && c == ':');
  });
}

std::optional<std::string> entry_problem(const PasswdEntry& entry) {
  if (auto problem = user_name_problem(entry.user)) return "the user name " + *problem;
  for (const auto* field : {&entry.gecos, &entry.home, &entry.shell}) {
    if (breaks_line(*field, true))
      return "name, home and shell can't have \":\" or control characters";
  }
  for (const auto& [key, value] : entry.extra) {
    if (key.empty() || breaks_line(key, false) || breaks_line(value, false) ||
        key.find_first_of(" =") != std::string::npos || value.find(' ') != std::string::npos)
      return "extra fields are key or key=value without spaces and control characters";
  }
  return std::nullopt;
}

PasswdError unknown_user(std::string_view user, const std::string& path) {
  return {PasswdError::Kind::no_such_user, "no user " + printable(user) + " in " + path};
}

}  // namespace

Result<void, PasswdError> add_user(const std::string& file, PasswdEntry entry,
                                   std::string_view password, Scheme scheme) {
  if (auto problem = entry_problem(entry)) return fail(bad_input(std::move(*problem)));
  auto stored = make_password(password, scheme);
  if (!stored) return fail(bad_input(stored.error()));
  entry.password = std::move(*stored);
  return edit(file, [&](const std::string& old) -> Result<std::string, PasswdError> {
    if (find_line(old, entry.user)) {
      return fail(PasswdError(PasswdError::Kind::user_exists,
                              "user " + printable(entry.user) + " is in " + file + " already"));
    }
    std::string text = old;
    if (!text.empty() && text.back() != '\n') text.push_back('\n');
    return text + format_passwd_entry(entry) + "\n";
  });
}

Result<void, PasswdError> change_password(const std::string& file, std::string_view user,
                                          std::string_view password, Scheme scheme) {
  const auto stored = make_password(password, scheme);
  if (!stored) return fail(bad_input(stored.error()));
  return edit(file, [&](const std::string& old) -> Result<std::string, PasswdError> {
    const auto place = find_line(old, user);
    if (!place) return fail(unknown_user(user, file));
    // Only the second field changes, whatever else the line says.
    const std::string_view line = std::string_view(old).substr(place->begin, place->size);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      const std::string name(trim(line));
      return old.substr(0, place->begin) + name + ":" + *stored + "\n" +
             old.substr(place->begin + place->size);
    }
    const std::size_t end = std::min(line.find_first_of(":\r\n", colon + 1), line.size());
    return old.substr(0, place->begin + colon + 1) + *stored + old.substr(place->begin + end);
  });
}

Result<void, PasswdError> delete_user(const std::string& file, std::string_view user) {
  return edit(file, [&](const std::string& old) -> Result<std::string, PasswdError> {
    const auto place = find_line(old, user);
    if (!place) return fail(unknown_user(user, file));
    return old.substr(0, place->begin) + old.substr(place->begin + place->size);
  });
}

Result<PasswdFile, PasswdError> read_users(const std::string& file) {
  const auto old = read_old(file);
  if (!old) return fail(old.error());
  return parse_passwd_file(old->text);
}

}  // namespace posthorn::sasl
