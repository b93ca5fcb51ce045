// A Maildir on disk: tmp/, new/, cur/, kept open by descriptor so that no path is walked twice.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/store/error.h"
#include "libmail/store/files.h"
#include "libmail/store/location.h"

namespace posthorn::store {

inline constexpr mode_t directory_mode = 0700;
inline constexpr mode_t file_mode = 0600;
// A file in tmp/ that nobody touched for so long was left by a crash (the Maildir text's 36 hours).
inline constexpr Duration tmp_expiry = std::chrono::hours(36);

struct MaildirDirectories {
  std::string path;
  std::unique_ptr<Directory> root;
  std::unique_ptr<Directory> tmp;
  std::unique_ptr<Directory> fresh;  // new/
  std::unique_ptr<Directory> cur;
  FileStatus fresh_status;  // to see whether the path still leads here
};

// Opens the directory at the location, making what is missing on the way with mode 0700: a virtual
// user's home comes into being with the first message. What lies below the base is opened without
// following symbolic links.
StoreResult<std::unique_ptr<Directory>> open_location(Files& files, const MailLocation& location);

// Opens the Maildir, making what is missing with mode 0700. `folder`: a name as
// maildir_folder_directory() makes it,
// "" for the Maildir itself; a folder made here gets its `maildirfolder` file.
StoreResult<MaildirDirectories> open_maildir(Files& files, const MailLocation& location,
                                             const std::string& folder = {});

// Removes files from tmp/ that are older than tmp_expiry. Returns how many.
StoreResult<std::size_t> sweep_tmp(Files& files, Directory& tmp);

}  // namespace posthorn::store
