// What FETCH answers about a message, as values: ENVELOPE, BODYSTRUCTURE and the rest (RFC 9051 7.5.2).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "libmail/imap/date.h"
#include "libmail/imap/fetch.h"
#include "libmail/imap/flags.h"

namespace posthorn::imap::client {

// Texts are as the message has them, with their encoded words (RFC 2047): libmail/message decodes them.
struct Address {
  std::string name;
  std::string mailbox;  // local part; a group's name at its start, "" at its end
  std::string host;     // "" : the start or end of a group

  Address() = default;
  bool operator==(const Address&) const = default;
};

struct Envelope {
  std::string date;  // as in the message
  std::string subject;
  std::vector<Address> from, sender, reply_to, to, cc, bcc;
  std::string in_reply_to;
  std::string message_id;

  Envelope() = default;
  bool operator==(const Envelope&) const = default;
};

using Parameters = std::vector<std::pair<std::string, std::string>>;

// A part, and the parts in it: the tree as a list in depth-first order, so that a deep one needs no recursion.
struct BodyPart {
  std::vector<std::uint32_t> number;  // "1.2"; empty: the whole message, if it is multipart
  std::uint32_t depth = 0;
  std::string type;     // lower case: "text", "multipart", "message"
  std::string subtype;  // lower case
  Parameters parameters;
  std::string id, description, encoding;
  std::uint64_t octets = 0;
  std::uint64_t lines = 0;           // text and message/rfc822
  std::optional<Envelope> envelope;  // message/rfc822, message/global
  std::string md5, disposition, location;
  Parameters disposition_parameters;
  std::vector<std::string> languages;

  BodyPart() = default;
  bool operator==(const BodyPart&) const = default;
};

// A body's octets that were kept, or that went to the sink.
struct FetchedBody {
  FetchItem item;  // body_section, binary, rfc822...; partial->first if one was asked for
  std::optional<std::string> octets;      // nothing: NIL, or streamed
  std::optional<std::uint64_t> streamed;  // its size

  FetchedBody() = default;
};

struct Fetched {
  std::uint32_t number = 0;  // 0: UIDFETCH (RFC 9586), which has none
  std::uint32_t uid = 0;     // 0: not said
  std::optional<Flags> flags;
  std::optional<DateTime> internal_date;
  std::optional<DateTime> save_date;
  std::optional<std::uint64_t> size;
  std::optional<std::uint64_t> modseq;
  std::optional<Envelope> envelope;
  std::vector<BodyPart> structure;
  std::optional<std::string> preview;
  std::string email_id, thread_id;
  std::vector<FetchedBody> bodies;
  std::vector<std::pair<std::vector<std::uint32_t>, std::uint64_t>> binary_sizes;

  Fetched() = default;
};

[[nodiscard]] Envelope scan_envelope(Scanner& in);
[[nodiscard]] std::vector<BodyPart> scan_body_structure(Scanner& in);
// What stands in FETCH's parentheses, with them. Items that are not known are passed over.
void scan_fetched(Scanner& in, Fetched& into);

}  // namespace posthorn::imap::client
