// Hands a letter over: SMTP on submissiond's Unix socket, else a file in the drop directory.
#pragma once

#include <string>
#include <vector>

#include "agents/sendmail/compose.h"
#include "libmail/async/task.h"
#include "libmail/smtp/status.h"

namespace posthorn::sendmail {

struct Places {
  std::string socket;                            // submissiond's
  std::string queue;                             // the queue directory
  Duration patience = std::chrono::seconds(30);  // for each answer of submissiond

  Places() = default;
};

// What submissiond says. A message goes to all its recipients or to none: if one is refused for good, nobody gets it.
struct Verdict {
  enum class Kind {
    taken,
    refused,      // for good; `failure` says who and why
    unavailable,  // nobody there, or not now: the drop directory takes it
  };
  Kind kind = Kind::unavailable;
  Failure failure{};
  std::string why;  // of unavailable, for the error message if the drop directory fails too

  Verdict() = default;
};
async::Task<Verdict> submit(const Letter& letter, const Places& places, const Caller& caller);

// Durable in the drop directory when it succeeds. Blocking.
[[nodiscard]] Result<void, Failure> drop(const Letter& letter, const Places& places,
                                         const Caller& caller,
                                         const std::string& why_not_submitted);

// Each recipient's status, nothing is sent. The error: nobody to ask.
async::Task<Result<std::vector<smtp::Status>, Failure>> verify(const smtp::Envelope& envelope,
                                                               const Places& places,
                                                               const Caller& caller);

// -bs: submissiond speaks on standard input and output. The exit code.
async::Task<int> speak_smtp(const Places& places);

// The sysexits code of a status that is no success.
[[nodiscard]] int exit_code_of(const smtp::Status& status);

}  // namespace posthorn::sendmail
