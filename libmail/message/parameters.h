// Parameters of Content-Type and Content-Disposition (RFC 2045 5.1), long and foreign ones too (RFC 2231).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/message/anomaly.h"

namespace posthorn::message {

struct ParameterLimits {
  std::size_t parameters = 200;  // with every segment of RFC 2231 counted
  std::size_t segments = 100;    // of one parameter
};

// One as it stands in the field: IMAP's BODYSTRUCTURE shows these.
struct RawParameter {
  std::string name;   // as written, "filename*0*" too
  std::string value;  // quoting undone, nothing decoded
};

struct Parameter {
  std::string name;   // lower case, without "*"
  std::string value;  // UTF-8, well-formed, without controls; the first one if there are several
  std::string plain;  // what "name=" said where "name*=" said something else; "" if they agree
  bool extended = false;  // value came from RFC 2231
};

struct ParameterList {
  std::vector<RawParameter> raw;
  std::vector<Parameter> parameters;

  // Null if there is none of that name (lower case).
  [[nodiscard]] const Parameter* find(std::string_view name) const;
};

// What follows the type or disposition, from its first ';' on (folds and comments are fine). Never
// fails, does not recurse, linear in text.size(). Two values for one name: the first counts, RFC 2231
// before plain; segments are joined in the order of their numbers, over a gap too, since what stands behind it may be the extension. An encoded-word in a name of a file,
// which RFC 2047 forbids and many agents write, is decoded. Adds bad_parameter, duplicate_parameter,
// conflicting_parameter, too_many_parameters, missing_segment, bad_percent_encoding, unknown_charset,
// invalid_in_charset and what decode_encoded_words() adds, at `offset` plus where in text it is.
[[nodiscard]] ParameterList parse_parameters(std::string_view text, Anomalies& anomalies,
                                             std::uint64_t offset = 0,
                                             const ParameterLimits& limits = {});

// "; name=value" for a field body; quoted if need be, by RFC 2231 if it isn't ASCII or too long
// for one line. `value` is UTF-8; controls and what is ill-formed are replaced. Several pieces when long, each
// beginning with "; ": a fold may come behind any ';'.
[[nodiscard]] std::string format_parameter(std::string_view name, std::string_view value);

}  // namespace posthorn::message
