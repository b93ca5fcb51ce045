// What a caller asks of the server, and how its answers come together.
#include <fmt/format.h>

#include <algorithm>

#include "libmail/base/text.h"
#include "libmail/session/imap_client.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;
using imap::client::Core;
using imap::client::Response;

namespace {

// Collects the answers of one type.
template <class T>
struct Collect final : ImapSink {
  static constexpr std::size_t most = 200'000;
  std::vector<T> all;
  void data(Response&& response) override {
    if (auto* const one = std::get_if<T>(&response)) all.push_back(std::move(*one));
  }
  [[nodiscard]] std::string_view refuses() const override {
    return all.size() > most ? "the server's answer has more than 200000 lines" : "";
  }
};

// More UIDs than any mailbox has are a trick.
constexpr std::uint64_t most_found = 10'000'000;
constexpr std::string_view too_many_found = "the server's answer has more than 10000000 UIDs";

// SEARCH's and SORT's answers, in either form.
struct Found final : ImapSink {
  bool sorted = false;
  std::vector<std::uint32_t> numbers;     // in order
  std::vector<imap::NumberRange> ranges;  // of ESEARCH, in order
  void data(Response&& response) override {
    if (auto* const old = std::get_if<imap::client::SearchNumbers>(&response)) {
      numbers.insert(numbers.end(), old->numbers.begin(), old->numbers.end());
    } else if (auto* const found = std::get_if<imap::client::ESearch>(&response)) {
      if (found->uid) ranges.insert(ranges.end(), found->all_order.begin(), found->all_order.end());
    }
  }
  [[nodiscard]] std::string_view refuses() const override {
    return numbers.size() > most_found || ranges.size() > most_found ? too_many_found : "";
  }
};

struct Changes final : ImapSink {
  bool& changed;
  explicit Changes(bool& flag) : changed(flag) {}
  void data(Response&& response) override {
    changed |= std::holds_alternative<imap::client::Exists>(response) ||
               std::holds_alternative<imap::client::Expunged>(response) ||
               std::holds_alternative<imap::client::Vanished>(response) ||
               std::holds_alternative<imap::client::Fetched>(response) ||
               std::holds_alternative<imap::client::StatusAnswer>(response) ||
               std::holds_alternative<imap::client::ListData>(response) ||
               std::holds_alternative<imap::client::ESearch>(response);
  }
};

struct WholeSource final : ImapSource {
  std::string octets;
  Task<Result<std::string, std::string>> next() override { co_return std::move(octets); }
};

// Dovecot says COPYUID of a MOVE in an untagged OK (RFC 6851 4.3), of COPY in the tagged one.
struct CopySink final : ImapSink {
  std::optional<imap::CopyUid> uids;
  void data(Response&& response) override {
    if (const auto* const status = std::get_if<imap::StatusText>(&response))
      if (auto copied = imap::copy_uid(status->code)) uids = std::move(copied);
  }
};

template <class T>
ImapResult<T> failed(ImapError error) {
  return fail(std::move(error));
}

}  // namespace

// --- mailboxes ---

Task<ImapResult<imap::client::Selected>> ImapClient::select(imap::Select what, ImapSink& sink,
                                                            Deadline deadline) {
  if (!is_enabled("QRESYNC")) what.qresync.reset();
  what.condstore = what.condstore && capabilities().condstore();
  auto done = co_await run(imap::client::select(manner(), what), sink, deadline);
  if (!done) co_return failed<imap::client::Selected>(std::move(done.error()));
  co_return core_->mailbox();
}

Task<ImapResult<imap::client::Selected>> ImapClient::select(std::string name, Deadline deadline) {
  ImapSink sink;
  imap::Select what;
  what.mailbox.name = std::move(name);
  what.condstore = true;
  auto result = co_await select(std::move(what), sink, deadline);
  co_return result;
}

