// The command line of sendmail(1), as programs have used it since 1983.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libmail/base/result.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::sendmail {

struct Arguments {
  enum class Mode {
    deliver,  // -bm, the usual one
    smtp,     // -bs
    list,     // -bp, mailq
    flush,    // -q, -qIID, -qRSITE, -qSSENDER
    aliases,  // -bi, newaliases: nothing to do
    verify,   // -bv
    help,
    version,
  };
  Mode mode = Mode::deliver;
  bool recipients_from_header = false;  // -t
  bool dot_is_text = false;           // -i, -oi: a line with a single dot does not end the message
  std::optional<std::string> sender;  // -f, -r; as written
  std::string full_name;              // -F
  std::optional<smtp::Body> body;     // -B
  smtp::Notify notify;                // -N
  smtp::Ret ret = smtp::Ret::unspecified;  // -R
  std::optional<std::string> envid;        // -V
  bool smtputf8 = false;                   // -O smtputf8=yes
  bool requiretls = false;                 // -O requiretls=yes
  char flush_by = 0;                       // 'I', 'R', 'S'; 0: everything
  std::string flush_what;
  std::string site;                     // --site
  std::vector<std::string> recipients;  // as written

  Arguments() = default;
};

// `program`: argv[0]; "mailq" and "newaliases" are modes. The error is one sentence.
[[nodiscard]] Result<Arguments, std::string> parse_arguments(const std::string& program,
                                                             const std::vector<std::string>& words);

[[nodiscard]] std::string help_text();

}  // namespace posthorn::sendmail
