#include "libmail/queue/reader.h"

#include <algorithm>
#include <cerrno>

namespace posthorn::queue {
namespace {

constexpr std::uint64_t piece_octets = 1 << 20;

}  // namespace

Result<std::unique_ptr<SegmentReader>, IoError> SegmentReader::open(Files& files,
                                                                    const Layout& layout,
                                                                    std::uint64_t generation,
                                                                    std::uint64_t from) {
  Result<std::unique_ptr<File>, IoError> file =
      files.open(layout.segment(generation), OpenFor::reading_and_writing);
  if (!file) return fail(file.error());
  return std::unique_ptr<SegmentReader>(
      new SegmentReader(std::move(*file), generation, std::max(from, first_record)));
}

Result<void, IoError> SegmentReader::read_cell() {
  const Result<std::string, IoError> block = file_->pread(0, 2 * commit_cell_offset);
  if (!block) return fail(block.error());
  if (const std::optional<CommitCell> cell = decode_commit_cell(*block, generation_)) {
    committed_ = std::max(committed_, cell->committed);
    if (!salt_) salt_ = cell->salt;
  }
  return {};
}

Result<Piece, IoError> SegmentReader::read_committed(std::uint64_t at_most) {
  const Result<void, IoError> done = read_cell();
  if (!done) return fail(done.error());
  if (finished_ || committed_ <= position_) return Piece();
  return read_to(committed_, at_most);
}

Result<bool, IoError> SegmentReader::writer_has_left() {
  if (writer_left_) return true;
  // Our lock is only ever a question: an intake locks a file before it comes here and never again.
  const Result<bool, IoError> locked = file_->try_lock();
  if (!locked) return fail(locked.error());
  writer_left_ = *locked;
  return writer_left_;
}

Result<Piece, IoError> SegmentReader::read_rest() {
  check(writer_left_, "the rest of a segment belongs to its intake");
  const Result<void, IoError> done = read_cell();  // its last words
  if (!done) return fail(done.error());
  if (finished_ || committed_ > position_) return Piece();
  const Result<FileStatus, IoError> status = file_->status();
  if (!status) return fail(status.error());
  const std::uint64_t end = std::max(position_, std::min(status->size, segment_size));
  Result<Piece, IoError> piece = read_to(end, end - position_);
  if (piece) finished_ = true;
  return piece;
}

Result<Piece, IoError> SegmentReader::read_on() {
  while (true) {
    Result<Piece, IoError> piece = read_committed(piece_octets);
    if (!piece || piece->octets != nullptr) return piece;
    const Result<bool, IoError> left = writer_has_left();
    if (!left) return fail(left.error());
    if (!*left) return piece;
    piece = read_rest();
    if (!piece || piece->octets != nullptr || finished_) return piece;
  }
}

Result<Piece, IoError> SegmentReader::read_to(std::uint64_t limit, std::uint64_t at_most) {
  while (true) {
    const std::uint64_t count = std::min(limit - position_, at_most);
    Result<std::string, IoError> octets = file_->pread(position_, count);
    if (!octets) return fail(octets.error());
    const bool is_part = octets->size() == count && count < limit - position_;
    auto held = std::make_shared<const std::string>(std::move(*octets));
    Scan scan = scan_records(*held, position_, generation_, salt_, committed_, is_part);
    if (is_part && scan.records.empty() && scan.damages.empty()) {
      at_most *= 2;  // not even one whole record
      continue;
    }
    salt_ = scan.salt;
    position_ = scan.next;
    Piece piece;
    piece.octets = std::move(held);
    piece.records = std::move(scan.records);
    piece.damages = std::move(scan.damages);
    return piece;
  }
}

Result<LoadedRecord, IoError> load_record(Files& files, const Layout& layout,
                                          std::uint64_t generation, std::uint64_t offset,
                                          std::uint64_t size) {
  const std::string path = layout.segment(generation);
  Result<std::unique_ptr<File>, IoError> file = files.open(path, OpenFor::reading);
  if (!file) return fail(file.error());
  Result<std::string, IoError> octets = (*file)->pread(offset, size);
  if (!octets) return fail(octets.error());
  LoadedRecord loaded;
  loaded.octets = std::make_shared<const std::string>(std::move(*octets));
  const Result<Record, RecordError> record =
      decode_record(*loaded.octets, generation, std::nullopt);
  if (!record) return fail(IoError(EBADMSG, "read the record at " + std::to_string(offset), path));
  loaded.record = *record;
  return loaded;
}

}  // namespace posthorn::queue
