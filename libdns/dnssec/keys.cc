#include "libdns/dnssec/keys.h"

#include <fmt/format.h>

#include <array>

#include "libdns/dnssec/pkey.h"
#include "libdns/wire/record.h"

namespace posthorn::dns {

namespace {

const char* digest_name(std::uint8_t number) {
  switch (number) {
    case digest::sha1:
      return "SHA1";
    case digest::sha256:
      return "SHA256";
    case digest::sha384:
      return "SHA384";
    default:
      return nullptr;
  }
}

}  // namespace

bool is_supported_algorithm(std::uint8_t number, Sha1 sha1) {
  if (number == algorithm::rsasha1 || number == algorithm::rsasha1_nsec3_sha1)
    return sha1 == Sha1::allowed;
  return traits_of(number).family != Family::none;
}

bool is_supported_digest(std::uint8_t number) {
  return digest_name(number) != nullptr;
}

std::string algorithm_name(std::uint8_t number) {
  switch (number) {
    case algorithm::rsasha1:
      return "RSASHA1";
    case algorithm::rsasha1_nsec3_sha1:
      return "NSEC3RSASHA1";
    case algorithm::rsasha256:
      return "RSASHA256";
    case algorithm::rsasha512:
      return "RSASHA512";
    case algorithm::ecdsap256sha256:
      return "ECDSAP256SHA256";
    case algorithm::ecdsap384sha384:
      return "ECDSAP384SHA384";
    case algorithm::ed25519:
      return "ED25519";
    case algorithm::ed448:
      return "ED448";
    default:
      return fmt::format("algorithm {}", number);
  }
}

std::string ds_digest(const Name& owner, const Dnskey& key, std::uint8_t digest_type) {
  const char* name = digest_name(digest_type);
  if (name == nullptr) return {};
  const std::string octets = std::string(owner.folded().wire()) + rdata_to_wire(Rdata(key));
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  std::size_t length = 0;
  check(EVP_Q_digest(nullptr, name, nullptr, octets.data(), octets.size(), digest.data(),
                     &length) == 1,
        "OpenSSL makes digests");
  return std::string(reinterpret_cast<const char*>(digest.data()), length);
}

Ds make_ds(const Name& owner, const Dnskey& key, std::uint8_t digest_type) {
  Ds ds;
  ds.key_tag = key_tag(key);
  ds.algorithm = key.algorithm;
  ds.digest_type = digest_type;
  ds.digest = ds_digest(owner, key, digest_type);
  return ds;
}

bool matches(const Ds& ds, const Name& owner, const Dnskey& key) {
  return ds.algorithm == key.algorithm && ds.key_tag == key_tag(key) && !ds.digest.empty() &&
         ds.digest == ds_digest(owner, key, ds.digest_type);
}

Result<VerifyingKey, std::string> VerifyingKey::parse(const Dnskey& key, Sha1 sha1) {
  if (!is_supported_algorithm(key.algorithm, sha1))
    return fail(algorithm_name(key.algorithm) + " isn't supported");
  const AlgorithmTraits traits = traits_of(key.algorithm);
  Pkey parsed;
  if (traits.family == Family::rsa) {
    const auto parts = parse_rsa(key);
    if (!parts) return fail(parts.error());
    parsed = rsa_public(parts->modulus, parts->exponent);
  } else if (traits.family == Family::ecdsa) {
    parsed = ecdsa_public(traits, key.key);
  } else {
    parsed = eddsa_public(traits, key.key);
  }
  if (!parsed)
    return fail(fmt::format("{} octets that are no key of {}", key.key.size(),
                            algorithm_name(key.algorithm)));
  return VerifyingKey(key.algorithm, std::move(parsed));
}

bool VerifyingKey::verify(std::string_view octets, std::string_view signature) const {
  return verify_with(key_.get(), traits_of(algorithm_), octets, signature);
}

bool verify(const Dnskey& key, std::string_view octets, std::string_view signature, Sha1 sha1) {
  const auto parsed = VerifyingKey::parse(key, sha1);
  return parsed && parsed->verify(octets, signature);
}

}  // namespace posthorn::dns
