// Where things lie in the queue directory, and every size and limit of the queue. README.md lists
// the states.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/queue/id.h"

namespace posthorn::queue {

inline constexpr std::uint64_t segment_size = 16 << 20;
inline constexpr std::uint64_t first_record = 4096;  // behind the segment's first block
inline constexpr std::uint64_t record_alignment = 64;
// Owner: queued. Group: the intakes, which write and never read.
inline constexpr unsigned segment_mode = 0620;

struct Limits {
  std::uint64_t inline_body = 256 << 10;    // larger messages go to the spool
  std::uint64_t buffered_total = 16 << 20;  // in all message buffers of a process; then the spool
  std::uint64_t message_size = 100 << 20;   // the largest message taken
  std::uint64_t batch_octets = 4 << 20;     // written under one sync
  // How long an intake waits for queued to provide a segment.
  std::chrono::milliseconds wait_for_segment{2000};

  Limits() = default;
};

class Layout {
 public:
  explicit Layout(std::string directory) : directory_(std::move(directory)) {}

  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string segments() const { return directory_ + "/segments"; }
  [[nodiscard]] std::string free() const { return directory_ + "/free"; }
  [[nodiscard]] std::string spool() const { return directory_ + "/spool"; }
  [[nodiscard]] std::string drop() const { return directory_ + "/drop"; }
  [[nodiscard]] std::string lock() const { return directory_ + "/lock"; }  // held by queued
  // The highest given out.
  [[nodiscard]] std::string generation() const { return directory_ + "/generation"; }
  // queued's datagram socket.
  [[nodiscard]] std::string nudge() const { return directory_ + "/nudge"; }

  [[nodiscard]] std::string segment(std::uint64_t generation) const;
  // segment(generation) + ".out"
  [[nodiscard]] std::string outcomes(std::uint64_t generation) const;
  [[nodiscard]] std::string free_segment(std::uint64_t generation) const;
  // free/.GENERATION, being zeroed
  [[nodiscard]] std::string unfinished_segment(std::uint64_t generation) const;
  [[nodiscard]] std::string spooled(const MessageId& id) const;

 private:
  std::string directory_;
};

// A generation as a file name: 16 hexadecimal digits, so that names sort by age.
[[nodiscard]] std::string generation_name(std::uint64_t generation);
[[nodiscard]] std::optional<std::uint64_t> parse_generation_name(std::string_view name);

}  // namespace posthorn::queue
