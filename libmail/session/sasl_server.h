// Asking somebody whether a client is who it says: the server's side of SASL, as SMTP, POP3 and
// IMAP sessions see it. One object for one session; auth_client.h makes them over the Dovecot auth
// protocol.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "libmail/async/task.h"

namespace posthorn::session {

// What the session knows and the auth server wants to know. Filled in by the driver before
// mechanisms().
struct SaslContext {
  std::string service;         // "smtp", "pop3"
  bool secured = false;        // TLS, or a Unix socket
  std::string remote_address;  // "" if none
  std::uint16_t remote_port = 0;
  std::string local_address;
  std::uint16_t local_port = 0;
  std::optional<std::string> channel_binding;  // tls-exporter, 32 octets

  SaslContext() = default;
};

struct SaslResult {
  enum class Kind {
    challenge,  // data: octets for the client, not yet base64
    ok,  // user is set; data may hold octets that go along with success (SCRAM's server signature),
         // which a protocol without room for them (SMTP, POP3) sends as one more challenge that is
         // answered empty: the implementation does that, so a driver never sees data here
    refused,      // wrong password, unknown user, bad response: 535
    unavailable,  // the auth server can't be asked or has trouble: 454
    malformed,    // the client broke the mechanism's rules: 501
  };
  Kind kind = Kind::refused;
  std::string data;
  std::string user;    // the authorization identity that counts, normalised
  std::string reason;  // for the log and, for `unavailable`, nothing secret

  SaslResult() = default;
  explicit SaslResult(Kind what) : kind(what) {}
};

class SaslServer {
 public:
  virtual ~SaslServer() = default;
  // What to offer now: depends on context.secured and channel_binding. Upper-case names, strongest
  // first. Empty: none.
  [[nodiscard]] virtual async::Task<std::vector<std::string>> mechanisms(
      const SaslContext& context) = 0;
  // Begins an exchange; `initial` is decoded (RFC 4954 4). An exchange that was under way is
  // forgotten.
  [[nodiscard]] virtual async::Task<SaslResult> start(std::string mechanism,
                                                      std::optional<std::string> initial,
                                                      const SaslContext& context) = 0;
  [[nodiscard]] virtual async::Task<SaslResult> step(std::string response) = 0;
  // The client gave up.
  virtual void cancel() = 0;
};

}  // namespace posthorn::session
