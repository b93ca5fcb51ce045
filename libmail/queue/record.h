// The grammar of a queue record: octets to values and back. It knows nothing of files, segments or
// offsets.
//
//   offset  octets   (numbers are little endian)
//        0       4   "PHR1"
//        4       2   version, 1
//        6       1   kind: 1 the body follows the envelope, 2 the body lies in the spool
//        7       1   0
//        8       8   generation of the segment it was written to
//       16       8   salt, see below
//       24      16   message id
//       40       4   length of the envelope
//       44       4   CRC-32C of the record without padding, these four octets taken as 0
//       48       8   length of the body
//       56       4   CRC-32C of the body if it lies in the spool, else 0
//       60       4   0
//       64           envelope (envelope_codec.h), body; then zeros to a multiple of 64
//
// The salt is drawn by the writer for each segment, so that nobody can send a message that carries
// a forged record inside, for the day when the record around it is damaged.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"
#include "libmail/queue/envelope_codec.h"
#include "libmail/queue/id.h"
#include "libmail/queue/layout.h"

namespace posthorn::queue {

inline constexpr std::size_t record_header_size = 64;

// A body that lies in queue/spool/<message id>.
struct SpooledBody {
  std::uint64_t size = 0;
  std::uint32_t crc = 0;  // CRC-32C of its octets
  bool operator==(const SpooledBody&) const = default;
};

enum class BodyPlace : std::uint8_t { inline_body = 1, spooled = 2 };

struct RecordHeader {
  std::uint64_t generation = 0;
  std::uint64_t salt = 0;
  MessageId id;
  BodyPlace place = BodyPlace::inline_body;
  std::uint32_t envelope_size = 0;
  std::uint64_t body_size = 0;
  std::uint32_t crc = 0;
  std::uint32_t spooled_crc = 0;

  // Octets from the header's first to the record's last, and the same with padding: where the next
  // one begins.
  [[nodiscard]] std::uint64_t size() const;
  [[nodiscard]] std::uint64_t padded_size() const;
  bool operator==(const RecordHeader&) const = default;
};

enum class RecordError {
  none_here,         // no record begins here: other magic, most often zeros
  other_version,     // made by a version of Posthorn that this one does not know
  other_generation,  // left over from an earlier life of the file
  damaged,           // something began here and is not whole: length, CRC, salt or envelope
};
[[nodiscard]] std::string_view to_string(RecordError error);

// The 64 octets of the header. `crc` is not computed here.
[[nodiscard]] std::string encode_header(const RecordHeader& header);
// Reads a header without looking at what follows; the lengths are checked against a segment's size.
// `generation` and `salt` are those of the segment; no salt: it is not known yet and any is taken.
[[nodiscard]] Result<RecordHeader, RecordError> decode_header(std::string_view octets,
                                                              std::uint64_t generation,
                                                              std::optional<std::uint64_t> salt);

// CRC over header (its CRC taken as 0) and envelope; the body, if inline, is added by crc32c(crc,
// body).
[[nodiscard]] std::uint32_t begin_crc(const RecordHeader& header, std::string_view envelope);

// A whole record that was found. The views lie in what decode_record() was given.
struct Record {
  RecordHeader header;
  std::string_view envelope;  // decode_entry() reads it
  std::string_view body;      // empty if spooled
};

// Reads the record at the front of `octets`, which may go on behind it, and checks the CRC.
[[nodiscard]] Result<Record, RecordError> decode_record(std::string_view octets,
                                                        std::uint64_t generation,
                                                        std::optional<std::uint64_t> salt);
// Header, envelope and padding-free body in one string: for tests and tools. Computes lengths and
// CRC.
[[nodiscard]] std::string encode_record(RecordHeader header, std::string_view envelope,
                                        std::string_view body);

}  // namespace posthorn::queue
