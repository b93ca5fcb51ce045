#include "libmail/store/mbox_box.h"

#include <algorithm>

#include "libmail/base/crlf.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/store/maildir_box.h"
#include "libmail/store/maildrop.h"
#include "libmail/store/retry.h"

namespace posthorn::store {

namespace {

constexpr std::size_t chunk = 256 * 1024;

StoreError gone(const MailLocation& location, std::uint32_t uid) {
  return {StoreError::Kind::not_found,
          location.path() + ": no message with UID " + std::to_string(uid)};
}

}  // namespace

MboxBox::MboxBox(StoreHost& host, MailLocation location)
    : host_(host), location_(std::move(location)), guid_(hex(random_octets(16))) {
  if (host.watcher() == nullptr) return;
  bell_ = host.watcher()->make_bell();
  host.watcher()->poll(bell_);
}

std::shared_ptr<const Snapshot> MboxBox::snapshot() const {
  const std::lock_guard hold(quick_);
  return snapshot_;
}

std::uint32_t MboxBox::take_recent(bool read_only) {
  const std::lock_guard hold(quick_);
  const std::uint32_t from = recent_from_;
  if (!read_only) recent_from_ = snapshot_->uid_next();
  return from;
}

std::vector<std::string> MboxBox::take_remarks() {
  const std::lock_guard hold(quick_);
  return std::exchange(remarks_, {});
}

StoreResult<MboxBox::Guard> MboxBox::begin() {
  Guard guard(work_, std::try_to_lock);
  if (!guard.owns_lock())
    return fail(StoreError(StoreError::Kind::locked, location_.path() + " is being worked on"));
  return guard;
}

std::uint64_t MboxBox::next_modseq() {
  const auto now = host_.files().now().time_since_epoch().count();
  return std::max(snapshot()->highest_modseq() + 1,
                  static_cast<std::uint64_t>(std::max<std::int64_t>(now, 1)));
}

void MboxBox::publish(SnapshotEditor& editor) {
  auto next = editor.finish();
  {
    const std::lock_guard hold(quick_);
    snapshot_ = std::move(next);
  }
  if (bell_) bell_->ring();
}

StoreResult<void> MboxBox::sync(SyncRules rules) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  if (!rules.full_scan && mbox_) {
    const auto root =
        host_.files().open_directory(location_.path().substr(0, location_.path().rfind('/')));
    const auto status =
        root ? (*root)->status(location_.path().substr(location_.path().rfind('/') + 1))
             : IoResult<FileStatus>(fail(root.error()));
    if (status && stamp_of(*status) == stamp_) return {};
  }
  return scan();
}

// What was only appended to keeps its UIDs; anything else is another mailbox, with a new UIDVALIDITY.
StoreResult<void> MboxBox::scan() {
  auto mbox = std::make_unique<MboxMailbox>(host_.files(), location_);
  auto now = mbox->scan();
  if (!now) return fail(std::move(now.error()));
  const bool grown = mbox_ && now->entries.size() >= uids_.size() &&
                     std::equal(scan_.entries.begin(), scan_.entries.end(), now->entries.begin(),
                                [](const MailboxEntry& a, const MailboxEntry& b) {
                                  return a.size == b.size && a.path == b.path;
                                });
  SnapshotEditor editor = grown ? SnapshotEditor(*snapshot()) : SnapshotEditor();
  const std::uint64_t modseq = next_modseq();
  if (!grown) {
    uids_.clear();
    vanished_.clear();
    first_modseq_ = modseq;
    editor.set_validity(std::max(now->uid_validity, snapshot()->uid_validity() + 1));
    static_cast<void>(index_.clear());
    const std::lock_guard hold(quick_);
    recent_from_ = 1;
  }
  std::uint32_t next = grown ? snapshot()->uid_next() : 1;
  IndexBatch batch;
  for (std::size_t i = uids_.size(); i < now->entries.size(); ++i) {
    MessageRow row;
    row.uid = next++;
    row.modseq = modseq;
    row.size = now->entries[i].size;
    row.flags = flag::has_size;
    editor.append(row);
    batch.rows.push_back(row);
    uids_.push_back(row.uid);
  }
  static_cast<void>(index_.write(batch));
  editor.set_uid_next(next);
  editor.raise_modseq(modseq);
  scan_ = std::move(*now);
  mbox_ = std::move(mbox);
  stamp_ = stamp_of(mbox_->scanned());
  publish(editor);
  return {};
}

StoreResult<FlagsStored> MboxBox::store_flags(std::span<const std::uint32_t> uids,
                                              const FlagChange& change) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  SnapshotEditor editor(*snapshot());
  FlagsStored stored;
  const std::uint64_t modseq = next_modseq();
  if (!change.keywords.empty())
    stored.failed.emplace_back(StoreError::Kind::refused, "an mbox keeps no keywords");
  for (const std::uint32_t uid : uids) {
    auto row = editor.find(uid);
    if (!row) continue;
    if (change.unchanged_since && row->modseq > *change.unchanged_since) {
      stored.modified.push_back(uid);
      continue;
    }
    const std::uint16_t wanted = change.flags & flag::system_flags;
    std::uint16_t flags = row->flags & flag::system_flags;
    if (change.kind == FlagChange::Kind::add) flags |= wanted;
    if (change.kind == FlagChange::Kind::remove) flags &= static_cast<std::uint16_t>(~wanted);
    if (change.kind == FlagChange::Kind::replace) flags = wanted;
    flags = static_cast<std::uint16_t>((flags & change.changeable) |
                                       (row->flags & flag::system_flags & ~change.changeable));
    if (flags == (row->flags & flag::system_flags)) continue;
    row->flags = static_cast<std::uint16_t>((row->flags & ~flag::system_flags) | flags);
    row->modseq = modseq;
    editor.replace(*row);
    stored.changed.push_back(uid);
  }
  if (stored.changed.empty()) return stored;
  stored.modseq = modseq;
  publish(editor);
  return stored;
}

