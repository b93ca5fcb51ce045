// The file dovecot-uidlist and its lock. README.md says what a crash leaves at each step.
#pragma once

#include "libmail/store/dotlock.h"
#include "libmail/store/uidlist.h"

namespace posthorn::store {

inline constexpr const char* uidlist_name = "dovecot-uidlist";
inline constexpr const char* courier_uidlist_name = "courierimapuiddb";

class UidListFile {
 public:
  // Takes dovecot-uidlist.lock and reads the list; without one, Courier's is taken over. `locked`:
  // come again.
  static StoreResult<UidListFile> lock(Files& files, Directory& maildir);

  [[nodiscard]] const UidList& list() const { return list_; }

  // Gives the next UIDs to `bases`, in this order, and returns the first. `fields` go with each.
  // Nothing is on disk yet.
  std::uint32_t assign(std::vector<UidRecord> fresh);
  // Adds a field to a record; the list will be rewritten.
  void set_field(std::size_t record, char letter, std::string_view value);
  // Drops the records of bases that are gone (sorted indexes). They leave the file when more than a
  // quarter of it is dead.
  void drop(const std::vector<std::size_t>& dead);

  // Puts what was changed on disk, by appending or by a new file, and syncs it. Announce no UID
  // before this.
  StoreResult<void> save();
  // To be called in long loops.
  StoreResult<void> keep() { return lock_.keep(); }

 private:
  UidListFile(Files& files, Directory& maildir, DotLock lock);
  StoreResult<void> read();
  StoreResult<void> append();
  StoreResult<void> rewrite();

  Files* files_;
  Directory* maildir_;
  DotLock lock_;
  UidList list_;
  std::size_t on_disk_ = 0;  // records at the front of list_ that stand in the file
  std::size_t lines_ = 0;    // lines in the file, dead ones too
  bool must_rewrite_ = false;
};

}  // namespace posthorn::store
