// New messages: APPEND, COPY, MOVE.
#include <algorithm>
#include <cerrno>
#include <thread>

#include "libmail/base/text.h"
#include "libmail/store/content.h"
#include "libmail/store/maildir_box.h"
#include "libmail/store/retry.h"

namespace posthorn::store {

namespace {

constexpr std::size_t chunk = 64 * 1024;
constexpr auto longest_wait = std::chrono::seconds(5);  // for locks, with messages written already

StoreError no_such_message(const std::string& path, std::uint32_t uid) {
  return {StoreError::Kind::not_found, path + ": no message with UID " + std::to_string(uid)};
}

std::uint64_t count_lines(std::string_view text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

// A message that is brought from here to another mailbox.
struct MaildirBox::Source {
  std::uint32_t uid = 0;
  Place from;
  std::string guid;
  std::vector<std::string> keywords;
  Arrival arrival;     // in the target
  bool moved = false;  // its file has left
};

// Into tmp/, whole and synced. `arrival` has its name then.
StoreResult<void> MaildirBox::write_message(const AppendMessage& message, Arrival& arrival) {
  const Content& body = *message.body;
  const std::uint64_t size = message.head.size() + body.size();
  const std::uint64_t crlf_size = size + count_lines(message.head) + body.crlf_size() - body.size();
  const std::string base = host_.new_base(size, crlf_size);
  auto file = dirs_.tmp->open_file(base, OpenMode::create_new, file_mode);
  if (!file) return fail(StoreError(file.error()));
  arrival.place.name = base;
  arrival.row.size = crlf_size;
  arrival.row.flags = flag::has_size;
  auto done = (*file)->write(message.head);
  if (done && body.in_file() != nullptr)
    done = (*file)->append_from(*body.in_file(), 0, body.size());
  else if (done)
    done = (*file)->write(body.in_memory());
  const WallTime date = message.date.value_or(host_.files().now());
  if (done && message.date) done = dirs_.tmp->set_modified(base, date);
  if (done) done = (*file)->sync();
  if (!done) return fail(StoreError(done.error()));
  set_date(arrival.row, date);
  arrival.row.saved = saved_by(parse_maildir_name(base));
  arrival.keep_order = true;
  return {};
}

StoreResult<void> MaildirBox::write_messages(const std::vector<AppendMessage>& messages,
                                             std::vector<Arrival>& arrivals) {
  for (const AppendMessage& message : messages) {
    Arrival arrival;
    auto written = write_message(message, arrival);
    if (!arrival.place.name.empty()) arrivals.push_back(std::move(arrival));
    if (!written) return written;
  }
  return {};
}

// What has arrived before comes first: its UIDs are given before those of `work`'s messages.
StoreResult<void> MaildirBox::prepare(UidListFile& list, Work& work) {
  const auto tail_only = list.read_news(list_mark());
  if (!tail_only) return fail(tail_only.error());
  if (!*tail_only || !list.list().records.empty()) {
    if (auto done = scan(list); !done) return done;
  }
  work = Work(*snapshot());
  return {};
}

// Files that lie in cur/ get UIDs; directory and list are synced.
StoreResult<std::vector<std::uint32_t>> MaildirBox::receive(UidListFile& list, Work& work,
                                                            std::vector<Arrival> arrivals) {
  std::int64_t octets = 0;
  for (const Arrival& arrival : arrivals) {
    const auto name = parse_maildir_name(arrival.place.name);
    octets += static_cast<std::int64_t>(name->size.value_or(arrival.row.size));
  }
  const auto count = static_cast<std::int64_t>(arrivals.size());
  auto uids = assign(list, work, std::move(arrivals), dirs_.cur.get());
  if (!uids) return uids;
  if (settings_.usage) settings_.usage(octets, count);
  if (watch_)
    watch_->absorb(true);
  else
    header_.cur = header_.fresh = FileStamp();
  return uids;
}

// In tmp/, until they have their place in cur/.
class MaildirBox::Temporary final : public OpenMailbox::Written {
 public:
  explicit Temporary(MaildirBox& box) : box_(box) {}
  ~Temporary() override {
    if (kept_) return;
    for (std::size_t i = 0; i < arrivals.size(); ++i) {
      static_cast<void>(box_.dirs_.tmp->unlink(names_[i]));
      if (arrivals[i].place.name != names_[i])
        static_cast<void>(box_.dirs_.cur->unlink(arrivals[i].place.name));
    }
  }
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;

  void note_names() {
    for (const Arrival& arrival : arrivals) names_.push_back(arrival.place.name);
  }
  void keep() { kept_ = true; }
  std::vector<Arrival> arrivals;

 private:
  MaildirBox& box_;
  std::vector<std::string> names_;
  bool kept_ = false;
};

StoreResult<Appended> MaildirBox::append(const std::vector<AppendMessage>& messages,
                                         std::unique_ptr<Written>& written) {
  if (!written) {
    auto temporary = std::make_unique<Temporary>(*this);
    // Without the lock: writing and syncing takes longest.
    auto done = write_messages(messages, temporary->arrivals);
    temporary->note_names();
    if (!done) return fail(std::move(done.error()));
    written = std::move(temporary);
  }
  auto& temporary = static_cast<Temporary&>(*written);
  auto appended = append_written(messages, temporary.arrivals);
  if (appended) temporary.keep();
  if (appended || appended.error().kind != StoreError::Kind::locked) written.reset();
  return appended;
}

StoreResult<Appended> OpenMailbox::append(const std::vector<AppendMessage>& messages) {
  std::unique_ptr<Written> written;
  const auto started = std::chrono::steady_clock::now();
  for (auto pause = std::chrono::milliseconds(1);; pause *= 2) {
    auto appended = append(messages, written);
    if (appended || appended.error().kind != StoreError::Kind::locked ||
        std::chrono::steady_clock::now() - started > longest_wait)
      return appended;
    std::this_thread::sleep_for(std::min(pause, std::chrono::milliseconds(50)));
  }
}

StoreResult<Appended> MaildirBox::append_written(const std::vector<AppendMessage>& messages,
                                                 std::vector<Arrival>& arrivals) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  if (auto done = sync_now(SyncRules()); !done) return fail(std::move(done.error()));
  auto list = lock_list();
  if (!list) return fail(std::move(list.error()));
  Work work(*snapshot());
  if (auto done = prepare(*list, work); !done) return fail(std::move(done.error()));
  for (std::size_t i = 0; i < arrivals.size(); ++i) {
    const auto bits = keywords_.bits_of(messages[i].keywords, true);
    if (!bits) return fail(bits.error());
    MessageRow& row = arrivals[i].row;
    row.flags |= messages[i].flags & flag::system_flags;
    row.keywords = bits->bits;
  }
  for (Arrival& arrival : arrivals) {
    Place place = flagged_place(arrival.place.name, arrival.row.flags, arrival.row.keywords);
    if (watch_) watch_->expect(true, false, place.name);
    const auto moved = dirs_.tmp->rename_new(arrival.place.name, *dirs_.cur, place.name);
    if (!moved) return fail(not_again(StoreError(moved.error())));
    arrival.place = std::move(place);
  }
  if (keywords_.names() != snapshot()->keywords()) work.editor.set_keywords(keywords_.names());
  auto uids = receive(*list, work, arrivals);
  // The files go again; nobody may try with them a second time.
  if (!uids) return fail(not_again(std::move(uids.error())));
  std::vector<std::pair<std::uint32_t, std::uint64_t>> extra;
  for (std::size_t i = 0; i < uids->size(); ++i)
    extra.emplace_back((*uids)[i], arrivals[i].row.keywords);
  static_cast<void>(keywords_.note_extra(extra));
  Appended appended;
  appended.uid_validity = header_.uid_validity;
  appended.modseq = work.modseq;
  appended.uids = std::move(*uids);
  if (auto done = commit(work); !done) return fail(std::move(done.error()));
  return appended;
}

StoreResult<std::vector<MaildirBox::Source>> MaildirBox::sources_of(
    std::span<const std::uint32_t> uids, CopyRules rules) {
  const auto names = names_of(uids);
  if (!names) return fail(names.error());
  const auto now = snapshot();
  std::vector<Source> sources;
  sources.reserve(uids.size());
  for (std::size_t i = 0; i < uids.size(); ++i) {
    const auto row = now->find(uids[i]);
    if (!row) continue;
    Source source;
    source.uid = uids[i];
    source.from = place_of(*row, (*names)[i]);
    const StoredName& stored = (*names)[i];
    source.guid = stored.guid.empty() ? std::string(stored.base()) : stored.guid;
    source.arrival.row = *row;
    source.arrival.row.flags &= static_cast<std::uint16_t>(~flag::system_flags | rules.flags);
    source.arrival.guid = source.guid;
    source.arrival.keep_order = true;
    for (std::size_t bit = 0; rules.keywords && bit < now->keywords().size(); ++bit) {
      if ((row->keywords >> bit & 1) != 0 && !now->keywords()[bit].empty())
        source.keywords.push_back(now->keywords()[bit]);
    }
    sources.push_back(std::move(source));
  }
  return sources;
}

// Gives one message its place in the target's cur/, under a name of its own.
StoreResult<void> MaildirBox::bring_one(MaildirBox& target, Source& source, bool move) {
  MessageRow& row = source.arrival.row;
  const auto bits = target.keywords_.bits_of(source.keywords, true);
  if (!bits) return fail(bits.error());
  row.keywords = bits->bits;
  row.flags &= static_cast<std::uint16_t>(~(flag::fresh | flag::odd_name));
  std::map<std::string, Place> elsewhere;
  for (int attempt = 0;; ++attempt) {
    const auto name = parse_maildir_name(source.from.name);
    const auto status = directory_of(source.from.fresh).status(source.from.name);
    const std::uint64_t size = status ? status->size : 0;
    std::string base = host_.new_base(name && name->size ? *name->size : size,
                                      (row.flags & flag::has_size) != 0 ? row.size : size);
    // A size that nobody has measured is not put into the name.
    if ((row.flags & flag::has_size) == 0) base.resize(base.rfind(",W="));
    row.saved = saved_by(parse_maildir_name(base));
    source.arrival.place = target.flagged_place(base, row.flags, row.keywords);
    const std::string& to = source.arrival.place.name;
    if (target.watch_) target.watch_->expect(true, false, to);
    if (move) expect_gone(source.from);
    Directory& from = directory_of(source.from.fresh);
    auto done = move ? from.rename_new(source.from.name, *target.dirs_.cur, to)
                     : from.link(source.from.name, *target.dirs_.cur, to);
    if (done) {
      source.moved = move;
      return {};
    }
    const int code = done.error().code;
    if (code == ENOENT && attempt < 2) {
      if (!find_elsewhere(elsewhere, name ? name->base : std::string_view(), source.from))
        return fail(no_such_message(dirs_.path, source.uid));
      continue;
    }
    if (move || (code != EXDEV && code != EPERM && code != EMLINK && code != EOPNOTSUPP))
      return fail(StoreError(done.error()));
    return copy_octets(target, source);
  }
}

void MaildirBox::expect_gone(const Place& place) {
  if (watch_) watch_->expect(false, place.fresh, place.name);
}

// Where no second name can be given.
StoreResult<void> MaildirBox::copy_octets(MaildirBox& target, Source& source) {
  const std::string temporary = host_.new_base(0, 0);
  const auto from = directory_of(source.from.fresh).open_file(source.from.name, OpenMode::read, 0);
  if (!from) return fail(StoreError(from.error()));
  const auto status = (*from)->status();
  if (!status) return fail(StoreError(status.error()));
  const auto to = target.dirs_.tmp->open_file(temporary, OpenMode::create_new, file_mode);
  if (!to) return fail(StoreError(to.error()));
  auto done = (*to)->append_from(**from, 0, status->size);
  if (done) done = target.dirs_.tmp->set_modified(temporary, status->modified);
  if (done) done = (*to)->sync();
  if (done) {
    done = target.dirs_.tmp->rename_new(temporary, *target.dirs_.cur, source.arrival.place.name);
  }
  if (done) return {};
  static_cast<void>(target.dirs_.tmp->unlink(temporary));
  return fail(StoreError(done.error()));
}

// The rows of messages whose files have left.
void MaildirBox::take_out(std::span<const Source> sources) {
  std::vector<std::uint32_t> left;
  std::int64_t octets = 0;
  for (const Source& source : sources) {
    if (!source.moved) continue;
    left.push_back(source.uid);
    const auto name = parse_maildir_name(source.from.name);
    octets += static_cast<std::int64_t>(name && name->size ? *name->size : source.arrival.row.size);
  }
  Work work(*snapshot());
  gone(work, left);
  if (watch_)
    watch_->absorb(true);
  else
    header_.cur = header_.fresh = FileStamp();
  if (settings_.usage) settings_.usage(-octets, -static_cast<std::int64_t>(left.size()));
  compact_later(work);
  static_cast<void>(commit(work));
}

// All or none: what was brought goes back, and nothing of it is left in the target.
void MaildirBox::take_back(MaildirBox& target, std::span<Source> sources, bool move) {
  for (Source& source : sources) {
    const std::string& name = source.arrival.place.name;
    if (move)
      static_cast<void>(
          target.dirs_.cur->rename(name, directory_of(source.from.fresh), source.from.name));
    else
      static_cast<void>(target.dirs_.cur->unlink(name));
    source.moved = false;
  }
  must_scan_ = target.must_scan_ = true;
}

StoreResult<Copied> MaildirBox::bring(MaildirBox& target, std::span<const std::uint32_t> uids,
                                      bool move, CopyRules rules) {
  auto guard = begin();
  if (!guard) return fail(std::move(guard.error()));
  const bool same = &target == this;
  std::optional<Guard> target_guard;
  if (!same) {
    auto second = target.begin();
    if (!second) return fail(std::move(second.error()));
    target_guard.emplace(std::move(*second));
    if (auto done = target.sync_now(SyncRules()); !done) return fail(std::move(done.error()));
  }
  if (auto done = sync_known(); !done) return fail(std::move(done.error()));
  auto list = target.lock_list();
  if (!list) return fail(std::move(list.error()));
  // Our own lock only when files leave: Dovecot must not look for them meanwhile.
  std::optional<UidListFile> own;
  if (move && !same) {
    auto locked = lock_list();
    if (!locked) return fail(std::move(locked.error()));
    own.emplace(std::move(*locked));
  }
  Work work(*target.snapshot());
  if (auto done = target.prepare(*list, work); !done) return fail(std::move(done.error()));
  auto sources = sources_of(uids, rules);
  if (!sources) return fail(std::move(sources.error()));

  const OwnChanges quiet(watch_.get());
  StoreResult<void> brought;
  std::vector<Arrival> arrivals;
  for (Source& source : *sources) {
    brought = bring_one(target, source, move);
    if (!brought) break;
    arrivals.push_back(source.arrival);
    if (arrivals.size() % 256 == 0) {
      brought = list->keep();
      if (brought && own) brought = own->keep();
      if (watch_) watch_->absorb(false);
      if (!brought) break;
    }
  }
  if (target.keywords_.names() != target.snapshot()->keywords())
    work.editor.set_keywords(target.keywords_.names());
  Copied copied;
  if (!brought) {
    take_back(target, std::span(*sources).first(arrivals.size()), move);
    return fail(std::move(brought.error()));
  }
  std::vector<std::pair<std::uint32_t, std::uint64_t>> extra;
  for (const Source& source : *sources) copied.source.push_back(source.uid);
  for (const Arrival& arrival : arrivals) extra.emplace_back(0, arrival.row.keywords);
  auto given = target.receive(*list, work, std::move(arrivals));
  if (!given) {
    take_back(target, *sources, move);
    return fail(std::move(given.error()));
  }
  for (std::size_t i = 0; i < given->size(); ++i) extra[i].first = (*given)[i];
  static_cast<void>(target.keywords_.note_extra(extra));
  copied.uid_validity = target.header_.uid_validity;
  copied.target = std::move(*given);
  if (auto done = target.commit(work); !done) return fail(std::move(done.error()));
  if (move) take_out(*sources);
  return copied;
}

StoreResult<Copied> MaildirBox::copy_to(OpenMailbox& target, std::span<const std::uint32_t> uids,
                                        CopyRules rules) {
  if (auto* maildir = dynamic_cast<MaildirBox*>(&target))
    return bring(*maildir, uids, false, rules);
  return bring_through(*this, target, uids, false, rules);
}

StoreResult<Copied> MaildirBox::move_to(OpenMailbox& target, std::span<const std::uint32_t> uids,
                                        CopyRules rules) {
  auto* maildir = dynamic_cast<MaildirBox*>(&target);
  if (maildir == nullptr) return bring_through(*this, target, uids, true, rules);
  auto moved = bring(*maildir, uids, true, rules);
  // From one file system to another there is no rename: copy, then remove.
  if (moved || moved.error().code != EXDEV) return moved;
  auto copied = bring(*maildir, uids, false, rules);
  if (!copied) return copied;
  // The copies stand already.
  auto removed = insist([&] { return expunge(copied->source); });
  if (!removed) return fail(std::move(removed.error()));
  return copied;
}

StoreResult<Copied> bring_through(OpenMailbox& from, OpenMailbox& target,
                                  std::span<const std::uint32_t> uids, bool move, CopyRules rules) {
  const auto now = from.snapshot();
  std::vector<AppendMessage> messages;
  Copied copied;
  for (const std::uint32_t uid : uids) {
    const auto row = now->find(uid);
    if (!row) continue;
    auto source = from.open(uid);
    if (!source) return fail(std::move(source.error()));
    ContentWriter writer;
    for (;;) {
      auto octets = (*source)->read(chunk);
      if (!octets) return fail(std::move(octets.error()));
      if (octets->empty()) break;
      writer.append(*octets);
    }
    static_cast<void>(writer.end_text());
    AppendMessage message;
    message.body = std::make_shared<const Content>(writer.finish());
    message.flags = row->flags & rules.flags;
    for (std::size_t bit = 0; rules.keywords && bit < now->keywords().size(); ++bit) {
      if ((row->keywords >> bit & 1) != 0) message.keywords.push_back(now->keywords()[bit]);
    }
    if ((row->flags & flag::has_date) != 0)
      message.date = WallTime(std::chrono::seconds(row->date));
    messages.push_back(std::move(message));
    copied.source.push_back(uid);
  }
  auto appended = target.append(messages);
  if (!appended) return fail(std::move(appended.error()));
  copied.uid_validity = appended->uid_validity;
  copied.target = std::move(appended->uids);
  if (move) {
    // The copies stand already.
    auto removed = insist([&] { return from.expunge(copied.source); });
    if (!removed) return fail(std::move(removed.error()));
  }
  return copied;
}

}  // namespace posthorn::store
