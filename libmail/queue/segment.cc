#include "libmail/queue/segment.h"

#include <algorithm>

#include "libmail/base/crc32c.h"
#include "libmail/queue/bytes.h"

namespace posthorn::queue {
namespace {

constexpr std::string_view magic = "PHSEG001";

std::uint32_t cell_crc(std::string_view cell, std::uint64_t generation) {
  std::string seed;
  put_u64(seed, generation);
  return crc32c(crc32c(0, seed), cell);
}

}  // namespace

std::string encode_first_block(std::uint64_t generation, std::uint64_t size) {
  std::string block(magic);
  put_u64(block, generation);
  put_u64(block, size);
  put_u32(block, crc32c(0, block));
  block.resize(first_record, '\0');
  return block;
}

bool is_first_block(std::string_view block, std::uint64_t generation) {
  return block.size() >= 28 && block.substr(0, magic.size()) == magic &&
         get_u64(block, 8) == generation && get_u32(block, 24) == crc32c(0, block.substr(0, 24));
}

std::string encode_commit_cell(const CommitCell& cell, std::uint64_t generation) {
  std::string octets;
  put_u64(octets, cell.salt);
  put_u64(octets, cell.committed);
  put_u32(octets, cell_crc(octets, generation));
  return octets;
}

std::optional<CommitCell> decode_commit_cell(std::string_view block, std::uint64_t generation) {
  if (block.size() < commit_cell_offset + 20) return std::nullopt;
  const std::string_view octets = block.substr(commit_cell_offset, 20);
  CommitCell cell;
  cell.salt = get_u64(octets, 0);
  cell.committed = get_u64(octets, 8);
  const bool whole = get_u32(octets, 16) == cell_crc(octets.substr(0, 16), generation);
  const bool sane = cell.committed >= first_record && cell.committed <= segment_size;
  if (!whole || !sane) return std::nullopt;
  return cell;
}

Scan scan_records(std::string_view octets, std::uint64_t offset, std::uint64_t generation,
                  std::optional<std::uint64_t> salt, std::uint64_t committed, bool more) {
  Scan scan;
  scan.salt = salt;
  std::uint64_t at = 0;
  std::optional<Damage> open;  // begins where no record could be read, ends with the next whole one
  while (at < octets.size()) {
    const std::string_view rest = octets.substr(at);
    const Result<Record, RecordError> record = decode_record(rest, generation, scan.salt);
    if (record) {
      if (open) {
        open->to = offset + at;
        scan.damages.push_back(*open);
        open.reset();
      }
      scan.salt = record->header.salt;
      scan.records.push_back({offset + at, *record});
      at += record->header.padded_size();
      continue;
    }
    if (more && !open) {
      const Result<RecordHeader, RecordError> header = decode_header(rest, generation, scan.salt);
      const bool is_cut =
          rest.size() < record_header_size || (header && header->size() > rest.size());
      if (is_cut) break;
    }
    if (!open) {
      open.emplace();
      open->from = offset + at;
      open->what = record.error();
    }
    at += record_alignment;
  }
  scan.next = offset + at;
  if (open) {
    const std::uint64_t end = std::min<std::uint64_t>(committed, offset + octets.size());
    scan.next = open->from;
    if (end > open->from) {
      open->to = end;
      scan.damages.push_back(*open);
      scan.next = end;
    }
  }
  return scan;
}

}  // namespace posthorn::queue
