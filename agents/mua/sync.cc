// mua sync: an IMAP account's folders into a Maildir, new mail, flags and expunges since the last run (RFC 7162), and
// with --two-way what was added and deleted here into the account.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "agents/mua/imap_store.h"
#include "agents/mua/local_store.h"
#include "agents/mua/output.h"
#include "agents/mua/sync_state.h"
#include "agents/mua/verbs.h"
#include "libmail/async/loop.h"
#include "libmail/async/scope.h"
#include "libmail/base/fd.h"
#include "libmail/base/read_file.h"

namespace posthorn::mua {

using imap::client::Fetched;
using Flags = std::map<std::uint32_t, imap::Flags>;

namespace {

constexpr std::size_t batch =
    20;  // messages on their way at once, and the most that comes twice after a crash

// So many flags are held of one folder, as the client's View does.
constexpr std::size_t most_messages = 2'000'000;

// Flags and expunges that a SELECT with QRESYNC, or a FETCH, tells. Of what vanished only what is known here counts,
// however many UIDs a server names.
class ChangeSink final : public session::ImapSink {
 public:
  explicit ChangeSink(const SyncedFolder& known) : known_(&known) {}
  void data(imap::client::Response&& response) override {
    if (auto* fetched = std::get_if<Fetched>(&response);
        fetched != nullptr && fetched->uid != 0 && fetched->flags) {
      imap::Flags flags_now = std::move(*fetched->flags);
      flags_now.set(imap::SystemFlag::recent, false);
      flags[fetched->uid] = std::move(flags_now);
    }
    if (auto* gone = std::get_if<imap::client::Vanished>(&response)) {
      for (const imap::NumberRange& range : gone->uids.ranges()) {
        auto at = known_->messages.lower_bound(range.first);
        for (; at != known_->messages.end() && at->first <= range.last; ++at)
          vanished.insert(at->first);
      }
    }
  }
  [[nodiscard]] std::string_view refuses() const override {
    return flags.size() > most_messages ? "the server tells of more than 2000000 messages" : "";
  }
  Flags flags;
  std::set<std::uint32_t> vanished;

 private:
  const SyncedFolder* known_;
};

// The whole messages that were asked for, with their flags and dates.
class MessageSink final : public session::ImapSink {
 public:
  struct Message {
    Octets octets;
    imap::Flags flags;
    std::optional<std::chrono::sys_seconds> received;
  };
  explicit MessageSink(Uids wanted) : wanted_(std::move(wanted)) {}
  void data(imap::client::Response&& response) override {
    auto* fetched = std::get_if<Fetched>(&response);
    if (fetched == nullptr || fetched->uid == 0 || fetched->bodies.empty()) return;
    auto& part = fetched->bodies.front();
    Mail<Octets> octets;
    if (part.octets)
      octets = Octets(std::move(*part.octets));
    else
      octets = streamed_.finish();
    streamed_ = OctetsWriter();
    if (!octets) kept_ = fail(octets.error());
    if (!octets || !std::ranges::binary_search(wanted_, fetched->uid)) return;
    Message& message = messages[fetched->uid];
    message.octets = std::move(*octets);
    if (fetched->flags) message.flags = *fetched->flags;
    message.flags.set(imap::SystemFlag::recent, false);
    if (fetched->internal_date)
      message.received =
          std::chrono::sys_seconds(std::chrono::seconds(fetched->internal_date->seconds));
  }
  void body(std::string_view octets) override {
    if (kept_) kept_ = streamed_.append(octets);
  }
  [[nodiscard]] std::string_view refuses() const override {
    if (!kept_) return kept_.error().text;
    return streamed_.size() > largest_message ? "the server's message has no end" : "";
  }
  std::map<std::uint32_t, Message> messages;

