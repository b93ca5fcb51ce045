// SCRAM-SHA-256 as bytes and values (RFC 5802 with the hash of RFC 7677): what server and client
// have in common.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "libmail/base/result.h"
#include "libmail/sasl/password.h"

namespace posthorn::sasl {

inline constexpr std::size_t scram_key_size = 32;

[[nodiscard]] std::string sha256(std::string_view octets);
[[nodiscard]] std::string hmac_sha256(std::string_view key, std::string_view octets);
// SaltedPassword = Hi(password, salt, iterations). Slow. `password` is prepared already.
[[nodiscard]] std::string salted_password(std::string_view password, std::string_view salt,
                                          std::uint32_t iterations);
// StoredKey and ServerKey from it.
[[nodiscard]] ScramKeys scram_keys(std::string_view password, std::string salt,
                                   std::uint32_t iterations);
// True if equal; takes the same time wherever they differ (lengths are not secret).
[[nodiscard]] bool equal_secrets(std::string_view a, std::string_view b);

// n=USER,r=NONCE behind a gs2 header (RFC 5802 section 7).
struct ClientFirst {
  char binding =
      'n';  // 'n': client has no channel binding, 'y': has, thinks we have not, 'p': uses it
  std::string binding_name;   // with 'p': "tls-exporter"
  std::string authorization;  // "" if none was given
  std::string user;           // decoded, not prepared
  std::string nonce;
  std::string gs2_header;  // as sent, for c=
  std::string bare;        // as sent, for the proof

  ClientFirst() = default;
};
// c=BINDING,r=NONCE,p=PROOF
struct ClientFinal {
  std::string binding;  // decoded: gs2 header and channel binding octets
  std::string nonce;
  std::string proof;          // decoded, 32 octets
  std::string without_proof;  // as sent, for the proof

  ClientFinal() = default;
};
// r=NONCE,s=SALT,i=ITERATIONS
struct ServerFirst {
  std::string nonce;
  std::string salt;
  std::uint32_t iterations = 0;

  ServerFirst() = default;
};

// Errors are the words of RFC 5802 section 7 ("extensions-not-supported", "other-error", ...).
[[nodiscard]] Result<ClientFirst, std::string> parse_client_first(std::string_view message);
[[nodiscard]] Result<ClientFinal, std::string> parse_client_final(std::string_view message);
[[nodiscard]] Result<ServerFirst, std::string> parse_server_first(std::string_view message);
[[nodiscard]] std::string format_server_first(const ServerFirst& message);

// "," and "=" in a name become =2C and =3D, and back; nothing for any other "=".
[[nodiscard]] std::string encode_saslname(std::string_view name);
[[nodiscard]] std::optional<std::string> decode_saslname(std::string_view text);

// True if `proof` could only be made by who knows the password behind `keys` (ClientKey = proof XOR
// ClientSignature).
[[nodiscard]] bool proof_is_good(const ScramKeys& keys, std::string_view auth_message,
                                 std::string_view proof);

}  // namespace posthorn::sasl
