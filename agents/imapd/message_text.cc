#include "agents/imapd/message_text.h"

namespace posthorn::imapd {
namespace {

constexpr std::size_t header_step = 4 * 1024;
constexpr std::size_t header_limit = 1024 * 1024;

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
    text += *piece;
    if (text.find("\n\n", from) != std::string::npos ||
        text.find("\n\r\n", from) != std::string::npos)
      break;
  }
  return text;
}

}  // namespace posthorn::imapd
