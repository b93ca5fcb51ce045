// `delivered` reports: our LHLO offers DSN, so NOTIFY=SUCCESS is our duty for what we deliver (RFC 3461 5.2).
#pragma once

#include <string>
#include <vector>

#include "agents/deliverd/letter.h"
#include "libmail/async/task.h"

namespace posthorn::deliverd {

// Where a report goes: the queue's drop directory, or a test's list.
class ReportSink {
 public:
  virtual ~ReportSink() = default;
  // A message with a null reverse-path to `to`, NOTIFY=NEVER; CRLF line ends. It is on disk when this returns.
  virtual async::Task<Result<void, std::string>> send(smtp::Mailbox to, std::string message,
                                                      bool eight_bit, bool smtputf8) = 0;
};

// Sends one report for all recipients who were delivered to and asked for it. The error is for the log: the message is
// delivered all the same.
async::Task<Result<void, std::string>> report_deliveries(const Letter& letter,
                                                         const std::vector<Outcome>& outcomes,
                                                         const std::string& hostname,
                                                         ReportSink& sink);

}  // namespace posthorn::deliverd