Task<ImapResult<imap::client::Selected>> ImapClient::examine(std::string name, Deadline deadline) {
  ImapSink sink;
  imap::Select what;
  what.mailbox.name = std::move(name);
  what.read_only = true;
  what.condstore = true;
  auto result = co_await select(std::move(what), sink, deadline);
  co_return result;
}

Task<ImapResult<void>> ImapClient::unselect(Deadline deadline) {
  const bool offered = offers("UNSELECT") || capabilities().rev2();
  if (offered) {
    auto done = co_await run_plain(imap::client::simple("UNSELECT", imap::client::Answers::alone),
                                   deadline);
    co_return done;
  }
  // RFC 3691 section 1: a SELECT that fails deselects. A name that no server has; EXAMINE, in case one does.
  imap::Select nothing;
  nothing.read_only = true;
  nothing.mailbox.name = "posthorn no such mailbox";
  auto done = co_await run_plain(imap::client::select(manner(), nothing), deadline);
  if (!done && done.error().kind != ImapError::Kind::no) co_return done;
  co_return ImapResult<void>();
}

Task<ImapResult<std::vector<imap::ListEntry>>> ImapClient::list(imap::List what,
                                                                Deadline deadline) {
  Collect<imap::client::ListData> sink;
  auto done = co_await run_collected(imap::client::list(manner(), what), sink, deadline);
  if (!done) co_return failed<std::vector<imap::ListEntry>>(std::move(done.error()));
  std::vector<imap::ListEntry> entries;
  for (imap::client::ListData& one : sink.all)
    if (one.lsub == what.lsub) entries.push_back(std::move(one.entry));
  co_return entries;
}

Task<ImapResult<imap::StatusData>> ImapClient::status(std::string name, imap::StatusItems items,
                                                      Deadline deadline) {
  Collect<imap::client::StatusAnswer> sink;
  auto done = co_await run_collected(imap::client::status(manner(), name, items), sink, deadline);
  if (!done) co_return failed<imap::StatusData>(std::move(done.error()));
  for (imap::client::StatusAnswer& one : sink.all)
    if (one.mailbox == name) co_return std::move(one.data);
  co_return failed<imap::StatusData>(
      ImapError(ImapError::Kind::bad, "STATUS: the server says OK and no figures"));
}

Task<ImapResult<void>> ImapClient::create(imap::Create what, Deadline deadline) {
  if (!offers("CREATE-SPECIAL-USE")) what.special_use.clear();
  auto done = co_await run_plain(imap::client::create(manner(), what), deadline);
  co_return done;
}

Task<ImapResult<void>> ImapClient::remove(std::string name, Deadline deadline) {
  auto done = co_await run_plain(imap::client::on_mailbox(manner(), "DELETE", name), deadline);
  co_return done;
}

Task<ImapResult<void>> ImapClient::rename(std::string from, std::string to, Deadline deadline) {
  auto done = co_await run_plain(imap::client::rename(manner(), from, to), deadline);
  co_return done;
}

Task<ImapResult<void>> ImapClient::subscribe(std::string name, bool on, Deadline deadline) {
  const std::string_view command = on ? "SUBSCRIBE" : "UNSUBSCRIBE";
  auto done = co_await run_plain(imap::client::on_mailbox(manner(), command, name), deadline);
  co_return done;
}

// --- messages ---

Task<ImapResult<void>> ImapClient::fetch(imap::Fetch what, ImapSink& sink, Deadline deadline) {
  auto done = co_await run(imap::client::fetch(what), sink, deadline);
  if (!done) co_return fail(std::move(done.error()));
  co_return ImapResult<void>();
}

Task<ImapResult<void>> ImapClient::uid_fetch(imap::SequenceSet uids,
                                             std::vector<imap::FetchItem> items, ImapSink& sink,
                                             Deadline deadline) {
  imap::Fetch what;
  what.uid = true;
  what.messages = std::move(uids);
  what.items = std::move(items);
  auto done = co_await fetch(std::move(what), sink, deadline);
  co_return done;
}