 private:
  Uids wanted_;
  OctetsWriter streamed_;
  Mail<void> kept_;
};

struct Counts {
  std::size_t fetched = 0, removed = 0, flags_here = 0, flags_there = 0;
  std::size_t appended = 0, removed_there = 0;
};

enum class Direction { flags_both_ways, one_way, two_way };

struct SyncHow {
  Direction direction = Direction::flags_both_ways;
  bool dry_run = false;
  bool force = false;  // believes in many deletions
  Duration timeout{};
};

imap::SequenceSet to_set(const Uids& uids) {
  imap::NumberSet set;
  for (const std::uint32_t uid : uids) set.add(uid);
  return imap::SequenceSet(set);
}

class Syncing {
 public:
  Syncing(const Account& account, std::string directory, SyncHow how)
      : account_(account), directory_(std::move(directory)), how_(how) {}

  Task<Mail<Counts>> run(std::vector<std::string> folders) {
    if (auto done = load(); !done) co_return fail(done.error());
    Deadline deadline = soon();
    auto client = co_await connect_imap(account_, deadline);
    if (!client) co_return fail(client.error());
    client_ = std::move(*client);
    Account local = account_;
    local.store = StoreKind::maildir;
    local.path = directory_;
    auto opened = co_await open_local_store(local, soon());
    if (!opened) co_return fail(opened.error());
    local_ = std::move(*opened);
    auto chosen = co_await choose(std::move(folders));
    if (!chosen) co_return fail(chosen.error());
    // What one folder has to complain of keeps no other from being synced.
    std::optional<MailError> trouble;
    for (const Folder& folder : *chosen) {
      auto done = co_await sync_folder(folder);
      if (done) continue;
      MailError error = std::move(done.error());
      error.text = folder.name + ": " + error.text;
      if (!client_->connected()) co_return fail(std::move(error));
      if (trouble) print_error(tool_error(*trouble, account_.name), account_.name, false);
      trouble = std::move(error);
    }
    co_await client_->logout(soon());
    if (trouble) co_return fail(std::move(*trouble));
    co_return counts_;
  }

 private:
  [[nodiscard]] Deadline soon() const { return Deadline::in(how_.timeout); }
  [[nodiscard]] std::string state_file() const { return directory_ + "/mua-sync"; }

