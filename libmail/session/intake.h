// Where an accepted message goes: into the queue (queue_intake.h), or on to the next server while
// it still arrives (next_hop_intake.h). smtpd and submissiond know only this.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "libmail/async/task.h"
#include "libmail/smtp/envelope.h"
#include "libmail/smtp/reply.h"
#include "libmail/smtp/server.h"

namespace posthorn::session {

// One message. Order: mail, rcpt*, data, write*, finish; abort at any time in place of the next
// one. Destroying it without finish() forgets the message. After a negative reply to mail, data or
// write the only calls left are abort and the destructor; a negative reply to rcpt concerns that
// recipient alone.
class IntakeTransaction {
 public:
  virtual ~IntakeTransaction() = default;
  [[nodiscard]] virtual async::Task<smtp::Reply> mail(const smtp::Envelope& envelope) = 0;
  [[nodiscard]] virtual async::Task<smtp::Reply> rcpt(const smtp::Recipient& recipient) = 0;
  [[nodiscard]] virtual async::Task<smtp::Reply> data() = 0;
  // Message octets, the trace fields on top first. Valid during the call. Waits while they can't be
  // taken (spool, slow next hop).
  [[nodiscard]] virtual async::Task<smtp::Reply> write(std::string_view octets) = 0;
  // One reply for all recipients; 2xx = the message is durable (queue) or the next hop's (next
  // hop). `envelope` is the final one: recipients that were accepted, true size.
  [[nodiscard]] virtual async::Task<smtp::Reply> finish(const smtp::Envelope& envelope) = 0;
  // The message is dropped. For a next hop: RSET, or the connection is closed if the body had
  // begun.
  virtual async::Task<void> abort() = 0;
};

class Intake {
 public:
  virtual ~Intake() = default;
  // A new queue id, for Envelope::id, the log and the 250.
  [[nodiscard]] virtual std::string next_id() = 0;
  // A message of this session, which outlives the transaction.
  [[nodiscard]] virtual std::unique_ptr<IntakeTransaction> begin(
      const smtp::SessionInfo& session) = 0;
  // Whether Envelope::hold_reason is obeyed.
  [[nodiscard]] virtual bool can_hold() const { return false; }
  // Before the loop ends: what was begun is finished or refused.
  virtual async::Task<void> stop() = 0;
};

}  // namespace posthorn::session
