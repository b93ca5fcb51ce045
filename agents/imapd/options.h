// What imapd can be told; one table for front and worker.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "libmail/access/options.h"
#include "libmail/imap/server/login_core.h"
#include "libmail/store/location.h"

namespace posthorn::imapd {

struct Options : access::Options {
  std::string separator = ".";
  std::string prefix;  // of the personal namespace: "INBOX."
  std::vector<std::string> special_use = {"Archive", "Drafts", "Junk", "Sent", "Trash"};
  std::string public_location;  // "maildir:PATH"; "" = none
  std::string public_prefix;    // "" = "Public" and the separator
  std::string shared_prefix;    // "user."; "" = nobody sees mailboxes of others
  std::string shared_list;      // "" = shared-mailboxes in the first of mail_directories
  std::vector<std::string> quota_admins;
  std::string quota;  // of users whose userdb entry has no quota_rule; "" = none
  bool index = true;
  bool search_index = true;
  std::uint64_t append_limit = 64 * 1024 * 1024;
  std::uint32_t message_limit = 0;  // RFC 9738
  std::string server_comment;       // RFC 5464: /shared/comment and /shared/admin
  std::string server_admin;
  std::vector<std::string> filters;  // "NAME=SEARCH KEYS"
  Duration lock_time = std::chrono::seconds(30);
  std::size_t max_line = imap::Limits().line;
  unsigned max_errors = 20;
  unsigned max_logins = 5;

  Options();
  void describe(service::OptionTable& table);
  [[nodiscard]] std::vector<std::string> check(const service::Site& site) const;
  // Of `public_location`; nothing: there is none.
  [[nodiscard]] store::StoreResult<std::optional<store::MailLocation>> public_place(
      const service::Site& site) const;
  [[nodiscard]] std::string public_names() const;
  // Mailbox name to "\\Sent"; what is written wrong is left out.
  [[nodiscard]] std::map<std::string, std::string> special_uses() const;
  // Of `filters`, names in lower case; what is written wrong is left out.
  [[nodiscard]] std::map<std::string, std::string> named_filters() const;
};

}  // namespace posthorn::imapd