Task<ImapResult<imap::NumberSet>> ImapClient::uid_search(imap::SearchKey key, Deadline deadline) {
  imap::Search what;
  what.uid = true;
  if (key.needs_charset() && !core_->manner().utf8) what.charset = "UTF-8";
  what.key = std::move(key);
  if (offers("ESEARCH") || capabilities().rev2()) what.returns.emplace().all = true;
  Found found;
  auto done = co_await run_collected(imap::client::search(manner(), what), found, deadline);
  if (!done) co_return failed<imap::NumberSet>(std::move(done.error()));
  for (const std::uint32_t uid : found.numbers) found.ranges.emplace_back(uid, uid);
  auto uids = imap::NumberSet::of_ranges(std::move(found.ranges));
  if (uids.count() > most_found)
    co_return failed<imap::NumberSet>(
        ImapError(ImapError::Kind::lost, std::string(too_many_found)));
  co_return uids;
}

Task<ImapResult<std::vector<std::uint32_t>>> ImapClient::uid_sort(
    std::vector<imap::SortCriterion> by, imap::SearchKey key, Deadline deadline) {
  imap::Sort what;
  what.uid = true;
  what.criteria = std::move(by);
  what.charset = "UTF-8";
  what.key = std::move(key);
  if (offers("ESORT")) what.returns.emplace().all = true;
  Found found;
  auto done = co_await run_collected(imap::client::sort(manner(), what), found, deadline);
  if (!done) co_return failed<std::vector<std::uint32_t>>(std::move(done.error()));
  std::uint64_t count = found.numbers.size();
  for (const imap::NumberRange& range : found.ranges)
    count += (range.first < range.last ? range.last - range.first : range.first - range.last) +
             std::uint64_t{1};
  if (count > most_found)
    co_return failed<std::vector<std::uint32_t>>(
        ImapError(ImapError::Kind::lost, std::string(too_many_found)));
  for (const imap::NumberRange& range : found.ranges) {
    std::uint32_t uid = range.first;
    found.numbers.push_back(uid);
    while (uid != range.last) found.numbers.push_back(range.first < range.last ? ++uid : --uid);
  }
  co_return std::move(found.numbers);
}

Task<ImapResult<std::vector<imap::ThreadEntry>>> ImapClient::uid_thread(imap::ThreadAlgorithm by,
                                                                        imap::SearchKey key,
                                                                        Deadline deadline) {
  imap::Thread what;
  what.uid = true;
  what.algorithm = by;
  what.charset = "UTF-8";
  what.key = std::move(key);
  Collect<imap::client::ThreadData> sink;
  auto done = co_await run_collected(imap::client::thread(manner(), what), sink, deadline);
  if (!done) co_return failed<std::vector<imap::ThreadEntry>>(std::move(done.error()));
  std::vector<imap::ThreadEntry> all;
  for (const imap::client::ThreadData& one : sink.all)
    all.insert(all.end(), one.threads.begin(), one.threads.end());
  co_return all;
}

Task<ImapResult<imap::NumberSet>> ImapClient::store(imap::Store what, Deadline deadline) {
  ImapSink sink;
  auto done = co_await run(imap::client::store(what), sink, deadline);
  if (!done) co_return failed<imap::NumberSet>(std::move(done.error()));
  imap::NumberSet unchanged;
  if (done->code.is("MODIFIED")) {
    imap::Scanner in(done->code.arguments);
    unchanged = imap::scan_number_set(in);
  }
  co_return unchanged;
}

Task<ImapResult<CopyResult>> ImapClient::uid_copy(imap::SequenceSet uids, std::string to,
                                                  Deadline deadline) {
  imap::Copy what;
  what.uid = true;
  what.messages = std::move(uids);
  what.to.name = std::move(to);
  CopySink sink;
  auto done = co_await run(imap::client::copy(manner(), what), sink, deadline);
  if (!done) co_return failed<CopyResult>(std::move(done.error()));
  CopyResult result;
  result.uids = imap::copy_uid(done->code);
  co_return result;
}

