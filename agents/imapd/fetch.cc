// FETCH and UID FETCH (RFC 9051 6.4.5; RFC 7162 3.1.4, 3.2.6): in runs that are made in the pool and written before the next, so
// that neither the loop nor the memory knows how many there are.
#include <algorithm>
#include <deque>
#include <memory>
#include <optional>
#include <span>

#include "agents/imapd/commands.h"
#include "agents/imapd/fetch_render.h"
#include "agents/imapd/flags_line.h"
#include "agents/imapd/large_message.h"
#include "agents/imapd/message_limit.h"
#include "libmail/async/scope.h"

namespace posthorn::imapd {

using Kind = imap::FetchItem::Kind;

namespace {

constexpr std::size_t run_messages = 500;
constexpr std::size_t run_bodies = 32;  // the same where whole messages are asked for
constexpr std::size_t run_octets = 256 * 1024;
constexpr std::size_t side_by_side = 2;  // runs that are made, or wait to be written

bool has(const std::vector<imap::FetchItem>& items, Kind kind) {
  return std::any_of(items.begin(), items.end(),
                     [kind](const imap::FetchItem& item) { return item.kind == kind; });
}

// What the client gets: what it asked for, and what its command implies.
std::vector<imap::FetchItem> items_of(const imap::Fetch& command, const Enabled& enabled) {
  std::vector<imap::FetchItem> items = command.items;
  const bool with_modseq = enabled.condstore;
  if (command.uid && !enabled.uid_only && !has(items, Kind::uid))
    items.insert(items.begin(), imap::FetchItem(Kind::uid));
  if (with_modseq && (command.changed_since || has(items, Kind::flags)) &&
      !has(items, Kind::modseq))
    items.emplace_back(Kind::modseq);
  return items;
}

std::vector<std::uint32_t> unseen_of(const Selected& selected,
                                     const std::vector<std::uint32_t>& uids) {
  const auto snapshot = selected.mailbox->snapshot();
  std::vector<std::uint32_t> unseen;
  for (const std::uint32_t uid : uids) {
    const auto row = snapshot->find(uid);
    if (row && (row->flags & store::flag::seen) == 0) unseen.push_back(uid);
  }
  return unseen;
}

// Marks them as \Seen; `marked` are those it changed. Something: why FETCH can't go on.
Task<std::optional<Reply>> mark_seen(Session& session, const std::vector<std::uint32_t>& unseen,
                                     std::vector<std::uint32_t>& marked) {
  auto stopped = co_await session.look_again();
  if (stopped) co_return stopped;
  Selected& selected = *session.selected();
  store::FlagChange change;
  change.flags = store::flag::seen;
  auto mailbox = selected.mailbox;
  auto work = [&] { return mailbox->store_flags(unseen, change); };
  auto stored = co_await session.in_store(std::move(work));
  if (!stored) co_return session.refusal(stored.error());
  marked = std::move(stored->changed);
  selected.told_modseq = stored->modseq;
  co_return std::nullopt;
}

// UIDs the command is about, after CHANGEDSINCE and PARTIAL.
void narrow(const Selected& selected, const imap::Fetch& command,
            std::vector<std::uint32_t>& uids) {
  if (command.changed_since) {
    const auto snapshot = selected.mailbox->snapshot();
    std::erase_if(uids, [&](std::uint32_t uid) {
      const auto row = snapshot->find(uid);
      return !row || row->modseq <= *command.changed_since;
    });
  }
  if (!command.partial) return;
  const std::size_t first = command.partial->first - 1;
  const std::size_t count = command.partial->last - first;
  if (command.partial->from_end) {
    const std::size_t end = uids.size() - std::min(first, uids.size());
    const std::size_t begin = end - std::min(count, end);
    uids = std::vector<std::uint32_t>(uids.begin() + static_cast<std::ptrdiff_t>(begin),
                                      uids.begin() + static_cast<std::ptrdiff_t>(end));
    return;
  }
  if (first >= uids.size()) return uids.clear();
  uids.erase(uids.begin(), uids.begin() + static_cast<std::ptrdiff_t>(first));
  if (uids.size() > count) uids.resize(count);
}

struct Sent {
  std::size_t gone = 0;
  bool unknown_cte = false;
  bool too_much = false;
  std::optional<Reply> failed;
  Sent() = default;
};

// Messages of a FETCH, made in the pool.
struct Run {
  std::span<const FetchedMessage> messages;
  std::optional<store::StoreResult<Rendered>> made;
  async::Event ready;
  explicit Run(std::span<const FetchedMessage> some) : messages(some) {}
};

// All messages of a FETCH, run by run: the next ones are made side by side while one is written. A run that has said enough leaves
// its last messages to another in its place.
class Runs {
 public:
  Runs(Session& session, const FetchPlan& plan, const std::vector<FetchedMessage>& messages)
      : session_(session),
        mailbox_(session.selected()->mailbox),
        plan_(plan),
        messages_(messages) {}
  [[nodiscard]] store::OpenMailbox& mailbox() { return *mailbox_; }
  [[nodiscard]] bool is_done() const { return at_ == messages_.size(); }
  [[nodiscard]] const FetchedMessage& message() const { return messages_[at_]; }
  // Something: this message is sent by itself, and then passed.
  [[nodiscard]] std::optional<std::size_t> large() const {
    if (!queue_.empty()) return std::nullopt;
    return find_large(*mailbox_, plan_, message());
  }
  void pass() { next_ = ++at_; }
  Task<store::StoreResult<Rendered>> take() {
    fill();
    const std::shared_ptr<Run> run = std::move(queue_.front());
    queue_.pop_front();
    co_await run->ready.wait();
    store::StoreResult<Rendered> made = std::move(*run->made);
    if (made) {
      for (MadeValues& values : made->made)
        session_.accounts().value_keeper().keep(mailbox_, std::move(values));
      at_ += made->done;
      if (made->done < run->messages.size())
        queue_.push_front(start(run->messages.subspan(made->done)));
      fill();
    }
    co_return made;
  }
  // Before it goes away.
  Task<void> end() { co_await scope_.join(); }

