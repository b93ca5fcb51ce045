// The client's side of PLAIN, OAUTHBEARER, XOAUTH2 and SCRAM-SHA-256(-PLUS): for tests, and for agents that log in
// elsewhere.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"

namespace posthorn::sasl {

// RFC 4616: authorization identity "" means "the same".
[[nodiscard]] std::string plain_response(std::string_view user, std::string_view password,
                                         std::string_view authorization = {});

// RFC 7628 3.1. `host` "": the server has none (a Unix socket).
[[nodiscard]] std::string oauthbearer_response(std::string_view user, std::string_view token,
                                               std::string_view host, std::uint16_t port);
// What Google and Microsoft had before there was a standard.
[[nodiscard]] std::string xoauth2_response(std::string_view user, std::string_view token);

class ScramClient {
 public:
  struct Options {
    std::string user;
    std::string password;
    std::string nonce;                           // fresh; printable, no ","
    std::optional<std::string> channel_binding;  // tls-exporter octets of this connection
    bool server_offers_plus = false;             // with a binding: true = use it, false = say "y"
    std::uint32_t most_iterations =
        1'000'000;  // a server that asks for more wants our time, not our proof

    Options() = default;
  };
  explicit ScramClient(Options options) : options_(std::move(options)) {}

  [[nodiscard]] std::string_view mechanism() const;
  [[nodiscard]] std::string first();
  // The answer to the server's first message; slow (the key derivation).
  [[nodiscard]] Result<std::string, std::string> final(std::string_view server_first);
  // True if the server knows the password too. Nothing may be believed before.
  [[nodiscard]] Result<void, std::string> finish(std::string_view server_final) const;

 private:
  Options options_;
  std::string gs2_header_;
  std::string bare_;
  std::string server_signature_;
};

}  // namespace posthorn::sasl
