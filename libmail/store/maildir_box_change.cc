// Flags and expunges: renames and unlinks under the lock of the list, one lock for all messages of a command.
#include <algorithm>
#include <cerrno>

#include "libmail/base/text.h"
#include "libmail/store/maildir_box.h"

namespace posthorn::store {

namespace {

constexpr std::size_t names_at_once = 4096;
constexpr std::size_t keep_every =
    256;  // files between two looks at the lock and the kernel's queue

std::uint16_t changed_flags(const MessageRow& row, const FlagChange& change) {
  const std::uint16_t wanted = change.flags & flag::system_flags;
  const auto others = static_cast<std::uint16_t>(row.flags & ~flag::system_flags);
  const std::uint16_t now = row.flags & flag::system_flags;
  std::uint16_t next = wanted;
  if (change.kind == FlagChange::Kind::add) next = now | wanted;
  if (change.kind == FlagChange::Kind::remove) next = static_cast<std::uint16_t>(now & ~wanted);
  return static_cast<std::uint16_t>(others | (next & change.changeable) |
                                    (now & ~change.changeable));
}

std::uint64_t changed_keywords(const MessageRow& row, const FlagChange& change,
                               std::uint64_t wanted) {
  if (!change.keywords_changeable) return row.keywords;
  switch (change.kind) {
    case FlagChange::Kind::add:
      return row.keywords | wanted;
    case FlagChange::Kind::remove:
      return row.keywords & ~wanted;
    case FlagChange::Kind::replace:
      break;
  }
  return wanted;
}

}  // namespace

// A STORE under way.
struct MaildirBox::Renaming {
  const FlagChange& change;
  std::uint64_t keywords;
  Work& work;
  FlagsStored& stored;
  std::map<std::string, Place> elsewhere;  // where files are that were renamed meanwhile; read once
  std::vector<std::pair<std::uint32_t, std::uint64_t>> extra;
};

// Where a file is that is not under its last name: found by listing, once for all.
bool MaildirBox::find_elsewhere(std::map<std::string, Place>& elsewhere, std::string_view base,
                                Place& place) {
  if (elsewhere.empty()) {
    auto listed = list_directories();
    if (!listed) return false;
    for (Place& file : listed->files) {
      const std::string name = file.name.substr(0, file.name.find(':'));
      elsewhere[name] = std::move(file);
    }
  }
  const auto found = elsewhere.find(std::string(base));
  if (found == elsewhere.end()) return false;
  place = found->second;
  return true;
}

// Changes one message. False: it is gone.
bool MaildirBox::change_one(Renaming& renaming, MessageRow row, const StoredName& stored) {
  Place from = place_of(row, stored);
  for (int attempt = 0; attempt < 2; ++attempt) {
    const std::uint16_t flags = changed_flags(row, renaming.change);
    const std::uint64_t keywords = changed_keywords(row, renaming.change, renaming.keywords);
    if (flags == row.flags && keywords == row.keywords) return true;
    const std::string_view base = stored.base();
    Place to = flagged_place(base, flags, keywords);
    constexpr std::uint64_t letters = (1ULL << letter_keywords) - 1;
    const bool rename = flags != row.flags || ((keywords ^ row.keywords) & letters) != 0;
    if (rename && to != from) {
      expect_rename(from, to);
      const auto done = directory_of(from.fresh).rename(from.name, *dirs_.cur, to.name);
      if (!done && done.error().code == ENOENT && attempt == 0) {
        must_scan_ = true;  // the echo that we expected may have been the news of that
        if (!find_elsewhere(renaming.elsewhere, base, from)) return false;
        set_flags_of(row, from);  // others may have changed flags by it
        continue;
      }
      if (!done && done.error().code == ENOENT) {
        must_scan_ = true;
        return false;
      }
      if (!done) {
        renaming.stored.failed.emplace_back(done.error());
        return true;
      }
    } else {
      to = from;
    }
    row.keywords = keywords;
    const bool had_odd_name = (row.flags & flag::odd_name) != 0;
    row.flags = static_cast<std::uint16_t>(flags & ~(flag::fresh | flag::odd_name));
    if (to.fresh) row.flags |= flag::fresh;
    if (to == from && had_odd_name) row.flags |= flag::odd_name;
    if (had_odd_name && to != from) {
      StoredName plain = stored;
      plain.name = base;
      renaming.work.batch.names.emplace_back(row.uid, plain.text());
    }
    row.modseq = modseq_of(renaming.work);
    renaming.work.editor.replace(row);
    renaming.work.batch.rows.push_back(row);
    renaming.stored.changed.push_back(row.uid);
    renaming.extra.emplace_back(row.uid, row.keywords);
    return true;
  }
  return false;
}

StoreResult<FlagsStored> MaildirBox::store_flags(std::span<const std::uint32_t> uids,
                                                 const FlagChange& change) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  if (auto done = sync_known(); !done) return fail(std::move(done.error()));
  auto list = lock_list();
  if (!list) return fail(std::move(list.error()));
  if (auto names = keywords_.load(header_.uid_validity); !names) return fail(names.error());
  const bool removes = change.kind == FlagChange::Kind::remove;
  const auto bits = keywords_.bits_of(change.keywords, !removes);
  if (!bits) return fail(bits.error());
  FlagsStored stored;
  if (bits->refused) {
    stored.failed.emplace_back(
        StoreError::Kind::refused,
        "no more than " + std::to_string(keyword_limit) + " keywords can be kept in one mailbox");
  }
  Work work(*snapshot());
  if (keywords_.names() != snapshot()->keywords()) {
    work.editor.set_keywords(keywords_.names());
    work.changed = true;
  }
  Renaming renaming{change, bits->bits, work, stored, {}, {}};
  const OwnChanges quiet(watch_.get());
  StoreResult<void> held;
  for (std::size_t at = 0; at < uids.size() && held; at += names_at_once) {
    const auto slice = uids.subspan(at, std::min(names_at_once, uids.size() - at));
    const auto names = names_of(slice);
    if (!names) {
      held = fail(names.error());
      break;
    }
    for (std::size_t i = 0; i < slice.size(); ++i) {
      if (i % keep_every == keep_every - 1) {
        held = list->keep();
        if (!held) break;
        if (watch_) watch_->absorb(false);
      }
      const auto row = work.editor.find(slice[i]);
      if (!row) continue;
      if (change.unchanged_since && row->modseq > *change.unchanged_since) {
        stored.modified.push_back(slice[i]);
        continue;
      }
      change_one(renaming, *row, (*names)[i]);
    }
  }
  if (watch_) watch_->absorb(true);
  if (!watch_ && !stored.changed.empty()) header_.cur = header_.fresh = FileStamp();
  stored.modseq = stored.changed.empty() ? 0 : work.modseq;
  auto noted = keywords_.note_extra(renaming.extra);
  // What was done stands, whatever went wrong behind it.
  if (auto done = commit(work); !done) return fail(std::move(done.error()));
  if (!held) return fail(not_again(std::move(held.error())));
  if (!noted) return fail(not_again(std::move(noted.error())));
  return stored;
}

