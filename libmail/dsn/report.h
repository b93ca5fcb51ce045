// Builds delivery reports: RFC 3464 in a multipart/report of RFC 6522, with RFC 6533 for UTF-8
// addresses.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/base/clock.h"
#include "libmail/dsn/duty.h"
#include "libmail/smtp/envelope.h"
#include "libmail/smtp/status.h"

namespace posthorn::dsn {

struct ReportLimits {
  std::uint64_t returned_message = 64 * 1024;  // larger ones go back as their header
  std::size_t returned_header = 128 * 1024;    // cut at a line
  std::size_t text = 4000;                     // of one remote host's words
};

// What is told of one recipient.
struct RecipientReport {
  smtp::Recipient recipient;  // the mailbox is Final-Recipient, ORCPT Original-Recipient
  Action action = Action::failed;
  // Its text may be "host NAME[ADDR] said: ..." (remote.h) or carry remote_mta: then it is that
  // host's word. Else it is ours.
  smtp::Status status;
  std::optional<WallTime> last_attempt;
  std::optional<WallTime> will_retry_until;  // delayed

  RecipientReport() = default;
};

struct ReportRequest {
  std::string reporting_mta;   // our host name; the report is from MAILER-DAEMON there
  smtp::Mailbox to;            // the reverse-path of the message, or the postmaster
  bool to_postmaster = false;  // the message had a null reverse-path and failed
  WallTime date{};
  std::uint64_t random[2] = {};  // 128 bits for Message-ID and boundary

  // Of the message that is reported on:
  std::optional<std::string> envid;
  smtp::Ret ret = smtp::Ret::unspecified;
  bool smtputf8 = false;
  WallTime arrival{};
  std::string trace_id;  // shown to people who have to find it in a log

  std::vector<RecipientReport> recipients;  // at least one
  ReportLimits limits;

  ReportRequest() = default;
  // The fields "of the message" from its envelope, and `to` from its reverse-path if there is one.
  void take(const smtp::Envelope& envelope);
};

// Whether the whole message goes back (RFC 3461 4.3): it was asked for, somebody failed, and it is
// small enough. `size` in octets.
[[nodiscard]] bool returns_message(const ReportRequest& request, std::uint64_t size);

// A report is sent with a null reverse-path and NOTIFY=NEVER.
struct Report {
  std::string head;  // header and parts up to where the returned message begins
  bool message_follows =
      false;  // the message itself, octet for octet, stands between head and tail
  std::string tail;
  bool eight_bit = false;  // send it with BODY=8BITMIME
  bool smtputf8 = false;   // and with SMTPUTF8
  std::string message_id;

  Report() = default;
  // The report in one piece.
  [[nodiscard]] std::string text(std::string_view message) const;
};

// `header`: the original's header block (a whole message will do; CRLF or LF). `whole_size`: set if
// the message can be put between head and tail; its octets above 127 are told by `eight_bit`.
struct Returned {
  std::string_view header;
  std::optional<std::uint64_t> whole_size;
  bool eight_bit = false;
};
[[nodiscard]] Report build_report(const ReportRequest& request, const Returned& original);
// The same for a message in memory.
[[nodiscard]] Report build_report(const ReportRequest& request, std::string_view message);

}  // namespace posthorn::dsn
