// Logging in to a mailbox, over IMAP or POP3: who, by which mechanism, and what is said to each challenge.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "libmail/async/endpoint.h"
#include "libmail/sasl/client.h"

namespace posthorn::session {

struct MailLogin {
  std::string user;
  std::string password;
  std::string token;  // OAuth 2 bearer token, in place of the password (RFC 7628)
  std::string
      mechanism;  // "" = the best that is offered; else PLAIN, SCRAM-SHA-256, OAUTHBEARER, XOAUTH2, LOGIN

  MailLogin() = default;
  MailLogin(std::string name, std::string secret)
      : user(std::move(name)), password(std::move(secret)) {}
};

enum class MailTls : std::uint8_t {
  never,
  starttls,  // needed: a server without it, or one that is past it (PREAUTH), is refused (RFC 9051 11.1)
  implicit,  // before the greeting (RFC 8314)
};

// Of the mechanisms that are offered (upper case). "" = none that may be used: the password itself is said only where
// `may_say_secret` (TLS, a Unix socket, or allowed by whoever configured it).
[[nodiscard]] std::string choose_mechanism(const MailLogin& login,
                                           const std::vector<std::string>& offered,
                                           bool may_say_secret, bool has_binding);

// The client's half of one exchange.
class SaslExchange {
 public:
  // `binding`: tls-exporter octets of this connection, if there are any (RFC 9266). `login` outlives it.
  SaslExchange(std::string mechanism, const MailLogin& login, const async::Endpoint& server,
               std::optional<std::string> binding, const std::vector<std::string>& offered);

  // Nothing: the server speaks first (LOGIN).
  [[nodiscard]] const std::optional<std::string>& first() const { return first_; }
  // `challenge` in base64. Takes long for SCRAM (the key derivation): not on the loop. The error is for people; the exchange
  // must be cancelled then.
  [[nodiscard]] Result<std::string, std::string> answer(const std::string& challenge);
  // The server has shown that it knows the password, too, where the mechanism can show it: only then is OK believed.
  [[nodiscard]] bool server_proved() const { return !scram_ || proved_; }

 private:
  std::string mechanism_;
  const MailLogin& login_;
  std::optional<std::string> first_;
  std::optional<sasl::ScramClient> scram_;
  int step_ = 0;
  bool proved_ = false;
};

}  // namespace posthorn::session