 private:
  std::shared_ptr<Run> start(std::span<const FetchedMessage> messages) {
    auto run = std::make_shared<Run>(messages);
    scope_.spawn(make(run));
    return run;
  }
  Task<void> make(std::shared_ptr<Run> run) {
    auto work = [this, &run] { return render(*mailbox_, plan_, run->messages, run_octets); };
    auto made = co_await session_.in_store(std::move(work));
    run->made.emplace(std::move(made));
    run->ready.set();
  }
  void fill() {
    const std::size_t most = plan_.text ? run_bodies : run_messages;
    while (queue_.size() < side_by_side && next_ < messages_.size()) {
      const auto rest = messages_.subspan(next_);
      const auto run = until_large(*mailbox_, plan_, rest.first(std::min(most, rest.size())));
      if (run.empty()) return;
      next_ += run.size();
      queue_.push_back(start(run));
    }
  }

  Session& session_;
  std::shared_ptr<store::OpenMailbox> mailbox_;
  const FetchPlan& plan_;
  std::span<const FetchedMessage> messages_;
  std::size_t at_ = 0;    // answered
  std::size_t next_ = 0;  // in no run yet
  std::deque<std::shared_ptr<Run>> queue_;
  async::Scope scope_;
};

Task<Sent> send_runs(Session& session, const FetchPlan& plan, Runs& runs) {
  Sent sent;
  while (!runs.is_done()) {
    const auto large = runs.large();
    if (large) {
      auto one = co_await send_large(session, runs.mailbox(), plan, runs.message(), *large);
      if (one.error) sent.failed = session.refusal(*one.error);
      if (one.error || !one.goes_on) co_return sent;
      if (one.gone) ++sent.gone;
      sent.unknown_cte = sent.unknown_cte || one.unknown_cte;
      sent.too_much = sent.too_much || one.too_much;
      runs.pass();
      continue;
    }
    auto rendered = co_await runs.take();
    if (!rendered) {
      sent.failed = session.refusal(rendered.error());
      co_return sent;
    }
    sent.gone += rendered->gone;
    sent.unknown_cte = sent.unknown_cte || rendered->unknown_cte;
    sent.too_much = sent.too_much || rendered->too_much;
    const bool goes_on = co_await session.out().write(std::move(rendered->octets));
    if (!goes_on) co_return sent;
  }
  co_return sent;
}

Task<Sent> send_all(Session& session, const FetchPlan& plan,
                    const std::vector<FetchedMessage>& messages) {
  Runs runs(session, plan, messages);
  Sent sent = co_await send_runs(session, plan, runs);
  co_await runs.end();
  co_return sent;
}

}  // namespace

Task<void> fetch_new(Session& session, std::vector<imap::FetchItem> items, std::uint32_t first) {
  const Selected& selected = *session.selected();
  const store::UidRuns& uids = selected.view.uids();
  FetchPlan plan(std::move(items));
  plan.recent_from = selected.recent_from;
  plan.uid_only = session.enabled().uid_only;
  std::vector<FetchedMessage> messages;
  for (std::uint32_t number = uids.count_below(first) + 1; number <= uids.size(); ++number) {
    const std::uint32_t uid = uids.uid_of(number);
    const auto& own = selected.own_new;
    if (std::find(own.begin(), own.end(), uid) == own.end())
      messages.emplace_back(number, uid, false);
  }
  const Sent sent = co_await send_all(session, plan, messages);
  (void)sent;  // what can't be sent now the client asks for
}

Task<Reply> run(Session& session, const imap::Fetch& command) {
  Selected& selected = *session.selected();
  auto uids = uids_of(selected, command.messages, command.uid);
  if (!uids) co_return imap::bad("there is no such message number");
  if (command.vanished && !(command.uid && session.enabled().qresync))
    co_return imap::bad("VANISHED needs UID FETCH and QRESYNC enabled");
  if (command.changed_since || has(command.items, Kind::modseq)) session.enabled().condstore = true;
  if (command.vanished) {
    imap::NumberSet wanted = command.messages.is_saved()
                                 ? selected.saved
                                 : command.messages.resolve(selected.view.uid_next() - 1);
    co_await say_vanished_since(session, *command.changed_since, std::move(wanted));
  }
  narrow(selected, command, *uids);
  const imap::ResponseCode limited = limit_messages(session, *uids);

  const bool seen = std::any_of(command.items.begin(), command.items.end(),
                                [](const imap::FetchItem& item) { return item.sets_seen(); }) &&
                    !selected.read_only && selected.may(store::Right::write_seen);
  std::vector<std::uint32_t> marked;
  std::vector<std::uint32_t> unseen;
  if (seen) unseen = unseen_of(selected, *uids);
  if (!unseen.empty()) {
    const auto stopped = co_await mark_seen(session, unseen, marked);
    if (stopped) co_return *stopped;
  }
  FetchPlan plan(items_of(command, session.enabled()));
  plan.recent_from = selected.recent_from;
  plan.tell_modseq = session.enabled().condstore;
  plan.uid_only = session.enabled().uid_only;
  std::vector<FetchedMessage> messages;
  messages.reserve(uids->size());
  for (const std::uint32_t uid : *uids)
    messages.emplace_back(*selected.view.uids().sequence_of(uid), uid,
                          std::binary_search(marked.begin(), marked.end(), uid));
  uids.reset();
  const Sent sent = co_await send_all(session, plan, messages);
  if (sent.failed) co_return *sent.failed;
  co_await session.announce_known(command.uid);
  if (session.selected() != nullptr) session.selected()->told_modseq = 0;
  if (sent.unknown_cte) co_return imap::no("UNKNOWN-CTE", "the encoding of a part is not known");
  if (sent.too_much) co_return imap::no("LIMIT", "that is more than a message has, ask for less");
  if (sent.gone != 0) co_return imap::no("EXPUNGEISSUED", "some messages are gone");
  co_return imap::ok(limited, "FETCH done");
}

}  // namespace posthorn::imapd
