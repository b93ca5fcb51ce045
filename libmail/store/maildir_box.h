// Maildir behind OpenMailbox. maildir_box_sync.cc finds out what others did by the kernel's word, maildir_box_scan.cc by looking,
// maildir_box_change.cc does what clients ask of messages that are there, maildir_box_add.cc brings new ones,
// maildir_box_read.cc opens and measures them.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <map>
#include <mutex>
#include <set>
#include <unordered_map>

#include "libmail/store/keywords.h"
#include "libmail/store/maildir.h"
#include "libmail/store/maildir_name.h"
#include "libmail/store/open_mailbox.h"
#include "libmail/store/store_host.h"
#include "libmail/store/uidlist_file.h"

namespace posthorn::store {

struct BoxSettings {
  // Called after octets and messages were added or removed (negative), for the quota.
  std::function<void(std::int64_t, std::int64_t)> usage;
  // How long changes may stay out of the index if nobody calls write_index(): whoever changes something then writes it.
  Duration index_delay = std::chrono::seconds(5);
};

// What the index keeps as a message's name: the base, or the whole file name if it can't be made of base and flags; and the GUID
// of a copy.
struct StoredName {
  std::string name;
  std::string guid;
  static StoredName parse(std::string_view text);
  [[nodiscard]] std::string text() const;
  [[nodiscard]] std::string_view base() const;
};

// "2," and the letters in ASCII order, as everybody writes them.
struct PlainInfo {
  std::array<char, 2 + 6 + letter_keywords> octets{'2', ','};
  std::size_t size = 2;
  void add(bool is_set, char letter) {
    if (is_set) octets[size++] = letter;
  }
  [[nodiscard]] std::string_view view() const { return {octets.data(), size}; }
};
PlainInfo plain_info(std::uint16_t flags, std::uint64_t keywords);

// Base -> UID by hash; whoever finds something compares the name.
class BaseTable {
 public:
  void reserve(std::size_t count);
  void insert(std::string_view base, std::uint32_t uid);
  // UIDs that may have this base.
  template <class Take>
  void candidates(std::string_view base, Take take) const {
    if (slots_.empty()) return;
    const std::uint64_t hash = hash_of(base);
    for (std::size_t at = hash & (slots_.size() - 1); slots_[at].uid != 0;
         at = (at + 1) & (slots_.size() - 1)) {
      if (slots_[at].hash == hash) take(slots_[at].uid);
    }
  }
  [[nodiscard]] bool empty() const { return count_ == 0; }
  void clear();

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t uid = 0;
  };
  static std::uint64_t hash_of(std::string_view base) {
    return std::hash<std::string_view>()(base);
  }
  void put(const Slot& slot);
  std::vector<Slot> slots_;
  std::size_t count_ = 0;
};

class MaildirBox final : public OpenMailbox {
 public:
  MaildirBox(StoreHost& host, MaildirDirectories directories, std::unique_ptr<MailIndex> index,
             BoxSettings settings);
  ~MaildirBox() override;

  [[nodiscard]] std::shared_ptr<const Snapshot> snapshot() const override;
  [[nodiscard]] std::string guid() const override;
  [[nodiscard]] std::string directory() const override;
  [[nodiscard]] std::shared_ptr<Bell> bell() const override { return bell_; }
  [[nodiscard]] bool keeps_save_dates() const override { return true; }
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
  [[nodiscard]] bool index_waits() const override { return index_waits_; }
  StoreResult<void> write_index() override;
  StoreResult<void> rest() override;
  std::vector<std::string> take_remarks() override;

