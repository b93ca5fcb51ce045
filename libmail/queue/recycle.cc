#include "libmail/queue/recycle.h"

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/queue/segment.h"

namespace posthorn::queue {
namespace {

constexpr std::uint64_t reserve_ahead = 64;
constexpr std::size_t zero_chunk = 1 << 20;

// Fills the file with zeros behind its first block and syncs it: from then on a sync of a record costs no metadata.
Result<void, IoError> prepare(File& file, std::uint64_t generation, std::uint64_t size) {
  const std::string zeros(zero_chunk, '\0');
  Result<void, IoError> done = file.pwrite(0, encode_first_block(generation, size));
  std::uint64_t at = first_record;
  while (done && at < size) {
    const std::uint64_t count = std::min<std::uint64_t>(zeros.size(), size - at);
    done = file.pwrite(at, std::string_view(zeros).substr(0, count));
    at += count;
  }
  if (done) done = file.truncate(size);
  if (done) done = file.sync_data();
  return done;
}

// Prepares free/.OLD and gives it its new name.
Result<void, IoError> finish(Files& files, const Layout& layout, const std::string& unfinished,
                             std::uint64_t generation, std::uint64_t size) {
  Result<std::unique_ptr<File>, IoError> file =
      files.open(unfinished, OpenFor::reading_and_writing);
  if (!file) return fail(file.error());
  Result<void, IoError> done = prepare(**file, generation, size);
  if (done) done = files.set_mode(unfinished, segment_mode);
  if (done) done = files.rename(unfinished, layout.free_segment(generation));
  if (done) done = files.sync_directory(layout.free());
  return done;
}

bool contains(const std::vector<std::uint64_t>& sorted, std::uint64_t generation) {
  return std::binary_search(sorted.begin(), sorted.end(), generation);
}

}  // namespace

Result<Generations, IoError> Generations::open(Files& files, const Layout& layout,
                                               std::uint64_t highest_seen) {
  Generations generations;
  generations.last_ = highest_seen;
  Result<std::unique_ptr<File>, IoError> file = files.open(layout.generation(), OpenFor::reading);
  if (file) {
    const Result<std::string, IoError> octets = (*file)->pread(0, 64);
    if (!octets) return fail(octets.error());
    const auto stored = parse_generation_name(trim(*octets));
    if (stored) generations.last_ = std::max(generations.last_, *stored);
  }
  generations.reserved_ = generations.last_;
  return generations;
}

Result<std::uint64_t, IoError> Generations::next(Files& files, const Layout& layout) {
  if (last_ == reserved_) {
    const std::string path = layout.generation();
    const std::string temporary = path + ".new";
    Result<void, IoError> done = files.unlink(temporary);
    if (!done) return fail(done.error());
    Result<std::unique_ptr<File>, IoError> file = files.open(temporary, OpenFor::creating, 0640);
    if (!file) return fail(file.error());
    done = (*file)->pwrite(0, generation_name(reserved_ + reserve_ahead) + '\n');
    if (done) done = (*file)->sync_data();
    if (done) done = files.rename(temporary, path);
    if (done) done = files.sync_directory(layout.directory());
    if (!done) return fail(done.error());
    reserved_ += reserve_ahead;
  }
  return ++last_;
}

Result<void, IoError> make_directories(Files& files, const Layout& layout, mode_t drop_mode) {
  Result<void, IoError> done = files.make_directory(layout.directory(), 0750);
  // The intakes rename in segments/ and free/ and write into spool/; they belong to the group and list nothing else.
  if (done) done = files.make_directory(layout.segments(), 02770);
  if (done) done = files.make_directory(layout.free(), 02770);
  if (done) done = files.make_directory(layout.spool(), 02770);
  if (done) done = files.make_directory(layout.drop(), drop_mode);
  if (done) done = files.sync_directory(layout.directory());
  return done;
}

Result<void, IoError> make_segment(Files& files, const Layout& layout, std::uint64_t generation,
                                   std::uint64_t size) {
  const std::string unfinished = layout.unfinished_segment(generation);
  Result<std::unique_ptr<File>, IoError> file =
      files.open(unfinished, OpenFor::creating, segment_mode);
  if (!file) return fail(file.error());
  file->reset();
  Result<void, IoError> done = finish(files, layout, unfinished, generation, size);
  if (done) return done;
  const Result<void, IoError> gone = files.unlink(unfinished);
  (void)gone;  // a start removes it
  return done;
}

Result<void, IoError> recycle_segment(Files& files, const Layout& layout,
                                      std::uint64_t old_generation, std::uint64_t new_generation,
                                      std::uint64_t size) {
  const std::string unfinished = layout.unfinished_segment(old_generation);
  Result<void, IoError> done = files.rename(layout.segment(old_generation), unfinished);
  if (done) done = files.sync_directory(layout.segments());
  if (done) done = files.sync_directory(layout.free());
  if (done) done = files.unlink(layout.outcomes(old_generation));
  if (done) done = finish(files, layout, unfinished, new_generation, size);
  return done;
}

Result<void, IoError> remove_segment(Files& files, const Layout& layout, std::uint64_t generation) {
  Result<void, IoError> done = files.unlink(layout.segment(generation));
  if (done) done = files.sync_directory(layout.segments());
  if (done) done = files.unlink(layout.outcomes(generation));
  return done;
}

Result<Inventory, IoError> take_inventory(Files& files, const Layout& layout) {
  Inventory found;
  const Result<std::vector<std::string>, IoError> segments = files.list(layout.segments());
  if (!segments) return fail(segments.error());
  const Result<std::vector<std::string>, IoError> free = files.list(layout.free());
  if (!free) return fail(free.error());
  constexpr std::string_view suffix = ".out";
  for (const std::string& name : *segments) {
    const std::string_view stem = std::string_view(name).substr(0, name.rfind('.'));
    const bool is_outcomes = name.size() == stem.size() + suffix.size() && name.ends_with(suffix);
    const auto generation = parse_generation_name(is_outcomes ? stem : std::string_view(name));
    if (!generation) {
      found.unknown.push_back(layout.segments() + '/' + name);
      continue;
    }
    (is_outcomes ? found.outcomes : found.segments).push_back(*generation);
    found.highest = std::max(found.highest, *generation);
  }
  for (const std::string& name : *free) {
    const bool is_unfinished = name.front() == '.';
    const auto generation =
        parse_generation_name(std::string_view(name).substr(is_unfinished ? 1 : 0));
    if (!generation) {
      found.unknown.push_back(layout.free() + '/' + name);
      continue;
    }
    (is_unfinished ? found.unfinished : found.free).push_back(*generation);
    found.highest = std::max(found.highest, *generation);
  }
  return found;
}

Result<void, IoError> tidy(Files& files, const Layout& layout, Inventory& inventory) {
  for (const std::uint64_t generation : inventory.unfinished) {
    const Result<void, IoError> gone = files.unlink(layout.unfinished_segment(generation));
    if (!gone) return gone;
  }
  inventory.unfinished.clear();
  for (const std::uint64_t generation : inventory.outcomes) {
    if (contains(inventory.segments, generation)) continue;
    const Result<void, IoError> gone = files.unlink(layout.outcomes(generation));
    if (!gone) return gone;
  }
  std::vector<std::uint64_t> free;
  for (const std::uint64_t generation : inventory.free) {
    if (!contains(inventory.segments, generation)) {
      free.push_back(generation);
      continue;
    }
    const Result<void, IoError> gone = files.unlink(layout.free_segment(generation));
    if (!gone) return gone;
  }
  inventory.free = std::move(free);
  return {};
}

}  // namespace posthorn::queue
