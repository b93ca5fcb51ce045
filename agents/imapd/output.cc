#include "agents/imapd/output.h"

namespace posthorn::imapd {

using async::Task;

namespace {

constexpr auto write_time = std::chrono::minutes(5);

}  // namespace

void Output::untagged(std::string_view text) {
  text_.append("* ").append(text).append("\r\n");
}

Task<bool> Output::flush() {
  if (broken_ || text_.empty()) co_return !broken_;
  const std::string octets = std::exchange(text_, {});
  const auto written = co_await stream_.write(octets, async::Deadline::in(write_time));
  broken_ = broken_ || !written;
  co_return !broken_;
}

Task<bool> Output::flush_if_full() {
  if (text_.size() < worth_writing) co_return !broken_;
  const bool written = co_await flush();
  co_return written;
}

Task<bool> Output::write(std::string octets) {
  if (text_.empty()) {
    text_ = std::move(octets);
  } else {
    text_ += octets;
  }
  const bool written = co_await flush_if_full();
  co_return written;
}

}  // namespace posthorn::imapd
