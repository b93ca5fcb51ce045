#include "agents/mua/local_store.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "agents/mua/envelope.h"
#include "agents/mua/local_parts.h"
#include "agents/mua/query_match.h"
#include "libmail/base/text.h"
#include "libmail/service/options.h"
#include "libmail/store/files.h"
#include "libmail/store/retry.h"
#include "libmail/store/store.h"

namespace posthorn::mua {

using Kind = MailError::Kind;
using store::StoreError;
using store::StoreResult;

MailError mail_error(const StoreError& error) {
  switch (error.kind) {
    case StoreError::Kind::not_found:
      return {Kind::not_found, error.text};
    case StoreError::Kind::already_exists:
      return {Kind::exists, error.text};
    case StoreError::Kind::bad_name:
      return {Kind::bad_data, error.text};
    case StoreError::Kind::refused:
      return {Kind::refused, error.text};
    case StoreError::Kind::disk_full:
    case StoreError::Kind::over_quota:
    case StoreError::Kind::locked:
      return {Kind::try_again, error.text};
    default:
      return {Kind::unavailable, error.text};
  }
}

StoreResult<std::shared_ptr<const store::Content>> content_of(const Octets& octets,
                                                              store::Files& files,
                                                              const std::string& near) {
  store::ContentWriter writer;
  StoreResult<void> kept;
  const auto spill = [&]() -> StoreResult<void> {
    auto directory = files.open_directory(near);
    if (!directory) return fail(StoreError(directory.error()));
    return writer.spill(**directory);
  };
  const auto read = octets.each([&](std::string_view text) {
    writer.append(text);
    if (writer.wants_spill()) kept = spill();
    return kept.has_value();
  });
  if (!read) return fail(StoreError(StoreError::Kind::unavailable, read.error().text));
  if (kept && !writer.end_text()) kept = spill();
  if (!kept) return fail(kept.error());
  return std::make_shared<const store::Content>(writer.finish());
}

namespace {

constexpr Duration look_again = std::chrono::seconds(1);
constexpr std::size_t piece = 64 * 1024;
constexpr std::uint64_t in_memory = 1 << 20;  // larger messages are read in pieces

constexpr std::array<std::pair<std::uint16_t, imap::SystemFlag>, 5> flag_bits{{
    {store::flag::answered, imap::SystemFlag::answered},
    {store::flag::flagged, imap::SystemFlag::flagged},
    {store::flag::deleted, imap::SystemFlag::deleted},
    {store::flag::seen, imap::SystemFlag::seen},
    {store::flag::draft, imap::SystemFlag::draft},
}};

imap::Flags flags_of(const store::MessageRow& row, const store::Snapshot& snapshot) {
  imap::Flags flags;
  for (const auto& [bit, flag] : flag_bits) {
    if ((row.flags & bit) != 0) flags.set(flag);
  }
  for (std::size_t i = 0; i < snapshot.keywords().size(); ++i) {
    if ((row.keywords >> i & 1) != 0) flags.add(snapshot.keywords()[i]);
  }
  return flags;
}

std::uint16_t bits_of(const imap::Flags& flags) {
  std::uint16_t bits = 0;
  for (const auto& [bit, flag] : flag_bits) {
    if (flags.has(flag)) bits |= bit;
  }
  return bits;
}

store::StoreSettings settings_of(const Account& account) {
  store::NamespaceSettings space;
  space.separator = '/';
  space.location.format =
      account.store == StoreKind::mbox ? store::MailFormat::mbox : store::MailFormat::maildir;
  space.location.base = account.path;
  store::StoreSettings settings;
  settings.user = account.name;
  settings.namespaces.push_back(std::move(space));
  settings.index = false;  // somebody else's Maildir gets no files of ours in it
  return settings;
}

class LocalStore final : public MailStore {
 public:
  explicit LocalStore(const Account& account)
      : host_(files_, service::HostOptions().hostname, static_cast<int>(::getpid())),
        store_(host_, settings_of(account)),
        near_(account.store == StoreKind::mbox
                  ? std::filesystem::path(account.path).parent_path().string()
                  : account.path),
        keeps_flags_(account.store != StoreKind::mbox) {}

