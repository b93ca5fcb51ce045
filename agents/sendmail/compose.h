// From what stands on standard input to a message and an envelope (RFC 5322, RFC 6409).
#pragma once

#include <string>
#include <vector>

#include "agents/sendmail/arguments.h"
#include "libmail/base/clock.h"
#include "libmail/base/result.h"

namespace posthorn::sendmail {

// Who calls, and where.
struct Caller {
  std::string login;      // "ann"
  std::string full_name;  // "Ann Example"; may be empty
  std::string domain;     // of addresses without one
  std::string hostname;
  WallTime now{};
  std::uint64_t random = 0;

  Caller() = default;
};

struct Letter {
  smtp::Envelope envelope;  // client and ids are left to who takes it
  std::string message;      // CRLF lines

  Letter() = default;
};

struct Failure {
  int exit_code;
  std::string text;  // one sentence, or more lines
};

// `input`: CRLF lines. The header is what looks like one; if the first line is no field, everything is body. Added where they are
// absent: From (the sender, with the full name), Date, Message-ID; removed: Bcc, and a first line "From ..." of an mbox.
[[nodiscard]] Result<Letter, Failure> compose(std::string input, const Arguments& arguments,
                                              const Caller& caller);

// Only sender and recipients, for -bv.
[[nodiscard]] Result<smtp::Envelope, Failure> make_envelope(const Arguments& arguments,
                                                            const Caller& caller);

// "Ann Example <ann@example.org>": quoted where RFC 5322 asks for it, encoded-words for what isn't ASCII.
[[nodiscard]] std::string format_from(const std::string& full_name, const std::string& addr_spec);

}  // namespace posthorn::sendmail
