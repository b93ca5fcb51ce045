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
    if (arrived_.empty() && !(inflater_ && inflater_->has_more())) {
      if (inflater_) inflater_->rest();
      const auto count = co_await stream_.read(arrived_, async::Deadline::in(read_time));
      if (!count && count.error().code == IoError::timed_out) continue;
      ended_ = !count || *count == 0;
    }
    take_arrived();
    wake_.set();
  }
}

void Input::take_arrived() {
  if (!inflater_) {
    buffer_.append(arrived_.view());
    arrived_.clear();
  } else if (!ended_) {
    std::string text;
    std::string_view packed = arrived_.view();
    const std::size_t before = packed.size();
    const auto state = inflater_->unpack(packed, most, text);
    arrived_.consume(before - packed.size());
    buffer_.append(text);
    nonsense_ = state == session::Inflater::State::broken;
    ended_ = state != session::Inflater::State::more;
  }
  arrived_.shrink();
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