  void set_deadline(Deadline deadline) override { deadline_ = deadline; }

  Task<Mail<std::vector<Folder>>> folders(bool counts) override;
  Task<Mail<void>> create_folder(std::string name) override {
    auto work = [this, name] { return store_.create(name); };
    auto done = co_await store::when_unlocked(deadline_, std::move(work));
    co_return plain(std::move(done));
  }
  Task<Mail<void>> rename_folder(std::string from, std::string to) override {
    auto work = [this, from, to] { return store_.rename(from, to); };
    auto done = co_await store::when_unlocked(deadline_, std::move(work));
    co_return plain(std::move(done));
  }
  Task<Mail<void>> delete_folder(std::string name) override {
    auto work = [this, name] { return store_.remove(name); };
    auto done = co_await store::when_unlocked(deadline_, std::move(work));
    co_return plain(std::move(done));
  }
  Task<Mail<FolderState>> open(std::string folder, bool for_reading) override;
  Task<Mail<Uids>> search(imap::SearchKey key) override;
  Task<Mail<std::map<std::uint32_t, imap::Flags>>> flags() override {
    auto look = [this] { return box_->sync({}); };
    const auto looked = co_await store::when_unlocked(deadline_, std::move(look));
    if (!looked) co_return fail(mail_error(looked.error()));
    co_return all_flags();
  }
  Task<Mail<std::vector<Summary>>> summaries(Uids uids) override;
  Task<Mail<void>> read(std::uint32_t uid, Sink sink) override;
  Task<Mail<std::vector<PartInfo>>> parts(std::uint32_t uid) override;
  Task<Mail<void>> read_part(std::uint32_t uid, std::string number, Sink sink) override;
  Task<Mail<void>> edit_flags(Uids uids, FlagEdit edit) override;
  Task<Mail<void>> copy(Uids uids, std::string folder) override {
    auto done = co_await transfer(std::move(uids), std::move(folder), false);
    co_return done;
  }
  Task<Mail<void>> move(Uids uids, std::string folder) override {
    auto done = co_await transfer(std::move(uids), std::move(folder), true);
    co_return done;
  }
  Task<Mail<void>> remove(Uids uids) override;
  Task<Mail<std::uint32_t>> append(std::string folder, NewMessage message) override;
  Task<Mail<FolderNews>> wait(Deadline deadline) override;
  void wake() override { woken_ = true; }
  Task<void> close() override {
    box_.reset();
    co_return;
  }

 private:
  using Box = std::shared_ptr<store::OpenMailbox>;

  static Mail<void> plain(StoreResult<void> done) {
    if (done) return {};
    return fail(mail_error(done.error()));
  }
  // Blocking; opened and looked at.
  StoreResult<Box> open_box(const std::string& folder, bool take_new) {
    auto box = store_.open(folder);
    if (!box) return box;
    store::SyncRules rules;
    rules.take_new = take_new;
    if (auto done = (*box)->sync(rules); !done) return fail(done.error());
    return box;
  }
  Task<Mail<void>> transfer(Uids uids, std::string folder, bool away);
  [[nodiscard]] Uids all_uids() const {
    const auto snapshot = box_->snapshot();
    Uids all;
    for (std::size_t i = 0; i < snapshot->size(); ++i) all.push_back(snapshot->row(i).uid);
    return all;
  }
  OpenMessage opener(std::uint32_t uid);
  StoreResult<Summary> summary_of(const store::MessageRow& row);
  StoreResult<void> measure(const Uids& uids);
  [[nodiscard]] std::map<std::uint32_t, imap::Flags> all_flags() const;

