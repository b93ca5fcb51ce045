// The userdb side of Dovecot's auth protocol ("master"): does the user exist, where does the mail
// lie? PASS, which would ask for secrets, is understood only to be refused.
//
//   server  VERSION 1 2 | SPID pid
//   client  VERSION 1 2 | USER id name [service=...] | LIST id [user=pattern] [service=...]
//   server  USER id name uid=... gid=... home=... mail=... | NOTFOUND id | FAIL id [reason=...]
//           LIST id name (one a line) | DONE id [fail]
#pragma once

#include "libmail/sasl/dovecot.h"

namespace posthorn::sasl::dovecot {

// ---- what a client asks ----
struct UserRequest {
  std::uint32_t id = 0;
  std::string user;
  Fields fields;  // service=, lip=, ...

  UserRequest() = default;
  bool operator==(const UserRequest&) const = default;
};
struct ListRequest {
  std::uint32_t id = 0;
  std::string pattern;  // "*" and "?"; "" = all
  Fields fields;

  ListRequest() = default;
  bool operator==(const ListRequest&) const = default;
};
// PASS and everything else that has an id: answered FAIL.
struct OtherRequest {
  std::uint32_t id = 0;
  std::string verb;

  OtherRequest() = default;
  bool operator==(const OtherRequest&) const = default;
};
using UserdbRequest = std::variant<Version, Cpid, UserRequest, ListRequest, OtherRequest>;

// ---- what the server answers ----
struct UserReply {
  std::uint32_t id = 0;
  std::string user;  // the name as the server writes it
  Fields fields;     // uid, gid, home, mail, quota_rule, ...

  UserReply() = default;
  bool operator==(const UserReply&) const = default;
};
struct NotFound {
  std::uint32_t id = 0;
  bool operator==(const NotFound&) const = default;
};
struct LookupFailed {
  std::uint32_t id = 0;
  std::string reason;

  LookupFailed() = default;
  bool operator==(const LookupFailed&) const = default;
};
struct ListItem {
  std::uint32_t id = 0;
  std::string user;

  ListItem() = default;
  bool operator==(const ListItem&) const = default;
};
struct ListDone {
  std::uint32_t id = 0;
  bool failed = false;
  bool operator==(const ListDone&) const = default;
};
using UserdbReply =
    std::variant<Version, Spid, UserReply, NotFound, LookupFailed, ListItem, ListDone>;

[[nodiscard]] Result<UserdbRequest, std::string> parse_userdb_request(std::string_view line);
[[nodiscard]] Result<UserdbReply, std::string> parse_userdb_reply(std::string_view line);
[[nodiscard]] std::string format_userdb_request(const UserdbRequest& message);
[[nodiscard]] std::string format_userdb_reply(const UserdbReply& message);

// "*" any run, "?" one octet; ASCII case does not matter. Linear in practice, never exponential.
[[nodiscard]] bool matches_pattern(std::string_view pattern, std::string_view text);

}  // namespace posthorn::sasl::dovecot
