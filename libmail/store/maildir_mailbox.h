// Maildir behind the Mailbox interface. mailbox.h has the meaning of its functions.
#pragma once

#include <type_traits>
#include <unordered_map>

#include "libmail/store/mailbox.h"
#include "libmail/store/maildir.h"
#include "libmail/store/uidlist_file.h"

namespace posthorn::store {

class MaildirMailbox final : public Mailbox {
 public:
  MaildirMailbox(Files& files, MaildirDirectories directories);

  StoreResult<MailboxScan> scan() override;
  StoreResult<std::unique_ptr<MessageSource>> open(const MailboxEntry& entry) override;
  StoreResult<MailboxChanged> apply(const MailboxScan& scan,
                                    const MailboxChanges& changes) override;
  StoreResult<bool> take_exclusively() override;

 private:
  // Base name -> where its file is: "cur/NAME" or "new/NAME".
  using Places = std::unordered_map<std::string, std::string>;

  StoreResult<void> list_into(Places& places, std::vector<std::string>& remarks);
  StoreResult<Places> list_all(const UidList& known, std::vector<std::string>& remarks);
  static void assign_uids(UidListFile& file, const Places& places);
  void measure(MailboxScan& scan, const std::vector<std::size_t>& unmeasured);
  StoreResult<std::uint64_t> size_of(const MailboxEntry& entry);
  StoreResult<std::string> find(std::string_view base);
  template <class Action>
  auto at_its_place(const std::string& place, Action action) -> StoreResult<
      typename std::invoke_result_t<Action, Directory&, const std::string&>::value_type>;
  StoreResult<bool> remove(const std::string& place);
  StoreResult<bool> mark_seen(const std::string& place);
  Directory& directory_of(std::string_view place) const;

  Files& files_;
  MaildirDirectories directories_;
  std::unique_ptr<File> session_lock_;
};

}  // namespace posthorn::store
