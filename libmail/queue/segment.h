// A segment: 4096 octets of first block, then records at multiples of 64, then zeros. Sans I/O.
//
// The first block has two cells of 64 octets, each with a CRC of its own. Queued writes the first
// when it makes the file, the intake the second whenever it has synced records.
//
//   offset  octets
//        0       8   "PHSEG001"
//        8       8   generation
//       16       8   size of the file
//       24       4   CRC-32C of 0..23
//       64       8   salt
//       72       8   committed length: octets from the file's start that are on the disk
//       80       4   CRC-32C of the generation and of 64..79
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/queue/record.h"

namespace posthorn::queue {

inline constexpr std::uint64_t commit_cell_offset = 64;

// All of the first block, as queued writes it.
[[nodiscard]] std::string encode_first_block(std::uint64_t generation, std::uint64_t size);
// Whether queued made this file for this generation.
[[nodiscard]] bool is_first_block(std::string_view block, std::uint64_t generation);

struct CommitCell {
  std::uint64_t salt = 0;
  std::uint64_t committed = first_record;
  bool operator==(const CommitCell&) const = default;
};
[[nodiscard]] std::string encode_commit_cell(const CommitCell& cell, std::uint64_t generation);
// From the first block. Nothing if no intake has written there, or it is damaged.
[[nodiscard]] std::optional<CommitCell> decode_commit_cell(std::string_view block,
                                                           std::uint64_t generation);

// What lies where no whole record begins though one may have been acknowledged.
struct Damage {
  std::uint64_t from = 0;  // offsets in the segment
  std::uint64_t to = 0;
  RecordError what = RecordError::damaged;  // of the first record there
  bool operator==(const Damage&) const = default;
};

struct FoundRecord {
  std::uint64_t offset = 0;  // in the segment
  Record record;             // views into the scanned octets
};

struct Scan {
  std::vector<FoundRecord> records;
  std::vector<Damage> damages;
  std::uint64_t next = 0;             // where the next look begins
  std::optional<std::uint64_t> salt;  // learnt from the first record if it was not known
};

// Reads the records in octets[0..], which lie at `offset` of the segment.
//
// `committed`: up to this offset everything was on the disk. Where no record can be read, the
// search goes on at every multiple of 64: a whole record behind the place makes it damage, and so
// does a committed length behind it; else the segment ends there, and what lay behind was never
// acknowledged. With `more` the octets are a part of what is to be read: a last record that they
// cut off is left for the next call.
[[nodiscard]] Scan scan_records(std::string_view octets, std::uint64_t offset,
                                std::uint64_t generation, std::optional<std::uint64_t> salt,
                                std::uint64_t committed, bool more);

}  // namespace posthorn::queue
