// An mbox behind OpenMailbox, with what an mbox can do: reading, appending, expunging. It keeps no UIDs, flags or dates, so each
// opening gives new UIDs under a new UIDVALIDITY (RFC 9051 2.3.1.1), and flags live as long as the object.
#pragma once

#include <mutex>

#include "libmail/store/mbox_mailbox.h"
#include "libmail/store/memory_index.h"
#include "libmail/store/open_mailbox.h"
#include "libmail/store/store_host.h"

namespace posthorn::store {

class MboxBox final : public OpenMailbox {
 public:
  // The file at `location` is made on demand.
  MboxBox(StoreHost& host, MailLocation location);

  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const override;
  [[nodiscard]] std::string guid() const override { return guid_; }
  [[nodiscard]] std::shared_ptr<Bell> bell() const override { return bell_; }
  StoreResult<void> sync(SyncRules rules) override;
  std::uint32_t take_recent(bool read_only) override;
  StoreResult<FlagsStored> store_flags(std::span<const std::uint32_t> uids,
                                       const FlagChange& change) override;
  StoreResult<Expunged> expunge(std::span<const std::uint32_t> uids,
                                ExpungeRules rules = {}) override;
  using OpenMailbox::append;
  StoreResult<Appended> append(const std::vector<AppendMessage>& messages,
                               std::unique_ptr<Written>& written) override;
  StoreResult<Copied> copy_to(OpenMailbox& target, std::span<const std::uint32_t> uids,
                              CopyRules rules = {}) override;
  StoreResult<Copied> move_to(OpenMailbox& target, std::span<const std::uint32_t> uids,
                              CopyRules rules = {}) override;
  StoreResult<void> measure(std::span<const std::uint32_t> uids, Need need) override;
  StoreResult<std::unique_ptr<MessageSource>> open(std::uint32_t uid) override;
  StoreResult<std::string> text(std::uint32_t uid) override;
  StoreResult<std::vector<std::string>> email_ids(std::span<const std::uint32_t> uids) override;
  StoreResult<void> values(
      CachedValue kind, std::span<const std::uint32_t> uids,
      const std::function<void(std::uint32_t, std::string_view)>& take) override;
  StoreResult<void> put_values(
      CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) override;
  StoreResult<Vanished> vanished(std::uint64_t modseq) override;
  StoreResult<void> rest() override { return {}; }
  std::vector<std::string> take_remarks() override;

 private:
  using Guard = std::unique_lock<std::mutex>;
  StoreResult<Guard> begin();
  StoreResult<void> scan();
  void publish(SnapshotEditor& editor);
  std::uint64_t next_modseq();

  StoreHost& host_;
  MailLocation location_;
  std::string guid_;
  std::shared_ptr<Bell> bell_;

  std::mutex work_;  // of what follows, but for what quick_ guards
  std::unique_ptr<MboxMailbox> mbox_;
  MailboxScan scan_;  // entry i is our UID uids_[i]
  std::vector<std::uint32_t> uids_;
  FileStamp stamp_;
  MemoryIndex index_;
  std::vector<std::pair<std::uint64_t, std::uint32_t>> vanished_;
  std::uint64_t first_modseq_ = 0;

  mutable std::mutex quick_;
  std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<Snapshot>();
  std::uint32_t recent_from_ = 1;
  std::vector<std::string> remarks_;
};

}  // namespace posthorn::store
