// IMAP URLs of messages and their parts (RFC 5092), as CATENATE takes them (RFC 4469): "/INBOX;UIDVALIDITY=3/;UID=20/;SECTION=1.2",
// with PARTIAL (RFC 5550 URL-PARTIAL), also whole "imap://ann@host/...". No URLAUTH.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/imap/fetch.h"

namespace posthorn::imap {

struct ImapUrl {
  std::string user;     // "" = not said; UTF-8
  std::string host;     // "" = the server it is said to; with its port
  std::string mailbox;  // UTF-8; "" = the selected one
  std::optional<std::uint32_t> uid_validity;
  std::uint32_t uid = 0;
  Section section;                 // the whole message if nothing was said
  std::optional<Partial> partial;  // count 0: to the end

  ImapUrl() = default;
  bool operator==(const ImapUrl&) const = default;
};

// Nothing: it is no IMAP URL of a message.
[[nodiscard]] std::optional<ImapUrl> parse_imap_url(std::string_view text);

}  // namespace posthorn::imap
