// Names and passwords made comparable: SASLprep (RFC 4013), with these differences. Normalisation
// and categories are those of utf8proc's Unicode, not of 3.2, so characters that are newer are
// treated as what they are; unassigned code points are refused in neither queries nor stored
// strings. Everything else is as there: other spaces become U+0020, B.1 of RFC 3454 is deleted,
// NFKC, the prohibited tables are refused, and so is mixed direction.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthorn::sasl {

// Nothing if the text is not UTF-8, or has something prohibited, or is empty afterwards. ASCII
// without controls comes back as it is, at once.
[[nodiscard]] std::optional<std::string> sasl_prep(std::string_view text);

}  // namespace posthorn::sasl
