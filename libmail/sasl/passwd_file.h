// The users file: Dovecot's passwd-file. One user a line:
//
//   user:password:uid:gid:gecos:home:shell:extra
//
// Fields may be empty and missing at the end. `extra` is words, "key" or "key=value", and takes the
// rest of the line, colons included; keys that begin with "userdb_" are told to the agents without
// that prefix (userdb_mail=maildir:~/Maildir, userdb_quota_rule=*:storage=1G). "nologin" refuses
// log-in to a user who still gets mail. Empty lines and lines that begin with "#" are skipped.
// Names are compared without regard to ASCII case. Editing it: passwd_edit.h.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "libmail/base/text.h"

namespace posthorn::sasl {

struct PasswdEntry {
  std::string user;      // as in the file
  std::string password;  // "{SCHEME}...", see password.h; "" = can't log in
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::string gecos;
  std::string home;
  std::string shell;
  std::vector<std::pair<std::string, std::string>> extra;  // value "" for a bare key

  PasswdEntry() = default;
  // The value of an extra field; nothing if it is not there.
  [[nodiscard]] std::optional<std::string_view> field(std::string_view key) const;
  bool operator==(const PasswdEntry&) const = default;
};

// A line that was left out, and why; the password is never quoted.
struct PasswdProblem {
  std::size_t line = 0;  // from 1
  std::string text;
};

struct PasswdFile {
  std::vector<PasswdEntry> entries;     // in the file's order
  std::vector<PasswdProblem> problems;  // of two lines for one user the first counts

  PasswdFile() = default;
  [[nodiscard]] const PasswdEntry* find(std::string_view user) const;
  // True if there is a user and each that can log in has SCRAM keys: then SCRAM may be advertised.
  [[nodiscard]] bool all_have_scram() const { return all_scram; }

  bool all_scram = false;
  std::unordered_map<std::string, std::size_t, IHash, IEqual> index;
};

struct PasswdLimits {
  std::size_t line = 16384;
  std::size_t user = 320;  // RFC 5321: 64 + "@" + 255
};

[[nodiscard]] PasswdFile parse_passwd_file(std::string_view text);
// Without line end. Fields that would break the line (":", controls) must have been refused before:
// check_user_name().
[[nodiscard]] std::string format_passwd_entry(const PasswdEntry& entry);

// What is wrong with a name for a user, in words; nothing if it may be used: 1 to 320 octets of
// UTF-8, no control, space,
// ":" or "/", no leading "#", and no part between "@"s that is empty, "." or ".." (it becomes a folder).
[[nodiscard]] std::optional<std::string> user_name_problem(std::string_view user);

}  // namespace posthorn::sasl
