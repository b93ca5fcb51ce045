// A lock that is a file: NAME.lock next to NAME, made with O_EXCL, holding "pid:host" unless the disk is full. This is how
// Dovecot guards dovecot-uidlist and how mail programs guard an mbox; all of them must read each
// other's.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "libmail/store/error.h"
#include "libmail/store/files.h"

namespace posthorn::store {

struct DotLockRules {
  // A lock without a readable local pid that was not touched for this long belongs to nobody.
  Duration stale_after = std::chrono::seconds(120);
  // The same for one with nothing in it, which only a holder on a full disk keeps touching.
  Duration unnamed_after = std::chrono::seconds(20);
  // How often a holder touches it.
  Duration touch_every = std::chrono::seconds(10);
};

class DotLock {
 public:
  // Tries once. `locked` if somebody else holds it: wait a little and come again. A lock whose
  // process on this host is gone, or that is stale, is removed first. `directory` and `files`
  // outlive the lock.
  static StoreResult<DotLock> try_acquire(Files& files, Directory& directory,
                                          const std::string& name, const DotLockRules& rules = {});
  DotLock(DotLock&& other) noexcept;
  ~DotLock();  // removes the file, if it is still ours

  // To be called often while it is held; touches the file when it is time. `locked`: somebody took
  // it from us.
  StoreResult<void> keep();
  // `locked` if somebody took it from us: to be asked before what the lock guards is written.
  StoreResult<void> verify() const;

 private:
  DotLock(Files& files, Directory& directory, std::string name, FileStatus mine,
          const DotLockRules& rules);
  Files* files_ = nullptr;
  Directory* directory_ = nullptr;
  std::string name_;
  FileStatus mine_;
  DotLockRules rules_;
  WallTime touched_;
};

}  // namespace posthorn::store
