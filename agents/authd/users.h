// The users file in memory: read once, read again within a second after it was replaced. What a session holds is a snapshot
// that never changes.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/event.h"
#include "libmail/async/scope.h"
#include "libmail/async/watch.h"
#include "libmail/sasl/passwd_file.h"
#include "libmail/sasl/password.h"
#include "libmail/sasl/userdb.h"
#include "libmail/service/log.h"

namespace posthorn::authd {

struct Snapshot {
  sasl::PasswdFile file;
  std::vector<std::optional<sasl::StoredPassword>>
      passwords;               // one for each entry; nothing = can't log in
  sasl::StoredPassword decoy;  // verified in place of an unknown user's: as slow as the usual entry

  // Null if there is no such user. A name without "@" also means that name in `realm`, if there is one.
  [[nodiscard]] const sasl::PasswdEntry* find(std::string_view user, std::string_view realm) const;
  [[nodiscard]] const std::optional<sasl::StoredPassword>& password_of(
      const sasl::PasswdEntry& entry) const;
};

// Blocking: parses, and makes the decoy. Thread safe.
std::shared_ptr<const Snapshot> make_snapshot(sasl::PasswdFile file);

// What the userdb tells about an entry: uid, gid, home (`home_template` with %u %n %d filled in if the entry has none), and the
// userdb_ fields without that prefix. Never a password.
sasl::dovecot::Fields userdb_fields(const sasl::PasswdEntry& entry,
                                    const std::string& home_template);

class Users {
 public:
  // `on_change` is called after a new snapshot is in place.
  Users(std::string path, service::Log& log, std::function<void()> on_change);

  // Reads the file for the first time; the error says why it can't be read.
  async::Task<Result<void, std::string>> start();
  async::Task<void> stop();
  [[nodiscard]] std::shared_ptr<const Snapshot> now() const { return snapshot_; }
  [[nodiscard]] bool all_have_scram() const { return snapshot_->file.all_have_scram(); }

 private:
  async::Task<Result<void, std::string>> read();
  async::Task<void> read_again();

  std::string path_;
  service::Log& log_;
  std::function<void()> on_change_;
  std::shared_ptr<const Snapshot> snapshot_;
  std::unique_ptr<async::FileWatch> watch_;
  bool reading_ = false;
  bool changed_meanwhile_ = false;
  async::Scope scope_;
};

}  // namespace posthorn::authd
