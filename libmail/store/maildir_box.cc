#include "libmail/store/maildir_box.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <thread>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"
#include "libmail/store/maildrop.h"
#include "libmail/store/memory_index.h"

namespace posthorn::store {

namespace {

constexpr std::size_t remark_limit = 50;
constexpr std::size_t flush_at = 1
                                 << 18;  // rows and names that wait for the index: 25 MB of memory

std::uint64_t microseconds(WallTime time) {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.time_since_epoch().count(), 1));
}

}  // namespace

StoredName StoredName::parse(std::string_view text) {
  StoredName stored;
  const std::size_t end = std::min(text.find('\0'), text.size());
  stored.name = text.substr(0, end);
  if (end < text.size()) stored.guid = text.substr(end + 1);
  return stored;
}

std::string StoredName::text() const {
  return guid.empty() ? name : name + '\0' + guid;
}

std::string_view StoredName::base() const {
  return std::string_view(name).substr(0, name.find(':'));
}

PlainInfo plain_info(std::uint16_t flags, std::uint64_t keywords) {
  PlainInfo info;
  info.add((flags & flag::draft) != 0, 'D');
  info.add((flags & flag::flagged) != 0, 'F');
  info.add((flags & flag::passed) != 0, 'P');
  info.add((flags & flag::answered) != 0, 'R');
  info.add((flags & flag::seen) != 0, 'S');
  info.add((flags & flag::deleted) != 0, 'T');
  for (std::size_t i = 0; keywords != 0 && i < letter_keywords; ++i)
    info.add((keywords >> i & 1) != 0, static_cast<char>('a' + i));
  return info;
}

void BaseTable::reserve(std::size_t count) {
  const std::size_t wanted = std::bit_ceil(count * 2 + 16);
  if (wanted <= slots_.size()) return;
  const std::vector<Slot> old = std::exchange(slots_, std::vector<Slot>(wanted));
  for (const Slot& slot : old) {
    if (slot.uid != 0) put(slot);
  }
}

void BaseTable::put(const Slot& slot) {
  std::size_t at = slot.hash & (slots_.size() - 1);
  while (slots_[at].uid != 0) at = (at + 1) & (slots_.size() - 1);
  slots_[at] = slot;
}

void BaseTable::insert(std::string_view base, std::uint32_t uid) {
  reserve(++count_);
  Slot slot;
  slot.hash = hash_of(base);
  slot.uid = uid;
  put(slot);
}

void BaseTable::clear() {
  slots_ = std::vector<Slot>();
  count_ = 0;
}

MaildirBox::MaildirBox(StoreHost& host, MaildirDirectories directories,
                       std::unique_ptr<MailIndex> index, BoxSettings settings)
    : host_(host),
      dirs_(std::move(directories)),
      index_(std::move(index)),
      settings_(std::move(settings)),
      keywords_(host.files(), *dirs_.root) {
  if (index_ == nullptr) index_ = std::make_shared<MemoryIndex>();
  if (Watcher* watcher = host.watcher(); watcher != nullptr) {
    bell_ = watcher->make_bell();
    if (dirs_.cur->descriptor() >= 0)
      watch_ = watcher->watch(dirs_.fresh->descriptor(), dirs_.cur->descriptor(), bell_);
  }
}

MaildirBox::~MaildirBox() {
  const StoreHost::Closing closing(host_, dirs_.path);
  settle(false);
  static_cast<void>(flush());
  index_->forget_unused(host_.files().now());
  index_.reset();
}

std::shared_ptr<const Snapshot> MaildirBox::snapshot() const {
  const std::lock_guard hold(quick_);
  return snapshot_;
}

std::string MaildirBox::guid() const {
  const std::lock_guard hold(quick_);
  return guid_;
}

std::uint32_t MaildirBox::take_recent(bool read_only) {
  const std::lock_guard hold(quick_);
  const std::uint32_t from = recent_from_;
  if (!read_only) recent_from_ = snapshot_->uid_next();
  return from;
}

std::vector<std::string> MaildirBox::take_remarks() {
  const std::lock_guard hold(quick_);
  return std::exchange(remarks_, {});
}

