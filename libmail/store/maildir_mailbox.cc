#include "libmail/store/maildir_mailbox.h"

#include <algorithm>
#include <cerrno>
#include <unordered_set>

#include "libmail/base/text.h"
#include "libmail/store/file_message.h"
#include "libmail/store/maildir_name.h"

namespace posthorn::store {

namespace {

constexpr const char* session_lock_name = "posthorn-pop3.lock";
constexpr std::size_t remark_limit = 20;
constexpr std::size_t chunk = 64 * 1024;

std::string_view name_in(std::string_view place) {
  return place.substr(4);  // behind "cur/" or "new/"
}

std::string_view base_of(std::string_view place) {
  const std::string_view name = name_in(place);
  return name.substr(0, name.find(':'));
}

}  // namespace

MaildirMailbox::MaildirMailbox(Files& files, MaildirDirectories directories)
    : files_(files), directories_(std::move(directories)) {}

Directory& MaildirMailbox::directory_of(std::string_view place) const {
  return place.starts_with("cur/") ? *directories_.cur : *directories_.fresh;
}

StoreResult<void> MaildirMailbox::list_into(Places& places, std::vector<std::string>& remarks) {
  // cur/ last: a message that another program moves there between the two lists is seen twice, not never.
  for (const auto& [directory, prefix] :
       {std::pair{directories_.fresh.get(), "new/"}, std::pair{directories_.cur.get(), "cur/"}}) {
    const auto names = directory->list();
    if (!names) return fail(StoreError(names.error()));
    for (const std::string& name : *names) {
      const auto parsed = parse_maildir_name(name);
      if (parsed) {
        places[std::string(parsed->base)] = prefix + name;
      } else if (!name.starts_with('.') && remarks.size() < remark_limit) {
        remarks.push_back("no message: " + std::string(prefix) + printable(name, 100));
      }
    }
  }
  return {};
}

// Every message there is. Another program may rename a file, without a lock, while we read its directory, and hide it
// from us; so a message that we know is gone only if a second look does not find it either.
StoreResult<MaildirMailbox::Places> MaildirMailbox::list_all(const UidList& known,
                                                             std::vector<std::string>& remarks) {
  Places places;
  if (auto done = list_into(places, remarks); !done) return fail(std::move(done.error()));
  const bool all_there = std::all_of(known.records.begin(), known.records.end(),
                                     [&](const UidRecord& r) { return places.contains(r.base); });
  if (!all_there) {
    std::vector<std::string> again;
    if (auto done = list_into(places, again); !done) return fail(std::move(done.error()));
  }
  return places;
}

void MaildirMailbox::assign_uids(UidListFile& file, const Places& places) {
  const UidList& list = file.list();
  std::unordered_set<std::string_view> known;
  std::vector<std::size_t> dead;
  for (std::size_t i = 0; i < list.records.size(); ++i) {
    if (places.contains(list.records[i].base))
      known.insert(list.records[i].base);
    else
      dead.push_back(i);
  }
  std::vector<MaildirName> fresh;
  for (const auto& [base, place] : places) {
    if (!known.contains(base)) fresh.push_back(*parse_maildir_name(base));
  }
  std::sort(fresh.begin(), fresh.end(), arrived_before);
  std::vector<UidRecord> records;
  records.reserve(fresh.size());
  for (const MaildirName& name : fresh) {
    UidRecord record;
    record.base = name.base;
    records.push_back(std::move(record));
  }
  file.drop(dead);
  file.assign(std::move(records));
}

StoreResult<MailboxScan> MaildirMailbox::scan() {
  MailboxScan scan;
  std::vector<std::size_t> unmeasured;
  {
    auto file = UidListFile::lock(files_, *directories_.root);
    if (!file) return fail(std::move(file.error()));
    auto places = list_all(file->list(), scan.remarks);
    if (!places) return fail(std::move(places.error()));
    if (auto held = file->keep(); !held) return fail(std::move(held.error()));
    for (const UidList::Damage& damage : file->list().damage) {
      scan.remarks.push_back(std::string(uidlist_name) + " line " + std::to_string(damage.line) +
                             ": " + damage.why);
    }
    assign_uids(*file, *places);
    if (auto saved = file->save(); !saved) return fail(std::move(saved.error()));

    const UidList& list = file->list();
    scan.uid_validity = list.uid_validity;
    scan.uid_next = list.next_uid;
    scan.entries.reserve(list.records.size());
    std::unordered_set<std::string> uidls;
    for (const UidRecord& record : list.records) {
      const std::string& place = places->at(record.base);
      const auto name = parse_maildir_name(name_in(place));
      MailboxEntry entry;
      entry.uid = record.uid;
      entry.file = place;
      entry.path = directories_.path + "/" + place;
      entry.seen = name->flags.seen;
      entry.uidl = uidl_text(record, list.uid_validity);
      // Two messages that were saved with one UIDL: a client would never fetch the second.
      if (!uidls.insert(entry.uidl).second) {
        UidRecord plain;
        plain.uid = record.uid;
        entry.uidl = uidl_text(plain, list.uid_validity);
        uidls.insert(entry.uidl);
      }
      const auto saved = record.field(uid_field_crlf_size);
      const auto size = name->crlf_size ? name->crlf_size
                        : saved         ? parse_number<std::uint64_t>(*saved)
                                        : std::nullopt;
      if (size)
        entry.size = *size;
      else
        unmeasured.push_back(scan.entries.size());
      scan.entries.push_back(std::move(entry));
    }
  }
  measure(scan, unmeasured);
  return scan;
}

// Messages of programs that put no size into the name must be read once. That takes long, so no lock is held.
void MaildirMailbox::measure(MailboxScan& scan, const std::vector<std::size_t>& unmeasured) {
  if (unmeasured.empty()) return;
  std::unordered_map<std::uint32_t, std::uint64_t> sizes;
  for (const std::size_t index : unmeasured) {
    MailboxEntry& entry = scan.entries[index];
    const auto size = size_of(entry);
    if (!size) {
      entry.uid = 0;  // gone since the list was made, or not to be read
      if (scan.remarks.size() < remark_limit) {
        scan.remarks.push_back(entry.path + " is left out: " + size.error().text);
      }
      continue;
    }
    entry.size = *size;
    sizes.emplace(entry.uid, *size);
  }
  std::erase_if(scan.entries, [](const MailboxEntry& entry) { return entry.uid == 0; });

  // Kept beside the UIDs as Dovecot does. If the lock is taken the next scan measures again.
  auto file = UidListFile::lock(files_, *directories_.root);
  if (!file || file->list().uid_validity != scan.uid_validity) return;
  for (std::size_t i = 0; i < file->list().records.size(); ++i) {
    const auto size = sizes.find(file->list().records[i].uid);
    if (size != sizes.end()) file->set_field(i, uid_field_crlf_size, std::to_string(size->second));
  }
  static_cast<void>(file->save());
}

StoreResult<std::uint64_t> MaildirMailbox::size_of(const MailboxEntry& entry) {
  const auto message = open(entry);
  if (!message) return fail(message.error());
  std::uint64_t size = 0;
  bool after_cr = false;
  for (;;) {
    const auto octets = (*message)->read(chunk);
    if (!octets) return fail(octets.error());
    if (octets->empty()) return size;
    size += octets->size();
    for (const char c : *octets) {
      if (c == '\n' && !after_cr) ++size;
      after_cr = c == '\r';
    }
  }
}

// Where the message with this base name is now. not_found: nowhere.
StoreResult<std::string> MaildirMailbox::find(std::string_view base) {
  // Two looks, for the same reason as in list_all().
  for (int look = 0; look < 2; ++look) {
    Places places;
    std::vector<std::string> remarks;
    if (auto done = list_into(places, remarks); !done) return fail(std::move(done.error()));
    const auto found = places.find(std::string(base));
    if (found != places.end()) return found->second;
  }
  return fail(StoreError(StoreError::Kind::not_found,
                         directories_.path + ": no message " + printable(base) + " any more"));
}

// Does `action` to the file, wherever another program has moved it.
template <class Action>
auto MaildirMailbox::at_its_place(const std::string& place, Action action) -> StoreResult<
    typename std::invoke_result_t<Action, Directory&, const std::string&>::value_type> {
  std::string now = place;
  for (int attempt = 0;; ++attempt) {
    auto done = action(directory_of(now), std::string(name_in(now)));
    if (done) return std::move(*done);
    if (done.error().code != ENOENT || attempt == 3) return fail(StoreError(done.error()));
    auto found = find(base_of(place));
    if (!found) return fail(std::move(found.error()));
    now = std::move(*found);
  }
}

StoreResult<std::unique_ptr<MessageSource>> MaildirMailbox::open(const MailboxEntry& entry) {
  auto file = at_its_place(entry.file, [](Directory& directory, const std::string& name) {
    return directory.open_file(name, OpenMode::read, 0);
  });
  if (!file) return fail(std::move(file.error()));
  return std::make_unique<FileMessage>(std::move(*file));
}

StoreResult<bool> MaildirMailbox::remove(const std::string& place) {
  auto done =
      at_its_place(place, [](Directory& directory, const std::string& name) -> IoResult<bool> {
        if (auto gone = directory.unlink(name); !gone) return fail(gone.error());
        return true;
      });
  if (!done && done.error().kind == StoreError::Kind::not_found) return true;
  return done;
}

StoreResult<bool> MaildirMailbox::mark_seen(const std::string& place) {
  Directory& cur = *directories_.cur;
  return at_its_place(
      place, [&cur](Directory& directory, const std::string& name) -> IoResult<bool> {
        const auto parsed = parse_maildir_name(name);
        MaildirFlags flags = parsed->flags;
        flags.seen = true;
        // Another kind of info than "2," is somebody's experiment: left alone.
        if (!parsed->info.empty() && !parsed->info.starts_with("2,")) return true;
        const std::string seen = format_maildir_name(parsed->base, flags, parsed->keywords);
        if (seen == name && &directory == &cur) return true;
        if (auto moved = directory.rename(name, cur, seen); !moved) return fail(moved.error());
        return true;
      });
}

StoreResult<MailboxChanged> MaildirMailbox::apply(const MailboxScan& scan,
                                                  const MailboxChanges& changes) {
  MailboxChanged changed;
  if (changes.remove.empty() && changes.mark_seen.empty()) return changed;
  auto file = UidListFile::lock(files_, *directories_.root);
  if (!file) return fail(std::move(file.error()));

  const auto place_of = [&scan](std::uint32_t uid) -> const MailboxEntry* {
    const auto found = std::lower_bound(
        scan.entries.begin(), scan.entries.end(), uid,
        [](const MailboxEntry& entry, std::uint32_t value) { return entry.uid < value; });
    return found != scan.entries.end() && found->uid == uid ? &*found : nullptr;
  };
  std::unordered_set<std::string_view> gone;
  for (const std::uint32_t uid : changes.remove) {
    const MailboxEntry* entry = place_of(uid);
    if (entry == nullptr) continue;
    if (auto held = file->keep(); !held) return fail(std::move(held.error()));
    auto removed = remove(entry->file);
    if (!removed) {
      changed.failed.push_back(std::move(removed.error()));
      continue;
    }
    ++changed.removed;
    gone.insert(base_of(entry->file));
  }
  for (const std::uint32_t uid : changes.mark_seen) {
    const MailboxEntry* entry = place_of(uid);
    if (entry == nullptr || entry->seen || gone.contains(base_of(entry->file))) continue;
    if (auto held = file->keep(); !held) return fail(std::move(held.error()));
    auto marked = mark_seen(entry->file);
    if (!marked && marked.error().kind != StoreError::Kind::not_found) {
      changed.failed.push_back(std::move(marked.error()));
    }
  }
  std::vector<std::size_t> dead;
  for (std::size_t i = 0; i < file->list().records.size(); ++i) {
    if (gone.contains(file->list().records[i].base)) dead.push_back(i);
  }
  file->drop(dead);
  // The messages are gone already; a list that still names them harms nobody.
  static_cast<void>(file->save());
  return changed;
}

StoreResult<bool> MaildirMailbox::take_exclusively() {
  if (session_lock_) return true;
  auto file =
      directories_.root->open_file(session_lock_name, OpenMode::append_or_create, file_mode);
  if (!file) return fail(StoreError(file.error()));
  const auto locked = (*file)->try_lock();
  if (!locked) return fail(StoreError(locked.error()));
  if (*locked) session_lock_ = std::move(*file);
  return *locked;
}

}  // namespace posthorn::store