 private:
  // Where a message's file is.
  struct Place {
    bool fresh = false;  // in new/, else in cur/
    std::string name;
    bool operator==(const Place&) const = default;
  };
  // A piece of work under way: the next snapshot, and what the index gets.
  struct Work {
    explicit Work(const Snapshot& from) : editor(from) {}
    SnapshotEditor editor;
    IndexBatch batch;
    std::uint64_t modseq = 0;  // 0: nothing has changed yet
    bool changed = false;      // the snapshot is another one
  };
  struct Listed {
    std::vector<Place> files;
    FileStamp cur;
    FileStamp fresh;
    bool stable = false;  // nothing changed while the directories were read
  };
  // One message to be brought in: where it lies in this mailbox, and what it is to have.
  struct Arrival {
    Place place;
    std::string guid;  // "" = its base is its GUID
    MessageRow row;
    bool keep_order = false;    // else the older comes first
    std::uint64_t seconds = 0;  // as its name says
    std::uint64_t microseconds = 0;
  };
  // A message that should be there.
  struct Known {
    std::uint32_t uid = 0;
    std::string base;
    std::string guid;
    std::optional<std::uint64_t> size;
    const Place* place = nullptr;
  };
  struct Touched;
  // Two changes within one tick of the kernel's clock leave the same time behind.
  static constexpr auto tick = std::chrono::milliseconds(20);
  static WallTime time_of(const FileStamp& stamp) {
    return WallTime(std::chrono::microseconds(std::max(stamp.modified, stamp.changed)));
  }
  struct Source;  // a message to be copied or moved
  class Temporary;

  using Guard = std::unique_lock<std::mutex>;
  StoreResult<Guard> begin();  // `locked` if another thread is at work here
  StoreResult<Guard> begin_soon(Duration most);
  StoreResult<UidListFile> lock_list();
  StoreResult<void> load();
  void begin_index();
  void make_index_anew();
  // What the index couldn't say. If it is damaged, whoever begins next makes it anew.
  StoreError noted(StoreError error);
  std::uint64_t modseq_of(Work& work);
  void publish(Work& work);
  StoreResult<void> commit(Work& work);
  StoreResult<void> flush();
  void keep_names(std::vector<std::pair<std::uint32_t, std::string>> names);
  void remark(std::string text);

  // maildir_box_sync.cc
  StoreResult<void> sync_now(SyncRules rules);
  // The same before UIDs of a caller are used: refused if they are of another UIDVALIDITY than what is found.
  StoreResult<void> sync_known();
  StoreResult<bool> directories_changed();
  StoreResult<void> scan(UidListFile& list);
  StoreResult<Listed> list_directories();
  void begin_again(const UidListFile& list);
  StoreResult<std::vector<Known>> known_messages(const UidListFile& list, bool tail_only);
  static void join(std::vector<Known>& known, Listed& listed, std::vector<Place*>& strangers);
  std::set<std::uint32_t> changed_bases(const std::vector<Known>& known);
  StoreResult<void> match(UidListFile& list, bool tail_only, Listed& listed, Work& work);
  StoreResult<void> apply(std::vector<DirectoryEvent> events);
  void take_events(const std::vector<DirectoryEvent>& events, Touched& touched);
  StoreResult<void> take_strangers(UidListFile& list, const Touched& touched, Work& work);
  StoreResult<void> take_new(UidListFile& list, Work& work);
  [[nodiscard]] UidListMark list_mark() const;
  StoreResult<void> note_list(UidListFile& list);
  StoreResult<void> compact(UidListFile& list, const Work& work);
  void compact_later(const Work& work);
  StoreResult<void> build_table();
  std::optional<std::uint32_t> find_base(std::string_view base);
  void settle(bool may_wait);
  void note_recent(const Work& work);

  // Rows
  MessageRow row_for(std::uint32_t uid, const Place& place, const MaildirName& name) const;
  Arrival arrival_of(Place place) const;
  [[nodiscard]] std::uint32_t saved_by(const std::optional<MaildirName>& name) const;
  static void set_flags_of(MessageRow& row, const Place& place);
  static void set_flags_of(MessageRow& row, const Place& place, const MaildirName& name);
  static std::vector<Arrival*> in_order(std::vector<Arrival>& arrivals);
  static void set_date(MessageRow& row, WallTime modified);
  void add_row(Work& work, const Known& known);
  void insert_row(Work& work, MessageRow row, const Place& place, std::string_view guid);
  bool update_row(Work& work, MessageRow row, const Place& place, std::string_view guid);
  void gone(Work& work, std::span<const std::uint32_t> uids);
  void raise_uid_next(Work& work, std::uint32_t uid_next);
  StoreResult<std::vector<std::uint32_t>> assign(UidListFile& list, Work& work,
                                                 std::vector<Arrival> arrivals,
                                                 Directory* unsynced = nullptr);

