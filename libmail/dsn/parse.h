// Reads delivery reports, ours and other agents'.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/dsn/duty.h"
#include "libmail/smtp/envelope.h"
#include "libmail/smtp/reply.h"

namespace posthorn::dsn {

struct ParsedRecipient {
  std::optional<smtp::OriginalRecipient> original_recipient;
  smtp::OriginalRecipient final_recipient;  // type and address, as in the field
  Action action = Action::failed;
  smtp::EnhancedStatus status;
  std::string remote_mta;       // without its type
  std::string diagnostic_type;  // "smtp"
  std::string diagnostic;
  std::string last_attempt_date;  // as written
  std::string will_retry_until;

  ParsedRecipient() = default;
};

struct ParsedReport {
  std::string text;           // the part for people, as it stands
  std::string reporting_mta;  // without its type
  std::optional<std::string> envid;
  std::string arrival_date;
  std::vector<ParsedRecipient> recipients;
  std::string
      returned_type;     // "message/rfc822", "text/rfc822-headers", ...; "" if nothing came back
  std::string returned;  // the third part, as it stands

  ParsedReport() = default;
};

inline constexpr std::size_t max_parsed_recipients = 20'000;

// `message`: a whole message, CRLF or LF. The error says why it is no delivery report. Parts that
// are encoded (Content-Transfer-Encoding other than 7bit, 8bit, binary) are given as they stand,
// and a delivery-status that is encoded is an error.
[[nodiscard]] Result<ParsedReport, std::string> parse_report(std::string_view message);

}  // namespace posthorn::dsn
