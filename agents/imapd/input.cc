#include "agents/imapd/input.h"

namespace posthorn::imapd {
namespace {

// A client may be silent for long; the session watches the clock and closes the stream.
constexpr auto read_time = std::chrono::hours(1);

}  // namespace

async::Task<void> Input::run() {
  while (!ended_) {
    if (buffer_.size() >= most) {
      room_.reset();
      co_await room_.wait();
      continue;
    }
    const auto count = co_await stream_.read(buffer_, async::Deadline::in(read_time));
    if (!count && count.error().code == IoError::timed_out) continue;
    ended_ = !count || *count == 0;
    wake_.set();
  }
}

void Input::release() {
  buffer_.consume(std::exchange(consumed_, 0));
  if (buffer_.empty()) buffer_.shrink();
  if (buffer_.size() < most) room_.set();
}

void Input::put_back(std::string_view octets) {
  if (octets.empty()) return;
  release();
  const std::string all = std::string(octets) + std::string(buffer_.view());
  buffer_.clear();
  buffer_.append(all);
}

}  // namespace posthorn::imapd
