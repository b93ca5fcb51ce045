#include "libmail/reception/gates.h"

namespace posthorn::reception {

using async::Task;
using smtp::Reply;

Task<Reply> Gates::connect(const smtp::SessionInfo& session) {
  Reply reply = co_await policy_.connect(session);
  if (!reply.negative()) reply = co_await filters_.connect(session);
  co_return reply;
}

Task<Reply> Gates::hello(const smtp::SessionInfo& session) {
  Reply reply = co_await policy_.hello(session);
  if (!reply.negative()) reply = co_await filters_.hello(session);
  co_return reply;
}

Task<Reply> Gates::mail(const smtp::Envelope& envelope, const smtp::SessionInfo& session,
                        std::unique_ptr<session::IntakeTransaction>& transaction) {
  Reply reply = co_await policy_.mail(envelope, session);
  if (!reply.negative()) reply = co_await filters_.mail(envelope, session);
  if (reply.negative()) co_return reply;
  transaction = intake_.begin(session);
  reply = co_await transaction->mail(envelope);
  if (reply.negative()) transaction.reset();
  co_return reply;
}

Task<Reply> Gates::rcpt(const smtp::Envelope& envelope, const smtp::Recipient& recipient,
                        const smtp::SessionInfo& session, session::IntakeTransaction& transaction) {
  Reply reply = co_await policy_.rcpt(envelope, recipient, session);
  if (!reply.negative()) reply = co_await filters_.rcpt(envelope, recipient);
  if (!reply.negative()) reply = co_await transaction.rcpt(recipient);
  co_return reply;
}

Task<Reply> Gates::data(const smtp::Envelope& envelope, const smtp::SessionInfo& session,
                        std::unique_ptr<session::IntakeTransaction>& transaction) {
  Reply reply = co_await filters_.data(envelope);
  if (reply.negative()) co_return reply;
  reply = co_await policy_.data(envelope, session, transaction, intake_);
  co_return reply;
}

Task<void> Gates::reset() {
  co_await filters_.reset();
  policy_.reset();
}

}  // namespace posthorn::reception
