// SMTP and LMTP commands as values (RFC 5321 4.1 and its extensions). parse_command() knows the
// grammar and nothing of the session: whether a command fits now is ServerCore's business.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "libmail/smtp/envelope.h"

namespace posthorn::smtp {

struct Helo {
  std::string name;  // one word, printable, nothing of ( ) < > @ , ; \ "
};
struct Ehlo {
  std::string name;
};
struct Lhlo {
  std::string name;
};
// MAIL FROM with the parameters of RFC 1870, 6152, 6531, 3461, 4954, 8689.
struct Mail {
  ReversePath reverse_path;
  std::optional<std::uint64_t> size;
  std::optional<Body> body;
  bool smtputf8 = false;
  bool requiretls = false;
  Ret ret = Ret::unspecified;
  std::optional<std::string> envid;
  std::optional<ReversePath> auth;
};
struct Rcpt {
  Recipient recipient;
};
struct Data {};
struct Bdat {
  std::uint64_t size = 0;
  bool last = false;
};
struct Rset {};
struct Noop {};
struct Vrfy {
  std::string argument;
};
struct Expn {
  std::string argument;
};
struct Help {};
struct Quit {};
struct StartTls {};
struct Auth {
  std::string mechanism;               // upper case
  std::optional<std::string> initial;  // decoded; "=" is an empty one
};
// Attribute names in upper case, values decoded from xtext; "[UNAVAILABLE]" and "[TEMPUNAVAIL]"
// stay words.
struct Xforward {
  std::vector<std::pair<std::string, std::string>> attributes;
};
// The same, said by a proxy of the client it speaks for from here on.
struct Xclient {
  std::vector<std::pair<std::string, std::string>> attributes;
};

using Command = std::variant<Helo, Ehlo, Lhlo, Mail, Rcpt, Data, Bdat, Rset, Noop, Vrfy, Expn, Help,
                             Quit, StartTls, Auth, Xforward, Xclient>;

enum class SyntaxFault : std::uint8_t {
  unknown_command,    // 500 5.5.2
  not_smtp,           // 421, and close: the verbs of HTTP, sent here by a browser that was tricked
  bad_argument,       // 501 5.5.4
  bad_sender,         // 501 5.1.7
  bad_recipient,      // 501 5.1.3
  needs_smtputf8,     // 553 5.6.7
  bad_base64,         // 501 5.5.2
  unknown_parameter,  // 555 5.5.4
  bad_chunk,          // 501 5.5.4, and close: where the chunk ends is unknown
};
struct SyntaxError {
  SyntaxFault fault;
  std::string text;  // "BODY=BINARYMIME is not supported", safe to send back

  SyntaxError(SyntaxFault what, std::string words) : fault(what), text(std::move(words)) {}
};

// `line` without its CRLF. `utf8` says whether the transaction has SMTPUTF8: it decides about
// RCPT's path; MAIL, VRFY and EXPN say SMTPUTF8 themselves. The result owns its bytes. Linear in
// line.size().
[[nodiscard]] Result<Command, SyntaxError> parse_command(std::string_view line, Utf8 utf8);

// The first word, as it would be logged: "MAIL". At most 16 octets, printable.
[[nodiscard]] std::string command_verb(std::string_view line);

}  // namespace posthorn::smtp