// An EXPUNGE under way.
struct MaildirBox::Removing {
  ExpungeRules rules;
  Expunged& expunged;
  std::map<std::string, Place> elsewhere;
  std::int64_t octets = 0;
  std::int64_t messages = 0;  // that nobody else had removed before
};

void MaildirBox::remove_one(Removing& removing, const MessageRow& row, const StoredName& stored) {
  if (removing.rules.only_deleted && (row.flags & flag::deleted) == 0) return;
  Place place = place_of(row, stored);
  if (watch_) watch_->expect(false, place.fresh, place.name);
  auto done = directory_of(place.fresh).unlink(place.name);
  if (!done && done.error().code == ENOENT) {
    must_scan_ = true;  // the echo that we expected may have been the news of that
    if (find_elsewhere(removing.elsewhere, stored.base(), place)) {
      const auto name = parse_maildir_name(place.name);
      if (removing.rules.only_deleted && (!name || !name->flags.trashed)) return;
      if (watch_) watch_->expect(false, place.fresh, place.name);
      done = directory_of(place.fresh).unlink(place.name);
    }
  }
  if (!done && done.error().code != ENOENT) {
    removing.expunged.failed.emplace_back(done.error());
    return;
  }
  if (done) {
    const auto name = parse_maildir_name(place.name);
    removing.octets += static_cast<std::int64_t>(name && name->size ? *name->size : row.size);
    ++removing.messages;
  }
  removing.expunged.uids.push_back(row.uid);
}

StoreResult<Expunged> MaildirBox::expunge(std::span<const std::uint32_t> uids, ExpungeRules rules) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  if (auto done = sync_known(); !done) return fail(std::move(done.error()));
  auto list = lock_list();
  if (!list) return fail(std::move(list.error()));
  Work work(*snapshot());
  Expunged expunged;
  Removing removing{rules, expunged, {}};
  const OwnChanges quiet(watch_.get());
  StoreResult<void> held;
  for (std::size_t at = 0; at < uids.size() && held; at += names_at_once) {
    const auto slice = uids.subspan(at, std::min(names_at_once, uids.size() - at));
    const auto names = names_of(slice);
    if (!names) {
      held = fail(names.error());
      break;
    }
    for (std::size_t i = 0; i < slice.size(); ++i) {
      if (i % keep_every == keep_every - 1) {
        held = list->keep();
        if (!held) break;
        if (watch_) watch_->absorb(false);
      }
      const auto row = work.editor.find(slice[i]);
      if (row) remove_one(removing, *row, (*names)[i]);
    }
  }
  if (watch_) watch_->absorb(true);
  gone(work, expunged.uids);
  expunged.modseq = work.modseq;
  if (!watch_ && !expunged.uids.empty()) header_.cur = header_.fresh = FileStamp();
  if (!expunged.uids.empty()) {
    if (settings_.usage && removing.messages > 0)
      settings_.usage(-removing.octets, -removing.messages);
    compact_later(work);
  }
  if (auto done = commit(work); !done) return fail(std::move(done.error()));
  if (!held) return fail(std::move(held.error()));
  return expunged;
}

}  // namespace posthorn::store