Task<ImapResult<CopyResult>> ImapClient::uid_move(imap::SequenceSet uids, std::string to,
                                                  Deadline deadline) {
  CopyResult result;
  if (offers("MOVE") || capabilities().rev2()) {
    imap::Copy what;
    what.uid = true;
    what.move = true;
    what.messages = std::move(uids);
    what.to.name = std::move(to);
    CopySink sink;
    auto done = co_await run(imap::client::copy(manner(), what), sink, deadline);
    if (!done) co_return failed<CopyResult>(std::move(done.error()));
    result.uids = std::move(sink.uids);
    if (!result.uids) result.uids = imap::copy_uid(done->code);
    co_return result;
  }
  auto copied = co_await uid_copy(uids, std::move(to), deadline);
  if (!copied) co_return copied;
  imap::Store mark;
  mark.uid = true;
  mark.messages = uids;
  mark.how = imap::Store::How::add;
  mark.silent = true;
  mark.flags.set(imap::SystemFlag::deleted);
  auto marked = co_await store(std::move(mark), deadline);
  if (!marked) co_return failed<CopyResult>(std::move(marked.error()));
  if (offers("UIDPLUS")) {
    auto expunged = co_await uid_expunge(std::move(uids), deadline);
    if (!expunged) co_return failed<CopyResult>(std::move(expunged.error()));
  }
  co_return copied;
}

Task<ImapResult<void>> ImapClient::uid_expunge(imap::SequenceSet uids, Deadline deadline) {
  if (!offers("UIDPLUS") && !capabilities().rev2())
    co_return fail(ImapError(ImapError::Kind::no, "UID EXPUNGE: the server has no UIDPLUS"));
  auto done = co_await run_plain(imap::client::uid_expunge(uids), deadline);
  co_return done;
}

Task<ImapResult<AppendResult>> ImapClient::append(std::string mailbox, imap::AppendMessage message,
                                                  std::uint64_t size, ImapSource& source,
                                                  Deadline deadline) {
  ImapSink sink;
  const auto id = core_->send(imap::client::append(manner(), mailbox, message, size));
  std::uint64_t left = size;
  while (true) {
    while (left > 0 && core_->may_send_octets(id)) {
      auto piece = co_await source.next();
      if (!piece || piece->empty()) {
        failure_ =
            ImapError(ImapError::Kind::source,
                      "APPEND: " + (piece ? std::string("the message is shorter than announced")
                                          : printable(piece.error())));
        core_->lost("the message can't be read");
        if (stream_ != nullptr) stream_->close();
        co_return failed<AppendResult>(trouble());
      }
      const std::uint64_t used = std::min<std::uint64_t>(left, piece->size());
      core_->octets(std::string_view(*piece).substr(0, static_cast<std::size_t>(used)));
      left -= used;
      co_await flush(deadline);
    }
    auto event = co_await next_event(options_.timeouts.silence, deadline);
    if (!event) co_return failed<AppendResult>(trouble());
    if (hand_on(*event, sink)) continue;
    const auto* const done = std::get_if<imap::client::Done>(&*event);
    if (done == nullptr || done->id != id) continue;
    if (core_->octets_left() > 0) {
      // Refused in its middle. The rest would have to be sent for nothing.
      core_->lost("the server refused the message before its end");
      if (stream_ != nullptr) stream_->close();
    }
    if (done->status.condition != imap::Condition::ok)
      co_return failed<AppendResult>(refusal("APPEND", done->status));
    AppendResult result;
    result.uid = imap::append_uid(done->status.code);
    co_return result;
  }
}

