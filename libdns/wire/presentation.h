// Text of RFC 1035 5.1: entries made of tokens, and records made of entries. Sans I/O: zone files,
// commands and tests hand over what they have in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "libdns/wire/record.h"

namespace posthorn::dns {

// Both count from 1; a column is an octet, a tab is one.
struct TextPosition {
  std::uint32_t line = 1;
  std::uint32_t column = 1;
  bool operator==(const TextPosition&) const = default;
};

struct TextError {
  std::string what;  // "MX preference: \"ten\" is no number from 0 to 65535"; safe to print
  TextPosition at;
  TextError() = default;
  TextError(std::string w, TextPosition p) : what(std::move(w)), at(p) {}
  // "line 3, column 14: ..."
  [[nodiscard]] std::string text() const;
  bool operator==(const TextError&) const = default;
};

struct Token {
  std::string_view text;  // into the source; without the quotes around it, escapes not resolved
  bool quoted = false;
  TextPosition at;
};

// A record or a directive: what stands on one line, or on several held together by parentheses.
struct Entry {
  bool begins_blank = false;  // a blank before the first token: the owner is the one before
  TextPosition at;            // of the first token
  TextPosition end;           // where the entry ends: the place of what is missing
  std::vector<Token> tokens;  // never empty
};

struct TextLimits {
  // A parameter of SVCB is one token of at most 65535 octets, each of which "\092\DDD" may say.
  std::size_t token_octets = 8 * 65536;
  // 65535 octets of hexadecimal digits, each digit a token, and what stands before them.
  std::size_t entry_tokens = 2 * 65536;
  std::size_t parentheses = 64;  // open at once
};

// Cuts text into entries. Work and memory are linear in what has been read. A quote begins a quoted
// string at a token's begin and behind "=" (SVCB); it must end on its line.
class EntryReader {
 public:
  // Views into `text`, which must outlive the entries.
  explicit EntryReader(std::string_view text, TextLimits limits = {})
      : text_(text), limits_(limits) {}

  // Fills `entry`; false at the end of the text. Lines without tokens are skipped. After an error
  // reading goes on with the next line, so that one check can tell all errors.
  [[nodiscard]] Result<bool, TextError> next(Entry& entry);

 private:
  [[nodiscard]] TextPosition position(std::size_t offset) const;
  [[nodiscard]] bool at_end() const { return at_ >= text_.size(); }
  void skip_comment();
  void take_newline();
  void fill(Entry& entry);
  // One parenthesis, comment or token; false at the end of the entry.
  bool step(Entry& entry);
  bool step_over_newline(Entry& entry);
  void take_word(Entry& entry);
  void take_quoted(Entry& entry);
  // Over an escape; false if the line ends in it.
  bool take_escaped();
  void add(Entry& entry, std::size_t begin, std::size_t end, bool quoted, std::size_t at);
  void set_fault(std::string what, std::size_t offset);

  std::string_view text_;
  TextLimits limits_;
  std::size_t at_ = 0;
  std::uint32_t line_ = 1;
  std::size_t line_begin_ = 0;
  std::size_t open_ = 0;  // parentheses
  TextPosition open_at_;  // the outermost
  std::optional<TextError> fault_;
};

// Octets a token stands for: "\DDD" and "\X" resolved; nothing if an escape is none.
[[nodiscard]] std::optional<std::string> unescape(std::string_view text);
// A name as it stands in a zone: "@" is the origin, without a dot at its end it is below the origin.
[[nodiscard]] Result<Name, NameError> parse_name(std::string_view text, const Name& origin);
// Seconds, or numbers with units: "1h30m", "2W". At most 2^31-1 (RFC 2181 8).
[[nodiscard]] std::optional<std::uint32_t> parse_ttl(std::string_view text);
// YYYYMMDDHHMMSS or seconds since 1970 (RFC 4034 3.2), and the first form of it.
[[nodiscard]] std::optional<std::uint32_t> parse_time(std::string_view text);
[[nodiscard]] std::string time_text(std::uint32_t seconds);

// The data of one record: its tokens behind the type, "\# LENGTH HEX" (RFC 3597 5) for any type.
// `end` is where a missing token is reported.
[[nodiscard]] Result<Rdata, TextError> parse_rdata(Type type, std::span<const Token> tokens,
                                                   const Name& origin, TextPosition end = {});
[[nodiscard]] Result<Rdata, TextError> parse_rdata(Type type, std::string_view text,
                                                   const Name& origin = Name());

// What an entry may leave out.
struct RecordDefaults {
  Name origin;
  std::optional<Name> owner;  // of an entry that begins blank
  std::optional<std::uint32_t> ttl;
  Class klass = Class::in;
};
// OWNER [TTL] [CLASS] TYPE RDATA, TTL and class in either order. RRs of the metatypes (OPT, TSIG,
// AXFR, IXFR, ANY) are refused.
[[nodiscard]] Result<Record, TextError> parse_record(const Entry& entry,
                                                     const RecordDefaults& defaults);
// The same of text that holds one entry.
[[nodiscard]] Result<Record, TextError> parse_record(std::string_view text,
                                                     const RecordDefaults& defaults = {});
// All entries of a text without directives: hints, anchors, key files.
struct PlacedRecord {
  Record record;
  TextPosition at;
};
[[nodiscard]] Result<std::vector<PlacedRecord>, TextError> parse_records(std::string_view text);

}  // namespace posthorn::dns
