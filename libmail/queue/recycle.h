// Where segments come from and where they go: queued makes them, gives them generations, and takes them back. All of
// it blocking: for async::blocking() or a tool. README.md has the states in between.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "libmail/queue/files.h"
#include "libmail/queue/layout.h"

namespace posthorn::queue {

// Generations that were never used before. The highest one handed out is kept in queue/generation, a stretch ahead, so
// that it is written seldom.
class Generations {
 public:
  // `highest_seen` is that of all files in segments/ and free/: the file may be lost.
  static Result<Generations, IoError> open(Files& files, const Layout& layout,
                                           std::uint64_t highest_seen);
  Result<std::uint64_t, IoError> next(Files& files, const Layout& layout);

 private:
  std::uint64_t last_ = 0;
  std::uint64_t reserved_ = 0;
};

// Makes the directories of the queue. `drop_mode` is 0700 in a site of one's own, 03733 in a system site.
Result<void, IoError> make_directories(Files& files, const Layout& layout, mode_t drop_mode);

// Makes a new file full of zeros for `generation` and puts it into free/. ENOSPC leaves nothing behind.
Result<void, IoError> make_segment(Files& files, const Layout& layout, std::uint64_t generation,
                                   std::uint64_t size = segment_size);
// Takes a segment that is finished back into free/ under a new generation. Its .out must be synced and say of every
// record that it is done or moved; it goes only after the segment has gone durably.
Result<void, IoError> recycle_segment(Files& files, const Layout& layout,
                                      std::uint64_t old_generation, std::uint64_t new_generation,
                                      std::uint64_t size = segment_size);
// The same, and no file remains: there are enough free ones.
Result<void, IoError> remove_segment(Files& files, const Layout& layout, std::uint64_t generation);

// What lies in segments/ and free/.
struct Inventory {
  std::vector<std::uint64_t> segments;  // ascending
  std::vector<std::uint64_t> outcomes;  // generations that have a .out file
  std::vector<std::uint64_t> free;
  std::vector<std::uint64_t> unfinished;  // free/.GENERATION: being zeroed when the power went
  std::vector<std::string> unknown;       // paths of files that are not ours; left alone
  std::uint64_t highest = 0;
};
Result<Inventory, IoError> take_inventory(Files& files, const Layout& layout);
// Removes what crashes left: unfinished files, .out files without segment, names in free/ that are in segments/ too.
Result<void, IoError> tidy(Files& files, const Layout& layout, Inventory& inventory);

}  // namespace posthorn::queue
