// Everything from the directories and the list of UIDs, and the rows that are made of it.
#include <algorithm>
#include <deque>
#include <thread>

#include "libmail/base/text.h"
#include "libmail/store/maildir_box.h"

namespace posthorn::store {

namespace {

constexpr int most_lists = 5;
// So many new messages are asked for their dates at once; of more, those that a client asks for.
constexpr std::size_t dated_at_once = 100;
// So many new messages make rows for as long as a thread takes to begin.
constexpr std::size_t worth_a_thread = 500;

}  // namespace

StoreResult<MaildirBox::Listed> MaildirBox::list_directories() {
  const auto stamps = [this](FileStamp& cur, FileStamp& fresh) -> StoreResult<void> {
    const auto c = dirs_.cur->status();
    if (!c) return fail(StoreError(c.error()));
    const auto f = dirs_.fresh->status();
    if (!f) return fail(StoreError(f.error()));
    cur = stamp_of(*c);
    fresh = stamp_of(*f);
    return {};
  };
  Listed listed;
  if (auto done = stamps(listed.cur, listed.fresh); !done) return fail(done.error());
  // cur/ last: a message that another program moves there between the two lists is seen twice, not never.
  for (const bool fresh : {true, false}) {
    auto names = directory_of(fresh).list();
    if (!names) return fail(StoreError(names.error()));
    listed.files.reserve(listed.files.size() + names->size());
    for (std::string& name : *names) {
      if (!parse_maildir_name(name)) {
        if (!name.starts_with('.')) remark("no message: " + printable(name, 100));
        continue;
      }
      Place place;
      place.fresh = fresh;
      place.name = std::move(name);
      listed.files.push_back(std::move(place));
    }
  }
  FileStamp cur;
  FileStamp fresh;
  if (auto done = stamps(cur, fresh); !done) return fail(done.error());
  listed.stable = cur == listed.cur && fresh == listed.fresh;
  return listed;
}

// Everything from the directories and the list, under the lock.
StoreResult<void> MaildirBox::scan(UidListFile& list) {
  // What the lists below will show anyway; what happens from here on is told again.
  if (watch_) static_cast<void>(watch_->take());
  const auto tail_only = list.read_news(list_mark());
  if (!tail_only) return fail(tail_only.error());
  for (const UidList::Damage& damage : list.list().damage) {
    remark(std::string(uidlist_name) + " line " + std::to_string(damage.line) + ": " + damage.why);
  }
  if (list.list().uid_validity != header_.uid_validity) {
    begin_again(list);
  }
  Work work(*snapshot());
  const auto names = keywords_.load(header_.uid_validity);
  if (!names) return fail(names.error());
  if (*names || work.editor.last_uid() == 0) {
    work.editor.set_keywords(keywords_.names());
    work.changed = true;
  }
  auto listed = list_directories();
  if (!listed) return fail(std::move(listed.error()));
  if (auto held = list.keep(); !held) return held;
  if (auto done = match(list, *tail_only, *listed, work); !done) return done;
  const WallTime now = host_.files().now();
  const bool quiet =
      listed->stable && time_of(listed->cur) + tick < now && time_of(listed->fresh) + tick < now;
  header_.cur = quiet ? listed->cur : FileStamp();
  header_.fresh = quiet ? listed->fresh : FileStamp();
  must_scan_ = false;
  return commit(work);
}

// Another UIDVALIDITY: nothing that we know is worth anything.
void MaildirBox::begin_again(const UidListFile& list) {
  const std::uint64_t before = header_.highest_modseq;
  const bool fresh = header_.uid_validity == 0;
  begin_index();
  header_.highest_modseq = std::max(header_.highest_modseq, fresh ? before : before + 1);
  header_.vanished_from = header_.highest_modseq;
  header_.uid_validity = list.list().uid_validity;
  header_.guid = list.list().guid;
  SnapshotEditor editor;
  editor.set_validity(header_.uid_validity);
  editor.raise_modseq(header_.highest_modseq);
  const std::lock_guard hold(quick_);
  snapshot_ = editor.finish();
  recent_from_ = 1;
}

// The messages that should be there: of the list, or as we know them and what the list has more.
StoreResult<std::vector<MaildirBox::Known>> MaildirBox::known_messages(const UidListFile& list,
                                                                       bool tail_only) {
  std::vector<Known> all;
  if (tail_only) {
    all.reserve(snapshot()->size() + list.list().records.size());
    std::vector<std::uint32_t> uids;
    uids.reserve(snapshot()->size());
    for (const auto& chunk : snapshot()->chunks())
      uids.insert(uids.end(), chunk->uid.begin(), chunk->uid.begin() + chunk->count);
    const auto names = names_of(uids);
    if (!names) return fail(names.error());
    for (std::size_t i = 0; i < uids.size(); ++i) {
      Known known;
      known.uid = uids[i];
      known.base = (*names)[i].base();
      known.guid = (*names)[i].guid;
      all.push_back(std::move(known));
    }
  }
  for (const UidRecord& record : list.list().records) {
    Known known;
    known.uid = record.uid;
    known.base = record.base;
    known.guid = record.field(uid_field_guid).value_or("");
    if (const auto size = record.field(uid_field_crlf_size))
      known.size = parse_number<std::uint64_t>(*size);
    all.push_back(std::move(known));
  }
  return all;
}

// Joins what is listed with what should be there. Places in `known` point into `listed`; the rest of the files are strangers.
void MaildirBox::join(std::vector<Known>& known, Listed& listed, std::vector<Place*>& strangers) {
  BaseTable table;
  table.reserve(known.size());
  for (std::size_t i = 0; i < known.size(); ++i) {
    known[i].place = nullptr;
    table.insert(known[i].base, static_cast<std::uint32_t>(i + 1));
  }
  strangers.clear();
  BaseTable seen;  // strangers, and their places in the list plus one
  if (listed.files.size() > known.size()) {
    seen.reserve(listed.files.size() - known.size());
    strangers.reserve(listed.files.size() - known.size());
  }
  const auto base_of = [](const Place& place) {
    return std::string_view(place.name).substr(0, place.name.find(':'));
  };
  for (Place& place : listed.files) {
    const std::string_view base = base_of(place);
    bool found = false;
    table.candidates(base, [&](std::uint32_t candidate) {
      if (known[candidate - 1].base != base) return;
      known[candidate - 1].place = &place;
      found = true;
    });
    if (found) continue;
    seen.candidates(base, [&](std::uint32_t candidate) {
      if (found || base_of(*strangers[candidate - 1]) != base) return;
      strangers[candidate - 1] = &place;
      found = true;
    });
    if (found) continue;
    strangers.push_back(&place);
    seen.insert(base, static_cast<std::uint32_t>(strangers.size()));
  }
}

// UIDs of ours that the list gives to other files.
std::set<std::uint32_t> MaildirBox::changed_bases(const std::vector<Known>& known) {
  std::set<std::uint32_t> changed;
  std::vector<std::uint32_t> uids;
  std::vector<const Known*> ones;
  const auto now = snapshot();
  for (const Known& one : known) {
    if (!now->find(one.uid)) continue;
    uids.push_back(one.uid);
    ones.push_back(&one);
  }
  const auto names = names_of(uids);
  for (std::size_t i = 0; names && i < uids.size(); ++i) {
    if ((*names)[i].base() != ones[i]->base) changed.insert(uids[i]);
  }
  return changed;
}

StoreResult<void> MaildirBox::match(UidListFile& list, bool tail_only, Listed& listed, Work& work) {
  auto all = known_messages(list, tail_only);
  if (!all) return fail(std::move(all.error()));
  std::vector<Known>& known = *all;
  std::vector<Place*> strangers;
  join(known, listed, strangers);

  // A message that another program renames while its directory is read may be hidden from us.
  const auto is_missing = [](const Known& one) { return one.place == nullptr; };
  std::vector<std::uint32_t> missing;
  for (int lists = 1; lists < most_lists; ++lists) {
    std::vector<std::uint32_t> now;
    for (const Known& one : known) {
      if (is_missing(one)) now.push_back(one.uid);
    }
    const bool sure = now.empty() || (lists > 1 && listed.stable && now == missing);
    missing = std::move(now);
    if (sure) break;
    auto again = list_directories();
    if (!again) return fail(std::move(again.error()));
    listed = std::move(*again);
    join(known, listed, strangers);
    if (auto held = list.keep(); !held) return held;
  }

  std::vector<std::uint32_t> lost;
  std::vector<std::size_t> dead;  // records of the list
  std::vector<const Known*> later;
  std::deque<Place> left;  // of files that are no strangers, and lose their UIDs
  const std::uint32_t next_before = header_.uid_next;
  const auto taken_over = tail_only ? std::set<std::uint32_t>() : changed_bases(known);
  for (std::size_t i = 0; i < known.size(); ++i) {
    const Known& one = known[i];
    const bool ours = work.editor.find(one.uid).has_value() && !taken_over.contains(one.uid);
    if (is_missing(one)) {
      if (ours) lost.push_back(one.uid);
      if (!tail_only) dead.push_back(i);
    } else if (ours) {
      MessageRow row = *work.editor.find(one.uid);
      update_row(work, row, *one.place, one.guid);
    } else if (one.uid >= next_before) {
      later.push_back(&one);
    } else {
      // Clients were told that it is gone, and a UID never comes back: it gets a new one.
      left.push_back(*one.place);
      strangers.push_back(&left.back());
      if (!tail_only) dead.push_back(i);
      list.rewrite_next();
    }
  }
  // Messages that we know and the list does not: their UIDs are worth nothing to others.
  if (!tail_only) {
    std::size_t at = 0;
    for (const auto& chunk : snapshot()->chunks()) {
      for (std::size_t i = 0; i < chunk->count; ++i) {
        while (at < known.size() && known[at].uid < chunk->uid[i]) ++at;
        if (at == known.size() || known[at].uid != chunk->uid[i]) lost.push_back(chunk->uid[i]);
      }
    }
    lost.insert(lost.end(), taken_over.begin(), taken_over.end());
    std::sort(lost.begin(), lost.end());
    lost.erase(std::unique(lost.begin(), lost.end()), lost.end());
  }
  gone(work, lost);
  for (const Known* one : later) add_row(work, *one);
  if (!tail_only) list.drop(dead);

  std::vector<Arrival> arrivals;
  arrivals.reserve(strangers.size());
  for (Place* place : strangers) arrivals.push_back(arrival_of(std::move(*place)));
  const bool rebuilt = next_before == 1;
  auto given = assign(list, work, std::move(arrivals));
  if (!given) return fail(std::move(given.error()));
  raise_uid_next(work, list.list().next_uid);
  if (rebuilt) note_recent(work);
  return compact(list, work);
}

// After a rebuild: recent is what nobody has taken out of new/.
void MaildirBox::note_recent(const Work& work) {
  std::uint32_t first = header_.uid_next;
  for (const MessageRow& row : work.batch.rows) {
    if ((row.flags & flag::fresh) != 0) first = std::min(first, row.uid);
  }
  const std::lock_guard hold(quick_);
  recent_from_ = first;
}

void MaildirBox::add_row(Work& work, const Known& known) {
  const auto name = parse_maildir_name(known.place->name);
  MessageRow row = row_for(known.uid, *known.place, *name);
  if (known.size && (row.flags & flag::has_size) == 0) {
    row.size = *known.size;
    row.flags |= flag::has_size;
  }
  const auto extra = keywords_.extra().find(known.uid);
  if (extra != keywords_.extra().end()) row.keywords |= extra->second;
  insert_row(work, row, *known.place, known.guid);
}

void MaildirBox::insert_row(Work& work, MessageRow row, const Place& place, std::string_view guid) {
  row.modseq = modseq_of(work);
  work.editor.append(row);
  const std::string_view base = std::string_view(place.name).substr(0, place.name.find(':'));
  StoredName stored;
  stored.name = (row.flags & flag::odd_name) != 0 ? std::string_view(place.name) : base;
  if (guid.empty()) {
    work.batch.names.emplace_back(row.uid, std::move(stored.name));
  } else {
    stored.guid = guid;
    work.batch.names.emplace_back(row.uid, stored.text());
  }
  work.batch.rows.push_back(row);
  if (!table_.empty()) table_.insert(base, row.uid);
}

// Flags and letters as the name says; keywords beyond the letters stay.
void MaildirBox::set_flags_of(MessageRow& row, const Place& place) {
  if (const auto name = parse_maildir_name(place.name)) set_flags_of(row, place, *name);
}

void MaildirBox::set_flags_of(MessageRow& row, const Place& place, const MaildirName& name) {
  constexpr std::uint64_t letters = (1ULL << letter_keywords) - 1;
  std::uint16_t flags = row.flags & (flag::has_size | flag::has_date);
  if (name.flags.draft) flags |= flag::draft;
  if (name.flags.flagged) flags |= flag::flagged;
  if (name.flags.passed) flags |= flag::passed;
  if (name.flags.replied) flags |= flag::answered;
  if (name.flags.seen) flags |= flag::seen;
  if (name.flags.trashed) flags |= flag::deleted;
  if (place.fresh) flags |= flag::fresh;
  row.keywords &= ~letters;
  for (const char letter : name.keywords) row.keywords |= 1ULL << (letter - 'a');
  const bool plain = place.fresh ? name.base.size() == place.name.size()
                                 : name.info == plain_info(flags, row.keywords).view();
  if (!plain) flags |= flag::odd_name;
  row.flags = flags;
}

MessageRow MaildirBox::row_for(std::uint32_t uid, const Place& place,
                               const MaildirName& name) const {
  MessageRow row;
  row.uid = uid;
  set_flags_of(row, place, name);
  if (name.crlf_size) {
    row.size = *name.crlf_size;
    row.flags |= flag::has_size;
  }
  row.saved = saved_by(name);
  return row;
}

// Every program names a file by the time when it saved it, and keeps that name (RFC 8514: it must not change).
std::uint32_t MaildirBox::saved_by(const std::optional<MaildirName>& name) const {
  const auto now = std::chrono::floor<std::chrono::seconds>(host_.files().now());
  const bool good =
      name && name->seconds <= static_cast<std::uint64_t>(now.time_since_epoch().count()) + 86400;
  return good ? static_cast<std::uint32_t>(name->seconds) : 0;
}

// Of a file that was listed: its name is a message's.
MaildirBox::Arrival MaildirBox::arrival_of(Place place) const {
  Arrival arrival;
  arrival.place = std::move(place);
  const auto name = parse_maildir_name(arrival.place.name);
  arrival.row = row_for(0, arrival.place, *name);
  arrival.seconds = name->seconds;
  arrival.microseconds = name->microseconds;
  return arrival;
}

// The row as it is with its file at `place`. True if a client would see a difference.
bool MaildirBox::update_row(Work& work, MessageRow row, const Place& place, std::string_view guid) {
  const MessageRow before = row;
  set_flags_of(row, place);
  if (row == before && (row.flags & flag::odd_name) == 0) return false;
  constexpr std::uint16_t seen_by_clients = flag::system_flags;
  const bool told =
      ((row.flags ^ before.flags) & seen_by_clients) != 0 || row.keywords != before.keywords;
  if (told) row.modseq = modseq_of(work);
  if (((row.flags | before.flags) & flag::odd_name) != 0) {
    StoredName stored;
    stored.name =
        (row.flags & flag::odd_name) != 0 ? place.name : place.name.substr(0, place.name.find(':'));
    stored.guid = guid;
    work.batch.names.emplace_back(row.uid, stored.text());
  }
  if (row == before) return false;
  work.editor.replace(row);
  work.batch.rows.push_back(row);
  work.changed = true;
  return told;
}

void MaildirBox::gone(Work& work, std::span<const std::uint32_t> uids) {
  if (uids.empty()) return;
  const std::uint64_t modseq = modseq_of(work);
  work.editor.remove(uids);
  work.batch.removed.insert(work.batch.removed.end(), uids.begin(), uids.end());
  work.batch.vanished.emplace_back(modseq, std::vector<std::uint32_t>(uids.begin(), uids.end()));
}

void MaildirBox::raise_uid_next(Work& work, std::uint32_t uid_next) {
  if (uid_next <= header_.uid_next) return;
  header_.uid_next = uid_next;
  work.editor.set_uid_next(uid_next);
  work.changed = true;
}

// Older first.
std::vector<MaildirBox::Arrival*> MaildirBox::in_order(std::vector<Arrival>& arrivals) {
  std::vector<Arrival*> order;
  order.reserve(arrivals.size());
  for (Arrival& arrival : arrivals) order.push_back(&arrival);
  const auto keeps_order = [](const Arrival& arrival) { return arrival.keep_order; };
  if (std::all_of(arrivals.begin(), arrivals.end(), keeps_order)) return order;
  std::sort(order.begin(), order.end(), [](const Arrival* a, const Arrival* b) {
    if (a->seconds != b->seconds) return a->seconds < b->seconds;
    if (a->microseconds != b->microseconds) return a->microseconds < b->microseconds;
    return arrived_before(*parse_maildir_name(a->place.name), *parse_maildir_name(b->place.name));
  });
  return order;
}

// Gives UIDs, in the order of arrival, and makes their rows. The list is on disk when this returns, with the names in
// `unsynced`; after an error `work` is worth nothing. Many rows are made while the disk works. The list goes first: whichever of the two a power cut spares alone was
// announced to nobody, and on file systems with a journal the second has nothing left to wait for.
StoreResult<std::vector<std::uint32_t>> MaildirBox::assign(UidListFile& list, Work& work,
                                                           std::vector<Arrival> arrivals,
                                                           Directory* unsynced) {
  std::vector<std::uint32_t> uids;
  if (!arrivals.empty() && list.next_would_begin_again(arrivals.size())) {
    return fail(StoreError(StoreError::Kind::unavailable,
                           dirs_.path + " has no UIDs left; move its messages to a new mailbox"));
  }
  std::uint32_t uid = list.list().next_uid;
  std::vector<UidRecord> records;
  records.reserve(arrivals.size());
  const std::vector<Arrival*> order = in_order(arrivals);
  for (const Arrival* arrival : order) {
    UidRecord record;
    record.base = arrival->place.name.substr(0, arrival->place.name.find(':'));
    if (!arrival->guid.empty()) record.set_field(uid_field_guid, arrival->guid);
    records.push_back(std::move(record));
  }
  if (!records.empty()) list.assign(std::move(records));
  StoreResult<void> saved;
  const auto save = [&list, &saved, unsynced] {
    saved = list.save();
    if (!saved || unsynced == nullptr) return;
    if (auto synced = unsynced->sync(); !synced) saved = fail(StoreError(synced.error()));
  };
  std::thread beside;
  if (arrivals.size() >= worth_a_thread)
    beside = std::thread(save);
  else if (save(); !saved)
    return fail(std::move(saved.error()));
  const bool ask_dates = arrivals.size() <= dated_at_once;
  uids.reserve(arrivals.size());
  for (Arrival* arrival : order) {
    arrival->row.uid = uid;
    if (ask_dates && (arrival->row.flags & flag::has_date) == 0) {
      const auto status = directory_of(arrival->place.fresh).status(arrival->place.name);
      if (status) set_date(arrival->row, status->modified);
    }
    insert_row(work, arrival->row, arrival->place, arrival->guid);
    uids.push_back(uid++);
  }
  if (beside.joinable()) beside.join();
  if (!saved) return fail(std::move(saved.error()));
  if (auto noted = note_list(list); !noted) return fail(std::move(noted.error()));
  raise_uid_next(work, list.list().next_uid);
  return uids;
}

void MaildirBox::set_date(MessageRow& row, WallTime modified) {
  const auto seconds =
      std::chrono::floor<std::chrono::seconds>(modified.time_since_epoch()).count();
  row.date = static_cast<std::uint32_t>(std::clamp<std::int64_t>(seconds, 0, UINT32_MAX));
  row.flags |= flag::has_date;
}

UidListMark MaildirBox::list_mark() const {
  UidListMark mark;
  mark.stamp = header_.uidlist;
  mark.uid_validity = header_.uid_validity;
  mark.next_uid = header_.uid_next;
  mark.guid = header_.guid;
  mark.lines = header_.uidlist_lines;
  mark.sum = header_.uidlist_sum;
  return mark;
}

StoreResult<void> MaildirBox::note_list(UidListFile& list) {
  const auto mark = list.mark();
  if (!mark) return fail(mark.error());
  header_.uidlist = mark->stamp;
  header_.uidlist_lines = mark->lines;
  header_.uidlist_sum = mark->sum;
  header_.guid = mark->guid;
  return {};
}

void MaildirBox::compact_later(const Work& work) {
  must_compact_ = must_compact_ || work.editor.size() * 4 <= header_.uidlist_lines * 3;
}

// Writes the list without its dead lines when they are many.
StoreResult<void> MaildirBox::compact(UidListFile& list, const Work& work) {
  const std::size_t alive = work.editor.size();
  if (alive * 4 > header_.uidlist_lines * 3 || header_.uidlist_lines < 32) return {};
  if (auto read = list.read_all(); !read) return read;
  std::vector<std::size_t> dead;
  for (std::size_t i = 0; i < list.list().records.size(); ++i) {
    const std::uint32_t uid = list.list().records[i].uid;
    if (uid < header_.uid_next && !work.editor.find(uid)) dead.push_back(i);
  }
  list.drop(dead);
  if (auto saved = list.save(); !saved) return saved;
  const bool all_known = list.list().next_uid <= header_.uid_next;
  if (auto noted = note_list(list); !noted) return noted;
  // Others have given UIDs that we have not read: read the whole list the next time.
  if (!all_known) header_.uidlist = FileStamp();
  return {};
}

}  // namespace posthorn::store