  store::SystemFiles files_;
  store::StoreHost host_;
  store::Store store_;
  std::string near_;  // a directory of the same file system
  bool keeps_flags_;
  Deadline deadline_ = Deadline::never();
  Box box_;
  std::string folder_;
  bool woken_ = false;
  std::map<std::uint32_t, imap::Flags> seen_;  // what wait() compares with
};

Task<Mail<std::vector<Folder>>> LocalStore::folders(bool counts) {
  auto list = [this] { return store_.list(); };
  auto found = co_await store::when_unlocked(deadline_, std::move(list));
  if (!found) co_return fail(mail_error(found.error()));
  std::vector<Folder> all;
  for (const store::MailboxInfo& info : *found) {
    Folder folder;
    folder.name = info.name;
    folder.separator = info.separator;
    folder.selectable = info.exists;
    folder.subscribed = info.subscribed;
    if (iequals(info.name, "INBOX")) folder.role = "inbox";
    for (const std::string& use : info.special_use) folder.role = lower(use.substr(1));
    if (counts && info.exists) {
      auto look = [this, name = info.name] { return store_.status(name); };
      const auto status = co_await store::when_unlocked(deadline_, std::move(look));
      if (status) folder.messages = status->counts.messages;
      if (status) folder.unseen = status->counts.unseen;
    }
    all.push_back(std::move(folder));
  }
  co_return all;
}

Task<Mail<FolderState>> LocalStore::open(std::string folder, bool for_reading) {
  auto work = [this, folder, for_reading] { return open_box(folder, !for_reading); };
  auto box = co_await store::when_unlocked(deadline_, std::move(work));
  if (!box) co_return fail(mail_error(box.error()));
  box_ = std::move(*box);
  folder_ = folder;
  seen_ = all_flags();
  const auto snapshot = box_->snapshot();
  FolderState state;
  state.name = folder;
  state.uid_validity = snapshot->uid_validity();
  state.uid_next = snapshot->uid_next();
  state.messages = static_cast<std::uint32_t>(snapshot->size());
  state.read_only = for_reading;
  co_return state;
}

StoreResult<void> LocalStore::measure(const Uids& uids) {
  if (auto done = box_->measure(uids, store::Need::date); !done) return done;
  return box_->measure(uids, store::Need::size);
}

Task<Mail<Uids>> LocalStore::search(imap::SearchKey key) {
  auto work = [this, key = std::move(key)]() -> StoreResult<Uids> {
    const Uids uids = all_uids();
    if (key.kind == imap::SearchKey::Kind::all) return uids;  // nobody's date or size is asked for
    if (auto done = measure(uids); !done) return fail(done.error());
    const auto snapshot = box_->snapshot();
    Uids found;
    for (const std::uint32_t uid : uids) {
      const auto row = snapshot->find(uid);
      if (!row) continue;
      std::optional<std::string> text;
      Candidate candidate;
      candidate.uid = uid;
      candidate.flags = flags_of(*row, *snapshot);
      candidate.size = row->size;
      candidate.received = std::chrono::sys_seconds(std::chrono::seconds(row->date));
      candidate.octets = [&]() -> const std::string& {
        if (!text) text = box_->text(uid).value_or("");
        return *text;
      };
      if (matches(key, candidate, uids.back())) found.push_back(uid);
    }
    return found;
  };
  auto found = co_await store::when_unlocked(deadline_, std::move(work));
  if (!found) co_return fail(mail_error(found.error()));
  co_return std::move(*found);
}

OpenMessage LocalStore::opener(std::uint32_t uid) {
  return [this, uid] { return box_->open(uid); };
}

StoreResult<Summary> LocalStore::summary_of(const store::MessageRow& row) {
  if (row.size > in_memory) {
    auto scanned = scan_message(opener(row.uid));
    if (!scanned) return fail(scanned.error());
    scanned->summary.uid = row.uid;
    return std::move(scanned->summary);
  }
  auto text = box_->text(row.uid);
  if (!text) return fail(text.error());
  Summary summary;
  summary.uid = row.uid;
  read_header(*text, summary);
  summary.has_attachment = has_attachment(message::MessageView(*text));
  summary.size = text->size();
  return summary;
}

Task<Mail<std::vector<Summary>>> LocalStore::summaries(Uids uids) {
  auto work = [this, uids = std::move(uids)]() -> StoreResult<std::vector<Summary>> {
    if (auto done = measure(uids); !done) return fail(done.error());
    const auto snapshot = box_->snapshot();
    std::vector<Summary> all;
    for (const std::uint32_t uid : uids) {
      const auto row = snapshot->find(uid);
      if (!row) continue;
      auto summary = summary_of(*row);
      if (!summary && summary.error().kind == StoreError::Kind::not_found) continue;
      if (!summary) return fail(summary.error());
      summary->flags = flags_of(*row, *snapshot);
      summary->received = std::chrono::sys_seconds(std::chrono::seconds(row->date));
      summary->modseq = row->modseq;
      all.push_back(std::move(*summary));
    }
    return all;
  };
  auto all = co_await store::when_unlocked(deadline_, std::move(work));
  if (!all) co_return fail(mail_error(all.error()));
  co_return std::move(*all);
}

Task<Mail<void>> LocalStore::read(std::uint32_t uid, Sink sink) {
  auto begin = [this, uid] { return box_->open(uid); };
  auto source = co_await store::when_unlocked(deadline_, std::move(begin));
  if (!source) co_return fail(mail_error(source.error()));
  for (;;) {
    auto next = [&source] { return (*source)->read(piece); };
    const auto octets = co_await async::blocking(std::move(next));
    if (!octets) co_return fail(mail_error(octets.error()));
    if (octets->empty() || !sink(*octets)) break;
  }
  co_return Mail<void>();
}

Task<Mail<std::vector<PartInfo>>> LocalStore::parts(std::uint32_t uid) {
  auto work = [this, uid] { return scan_message(opener(uid)); };
  auto scanned = co_await store::when_unlocked(deadline_, std::move(work));
  if (!scanned) co_return fail(mail_error(scanned.error()));
  co_return std::move(scanned->parts);
}

Task<Mail<void>> LocalStore::read_part(std::uint32_t uid, std::string number, Sink sink) {
  auto look = [this, uid] { return scan_message(opener(uid)); };
  const auto scanned = co_await store::when_unlocked(deadline_, std::move(look));
  if (!scanned) co_return fail(mail_error(scanned.error()));
  const auto part = std::ranges::find(scanned->parts, number, &PartInfo::number);
  if (part == scanned->parts.end())
    co_return fail(
        MailError(Kind::not_found, fmt::format("message {} has no part {}", uid, number)));
  const auto body = scanned->bodies[static_cast<std::size_t>(part - scanned->parts.begin())];
  auto work = [this, uid, body, &sink] { return read_stretch(opener(uid), body, sink); };
  auto done = co_await store::when_unlocked(deadline_, std::move(work));
  co_return plain(std::move(done));
}

Task<Mail<void>> LocalStore::edit_flags(Uids uids, FlagEdit edit) {
  if (!keeps_flags_) {
    // What reading a message sets is no reason to fail.
    edit.add.set(imap::SystemFlag::seen, false);
    if (edit.add.empty() && edit.remove.empty()) co_return Mail<void>();
    co_return fail(MailError(Kind::unsupported, "an mbox keeps no flags", "a Maildir does"));
  }
  auto work = [this, uids = std::move(uids), edit = std::move(edit)]() -> StoreResult<void> {
    const auto apply = [&](const imap::Flags& flags,
                           store::FlagChange::Kind kind) -> StoreResult<void> {
      if (flags.empty()) return {};
      store::FlagChange change;
      change.kind = kind;
      change.flags = bits_of(flags);
      change.keywords = flags.keywords;
      const auto done = box_->store_flags(uids, change);
      if (!done) return fail(done.error());
      if (!done->failed.empty()) return fail(done->failed.front());
      return {};
    };
    if (auto done = apply(edit.add, store::FlagChange::Kind::add); !done) return done;
    return apply(edit.remove, store::FlagChange::Kind::remove);
  };
  auto done = co_await store::when_unlocked(deadline_, std::move(work));
  co_return plain(std::move(done));
}

Task<Mail<void>> LocalStore::transfer(Uids uids, std::string folder, bool away) {
  auto work = [this, uids = std::move(uids), folder = std::move(folder),
               away]() -> StoreResult<void> {
    auto target = open_box(folder, false);
    if (!target) return fail(target.error());
    const auto done = away ? box_->move_to(**target, uids) : box_->copy_to(**target, uids);
    if (!done) return fail(done.error());
    return (*target)->rest();
  };
  auto done = co_await store::when_unlocked(deadline_, std::move(work));
  co_return plain(std::move(done));
}

Task<Mail<void>> LocalStore::remove(Uids uids) {
  auto work = [this, uids = std::move(uids)]() -> StoreResult<void> {
    const auto done = box_->expunge(uids);
    if (!done) return fail(done.error());
    if (!done->failed.empty()) return fail(done->failed.front());
    return {};
  };
  auto done = co_await store::when_unlocked(deadline_, std::move(work));
  co_return plain(std::move(done));
}

Task<Mail<std::uint32_t>> LocalStore::append(std::string folder, NewMessage message) {
  auto work = [this, folder = std::move(folder),
               message = std::move(message)]() -> StoreResult<std::uint32_t> {
    auto target = open_box(folder, false);
    if (!target) return fail(target.error());
    auto body = content_of(message.octets, files_, near_);
    if (!body) return fail(body.error());
    std::vector<store::AppendMessage> messages(1);
    messages.front().body = std::move(*body);
    messages.front().flags = bits_of(message.flags);
    messages.front().keywords = message.flags.keywords;
    if (message.received) messages.front().date = *message.received;
    const auto done = (*target)->append(messages);
    if (!done) return fail(done.error());
    return done->uids.empty() ? 0 : done->uids.front();
  };
  auto uid = co_await store::when_unlocked(deadline_, std::move(work));
  if (!uid) co_return fail(mail_error(uid.error()));
  co_return *uid;
}

std::map<std::uint32_t, imap::Flags> LocalStore::all_flags() const {
  std::map<std::uint32_t, imap::Flags> all;
  const auto snapshot = box_->snapshot();
  for (std::size_t i = 0; i < snapshot->size(); ++i) {
    const store::MessageRow row = snapshot->row(i);
    all.emplace(row.uid, flags_of(row, *snapshot));
  }
  return all;
}

Task<Mail<FolderNews>> LocalStore::wait(Deadline deadline) {
  for (;;) {
    auto look = [this] { return box_->sync({}); };
    const auto looked = co_await store::when_unlocked(deadline, std::move(look));
    if (!looked && looked.error().kind != StoreError::Kind::locked)
      co_return fail(mail_error(looked.error()));
    const auto before = std::move(seen_);
    seen_ = all_flags();
    FolderNews news;
    for (const auto& [uid, flags] : seen_) {
      const auto old = before.find(uid);
      if (old == before.end())
        news.arrived.push_back(uid);
      else if (!(old->second == flags))
        news.changed.push_back(uid);
    }
    for (const auto& [uid, flags] : before) {
      if (!seen_.contains(uid)) news.vanished.push_back(uid);
    }
    if (!news.empty() || deadline.passed() || std::exchange(woken_, false)) co_return news;
    const Deadline next = Deadline::in(look_again);
    co_await async::sleep_until(deadline.or_before(next));
  }
}

}  // namespace

Task<Mail<std::unique_ptr<MailStore>>> open_local_store(const Account& account, Deadline deadline) {
  auto opened = std::make_unique<LocalStore>(account);
  opened->set_deadline(deadline);
  std::unique_ptr<MailStore> result = std::move(opened);
  co_return result;
}

}  // namespace posthorn::mua