void MaildirBox::remark(std::string text) {
  const std::lock_guard hold(quick_);
  if (remarks_.size() < remark_limit) remarks_.push_back(dirs_.path + ": " + std::move(text));
}

StoreResult<MaildirBox::Guard> MaildirBox::begin() {
  Guard guard(work_, std::try_to_lock);
  if (!guard.owns_lock())
    return fail(StoreError(StoreError::Kind::locked, dirs_.path + " is being worked on"));
  if (damaged_.exchange(false)) make_index_anew();
  return guard;
}

void MaildirBox::make_index_anew() {
  loaded_ = false;
  begin_index();
}

StoreError MaildirBox::noted(StoreError error) {
  if (error.kind == StoreError::Kind::corrupt_index && !damaged_.exchange(true))
    remark(error.text + "; the index is made anew");
  return error;
}

// Waits `most` for what others do here beside us: mostly a look at names, which takes a few microseconds.
StoreResult<MaildirBox::Guard> MaildirBox::begin_soon(Duration most) {
  constexpr auto pause = std::chrono::milliseconds(1);
  const MonoTime end = std::chrono::steady_clock::now() + most;
  auto guard = begin();
  while (!guard && std::chrono::steady_clock::now() < end) {
    if (most > pause)
      std::this_thread::sleep_for(pause);
    else
      std::this_thread::yield();
    guard = begin();
  }
  return guard;
}

StoreResult<UidListFile> MaildirBox::lock_list() {
  return UidListFile::lock_unread(host_.files(), *dirs_.root);
}

// An index that says nothing: the next scan makes it. Its modseqs begin above all that a lost one can have given.
void MaildirBox::begin_index() {
  static_cast<void>(index_->clear());
  pending_ = IndexBatch();
  pending_rows_.clear();
  pending_names_.clear();
  forget_names_ahead();
  table_.clear();
  header_ = IndexHeader();
  written_.reset();
  header_.highest_modseq = microseconds(host_.files().now());
  header_.vanished_from = header_.highest_modseq;
  must_scan_ = true;
}

StoreResult<void> MaildirBox::load() {
  if (loaded_) return {};
  auto header = index_->header();
  SnapshotEditor editor;
  bool usable = header && *header && (*header)->uid_validity != 0;
  if (usable) {
    header_ = **header;
    written_ = header_;
    std::uint32_t last = 0;
    const auto take = [&](const MessageRow& row) {
      if (row.uid <= last || row.uid >= header_.uid_next) usable = false;
      last = std::max(last, row.uid);
      if (usable) editor.append(row);
    };
    const auto read = index_->rows(take);
    usable = usable && read.has_value();
  }
  if (usable) {
    if (auto loaded = keywords_.load(header_.uid_validity); !loaded) return fail(loaded.error());
    editor.set_validity(header_.uid_validity);
    editor.set_uid_next(header_.uid_next);
    editor.raise_modseq(header_.highest_modseq);
    editor.set_keywords(keywords_.names());
    auto snapshot = editor.finish();
    usable = snapshot->counts() == header_.counts;
    if (usable) {
      const std::lock_guard hold(quick_);
      snapshot_ = std::move(snapshot);
      guid_ = header_.guid;
      recent_from_ = header_.recent_from;
      must_scan_ = false;
    }
  }
  if (!usable) {
    if (!header || *header) remark("the index can't be used and is made anew");
    begin_index();
  }
  // Between this and the look at the directories nothing can be missed: the watch stands already.
  if (watch_) must_scan_ = must_scan_ || directories_changed().value_or(true);
  loaded_ = true;
  return {};
}

std::uint64_t MaildirBox::modseq_of(Work& work) {
  if (work.modseq == 0) {
    work.modseq = std::max(header_.highest_modseq + 1, microseconds(host_.files().now()));
    header_.highest_modseq = work.modseq;
    work.editor.raise_modseq(work.modseq);
    work.changed = true;
  }
  return work.modseq;
}

void MaildirBox::publish(Work& work) {
  if (!work.changed) return;
  auto next = work.editor.finish();
  header_.counts = next->counts();
  {
    const std::lock_guard hold(quick_);
    snapshot_ = std::move(next);
    guid_ = header_.guid;
  }
  if (bell_) bell_->ring();
}

