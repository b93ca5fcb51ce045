#include "libmail/session/milter_client.h"

#include <utility>

#include "libmail/async/socket.h"

namespace posthorn::session {

using async::Deadline;
using async::Task;

MilterClient::MilterClient(async::Endpoint filter, std::uint32_t version, MilterTimes times,
                           milter::Limits limits)
    : filter_(std::move(filter)), version_(version), times_(times), limits_(limits) {}

Task<bool> MilterClient::open() {
  if (stream_ != nullptr) co_return true;
  const Deadline deadline = Deadline::in(times_.connect);
  dialogue_ = std::make_unique<milter::Dialogue>(version_, limits_);
  input_.clear();
  auto connected = co_await async::connect(filter_, deadline);
  if (!connected) co_return give_up(connected.error().text());
  stream_ = std::move(*connected);
  dialogue_->negotiate();
  const bool answered = co_await ask(deadline.left());
  co_return answered;
}

Task<bool> MilterClient::ask(Duration time) {
  const Deadline deadline = Deadline::in(time);
  const bool written = co_await flush(deadline);
  if (!written) co_return false;
  while (dialogue_->waiting()) {
    const bool read = co_await read_some(deadline);
    if (!read) co_return false;
  }
  co_return true;
}

Task<bool> MilterClient::ask_end(BodySink& sink) {
  const Deadline last = Deadline::in(times_.longest);
  Deadline deadline = Deadline::in(times_.end_of_message).or_before(last);
  const bool written = co_await flush(deadline);
  if (!written) co_return false;
  while (dialogue_->waiting()) {
    const bool read = co_await read_some(deadline);
    if (!read) co_return false;
    if (dialogue_->take_progress()) {
      deadline = Deadline::in(times_.end_of_message).or_before(last);
    }
    std::string piece = dialogue_->take_body();
    if (piece.empty()) continue;
    const auto taken = co_await sink.take(std::move(piece));
    if (!taken) co_return give_up(taken.error());
  }
  co_return true;
}

Task<bool> MilterClient::flush(Deadline deadline) {
  if (stream_ == nullptr) co_return false;
  if (dialogue_->output().empty()) co_return true;
  auto written = co_await stream_->write(dialogue_->output(), deadline);
  dialogue_->output().clear();
  if (!written) co_return give_up(written.error().text());
  co_return true;
}

Task<bool> MilterClient::read_some(Deadline deadline) {
  input_.clear();
  auto count = co_await stream_->read(input_, deadline);
  if (!count) co_return give_up(count.error().text());
  if (*count == 0) co_return give_up("it closed the connection");
  dialogue_->feed(input_.view());
  input_.clear();
  input_.shrink();
  if (dialogue_->problem().empty()) co_return true;
  co_return give_up(dialogue_->problem());
}

Task<void> MilterClient::leave() {
  if (stream_ == nullptr) co_return;
  dialogue_->quit();
  const Deadline deadline = Deadline::in(times_.command);
  (void)co_await flush(deadline);
  close();
}

void MilterClient::cut() {
  if (stream_ != nullptr) stream_->close();
}

void MilterClient::close() {
  if (stream_ != nullptr) stream_->close();
  stream_.reset();
}

bool MilterClient::give_up(std::string why) {
  problem_ = std::move(why);
  close();
  return false;
}

}  // namespace posthorn::session
