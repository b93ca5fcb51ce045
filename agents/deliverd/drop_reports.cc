#include "agents/deliverd/drop_reports.h"

#include "libmail/async/files.h"
#include "libmail/queue/batch.h"
#include "libmail/queue/drop.h"

namespace posthorn::deliverd {

async::Task<Result<void, std::string>> DropReports::send(smtp::Mailbox to, std::string message,
                                                         bool eight_bit, bool smtputf8) {
  smtp::Envelope envelope;
  envelope.body = eight_bit ? smtp::Body::eight_bit_mime : smtp::Body::seven_bit;
  envelope.smtputf8 = smtputf8;
  smtp::Recipient recipient(std::move(to));
  recipient.notify = smtp::Notify(smtp::Notify::never);
  envelope.recipients.push_back(std::move(recipient));
  const std::string name = ids_.next(wall_now()).str();
  auto work = [this, &name, &envelope, &message] {
    return queue::drop_batch(files_, directory_, name, queue::format_batch(envelope, message));
  };
  const auto done = co_await async::blocking(std::move(work));
  if (!done) co_return fail(done.error().text());
  co_return Result<void, std::string>();
}

}  // namespace posthorn::deliverd
