#include "agents/mua/imap_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "agents/mua/envelope.h"
#include "agents/mua/secret.h"
#include "libmail/base/crlf.h"
#include "libmail/base/text.h"
#include "libmail/service/agent.h"

namespace posthorn::mua {

using imap::FetchItem;
using imap::SequenceSet;
using imap::client::Fetched;
using session::ImapClient;
using session::ImapError;
using Kind = MailError::Kind;

MailError mail_error(const ImapError& error) {
  switch (error.kind) {
    case ImapError::Kind::login:
    case ImapError::Kind::tls:
      return {Kind::refused, error.text};
    case ImapError::Kind::timed_out:
      return {Kind::try_again, error.text};
    case ImapError::Kind::no:
    case ImapError::Kind::bad:
      break;
    default:
      return {Kind::unavailable, error.text};
  }
  const std::string& code = error.status.code.name;
  if (code == "NONEXISTENT" || code == "TRYCREATE") return {Kind::not_found, error.text};
  if (code == "ALREADYEXISTS") return {Kind::exists, error.text};
  if (code == "NOPERM") return {Kind::refused, error.text};
  if (code == "OVERQUOTA" || code == "INUSE" || code == "UNAVAILABLE" || code == "LIMIT")
    return {Kind::try_again, error.text};
  if (code == "CANNOT") return {Kind::bad_data, error.text};
  return {Kind::unavailable, error.text};
}

namespace {

// Headers and small messages come in one piece with their data; larger octets stream.
constexpr std::size_t keep_bodies = 64 * 1024;
// So many flags are held of one folder, as the client's View does.
constexpr std::size_t most_messages = 2'000'000;

Uids to_list(const imap::NumberSet& set) {
  Uids all;
  set.for_each([&](std::uint32_t uid) { all.push_back(uid); });
  return all;
}

SequenceSet to_set(const Uids& uids) {
  imap::NumberSet set;
  for (const std::uint32_t uid : uids) set.add(uid);
  return SequenceSet(set);
}

// Passes octets of one FETCH on, kept or streamed.
class OctetSink final : public session::ImapSink {
 public:
  explicit OctetSink(Sink& sink) : sink_(sink) {}
  void data(imap::client::Response&& response) override {
    auto* fetched = std::get_if<Fetched>(&response);
    if (fetched == nullptr) return;
    for (const auto& body : fetched->bodies) {
      if (body.octets) give(*body.octets);
      if (body.octets || body.streamed) found_ = true;
    }
  }
  void body(std::string_view octets) override { give(octets); }
  void body_ends() override { found_ = true; }
  [[nodiscard]] bool found() const { return found_; }

 private:
  void give(std::string_view octets) { wanted_ = wanted_ && sink_(octets); }
  Sink& sink_;
  bool wanted_ = true;
  bool found_ = false;
};

// Collects what FETCH says of the wanted messages, all if none are named; the header of each, kept or streamed. What a
// server says of others is not kept.
class SummarySink final : public session::ImapSink {
 public:
  explicit SummarySink(Uids wanted = {}) : wanted_(std::move(wanted)) {
    std::ranges::sort(wanted_);
  }
  void data(imap::client::Response&& response) override {
    auto* fetched = std::get_if<Fetched>(&response);
    if (fetched == nullptr || fetched->uid == 0) return;
    if (!wanted_.empty() && !std::ranges::binary_search(wanted_, fetched->uid)) {
      streamed_.clear();
      return;
    }
    Summary& row = rows[fetched->uid];
    row.uid = fetched->uid;
    if (fetched->flags) row.flags = *fetched->flags;
    row.flags.set(imap::SystemFlag::recent, false);
    if (fetched->size) row.size = *fetched->size;
    if (fetched->modseq) row.modseq = *fetched->modseq;
    if (fetched->internal_date)
      row.received =
          std::chrono::sys_seconds(std::chrono::seconds(fetched->internal_date->seconds));
    if (!fetched->structure.empty()) {
      parts[fetched->uid] = parts_of(fetched->structure);
      row.has_attachment = std::ranges::any_of(parts[fetched->uid], &PartInfo::attachment);
    }
    for (const auto& body : fetched->bodies) {
      if (body.octets)
        read_header(*body.octets, row);
      else if (body.streamed)
        read_header(streamed_, row);
      if (body.octets || body.streamed) complete.insert_or_assign(fetched->uid, true);
    }
    streamed_.clear();
  }
  void body(std::string_view octets) override {
    constexpr std::size_t most = 1 << 20;
    if (streamed_.size() < most) streamed_ += octets;
  }

