// Finding out what others did to a Maildir.
#include <algorithm>
#include <thread>

#include "libmail/base/text.h"
#include "libmail/store/maildir_box.h"

namespace posthorn::store {

StoreResult<void> MaildirBox::sync(SyncRules rules) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  return sync_now(rules);
}

StoreResult<bool> MaildirBox::directories_changed() {
  const auto cur = dirs_.cur->status();
  const auto fresh = dirs_.fresh->status();
  if (!cur) return fail(StoreError(cur.error()));
  if (!fresh) return fail(StoreError(fresh.error()));
  if (stamp_of(*cur) != header_.cur || stamp_of(*fresh) != header_.fresh) return true;
  // Another UIDVALIDITY, or UIDs that Dovecot has given.
  const auto list = dirs_.root->status(uidlist_name);
  return !list || stamp_of(*list) != header_.uidlist;
}

StoreResult<void> MaildirBox::sync_now(SyncRules rules) {
  if (auto done = load(); !done) return done;
  DirectoryWatch::News news;
  bool must_scan = must_scan_ || rules.full_scan;
  if (watch_) {
    news = watch_->take();
    // No watch is on the list: another one makes our UIDs worthless, and without one the mailbox may be gone.
    const auto list = dirs_.root->status(uidlist_name);
    must_scan = must_scan || news.lost || !list || stamp_of(*list) != header_.uidlist;
  } else if (!must_scan) {
    const auto changed = directories_changed();
    if (!changed) return fail(changed.error());
    must_scan = *changed;
  }
  if (!must_scan && !news.events.empty()) {
    if (auto done = apply(std::move(news.events)); !done) {
      if (done.error().kind != StoreError::Kind::locked) must_scan_ = true;  // the events are gone
      return done;
    }
    must_scan = must_scan_;
  }
  const auto waits_in_new = [this] {
    for (const auto& chunk : snapshot()->chunks()) {
      std::uint16_t any = 0;
      for (std::size_t i = 0; i < chunk->count; ++i) any |= chunk->flags[i];
      if ((any & flag::fresh) != 0) return true;
    }
    return false;
  };
  if (!must_scan && !(rules.take_new && waits_in_new())) return {};
  must_scan_ = must_scan;
  auto list = lock_list();
  if (!list) return fail(std::move(list.error()));
  if (must_scan) {
    if (auto done = scan(*list); !done) return done;
  }
  if (rules.take_new && waits_in_new()) {
    Work work(*snapshot());
    auto done = take_new(*list, work);
    if (auto kept = commit(work); !kept) return kept;
    return done;
  }
  return {};
}

StoreResult<void> MaildirBox::sync_known() {
  if (auto done = load(); !done) return done;
  const std::uint32_t known = header_.uid_validity;
  if (auto done = sync_now(SyncRules()); !done) return done;
  if (known == 0 || header_.uid_validity == known) return {};
  return fail(StoreError(StoreError::Kind::unavailable,
                         dirs_.path + " has a new UIDVALIDITY, and UIDs name other messages"));
}

StoreResult<void> MaildirBox::build_table() {
  if (!table_.empty()) return {};
  table_.reserve(snapshot()->size());
  const auto take = [this](std::uint32_t uid, std::string_view text) {
    table_.insert(text.substr(0, text.find_first_of(std::string_view(":\0", 2))), uid);
  };
  if (auto done = index_->names(take); !done) return fail(noted(std::move(done.error())));
  for (const auto& [uid, text] : pending_names_) take(uid, text);
  return {};
}

std::optional<std::uint32_t> MaildirBox::find_base(std::string_view base) {
  std::optional<std::uint32_t> found;
  table_.candidates(base, [&](std::uint32_t uid) {
    if (found) return;
    const auto names = names_of(std::span(&uid, 1));
    if (names && names->front().base() == base && snapshot()->find(uid)) found = uid;
  });
  return found;
}

// What is known of the files that events speak of.
struct MaildirBox::Touched {
  struct One {
    Place place;
    std::string guid;
    bool there = false;
  };
  std::map<std::uint32_t, One> known;
  std::map<std::string, One> strangers;  // by base
};

void MaildirBox::take_events(const std::vector<DirectoryEvent>& events, Touched& touched) {
  for (const DirectoryEvent& event : events) {
    const auto name = parse_maildir_name(event.name);
    if (!name) continue;
    Place place;
    place.fresh = event.fresh;
    place.name = event.name;
    Touched::One* one = nullptr;
    if (const auto uid = find_base(name->base)) {
      const auto [entry, added] = touched.known.try_emplace(*uid);
      one = &entry->second;
      if (added) {
        const std::uint32_t number = *uid;
        const auto stored = names_of(std::span(&number, 1));
        one->place = place_of(*snapshot()->find(number), stored->front());
        one->guid = stored->front().guid;
        one->there = true;
      }
    } else {
      one = &touched.strangers[std::string(name->base)];
    }
    if (event.appeared) {
      one->place = std::move(place);
      one->there = true;
    } else if (one->place == place) {
      one->there = false;
    }
  }
}

