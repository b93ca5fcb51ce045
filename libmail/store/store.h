// Store: an account's mailboxes. Names are UTF-8 with the namespace's separator ("Lists.C++", "INBOX"); on disk they are
// Maildir++ directories in modified UTF-7 as Dovecot writes them. What a client may do is asked of authorise() before anything
// is done; functions here are blocking, and one Store is used by all sessions of its account.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "libmail/store/acl.h"
#include "libmail/store/location.h"
#include "libmail/store/metadata.h"
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
  std::string owner;  // other_users: whose mail it is
  QuotaLimits quota;  // other_users: the owner's, as the userdb has them
};

struct StoreSettings {
  std::string user;  // whom the ACLs speak of
  std::vector<std::string> groups;
  std::vector<NamespaceSettings> namespaces;
  // Special uses by mailbox name (RFC 6154), as "\\Sent": defaults of the site; the account's own file comes first.
  std::map<std::string, std::string> special_use;
  QuotaLimits quota;
  // What the prefixes of other users' namespaces begin with ("user."): no mailbox of this account can lie below it. "" = there are
  // none.
  std::string others_prefix;
  std::string share_list;  // the file of share_list.h, an absolute path; "" = none
  bool index = true;       // false: nothing is kept beside Dovecot's own files
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

  // ---- rights: store_rights.cc ----
  // Whether the account's user has `right` on the mailbox. Every verb of a client goes through here. not_found: the user may not
  // even know that it is there.
  StoreResult<bool> authorise(const std::string& name, Right right);
  // The right to make `name`: that of the nearest mailbox above it, or of the namespace (RFC 4314 4).
  StoreResult<bool> may_create(const std::string& name);
  // All rights of the user there, for MYRIGHTS. None for what is not there.
  StoreResult<Rights> rights(const std::string& name);
  // Who has which rights. Of a user's own mailbox the owner's entry is always among them.
  StoreResult<Acl> acl(const std::string& name);
  // `change` gets what acl() gives.
  StoreResult<void> change_acl(const std::string& name, const std::function<void(Acl&)>& change);
  // Other users who share something with this one, by the list of shares.
  StoreResult<std::set<std::string>> sharers();
  // A namespace more. Nothing happens if there is one with this prefix.
  void add_namespace(NamespaceSettings space);
  [[nodiscard]] bool has_namespace(const std::string& prefix) const;

  // ---- annotations: store_metadata.cc ----
  // Those of a mailbox, or of the account ("") that this user may see.
  StoreResult<Annotations> metadata(const std::string& mailbox);
  // All changes, or none and why.
  StoreResult<MetadataRefusal> set_metadata(const std::string& mailbox,
                                            const AnnotationChanges& changes);

  // Usage and limits (RFC 9208) of whoever owns the mailbox; recalculated if the file says nothing or is old. No limits: nothing is
  // counted.
  StoreResult<QuotaUsage> quota(const std::string& mailbox = "INBOX");
  // "" = the account's own root, "user.ann" another user's; nothing: what lies there counts for nobody.
  [[nodiscard]] std::optional<std::string> quota_root(const std::string& mailbox) const;
  // Whose mailbox it is; "" = nobody's.
  [[nodiscard]] std::string owner_of(const std::string& mailbox) const;
  // The limits that hold from now on, whatever the userdb says.
  StoreResult<QuotaUsage> set_quota(const std::string& mailbox, const QuotaLimits& limits);
  [[nodiscard]] const StoreSettings& settings() const { return settings_; }
  std::vector<std::string> take_remarks();

 private:
  using Space = std::shared_ptr<const NamespaceSettings>;
  // A mailbox on disk.
  struct Place {
    Space space;
    std::string directory;  // ".Lists.C++", "" is the root itself
    [[nodiscard]] std::string key() const { return space->location.path() + "/" + directory; }
  };
  StoreResult<Place> place_of(const std::string& name) const;
  [[nodiscard]] std::vector<Space> spaces() const;
  [[nodiscard]] const QuotaLimits& quota_rule(const NamespaceSettings& space) const;
  [[nodiscard]] std::string subscription_of(const std::string& name) const;
  StoreResult<std::string> name_of_subscription(const std::string& stored) const;
  StoreResult<std::optional<std::string>> acl_text(const Place& place) const;
  StoreResult<void> inherit_acl(const Place& place);
  StoreResult<void> note_shares(const NamespaceSettings& space);
  StoreResult<Rights> rights_at(const Place& place) const;
  [[nodiscard]] std::string owner_of(const NamespaceSettings& space) const;
  StoreResult<std::string> name_of(const NamespaceSettings& space,
                                   std::string_view directory) const;
  StoreResult<std::unique_ptr<Directory>> root_of(const NamespaceSettings& space) const;
  StoreResult<std::vector<std::string>> directories_of(Directory& root);
  // Of a mailbox, which has to be there; "" = the account's root.
  StoreResult<std::unique_ptr<Directory>> directory_of(const std::string& name) const;
  StoreResult<void> list_space(const NamespaceSettings& space,
                               std::map<std::string, MailboxInfo>& all);
  StoreResult<void> note_subscriptions(std::map<std::string, MailboxInfo>& all, bool with_missing);
  StoreResult<void> note_special_uses(std::map<std::string, MailboxInfo>& all);
  StoreResult<void> change_notes(
      const std::function<void(std::map<std::string, std::string>&)>& change);
  StoreResult<void> rename_inbox(const std::string& to);
  StoreResult<std::shared_ptr<OpenMailbox>> open_maildir_at(const Place& place);
  void remark(std::string text);

  StoreHost& host_;
  StoreSettings settings_;
  Space personal_;             // the first namespace
  mutable std::mutex mutex_;   // of what follows
  std::vector<Space> spaces_;  // all of them
  std::vector<std::string> remarks_;
};

}  // namespace posthorn::store
