// The first two parts of a report, for report.cc.
#pragma once

#include <string>

#include "libmail/dsn/fields.h"
#include "libmail/dsn/report.h"

namespace posthorn::dsn {

// What is known of the host that refused or took a recipient; empty if the words are our own.
struct RemoteSide {
  std::string name;      // for Remote-MTA: "mx.example.org", or "[192.0.2.1]"
  std::string shown;     // for people: "mx.example.org [192.0.2.1]"
  std::string reply;     // "550 5.1.1 No such user"; cleaned
  std::string own_text;  // our words, if there is no host; cleaned
};
[[nodiscard]] RemoteSide remote_side(const RecipientReport& report, Charset charset,
                                     std::size_t limit);

// The mailbox as people read it; \x{..} for what `charset` doesn't have.
[[nodiscard]] std::string shown_mailbox(const smtp::Mailbox& mailbox, Charset charset);

[[nodiscard]] std::string subject_of(const ReportRequest& request);
// Text for people, CRLF lines.
[[nodiscard]] std::string text_part(const ReportRequest& request, Charset charset,
                                    bool message_returned);
// RFC 3464 2: fields of the message, then groups of fields, separated by empty lines.
[[nodiscard]] std::string status_part(const ReportRequest& request, Charset charset);

}  // namespace posthorn::dsn