// Event by event instead of a scan.
StoreResult<void> MaildirBox::apply(std::vector<DirectoryEvent> events) {
  if (auto done = build_table(); !done) return done;
  Touched touched;
  take_events(events, touched);
  const auto take_more = [&] {
    auto more = watch_->take();
    if (more.lost) must_scan_ = true;
    take_events(more.events, touched);
    events.insert(events.end(), more.events.begin(), more.events.end());
  };
  const auto any_gone = [&touched] {
    return std::any_of(touched.known.begin(), touched.known.end(),
                       [](const auto& entry) { return !entry.second.there; });
  };
  // The second half of a rename may not have been told yet.
  if (any_gone()) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    take_more();
  }
  std::optional<UidListFile> list;
  if (!touched.strangers.empty()) {
    auto locked = lock_list();
    if (!locked) {
      watch_->give_back(std::move(events));
      return fail(std::move(locked.error()));
    }
    list.emplace(std::move(*locked));
    take_more();
  }
  const auto names = keywords_.load(header_.uid_validity);
  if (!names) return fail(names.error());
  Work work(*snapshot());
  if (*names) {
    work.editor.set_keywords(keywords_.names());
    work.changed = true;
  }
  std::vector<std::uint32_t> lost;
  for (const auto& [uid, one] : touched.known) {
    if (one.there) {
      update_row(work, *work.editor.find(uid), one.place, one.guid);
    } else if (!directory_of(one.place.fresh).status(one.place.name)) {
      lost.push_back(uid);
    }
  }
  gone(work, lost);
  if (list) {
    if (auto done = take_strangers(*list, touched, work); !done) {
      must_scan_ = true;  // the events are gone, `locked` or not
      return done;
    }
  }
  return commit(work);
}

// New files that events told of get UIDs, unless Dovecot has given them some.
StoreResult<void> MaildirBox::take_strangers(UidListFile& list, const Touched& touched,
                                             Work& work) {
  const auto tail_only = list.read_news(list_mark());
  if (!tail_only) return fail(tail_only.error());
  if (!*tail_only) {
    must_scan_ = true;  // another list: everything has to be looked at
    return {};
  }
  std::set<std::string_view> given;
  for (const UidRecord& record : list.list().records) {
    const auto found = touched.strangers.find(record.base);
    if (found == touched.strangers.end() || !found->second.there) continue;
    Known known;
    known.uid = record.uid;
    known.base = record.base;
    known.guid = record.field(uid_field_guid).value_or("");
    known.place = &found->second.place;
    add_row(work, known);
    given.insert(found->first);
  }
  std::vector<Arrival> arrivals;
  for (const auto& [base, one] : touched.strangers) {
    if (!one.there || given.contains(base)) continue;
    arrivals.push_back(arrival_of(one.place));
  }
  raise_uid_next(work, list.list().next_uid);
  auto uids = assign(list, work, std::move(arrivals));
  if (!uids) return fail(std::move(uids.error()));
  return compact(list, work);
}

// new/ to cur/, as Dovecot does it for a session that may write.
StoreResult<void> MaildirBox::take_new(UidListFile& list, Work& work) {
  std::vector<std::uint32_t> uids;
  for (const auto& chunk : snapshot()->chunks()) {
    for (std::size_t i = 0; i < chunk->count; ++i) {
      if ((chunk->flags[i] & flag::fresh) != 0) uids.push_back(chunk->uid[i]);
    }
  }
  const auto names = names_of(uids);
  if (!names) return fail(names.error());
  const OwnChanges quiet(watch_.get());
  for (std::size_t i = 0; i < uids.size(); ++i) {
    if (i % 256 == 255) {
      if (auto held = list.keep(); !held) return held;
      if (watch_) watch_->absorb(false);
    }
    MessageRow row = *work.editor.find(uids[i]);
    const Place from = place_of(row, (*names)[i]);
    Place to;
    to.name = from.name.find(':') == std::string::npos ? from.name + ":2," : from.name;
    expect_rename(from, to);
    if (!dirs_.fresh->rename(from.name, *dirs_.cur, to.name)) {
      must_scan_ = true;  // somebody was quicker
      continue;
    }
    update_row(work, row, to, (*names)[i].guid);
  }
  if (watch_) watch_->absorb(true);
  if (!watch_) header_.cur = header_.fresh = FileStamp();
  return {};
}

void MaildirBox::expect_rename(const Place& from, const Place& to) {
  if (!watch_) return;
  watch_->expect(false, from.fresh, from.name);
  watch_->expect(true, to.fresh, to.name);
}

// Notes the directories' times, if all that happened until then is known.
void MaildirBox::settle(bool may_wait) {
  if (!loaded_ || !watch_ || must_scan_) return;
  for (int attempt = 0; attempt < 2; ++attempt) {
    const auto cur = dirs_.cur->status();
    const auto fresh = dirs_.fresh->status();
    if (!cur || !fresh) return;
    auto news = watch_->take();
    if (news.lost || !news.events.empty()) {
      header_.cur = header_.fresh = FileStamp();
      if (!may_wait) return;  // whoever opens it next looks
      if (news.lost || !apply(std::move(news.events))) must_scan_ = true;
      continue;
    }
    const WallTime last = std::max(time_of(stamp_of(*cur)), time_of(stamp_of(*fresh)));
    const WallTime now = host_.files().now();
    if (last + tick >= now) {
      if (!may_wait) break;
      std::this_thread::sleep_for(tick);
      continue;
    }
    header_.cur = stamp_of(*cur);
    header_.fresh = stamp_of(*fresh);
    return;
  }
}

}  // namespace posthorn::store
