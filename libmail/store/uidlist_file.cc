#include "libmail/store/uidlist_file.h"

#include <algorithm>
#include <cerrno>

#include "libmail/base/crc32c.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/store/maildir.h"

namespace posthorn::store {

namespace {

constexpr const char* temporary_name = "dovecot-uidlist.tmp";
// Two million messages' worth. A list beyond it is not ours to read into memory.
constexpr std::uint64_t size_limit = 256ULL << 20;
constexpr std::uint64_t summed = 512;  // octets before a mark

std::uint32_t seconds_of(WallTime time) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count());
}

}  // namespace

UidListFile::UidListFile(Files& files, Directory& maildir, DotLock lock)
    : files_(&files), maildir_(&maildir), lock_(std::move(lock)), mode_(file_mode) {}

StoreResult<UidListFile> UidListFile::lock_unread(Files& files, Directory& maildir) {
  auto lock = DotLock::try_acquire(files, maildir, uidlist_name);
  if (!lock) return fail(std::move(lock.error()));
  return UidListFile(files, maildir, std::move(*lock));
}

StoreResult<UidListFile> UidListFile::lock(Files& files, Directory& maildir) {
  auto file = lock_unread(files, maildir);
  if (!file) return file;
  if (auto done = file->read(); !done) return fail(std::move(done.error()));
  return file;
}

StoreResult<bool> UidListFile::read_news(const UidListMark& mark) {
  if (mark.uid_validity != 0) {
    auto tail = read_tail(mark);
    if (!tail || *tail) return tail;
  }
  if (auto done = read(); !done) return fail(std::move(done.error()));
  return false;
}

// False: it is another list, or nothing that was only continued.
StoreResult<bool> UidListFile::read_tail(const UidListMark& mark) {
  const auto file = maildir_->open_file(uidlist_name, OpenMode::read, 0);
  if (!file) return false;
  const auto status = (*file)->status();
  if (!status) return fail(StoreError(status.error()));
  if (status->inode != mark.stamp.inode || status->size < mark.stamp.size ||
      status->size > size_limit)
    return false;
  if (mark.stamp.size == 0) return false;
  const auto sum = sum_before(**file, mark.stamp.size);
  if (!sum) return fail(sum.error());
  if (*sum != mark.sum) return false;
  list_ = UidList();
  if (status->size > mark.stamp.size) {
    // The line end before what is new comes along: it must be where it was.
    const auto text = (*file)->read(mark.stamp.size - 1, status->size - mark.stamp.size + 1);
    if (!text) return fail(StoreError(text.error()));
    if (!text->starts_with('\n')) return false;
    const UidList header = UidList::parse("3 V1 N1 G" + std::string(32, '0') + *text);
    if (header.must_rewrite || !header.damage.empty()) return false;
    list_.records = header.records;
  } else if (stamp_of(*status) != mark.stamp) {
    return false;
  }
  mode_ = status->mode & 0666;
  list_.uid_validity = mark.uid_validity;
  list_.guid = mark.guid;
  list_.next_uid = mark.next_uid;
  if (!list_.records.empty()) {
    if (list_.records.front().uid < mark.next_uid) return false;
    list_.next_uid = list_.records.back().uid + 1;
  }
  on_disk_ = list_.records.size();
  lines_ = mark.lines + on_disk_;
  must_rewrite_ = false;
  return true;
}

StoreResult<std::uint32_t> UidListFile::sum_before(File& file, std::uint64_t end) {
  const std::uint64_t from = end > summed ? end - summed : 0;
  const auto text = file.read(from, end - from);
  if (!text) return fail(StoreError(text.error()));
  return crc32c(0, *text);
}

StoreResult<UidListMark> UidListFile::mark() {
  const auto file = maildir_->open_file(uidlist_name, OpenMode::read, 0);
  if (!file) return fail(StoreError(file.error()));
  const auto status = (*file)->status();
  if (!status) return fail(StoreError(status.error()));
  const auto sum = sum_before(**file, status->size);
  if (!sum) return fail(sum.error());
  UidListMark mark;
  mark.sum = *sum;
  mark.stamp = stamp_of(*status);
  mark.uid_validity = list_.uid_validity;
  mark.next_uid = list_.next_uid;
  mark.guid = list_.guid;
  mark.lines = lines_;
  return mark;
}