// What was done becomes the snapshot, and soon the index.
StoreResult<void> MaildirBox::commit(Work& work) {
  publish(work);
  IndexBatch& batch = work.batch;
  if (!batch.names.empty()) forget_names_ahead();
  keep_names(std::move(batch.names));
  if (!pending_names_.empty() && !batch.removed.empty()) {
    std::sort(batch.removed.begin(), batch.removed.end());
    std::erase_if(pending_names_, [&batch](const auto& pending) {
      return std::binary_search(batch.removed.begin(), batch.removed.end(), pending.first);
    });
  }
  const auto add = [](auto& to, auto& from) {
    if (to.empty())
      to = std::move(from);
    else
      to.insert(to.end(), std::make_move_iterator(from.begin()),
                std::make_move_iterator(from.end()));
  };
  for (const MessageRow& row : batch.rows) pending_rows_.push_back(row.uid);
  add(pending_.removed, batch.removed);
  add(pending_.vanished, batch.vanished);
  const std::size_t waiting =
      pending_rows_.size() + pending_.removed.size() + pending_names_.size();
  if (waiting == 0 && pending_.empty() && header_ == written_) return {};
  const MonoTime now = std::chrono::steady_clock::now();
  if (!index_waits_.exchange(true)) waits_since_ = now;
  if (waiting < flush_at && now - waits_since_ < settings_.index_delay) return {};
  return flush();
}

// A name that waits already gives way to the new one. Mostly all are behind those that wait.
void MaildirBox::keep_names(std::vector<std::pair<std::uint32_t, std::string>> names) {
  auto& all = pending_names_;
  const auto middle = static_cast<std::ptrdiff_t>(all.size());
  if (all.empty())
    all = std::move(names);
  else
    std::move(names.begin(), names.end(), std::back_inserter(all));
  const auto not_behind = [](const auto& a, const auto& b) { return a.first >= b.first; };
  const auto from = all.begin() + std::max<std::ptrdiff_t>(middle - 1, 0);
  if (std::adjacent_find(from, all.end(), not_behind) == all.end()) return;
  std::map<std::uint32_t, std::string> last;
  for (auto& [uid, name] : all) last.insert_or_assign(uid, std::move(name));
  all.assign(std::make_move_iterator(last.begin()), std::make_move_iterator(last.end()));
}

StoreResult<void> MaildirBox::write_index() {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  if (must_compact_) {
    auto list = lock_list();
    if (!list) return fail(std::move(list.error()));
    must_compact_ = false;
    if (auto done = compact(*list, Work(*snapshot())); !done) remark(done.error().text);
  }
  return flush();
}

StoreResult<void> MaildirBox::flush() {
  if (!loaded_ || header_.uid_validity == 0) return {};
  {
    const std::lock_guard hold(quick_);
    header_.recent_from = recent_from_;
  }
  index_waits_ = false;
  if (pending_rows_.empty() && pending_names_.empty() && pending_.empty() && header_ == written_)
    return {};
  std::sort(pending_rows_.begin(), pending_rows_.end());
  pending_rows_.erase(std::unique(pending_rows_.begin(), pending_rows_.end()), pending_rows_.end());
  const auto now = snapshot();
  pending_.rows.clear();
  pending_.rows.reserve(pending_rows_.size());
  for (const std::uint32_t uid : pending_rows_) {
    if (const auto row = now->find(uid)) pending_.rows.push_back(*row);
  }
  std::sort(pending_.removed.begin(), pending_.removed.end());
  pending_.names = std::exchange(pending_names_, {});
  pending_.header = header_;
  auto written = index_->write(pending_);
  if (written) {
    header_.vanished_from = std::max(header_.vanished_from, *written);
    written_ = header_;
    pending_ = IndexBatch();
    pending_rows_ = {};
    return {};
  }
  pending_names_ = std::move(pending_.names);
  pending_.names.clear();
  pending_.header.reset();
  pending_.rows.clear();
  if (written.error().kind == StoreError::Kind::corrupt_index) {
    remark(written.error().text + "; the index is made anew");
    make_index_anew();
    return {};
  }
  // A full disk: everything stays in memory, and is tried again.
  remark(written.error().text);
  return {};
}

