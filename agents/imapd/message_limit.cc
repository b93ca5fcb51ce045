#include "agents/imapd/message_limit.h"

namespace posthorn::imapd {

imap::ResponseCode limit_messages(const Session& session, std::vector<std::uint32_t>& uids) {
  const std::size_t limit = session.settings().message_limit;
  if (limit == 0 || uids.size() <= limit) return {};
  uids.erase(uids.begin(), uids.end() - static_cast<std::ptrdiff_t>(limit));
  return imap::ResponseCode("MESSAGELIMIT",
                            std::to_string(limit) + " " + std::to_string(uids.front()));
}

std::optional<imap::Reply> refuse_many(const Session& session, std::size_t count) {
  const std::size_t limit = session.settings().message_limit;
  if (limit == 0 || count <= limit) return std::nullopt;
  return imap::no(imap::ResponseCode("MESSAGELIMIT", std::to_string(limit)),
                  "too many messages, name fewer");
}

}  // namespace posthorn::imapd
