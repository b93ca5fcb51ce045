// mua sync: an IMAP account's folders into a Maildir, new mail, flags and expunges since the last run (RFC 7162).
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>

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

// Flags and expunges that a SELECT with QRESYNC, or a FETCH, tells.
class ChangeSink final : public session::ImapSink {
 public:
  void data(imap::client::Response&& response) override {
    if (auto* fetched = std::get_if<Fetched>(&response);
        fetched != nullptr && fetched->uid != 0 && fetched->flags) {
      imap::Flags known = std::move(*fetched->flags);
      known.set(imap::SystemFlag::recent, false);
      flags[fetched->uid] = std::move(known);
    }
    if (auto* gone = std::get_if<imap::client::Vanished>(&response))
      gone->uids.for_each([this](std::uint32_t uid) { vanished.push_back(uid); });
  }
  Flags flags;
  Uids vanished;
};

// Whole messages with their flags and dates.
class MessageSink final : public session::ImapSink {
 public:
  struct Message {
    std::string octets;
    imap::Flags flags;
    std::optional<std::chrono::sys_seconds> received;
  };
  void data(imap::client::Response&& response) override {
    auto* fetched = std::get_if<Fetched>(&response);
    if (fetched == nullptr || fetched->uid == 0 || fetched->bodies.empty()) return;
    Message& message = messages[fetched->uid];
    if (fetched->flags) message.flags = *fetched->flags;
    message.flags.set(imap::SystemFlag::recent, false);
    if (fetched->internal_date)
      message.received =
          std::chrono::sys_seconds(std::chrono::seconds(fetched->internal_date->seconds));
    auto& body = fetched->bodies.front();
    message.octets = body.octets ? std::move(*body.octets) : std::move(streamed_);
    streamed_.clear();
  }
  void body(std::string_view octets) override { streamed_ += octets; }
  std::map<std::uint32_t, Message> messages;

 private:
  std::string streamed_;
};

struct Counts {
  std::size_t fetched = 0, removed = 0, flags_here = 0, flags_there = 0;
};

imap::SequenceSet to_set(const Uids& uids) {
  imap::NumberSet set;
  for (const std::uint32_t uid : uids) set.add(uid);
  return imap::SequenceSet(set);
}

class Syncing {
 public:
  Syncing(const Account& account, std::string directory, Duration timeout)
      : account_(account), directory_(std::move(directory)), timeout_(timeout) {}

  Task<Mail<Counts>> run(std::vector<std::string> folders) {
    if (auto done = load(); !done) co_return fail(done.error());
    auto client = co_await connect_imap(account_, soon());
    if (!client) co_return fail(client.error());
    client_ = std::move(*client);
    Account local = account_;
    local.store = StoreKind::maildir;
    local.path = directory_;
    auto opened = co_await open_local_store(local, soon());
    if (!opened) co_return fail(opened.error());
    local_ = std::move(*opened);
    imap::List what;
    what.patterns = {"*"};
    const auto entries = co_await client_->list(std::move(what), soon());
    if (!entries) co_return fail(mail_error(entries.error()));
    for (const imap::ListEntry& entry : *entries) {
      if (entry.has("\\Noselect") || entry.has("\\NonExistent") || entry.has("\\All")) continue;
      const bool wanted =
          folders.empty() || std::ranges::find(folders, entry.name) != folders.end();
      if (!wanted) continue;
      const auto done = co_await sync_folder(entry);
      if (!done) co_return fail(done.error());
    }
    co_await client_->logout(soon());
    co_return counts_;
  }

 private:
  [[nodiscard]] Deadline soon() const { return Deadline::in(timeout_); }
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

  // The name here: levels parted by '/'.
  static std::string local_name(const imap::ListEntry& entry) {
    std::string name = entry.name;
    for (char& c : name) {
      if (c == entry.separator)
        c = '/';
      else if (c == '/')
        c = '_';
    }
    return name;
  }

  Task<Mail<FolderState>> open_local(std::string name) {
    local_->set_deadline(soon());
    auto opened = co_await local_->open(name, false);
    if (opened || opened.error().kind != MailError::Kind::not_found) co_return opened;
    const auto made = co_await local_->create_folder(name);
    if (!made) co_return fail(made.error());
    opened = co_await local_->open(name, false);
    co_return opened;
  }