  [[nodiscard]] std::string_view refuses() const override {
    return rows.size() > most_messages ? "the server tells of more than 2000000 messages" : "";
  }

  std::map<std::uint32_t, Summary> rows;
  std::map<std::uint32_t, std::vector<PartInfo>> parts;
  std::map<std::uint32_t, bool> complete;  // the header came

 private:
  Uids wanted_;
  std::string streamed_;
};

// A message with CRLF line ends, for APPEND.
class WireSource final : public session::ImapSource {
 public:
  explicit WireSource(const Octets& octets) : octets_(octets) {}
  [[nodiscard]] Mail<std::uint64_t> size() const {
    std::uint64_t size = octets_.size();
    char before = '\0';
    const auto counted = octets_.each([&](std::string_view text) {
      for (const char c : text) {
        if (c == '\n' && before != '\r') ++size;
        before = c;
      }
      return true;
    });
    if (!counted) return fail(counted.error());
    return size;
  }
  Task<Result<std::string, std::string>> next() override {
    const auto text = octets_.read(at_);
    if (!text) co_return fail(std::string(text.error().text));
    at_ += text->size();
    std::string wire;
    append_crlf(*text, after_cr_, wire);
    co_return wire;
  }

 private:
  const Octets& octets_;
  std::uint64_t at_ = 0;
  bool after_cr_ = false;
};

std::string role_of(const imap::ListEntry& entry) {
  if (imap::is_inbox(entry.name)) return "inbox";
  for (const char* role :
       {"Sent", "Drafts", "Trash", "Junk", "Archive", "All", "Flagged", "Important"}) {
    if (entry.has(std::string("\\") + role)) return lower(role);
  }
  return "";
}

class ImapStore final : public MailStore {
 public:
  explicit ImapStore(std::unique_ptr<ImapClient> client, Deadline deadline)
      : client_(std::move(client)), deadline_(deadline) {}

  void set_deadline(Deadline deadline) override { deadline_ = deadline; }
  Task<Mail<std::vector<Folder>>> folders(bool counts) override;
  Task<Mail<void>> create_folder(std::string name) override;
  Task<Mail<void>> rename_folder(std::string from, std::string to) override;
  Task<Mail<void>> delete_folder(std::string name) override;
  Task<Mail<FolderState>> open(std::string folder, bool for_reading) override;
  Task<Mail<Uids>> search(imap::SearchKey key) override;
  Task<Mail<std::map<std::uint32_t, imap::Flags>>> flags() override;
  Task<Mail<std::vector<Summary>>> summaries(Uids uids) override;
  Task<Mail<void>> read(std::uint32_t uid, Sink sink) override;
  Task<Mail<std::vector<PartInfo>>> parts(std::uint32_t uid) override;
  Task<Mail<void>> read_part(std::uint32_t uid, std::string number, Sink sink) override;
  Task<Mail<void>> edit_flags(Uids uids, FlagEdit edit) override;
  Task<Mail<void>> copy(Uids uids, std::string folder) override;
  Task<Mail<void>> move(Uids uids, std::string folder) override;
  Task<Mail<void>> remove(Uids uids) override;
  Task<Mail<std::uint32_t>> append(std::string folder, NewMessage message) override;
  Task<Mail<FolderNews>> wait(Deadline deadline) override;
  void wake() override {
    woken_ = true;
    client_->wake();
  }
  void interrupt() override { client_->close(); }
  [[nodiscard]] bool usable() const override { return client_->connected(); }
  Task<void> close() override { co_await client_->logout(deadline_); }

 private:
  static Mail<void> plain(session::ImapResult<void> done) {
    if (done) return {};
    return fail(mail_error(done.error()));
  }
  Task<Mail<void>> fetch_octets(std::uint32_t uid, FetchItem item, Sink sink);
  Task<Mail<void>> learn_new();
  FolderNews compare();

