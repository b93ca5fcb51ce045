#include "libmail/queue/store.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "libmail/async/files.h"
#include "libmail/async/loop.h"

namespace posthorn::queue {
namespace {

// Read at once, of what an intake has just written. A piece stays in memory as long as one of its messages; larger ones
// would be mapped and unmapped each time.
constexpr std::uint64_t piece_octets = 64 << 10;

// Two changes of a directory within the granularity of its time stamp look like one.
constexpr std::int64_t time_stamp_granularity = 20'000'000;

std::uint32_t second_of(WallTime time) {
  const auto since = std::chrono::ceil<std::chrono::seconds>(time.time_since_epoch());
  return static_cast<std::uint32_t>(std::clamp<std::int64_t>(since.count(), 0, UINT32_MAX));
}

std::shared_ptr<Loaded> make_loaded(std::shared_ptr<const std::string> octets,
                                    const Record& record) {
  auto loaded = std::make_shared<Loaded>();
  std::optional<Entry> entry = decode_entry(record.envelope);
  if (!entry) return nullptr;
  loaded->entry = std::move(*entry);
  adopt_id(loaded->entry, record.header.id);
  loaded->octets = std::move(octets);
  loaded->header = record.header;
  loaded->body = record.body;
  return loaded;
}

}  // namespace

std::string_view to_string(Notice::Kind kind) {
  switch (kind) {
    case Notice::Kind::corruption:
      return "queue-corruption";
    case Notice::Kind::damaged_outcomes:
      return "outcomes-damaged";
    case Notice::Kind::lost_spool_file:
      return "spool-file-missing";
    case Notice::Kind::outcome_failed:
      return "outcomes-unwritable";
    case Notice::Kind::outcome_recovered:
      return "outcomes-writable";
    case Notice::Kind::no_free_segment:
      return "queue-full";
    case Notice::Kind::free_segment_again:
      return "queue-has-room";
    case Notice::Kind::unknown_file:
      return "unknown-file";
    case Notice::Kind::swept:
      return "spool-swept";
    case Notice::Kind::recycled:
      return "segment-recycled";
    case Notice::Kind::copied_forward:
      return "segment-copied";
    case Notice::Kind::trouble:
      return "queue-trouble";
  }
  return "?";
}

Store::Store(Files& files, Layout layout, StoreOptions options)
    : files_(files), layout_(layout), options_(options), intake_(files, layout, options.limits) {}

Store::~Store() {
  for (Message* message : messages_) delete message;
}

Result<std::unique_ptr<Store>, IoError> Store::open(Files& files, Layout layout,
                                                    StoreOptions options) {
  Result<void, IoError> made = make_directories(files, layout, options.drop_mode);
  if (!made) return fail(made.error());
  Result<std::unique_ptr<File>, IoError> lock = files.open(layout.lock(), OpenFor::appending, 0600);
  if (!lock) return fail(lock.error());
  const Result<bool, IoError> locked = (*lock)->try_lock();
  if (!locked) return fail(locked.error());
  if (!*locked) return fail(IoError(EBUSY, "lock", layout.lock()));
  std::unique_ptr<Store> store(new Store(files, std::move(layout), options));
  store->lock_ = std::move(*lock);
  const Result<void, IoError> recovered = store->recover();
  if (!recovered) return fail(recovered.error());
  return store;
}

Message* Store::find(const MessageId& id) const {
  const auto found = messages_.find(id);
  return found == messages_.end() ? nullptr : *found;
}

std::vector<Notice> Store::take_notices() {
  return std::exchange(notices_, {});
}

void Store::report(Notice::Kind kind, std::string what) {
  Notice notice;
  notice.kind = kind;
  notice.what = std::move(what);
  notices_.push_back(std::move(notice));
}

void Store::report_damage(const Segment& segment, const std::vector<Damage>& damages) {
  for (const Damage& damage : damages) {
    report(Notice::Kind::corruption,
           fmt::format("{}: octets {} to {}: {}; mail that was accepted may be lost there",
                       layout_.segment(segment.generation), damage.from, damage.to,
                       to_string(damage.what)));
  }
}

Segment& Store::add_segment(std::uint64_t generation, std::uint64_t whole_outcomes) {
  std::unique_ptr<Segment>& place = segments_[generation];
  place = std::make_unique<Segment>(files_, layout_, generation, whole_outcomes);
  return *place;
}

Result<void, IoError> Store::start_reading(Segment& segment, std::uint64_t from) {
  Result<std::unique_ptr<SegmentReader>, IoError> reader =
      SegmentReader::open(files_, layout_, segment.generation, from);
  if (!reader) return fail(reader.error());
  segment.reader = std::move(*reader);
  segment.read_to = segment.reader->position();
  return {};
}

Message& Store::add_message(Segment& segment, const FoundRecord& record) {
  auto message = std::make_unique<Message>();
  message->id = record.record.header.id;
  message->segment = &segment;
  message->offset = static_cast<std::uint32_t>(record.offset);
  message->size = static_cast<std::uint32_t>(record.record.header.size());
  message->spooled = record.record.header.place == BodyPlace::spooled;
  ++segment.live;
  segment.live_octets += message->size;
  segment.unmentioned.insert(message->offset);
  return **messages_.insert(message.release()).first;
}

void Store::forget(Message& message) {
  Segment& segment = *message.segment;
  if (message.held) --held_;
  --segment.live;
  segment.live_octets -= message.size;
  messages_.erase(&message);
  delete &message;
  if (segment.live == 0 && !segment.reader) wake_house_.set();
}

void Store::append(Segment& segment, const MessageId& id, const Outcome& outcome) {
  std::string line;
  append_line(line, segment.generation, id, outcome);
  segment.outcomes.append(line);
  dirty_.insert(segment.generation);
  wake_outcomes_.set();
}

// From now on the .out file knows the message's record.
void Store::mentioned(Message& message) {
  message.segment->unmentioned.erase(message.offset);
}

void Store::save(Message& message, const MessageState& state) {
  Segment& segment = *message.segment;
  MessageState whole = state;
  whole.offset = message.offset;
  whole.size = message.size;
  whole.spooled = message.spooled;
  std::string block;
  append_block(block, segment.generation, message.id, whole);
  message.block_offset = segment.outcomes.append(block);
  message.block_size = static_cast<std::uint32_t>(block.size());
  remember(message, state);
  dirty_.insert(segment.generation);
  wake_outcomes_.set();
}

void Store::remember(Message& message, const MessageState& state) {
  message.attempts =
      static_cast<std::uint16_t>(std::min<std::uint32_t>(state.attempts, UINT16_MAX));
  message.next = second_of(state.next);
  held_ += (state.held ? 1 : 0) - (message.held ? 1 : 0);
  message.held = state.held;
  message.warned = state.warned;
  message.phases.clear();
  for (const RecipientState& recipient : state.recipients) {
    message.phases += static_cast<char>(recipient.phase);
  }
  mentioned(message);
}

void Store::note(Message& message, const Outcome& outcome) {
  check(message.block_size != 0, "a line about a message that has no block");
  if (const auto* change = std::get_if<RecipientChange>(&outcome)) {
    message.phases[change->index] = static_cast<char>(change->phase);
  }
  if (std::holds_alternative<Warned>(outcome)) message.warned = true;
  append(*message.segment, message.id, outcome);
}

void Store::hold_in_memory(Message& message) {
  if (!message.held) ++held_;
  message.held = true;
}

void Store::finish(Message& message) {
  check(!message.is_waiting(), "a message is finished while it is scheduled");
  Done done;
  done.offset = message.offset;
  append(*message.segment, message.id, done);
  mentioned(message);
  if (message.spooled) message.segment->spool_done.push_back(message.id);
  forget(message);
}

Store::LoadPlan Store::plan_load(const Message& message) const {
  LoadPlan plan;
  plan.id = message.id;
  plan.generation = message.segment->generation;
  plan.offset = message.offset;
  plan.size = message.size;
  plan.block_offset = message.block_offset;
  plan.block_size = message.block_size;
  plan.phases = message.phases;
  plan.held = message.held;
  plan.warned = message.warned;
  if (message.block_size != 0) {
    plan.block = message.segment->outcomes.recall(message.block_offset, message.block_size);
  }
  return plan;
}

Result<std::shared_ptr<Loaded>, IoError> Store::load_planned(const LoadPlan& plan) const {
  Result<LoadedRecord, IoError> record =
      load_record(files_, layout_, plan.generation, plan.offset, plan.size);
  if (!record) return fail(record.error());
  std::shared_ptr<Loaded> loaded = make_loaded(std::move(record->octets), record->record);
  if (!loaded || loaded->header.id != plan.id) {
    return fail(IoError(EBADMSG, "read the envelope at " + std::to_string(plan.offset),
                        layout_.segment(plan.generation)));
  }
  loaded->state.held = plan.held;
  loaded->state.warned = plan.warned;
  if (plan.block_size == 0) return loaded;

  const std::string path = layout_.outcomes(plan.generation);
  std::string block;
  if (plan.block) {
    block = *plan.block;
  } else {
    Result<std::unique_ptr<File>, IoError> file = files_.open(path, OpenFor::reading, 0);
    if (!file) return fail(file.error());
    Result<std::string, IoError> octets = (*file)->pread(plan.block_offset, plan.block_size);
    if (!octets) return fail(octets.error());
    block = std::move(*octets);
  }
  std::optional<MessageState> state = read_block(block, plan.generation, plan.id);
  if (!state || state->recipients.size() != plan.phases.size()) {
    return fail(IoError(EBADMSG, "read the history at " + std::to_string(plan.block_offset), path));
  }
  for (std::size_t i = 0; i < plan.phases.size(); ++i) {
    state->recipients[i].phase = static_cast<Phase>(plan.phases[i]);
  }
  state->held = plan.held;
  state->warned = plan.warned;
  loaded->state = std::move(*state);
  return loaded;
}

Result<std::shared_ptr<Loaded>, IoError> Store::load_now(const Message& message) {
  const LoadPlan plan = plan_load(message);
  return load_planned(plan);
}

async::Task<Result<std::shared_ptr<Loaded>, IoError>> Store::load(const Message& message) {
  const LoadPlan plan = plan_load(message);
  auto read = [this, &plan] { return load_planned(plan); };
  auto loaded = co_await async::blocking(std::move(read));
  co_return loaded;
}

async::Task<void> Store::find_segments() {
  auto look = [this] { return files_.status(layout_.segments()); };
  const Result<std::optional<FileStatus>, IoError> status = look();
  if (status && *status && !list_again_ && (*status)->modified == listed_version_) co_return;
  // Before the listing: a change in between is seen the next time.
  const std::int64_t now = wall_now().time_since_epoch().count() * 1000;
  if (status && *status) {
    listed_version_ = (*status)->modified;
    list_again_ = now - listed_version_ < time_stamp_granularity;
  }
  auto list = [this] { return take_inventory(files_, layout_); };
  auto found = co_await async::blocking(std::move(list));
  if (!found) {
    report(Notice::Kind::trouble, found.error().text());
    list_again_ = true;
    co_return;
  }
  free_ = found->free.size();
  if (free_ < options_.keep_free) wake_house_.set();
  for (const std::uint64_t generation : found->segments) {
    if (segments_.contains(generation)) continue;
    Segment& segment = add_segment(generation, 0);
    const Result<void, IoError> reading = start_reading(segment, first_record);
    if (reading) continue;
    segments_.erase(generation);
    // Recycled or removed while we looked; anything else is tried again.
    if (reading.error().code != ENOENT) report(Notice::Kind::trouble, reading.error().text());
    list_again_ = true;
  }
}

void Store::take_piece(Segment& segment, Piece piece, std::vector<Found>& found) {
  report_damage(segment, piece.damages);
  for (const FoundRecord& record : piece.records) {
    segment.read_to = record.offset + record.record.header.padded_size();
    if (is_superfluous(segment, record.record.header.id)) continue;
    std::shared_ptr<Loaded> loaded = make_loaded(piece.octets, record.record);
    if (!loaded) {
      report(Notice::Kind::corruption,
             fmt::format("{}: the record at {} holds no envelope",
                         layout_.segment(segment.generation), record.offset));
      continue;
    }
    Found one;
    one.message = &add_message(segment, record);
    one.loaded = std::move(loaded);
    found.push_back(std::move(one));
  }
  segment.read_to = segment.reader->position();
  if (segment.reader->finished()) finished_reading(segment);
}

void Store::finished_reading(Segment& segment) {
  segment.reader.reset();
  segment.finished_at = async::Loop::current().now();
  if (segment.live == 0) wake_house_.set();
}

bool Store::is_superfluous(Segment& segment, const MessageId& id) {
  const Message* known = find(id);
  if (known == nullptr) return false;
  // A copy that we are making or have made shows itself here; one that failed is dropped for good.
  if (known->segment == &segment || known->segment->leaving) return true;
  append(segment, id, Dropped());
  return true;
}

std::uint64_t Store::unread_octets() const {
  std::uint64_t octets = 0;
  for (const auto& [generation, segment] : segments_) {
    if (segment->reader) octets += segment->reader->unread();
  }
  return octets;
}

async::Task<std::vector<Store::Found>> Store::poll(std::size_t room, std::uint64_t octets) {
  std::vector<Found> found;
  co_await find_segments();
  std::vector<std::uint64_t> generations;
  for (const auto& [generation, segment] : segments_) {
    if (segment->reader) generations.push_back(generation);
  }
  for (const std::uint64_t generation : generations) {
    while (found.size() < room && octets > 0) {
      const auto place = segments_.find(generation);
      if (place == segments_.end() || !place->second->reader) break;
      SegmentReader* reader = place->second->reader.get();
      // What is committed was written moments ago: a pread of cached pages costs less than a walk to
      // the pool. What a dead intake left is read to its end, in the pool.
      Result<Piece, IoError> piece = reader->read_committed(piece_octets);
      if (piece && piece->octets == nullptr) {
        const Result<bool, IoError> left = reader->writer_has_left();
        if (!left || !*left) break;
        auto rest = [reader] { return reader->read_rest(); };
        piece = co_await async::blocking(std::move(rest));
      }
      if (!piece) {
        report(Notice::Kind::trouble, piece.error().text());
        break;
      }
      const std::size_t before = found.size();
      const std::uint64_t read = piece->octets ? piece->octets->size() : 0;
      take_piece(*segments_.at(generation), std::move(*piece), found);
      if (found.size() > before) octets -= std::min(octets, read);
    }
  }
  co_return found;
}

}  // namespace posthorn::queue