Task<ImapResult<AppendResult>> ImapClient::append(std::string mailbox, imap::AppendMessage message,
                                                  std::string octets, Deadline deadline) {
  const std::uint64_t size = octets.size();
  WholeSource source;
  source.octets = std::move(octets);
  auto done = co_await append(std::move(mailbox), std::move(message), size, source, deadline);
  co_return done;
}

Task<ImapResult<void>> ImapClient::noop(Deadline deadline) {
  auto done = co_await run_plain(imap::client::simple("NOOP"), deadline);
  co_return done;
}

// --- waiting ---

Task<ImapResult<IdleEnd>> ImapClient::idle(Deadline deadline) {
  woken_ = false;
  changed_ = false;
  wake_.reset();
  if (!offers("IDLE") && !capabilities().rev2()) {
    auto polled = co_await poll(deadline);
    co_return polled;
  }
  while (!changed_ && !woken_ && !deadline.passed()) {
    const Deadline until = Deadline::in(options_.timeouts.idle).or_before(deadline);
    auto idled = co_await idle_once(until);
    co_await scope_.join();
    if (!idled) co_return failed<IdleEnd>(std::move(idled.error()));
  }
  if (changed_) co_return IdleEnd::changed;
  if (woken_) co_return IdleEnd::woken;
  co_return IdleEnd::deadline;
}

// IDLE, until something changes, wake() or `until`; DONE and its answer.
Task<ImapResult<void>> ImapClient::idle_once(Deadline until) {
  Changes sink(changed_);
  const auto id = core_->send(imap::client::simple("IDLE", imap::client::Answers::alone));
  while (core_->phase() != Core::Phase::closed) {
    const bool enough = changed_ || woken_ || until.passed();
    if (enough) core_->done_idling();
    co_await scope_.join();
    co_await flush(Deadline::never());
    std::optional<imap::client::Event> event = core_->next();
    if (!event) {
      co_await rest(until);
      continue;
    }
    if (hand_on(*event, sink)) continue;
    const auto* const done = std::get_if<imap::client::Done>(&*event);
    if (done == nullptr || done->id != id) continue;
    if (done->status.condition != imap::Condition::ok)
      co_return fail(refusal("IDLE", done->status));
    co_return ImapResult<void>();
  }
  co_return fail(trouble());
}

// In IDLE silence is what is to be expected until `until`; before its "+" and behind DONE an answer is.
Task<void> ImapClient::rest(Deadline until) {
  if (!core_->idling() || stream_ == nullptr) {
    co_await wait_for_input(options_.timeouts.silence, Deadline::never());
    co_return;
  }
  input_.clear();
  resting_ = true;
  auto count = co_await stream_->read(input_, until);
  resting_ = false;
  if (count && *count > 0) {
    core_->feed(input_.view());
  } else if (count || count.error().code != IoError::timed_out) {
    core_->lost("the server closed the connection");
  }
}

Task<ImapResult<IdleEnd>> ImapClient::poll(Deadline deadline) {
  Changes sink(changed_);
  while (true) {
    auto done = co_await run(imap::client::simple("NOOP"), sink, Deadline::never());
    if (!done) co_return failed<IdleEnd>(std::move(done.error()));
    if (changed_) co_return IdleEnd::changed;
    const Deadline until = Deadline::in(options_.timeouts.poll).or_before(deadline);
    (void)co_await wake_.wait_until(until);
    if (core_->phase() == Core::Phase::closed) co_return failed<IdleEnd>(trouble());
    if (woken_) co_return IdleEnd::woken;
    if (deadline.passed()) co_return IdleEnd::deadline;
  }
}

void ImapClient::wake() {
  woken_ = true;
  wake_.set();
  // idle() waits in a read: DONE makes the server answer.
  if (!resting_ || !core_->idling()) return;
  core_->done_idling();
  scope_.spawn(end_idling());
}

Task<void> ImapClient::end_idling() {
  co_await flush(Deadline::never());
}

}  // namespace posthorn::session