  std::unique_ptr<ImapClient> client_;
  Deadline deadline_;
  bool compares_ = false;
  std::uint32_t uid_next_ = 0;  // when the folder was opened; 0: not said
  bool woken_ = false;
  std::map<std::uint32_t, imap::Flags> seen_;  // what wait() compares with
};

Task<Mail<std::vector<Folder>>> ImapStore::folders(bool counts) {
  imap::List what = list_of_folders(*client_);
  auto entries = co_await client_->list(std::move(what), deadline_);
  if (!entries) co_return fail(mail_error(entries.error()));
  std::vector<Folder> all;
  for (const imap::ListEntry& entry : *entries) {
    Folder folder = folder_of(entry);
    if (counts && folder.selectable) {
      const auto items =
          static_cast<imap::StatusItems>(static_cast<unsigned>(imap::StatusItem::messages) |
                                         static_cast<unsigned>(imap::StatusItem::unseen));
      const auto status = co_await client_->status(entry.name, items, deadline_);
      if (status) {
        folder.messages = status->messages;
        folder.unseen = status->unseen;
      }
    }
    all.push_back(std::move(folder));
  }
  std::ranges::sort(all, [](const Folder& a, const Folder& b) {
    return std::pair(a.role != "inbox", a.name) < std::pair(b.role != "inbox", b.name);
  });
  co_return all;
}

Task<Mail<void>> ImapStore::create_folder(std::string name) {
  imap::Create what;
  what.mailbox = imap::MailboxName(name);
  auto done = co_await client_->create(std::move(what), deadline_);
  // Clients of others show subscribed folders only.
  if (done) (void)co_await client_->subscribe(std::move(name), true, deadline_);
  co_return plain(std::move(done));
}

Task<Mail<void>> ImapStore::rename_folder(std::string from, std::string to) {
  auto done = co_await client_->rename(std::move(from), std::move(to), deadline_);
  co_return plain(std::move(done));
}

Task<Mail<void>> ImapStore::delete_folder(std::string name) {
  // Some servers delete no mailbox that is selected, and a subscription outlives its mailbox.
  if (client_->mailbox().name == name) (void)co_await client_->unselect(deadline_);
  auto done = co_await client_->remove(name, deadline_);
  if (done) (void)co_await client_->subscribe(std::move(name), false, deadline_);
  co_return plain(std::move(done));
}

Task<Mail<FolderState>> ImapStore::open(std::string folder, bool for_reading) {
  compares_ = false;
  auto step =
      for_reading ? client_->examine(folder, deadline_) : client_->select(folder, deadline_);
  const auto selected = co_await step;
  if (!selected) {
    MailError error = mail_error(selected.error());
    if (error.kind == Kind::unavailable && selected.error().kind == ImapError::Kind::no)
      error.kind = Kind::not_found;
    co_return fail(std::move(error));
  }
  uid_next_ = selected->uid_next;
  FolderState state;
  state.name = folder;
  state.uid_validity = selected->uid_validity;
  state.uid_next = selected->uid_next;
  state.messages = selected->exists;
  state.highest_modseq = selected->highest_modseq;
  state.read_only = selected->read_only;
  co_return state;
}

Task<Mail<Uids>> ImapStore::search(imap::SearchKey key) {
  const auto found = co_await client_->uid_search(std::move(key), deadline_);
  if (!found) co_return fail(mail_error(found.error()));
  co_return to_list(*found);
}

Task<Mail<std::map<std::uint32_t, imap::Flags>>> ImapStore::flags() {
  SummarySink sink;
  std::vector<FetchItem> items = {FetchItem(FetchItem::Kind::uid),
                                  FetchItem(FetchItem::Kind::flags)};
  SequenceSet set = SequenceSet::all();
  const auto done = co_await client_->uid_fetch(std::move(set), std::move(items), sink, deadline_);
  if (!done) co_return fail(mail_error(done.error()));
  std::map<std::uint32_t, imap::Flags> all;
  for (auto& [uid, row] : sink.rows) all.emplace(uid, std::move(row.flags));
  co_return all;
}

Task<Mail<std::vector<Summary>>> ImapStore::summaries(Uids uids) {
  std::vector<Summary> all;
  if (uids.empty()) co_return all;
  imap::Section section;
  section.text = imap::Section::Text::header_fields;
  section.fields = summary_fields();
  std::vector<FetchItem> items = {FetchItem(FetchItem::Kind::uid),
                                  FetchItem(FetchItem::Kind::flags),
                                  FetchItem(FetchItem::Kind::internal_date),
                                  FetchItem(FetchItem::Kind::rfc822_size),
                                  FetchItem(FetchItem::Kind::body_structure),
                                  FetchItem::body_peek(std::move(section))};
  SummarySink sink(uids);
  SequenceSet set = to_set(uids);
  const auto done = co_await client_->uid_fetch(std::move(set), std::move(items), sink, deadline_);
  if (!done) co_return fail(mail_error(done.error()));
  for (const std::uint32_t uid : uids) {
    if (sink.complete.contains(uid)) all.push_back(std::move(sink.rows[uid]));
  }
  co_return all;
}

Task<Mail<void>> ImapStore::fetch_octets(std::uint32_t uid, FetchItem item, Sink sink) {
  OctetSink octets(sink);
  std::vector<FetchItem> items;
  items.push_back(std::move(item));
  Uids one = {uid};
  SequenceSet set = to_set(one);
  const auto done =
      co_await client_->uid_fetch(std::move(set), std::move(items), octets, deadline_);
  if (!done) co_return fail(mail_error(done.error()));
  if (!octets.found())
    co_return fail(MailError(Kind::not_found, fmt::format("there is no message {}", uid),
                             "mua list shows the UIDs"));
  co_return Mail<void>();
}

Task<Mail<void>> ImapStore::read(std::uint32_t uid, Sink sink) {
  FetchItem item = FetchItem::body_peek();
  auto done = co_await fetch_octets(uid, std::move(item), std::move(sink));
  co_return done;
}

Task<Mail<std::vector<PartInfo>>> ImapStore::parts(std::uint32_t uid) {
  Uids one = {uid};
  SummarySink sink(one);
  std::vector<FetchItem> items = {FetchItem(FetchItem::Kind::uid),
                                  FetchItem(FetchItem::Kind::body_structure)};
  SequenceSet set = to_set(one);
  const auto done = co_await client_->uid_fetch(std::move(set), std::move(items), sink, deadline_);
  if (!done) co_return fail(mail_error(done.error()));
  const auto found = sink.parts.find(uid);
  if (found == sink.parts.end())
    co_return fail(MailError(Kind::not_found, fmt::format("there is no message {}", uid),
                             "mua list shows the UIDs"));
  co_return std::move(found->second);
}

Task<Mail<void>> ImapStore::read_part(std::uint32_t uid, std::string number, Sink sink) {
  imap::Section section;
  for (const std::string_view each : split(number, '.'))
    section.part.push_back(parse_number<std::uint32_t>(each).value_or(0));
  if (number.empty()) {
    section.part.clear();
    section.text = imap::Section::Text::text;
  }
  FetchItem item = FetchItem::body_peek(std::move(section));
  auto done = co_await fetch_octets(uid, std::move(item), std::move(sink));
  co_return done;
}

Task<Mail<void>> ImapStore::edit_flags(Uids uids, FlagEdit edit) {
  const std::array<std::pair<imap::Store::How, imap::Flags>, 2> steps = {
      std::pair(imap::Store::How::add, edit.add), std::pair(imap::Store::How::remove, edit.remove)};
  for (const auto& [how, flags] : steps) {
    if (flags.empty()) continue;
    imap::Store what;
    what.uid = true;
    what.messages = to_set(uids);
    what.how = how;
    what.silent = true;
    what.flags = flags;
    const auto done = co_await client_->store(std::move(what), deadline_);
    if (!done) co_return fail(mail_error(done.error()));
  }
  co_return Mail<void>();
}

Task<Mail<void>> ImapStore::copy(Uids uids, std::string folder) {
  SequenceSet set = to_set(uids);
  const auto done = co_await client_->uid_copy(std::move(set), std::move(folder), deadline_);
  if (!done) co_return fail(mail_error(done.error()));
  co_return Mail<void>();
}

Task<Mail<void>> ImapStore::move(Uids uids, std::string folder) {
  SequenceSet set = to_set(uids);
  const auto done = co_await client_->uid_move(std::move(set), std::move(folder), deadline_);
  if (!done) co_return fail(mail_error(done.error()));
  co_return Mail<void>();
}

Task<Mail<void>> ImapStore::remove(Uids uids) {
  FlagEdit edit;
  edit.add.set(imap::SystemFlag::deleted);
  Uids marked = uids;
  auto done = co_await edit_flags(std::move(marked), std::move(edit));
  if (!done) co_return done;
  SequenceSet set = to_set(uids);
  auto gone = co_await client_->uid_expunge(std::move(set), deadline_);
  co_return plain(std::move(gone));
}

Task<Mail<std::uint32_t>> ImapStore::append(std::string folder, NewMessage message) {
  auto uid = co_await append_message(*client_, std::move(folder), std::move(message), deadline_);
  co_return uid;
}

// UIDs and flags of messages that were only counted so far.
Task<Mail<void>> ImapStore::learn_new() {
  const std::uint32_t first = client_->view().first_unheard();
  if (first > client_->view().count()) co_return Mail<void>();
  imap::Fetch what;
  what.messages.add({first, SequenceSet::star});
  what.items = {FetchItem(FetchItem::Kind::uid), FetchItem(FetchItem::Kind::flags)};
  session::ImapSink nobody;
  auto done = co_await client_->fetch(std::move(what), nobody, deadline_);
  co_return plain(std::move(done));
}

FolderNews ImapStore::compare() {
  FolderNews news;
  std::map<std::uint32_t, imap::Flags> now;
  client_->view().for_each_known([&](std::uint32_t, const auto& message) {
    imap::Flags flags = message.flags.value_or(imap::Flags());
    flags.set(imap::SystemFlag::recent, false);
    now.emplace(message.uid, std::move(flags));
  });
  for (const auto& [uid, flags] : now) {
    const auto old = seen_.find(uid);
    if (old == seen_.end())
      news.arrived.push_back(uid);
    else if (!(old->second == flags))
      news.changed.push_back(uid);
  }
  for (const auto& [uid, flags] : seen_) {
    if (!now.contains(uid)) news.vanished.push_back(uid);
  }
  seen_ = std::move(now);
  return news;
}

Task<Mail<FolderNews>> ImapStore::wait(Deadline deadline) {
  if (!compares_) {
    const auto learned = co_await learn_new();
    if (!learned) co_return fail(learned.error());
    (void)compare();
    // What came since the folder was opened is news.
    if (uid_next_ != 0)
      std::erase_if(seen_, [this](const auto& each) { return each.first >= uid_next_; });
    compares_ = true;
  }
  for (;;) {
    const auto learned = co_await learn_new();
    if (!learned) co_return fail(learned.error());
    FolderNews news = compare();
    if (!news.empty() || deadline.passed() || woken_) {
      woken_ = false;
      co_return news;
    }
    const auto ended = co_await client_->idle(deadline);
    if (!ended) co_return fail(mail_error(ended.error()));
  }
}

}  // namespace

imap::List list_of_folders(const ImapClient& client) {
  imap::List what;
  what.patterns = {"*"};
  // RETURN options where they are known; else plain LIST says special uses on most servers (RFC 6154 section 2).
  if (client.offers("LIST-EXTENDED") || client.offers("IMAP4rev2")) {
    what.returns.subscribed = true;
    what.returns.special_use = client.offers("SPECIAL-USE") || client.offers("IMAP4rev2");
    what.extended = true;
  }
  return what;
}

Folder folder_of(const imap::ListEntry& entry) {
  Folder folder;
  folder.name = entry.name;
  folder.separator = entry.separator;
  folder.role = role_of(entry);
  folder.selectable = !entry.has("\\Noselect") && !entry.has("\\NonExistent");
  folder.subscribed = entry.has("\\Subscribed");
  return folder;
}

Task<Mail<std::uint32_t>> append_message(ImapClient& client, std::string folder, NewMessage message,
                                         Deadline deadline) {
  imap::AppendMessage head;
  head.flags = message.flags;
  if (message.received)
    head.internal_date = imap::DateTime(message.received->time_since_epoch().count(), 0);
  // Lines end with CRLF on the wire.
  WireSource source(message.octets);
  const auto size = source.size();
  if (!size) co_return fail(size.error());
  const auto done =
      co_await client.append(std::move(folder), std::move(head), *size, source, deadline);
  if (!done) co_return fail(mail_error(done.error()));
  std::uint32_t uid = 0;
  if (done->uid) uid = done->uid->uids.smallest();
  co_return uid;
}

Task<Mail<std::unique_ptr<ImapClient>>> connect_imap(const Account& account, Deadline& deadline) {
  const Server& server = account.server;
  auto context = tls_context(server);
  if (!context) co_return fail(context.error());
  auto login = co_await find_log_in(server, account.name, deadline);
  if (!login) co_return fail(login.error());
  session::ImapClientOptions options;
  options.tls = server.tls;
  options.tls_context = std::move(*context);
  options.tls_name = server.tls_name;
  options.clear_password = server.tls == TlsMode::never;
  if (!login->user.empty()) options.login = std::move(*login);
  options.enable = {"QRESYNC"};
  options.core.keep_bodies = keep_bodies;
  auto client = std::make_unique<ImapClient>(server.endpoint(), std::move(options));
  const auto opened = co_await client->open(deadline);
  if (!opened) co_return fail(mail_error(opened.error()));
  co_return client;
}

Task<Mail<std::unique_ptr<MailStore>>> open_imap_store(const Account& account, Deadline deadline) {
  auto client = co_await connect_imap(account, deadline);
  if (!client) co_return fail(client.error());
  std::unique_ptr<MailStore> store = std::make_unique<ImapStore>(std::move(*client), deadline);
  co_return store;
}

}  // namespace posthorn::mua