StoreResult<bool> UidListFile::read_from(const char* name) {
  const auto file = maildir_->open_file(name, OpenMode::read, 0);
  if (!file && file.error().code == ENOENT) return false;
  if (!file) return fail(StoreError(file.error()));
  const auto status = (*file)->status();
  if (!status) return fail(StoreError(status.error()));
  if (status->type != FileStatus::Type::file || status->size > size_limit) {
    return fail(StoreError(StoreError::Kind::refused,
                           std::string(name) + " is no plain file of at most 256 MiB"));
  }
  const auto text = (*file)->read(0, status->size);
  if (!text) return fail(StoreError(text.error()));
  mode_ = status->mode & 0666;
  list_ = UidList::parse(*text);
  return true;
}

StoreResult<void> UidListFile::read() {
  list_ = UidList();
  on_disk_ = lines_ = 0;
  auto found = read_from(uidlist_name);
  if (!found) return fail(std::move(found.error()));
  if (*found) {
    on_disk_ = list_.records.size();
    lines_ = on_disk_;
  } else {
    mode_ = file_mode;
    found = read_from(courier_uidlist_name);
    if (!found) return fail(std::move(found.error()));
  }
  is_first_ = lines_ == 0 && list_.uid_validity == 0;
  must_rewrite_ = list_.must_rewrite || !*found;
  if (list_.uid_validity == 0) begin_again();
  if (list_.guid.empty()) {
    list_.guid = hex(random_octets(16));
    must_rewrite_ = true;
  }
  return {};
}

// A list from nothing: every message gets a new UID under a new UIDVALIDITY.
void UidListFile::begin_again() {
  list_.uid_validity = std::max(seconds_of(files_->now()), list_.uid_validity + 1);
  list_.next_uid = 1;
  for (UidRecord& record : list_.records) record.uid = list_.next_uid++;
  must_rewrite_ = true;
}

bool UidListFile::next_would_begin_again(std::size_t fresh) const {
  return list_.next_uid > UidList::last_uid || UidList::last_uid - list_.next_uid + 1 < fresh;
}

void UidListFile::assign(std::vector<UidRecord> fresh) {
  if (next_would_begin_again(fresh.size())) begin_again();  // RFC 9051 2.3.1.1
  list_.records.reserve(list_.records.size() + fresh.size());
  for (UidRecord& record : fresh) {
    record.uid = list_.next_uid++;
    list_.records.push_back(std::move(record));
  }
}

void UidListFile::set_field(std::size_t record, char letter, std::string_view value) {
  list_.records[record].set_field(letter, value);
  if (record < on_disk_) must_rewrite_ = true;
}

void UidListFile::drop(const std::vector<std::size_t>& dead) {
  if (dead.empty()) return;
  const std::size_t were_on_disk = on_disk_;
  for (const std::size_t index : dead) {
    list_.records[index].uid = 0;
    if (index < were_on_disk) --on_disk_;
  }
  std::erase_if(list_.records, [](const UidRecord& record) { return record.uid == 0; });
  if (list_.records.size() * 4 <= lines_ * 3) must_rewrite_ = true;
}

StoreResult<void> UidListFile::save() {
  if (!must_rewrite_ && on_disk_ == list_.records.size()) return {};
  if (auto held = lock_.verify(); !held) return held;
  return must_rewrite_ ? rewrite() : append();
}

StoreResult<void> UidListFile::append() {
  std::string text;
  for (std::size_t i = on_disk_; i < list_.records.size(); ++i)
    UidList::append_line(list_.records[i], text);
  const auto file = maildir_->open_file(uidlist_name, OpenMode::append, 0);
  if (!file) return fail(StoreError(file.error()));
  const auto before = (*file)->status();
  if (!before) return fail(StoreError(before.error()));
  auto done = (*file)->write(text);
  if (done) done = (*file)->sync();
  if (!done) {
    static_cast<void>((*file)->truncate(before->size));
    return fail(StoreError(done.error()));
  }
  lines_ += list_.records.size() - on_disk_;
  on_disk_ = list_.records.size();
  return {};
}

StoreResult<void> UidListFile::rewrite() {
  const auto file = maildir_->open_file(temporary_name, OpenMode::truncate, mode_);
  if (!file) return fail(StoreError(file.error()));
  auto done = (*file)->write(list_.text());
  // Where there was no list a name over a broken one costs nothing, for no UID was announced: both are in one commit of the
  // file system's journal then, not in two.
  if (done && !is_first_) done = (*file)->sync();
  if (done) done = maildir_->rename(temporary_name, *maildir_, uidlist_name);
  if (done && is_first_) done = (*file)->sync();
  // Without this a power cut could bring the old list back, and its next UIDs are announced already.
  if (done) done = maildir_->sync();
  if (!done) {
    static_cast<void>(maildir_->unlink(temporary_name));
    return fail(StoreError(done.error()));
  }
  must_rewrite_ = is_first_ = false;
  lines_ = on_disk_ = list_.records.size();
  return {};
}

}  // namespace posthorn::store
