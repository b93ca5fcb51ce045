// Keys of zones (RFC 4034 2, 5; RFC 8624): digests, verifying, signing. The only header of the room
// behind which OpenSSL signs and verifies.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "libdns/dnssec/secret.h"
#include "libdns/wire/dnssec.h"
#include "libmail/base/result.h"

struct evp_pkey_st;

namespace posthorn::dns {

// The registry's numbers.
namespace algorithm {
inline constexpr std::uint8_t rsasha1 = 5;
inline constexpr std::uint8_t rsasha1_nsec3_sha1 = 7;
inline constexpr std::uint8_t rsasha256 = 8;
inline constexpr std::uint8_t rsasha512 = 10;
inline constexpr std::uint8_t ecdsap256sha256 = 13;
inline constexpr std::uint8_t ecdsap384sha384 = 14;
inline constexpr std::uint8_t ed25519 = 15;
inline constexpr std::uint8_t ed448 = 16;
}  // namespace algorithm
namespace digest {
inline constexpr std::uint8_t sha1 = 1;
inline constexpr std::uint8_t sha256 = 2;
inline constexpr std::uint8_t sha384 = 4;
}  // namespace digest

// Are signatures of algorithms 5 and 7 verified, or is who uses them unsigned in our eyes (RFC
// 9905)?
enum class Sha1 : bool { refused, allowed };

// 8, 10, 13, 14, 15, 16, and with Sha1::allowed 5 and 7.
[[nodiscard]] bool is_supported_algorithm(std::uint8_t number, Sha1 sha1 = Sha1::refused);
// 1, 2, 4. A DS with digest 1 counts only where no other does: see check_dnskeys().
[[nodiscard]] bool is_supported_digest(std::uint8_t number);
// "ECDSAP256SHA256", "algorithm 99".
[[nodiscard]] std::string algorithm_name(std::uint8_t number);

// RFC 4034 5.1.4: digest of the owner in canonical form and the key's RDATA. Empty if the digest
// isn't supported.
[[nodiscard]] std::string ds_digest(const Name& owner, const Dnskey& key, std::uint8_t digest_type);
[[nodiscard]] Ds make_ds(const Name& owner, const Dnskey& key,
                         std::uint8_t digest_type = digest::sha256);
// Key tag, algorithm and digest agree.
[[nodiscard]] bool matches(const Ds& ds, const Name& owner, const Dnskey& key);

// RFC 3110 2, bounds of RFC 5702 2; OpenSSL works long with larger ones, and nobody has them.
inline constexpr std::size_t min_rsa_bits = 512;
inline constexpr std::size_t min_rsasha512_bits = 1024;
inline constexpr std::size_t max_rsa_bits = 4096;
inline constexpr std::size_t max_rsa_exponent_bits = 64;

// A public key, parsed. Cheap to copy; keep it as long as its DNSKEY.
class VerifyingKey {
 public:
  // Errors say what is wrong with the key: "RSA modulus of 8192 bits".
  [[nodiscard]] static Result<VerifyingKey, std::string> parse(const Dnskey& key,
                                                               Sha1 sha1 = Sha1::refused);
  [[nodiscard]] bool verify(std::string_view octets, std::string_view signature) const;
  [[nodiscard]] std::uint8_t algorithm() const { return algorithm_; }

 private:
  VerifyingKey(std::uint8_t number, std::shared_ptr<evp_pkey_st> key)
      : algorithm_(number), key_(std::move(key)) {}
  std::uint8_t algorithm_;
  std::shared_ptr<evp_pkey_st> key_;
};
// Of a key that is used once.
[[nodiscard]] bool verify(const Dnskey& key, std::string_view octets, std::string_view signature,
                          Sha1 sha1 = Sha1::refused);

// Flags of a key that signs everything and that the parent's DS names: zone key, SEP.
inline constexpr std::uint16_t ksk_flags = Dnskey::zone_key | Dnskey::secure_entry_point;
inline constexpr std::uint16_t zsk_flags = Dnskey::zone_key;

// A private key with its DNSKEY. Copies share the key, which is wiped when the last one goes.
class SigningKey {
 public:
  // 13, 14, 15, 16, or 8 and 10 with 2048 bits.
  [[nodiscard]] static Result<SigningKey, std::string> generate(
      std::uint8_t number = algorithm::ecdsap256sha256, std::uint16_t flags = ksk_flags);
  // The text of a "K*.private" file as dnssec-keygen and ldns-keygen write it
  // ("Private-key-format: v1.2" or v1.3). What only the public file says is `flags`. Timing fields
  // are skipped.
  [[nodiscard]] static Result<SigningKey, std::string> parse(std::string_view text,
                                                             std::uint16_t flags = ksk_flags);
  // The same file for others to read.
  [[nodiscard]] Secret text() const;

  [[nodiscard]] const Dnskey& dnskey() const { return dnskey_; }
  [[nodiscard]] std::uint8_t algorithm() const { return dnskey_.algorithm; }
  [[nodiscard]] std::uint16_t tag() const { return tag_; }
  // The signature as an RRSIG holds it.
  [[nodiscard]] std::string sign(std::string_view octets) const;

 private:
  SigningKey(Dnskey dnskey, std::shared_ptr<evp_pkey_st> key);
  Dnskey dnskey_;
  std::uint16_t tag_;
  std::shared_ptr<evp_pkey_st> key_;
};

}  // namespace posthorn::dns
