#include "libmail/store/mbox_mailbox.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

#include "libmail/store/maildir.h"

namespace posthorn::store {

namespace {

constexpr std::size_t chunk = 64 * 1024;

class MboxMessage final : public MessageSource {
 public:
  MboxMessage(std::unique_ptr<File> file, const MboxScanner::Message& message)
      : file_(std::move(file)), at_(message.start), end_(message.end) {}

  StoreResult<std::string> read(std::size_t limit) override {
    std::string out;
    while (out.size() < limit && !finished_) {
      if (at_ == end_) {
        unquoter_.finish(out);
        finished_ = true;
        break;
      }
      const auto octets =
          file_->read(at_, static_cast<std::size_t>(std::min<std::uint64_t>(limit, end_ - at_)));
      if (!octets) return fail(StoreError(octets.error()));
      if (octets->empty()) {
        return fail(StoreError(StoreError::Kind::not_found, "the mbox became shorter"));
      }
      at_ += octets->size();
      unquoter_.append(*octets, out);
    }
    return out;
  }

 private:
  std::unique_ptr<File> file_;
  std::uint64_t at_;
  std::uint64_t end_;
  MboxUnquoter unquoter_;
  bool finished_ = false;
};

StoreError changed_meanwhile(const MailLocation& location) {
  return {StoreError::Kind::not_found, location.path() + " was changed by another program"};
}

// Moves the octets from `from` to the end of the file forward to `to`. A chunk is never read after it was written over.
IoResult<void> move_forward(LockedMbox& mbox, std::uint64_t from, std::uint64_t end,
                            std::uint64_t to) {
  while (from < end) {
    const auto octets = mbox.file().read(
        from, static_cast<std::size_t>(std::min<std::uint64_t>(chunk, end - from)));
    if (!octets) return fail(octets.error());
    if (octets->empty()) break;
    if (auto written = mbox.file().write_at(to, *octets); !written) return written;
    from += octets->size();
    to += octets->size();
  }
  return {};
}

}  // namespace

MboxMailbox::MboxMailbox(Files& files, MailLocation location)
    : files_(files), location_(std::move(location)) {}

StoreResult<void> MboxMailbox::read_messages(LockedMbox& mbox, MboxScanner& scanner) {
  for (std::uint64_t at = 0; at < mbox.size();) {
    if (auto held = mbox.keep(); !held) return held;
    const auto octets = mbox.file().read(at, chunk);
    if (!octets) return fail(StoreError(octets.error()));
    if (octets->empty()) break;
    at += octets->size();
    scanner.feed(*octets);
  }
  scanner.finish();
  if (!scanner.is_mbox()) {
    return fail(StoreError(StoreError::Kind::refused,
                           location_.path() + " does not begin with a From line: no mbox"));
  }
  return {};
}

StoreResult<MailboxScan> MboxMailbox::scan() {
  auto mbox = LockedMbox::open(files_, location_);
  if (!mbox) return fail(std::move(mbox.error()));
  MboxScanner scanner;
  if (auto done = read_messages(**mbox, scanner); !done) return fail(std::move(done.error()));
  messages_ = scanner.messages();
  scanned_ = (*mbox)->status();

  MailboxScan scan;
  scan.uid_validity = static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(files_.now().time_since_epoch()).count());
  for (const MboxScanner::Message& message : messages_) {
    MailboxEntry entry;
    entry.uid = scan.uid_next++;
    entry.size = message.crlf_size;
    entry.uidl = fmt::format("{:08x}{:08x}", entry.uid, scan.uid_validity);
    entry.path = fmt::format("{}#{}", location_.path(), message.from);
    scan.entries.push_back(std::move(entry));
  }
  return scan;
}

StoreResult<std::unique_ptr<MessageSource>> MboxMailbox::open(const MailboxEntry& entry) {
  auto mbox = LockedMbox::open(files_, location_);
  if (!mbox) return fail(std::move(mbox.error()));
  const FileStatus& now = (*mbox)->status();
  const bool same = now.same_file(scanned_) && now.size >= scanned_.size &&
                    (now.size > scanned_.size || now.modified == scanned_.modified);
  if (!same || entry.uid == 0 || entry.uid > messages_.size()) {
    return fail(changed_meanwhile(location_));
  }
  return std::make_unique<MboxMessage>((*mbox)->release_file(), messages_[entry.uid - 1]);
}

StoreResult<MailboxChanged> MboxMailbox::apply(const MailboxScan& scan,
                                               const MailboxChanges& changes) {
  MailboxChanged changed;
  if (changes.remove.empty()) return changed;
  auto opened = LockedMbox::open(files_, location_);
  if (!opened) return fail(std::move(opened.error()));
  LockedMbox& mbox = **opened;
  MboxScanner scanner;
  if (auto done = read_messages(mbox, scanner); !done) return fail(std::move(done.error()));
  const auto& now = scanner.messages();
  const auto same = [](const auto& a, const auto& b) {
    return a.from == b.from && a.end == b.end && a.crlf_size == b.crlf_size;
  };
  if (!mbox.status().same_file(scanned_) || now.size() < messages_.size() ||
      !std::equal(messages_.begin(), messages_.end(), now.begin(), same)) {
    return fail(changed_meanwhile(location_));
  }

  const std::unordered_set<std::uint32_t> remove(changes.remove.begin(), changes.remove.end());
  std::uint64_t to = 0;
  for (std::size_t i = 0; i < now.size(); ++i) {
    const std::uint64_t end = i + 1 < now.size() ? now[i + 1].from : mbox.size();
    if (i < scan.entries.size() && remove.contains(scan.entries[i].uid)) {
      ++changed.removed;
      continue;
    }
    if (auto held = mbox.keep(); !held) return fail(std::move(held.error()));
    if (to != now[i].from) {
      if (auto moved = move_forward(mbox, now[i].from, end, to); !moved) {
        return fail(StoreError(moved.error()));
      }
    }
    to += end - now[i].from;
  }
  if (auto cut = mbox.file().truncate(to); !cut) return fail(StoreError(cut.error()));
  if (auto synced = mbox.file().sync(); !synced) return fail(StoreError(synced.error()));
  messages_.clear();  // the offsets hold no longer
  return changed;
}

StoreResult<bool> MboxMailbox::take_exclusively() {
  if (session_lock_) return true;
  auto mbox = LockedMbox::open(files_, location_);
  if (!mbox) return fail(std::move(mbox.error()));
  const std::string path = location_.path();
  auto file = (*mbox)->directory().open_file(path.substr(path.rfind('/') + 1) + ".pop3-lock",
                                             OpenMode::append_or_create, file_mode);
  if (!file) return fail(StoreError(file.error()));
  const auto locked = (*file)->try_lock();
  if (!locked) return fail(StoreError(locked.error()));
  if (*locked) session_lock_ = std::move(*file);
  return *locked;
}

}  // namespace posthorn::store
