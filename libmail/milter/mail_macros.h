// What a filter is told beside the steps: the macros that Postfix and Sendmail send, by the stage that they belong to;
// and the arguments of the steps themselves.
#pragma once

#include <string>
#include <vector>

#include "libmail/milter/dialogue.h"
#include "libmail/smtp/server.h"

namespace posthorn::milter {

// Who we are.
struct Identity {
  std::string hostname;
  std::string daemon;    // "smtpd"
  std::string software;  // "Posthorn 0.1.0"

  Identity() = default;
};

// A client on a Unix socket is "localhost" at 127.0.0.1, as Postfix has it: many filters know nothing else.
[[nodiscard]] ClientAddress client_address(const smtp::SessionInfo& session);
[[nodiscard]] std::string client_host(const smtp::SessionInfo& session);

[[nodiscard]] Macros connect_macros(const Identity& identity, const smtp::SessionInfo& session);
[[nodiscard]] Macros hello_macros(const smtp::SessionInfo& session);
[[nodiscard]] Macros mail_macros(const smtp::Envelope& envelope, const smtp::SessionInfo& session);
[[nodiscard]] Macros rcpt_macros(const smtp::Envelope& envelope, const smtp::Recipient& recipient);
// data, end_of_header, end_of_message.
[[nodiscard]] Macros message_macros(const smtp::Envelope& envelope);

// "<ann@example.org>", "SIZE=1000", "BODY=8BITMIME", ...
[[nodiscard]] std::vector<std::string> mail_arguments(const smtp::Envelope& envelope);
[[nodiscard]] std::vector<std::string> rcpt_arguments(const smtp::Envelope& envelope,
                                                      const smtp::Recipient& recipient);

}  // namespace posthorn::milter
