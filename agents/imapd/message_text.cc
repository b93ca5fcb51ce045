#include "agents/imapd/message_text.h"

#include <algorithm>

namespace posthorn::imapd {
namespace {

constexpr std::size_t header_step = 4 * 1024;
constexpr std::size_t header_limit = 1024 * 1024;
constexpr std::uint64_t least_step = 16 * 1024;
constexpr std::uint64_t most_step = 16 * 1024 * 1024;

}  // namespace

store::StoreResult<std::string> read_header(store::OpenMailbox& mailbox, std::uint32_t uid) {
  auto source = mailbox.open(uid);
  if (!source) return fail(std::move(source.error()));
  std::string text;
  while (text.size() < header_limit) {
    auto piece = (*source)->read(header_step);
    if (!piece) return fail(std::move(piece.error()));
    if (piece->empty()) break;
    const std::size_t from = text.size() < 3 ? 0 : text.size() - 3;
    if (text.empty())
      text = std::move(*piece);
    else
      text += *piece;
    if (text.find("\n\n", from) != std::string::npos ||
        text.find("\n\r\n", from) != std::string::npos)
      break;
  }
  return text;
}

store::StoreResult<std::string> read_stored(store::OpenMailbox& mailbox, std::uint32_t uid,
                                            std::uint64_t size) {
  auto source = mailbox.open(uid);
  if (!source) return fail(std::move(source.error()));
  // A little more than it has, so that the first piece is mostly all.
  std::uint64_t step = std::clamp(size, least_step, most_step) + 1;
  std::string text;
  for (;; step = std::min(step * 2, most_step)) {
    auto piece = (*source)->read(static_cast<std::size_t>(step));
    if (!piece) return fail(std::move(piece.error()));
    const bool is_last = piece->size() < step;
    if (text.empty())
      text = std::move(*piece);
    else
      text += *piece;
    if (is_last) return text;
  }
}

}  // namespace posthorn::imapd
