#include "libmail/store/maildir.h"

#include <algorithm>
#include <cerrno>

namespace posthorn::store {

namespace {

using DirectoryResult = StoreResult<std::unique_ptr<Directory>>;

// Opens `name`, made if it is not there. `made` says so.
DirectoryResult enter(Directory& parent, const std::string& name, bool* made = nullptr) {
  auto opened = parent.open_directory(name);
  if (!opened && opened.error().code == ENOENT) {
    const auto done = parent.make_directory(name, directory_mode);
    if (!done && done.error().code != EEXIST) return fail(StoreError(done.error()));
    // The names on the way to a message must survive a power cut like the message.
    if (auto synced = parent.sync(); !synced) return fail(StoreError(synced.error()));
    if (done && made != nullptr) *made = true;
    opened = parent.open_directory(name);
  }
  if (!opened) return fail(StoreError(opened.error()));
  return std::move(*opened);
}

}  // namespace

StoreResult<std::unique_ptr<Directory>> open_location(Files& files, const MailLocation& location) {
  auto base = files.open_directory(location.base);
  if (!base && base.error().code == ENOENT) {
    if (auto made = files.make_directories(location.base, directory_mode); !made) {
      return fail(StoreError(made.error()));
    }
    base = files.open_directory(location.base);
  }
  if (!base) return fail(StoreError(base.error()));
  std::unique_ptr<Directory> at = std::move(*base);
  for (const std::string& name : location.components) {
    auto next = enter(*at, name);
    if (!next) return next;
    at = std::move(*next);
  }
  return at;
}

StoreResult<MaildirDirectories> open_maildir(Files& files, const MailLocation& location,
                                             const std::string& folder) {
  auto root = open_location(files, location);
  if (!root) return fail(std::move(root.error()));
  MaildirDirectories maildir;
  maildir.root = std::move(*root);
  maildir.path = location.path();
  if (!folder.empty()) {
    bool made = false;
    auto below = enter(*maildir.root, folder, &made);
    if (!below) return fail(std::move(below.error()));
    maildir.root = std::move(*below);
    maildir.path.append("/").append(folder);
    // Maildir++: how other programs see that this is a folder and not a Maildir of its own.
    if (made)
      static_cast<void>(maildir.root->open_file("maildirfolder", OpenMode::truncate, file_mode));
  }
  for (const auto& [name, into] : {std::pair{"tmp", &maildir.tmp}, std::pair{"new", &maildir.fresh},
                                   std::pair{"cur", &maildir.cur}}) {
    auto opened = enter(*maildir.root, name);
    if (!opened) return fail(std::move(opened.error()));
    *into = std::move(*opened);
  }
  const auto status = maildir.fresh->status();
  if (!status) return fail(StoreError(status.error()));
  maildir.fresh_status = *status;
  return maildir;
}

StoreResult<std::size_t> sweep_tmp(Files& files, Directory& tmp) {
  const auto names = tmp.list();
  if (!names) return fail(StoreError(names.error()));
  const WallTime oldest =
      files.now() - std::chrono::duration_cast<std::chrono::microseconds>(tmp_expiry);
  std::size_t swept = 0;
  for (const std::string& name : *names) {
    if (name.starts_with('.')) continue;
    const auto status = tmp.status(name);
    if (!status || status->type != FileStatus::Type::file) continue;
    // A program may set the modification time to the message's date; the change time is the
    // kernel's.
    if (std::max(status->modified, status->changed) >= oldest) continue;
    if (tmp.unlink(name)) ++swept;
  }
  return swept;
}

}  // namespace posthorn::store
