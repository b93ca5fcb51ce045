// The trace fields that a server puts on top of a message (RFC 5321 4.4).
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "libmail/base/clock.h"
#include "libmail/smtp/server.h"

namespace posthorn::smtp {

struct Trace {
  std::string by;    // our host name
  std::string id;    // queue id
  std::string rcpt;  // "ann@example.org" if there is one recipient; "" = no for clause
  WallTime time{};
  bool hide_client = false;  // submission: the client's names and addresses stay with us

  Trace() = default;
};

// "SMTP", "ESMTPSA", "LMTPS", "UTF8SMTPS", ...: RFC 3848, RFC 6531 4.3.
[[nodiscard]] std::string with_keyword(const SessionInfo& session, bool smtputf8);
// "Received: from ...;\r\n\tdate\r\n". Nothing that a client said can end a line or a comment in
// it.
[[nodiscard]] std::string format_received(const SessionInfo& session, const Envelope& envelope,
                                          const Trace& trace);
// "Return-Path: <ann@example.org>\r\n", for the agent that makes final delivery.
[[nodiscard]] std::string format_return_path(const ReversePath& path);
// "Delivered-To: ann@example.org\r\n".
[[nodiscard]] std::string format_delivered_to(const Mailbox& mailbox);

// Counts Received fields at the top of a message while its octets pass, in any cut: RFC 5321 6.3's
// loop check.
class ReceivedCounter {
 public:
  void feed(std::string_view octets);
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] bool header_ended() const { return ended_; }
  [[nodiscard]] std::size_t header_octets() const { return octets_; }

 private:
  std::string beginning_;  // the first octets of the line, as many as "received:" has
  bool ended_ = false;
  std::size_t count_ = 0;
  std::size_t octets_ = 0;
};

}  // namespace posthorn::smtp
