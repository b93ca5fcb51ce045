#include "agents/imapd/output.h"

namespace posthorn::imapd {

using async::Task;

namespace {

constexpr auto write_time = std::chrono::minutes(5);
// Packed in one go, so that other sessions wait no longer than a millisecond or two.
constexpr std::size_t packed_piece = 64 * 1024;
// Of what was said, for the next answer to refer to.
constexpr std::size_t kept_history = 4 * 1024;

}  // namespace

void Output::untagged(std::string_view text) {
  text_.append("* ").append(text).append("\r\n");
}

Task<bool> Output::flush() {
  if (broken_ || text_.empty()) co_return !broken_;
  const std::string octets = std::exchange(text_, {});
  if (deflater_ != nullptr) {
    const bool packed = co_await write_packed(octets);
    co_return packed;
  }
  const auto written = co_await stream_.write(octets, async::Deadline::in(write_time));
  broken_ = broken_ || !written;
  co_return !broken_;
}

Task<bool> Output::write_packed(std::string_view octets) {
  while (!octets.empty() && !broken_) {
    const std::string_view piece = octets.substr(0, packed_piece);
    octets.remove_prefix(piece.size());
    deflater_->restart(history_);
    const std::string packed = deflater_->pack(piece);
    const std::size_t keep = octets.empty() ? kept_history : session::Deflater::longest_history;
    history_ += piece;
    if (history_.size() > keep) history_.erase(0, history_.size() - keep);
    const auto written = co_await stream_.write(packed, async::Deadline::in(write_time));
    broken_ = broken_ || !written;
  }
  history_.shrink_to_fit();
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
