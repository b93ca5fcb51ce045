// The start: what the files say, before anything is tried.
#include <fmt/format.h>

#include "libmail/queue/store.h"

namespace posthorn::queue {

Result<void, IoError> Store::recover() {
  Result<Inventory, IoError> inventory = take_inventory(files_, layout_);
  if (!inventory) return fail(inventory.error());
  Result<void, IoError> done = tidy(files_, layout_, *inventory);
  if (!done) return done;
  for (const std::string& path : inventory->unknown) {
    report(Notice::Kind::unknown_file, path + ": not ours, left alone");
  }
  free_ = inventory->free.size();
  Result<Generations, IoError> generations = Generations::open(files_, layout_, inventory->highest);
  if (!generations) return fail(generations.error());
  generations_ = *generations;
  // Ascending: a copy comes after its original.
  for (const std::uint64_t generation : inventory->segments) {
    done = recover_segment(generation);
    if (!done) return done;
  }
  return {};
}

Result<void, IoError> Store::recover_segment(std::uint64_t generation) {
  std::string octets;
  const std::string path = layout_.outcomes(generation);
  const Result<std::optional<FileStatus>, IoError> status = files_.status(path);
  if (!status) return fail(status.error());
  if (*status) {
    Result<std::unique_ptr<File>, IoError> file = files_.open(path, OpenFor::reading);
    if (!file) return fail(file.error());
    Result<std::string, IoError> read = (*file)->pread(0, (*status)->size);
    if (!read) return fail(read.error());
    octets = std::move(*read);
  }
  OutcomeFileContents contents = read_outcomes(octets, generation);
  Segment& segment = add_segment(generation, contents.whole);
  if (contents.damaged_lines != 0) {
    report(Notice::Kind::damaged_outcomes,
           fmt::format("{}: {} damaged lines; some messages may be delivered again", path,
                       contents.damaged_lines));
  }
  for (auto& [id, history] : contents.messages) adopt_history(segment, id, history);
  segment.scanned = contents.scanned;
  const Result<void, IoError> reading = start_reading(segment, contents.scanned);
  if (!reading) return reading;
  return scan(segment, contents);
}

void Store::adopt_history(Segment& segment, const MessageId& id, MessageHistory& history) {
  if (history.place != MessageHistory::Place::here || !history.has_block) return;
  if (Message* older = find(id)) {
    if (!history.copied) {
      // The copy was never completed: the original goes on.
      append(segment, id, Dropped());
      history.place = MessageHistory::Place::dropped;
      return;
    }
    Moved moved;
    moved.generation = segment.generation;
    append(*older->segment, id, moved);
    mentioned(*older);
    forget(*older);
  }
  FoundRecord record;
  record.offset = history.state.offset;
  record.record.header.id = id;
  Message& message = add_message(segment, record);
  // Of a record that was not read just now only its length is known.
  segment.live_octets += history.state.size - message.size;
  message.size = static_cast<std::uint32_t>(history.state.size);
  message.spooled = history.state.spooled;
  if (history.block_is_current) {
    message.block_offset = history.block_offset;
    message.block_size = static_cast<std::uint32_t>(history.block_size);
    remember(message, history.state);
  } else {
    save(message, history.state);
  }
}

Result<void, IoError> Store::scan(Segment& segment, const OutcomeFileContents& contents) {
  SegmentReader& reader = *segment.reader;
  while (!reader.finished()) {
    const Result<Piece, IoError> piece = reader.read_on();
    if (!piece) return fail(piece.error());
    if (piece->octets == nullptr && !reader.finished()) return {};  // poll() goes on
    report_damage(segment, piece->damages);
    for (const FoundRecord& record : piece->records) {
      const MessageId& id = record.record.header.id;
      const auto history = contents.messages.find(id);
      const bool is_settled = history != contents.messages.end() &&
                              history->second.place != MessageHistory::Place::here;
      if (!is_settled && !is_superfluous(segment, id)) add_message(segment, record);
    }
    segment.read_to = reader.position();
  }
  segment.reader.reset();
  return {};
}

}  // namespace posthorn::queue
