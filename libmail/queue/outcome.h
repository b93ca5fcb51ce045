// What became of a segment's messages: the grammar of queue/segments/<generation>.out. Sans I/O.
//
// One line an event, so that an operator can read it and a reader can go on behind a damaged one:
//
//   CRC ID VERB ARGUMENTS...
//
// CRC: CRC-32C of the generation and of the line behind it, 8 hexadecimal digits.
//
//   seen OFFSET SIZE             begins a block, which holds all that is known of the message
//   to INDEX ORIGINAL PHASE LOCAL-PART DOMAIN NOTIFY ORCPT-TYPE ORCPT SENDER WHEN STATUS REMOTE TEXT
//                                one recipient, as expanded, and what became of it
//   state ATTEMPTS NEXT FLAGS REASON COUNT
//                                ends the block; a block without it counts as not written
//   rcpt INDEX PHASE WHEN STATUS REMOTE TEXT
//                                one recipient of the last block has got on
//   warned                       a delay report was sent
//   reported                     all that was to be reported has been
//   copied                       the block is the history of a copy, complete
//   moved GENERATION             lives on there
//   dropped                      a copy that was never completed
//   done OFFSET                  nothing is left to do
//   scanned OFFSET               (ID is all zeros) every record before OFFSET has a line here
//
// Texts are percent-encoded (space, controls, "%"), "-" is the empty one; times are microseconds
// since 1970.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <variant>
#include <vector>

#include "libmail/queue/id.h"
#include "libmail/smtp/envelope.h"
#include "libmail/smtp/status.h"

namespace posthorn::queue {

// How far one recipient is. The letter stands in the file.
enum class Phase : char {
  pending = 'p',     // to be tried
  unresolved = 'u',  // the same, but the tables must be asked again first
  sent = 's',        // 2xx
  sent_owed = 'o',   // 2xx, and we still owe the sender a `relayed` report
  bounced = 'b',     // failed for good, the report is not yet written
  reported = 'r',    // failed for good, and the sender was told or did not want to be
  replaced = 'x',    // its aliases' members follow as recipients of their own
};
[[nodiscard]] constexpr bool is_open(Phase phase) {
  return phase == Phase::pending || phase == Phase::unresolved;
}
[[nodiscard]] constexpr bool owes_report(Phase phase) {
  return phase == Phase::sent_owed || phase == Phase::bounced;
}

struct RecipientState {
  smtp::Recipient recipient;
  std::uint32_t original = 0;               // index of the envelope's recipient that it comes from
  std::optional<smtp::ReversePath> sender;  // a list's owner in place of the reverse-path
  Phase phase = Phase::pending;
  WallTime when{};    // of `last`
  smtp::Status last;  // of the last attempt; enhanced.none() before the first

  RecipientState() = default;
  explicit RecipientState(smtp::Recipient to) : recipient(std::move(to)) {}
  bool operator==(const RecipientState&) const = default;
};

// All that is known of one message besides its record.
struct MessageState {
  std::uint64_t offset = 0;  // of its record in the segment, 0 = not known
  std::uint64_t size = 0;    // of the record
  std::uint32_t attempts = 0;
  WallTime next{};  // not to be tried before
  bool held = false;
  bool warned = false;    // a delay report was sent
  bool expanded = false;  // `recipients` replace those of the record
  bool spooled = false;   // the body lies in the spool
  std::string hold_reason;
  std::vector<RecipientState> recipients;

  MessageState() = default;
  bool operator==(const MessageState&) const = default;
};

// One line as a value.
struct Seen {
  std::uint64_t offset = 0, size = 0;
};
struct To {
  std::uint32_t index = 0;
  RecipientState state;
};
struct State {
  std::uint32_t attempts = 0;
  WallTime next{};
  bool held = false, warned = false, expanded = false, spooled = false;
  std::string reason;
  std::uint32_t count = 0;
};
struct RecipientChange {
  std::uint32_t index = 0;
  Phase phase = Phase::pending;
  WallTime when{};
  smtp::Status status;
};
struct Warned {};
struct Reported {};  // all that is bounced or owed has been reported
struct Copied {};
struct Moved {
  std::uint64_t generation = 0;
};
struct Dropped {};
struct Done {
  std::uint64_t offset = 0;
};
struct Scanned {
  std::uint64_t offset = 0;
};
using Outcome = std::variant<Seen, To, State, RecipientChange, Warned, Reported, Copied, Moved,
                             Dropped, Done, Scanned>;

// Appends the line, with its line feed.
void append_line(std::string& into, std::uint64_t generation, const MessageId& id,
                 const Outcome& outcome);
// The same for what stands behind the check sum: for tests.
void append_checked(std::string& into, std::uint64_t generation, std::string_view line);
// seen, to..., state.
void append_block(std::string& into, std::uint64_t generation, const MessageId& id,
                  const MessageState& state);

struct OutcomeLine {
  MessageId id;
  Outcome outcome;
};
// `line` without its line feed. Nothing if it is damaged or unknown.
[[nodiscard]] std::optional<OutcomeLine> parse_line(std::string_view line,
                                                    std::uint64_t generation);

// What a whole .out file says.
struct MessageHistory {
  enum class Place { here, moved, dropped, done };
  Place place = Place::here;
  bool has_block = false;        // `state` was read from a block
  bool block_is_current = true;  // no line came behind it that changes it
  bool copied = false;
  std::uint64_t block_offset = 0;  // in the file
  std::uint64_t block_size = 0;
  MessageState state;
};
struct OutcomeFileContents {
  std::unordered_map<MessageId, MessageHistory, MessageIdHash> messages;
  std::uint64_t scanned = 0;  // from `scanned`; 0 if there is none, or if a damaged line may have
                              // been a message's only one
  std::size_t damaged_lines = 0;
  std::uint64_t whole =
      0;  // octets up to the last line feed: what follows is a line that was not finished
};
[[nodiscard]] OutcomeFileContents read_outcomes(std::string_view octets, std::uint64_t generation);
// One block, as it was written by append_block(). Nothing if it is damaged or another message's.
[[nodiscard]] std::optional<MessageState> read_block(std::string_view octets,
                                                     std::uint64_t generation, const MessageId& id);

}  // namespace posthorn::queue
