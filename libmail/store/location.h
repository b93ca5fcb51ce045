// Where a user's mail lies. Sans I/O: text to values.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "libmail/store/error.h"

namespace posthorn::store {

enum class MailFormat { maildir, mbox };

struct MailLocation {
  MailFormat format = MailFormat::maildir;
  // An absolute path the operator chose: opened as it stands, symbolic links followed.
  std::string base;
  // What follows below it, one name each: validated, opened without following links, made on
  // demand.
  std::vector<std::string> components;

  [[nodiscard]] std::string path() const;
};

// The user a template is filled in for, as the userdb gave them.
struct MailUser {
  std::string name;    // %u
  std::string local;   // %n
  std::string domain;  // %d, "" if the user has none
  std::string home;    // %h and ~, "" if there is none

  MailUser() = default;
  // "ann@alpha.test" or "ann".
  MailUser(std::string user, std::string its_home);
};

// Reads Dovecot's form: "maildir:PATH" or "mbox:PATH", PATH absolute or beginning with ~/ or %h/,
// with %u %n %d %h %% in it. Everything from the first name that holds %u, %n or %d, or behind the
// home, becomes `components`. Errors: bad_name, with what to change in the text.
StoreResult<MailLocation> make_mail_location(std::string_view form, const MailUser& user);

// The same for an agent that is kept to some directories: bad_name for mail that lies elsewhere. `form`: the userdb's
// `mail` field, or the agent's template.
StoreResult<MailLocation> make_mail_location(std::string_view form, const MailUser& user,
                                             const std::vector<std::string>& directories);

// Whether `path` is one of `directories` or below one; with none it may lie anywhere. As text: links on the way
// are the store's to refuse, and Landlock holds a process to its directories anyway.
bool lies_below(const std::string& path, const std::vector<std::string>& directories);

// A name that may stand for one file or directory: not empty, no "/" or NUL or control octet, no
// leading dot, at most 255 octets.
bool is_safe_component(std::string_view name);

// The directory of a Maildir++ folder: "Lists/C++" or "Lists.C++" -> ".Lists.C++", names in UTF-8
// become modified UTF-7 (RFC 3501 5.1.3) as Dovecot and Courier write them. "INBOX" and "" give ""
// (the Maildir itself).
StoreResult<std::string> maildir_folder_directory(std::string_view folder);

}  // namespace posthorn::store
