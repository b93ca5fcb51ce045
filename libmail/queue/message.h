// A live message as queued keeps it in memory: what the scheduler needs and where the rest lies. With its place
// in the table of the store it costs less than 300 octets, so a million fit.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/queue/outcome.h"
#include "libmail/queue/record.h"

namespace posthorn::queue {

struct Segment;

// A place in the scheduler's timer wheel.
struct WheelLink {
  WheelLink* wheel_before = nullptr;
  WheelLink* wheel_behind = nullptr;
};

// Where the scheduler has it.
enum class Station : std::uint8_t {
  none,     // held, or not yet known to the scheduler
  ready,    // waits for its turn
  working,  // is expanded, handed over, reported on
  parked,   // its destination is busy; nothing of it is in memory but this
  waiting,  // deferred, in the timer wheel
};

struct Message : WheelLink {
  MessageId id;
  Segment* segment = nullptr;
  std::uint32_t offset = 0;  // of its record in the segment
  std::uint32_t size = 0;
  std::uint64_t block_offset = 0;  // of its last block in the .out file
  std::uint32_t block_size = 0;    // 0: the file says nothing of it yet
  std::uint32_t next = 0;          // second since 1970 before which it is not tried
  std::uint16_t attempts = 0;
  bool held = false;
  bool warned = false;
  bool spooled = false;
  bool busy = false;    // somebody reads or moves it: it must not be tried or forgotten
  bool doomed = false;  // the operator deleted it; it goes as soon as nobody works on it
  Station station = Station::none;
  std::string phases;  // one Phase a recipient, once it is expanded

  [[nodiscard]] bool is_waiting() const { return wheel_before != nullptr; }
};
static_assert(sizeof(Message) <= 144);

// A message with everything that is known of it, in memory while it is worked on.
struct Loaded {
  std::shared_ptr<const std::string> octets;  // what `body` looks into; may hold more records
  RecordHeader header;
  Entry entry;            // as the intake wrote it
  std::string_view body;  // empty if it lies in the spool
  MessageState state;     // recipients: as expanded; empty before

  Loaded() = default;
};

}  // namespace posthorn::queue
