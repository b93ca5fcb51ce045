// What FETCH asks for (RFC 9051 6.4.5, 3501, 3516 BINARY, 7162 CONDSTORE, 8474 OBJECTID, 8514 SAVEDATE, 8970 PREVIEW), and the names
// that its answers carry.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmail/imap/scanner.h"
#include "libmail/imap/sequence_set.h"

namespace posthorn::imap {

// What stands between "BODY[" and "]".
struct Section {
  enum class Text : std::uint8_t { all, header, header_fields, header_fields_not, text, mime };
  std::vector<std::uint32_t> part;  // 1.2.3
  Text text = Text::all;
  std::vector<std::string> fields;  // of header_fields and header_fields_not, as they were written

  Section() = default;
  [[nodiscard]] std::string to_text() const;  // "1.2.HEADER.FIELDS (From To)"
  bool operator==(const Section&) const = default;
};

struct Partial {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  bool operator==(const Partial&) const = default;
};

struct FetchItem {
  enum class Kind : std::uint8_t {
    uid,
    flags,
    internal_date,
    rfc822_size,
    envelope,
    body,  // BODYSTRUCTURE without extension data
    body_structure,
    modseq,
    save_date,
    email_id,
    thread_id,
    preview,
    body_section,   // BODY[section]<partial>, BODY.PEEK
    binary,         // BINARY[part]<partial>, BINARY.PEEK
    binary_size,    // BINARY.SIZE[part]
    rfc822,         // BODY[] under its old name; sets \Seen
    rfc822_header,  // sets nothing
    rfc822_text,    // sets \Seen
  };
  Kind kind = Kind::uid;
  Section section;
  std::optional<Partial> partial;
  bool peek = false;
  bool lazy = false;  // PREVIEW (LAZY)

  FetchItem() = default;
  explicit FetchItem(Kind what) : kind(what) {}
  // BODY.PEEK[] of the whole message, or of a section.
  static FetchItem body_peek(Section of = Section());
  static FetchItem binary_peek(std::vector<std::uint32_t> part);
  // Makes the message \Seen.
  [[nodiscard]] bool sets_seen() const;
  // As a client asks: "BODY.PEEK[1]<0.100>".
  [[nodiscard]] std::string request_text() const;
  // As a server answers: "BODY[1]<0>", "BINARY[1]", "RFC822.SIZE".
  [[nodiscard]] std::string response_name() const;
  bool operator==(const FetchItem&) const = default;
};

// One item, or a list in parentheses, or a macro (ALL, FAST, FULL), which comes out as its items. No item twice.
[[nodiscard]] std::vector<FetchItem> scan_fetch_items(Scanner& in);
[[nodiscard]] std::string fetch_items_text(const std::vector<FetchItem>& items);

// The name of an item in a response, up to its value: "BODY[1]<0>" with partial->first set. PREVIEW, RFC822 and so on.
// Nothing, and a failure, for a name that is not known.
[[nodiscard]] std::optional<FetchItem> scan_response_item(Scanner& in);

// "1.2"; RFC 3516 section-part, "" for the whole message.
[[nodiscard]] std::vector<std::uint32_t> scan_part(Scanner& in);
[[nodiscard]] Section scan_section(Scanner& in);  // without its brackets

}  // namespace posthorn::imap
