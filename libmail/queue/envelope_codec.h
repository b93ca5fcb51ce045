// The envelope as octets: what stands between a record's header and the message. A sequence of
// fields, each a tag (1 octet), a length (base-128, low groups first) and its octets; a recipient
// is one field that holds fields.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/queue/id.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::queue {

// The file in queue/drop/ that a message was read from: after a crash, a file that has its record
// is only unlinked.
struct DropOrigin {
  std::string name;
  std::uint64_t inode = 0;
  std::uint32_t part = 0;  // the Nth message of that file, from 0
  bool operator==(const DropOrigin&) const = default;
};

// What a record says besides the message.
struct Entry {
  smtp::Envelope envelope;
  std::optional<DropOrigin> drop;

  Entry() = default;
  explicit Entry(smtp::Envelope from) : envelope(std::move(from)) {}
  bool operator==(const Entry&) const = default;
};

[[nodiscard]] std::string encode_entry(const Entry& entry);
// Nothing if the octets are no envelope: cut, unknown tag, a number too large. The id is not among
// the octets, it is the record's: adopt_id() completes what this gives.
[[nodiscard]] std::optional<Entry> decode_entry(std::string_view octets);
// Sets envelope.id, and trace_id where the octets had none: then this intake was the first.
void adopt_id(Entry& entry, const MessageId& id);

}  // namespace posthorn::queue
