#include "libmail/queue/segment.h"

#include <catch2/catch.hpp>

#include "libmail/queue/test_queue.h"

using namespace posthorn;
using namespace posthorn::queue;

namespace {

constexpr std::uint64_t generation = 5;
constexpr std::uint64_t salt = 99;

std::string padded(std::uint32_t number, std::string_view body) {
  RecordHeader header;
  header.generation = generation;
  header.salt = salt;
  header.id = test::id_of(number);
  std::string octets = encode_record(header, "envelope", body);
  octets.resize((octets.size() + 63) / 64 * 64, '\0');
  return octets;
}

struct Three {
  std::string octets;
  std::vector<std::uint64_t> ends;
  Three() {
    for (std::uint32_t number = 1; number <= 3; ++number) {
      octets += padded(number, std::string(50 * number, 'x'));
      ends.push_back(octets.size());
    }
    octets.resize(octets.size() + 512, '\0');
  }
};

Scan scan(std::string_view octets, std::uint64_t committed, bool more = false) {
  return scan_records(octets, first_record, generation, salt, committed, more);
}

}  // namespace

TEST_CASE("a segment's records are found, and nothing behind them") {
  const Three three;
  const Scan found = scan(three.octets, first_record);
  CHECK(found.records.size() == 3);
  CHECK(found.damages.empty());
  CHECK(found.next == first_record + three.ends[2]);
}

TEST_CASE("a record that is cut anywhere ends the segment if nothing was acknowledged there") {
  const Three three;
  for (std::size_t size = 0; size <= three.ends[2]; ++size) {
    const Scan found = scan(std::string_view(three.octets).substr(0, size), first_record);
    std::size_t whole = 0;
    // The padding of a record need not be there.
    while (whole < 3 && found.records.size() > whole) ++whole;
    CHECK(found.damages.empty());
    const std::size_t begun = whole == 0 ? 0 : three.ends[whole - 1];
    CHECK(size + 63 >= begun);
    if (whole < 3) CHECK(size < three.ends[whole]);
  }
}

TEST_CASE("a flipped bit never yields a record, and is reported if a whole one follows") {
  const Three three;
  for (std::size_t bit = 0; bit < three.ends[2] * 8; ++bit) {
    std::string flipped = three.octets;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const Scan found = scan(flipped, first_record);
    for (const FoundRecord& record : found.records) {
      const std::size_t number = record.offset == first_record                   ? 0
                                 : record.offset == first_record + three.ends[0] ? 1
                                                                                 : 2;
      CHECK(record.record.body == std::string(50 * (number + 1), 'x'));
    }
    if (found.records.size() == 3) {
      CHECK(found.damages.empty());  // a bit of the padding
      continue;
    }
    CHECK(found.records.size() == 2);
    const bool in_last = bit / 8 >= three.ends[1];
    CHECK(found.damages.size() == (in_last ? 0 : 1));
  }
}

TEST_CASE("damage below the committed length is reported even at the end") {
  Three three;
  three.octets[three.ends[1] + 70] ^= 1;
  const Scan found = scan(three.octets, first_record + three.ends[2]);
  CHECK(found.records.size() == 2);
  REQUIRE(found.damages.size() == 1);
  CHECK(found.damages[0].from == first_record + three.ends[1]);
  CHECK(found.damages[0].to == first_record + three.ends[2]);
}

TEST_CASE("a record that the octets cut off is left for the next call, at every split") {
  const Three three;
  const std::uint64_t committed = first_record + three.ends[2];
  for (std::size_t split = 0; split <= three.ends[2]; split += 64) {
    const Scan first = scan(std::string_view(three.octets).substr(0, split), committed, true);
    CHECK(first.damages.empty());
    const std::size_t rest = first.next - first_record;
    const Scan second =
        scan_records(std::string_view(three.octets).substr(rest, three.ends[2] - rest), first.next,
                     generation, salt, committed, false);
    CHECK(second.damages.empty());
    CHECK(first.records.size() + second.records.size() == 3);
  }
}

TEST_CASE("a record of another generation ends the segment") {
  Three three;
  RecordHeader header;
  header.generation = generation - 1;
  header.salt = salt;
  const std::string old = encode_record(header, "envelope", "left over");
  three.octets.replace(three.ends[2], old.size(), old);
  const Scan found = scan(three.octets, first_record);
  CHECK(found.records.size() == 3);
  CHECK(found.damages.empty());
}

TEST_CASE("a forged record in a message is not found behind damage: it lacks the salt") {
  RecordHeader forged;
  forged.generation = generation;
  forged.salt = salt + 1;
  std::string body(64 - 8, ' ');  // so that the forgery lies at a multiple of 64
  body += encode_record(forged, "forged envelope", "forged body");
  std::string octets = padded(1, body);
  octets[10] ^= 1;
  octets += padded(2, "honest");
  const Scan found = scan(octets, first_record);
  REQUIRE(found.records.size() == 1);
  CHECK(found.records[0].record.body == "honest");
}

TEST_CASE("the commit cell reads back; a flipped bit or another generation makes it unknown") {
  CommitCell cell;
  cell.salt = salt;
  cell.committed = 8192;
  std::string block = encode_first_block(generation, 1 << 20);
  CHECK(is_first_block(block, generation));
  CHECK_FALSE(is_first_block(block, generation + 1));
  CHECK_FALSE(decode_commit_cell(block, generation));
  const std::string octets = encode_commit_cell(cell, generation);
  block.replace(commit_cell_offset, octets.size(), octets);
  CHECK(decode_commit_cell(block, generation) == cell);
  CHECK_FALSE(decode_commit_cell(block, generation + 1));
  for (std::size_t bit = 0; bit < octets.size() * 8; ++bit) {
    std::string flipped = block;
    flipped[commit_cell_offset + bit / 8] ^= static_cast<char>(1 << (bit % 8));
    CHECK_FALSE(decode_commit_cell(flipped, generation));
  }
}
