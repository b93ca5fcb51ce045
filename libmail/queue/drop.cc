#include "libmail/queue/drop.h"

namespace posthorn::queue {

Result<void, IoError> drop_batch(Files& files, const std::string& drop_directory,
                                 const std::string& name, std::string_view batch) {
  const std::string hidden = drop_directory + "/." + name;
  // 0640: in a system site queued reads it through the directory's group.
  Result<std::unique_ptr<File>, IoError> file = files.open(hidden, OpenFor::creating, 0640);
  if (!file) return fail(file.error());
  Result<void, IoError> done = (*file)->pwrite(0, batch);
  if (done) done = (*file)->sync_data();
  if (done) done = files.rename(hidden, drop_directory + '/' + name);
  if (!done) {
    const Result<void, IoError> gone = files.unlink(hidden);
    (void)gone;  // a hidden name is never read
    return done;
  }
  return files.sync_directory(drop_directory);
}

Result<std::vector<DropFile>, IoError> list_drop(Files& files, const Layout& layout) {
  const Result<std::vector<std::string>, IoError> names = files.list(layout.drop());
  if (!names) return fail(names.error());
  std::vector<DropFile> found;
  for (const std::string& name : *names) {
    if (name.front() == '.') continue;
    const auto status = files.status(layout.drop() + '/' + name);
    if (!status) return fail(status.error());
    // A second name could be somebody's try to have another user's file sent.
    if (!*status || !(*status)->is_regular || (*status)->links != 1) continue;
    DropFile file;
    file.name = name;
    file.inode = (*status)->inode;
    file.size = (*status)->size;
    file.owner = (*status)->owner;
    file.modified = (*status)->modified;
    found.push_back(std::move(file));
  }
  return found;
}

}  // namespace posthorn::queue
