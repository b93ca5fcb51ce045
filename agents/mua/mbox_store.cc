// One mbox file as a store with one folder. UIDs change whenever another program rewrites the file: an mbox has none.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <utility>

#include "agents/mua/envelope.h"
#include "agents/mua/local_store.h"
#include "agents/mua/query_match.h"
#include "libmail/base/text.h"
#include "libmail/store/mbox.h"
#include "libmail/store/mbox_mailbox.h"
#include "libmail/store/retry.h"

namespace posthorn::mua {

using Kind = MailError::Kind;
using store::StoreResult;

namespace {

constexpr Duration look_again = std::chrono::seconds(1);
constexpr std::size_t piece = 64 * 1024;

store::MailLocation location_of(const Account& account) {
  store::MailLocation location;
  location.format = store::MailFormat::mbox;
  location.base = account.path;
  return location;
}

class MboxStore final : public MailStore {
 public:
  explicit MboxStore(const Account& account)
      : location_(location_of(account)), mailbox_(files_, location_) {}

  void set_deadline(Deadline deadline) override { deadline_ = deadline; }

  Task<Mail<std::vector<Folder>>> folders(bool counts) override {
    Folder inbox;
    inbox.name = "INBOX";
    inbox.role = "inbox";
    if (counts) {
      const auto looked = co_await scan();
      if (!looked) co_return fail(looked.error());
      inbox.messages = scan_.entries.size();
    }
    std::vector<Folder> all;
    all.push_back(std::move(inbox));
    co_return all;
  }
  Task<Mail<void>> create_folder(std::string) override { co_return no_folders(); }
  Task<Mail<void>> rename_folder(std::string, std::string) override { co_return no_folders(); }
  Task<Mail<void>> delete_folder(std::string) override { co_return no_folders(); }

  Task<Mail<FolderState>> open(std::string folder, bool for_reading) override {
    if (!iequals(folder, "INBOX")) co_return fail(no_folders().error());
    const auto looked = co_await scan();
    if (!looked) co_return fail(looked.error());
    FolderState state;
    state.name = "INBOX";
    state.uid_validity = scan_.uid_validity;
    state.uid_next = scan_.uid_next;
    state.messages = static_cast<std::uint32_t>(scan_.entries.size());
    state.read_only = for_reading;
    co_return state;
  }
  Task<Mail<std::map<std::uint32_t, imap::Flags>>> flags() override {
    std::map<std::uint32_t, imap::Flags> all;
    for (const auto& entry : scan_.entries) all.emplace(entry.uid, flags_of(entry));
    co_return all;
  }
  Task<Mail<Uids>> search(imap::SearchKey key) override;
  Task<Mail<std::vector<Summary>>> summaries(Uids uids) override;
  Task<Mail<void>> read(std::uint32_t uid, Sink sink) override;
  Task<Mail<std::vector<PartInfo>>> parts(std::uint32_t uid) override;
  Task<Mail<void>> read_part(std::uint32_t uid, std::string number, Sink sink) override;
  // An mbox keeps no flags here, and what read() marks is no reason to fail.
  Task<Mail<void>> edit_flags(Uids, FlagEdit edit) override {
    imap::Flags rest = edit.add;
    rest.set(imap::SystemFlag::seen, false);
    if (rest.empty() && edit.remove.empty()) co_return Mail<void>();
    co_return fail(MailError(Kind::unsupported, "an mbox keeps no flags", "a Maildir does"));
  }
  Task<Mail<void>> copy(Uids, std::string) override { co_return no_folders(); }
  Task<Mail<void>> move(Uids, std::string) override { co_return no_folders(); }
  Task<Mail<void>> remove(Uids uids) override {
    store::MailboxChanges changes;
    changes.remove = std::move(uids);
    auto work = [this, &changes] { return mailbox_.apply(scan_, changes); };
    const auto done = co_await store::when_unlocked(deadline_, std::move(work));
    if (!done) co_return fail(mail_error(done.error()));
    if (!done->failed.empty()) co_return fail(mail_error(done->failed.front()));
    co_return Mail<void>();
  }
  Task<Mail<std::uint32_t>> append(std::string folder, NewMessage message) override;
  Task<Mail<FolderNews>> wait(Deadline deadline) override;
  void wake() override { woken_ = true; }
  Task<void> close() override { co_return; }

 private:
  static Mail<void> no_folders() {
    return fail(MailError(Kind::unsupported, "an mbox has no folders but INBOX"));
  }
  static imap::Flags flags_of(const store::MailboxEntry& entry) {
    imap::Flags flags;
    if (entry.seen) flags.set(imap::SystemFlag::seen);
    return flags;
  }
  Task<Mail<void>> scan() {
    auto work = [this] { return mailbox_.scan(); };
    auto found = co_await store::when_unlocked(deadline_, std::move(work));
    if (!found) co_return fail(mail_error(found.error()));
    scan_ = std::move(*found);
    co_return Mail<void>();
  }
  [[nodiscard]] const store::MailboxEntry* find(std::uint32_t uid) const {
    const auto entry = std::ranges::find(scan_.entries, uid, &store::MailboxEntry::uid);
    return entry == scan_.entries.end() ? nullptr : &*entry;
  }
  // Blocking.
  StoreResult<std::string> text(const store::MailboxEntry& entry) {
    auto source = mailbox_.open(entry);
    if (!source) return fail(source.error());
    std::string whole;
    for (;;) {
      auto octets = (*source)->read(piece);
      if (!octets) return fail(octets.error());
      if (octets->empty()) return whole;
      whole += *octets;
    }
  }
  Task<Mail<std::string>> text_of(std::uint32_t uid) {
    const store::MailboxEntry* entry = find(uid);
    if (entry == nullptr)
      co_return fail(MailError(Kind::not_found, fmt::format("there is no message {}", uid)));
    auto work = [this, entry] { return text(*entry); };
    auto whole = co_await store::when_unlocked(deadline_, std::move(work));
    if (!whole) co_return fail(mail_error(whole.error()));
    co_return std::move(*whole);
  }

