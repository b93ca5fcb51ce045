// The file dovecot-uidlist under its lock. README.md says what a crash leaves at each step.
#pragma once

#include "libmail/store/dotlock.h"
#include "libmail/store/keywords.h"
#include "libmail/store/uidlist.h"

namespace posthorn::store {

inline constexpr const char* uidlist_name = "dovecot-uidlist";
inline constexpr const char* courier_uidlist_name = "courierimapuiddb";

// What a reader remembers of the list, to read only what is new the next time.
struct UidListMark {
  FileStamp stamp;
  std::uint32_t uid_validity = 0;
  std::uint32_t next_uid = 1;
  std::string guid;
  std::size_t lines = 0;  // records in the file, dead ones too
  std::uint32_t sum = 0;  // of the octets before its end: inode numbers come back, these don't
};

class UidListFile {
 public:
  // Takes the lock and reads nothing yet: renames and unlinks need no more. read_news() before anything else is asked.
  static StoreResult<UidListFile> lock_unread(Files& files, Directory& maildir);
  // Reads what was added since `mark`: list() then holds these records alone. False: the list is another one, and list() is
  // all of it.
  StoreResult<bool> read_news(const UidListMark& mark);
  StoreResult<void> read_all() { return read(); }
  // Whether assign() would begin again under a new UIDVALIDITY: there are no UIDs left.
  [[nodiscard]] bool next_would_begin_again(std::size_t fresh) const;
  // The next save() writes the whole list, which must have been read.
  void rewrite_next() { must_rewrite_ = true; }
  // As it is on disk after read_news() or save().
  StoreResult<UidListMark> mark();
  // Takes dovecot-uidlist.lock and reads the list; without one, Courier's is taken over. `locked`: come again. `files` and
  // `maildir` outlive it; the lock ends with it.
  static StoreResult<UidListFile> lock(Files& files, Directory& maildir);

  [[nodiscard]] const UidList& list() const { return list_; }

  // Gives the next UIDs to `fresh`, in their order. Nothing is on disk yet.
  void assign(std::vector<UidRecord> fresh);
  // Sets a field of a record, by its index; the list will be rewritten.
  void set_field(std::size_t record, char letter, std::string_view value);
  // Drops the records whose messages are gone; ascending indexes. Their lines leave the file once a quarter of it is dead.
  void drop(const std::vector<std::size_t>& dead);

  // Puts on disk what was changed, by appending or by a new file, and syncs it. Announce no UID before this returns.
  StoreResult<void> save();
  // To be called in long loops.
  StoreResult<void> keep() { return lock_.keep(); }

 private:
  UidListFile(Files& files, Directory& maildir, DotLock lock);
  StoreResult<void> read();
  StoreResult<bool> read_from(const char* name);
  StoreResult<bool> read_tail(const UidListMark& mark);
  StoreResult<std::uint32_t> sum_before(File& file, std::uint64_t end);
  StoreResult<void> append();
  StoreResult<void> rewrite();
  void begin_again();

  Files* files_;
  Directory* maildir_;
  DotLock lock_;
  UidList list_;
  std::size_t on_disk_ = 0;  // records at the front of the list that stand in the file
  std::size_t lines_ = 0;    // records in the file, dead ones too
  mode_t mode_;
  bool must_rewrite_ = false;
  bool is_first_ = false;  // there is none on disk, or nothing that says a UIDVALIDITY
};

}  // namespace posthorn::store
