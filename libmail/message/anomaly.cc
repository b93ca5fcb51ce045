#include "libmail/message/anomaly.h"

#include <algorithm>

namespace posthorn::message {
namespace {

struct Entry {
  Severity severity;
  std::string_view name;
};

constexpr Severity warning = Severity::warning;
constexpr Severity critical = Severity::critical;

// In the order of the enumeration.
constexpr std::array<Entry, anomaly_kinds> entries = {{
    {critical, "not_a_field"},
    {critical, "leading_continuation"},
    {critical, "blank_folded_line"},
    {warning, "mbox_from_line"},
    {critical, "blank_before_colon"},
    {critical, "nul_in_header"},
    {critical, "bare_cr_in_header"},
    {warning, "unencoded_8bit"},
    {warning, "duplicate_field"},
    {critical, "conflicting_field"},
    {critical, "too_many_fields"},
    {critical, "header_too_large"},
    {critical, "field_too_long"},
    {warning, "unterminated_header"},
    {warning, "missing_mime_version"},
    {critical, "bad_content_type"},
    {warning, "bad_disposition"},
    {critical, "unknown_encoding"},
    {critical, "encoding_on_composite"},
    {critical, "loose_syntax"},
    {warning, "bad_parameter"},
    {warning, "duplicate_parameter"},
    {critical, "conflicting_parameter"},
    {critical, "too_many_parameters"},
    {warning, "missing_segment"},
    {warning, "bad_percent_encoding"},
    {warning, "deceptive_filename"},
    {critical, "multipart_without_boundary"},
    {critical, "bad_boundary"},
    {critical, "boundary_too_long"},
    {critical, "boundary_reused"},
    {critical, "boundary_with_tail"},
    {critical, "delimiter_after_close"},
    {critical, "multipart_without_parts"},
    {warning, "implicitly_closed"},
    {warning, "unclosed_multipart"},
    {critical, "nesting_too_deep"},
    {critical, "too_many_parts"},
    {warning, "empty_part"},
    {warning, "nul_in_body"},
    {warning, "bare_cr_in_body"},
    {warning, "mixed_line_ends"},
    {warning, "line_too_long"},
    {warning, "undeclared_8bit"},
    {warning, "bad_base64"},
    {critical, "base64_after_padding"},
    {warning, "truncated_base64"},
    {warning, "bad_quoted_printable"},
    {warning, "bad_encoded_word"},
    {critical, "control_in_encoded_word"},
    {warning, "unknown_charset"},
    {warning, "forbidden_charset"},
    {warning, "invalid_in_charset"},
    {warning, "bad_address_list"},
    {warning, "address_limit"},
    {warning, "bad_date"},
    {warning, "bad_message_id"},
    {warning, "too_many_message_ids"},
}};
static_assert(!entries.back().name.empty());

const Entry& entry(AnomalyKind kind) {
  return entries[static_cast<std::size_t>(kind)];
}

}  // namespace

Severity severity(AnomalyKind kind) {
  return entry(kind).severity;
}

std::string_view name(AnomalyKind kind) {
  return entry(kind).name;
}

void Anomalies::add(AnomalyKind kind, std::uint64_t offset) {
  const Severity how = severity(kind);
  std::uint32_t& count = counts_[static_cast<std::size_t>(kind)];
  if (count < kept_per_kind) list_.push_back({kind, how, offset});
  if (count != UINT32_MAX) ++count;
  if (how == Severity::critical) critical_ = true;
}

void Anomalies::append(const Anomalies& other, std::uint64_t base) {
  for (const Anomaly& anomaly : other.list_) add(anomaly.kind, base + anomaly.offset);
  for (std::size_t i = 0; i < anomaly_kinds; ++i) {
    const std::uint32_t unlisted =
        other.counts_[i] - std::min<std::uint32_t>(other.counts_[i], kept_per_kind);
    counts_[i] += std::min(unlisted, UINT32_MAX - counts_[i]);
  }
}

}  // namespace posthorn::message
