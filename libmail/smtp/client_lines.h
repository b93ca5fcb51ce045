// The command lines a client says, CRLF included, with the parameters that this server offers.
#pragma once

#include <string>
#include <vector>

#include "libmail/smtp/client_extensions.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::smtp {

// "MAIL FROM:<ann@example.org> SIZE=1000 BODY=8BITMIME ...". SIZE if `size` isn't 0. `utf8`: say
// SMTPUTF8.
[[nodiscard]] std::string mail_line(const Envelope& envelope, const ServerExtensions& server,
                                    Utf8 utf8);

// "RCPT TO:<bob@example.org> NOTIFY=... ORCPT=...".
[[nodiscard]] std::string rcpt_line(const Recipient& recipient, const ServerExtensions& server,
                                    Utf8 utf8);

// XCLIENT for the attributes that are offered: the client of `envelope` and who has logged in. Empty if nothing is offered.
// A line has at most 512 octets: for that, names that are too long are left out. https://www.postfix.org/XCLIENT_README.html
[[nodiscard]] std::string xclient_line(const Envelope& envelope, const ServerExtensions& server);
// XFORWARD for the attributes that are offered, in lines of at most 512 octets; none if nothing is
// offered or known. https://www.postfix.org/XFORWARD_README.html
[[nodiscard]] std::vector<std::string> xforward_lines(const Envelope& envelope,
                                                      const ServerExtensions& server);

// True if the mailbox can go to a server without SMTPUTF8: an ASCII local part; the domain has
// A-labels.
[[nodiscard]] bool has_ascii_form(const Mailbox& mailbox);

}  // namespace posthorn::smtp
