// OpenSSL's keys made of DNSSEC's octets and back. Inside libdns/dnssec only.
#pragma once

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include <memory>
#include <string>
#include <string_view>

#include "libdns/wire/dnssec.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

// What OpenSSL hands out, and how it takes it back.
struct Free {
  void operator()(OSSL_PARAM_BLD* builder) const { OSSL_PARAM_BLD_free(builder); }
  void operator()(OSSL_PARAM* params) const { OSSL_PARAM_free(params); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(EC_GROUP* group) const { EC_GROUP_free(group); }
  void operator()(EC_POINT* point) const { EC_POINT_clear_free(point); }
};
template <class T>
using Owned = std::unique_ptr<T, Free>;

using Pkey = std::shared_ptr<EVP_PKEY>;
[[nodiscard]] Pkey own(EVP_PKEY* key);

struct BignumFree {
  void operator()(BIGNUM* number) const { BN_clear_free(number); }
};
using Bignum = std::unique_ptr<BIGNUM, BignumFree>;
// Marked as secret, so that copies of it are wiped, too.
[[nodiscard]] Bignum bignum(std::string_view octets);
// Padded in front to `octets`; nothing if it is larger.
[[nodiscard]] std::string octets_of(const BIGNUM* number, std::size_t octets);
[[nodiscard]] std::string octets_of(const BIGNUM* number);

inline const unsigned char* bytes(std::string_view octets) {
  return reinterpret_cast<const unsigned char*>(octets.data());
}
inline unsigned char* bytes(std::string& octets) {
  return reinterpret_cast<unsigned char*>(octets.data());
}

enum class Family : std::uint8_t { none, rsa, ecdsa, eddsa };
// What an algorithm is made of.
struct AlgorithmTraits {
  Family family = Family::none;
  const char* hash = nullptr;   // OpenSSL's name; none with EdDSA
  const char* group = nullptr;  // curve or key type
  int curve = 0;                // OpenSSL's number of a curve of ECDSA
  std::size_t octets = 0;       // of a coordinate, or of an EdDSA public key
};
// Without regard to what is allowed.
[[nodiscard]] AlgorithmTraits traits_of(std::uint8_t algorithm);

// From RSA's modulus and exponent, ECDSA's x | y, EdDSA's octets: OpenSSL refuses points that are on
// no curve. Null if it does.
[[nodiscard]] Pkey rsa_public(std::string_view modulus, std::string_view exponent);
[[nodiscard]] Pkey ecdsa_public(const AlgorithmTraits& traits, std::string_view point);
[[nodiscard]] Pkey eddsa_public(const AlgorithmTraits& traits, std::string_view octets);

struct RsaPublic {
  std::string_view exponent;
  std::string_view modulus;
};
// RFC 3110 2 taken apart, in bounds.
[[nodiscard]] Result<RsaPublic, std::string> parse_rsa(const Dnskey& key);

[[nodiscard]] bool verify_with(EVP_PKEY* key, const AlgorithmTraits& traits,
                               std::string_view octets, std::string_view signature);

}  // namespace posthorn::dns