  Mail<void> load() {
    std::error_code error;
    std::filesystem::create_directories(directory_, error);
    lock_.reset(
        ::open((directory_ + "/mua-sync.lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock_)
      return fail(MailError(MailError::Kind::refused,
                            io_error("open", directory_ + "/mua-sync.lock").text()));
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0)
      return fail(MailError(MailError::Kind::try_again, "another mua sync works on " + directory_));
    const auto text = read_file(state_file(), SIZE_MAX);
    if (!text && text.error().code == ENOENT) return {};
    if (!text) return fail(MailError(MailError::Kind::try_again, text.error().text()));
    auto state = parse_sync_state(*text);
    if (!state)
      return fail(MailError(MailError::Kind::bad_data, state_file() + ": " + state.error()));
    state_ = std::move(*state);
    return {};
  }
  Mail<void> save() {
    const std::string temporary = state_file() + ".new";
    const Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    const bool fine = file && write_all(file.get(), format_sync_state(state_)) &&
                      ::fsync(file.get()) == 0 &&
                      ::rename(temporary.c_str(), state_file().c_str()) == 0;
    if (!fine)
      return fail(MailError(MailError::Kind::try_again, io_error("write", state_file()).text()));
    return {};
  }

  // All that can be opened, or those named: by role, or as the server names them.
  Task<Mail<std::vector<Folder>>> choose(std::vector<std::string> words) {
    const auto entries = co_await client_->list(list_of_folders(*client_), soon());
    if (!entries) co_return fail(mail_error(entries.error()));
    std::vector<Folder> all;
    for (const imap::ListEntry& entry : *entries) {
      Folder folder = folder_of(entry);
      if (folder.selectable && folder.role != "all") all.push_back(std::move(folder));
    }
    if (words.empty()) co_return all;
    std::vector<Folder> chosen;
    for (const std::string& word : words) {
      const auto name = choose_folder(all, account_, word);
      if (!name) co_return fail(name.error());
      const auto folder = std::ranges::find(all, *name, &Folder::name);
      if (folder == all.end())
        co_return fail(MailError(MailError::Kind::not_found, "there is no folder " + *name,
                                 "mua folders list"));
      chosen.push_back(*folder);
    }
    co_return chosen;
  }

  Task<Mail<FolderState>> open_local(std::string name) {
    local_->set_deadline(soon());
    auto opened = co_await local_->open(name, false);
    if (opened || opened.error().kind != MailError::Kind::not_found || how_.dry_run)
      co_return opened;
    const auto made = co_await local_->create_folder(name);
    if (!made) co_return fail(made.error());
    opened = co_await local_->open(name, false);
    co_return opened;
  }

  Task<Mail<void>> sync_folder(const Folder& folder) {
    const std::string name = local_folder_name(folder.name, folder.separator);
    auto local = co_await open_local(name);
    const bool absent = !local && how_.dry_run && local.error().kind == MailError::Kind::not_found;
    if (!local && !absent) co_return fail(local.error());
    SyncedFolder& known = state_[name];
    if (local && !known.messages.empty() && known.local_validity != local->uid_validity) {
      const std::string text =
          fmt::format("{} in {} was made anew by somebody else", name, directory_);
      co_return fail(MailError(MailError::Kind::bad_data, text,
                               "delete " + state_file() + " and the Maildir to fetch all again"));
    }
    if (local) known.local_validity = local->uid_validity;
    // What the server changed since, if it can say; else everything.
    const bool delta = known.modseq != 0 && client_->is_enabled("QRESYNC");
    imap::Select select;
    select.mailbox = imap::MailboxName(folder.name);
    select.read_only = how_.dry_run || how_.direction == Direction::one_way;
    if (delta) {
      select.qresync.emplace();
      select.qresync->uid_validity = known.remote_validity;
      select.qresync->modseq = known.modseq;
    }
    ChangeSink told(known);
    const auto selected = co_await client_->select(std::move(select), told, soon());
    if (!selected) co_return fail(mail_error(selected.error()));
    const bool same = known.remote_validity == selected->uid_validity;
    if (!same) {
      // UIDs there mean nothing any more. In the state file, so that a run that ends early forgets none of them.
      for (const auto& [uid, message] : known.messages) known.outdated.insert(message.local);
      known.messages.clear();
      known.remote_validity = selected->uid_validity;
      // It counts changes of the UIDs before: what is saved between two batches must not pass for the whole folder.
      known.modseq = 0;
    }
    const bool complete = !delta || !same;
    if (complete && selected->exists > 0) {
      told.flags.clear();
      std::vector<imap::FetchItem> items = {imap::FetchItem(imap::FetchItem::Kind::uid),
                                            imap::FetchItem(imap::FetchItem::Kind::flags)};
      imap::SequenceSet all = imap::SequenceSet::all();
      const auto fetched =
          co_await client_->uid_fetch(std::move(all), std::move(items), told, soon());
      if (!fetched) co_return fail(mail_error(fetched.error()));
    }
    Flags here;
    if (local) {
      local_->set_deadline(soon());
      auto flags = co_await local_->flags();
      if (!flags) co_return fail(flags.error());
      here = std::move(*flags);
    }
    auto done = co_await apply(known, folder.name, told, complete, here);
    if (!done || how_.dry_run) co_return done;
    Uids outdated(known.outdated.begin(), known.outdated.end());
    std::erase_if(outdated, [&here](std::uint32_t uid) { return !here.contains(uid); });
    if (!outdated.empty()) done = co_await local_->remove(std::move(outdated));
    if (!done) co_return done;
    known.outdated.clear();
    known.modseq = selected->highest_modseq;
    co_return save();
  }

  void count(const SyncPlan& plan) {
    counts_.fetched += plan.fetch.size();
    counts_.removed += plan.remove_here.size();
    counts_.flags_here += plan.flags_here.size();
    if (how_.direction == Direction::one_way) return;
    counts_.flags_there += plan.flags_there.size();
    if (how_.direction != Direction::two_way) return;
    counts_.appended += plan.append_there.size();
    counts_.removed_there += plan.remove_there.size();
  }

  Task<Mail<void>> apply(SyncedFolder& known, std::string there, const ChangeSink& told,
                         bool complete, const Flags& here) {
    const SyncPlan plan = plan_sync(known, told.flags, complete, told.vanished, here);
    const bool two_way = how_.direction == Direction::two_way;
    if (two_way && !how_.force && deletes_too_much(known, plan))
      co_return fail(
          MailError(MailError::Kind::bad_data,
                    fmt::format("{} of {} messages were deleted here: is that meant?",
                                plan.remove_there.size(), known.messages.size()),
                    "--force deletes them there, too; without --two-way they stay there"));
    if (how_.dry_run) count(plan);
    if (how_.dry_run) co_return Mail<void>();
    auto done = co_await fetch_all(known, plan.fetch);
    if (!done) co_return done;
    for (const auto& [local, flags] : plan.flags_here) {
      done = co_await set_here(local, here.at(local), flags);
      if (!done) co_return done;
    }
    if (how_.direction != Direction::one_way) {
      for (const auto& [uid, flags] : plan.flags_there) {
        done = co_await set_there(uid, known.messages[uid].flags, flags);
        if (!done) co_return done;
        known.messages[uid].flags = flags;
        ++counts_.flags_there;
      }
    }
    for (const auto& [uid, flags] : told.flags) {
      if (const auto place = known.messages.find(uid);
          place != known.messages.end() && !plan.flags_there.contains(uid))
        place->second.flags = flags;
    }
    Uids gone = plan.remove_here;
    std::ranges::sort(gone);
    counts_.removed += gone.size();
    if (!gone.empty()) done = co_await local_->remove(std::move(gone));
    std::erase_if(known.messages, [&](const auto& each) {
      return complete ? !told.flags.contains(each.first) : told.vanished.contains(each.first);
    });
    if (!done || !two_way) co_return done;
    done = co_await remove_there(known, plan.remove_there);
    for (std::size_t i = 0; done && i < plan.append_there.size(); ++i) {
      const std::uint32_t local = plan.append_there[i];
      done = co_await append_there(known, there, local, here.at(local));
      if (done && i % batch == batch - 1) done = save();
    }
    co_return done;
  }

  // Only what was here once, by UID: nothing of others goes with it.
  Task<Mail<void>> remove_there(SyncedFolder& known, Uids uids) {
    if (uids.empty()) co_return Mail<void>();
    imap::Flags deleted;
    deleted.set(imap::SystemFlag::deleted);
    auto done = co_await store_there(uids, imap::Store::How::add, deleted);
    if (!done) co_return done;
    const auto gone = co_await client_->uid_expunge(to_set(uids), soon());
    if (!gone) co_return fail(mail_error(gone.error()));
    for (const std::uint32_t uid : uids) known.messages.erase(uid);
    counts_.removed_there += uids.size();
    co_return save();
  }

  // The server has to say its UID (UIDPLUS): else the next run would fetch it as something new.
  Task<Mail<void>> append_there(SyncedFolder& known, const std::string& folder, std::uint32_t local,
                                imap::Flags flags) {
    if (!client_->offers("UIDPLUS") && !client_->capabilities().rev2())
      co_return fail(MailError(MailError::Kind::unsupported,
                               "the server says no UIDs of what it takes (UIDPLUS)"));
    local_->set_deadline(soon());
    Uids one = {local};
    const auto rows = co_await local_->summaries(std::move(one));
    if (!rows) co_return fail(rows.error());
    if (rows->empty()) co_return Mail<void>();  // gone meanwhile
    const auto octets = co_await read_octets(*local_, local);
    if (!octets) co_return fail(octets.error());
    NewMessage message;
    message.octets = *octets;
    message.flags = flags;
    message.received = rows->front().received;
    const auto uid = co_await append_message(*client_, folder, std::move(message), soon());
    if (!uid) co_return fail(uid.error());
    if (*uid == 0)
      co_return fail(MailError(MailError::Kind::unsupported,
                               "the server doesn't say the UID of what it took"));
    SyncedMessage& entry = known.messages[*uid];
    entry.local = local;
    entry.flags = std::move(flags);
    ++counts_.appended;
    co_return Mail<void>();
  }

  Task<Mail<void>> set_here(std::uint32_t local, const imap::Flags& before,
                            const imap::Flags& flags) {
    FlagEdit edit = flag_edit(before, flags);
    ++counts_.flags_here;
    Uids one = {local};
    auto done = co_await local_->edit_flags(std::move(one), std::move(edit));
    co_return done;
  }

  // Only the difference: what others set there meanwhile stays.
  Task<Mail<void>> set_there(std::uint32_t uid, const imap::Flags& before,
                             const imap::Flags& flags) {
    const FlagEdit edit = flag_edit(before, flags);
    const Uids one = {uid};
    Mail<void> done = co_await store_there(one, imap::Store::How::add, edit.add);
    if (done) done = co_await store_there(one, imap::Store::How::remove, edit.remove);
    co_return done;
  }
  Task<Mail<void>> store_there(const Uids& uids, imap::Store::How how, const imap::Flags& flags) {
    if (flags.empty()) co_return Mail<void>();
    imap::Store what;
    what.uid = true;
    what.messages = to_set(uids);
    what.silent = true;
    what.how = how;
    what.flags = flags;
    const auto stored = co_await client_->store(std::move(what), soon());
    if (!stored) co_return fail(mail_error(stored.error()));
    co_return Mail<void>();
  }

  Task<Mail<void>> fetch_all(SyncedFolder& known, Uids uids) {
    Progress progress(account_.name + ": messages", uids.size());
    for (std::size_t at = 0; at < uids.size(); at += batch) {
      progress.step(at);
      const auto begin = uids.begin() + static_cast<std::ptrdiff_t>(at);
      const Uids some(begin,
                      begin + static_cast<std::ptrdiff_t>(std::min(batch, uids.size() - at)));
      MessageSink sink(some);
      std::vector<imap::FetchItem> items = {imap::FetchItem(imap::FetchItem::Kind::uid),
                                            imap::FetchItem(imap::FetchItem::Kind::flags),
                                            imap::FetchItem(imap::FetchItem::Kind::internal_date),
                                            imap::FetchItem::body_peek()};
      imap::SequenceSet set = to_set(some);
      // However long they are, as long as something comes: the client has its own limit of silence.
      const auto fetched =
          co_await client_->uid_fetch(std::move(set), std::move(items), sink, Deadline::never());
      if (!fetched) co_return fail(mail_error(fetched.error()));
      for (const auto& [uid, message] : sink.messages) {
        const auto kept = co_await keep(known, uid, message);
        if (!kept) co_return kept;
      }
      if (auto saved = save(); !saved) co_return saved;
    }
    co_return Mail<void>();
  }

  Task<Mail<void>> keep(SyncedFolder& known, std::uint32_t uid,
                        const MessageSink::Message& message) {
    NewMessage copy;
    copy.octets = message.octets;
    copy.flags = message.flags;
    copy.received = message.received;
    local_->set_deadline(soon());
    std::string name = name_of(known);
    const auto local = co_await local_->append(std::move(name), std::move(copy));
    if (!local) co_return fail(local.error());
    SyncedMessage& entry = known.messages[uid];
    entry.local = *local;
    entry.flags = message.flags;
    ++counts_.fetched;
    co_return Mail<void>();
  }
  [[nodiscard]] std::string name_of(const SyncedFolder& folder) const {
    for (const auto& [name, each] : state_) {
      if (&each == &folder) return name;
    }
    return "INBOX";
  }

  const Account& account_;
  std::string directory_;
  SyncHow how_;
  Fd lock_;
  SyncState state_;
  std::unique_ptr<session::ImapClient> client_;
  std::unique_ptr<MailStore> local_;
  Counts counts_;
};

struct SyncRun {
  std::vector<std::string> folders;
  std::string to;
  SyncHow how;
  bool json = false;
  bool many = false;
  int failure = 0;
};

Task<void> sync_account(Account account, SyncRun* run) {
  const std::string directory = run->many ? run->to + "/" + account.name : run->to;
  Syncing syncing(account, directory, run->how);
  Mail<Counts> counts;
  if (account.store == StoreKind::imap) {
    counts = co_await syncing.run(run->folders);
  } else {
    counts = fail(MailError(MailError::Kind::unsupported, "only an IMAP account can be synced",
                            "mua get fetches POP3 mail"));
  }
  if (!counts) {
    const ToolError said = tool_error(counts.error(), account.name);
    print_error(said, account.name, run->json);
    if (run->failure == 0) run->failure = said.exit;
    co_return;
  }
  if (run->json) {
    print_json({{"account", account.name},
                {"directory", directory},
                {"fetched", counts->fetched},
                {"removed", counts->removed},
                {"flags_here", counts->flags_here},
                {"flags_there", counts->flags_there},
                {"appended", counts->appended},
                {"removed_there", counts->removed_there},
                {"dry_run", run->how.dry_run}});
  } else {
    fmt::print("{}: {}{} fetched, {} removed, flags of {} here and {} there changed",
               shown(account.name), run->how.dry_run ? "would be: " : "", counts->fetched,
               counts->removed, counts->flags_here, counts->flags_there);
    if (run->how.direction == Direction::two_way)
      fmt::print(", {} added and {} deleted there", counts->appended, counts->removed_there);
    fmt::print("\n");
  }
  std::fflush(stdout);
}

Task<void> sync_all(const std::vector<Account>& accounts, SyncRun& run) {
  async::Scope scope;
  for (const Account& account : accounts) scope.spawn(sync_account(account, &run));
  co_await scope.join();
}

class Sync final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "sync"; }
  [[nodiscard]] std::string_view words() const override { return "[FOLDER...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "bring a Maildir up to date with an IMAP account: mail and deletions from there to "
           "here, flags both ways";
  }
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("Where to");
    table.add("to", run_.to, "the Maildir; with several accounts a directory of Maildirs")
        .flag_only();
    table.add("two-way", two_way_, "what was added or deleted here goes there, too; folders do not")
        .flag_only();
    table.add("one-way", one_way_, "nothing goes there, not even flags").flag_only();
    table.add("dry-run", run_.how.dry_run, "say what would be done, and do nothing").flag_only();
    table
        .add("force", run_.how.force,
             "with --two-way: delete there even if most of a folder went here")
        .flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    if (run_.to.empty())
      return fail(ToolError(exit_code::usage, "usage", "the Maildir is missing", "--to DIRECTORY"));
    run_.to = std::filesystem::absolute(run_.to).string();
    run_.folders = call.words;
    if (one_way_ && two_way_)
      return fail(ToolError(exit_code::usage, "usage", "--one-way or --two-way"));
    run_.how.timeout = common_.timeout;
    if (one_way_) run_.how.direction = Direction::one_way;
    if (two_way_) run_.how.direction = Direction::two_way;
    run_.json = call.json;
    run_.many = accounts->size() > 1;
    async::run(sync_all(*accounts, run_));
    return run_.failure;
  }

 private:
  Common common_;
  SyncRun run_;
  bool one_way_ = false;
  bool two_way_ = false;
};

}  // namespace

std::unique_ptr<Tool> make_sync() {
  return std::make_unique<Sync>();
}

}  // namespace posthorn::mua
