// What imapd announces (RFC 9051 6.1.1): one list, cut by state.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace posthorn::imap {

// Words for a client that has not logged in: "IMAP4rev1 IMAP4rev2 ... STARTTLS LOGINDISABLED AUTH=PLAIN".
struct LoginCapabilities {
  bool can_start_tls = false;
  bool plaintext = false;               // LOGIN is taken
  std::vector<std::string> mechanisms;  // upper case
};
[[nodiscard]] std::string capabilities_before_login(const LoginCapabilities& state);

struct SessionCapabilities {
  std::uint64_t append_limit = 0;   // 0: none is said
  std::uint32_t message_limit = 0;  // RFC 9738; 0: none is said
  bool compressed = false;          // COMPRESS was said already
  bool sets_quota = false;          // the user may SETQUOTA
};
[[nodiscard]] std::string capabilities_after_login(const SessionCapabilities& state);

}  // namespace posthorn::imap