StoreResult<std::vector<StoredName>> MaildirBox::names_of(std::span<const std::uint32_t> uids) {
  auto texts = index_->names_of(uids);
  if (!texts) return fail(noted(std::move(texts.error())));
  std::vector<StoredName> names;
  names.reserve(uids.size());
  for (std::size_t i = 0; i < uids.size(); ++i) {
    if (!pending_names_.empty()) {
      const auto pending =
          std::lower_bound(pending_names_.begin(), pending_names_.end(), uids[i],
                           [](const auto& one, std::uint32_t uid) { return one.first < uid; });
      if (pending != pending_names_.end() && pending->first == uids[i])
        (*texts)[i] = pending->second;
    }
    names.push_back(StoredName::parse((*texts)[i]));
  }
  return names;
}

MaildirBox::Place MaildirBox::flagged_place(std::string_view base, std::uint16_t flags,
                                            std::uint64_t keywords) {
  Place place;
  const PlainInfo info = plain_info(flags, keywords);
  place.name.reserve(base.size() + 1 + info.view().size());
  place.name.append(base).append(":").append(info.view());
  return place;
}

MaildirBox::Place MaildirBox::place_of(const MessageRow& row, const StoredName& stored) const {
  Place place;
  if ((row.flags & (flag::odd_name | flag::fresh)) == 0) {
    place = flagged_place(stored.name, row.flags, row.keywords);
  } else {
    place.name = stored.name;
  }
  place.fresh = (row.flags & flag::fresh) != 0;
  return place;
}

StoreResult<std::vector<std::string>> MaildirBox::email_ids(std::span<const std::uint32_t> uids) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  auto names = names_of(uids);
  if (!names) return fail(std::move(names.error()));
  std::vector<std::string> ids;
  ids.reserve(uids.size());
  for (const StoredName& stored : *names) {
    const std::string_view guid = stored.guid.empty() ? stored.base() : stored.guid;
    std::string id = guid.empty() ? std::string() : "M" + encode_base64(guid);
    while (id.ends_with('=')) id.pop_back();
    std::replace(id.begin(), id.end(), '+', '-');
    std::replace(id.begin(), id.end(), '/', '_');
    ids.push_back(std::move(id));
  }
  return ids;
}

StoreResult<void> MaildirBox::values(
    CachedValue kind, std::span<const std::uint32_t> uids,
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  auto read = index_->values(kind, uids, take);
  if (!read) return fail(noted(std::move(read.error())));
  return read;
}

StoreResult<void> MaildirBox::put_values(
    CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) {
  {
    auto guard = begin();
    if (!guard) return fail(std::move(guard.error()));
    if (!pending_rows_.empty()) {
      if (auto done = flush(); !done) return done;
    }
  }
  // The commit waits for the disk; readers of messages must not.
  auto written = index_->put_values(kind, values);
  if (!written) return fail(noted(std::move(written.error())));
  return written;
}

StoreResult<Vanished> MaildirBox::vanished(std::uint64_t modseq) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  Vanished vanished;
  if (modseq < header_.vanished_from) {
    vanished.complete = false;
    return vanished;
  }
  auto uids = index_->vanished(modseq);
  if (!uids) return fail(noted(std::move(uids.error())));
  vanished.uids = std::move(*uids);
  for (const auto& [when, more] : pending_.vanished) {
    if (when > modseq) vanished.uids.insert(vanished.uids.end(), more.begin(), more.end());
  }
  std::sort(vanished.uids.begin(), vanished.uids.end());
  vanished.uids.erase(std::unique(vanished.uids.begin(), vanished.uids.end()), vanished.uids.end());
  return vanished;
}

std::string MaildirBox::directory() const {
  if (dirs_.root->descriptor() < 0) return {};
  // By the descriptor: the mailbox may have been renamed since it was opened.
  std::error_code failed;
  const auto path = std::filesystem::read_symlink(
      "/proc/self/fd/" + std::to_string(dirs_.root->descriptor()), failed);
  return failed ? std::string() : path.string();
}

StoreResult<void> MaildirBox::rest() {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  settle(true);
  if (auto done = flush(); !done) return done;
  table_.clear();
  forget_names_ahead();
  index_->forget_unused(host_.files().now());
  index_->rest();
  return {};
}

}  // namespace posthorn::store