  // Names and files
  StoreResult<std::vector<StoredName>> names_of(std::span<const std::uint32_t> uids);
  [[nodiscard]] Place place_of(const MessageRow& row, const StoredName& stored) const;
  Directory& directory_of(bool fresh) const { return fresh ? *dirs_.fresh : *dirs_.cur; }
  StoreResult<Place> find_place(std::uint32_t uid);
  struct OpenFile {
    std::unique_ptr<File> file;
    FileStatus status;
  };
  StoreResult<OpenFile> open_file(std::uint32_t uid);
  StoreResult<StoredName> name_of(std::uint32_t uid);
  [[nodiscard]] const StoredName* name_ahead(std::uint32_t uid) const;
  void forget_names_ahead();
  void expect_rename(const Place& from, const Place& to);

  // maildir_box_change.cc
  struct Renaming;
  struct Removing;
  void remove_one(Removing& removing, const MessageRow& row, const StoredName& stored);
  [[nodiscard]] static Place flagged_place(std::string_view base, std::uint16_t flags,
                                           std::uint64_t keywords);
  bool change_one(Renaming& renaming, MessageRow row, const StoredName& stored);
  bool find_elsewhere(std::map<std::string, Place>& elsewhere, std::string_view base, Place& place);

  // maildir_box_add.cc
  StoreResult<void> write_messages(const std::vector<AppendMessage>& messages,
                                   std::vector<Arrival>& arrivals);
  StoreResult<Appended> append_written(const std::vector<AppendMessage>& messages,
                                       std::vector<Arrival>& arrivals);
  StoreResult<void> write_message(const AppendMessage& message, Arrival& arrival);
  StoreResult<std::vector<Source>> sources_of(std::span<const std::uint32_t> uids, CopyRules rules);
  StoreResult<Copied> bring(MaildirBox& target, std::span<const std::uint32_t> uids, bool move,
                            CopyRules rules);
  StoreResult<void> bring_one(MaildirBox& target, Source& source, bool move);
  StoreResult<void> copy_octets(MaildirBox& target, Source& source);
  void expect_gone(const Place& place);
  StoreResult<void> prepare(UidListFile& list, Work& work);
  StoreResult<std::vector<std::uint32_t>> receive(UidListFile& list, Work& work,
                                                  std::vector<Arrival> arrivals);
  void take_out(std::span<const Source> sources);
  void take_back(MaildirBox& target, std::span<Source> sources, bool move);

  StoreHost& host_;
  MaildirDirectories dirs_;
  std::shared_ptr<MailIndex> index_;
  BoxSettings settings_;
  std::shared_ptr<Bell> bell_;
  std::shared_ptr<DirectoryWatch> watch_;

  std::mutex work_;  // of everything below, but for what quick_ guards
  KeywordFiles keywords_;
  IndexHeader header_;
  std::optional<IndexHeader> written_;  // as the index has it
  bool loaded_ = false;
  std::atomic<bool> damaged_{false};  // noted where no lock is held
  bool must_scan_ = true;
  bool must_compact_ = false;                // the list, with write_index()
  BaseTable table_;                          // of all messages, or empty
  IndexBatch pending_;                       // what the index does not have yet, without rows
  std::vector<std::uint32_t> pending_rows_;  // of these UIDs
  std::vector<std::pair<std::uint32_t, std::string>> pending_names_;  // ascending
  std::atomic<bool> index_waits_{false};                              // as index_waits() says
  MonoTime waits_since_;
  std::vector<std::pair<std::uint32_t, StoredName>> names_ahead_;  // see name_of()
  std::vector<std::pair<std::uint32_t, StoredName>> names_before_;

  mutable std::mutex quick_;
  std::shared_ptr<const Snapshot> snapshot_ = std::make_shared<Snapshot>();
  std::string guid_;
  std::uint32_t recent_from_ = 1;
  std::vector<std::string> remarks_;
};

// Copying and moving between mailboxes of any kind: read here, append there; a move removes here what is safe there.
StoreResult<Copied> bring_through(OpenMailbox& from, OpenMailbox& target,
                                  std::span<const std::uint32_t> uids, bool move, CopyRules rules);

}  // namespace posthorn::store
