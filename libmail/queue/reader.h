// Queued's side of a segment. While an intake has it locked, only what lies below the committed length is read; once the
// lock is free, on to the last whole record. Blocking: for async::blocking() or a tool.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "libmail/queue/files.h"
#include "libmail/queue/layout.h"
#include "libmail/queue/segment.h"

namespace posthorn::queue {

// A stretch of a segment and the records found in it; their views live as long as `octets`.
struct Piece {
  std::shared_ptr<const std::string> octets;
  std::vector<FoundRecord> records;
  std::vector<Damage> damages;
};

class SegmentReader {
 public:
  // Begins at `from`: first_record, or where the .out file says that everything before is known.
  static Result<std::unique_ptr<SegmentReader>, IoError> open(Files& files, const Layout& layout,
                                                              std::uint64_t generation,
                                                              std::uint64_t from);

  // What has been committed since the last call, about `at_most` octets of it: pages that were
  // written moments ago. An empty piece: nothing new.
  Result<Piece, IoError> read_committed(std::uint64_t at_most);
  // Whether the intake has left the segment; asked when nothing new is committed.
  Result<bool, IoError> writer_has_left();
  // What follows the committed length once the intake has left: all of the rest at once, for the
  // last whole record ends it. finished() holds then, unless something was committed after all.
  Result<Piece, IoError> read_rest();
  // The next megabyte or so of both, as long as there is one. An empty piece: all is read if finished(), else the intake
  // is still at it.
  Result<Piece, IoError> read_on();
  // The writer has left and everything is read.
  [[nodiscard]] bool finished() const { return finished_; }
  [[nodiscard]] std::uint64_t position() const { return position_; }
  // Committed when we last looked, and not read.
  [[nodiscard]] std::uint64_t unread() const {
    return committed_ > position_ ? committed_ - position_ : 0;
  }

 private:
  SegmentReader(std::unique_ptr<File> file, std::uint64_t generation, std::uint64_t from)
      : file_(std::move(file)), generation_(generation), position_(from) {}
  Result<void, IoError> read_cell();
  Result<Piece, IoError> read_to(std::uint64_t limit, std::uint64_t at_most);

  std::unique_ptr<File> file_;
  std::uint64_t generation_;
  std::uint64_t position_;
  std::uint64_t committed_ = first_record;
  std::optional<std::uint64_t> salt_;
  bool writer_left_ = false;
  bool finished_ = false;
};

// One record that is known to begin at `offset` and to be `size` octets long. The octets hold it alone.
struct LoadedRecord {
  std::shared_ptr<const std::string> octets;
  Record record;
};
[[nodiscard]] Result<LoadedRecord, IoError> load_record(Files& files, const Layout& layout,
                                                        std::uint64_t generation,
                                                        std::uint64_t offset, std::uint64_t size);

}  // namespace posthorn::queue
