// Live messages out of segments that are mostly dead: the record is appended to queued's own segment with the same id,
// its history goes into that segment's .out, and only when both are on the disk does the old .out say `moved`.
#include <fmt/format.h>

#include "libmail/async/files.h"
#include "libmail/async/loop.h"
#include "libmail/queue/store.h"

namespace posthorn::queue {
namespace {

constexpr auto after_failure = std::chrono::seconds(1);

// Ids and places of all records; blocking.
Result<std::vector<MessageId>, IoError> list_records(Files& files, const Layout& layout,
                                                     std::uint64_t generation) {
  std::vector<MessageId> ids;
  auto reader = SegmentReader::open(files, layout, generation, first_record);
  if (!reader) return fail(reader.error());
  while (!(*reader)->finished()) {
    const Result<Piece, IoError> piece = (*reader)->read_on();
    if (!piece) return fail(piece.error());
    if (piece->octets == nullptr) break;
    for (const FoundRecord& record : piece->records) ids.push_back(record.record.header.id);
  }
  return ids;
}

}  // namespace

Segment* Store::mostly_dead() {
  const MonoTime now = async::Loop::current().now();
  const auto limit = options_.mostly_dead * static_cast<double>(options_.segment_octets);
  for (const auto& [generation, segment] : segments_) {
    const bool is_old = !segment->reader && now >= segment->finished_at + options_.copy_after;
    const bool is_sparse = static_cast<double>(segment->live_octets) < limit;
    if (is_old && is_sparse && segment->live > 0 && !segment->leaving) return segment.get();
  }
  return nullptr;
}

async::Task<void> Store::copy_forward(Segment& segment) {
  segment.leaving = true;
  const std::uint64_t generation = segment.generation;
  auto list = [this, generation] { return list_records(files_, layout_, generation); };
  auto ids = co_await async::blocking(std::move(list));
  if (!ids) report(Notice::Kind::trouble, ids.error().text());
  std::size_t copied = 0;
  bool go_on = ids.has_value();
  const std::vector<MessageId> none;
  const std::vector<MessageId>& all = ids ? *ids : none;
  for (const MessageId& id : all) {
    Message* message = find(id);
    if (!go_on || stopping_ || message == nullptr) continue;
    if (message->segment != &segment || message->busy) continue;
    go_on = co_await copy_message(segment, *message);
    if (go_on) ++copied;
  }
  segment.leaving = false;
  segment.finished_at = async::Loop::current().now();  // those that were busy get another try later
  if (copied == 0) co_return;
  report(Notice::Kind::copied_forward,
         fmt::format("{}: {} messages", generation_name(generation), copied));
  wake_house_.set();
}

// False if nothing more should be tried now.
async::Task<bool> Store::copy_message(Segment& segment, Message& message) {
  message.busy = true;
  const MessageId id = message.id;
  auto loaded = co_await load(message);
  if (!loaded) {
    message.busy = false;
    report(Notice::Kind::trouble, loaded.error().text());
    co_return true;
  }
  const Loaded& whole = **loaded;
  std::optional<SpooledBody> spooled;
  std::vector<std::string> body;
  if (whole.header.place == BodyPlace::spooled) {
    spooled.emplace();
    spooled->size = whole.header.body_size;
    spooled->crc = whole.header.spooled_crc;
  } else {
    body.emplace_back(whole.body);
  }
  Entry entry = whole.entry;
  auto place = co_await intake_.writer().append_copy(id, std::move(entry), std::move(body), spooled,
                                                     segment.generation);
  message.busy = false;
  if (!place) co_return false;

  auto known = segments_.find(place->generation);
  if (known == segments_.end()) {
    Segment& made = add_segment(place->generation, 0);
    const Result<void, IoError> reading = start_reading(made, first_record);
    check(reading.has_value(), "the segment that we append to can't be opened");
    known = segments_.find(place->generation);
  }
  Segment& target = *known->second;
  mentioned(message);
  --segment.live;
  segment.live_octets -= message.size;
  message.segment = &target;
  message.offset = static_cast<std::uint32_t>(place->offset);
  message.size = static_cast<std::uint32_t>(place->size);
  ++target.live;
  target.live_octets += message.size;
  // Somebody may have made it due meanwhile (a flush); it stands in a timer under this moment.
  const std::uint32_t next = message.next;
  save(message, whole.state);
  message.next = next;
  append(target, id, Copied());
  while (true) {
    auto done = co_await target.outcomes.flush(Sync::yes);
    if (done) break;
    report(Notice::Kind::trouble, done.error().text());
    if (stopping_) co_return false;
    co_await async::sleep_until(async::Deadline::in(after_failure));
  }
  Moved moved;
  moved.generation = target.generation;
  append(segment, id, moved);
  co_return true;
}

}  // namespace posthorn::queue
