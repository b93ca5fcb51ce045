// Dovecot's auth protocol, version 1: lines of tab-separated fields. This file has the line reader,
// the escapes and the client side, by which an SMTP, POP3 or IMAP server asks for a SASL exchange;
// userdb.h has the other side.
//
//   server  VERSION 1 2 | MECH name flags... | SPID pid | CUID n | COOKIE hex | DONE
//   client  VERSION 1 2 | CPID pid
//   client  AUTH id mechanism service=... [secured[=tls]] [lip=] [rip=] [lport=] [rport=]
//   [final-resp-ok] [cbind=] [resp=base64]
//           CONT id base64 | CANCEL id
//   server  CONT id base64 | OK id user=... [resp=base64] | FAIL id [user=] [reason=] [temp]
//   [code=] [authz]
//
// `cbind=tls-exporter:BASE64` is ours: it carries the channel binding of the client's TLS
// connection. Servers that don't know it ignore it, as the protocol says. A client sends it with
// every SCRAM request if the server announced SCRAM-SHA-256-PLUS.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "libmail/base/result.h"

namespace posthorn::sasl::dovecot {

inline constexpr std::size_t max_line = 16384;  // octets without the line end
inline constexpr unsigned version_major = 1;    // must be equal on both sides
inline constexpr unsigned version_minor = 2;    // may differ

// Cuts what arrives into lines, at any split. Once a line was too long nothing more comes out.
class LineReader {
 public:
  explicit LineReader(std::size_t limit = max_line) : limit_(limit) {}
  void feed(std::string_view octets);
  // The next whole line without its LF (CR before it is dropped).
  [[nodiscard]] std::optional<std::string> next();
  [[nodiscard]] bool too_long() const { return too_long_; }

 private:
  std::size_t limit_;
  std::string held_;
  std::size_t begin_ = 0;
  std::size_t searched_ = 0;
  bool too_long_ = false;
};

using Fields = std::vector<std::pair<std::string, std::string>>;  // value "" for a bare word
// The value of the first field with that key.
[[nodiscard]] std::optional<std::string_view> find_field(const Fields& fields,
                                                         std::string_view key);

struct Version {
  unsigned major = version_major;
  unsigned minor = version_minor;
  bool operator==(const Version&) const = default;
};

// ---- what a client says ----
struct Cpid {
  std::uint64_t pid = 0;
  bool operator==(const Cpid&) const = default;
};
struct AuthRequest {
  std::uint32_t id = 0;
  std::string mechanism;
  std::string service;         // "smtp", "pop3", "imap"; required
  bool secured = false;        // nobody can read the connection: TLS, or it never left the machine
  bool tls = false;            // secured=tls
  bool final_resp_ok = false;  // additional data may come in OK; without it as one more CONT
  bool no_penalty = false;     // do not slow this client down (it authenticated somehow else)
  std::string local_ip, remote_ip;  // "" if unknown
  std::uint16_t local_port = 0, remote_port = 0;
  std::string session;                          // for the log
  std::optional<std::string> channel_binding;   // tls-exporter octets
  std::optional<std::string> initial_response;  // octets; "" was sent as "="
  bool bad_data = false;                        // it was no base64
  Fields other;                                 // what this list has no name for; ignored

  AuthRequest() = default;
  bool operator==(const AuthRequest&) const = default;
};
struct Continue {  // both ways
  std::uint32_t id = 0;
  std::string data;       // octets
  bool bad_data = false;  // from a client: it was no base64

  Continue() = default;
  Continue(std::uint32_t i, std::string d) : id(i), data(std::move(d)) {}
  bool operator==(const Continue&) const = default;
};
struct Cancel {
  std::uint32_t id = 0;
  bool operator==(const Cancel&) const = default;
};
using ClientMessage = std::variant<Version, Cpid, AuthRequest, Continue, Cancel>;

// ---- what a server says ----
struct Mechanism {
  std::string name;
  std::vector<std::string> flags;  // plaintext, dictionary, active, forward-secrecy, mutual-auth,
                                   // private, channel-binding
  bool operator==(const Mechanism&) const = default;
};
struct Spid {
  std::string pid;
  bool operator==(const Spid&) const = default;
};
struct Cuid {
  std::uint64_t number = 0;
  bool operator==(const Cuid&) const = default;
};
struct Cookie {
  std::string hex;  // 32 digits
  bool operator==(const Cookie&) const = default;
};
struct Done {
  bool operator==(const Done&) const = default;
};
struct Ok {
  std::uint32_t id = 0;
  std::string user;
  std::optional<std::string> additional_data;  // octets
  Fields other;

  Ok() = default;
  bool operator==(const Ok&) const = default;
};
struct Fail {
  std::uint32_t id = 0;
  std::string user;    // "" if unknown
  std::string reason;  // for the client's eyes, "" if none
  std::string
      code;  // "temp_fail", "authz_fail", "user_disabled", "pass_expired"; "" = wrong credentials
  bool temporary = false;       // temp, or code=temp_fail
  bool not_authorized = false;  // authz, or code=authz_fail
  Fields other;

  Fail() = default;
  bool operator==(const Fail&) const = default;
};
using ServerMessage =
    std::variant<Version, Mechanism, Spid, Cuid, Cookie, Done, Continue, Ok, Fail>;

// One line without its end. The error names what is wrong; it never quotes the line, which may hold
// a password. An unknown verb is an error.
[[nodiscard]] Result<ClientMessage, std::string> parse_client_line(std::string_view line);
[[nodiscard]] Result<ServerMessage, std::string> parse_server_line(std::string_view line);
// With the LF.
[[nodiscard]] std::string format_client_line(const ClientMessage& message);
[[nodiscard]] std::string format_server_line(const ServerMessage& message);

namespace detail {
// Shared with userdb.h.
[[nodiscard]] Result<std::vector<std::string>, std::string> fields_of(std::string_view line);
[[nodiscard]] std::pair<std::string, std::string> key_and_value(std::string_view field);
void append_field(std::string& line, std::string_view key, std::string_view value);
[[nodiscard]] Result<Version, std::string> parse_version(const std::vector<std::string>& fields);
}  // namespace detail

}  // namespace posthorn::sasl::dovecot
