// Store: an account's mailboxes. Names are UTF-8 with the namespace's separator ("Lists.C++", "INBOX"); on disk they are
// Maildir++ directories in modified UTF-7 as Dovecot writes them. What a client may do is asked of authorise() before anything
// is done; functions here are blocking, and one Store is used by all sessions of its account.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "libmail/store/acl.h"
#include "libmail/store/location.h"
#include "libmail/store/open_mailbox.h"
#include "libmail/store/quota.h"
#include "libmail/store/store_host.h"

namespace posthorn::store {

// RFC 2342. The first of an account is personal and has the INBOX.
struct NamespaceSettings {
  enum class Kind { personal, other_users, shared };
  Kind kind = Kind::personal;
  std::string prefix;    // "", or as Courier has it "INBOX."; ends with the separator
  char separator = '.';  // or '/'
  MailLocation location;
};

struct StoreSettings {
  std::string user;  // whom the ACLs speak of
  std::vector<std::string> groups;
  std::vector<NamespaceSettings> namespaces;
  // Special uses by mailbox name (RFC 6154), as "\\Sent": defaults of the site; the account's own file comes first.
  std::map<std::string, std::string> special_use;
  QuotaLimits quota;
  bool index = true;  // false: nothing is kept beside Dovecot's own files
};

struct MailboxInfo {
  std::string name;
  char separator = '.';
  bool exists = true;  // false: only a parent of others (\NonExistent)
  bool has_children = false;
  bool subscribed = false;
  std::vector<std::string> special_use;  // "\\Sent"
};

struct MailboxStatus {
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 1;
  std::uint64_t highest_modseq = 1;
  std::uint32_t recent = 0;
  MailboxCounts counts;
  std::string guid;
};

class Store {
 public:
  // `host` outlives it.
  Store(StoreHost& host, StoreSettings settings);
  ~Store();

  // Every mailbox and every name above one, INBOX first, the others sorted by octets. Names on disk that are no mailbox names
  // are left out and become remarks. With `subscriptions` also names that are subscribed and do not exist.
  StoreResult<std::vector<MailboxInfo>> list(bool subscriptions = false);
  // Kind::bad_name: CREATE's NO [CANNOT]; already_exists; parents are made as names only.
  StoreResult<void> create(const std::string& name,
                           const std::vector<std::string>& special_use = {});
  StoreResult<void> remove(const std::string& name);
  // With everything below it. Renaming INBOX moves its messages and leaves it empty (RFC 9051 6.3.6).
  StoreResult<void> rename(const std::string& from, const std::string& to);
  // Subscribing what does not exist is allowed (RFC 9051 6.3.7).
  StoreResult<void> subscribe(const std::string& name, bool on);

  // The one object of this mailbox in the process. not_found; `bad_name` for a name that can't be.
  StoreResult<std::shared_ptr<OpenMailbox>> open(const std::string& name);
  // Makes the index anew from the files; gives the number of messages. `locked`: the index is in use.
  StoreResult<std::size_t> rebuild_index(const std::string& name);
  // Without opening it for anybody; scans only if something changed. `with_size`: measures what has no size.
  StoreResult<MailboxStatus> status(const std::string& name, bool with_size = false);

  // Whether the account's user has `right` on the mailbox. Every verb of a client goes through here.
  StoreResult<bool> authorise(const std::string& name, Right right);
  // All rights of the user there, for MYRIGHTS.
  StoreResult<Rights> rights(const std::string& name);

  // Usage and limits (RFC 9208); recalculated if the file says nothing or is old.
  StoreResult<QuotaUsage> quota();
  [[nodiscard]] const StoreSettings& settings() const { return settings_; }
  std::vector<std::string> take_remarks();

 private:
  struct Place;
  StoreResult<Place> place_of(const std::string& name) const;
  StoreResult<std::string> name_of(const NamespaceSettings& space,
                                   std::string_view directory) const;
  StoreResult<std::unique_ptr<Directory>> root_of(const NamespaceSettings& space) const;
  StoreResult<std::vector<std::string>> directories_of(Directory& root);
  StoreResult<void> list_space(const NamespaceSettings& space,
                               std::map<std::string, MailboxInfo>& all);
  StoreResult<void> note_subscriptions(std::map<std::string, MailboxInfo>& all, bool with_missing);
  StoreResult<void> note_special_uses(std::map<std::string, MailboxInfo>& all);
  StoreResult<void> change_notes(
      const std::function<void(std::map<std::string, std::string>&)>& change);
  StoreResult<void> rename_inbox(const std::string& to);
  StoreResult<std::shared_ptr<OpenMailbox>> open_maildir_at(const Place& place);
  void forget(const std::string& key);
  void remark(std::string text);

  StoreHost& host_;
  StoreSettings settings_;
  std::shared_ptr<Directory> quota_root_;
  std::mutex mutex_;                                        // of what follows
  std::map<std::string, std::weak_ptr<OpenMailbox>> open_;  // by namespace and directory
  std::vector<std::string> remarks_;
};

}  // namespace posthorn::store
