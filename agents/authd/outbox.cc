#include "agents/authd/outbox.h"

namespace posthorn::authd {

using async::Deadline;
using async::Task;

void Outbox::add(std::string_view octets) {
  if (broken_) return;
  waiting_ += octets;
  wake_.set();
}

Task<void> Outbox::run() {
  while (!broken_ && !(closed_ && waiting_.empty())) {
    if (waiting_.empty()) {
      wake_.reset();
      co_await wake_.wait();
      continue;
    }
    const std::string octets = std::exchange(waiting_, {});
    const auto written = co_await stream_.write(octets, Deadline::in(write_time));
    if (!written) {
      broken_ = true;
      waiting_.clear();
      stream_.close();
    }
    if (waiting_.size() < full) room_.set();
  }
  broken_ = true;
  if (hang_up_) stream_.close();
  room_.set();
}

void Outbox::close(bool hang_up) {
  closed_ = true;
  hang_up_ = hang_up_ || hang_up;
  wake_.set();
}

Task<bool> Outbox::wait_for_room() {
  while (!broken_ && waiting_.size() >= full) {
    room_.reset();
    co_await room_.wait();
  }
  co_return !broken_;
}

}  // namespace posthorn::authd
