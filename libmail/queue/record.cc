#include "libmail/queue/record.h"

#include "libmail/base/crc32c.h"
#include "libmail/queue/bytes.h"

namespace posthorn::queue {
namespace {

constexpr std::string_view magic = "PHR1";
constexpr std::uint16_t version = 1;
constexpr std::size_t crc_offset = 44;

}  // namespace

std::uint64_t RecordHeader::size() const {
  const std::uint64_t inline_size = place == BodyPlace::inline_body ? body_size : 0;
  return record_header_size + envelope_size + inline_size;
}

std::uint64_t RecordHeader::padded_size() const {
  return (size() + record_alignment - 1) / record_alignment * record_alignment;
}

std::string_view to_string(RecordError error) {
  switch (error) {
    case RecordError::none_here:
      return "no record";
    case RecordError::other_version:
      return "unknown version";
    case RecordError::other_generation:
      return "another generation";
    case RecordError::damaged:
      return "damaged";
  }
  return "?";
}

std::string encode_header(const RecordHeader& header) {
  std::string out;
  out.reserve(record_header_size);
  out += magic;
  put_u16(out, version);
  out += static_cast<char>(header.place);
  out += '\0';
  put_u64(out, header.generation);
  put_u64(out, header.salt);
  out += header.id.text();
  put_u32(out, header.envelope_size);
  put_u32(out, header.crc);
  put_u64(out, header.body_size);
  put_u32(out, header.spooled_crc);
  put_u32(out, 0);
  return out;
}

Result<RecordHeader, RecordError> decode_header(std::string_view octets, std::uint64_t generation,
                                                std::optional<std::uint64_t> salt) {
  if (octets.size() < record_header_size || octets.substr(0, 4) != magic) {
    return fail(RecordError::none_here);
  }
  RecordHeader header;
  header.generation = get_u64(octets, 8);
  if (header.generation != generation) return fail(RecordError::other_generation);
  if (get_u16(octets, 4) != version) return fail(RecordError::other_version);
  const auto place = static_cast<unsigned char>(octets[6]);
  if (place != 1 && place != 2) return fail(RecordError::other_version);
  header.place = static_cast<BodyPlace>(place);
  header.salt = get_u64(octets, 16);
  const std::optional<MessageId> id = MessageId::parse(octets.substr(24, MessageId::length));
  if (!id || (salt && *salt != header.salt)) return fail(RecordError::damaged);
  header.id = *id;
  header.envelope_size = get_u32(octets, 40);
  header.crc = get_u32(octets, crc_offset);
  header.body_size = get_u64(octets, 48);
  header.spooled_crc = get_u32(octets, 56);
  const bool fits = header.envelope_size <= segment_size &&
                    (header.place == BodyPlace::spooled || header.body_size <= segment_size) &&
                    header.padded_size() <= segment_size - first_record;
  if (!fits) return fail(RecordError::damaged);
  return header;
}

std::uint32_t begin_crc(const RecordHeader& header, std::string_view envelope) {
  RecordHeader blank = header;
  blank.crc = 0;
  return crc32c(crc32c(0, encode_header(blank)), envelope);
}

Result<Record, RecordError> decode_record(std::string_view octets, std::uint64_t generation,
                                          std::optional<std::uint64_t> salt) {
  Result<RecordHeader, RecordError> header = decode_header(octets, generation, salt);
  if (!header) return fail(header.error());
  if (header->size() > octets.size()) return fail(RecordError::damaged);
  Record record;
  record.header = *header;
  record.envelope = octets.substr(record_header_size, header->envelope_size);
  if (header->place == BodyPlace::inline_body) {
    record.body = octets.substr(record_header_size + header->envelope_size, header->body_size);
  }
  if (octets[7] != 0 || get_u32(octets, 60) != 0) return fail(RecordError::damaged);
  const std::uint32_t crc = crc32c(begin_crc(*header, record.envelope), record.body);
  if (crc != header->crc) return fail(RecordError::damaged);
  return record;
}

std::string encode_record(RecordHeader header, std::string_view envelope, std::string_view body) {
  header.envelope_size = static_cast<std::uint32_t>(envelope.size());
  if (header.place == BodyPlace::inline_body) header.body_size = body.size();
  header.crc = crc32c(begin_crc(header, envelope), body);
  return encode_header(header).append(envelope).append(body);
}

}  // namespace posthorn::queue
