// What a reader of mail came across that ought not to be there. Readers here never fail: they do
// what the README says, and note it as an anomaly that a policy can act on.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace posthorn::message {

// critical: another program may well read this message differently from us, so a filter and a mail
// client could see two messages. warning: broken, but everybody reads it the same or nearly so.
enum class Severity : std::uint8_t { warning, critical };

// anomaly.cc has the severity and the name of each.
enum class AnomalyKind : std::uint8_t {
  // Header blocks.
  not_a_field,           // a line that is no field
  leading_continuation,  // the first line of the block begins with a blank
  blank_folded_line,     // a folded line of nothing but blanks: the end of the header for some
  mbox_from_line,        // "From " above the first field
  blank_before_colon,    // obsolete (RFC 5322 4.5); the end of the header for some
  nul_in_header,
  bare_cr_in_header,
  unencoded_8bit,        // octets above 127 in a header field that are not UTF-8
  duplicate_field,       // a field that may stand once is there again, saying the same
  conflicting_field,     // ... saying something else; the first counts
  too_many_fields,       // MimeLimits::fields
  header_too_large,      // MimeLimits::header_bytes
  field_too_long,        // MimeLimits::field_bytes
  unterminated_header,   // no empty line behind it
  missing_mime_version,  // Content-Type without MIME-Version
  // Content-* fields and their parameters.
  bad_content_type,  // not type "/" subtype; read as text/plain (RFC 2045 5.2)
  bad_disposition,
  unknown_encoding,       // Content-Transfer-Encoding; the body is octets (RFC 2045 6.4)
  encoding_on_composite,  // base64 or quoted-printable on multipart or message (RFC 2045 6.4)
  loose_syntax,           // comments, blanks around "/": allowed, but many readers don't know
  bad_parameter,          // no "=", junk behind the value, an open quote
  duplicate_parameter,    // the same parameter again, the same value
  conflicting_parameter,  // ... another value; also plain and RFC 2231 form that differ
  too_many_parameters,    // of a field, or segments of a parameter
  missing_segment,        // RFC 2231: a gap in name*0, name*1, ...
  bad_percent_encoding,   // RFC 2231: "%" without two hex digits
  deceptive_filename,     // bidi controls, two extensions, a path, a device name
  // Structure.
  multipart_without_boundary,  // a leaf for us
  bad_boundary,                // above 70 octets, or not as RFC 2046 5.1.1 wants it
  boundary_too_long,           // MimeLimits::boundary; a leaf for us
  boundary_reused,             // that of an enclosing multipart, or one that reads as its end
  boundary_with_tail,          // a line that begins with an open boundary and goes on: no delimiter
  delimiter_after_close,       // of a multipart that was closed before
  multipart_without_parts,     // the boundary never appears
  implicitly_closed,           // the delimiter of an outer multipart ended an open inner one
  unclosed_multipart,          // the message ended before the closing delimiter
  nesting_too_deep,            // MimeLimits::depth
  too_many_parts,              // MimeLimits::parts
  empty_part,                  // neither header nor body
  // Bodies as they stand.
  nul_in_body,
  bare_cr_in_body,
  mixed_line_ends,  // CRLF and LF in one message
  line_too_long,    // above 998 octets (RFC 5322 2.1.1)
  undeclared_8bit,  // octets above 127 in a part that says 7bit
  // Decoders.
  bad_base64,            // octets outside the alphabet
  base64_after_padding,  // data behind "=": strict readers stop there
  truncated_base64,      // ends inside a group of four
  bad_quoted_printable,  // "=" without two hex digits or a line end
  bad_encoded_word,
  control_in_encoded_word,  // CR, LF, NUL and friends that an encoded-word decodes to
  unknown_charset,
  forbidden_charset,   // known and refused: UTF-7 and other shape-shifters
  invalid_in_charset,  // octets that are no text in the charset given
  // Fields with a grammar of their own.
  bad_address_list,
  address_limit,  // groups, comments or mailboxes beyond AddressLimits
  bad_date,
  bad_message_id,
  too_many_message_ids,
};
inline constexpr std::size_t anomaly_kinds =
    static_cast<std::size_t>(AnomalyKind::too_many_message_ids) + 1;

[[nodiscard]] Severity severity(AnomalyKind kind);
// "conflicting_field".
[[nodiscard]] std::string_view name(AnomalyKind kind);

struct Anomaly {
  AnomalyKind kind;
  Severity severity;
  std::uint64_t offset = 0;  // of the first octet concerned, in what the reader was given
  bool operator==(const Anomaly&) const = default;
};

// The anomalies of one reading, in the order they were met. Bounded: of each kind the first
// `kept_per_kind` are kept, the rest is counted, so a flood of one kind neither costs memory nor
// hides another.
class Anomalies {
 public:
  static constexpr std::size_t kept_per_kind = 8;

  void add(AnomalyKind kind, std::uint64_t offset);
  // All of `other`, whose offsets count from `base` of ours.
  void append(const Anomalies& other, std::uint64_t base);

  [[nodiscard]] const std::vector<Anomaly>& list() const { return list_; }
  [[nodiscard]] std::size_t count(AnomalyKind kind) const {
    return counts_[static_cast<std::size_t>(kind)];
  }
  [[nodiscard]] bool has(AnomalyKind kind) const { return count(kind) != 0; }
  [[nodiscard]] bool empty() const { return list_.empty(); }
  // A critical one is among them.
  [[nodiscard]] bool critical() const { return critical_; }

 private:
  std::vector<Anomaly> list_;
  std::array<std::uint32_t, anomaly_kinds> counts_{};
  bool critical_ = false;
};

}  // namespace posthorn::message
