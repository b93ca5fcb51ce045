// Passwords as they are stored, in Dovecot's notation: "{SCHEME}...".
//
//   {SCRAM-SHA-256}4096,SALT,STORED-KEY,SERVER-KEY   base64 each; serves SCRAM and PLAIN; the
//   default {CRYPT}$y$...                                    crypt(5): yescrypt is made, every hash
//   libcrypt knows is verified {PLAIN}secret                                    as it is; read,
//   never made
//
// A field without a scheme is {CRYPT}, as in Dovecot's passwd-file. {SHA512-CRYPT}, {SHA256-CRYPT},
// {BLF-CRYPT}, {MD5-CRYPT} and {DES-CRYPT} are other names for {CRYPT}; {CLEARTEXT} and {CLEAR} for
// {PLAIN}.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "libmail/base/result.h"

namespace posthorn::sasl {

// What a server stores for SCRAM-SHA-256 (RFC 5802 section 3). Octets, 32 in each key.
struct ScramKeys {
  std::uint32_t iterations = 0;
  std::string salt;
  std::string stored_key;
  std::string server_key;

  ScramKeys() = default;
  bool operator==(const ScramKeys&) const = default;
};
struct CryptHash {
  std::string hash;  // "$y$j9T$..."
  bool operator==(const CryptHash&) const = default;
};
struct PlainPassword {
  std::string password;
  bool operator==(const PlainPassword&) const = default;
};
using StoredPassword = std::variant<ScramKeys, CryptHash, PlainPassword>;

enum class Scheme { scram_sha_256, crypt };

struct PasswordLimits {
  std::size_t password = 1024;            // octets; libcrypt takes 512, longer ones fit SCRAM only
  std::uint32_t least_iterations = 4096;  // RFC 7677 section 4; fewer are read but not made
  std::uint32_t most_iterations =
      1'000'000;  // a file with more is refused, it would be a way to stall us
};
inline constexpr std::uint32_t default_iterations = 4096;

// The error says what is wrong, without quoting the secret.
[[nodiscard]] Result<StoredPassword, std::string> parse_password(std::string_view field);
[[nodiscard]] std::string format_password(const ScramKeys& keys);

// "SCRAM-SHA-256" or "CRYPT", any case; the error names what can be made.
[[nodiscard]] Result<Scheme, std::string> parse_scheme(std::string_view name);
// The field for a new password, with a fresh salt. Slow (1 ms SCRAM, 50 ms yescrypt). Errors:
// empty, too long, octets that no client can type (controls).
[[nodiscard]] Result<std::string, std::string> make_password(
    std::string_view password, Scheme scheme = Scheme::scram_sha_256,
    std::uint32_t iterations = default_iterations);

// True if `password`, as it is or prepared (prep.h), is the one. As slow as make_password; thread
// safe; the time does not tell how much of it was right.
[[nodiscard]] bool verify_password(const StoredPassword& stored, std::string_view password);
// A password nobody has, that costs as much to verify as `like`.
[[nodiscard]] StoredPassword make_decoy(const StoredPassword& like);

}  // namespace posthorn::sasl
