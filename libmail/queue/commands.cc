#include "libmail/queue/commands.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "libmail/base/text.h"

namespace posthorn::queue {
namespace {

constexpr std::size_t piece_octets = 256 << 10;

std::string json_time(WallTime time) {
  return time == WallTime() ? "null" : json_text(format_rfc3339(time));
}

std::string_view phase_name(Phase phase) {
  switch (phase) {
    case Phase::pending:
    case Phase::unresolved:
      return "pending";
    case Phase::sent:
    case Phase::sent_owed:
      return "sent";
    case Phase::bounced:
    case Phase::reported:
      return "bounced";
    case Phase::replaced:
      return "replaced";
  }
  return "?";
}

std::string address_of(const smtp::ReversePath& path) {
  return path ? smtp::format_mailbox(*path) : std::string();
}

CommandError io_failure(const IoError& error) {
  return CommandError("io", error.text());
}

smtp::ReversePath sender_of(const RecipientState& recipient, const smtp::Envelope& envelope) {
  return recipient.sender ? *recipient.sender : envelope.reverse_path;
}

// The recipients that are not settled, each with its sender.
std::vector<RecipientState> open_recipients(const Loaded& loaded) {
  std::vector<RecipientState> open;
  if (!loaded.state.expanded) {
    for (const smtp::Recipient& recipient : loaded.entry.envelope.recipients) {
      open.emplace_back(recipient);
    }
    return open;
  }
  for (const RecipientState& recipient : loaded.state.recipients) {
    if (is_open(recipient.phase)) open.push_back(recipient);
  }
  return open;
}

}  // namespace

std::string json_text(std::string_view text) {
  std::string out = "\"";
  // JSON is UTF-8; octets that are not would make all of it unreadable.
  const std::string safe = is_utf8(text) ? std::string(text) : printable(text, text.size());
  for (const char c : safe) {
    if (c == '"' || c == '\\') {
      (out += '\\') += c;
    } else if (static_cast<unsigned char>(c) < ' ') {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out += '"';
}

std::string state_of(const Message& message, WallTime now) {
  if (message.held) return "held";
  if (message.station == Station::working) return "active";
  const WallTime next{std::chrono::seconds(message.next)};
  return next > now ? "deferred" : "ready";
}

Row make_row(const Loaded& loaded, std::string state) {
  const smtp::Envelope& envelope = loaded.entry.envelope;
  Row row;
  row.id = loaded.header.id.text();
  row.trace_id = envelope.trace_id;
  row.from = address_of(envelope.reverse_path);
  row.arrival = envelope.arrival;
  row.size = loaded.header.body_size;
  row.state = std::move(state);
  row.attempts = loaded.state.attempts;
  if (row.state == "deferred") row.next = loaded.state.next;
  row.hold_reason = loaded.state.hold_reason;
  std::vector<RecipientState> fresh;
  if (!loaded.state.expanded) fresh = open_recipients(loaded);
  for (const RecipientState& recipient : loaded.state.expanded ? loaded.state.recipients : fresh) {
    Row::To& to = row.recipients.emplace_back();
    to.address = smtp::format_mailbox(recipient.recipient.mailbox);
    to.status = phase_name(recipient.phase);
    if (recipient.last.enhanced.none()) continue;
    to.dsn = recipient.last.enhanced.text();
    to.text = recipient.last.text;
    to.relay = recipient.last.remote_mta;
    to.when = recipient.when;
  }
  return row;
}

std::string to_json(const Row& row) {
  std::string out = fmt::format(
      R"({{"id":{},"trace_id":{},"from":{},"arrival":{},"size":{},"state":{},"attempts":{},"next":{},)"
      R"("hold_reason":{},"recipients":[)",
      json_text(row.id), json_text(row.trace_id), json_text(row.from), json_time(row.arrival),
      row.size, json_text(row.state), row.attempts, json_time(row.next),
      json_text(row.hold_reason));
  bool first = true;
  for (const Row::To& to : row.recipients) {
    if (!std::exchange(first, false)) out += ',';
    out += fmt::format(R"({{"to":{},"status":{},"dsn":{},"text":{},"relay":{},"last_attempt":{}}})",
                       json_text(to.address), json_text(to.status), json_text(to.dsn),
                       json_text(to.text), json_text(to.relay), json_time(to.when));
  }
  return out += "]}";
}

std::string to_json(const std::vector<Row>& rows, bool more) {
  std::string out = R"({"messages":[)";
  bool first = true;
  for (const Row& row : rows) {
    if (!std::exchange(first, false)) out += ',';
    out += to_json(row);
  }
  return out += more ? R"(],"more":true})" : R"(],"more":false})";
}

bool matches(const Row& row, const Filter& filter) {
  if (!filter.state.empty() && row.state != filter.state) return false;
  const std::string_view from = filter.from == "<>" ? std::string_view() : filter.from;
  if (!filter.from.empty() && !iequals(row.from, from)) return false;
  if (filter.to.empty()) return true;
  const auto is_meant = [&filter](const Row::To& to) {
    const std::string_view address = to.address;
    if (filter.to.front() != '@') return iequals(address, filter.to);
    return address.size() > filter.to.size() &&
           iequals(address.substr(address.size() - filter.to.size()), filter.to);
  };
  return std::any_of(row.recipients.begin(), row.recipients.end(), is_meant);
}

std::vector<MessageId> next_ids(const Store& store, const MessageId& after, std::size_t count) {
  std::vector<MessageId> ids;
  for (const Message* message : store.messages()) {
    if (message->id > after && !message->doomed) ids.push_back(message->id);
  }
  const std::size_t kept = std::min(count, ids.size());
  std::partial_sort(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(kept), ids.end());
  ids.resize(kept);
  return ids;
}

Result<void, IoError> write_body(Files& files, const Layout& layout, const Loaded& loaded,
                                 const Sink& sink) {
  if (loaded.header.place == BodyPlace::inline_body) return sink(loaded.body);
  const std::string path = layout.spooled(loaded.header.id);
  Result<std::unique_ptr<File>, IoError> file = files.open(path, OpenFor::reading, 0);
  if (!file) return fail(file.error());
  std::uint64_t at = 0;
  while (at < loaded.header.body_size) {
    const Result<std::string, IoError> piece = (*file)->pread(at, piece_octets);
    if (!piece) return fail(piece.error());
    if (piece->empty()) return fail(IoError(EBADMSG, "read", path));
    const Result<void, IoError> taken = sink(*piece);
    if (!taken) return taken;
    at += piece->size();
  }
  return {};
}

Result<void, IoError> write_batch(Files& files, const Layout& layout, const Loaded& loaded,
                                  const Sink& sink) {
  std::vector<RecipientState> open = open_recipients(loaded);
  while (!open.empty()) {
    smtp::Envelope envelope = loaded.entry.envelope;
    envelope.recipients.clear();
    const bool is_member = open.front().sender.has_value();
    const smtp::ReversePath sender = sender_of(open.front(), loaded.entry.envelope);
    envelope.reverse_path = sender;
    if (is_member) {
      envelope.ret = smtp::Ret::unspecified;
      envelope.envid.reset();
    }
    std::vector<RecipientState> others;
    for (RecipientState& recipient : open) {
      const bool goes_along = recipient.sender.has_value() == is_member &&
                              sender_of(recipient, loaded.entry.envelope) == sender;
      if (goes_along) {
        envelope.recipients.push_back(std::move(recipient.recipient));
      } else {
        others.push_back(std::move(recipient));
      }
    }
    open = std::move(others);

    BatchWriter writer;
    std::string out;
    writer.begin(out, envelope);
    Result<void, IoError> done = sink(out);
    const Sink encode = [&writer, &sink](std::string_view piece) {
      std::string encoded;
      writer.text(encoded, piece);
      return sink(encoded);
    };
    if (done) done = write_body(files, layout, loaded, encode);
    out.clear();
    writer.end(out);
    if (done) done = sink(out);
    if (!done) return done;
  }
  return {};
}

async::Task<Result<void, CommandError>> Importer::feed(std::string_view octets) {
  while (true) {
    const Result<BatchReader::Event, BatchError> event = reader_.next(octets);
    if (!event) {
      co_return fail(CommandError(
          "bad-batch", fmt::format("line {}: {}", event.error().line, event.error().text)));
    }
    if (*event == BatchReader::Event::more) co_return Result<void, CommandError>();
    if (*event == BatchReader::Event::envelope) {
      envelope_ = reader_.envelope();
      const MessageId id = intake_.next_id();
      envelope_.id = id.text();
      envelope_.trace_id = envelope_.id;
      envelope_.user = user_;
      envelope_.arrival = wall_now();
      envelope_.client.local = true;
      incoming_ = std::make_unique<Incoming>(intake_.begin(id));
    }
    if (*event == BatchReader::Event::text) {
      std::string text = std::move(reader_.text());
      auto written = co_await incoming_->write(std::move(text));
      if (!written) co_return fail(CommandError("io", written.error().text()));
    }
    if (*event == BatchReader::Event::message) {
      auto ended = co_await end_message();
      if (!ended) co_return ended;
    }
  }
}

async::Task<Result<void, CommandError>> Importer::end_message() {
  std::string id = envelope_.id;
  Entry entry(std::move(envelope_));
  auto taken = co_await incoming_->commit(std::move(entry));
  incoming_.reset();
  if (!taken) co_return fail(CommandError("io", taken.error().text()));
  ids_.push_back(std::move(id));
  co_return Result<void, CommandError>();
}

Result<void, CommandError> Importer::finish() {
  const Result<void, BatchError> ended = reader_.finish();
  if (ended) return {};
  return fail(CommandError("bad-batch", ended.error().text));
}

void set_held(MessageState& state, std::string reason) {
  state.held = true;
  state.hold_reason = std::move(reason);
}

void set_released(MessageState& state) {
  state.held = false;
  state.hold_reason.clear();
  state.next = WallTime();
}

void set_requeued(MessageState& state) {
  state.next = WallTime();
  for (RecipientState& recipient : state.recipients) {
    if (is_open(recipient.phase)) recipient.phase = Phase::unresolved;
  }
}

Result<std::unique_ptr<OfflineQueue>, IoError> OfflineQueue::open(Files& files, Layout layout) {
  StoreOptions options;
  options.keep_free = 0;
  Result<std::unique_ptr<Store>, IoError> store = Store::open(files, std::move(layout), options);
  if (!store) return fail(store.error());
  return std::unique_ptr<OfflineQueue>(new OfflineQueue(std::move(*store)));
}

Result<Message*, CommandError> OfflineQueue::find(std::string_view id) {
  const std::optional<MessageId> parsed = MessageId::parse(id);
  Message* message = parsed ? store_->find(*parsed) : nullptr;
  if (message != nullptr) return message;
  return fail(
      CommandError("not-found", fmt::format("no message {} is in the queue", printable(id))));
}

Result<void, CommandError> OfflineQueue::write_down() {
  const Result<void, IoError> written = store_->flush_now();
  if (!written) return fail(io_failure(written.error()));
  return {};
}

Result<std::vector<Row>, CommandError> OfflineQueue::list(const Filter& filter, bool* more) {
  std::vector<Row> rows;
  if (more != nullptr) *more = false;
  const WallTime now = wall_now();
  for (const MessageId& id : next_ids(*store_, filter.after, store_->size())) {
    const Message& message = *store_->find(id);
    const auto loaded = store_->load_now(message);
    if (!loaded) return fail(io_failure(loaded.error()));
    Row row = make_row(**loaded, state_of(message, now));
    if (!matches(row, filter)) continue;
    if (rows.size() == filter.limit) {
      if (more != nullptr) *more = true;
      break;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<Row, CommandError> OfflineQueue::show(std::string_view id) {
  const Result<Message*, CommandError> message = find(id);
  if (!message) return fail(message.error());
  const auto loaded = store_->load_now(**message);
  if (!loaded) return fail(io_failure(loaded.error()));
  return make_row(**loaded, state_of(**message, wall_now()));
}

Result<void, CommandError> OfflineQueue::cat(std::string_view id, const Sink& sink) {
  const Result<Message*, CommandError> message = find(id);
  if (!message) return fail(message.error());
  const auto loaded = store_->load_now(**message);
  if (!loaded) return fail(io_failure(loaded.error()));
  const Result<void, IoError> written =
      write_body(store_->files(), store_->layout(), **loaded, sink);
  if (!written) return fail(io_failure(written.error()));
  return {};
}

Result<void, CommandError> OfflineQueue::change(std::string_view id,
                                                const std::function<void(MessageState&)>& how) {
  const Result<Message*, CommandError> message = find(id);
  if (!message) return fail(message.error());
  const auto loaded = store_->load_now(**message);
  if (!loaded) return fail(io_failure(loaded.error()));
  how((*loaded)->state);
  store_->save(**message, (*loaded)->state);
  return write_down();
}

Result<void, CommandError> OfflineQueue::hold(std::string_view id, std::string reason) {
  return change(id, [&reason](MessageState& state) { set_held(state, reason); });
}

Result<void, CommandError> OfflineQueue::release(std::string_view id) {
  return change(id, set_released);
}

Result<void, CommandError> OfflineQueue::requeue(std::string_view id) {
  return change(id, set_requeued);
}

Result<std::size_t, CommandError> OfflineQueue::flush(std::string_view id) {
  const auto due_now = [](MessageState& state) { state.next = WallTime(); };
  if (!id.empty()) {
    const Result<void, CommandError> changed = change(id, due_now);
    if (!changed) return fail(changed.error());
    return std::size_t{1};
  }
  std::size_t count = 0;
  const WallTime now = wall_now();
  for (const MessageId& each : next_ids(*store_, MessageId(), store_->size())) {
    if (state_of(*store_->find(each), now) != "deferred") continue;
    const Result<void, CommandError> changed = change(each.text(), due_now);
    if (!changed) return fail(changed.error());
    ++count;
  }
  return count;
}

Result<void, CommandError> OfflineQueue::remove(std::string_view id) {
  const Result<Message*, CommandError> message = find(id);
  if (!message) return fail(message.error());
  store_->finish(**message);
  return write_down();
}

Result<void, CommandError> OfflineQueue::export_to(std::string_view id, const Sink& sink) {
  std::vector<MessageId> ids;
  if (id.empty()) {
    ids = next_ids(*store_, MessageId(), store_->size());
  } else {
    const Result<Message*, CommandError> message = find(id);
    if (!message) return fail(message.error());
    ids.push_back((*message)->id);
  }
  for (const MessageId& each : ids) {
    const auto loaded = store_->load_now(*store_->find(each));
    if (!loaded) return fail(io_failure(loaded.error()));
    const Result<void, IoError> written =
        write_batch(store_->files(), store_->layout(), **loaded, sink);
    if (!written) return fail(io_failure(written.error()));
  }
  return {};
}

}  // namespace posthorn::queue
