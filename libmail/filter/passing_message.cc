#include "libmail/filter/passing_message.h"

#include <cerrno>
#include <utility>

#include "libmail/smtp/replies.h"

namespace posthorn::filter {

using async::Task;
using smtp::Reply;

namespace {

// The session has a limit of its own; this one is far beyond, and only keeps memory.
constexpr std::size_t header_limit = 64 << 20;
constexpr std::size_t piece = 64 << 10;

const Reply cannot_hold{451, {4, 7, 1}, "Message is to be held, and there is no queue to hold it"};

}  // namespace

PassingMessage::PassingMessage(FilterGate& gate, milter::OurReceived received)
    : gate_(gate),
      received_(received),
      collected_(header_limit),
      body_(gate.filters().place.directory, gate.filters().place.in_memory) {}

Task<Reply> PassingMessage::write(std::string_view octets) {
  octets.remove_prefix(collected_.feed(octets));
  if (collected_.state() == message::HeaderCollector::State::too_large) {
    co_return smtp::reply::header_too_large;
  }
  if (octets.empty()) co_return smtp::reply::ok;
  std::string rest(octets);
  auto written = co_await body_.write(std::move(rest));
  if (written) co_return smtp::reply::ok;
  co_return written.error().code == ENOSPC ? smtp::reply::no_storage : smtp::reply::try_later;
}

Task<Reply> PassingMessage::judge(smtp::Envelope& envelope, Quarantine quarantine) {
  collected_.finish();
  FilterGate::Message message(envelope, milter::HeaderEdit(collected_.bytes(), received_),
                              std::move(body_));
  Reply reply = co_await gate_.judge(message);
  if (reply.negative() || gate_.discards()) co_return reply;
  if (!message.envelope.hold_reason.empty() && quarantine == Quarantine::refused) {
    co_return cannot_hold;
  }
  header_ = message.header.text();
  body_ = std::move(message.body);
  envelope = std::move(message.envelope);
  envelope.size = header_.size() + body_.size();
  co_return reply;
}

Task<Result<std::string, IoError>> PassingMessage::next_piece() {
  if (!header_.empty()) co_return std::exchange(header_, std::string());
  auto octets = co_await body_.read(offset_, piece);
  if (octets) offset_ += octets->size();
  co_return octets;
}

}  // namespace posthorn::filter