  store::SystemFiles files_;
  store::MailLocation location_;
  store::MboxMailbox mailbox_;
  store::MailboxScan scan_;
  bool woken_ = false;
  Deadline deadline_ = Deadline::never();
};

// The Date field stands for the day of arrival.
std::chrono::sys_seconds received(const Summary& summary) {
  return summary.date.value_or(std::chrono::sys_seconds{});
}

Task<Mail<Uids>> MboxStore::search(imap::SearchKey key) {
  Uids found;
  for (const store::MailboxEntry& entry : scan_.entries) {
    const auto octets = co_await text_of(entry.uid);
    if (!octets) co_return fail(octets.error());
    Summary summary;
    read_header(*octets, summary);
    Candidate candidate;
    candidate.uid = entry.uid;
    candidate.flags = flags_of(entry);
    candidate.size = entry.size;
    candidate.received = received(summary);
    candidate.octets = [&octets]() -> const std::string& { return *octets; };
    if (matches(key, candidate, scan_.entries.back().uid)) found.push_back(entry.uid);
  }
  co_return found;
}

Task<Mail<std::vector<Summary>>> MboxStore::summaries(Uids uids) {
  std::vector<Summary> all;
  for (const std::uint32_t uid : uids) {
    const store::MailboxEntry* entry = find(uid);
    if (entry == nullptr) continue;
    const auto octets = co_await text_of(uid);
    if (!octets) co_return fail(octets.error());
    Summary summary;
    summary.uid = uid;
    read_header(*octets, summary);
    summary.flags = flags_of(*entry);
    summary.size = entry->size;
    summary.received = received(summary);
    summary.has_attachment = has_attachment(message::MessageView(*octets));
    all.push_back(std::move(summary));
  }
  co_return all;
}

Task<Mail<void>> MboxStore::read(std::uint32_t uid, Sink sink) {
  const auto octets = co_await text_of(uid);
  if (!octets) co_return fail(octets.error());
  (void)sink(*octets);
  co_return Mail<void>();
}

Task<Mail<std::vector<PartInfo>>> MboxStore::parts(std::uint32_t uid) {
  const auto octets = co_await text_of(uid);
  if (!octets) co_return fail(octets.error());
  co_return list_parts(message::MessageView(*octets));
}

Task<Mail<void>> MboxStore::read_part(std::uint32_t uid, std::string number, Sink sink) {
  const auto octets = co_await text_of(uid);
  if (!octets) co_return fail(octets.error());
  const message::MessageView view(*octets);
  const auto parts = list_parts(view);
  const auto part = std::ranges::find(parts, number, &PartInfo::number);
  if (part == parts.end())
    co_return fail(
        MailError(Kind::not_found, fmt::format("message {} has no part {}", uid, number)));
  (void)sink(view.raw_body(static_cast<std::uint32_t>(part - parts.begin())));
  co_return Mail<void>();
}

Task<Mail<std::uint32_t>> MboxStore::append(std::string folder, NewMessage message) {
  if (!iequals(folder, "INBOX")) co_return fail(no_folders().error());
  store::ContentWriter writer;
  writer.append(message.octets);
  (void)writer.end_text();
  const store::Content body = writer.finish();
  auto work = [this, &body] {
    return store::append_to_mbox(files_, location_, "MAILER-DAEMON", "", body);
  };
  const auto done = co_await store::when_unlocked(deadline_, std::move(work));
  if (!done) co_return fail(mail_error(done.error()));
  co_return 0U;
}

Task<Mail<FolderNews>> MboxStore::wait(Deadline deadline) {
  for (;;) {
    const std::size_t before = scan_.entries.size();
    const auto looked = co_await scan();
    if (!looked) co_return fail(looked.error());
    FolderNews news;
    // UIDs are new at each scan: what is longer has grown at its end.
    for (std::size_t i = before; i < scan_.entries.size(); ++i)
      news.arrived.push_back(scan_.entries[i].uid);
    if (!news.empty() || deadline.passed() || std::exchange(woken_, false)) co_return news;
    const Deadline next = Deadline::in(look_again);
    co_await async::sleep_until(deadline.or_before(next));
  }
}

}  // namespace

Task<Mail<std::unique_ptr<MailStore>>> open_mbox_store(const Account& account, Deadline deadline) {
  auto opened = std::make_unique<MboxStore>(account);
  opened->set_deadline(deadline);
  std::unique_ptr<MailStore> result = std::move(opened);
  co_return result;
}

}  // namespace posthorn::mua