StoreResult<Expunged> MboxBox::expunge(std::span<const std::uint32_t> uids, ExpungeRules rules) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  Expunged expunged;
  MailboxChanges changes;
  std::vector<std::uint32_t> kept;
  const auto before = snapshot();
  for (std::size_t i = 0; i < uids_.size(); ++i) {
    const auto row = before->find(uids_[i]);
    const bool spared = rules.only_deleted && row && (row->flags & flag::deleted) == 0;
    if (!spared && std::binary_search(uids.begin(), uids.end(), uids_[i])) {
      changes.remove.push_back(scan_.entries[i].uid);
      expunged.uids.push_back(uids_[i]);
    } else {
      kept.push_back(uids_[i]);
    }
  }
  if (expunged.uids.empty()) return expunged;
  auto applied = mbox_->apply(scan_, changes);
  if (!applied) return fail(std::move(applied.error()));
  // What stays has new places in the file, and keeps its UIDs.
  auto mbox = std::make_unique<MboxMailbox>(host_.files(), location_);
  auto now = mbox->scan();
  SnapshotEditor editor(*snapshot());
  expunged.modseq = next_modseq();
  editor.remove(expunged.uids);
  editor.raise_modseq(expunged.modseq);
  for (const std::uint32_t uid : expunged.uids) vanished_.emplace_back(expunged.modseq, uid);
  publish(editor);
  if (!now || now->entries.size() < kept.size()) {
    mbox_.reset();  // the next sync() begins again
    return expunged;
  }
  now->entries.resize(kept.size());  // what came meanwhile is found by the next sync()
  uids_ = std::move(kept);
  scan_ = std::move(*now);
  mbox_ = std::move(mbox);
  stamp_ = FileStamp();
  return expunged;
}

// Nothing is written before the lock is there.
StoreResult<Appended> MboxBox::append(const std::vector<AppendMessage>& messages,
                                      std::unique_ptr<Written>&) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  if (!mbox_) {
    if (auto done = scan(); !done) return fail(std::move(done.error()));
  }
  std::vector<MboxLetter> all;
  for (const AppendMessage& message : messages) {
    MboxLetter one;
    one.head = message.head;
    one.body = message.body.get();
    all.push_back(one);
  }
  auto written = append_to_mbox(host_.files(), location_, "", all);
  if (!written) return fail(std::move(written.error()));
  if (auto done = insist([this] { return scan(); }); !done) return fail(std::move(done.error()));
  Appended appended;
  appended.uid_validity = snapshot()->uid_validity();
  appended.modseq = snapshot()->highest_modseq();
  const std::size_t first = uids_.size() - std::min(uids_.size(), messages.size());
  appended.uids.assign(uids_.begin() + static_cast<std::ptrdiff_t>(first), uids_.end());
  return appended;
}

StoreResult<Copied> MboxBox::copy_to(OpenMailbox& target, std::span<const std::uint32_t> uids,
                                     CopyRules rules) {
  return bring_through(*this, target, uids, false, rules);
}

StoreResult<Copied> MboxBox::move_to(OpenMailbox& target, std::span<const std::uint32_t> uids,
                                     CopyRules rules) {
  return bring_through(*this, target, uids, true, rules);
}

// Sizes are known; a date would stand in the From line, which programs disagree about.
StoreResult<void> MboxBox::measure(std::span<const std::uint32_t>, Need) {
  return {};
}

StoreResult<std::unique_ptr<MessageSource>> MboxBox::open(std::uint32_t uid) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  const auto found = std::lower_bound(uids_.begin(), uids_.end(), uid);
  if (found == uids_.end() || *found != uid || !mbox_) return fail(gone(location_, uid));
  return mbox_->open(scan_.entries[static_cast<std::size_t>(found - uids_.begin())]);
}

StoreResult<std::string> MboxBox::text(std::uint32_t uid) {
  auto source = open(uid);
  if (!source) return fail(std::move(source.error()));
  std::string text;
  bool after_cr = false;
  for (;;) {
    const auto octets = (*source)->read(chunk);
    if (!octets) return fail(octets.error());
    if (octets->empty()) return text;
    append_crlf(*octets, after_cr, text);
  }
}

StoreResult<std::vector<std::string>> MboxBox::email_ids(std::span<const std::uint32_t> uids) {
  std::vector<std::string> ids;
  const auto now = snapshot();
  for (const std::uint32_t uid : uids) {
    ids.push_back(now->find(uid) ? "M" + guid_ + "-" + std::to_string(now->uid_validity()) + "-" +
                                       std::to_string(uid)
                                 : std::string());
  }
  return ids;
}

StoreResult<void> MboxBox::values(
    CachedValue kind, std::span<const std::uint32_t> uids,
    const std::function<void(std::uint32_t, std::string_view)>& take) {
  return index_.values(kind, uids, take);
}

StoreResult<void> MboxBox::put_values(
    CachedValue kind, std::span<const std::pair<std::uint32_t, std::string>> values) {
  return index_.put_values(kind, values);
}

StoreResult<Vanished> MboxBox::vanished(std::uint64_t modseq) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  Vanished vanished;
  vanished.complete = modseq >= first_modseq_;
  for (const auto& [when, uid] : vanished_) {
    if (vanished.complete && when > modseq) vanished.uids.push_back(uid);
  }
  std::sort(vanished.uids.begin(), vanished.uids.end());
  return vanished;
}

}  // namespace posthorn::store
