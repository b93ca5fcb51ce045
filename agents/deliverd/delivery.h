// What a session hands letters to: mailboxes, or a program.
#pragma once

#include <string>
#include <vector>

#include "agents/deliverd/letter.h"
#include "libmail/async/task.h"
#include "libmail/base/result.h"

namespace posthorn::deliverd {

class Delivery {
 public:
  virtual ~Delivery() = default;
  // Does this recipient exist, and where does its mail lie? The error is the reply to RCPT.
  virtual async::Task<Result<Target, smtp::Reply>> find(smtp::Mailbox mailbox) = 0;
  // One outcome for each of letter.envelope.recipients; targets[i] is what find() said of the i-th. A positive one is on
  // disk, synced.
  virtual async::Task<std::vector<Outcome>> deliver(const Letter& letter,
                                                    const std::vector<Target>& targets) = 0;
};

}  // namespace posthorn::deliverd
