#include "libmail/queue/drop.h"

#include "libmail/queue/reader.h"
#include "libmail/queue/recycle.h"

namespace posthorn::queue {
namespace {

Result<void, IoError> find_in_segment(Files& files, const Layout& layout, std::uint64_t generation,
                                      std::vector<DropOrigin>& found) {
  auto reader = SegmentReader::open(files, layout, generation, first_record);
  if (!reader) return fail(reader.error());
  while (!(*reader)->finished()) {
    const Result<Piece, IoError> piece = (*reader)->read_on();
    if (!piece) return fail(piece.error());
    if (piece->octets == nullptr) break;
    for (const FoundRecord& record : piece->records) {
      std::optional<Entry> entry = decode_entry(record.record.envelope);
      if (entry && entry->drop) found.push_back(std::move(*entry->drop));
    }
  }
  return {};
}

}  // namespace

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

Result<std::vector<DropOrigin>, IoError> find_drop_records(Files& files, const Layout& layout,
                                                           std::int64_t since) {
  const Result<Inventory, IoError> inventory = take_inventory(files, layout);
  if (!inventory) return fail(inventory.error());
  std::vector<DropOrigin> found;
  for (const std::uint64_t generation : inventory->segments) {
    const auto status = files.status(layout.segment(generation));
    if (!status) return fail(status.error());
    if (!*status || (*status)->modified < since) continue;
    const Result<void, IoError> looked = find_in_segment(files, layout, generation, found);
    if (!looked) return fail(looked.error());
  }
  return found;
}

}  // namespace posthorn::queue