  Task<Mail<void>> sync_folder(const imap::ListEntry& entry) {
    const std::string name = local_name(entry);
    const auto local = co_await open_local(name);
    if (!local) co_return fail(local.error());
    SyncedFolder& known = state_[name];
    if (!known.messages.empty() && known.local_validity != local->uid_validity) {
      const std::string text =
          fmt::format("{} in {} was made anew by somebody else", name, directory_);
      co_return fail(MailError(MailError::Kind::bad_data, text,
                               "delete " + state_file() + " and the Maildir to fetch all again"));
    }
    known.local_validity = local->uid_validity;
    // What the server changed since, if it can say; else everything.
    const bool delta = known.modseq != 0 && client_->is_enabled("QRESYNC");
    imap::Select select;
    select.mailbox = imap::MailboxName(entry.name);
    if (delta) {
      select.qresync.emplace();
      select.qresync->uid_validity = known.remote_validity;
      select.qresync->modseq = known.modseq;
    }
    ChangeSink told;
    const auto selected = co_await client_->select(std::move(select), told, soon());
    if (!selected) co_return fail(mail_error(selected.error()));
    const bool same = known.remote_validity == selected->uid_validity;
    Uids outdated;  // here, under UIDs there that mean nothing any more
    if (!same) {
      for (const auto& [uid, message] : known.messages) outdated.push_back(message.local);
      known.messages.clear();
      known.remote_validity = selected->uid_validity;
      // It counts changes of the UIDs before: what is saved between two batches must not pass for the whole folder.
      known.modseq = 0;
    }
    const bool complete = !delta || !same;
    if (complete && selected->exists > 0) {
      told = ChangeSink();
      std::vector<imap::FetchItem> items = {imap::FetchItem(imap::FetchItem::Kind::uid),
                                            imap::FetchItem(imap::FetchItem::Kind::flags)};
      imap::SequenceSet all = imap::SequenceSet::all();
      const auto fetched =
          co_await client_->uid_fetch(std::move(all), std::move(items), told, soon());
      if (!fetched) co_return fail(mail_error(fetched.error()));
    }
    std::ranges::sort(told.vanished);
    auto done = co_await apply(known, told, complete);
    if (!done) co_return done;
    std::ranges::sort(outdated);
    if (!outdated.empty()) done = co_await local_->remove(std::move(outdated));
    if (!done) co_return done;
    known.modseq = selected->highest_modseq;
    co_return save();
  }

  Task<Mail<void>> apply(SyncedFolder& known, const ChangeSink& told, bool complete) {
    local_->set_deadline(soon());
    const auto here = co_await local_->flags();
    if (!here) co_return fail(here.error());
    const SyncPlan plan = plan_sync(known, told.flags, complete, told.vanished, *here);
    auto done = co_await fetch_all(known, plan.fetch);
    if (!done) co_return done;
    for (const auto& [local, flags] : plan.flags_here) {
      done = co_await set_here(local, here->at(local), flags);
      if (!done) co_return done;
    }
    for (const auto& [uid, flags] : plan.flags_there) {
      done = co_await set_there(uid, known.messages[uid].flags, flags);
      if (!done) co_return done;
      known.messages[uid].flags = flags;
      ++counts_.flags_there;
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
      return complete ? !told.flags.contains(each.first)
                      : std::ranges::binary_search(told.vanished, each.first);
    });
    co_return done;
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
    Mail<void> done = co_await store_there(uid, imap::Store::How::add, edit.add);
    if (done) done = co_await store_there(uid, imap::Store::How::remove, edit.remove);
    co_return done;
  }
  Task<Mail<void>> store_there(std::uint32_t uid, imap::Store::How how, const imap::Flags& flags) {
    if (flags.empty()) co_return Mail<void>();
    imap::Store what;
    what.uid = true;
    Uids one = {uid};
    what.messages = to_set(one);
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
      MessageSink sink;
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
  Duration timeout_;
  Fd lock_;
  SyncState state_;
  std::unique_ptr<session::ImapClient> client_;
  std::unique_ptr<MailStore> local_;
  Counts counts_;
};

struct SyncRun {
  std::vector<std::string> folders;
  std::string to;
  Duration timeout{};
  bool json = false;
  bool many = false;
  int failure = 0;
};

Task<void> sync_account(Account account, SyncRun* run) {
  const std::string directory = run->many ? run->to + "/" + account.name : run->to;
  Syncing syncing(account, directory, run->timeout);
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
                {"flags_there", counts->flags_there}});
  } else {
    fmt::print("{}: {} fetched, {} removed, flags of {} here and {} there changed\n",
               shown(account.name), counts->fetched, counts->removed, counts->flags_here,
               counts->flags_there);
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
    return "bring a Maildir up to date with an IMAP account: mail, flags, what was deleted there";
  }
  void describe(OptionTable& table) override {
    common_.describe(table);
    table.group("Where to");
    table.add("to", run_.to, "the Maildir; with several accounts a directory of Maildirs")
        .flag_only();
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    const auto accounts = common_.accounts();
    if (!accounts) return fail(accounts.error());
    if (run_.to.empty())
      return fail(ToolError(exit_code::usage, "usage", "the Maildir is missing", "--to DIRECTORY"));
    run_.to = std::filesystem::absolute(run_.to).string();
    run_.folders = call.words;
    run_.timeout = common_.timeout;
    run_.json = call.json;
    run_.many = accounts->size() > 1;
    async::run(sync_all(*accounts, run_));
    return run_.failure;
  }

 private:
  Common common_;
  SyncRun run_;
};

}  // namespace

std::unique_ptr<Tool> make_sync() {
  return std::make_unique<Sync>();
}

}  // namespace posthorn::mua
