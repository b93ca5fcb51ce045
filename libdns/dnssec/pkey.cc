#include "libdns/dnssec/pkey.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/obj_mac.h>
#include <openssl/param_build.h>

#include "libdns/dnssec/keys.h"

namespace posthorn::dns {

namespace {

Pkey public_key(const char* type, OSSL_PARAM_BLD* builder) {
  const Owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params && context && EVP_PKEY_fromdata_init(context.get()) == 1) {
    static_cast<void>(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()));
  }
  return own(key);
}

std::size_t bits_of(std::string_view octets) {
  return static_cast<std::size_t>(BN_num_bits(bignum(octets).get()));
}

// r | s, both as long as the order of the group (RFC 6605 4), in the form that OpenSSL reads.
std::string der_of(std::string_view raw) {
  const std::size_t half = raw.size() / 2;
  const Owned<ECDSA_SIG> signature(ECDSA_SIG_new());
  if (ECDSA_SIG_set0(signature.get(), bignum(raw.substr(0, half)).release(),
                     bignum(raw.substr(half)).release()) != 1)
    return {};
  unsigned char* der = nullptr;
  const int length = i2d_ECDSA_SIG(signature.get(), &der);
  if (length <= 0) return {};
  std::string octets(reinterpret_cast<const char*>(der), static_cast<std::size_t>(length));
  OPENSSL_free(der);
  return octets;
}

}  // namespace

Pkey own(EVP_PKEY* key) {
  // What strangers' keys and signatures leave there nobody reads, and it mustn't grow.
  ERR_clear_error();
  return key == nullptr ? nullptr : Pkey(key, EVP_PKEY_free);
}

Bignum bignum(std::string_view octets) {
  Bignum number(BN_secure_new());
  check(
      number && BN_bin2bn(bytes(octets), static_cast<int>(octets.size()), number.get()) != nullptr,
      "memory for a number");
  return number;
}

std::string octets_of(const BIGNUM* number, std::size_t octets) {
  std::string out(octets, '\0');
  if (BN_bn2binpad(number, bytes(out), static_cast<int>(octets)) < 0) return {};
  return out;
}

std::string octets_of(const BIGNUM* number) {
  return octets_of(number, static_cast<std::size_t>(BN_num_bytes(number)));
}

AlgorithmTraits traits_of(std::uint8_t number) {
  switch (number) {
    case algorithm::rsasha1:
    case algorithm::rsasha1_nsec3_sha1:
      return {Family::rsa, "SHA1", "RSA", 0, 0};
    case algorithm::rsasha256:
      return {Family::rsa, "SHA256", "RSA", 0, 0};
    case algorithm::rsasha512:
      return {Family::rsa, "SHA512", "RSA", 0, 0};
    case algorithm::ecdsap256sha256:
      return {Family::ecdsa, "SHA256", "P-256", NID_X9_62_prime256v1, 32};
    case algorithm::ecdsap384sha384:
      return {Family::ecdsa, "SHA384", "P-384", NID_secp384r1, 48};
    case algorithm::ed25519:
      return {Family::eddsa, nullptr, "ED25519", 0, 32};
    case algorithm::ed448:
      return {Family::eddsa, nullptr, "ED448", 0, 57};
    default:
      return {};
  }
}

Pkey rsa_public(std::string_view modulus, std::string_view exponent) {
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  const Bignum n = bignum(modulus);
  const Bignum e = bignum(exponent);
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get());
  return public_key("RSA", builder.get());
}

Pkey ecdsa_public(const AlgorithmTraits& traits, std::string_view point) {
  if (point.size() != 2 * traits.octets) return nullptr;
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  const std::string uncompressed = '\4' + std::string(point);
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, traits.group, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, uncompressed.data(),
                                   uncompressed.size());
  return public_key("EC", builder.get());
}

Pkey eddsa_public(const AlgorithmTraits& traits, std::string_view octets) {
  if (octets.size() != traits.octets) return nullptr;
  return own(
      EVP_PKEY_new_raw_public_key_ex(nullptr, traits.group, nullptr, bytes(octets), octets.size()));
}

Result<RsaPublic, std::string> parse_rsa(const Dnskey& key) {
  const std::string_view octets = key.key;
  if (octets.size() < 3)
    return fail(std::string("an RSA key of ") + std::to_string(octets.size()) + " octets");
  // One octet of length, or zero and two (RFC 3110 2).
  std::size_t begin = 1;
  std::size_t length = static_cast<unsigned char>(octets[0]);
  if (length == 0) {
    begin = 3;
    length = static_cast<std::size_t>(static_cast<unsigned char>(octets[1]) << 8 |
                                      static_cast<unsigned char>(octets[2]));
  }
  if (length == 0 || octets.size() <= begin + length)
    return fail(std::string("an RSA key cut off in its exponent"));
  const RsaPublic parts{octets.substr(begin, length), octets.substr(begin + length)};
  // Lengths first: even reading a number takes time.
  if (parts.exponent.size() > max_rsa_bits / 8 || parts.modulus.size() > 2 * max_rsa_bits / 8)
    return fail(std::string("an RSA key of ") + std::to_string(octets.size()) + " octets");
  const std::size_t exponent_bits = bits_of(parts.exponent);
  if (exponent_bits < 2 || exponent_bits > max_rsa_exponent_bits ||
      (parts.exponent.back() & 1) == 0)
    return fail("an RSA exponent of " + std::to_string(exponent_bits) + " bits, or an even one");
  const std::size_t bits = bits_of(parts.modulus);
  const std::size_t least =
      key.algorithm == algorithm::rsasha512 ? min_rsasha512_bits : min_rsa_bits;
  if (bits < least || bits > max_rsa_bits)
    return fail("an RSA modulus of " + std::to_string(bits) + " bits");
  return parts;
}

bool verify_with(EVP_PKEY* key, const AlgorithmTraits& traits, std::string_view octets,
                 std::string_view signature) {
  std::string der;
  if (traits.family == Family::ecdsa) {
    if (signature.size() != 2 * traits.octets) return false;
    der = der_of(signature);
    signature = der;
  }
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  const bool is_good = EVP_DigestVerifyInit_ex(context.get(), nullptr, traits.hash, nullptr,
                                               nullptr, key, nullptr) == 1 &&
                       EVP_DigestVerify(context.get(), bytes(signature), signature.size(),
                                        bytes(octets), octets.size()) == 1;
  if (!is_good) ERR_clear_error();
  return is_good;
}

}  // namespace posthorn::dns
