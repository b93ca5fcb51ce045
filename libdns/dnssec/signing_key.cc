// SigningKey: BIND's file of a private key, signatures.
#include <fmt/format.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/ecdsa.h>
#include <openssl/err.h>
#include <openssl/param_build.h>

#include <algorithm>
#include <array>
#include <map>

#include "libdns/dnssec/keys.h"
#include "libdns/dnssec/pkey.h"
#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::dns {

namespace {

constexpr std::size_t generated_rsa_bits = 2048;
constexpr std::size_t max_key_file_octets = 65536;

// The numbers of an RSA key: field of the file, OpenSSL's name.
struct RsaField {
  const char* label;
  const char* param;
};
constexpr std::array<RsaField, 8> rsa_fields{{{"Modulus", OSSL_PKEY_PARAM_RSA_N},
                                              {"PublicExponent", OSSL_PKEY_PARAM_RSA_E},
                                              {"PrivateExponent", OSSL_PKEY_PARAM_RSA_D},
                                              {"Prime1", OSSL_PKEY_PARAM_RSA_FACTOR1},
                                              {"Prime2", OSSL_PKEY_PARAM_RSA_FACTOR2},
                                              {"Exponent1", OSSL_PKEY_PARAM_RSA_EXPONENT1},
                                              {"Exponent2", OSSL_PKEY_PARAM_RSA_EXPONENT2},
                                              {"Coefficient", OSSL_PKEY_PARAM_RSA_COEFFICIENT1}}};

using Fields = std::map<std::string, Secret, std::less<>>;

// "Field: base64" of all lines behind the first two.
Fields read_fields(std::string_view text) {
  Fields fields;
  for (const std::string_view line : split(text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    auto value = decode_base64(trim(line.substr(colon + 1)));
    if (!value) continue;
    fields.insert_or_assign(std::string(trim(line.substr(0, colon))),
                            Secret::take(std::move(*value)));
  }
  return fields;
}

Pkey key_pair(const char* type, OSSL_PARAM_BLD* builder) {
  const Owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(builder));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params && context && EVP_PKEY_fromdata_init(context.get()) == 1)
    static_cast<void>(EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, params.get()));
  return own(key);
}

Result<Pkey, std::string> rsa_private(const Fields& fields) {
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  std::vector<Bignum> numbers;
  for (const RsaField& field : rsa_fields) {
    const auto found = fields.find(field.label);
    if (found == fields.end()) return fail(fmt::format("no field {} in base64", field.label));
    if (found->second.view().size() > max_rsa_bits / 8)
      return fail(fmt::format("{} has more than {} bits", field.label, max_rsa_bits));
    numbers.push_back(bignum(found->second.view()));
    OSSL_PARAM_BLD_push_BN(builder.get(), field.param, numbers.back().get());
  }
  return key_pair("RSA", builder.get());
}

// The point that belongs to a private number, uncompressed; empty if the number is out of range.
std::string point_of(const AlgorithmTraits& traits, const BIGNUM* secret) {
  const Owned<EC_GROUP> group(EC_GROUP_new_by_curve_name(traits.curve));
  const Owned<EC_POINT> point(EC_POINT_new(group.get()));
  if (BN_is_zero(secret) || BN_cmp(secret, EC_GROUP_get0_order(group.get())) >= 0) return {};
  std::string octets(1 + 2 * traits.octets, '\0');
  if (EC_POINT_mul(group.get(), point.get(), secret, nullptr, nullptr, nullptr) != 1 ||
      EC_POINT_point2oct(group.get(), point.get(), POINT_CONVERSION_UNCOMPRESSED, bytes(octets),
                         octets.size(), nullptr) != octets.size())
    return {};
  return octets;
}

Result<Pkey, std::string> ecdsa_private(const AlgorithmTraits& traits, const Secret& octets) {
  if (octets.view().size() > traits.octets)
    return fail(fmt::format("PrivateKey has more than {} octets", traits.octets));
  const Bignum secret = bignum(octets.view());
  const std::string point = point_of(traits, secret.get());
  if (point.empty()) return fail(std::string("PrivateKey is out of range"));
  const Owned<OSSL_PARAM_BLD> builder(OSSL_PARAM_BLD_new());
  OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, traits.group, 0);
  OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                   point.size());
  OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_PRIV_KEY, secret.get());
  return key_pair("EC", builder.get());
}

Result<Pkey, std::string> private_key(std::uint8_t number, const Fields& fields) {
  const AlgorithmTraits traits = traits_of(number);
  if (traits.family == Family::rsa) return rsa_private(fields);
  const auto found = fields.find("PrivateKey");
  if (found == fields.end()) return fail(std::string("no field PrivateKey in base64"));
  if (traits.family == Family::ecdsa) return ecdsa_private(traits, found->second);
  if (found->second.view().size() != traits.octets)
    return fail(fmt::format("PrivateKey has {} octets, not {}", found->second.view().size(),
                            traits.octets));
  return own(EVP_PKEY_new_raw_private_key_ex(nullptr, traits.group, nullptr,
                                             bytes(found->second.view()), traits.octets));
}

Bignum number_of(const EVP_PKEY* key, const char* param) {
  BIGNUM* number = nullptr;
  check(EVP_PKEY_get_bn_param(key, param, &number) == 1, "a key has its numbers");
  return Bignum(number);
}

// The public part as a DNSKEY holds it: RFC 3110 2, RFC 6605 4, RFC 8080 3.
std::string public_octets(const EVP_PKEY* key, const AlgorithmTraits& traits) {
  if (traits.family == Family::rsa) {
    const std::string exponent = octets_of(number_of(key, OSSL_PKEY_PARAM_RSA_E).get());
    return static_cast<char>(exponent.size()) + exponent +
           octets_of(number_of(key, OSSL_PKEY_PARAM_RSA_N).get());
  }
  if (traits.family == Family::ecdsa) {
    return octets_of(number_of(key, OSSL_PKEY_PARAM_EC_PUB_X).get(), traits.octets) +
           octets_of(number_of(key, OSSL_PKEY_PARAM_EC_PUB_Y).get(), traits.octets);
  }
  std::string octets(traits.octets, '\0');
  std::size_t length = octets.size();
  check(EVP_PKEY_get_raw_public_key(key, bytes(octets), &length) == 1 && length == octets.size(),
        "a key has its octets");
  return octets;
}

Dnskey public_part(const EVP_PKEY* key, std::uint8_t number, std::uint16_t flags) {
  Dnskey dnskey;
  dnskey.flags = flags;
  dnskey.algorithm = number;
  dnskey.key = public_octets(key, traits_of(number));
  return dnskey;
}

// ECDSA's DER as r | s.
std::string raw_of(std::string_view der, std::size_t half) {
  const unsigned char* at = bytes(der);
  const Owned<ECDSA_SIG> signature(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  check(signature != nullptr, "OpenSSL reads its own signature");
  return octets_of(ECDSA_SIG_get0_r(signature.get()), half) +
         octets_of(ECDSA_SIG_get0_s(signature.get()), half);
}

void append_field(Secret& text, std::string_view label, const Secret& octets) {
  text.append(label);
  text.append(": ");
  text.append(Secret::take(encode_base64(octets.view())).view());
  text.append("\n");
}

// The value of "LABEL: value" if `text` begins so; the line is cut off.
std::optional<std::string_view> take_line(std::string_view& text, std::string_view label) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = trim(text.substr(0, end));
  if (!line.starts_with(label)) return std::nullopt;
  text.remove_prefix(std::min(end + 1, text.size()));
  return trim(line.substr(label.size()));
}

}  // namespace

SigningKey::SigningKey(Dnskey dnskey, std::shared_ptr<evp_pkey_st> key)
    : dnskey_(std::move(dnskey)), tag_(key_tag(dnskey_)), key_(std::move(key)) {}

Result<SigningKey, std::string> SigningKey::generate(std::uint8_t number, std::uint16_t flags) {
  if (!is_supported_algorithm(number))
    return fail("keys of " + algorithm_name(number) + " aren't made here");
  const AlgorithmTraits traits = traits_of(number);
  Pkey key;
  if (traits.family == Family::rsa) {
    key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "RSA", generated_rsa_bits));
  } else if (traits.family == Family::ecdsa) {
    key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, "EC", traits.group));
  } else {
    key = own(EVP_PKEY_Q_keygen(nullptr, nullptr, traits.group));
  }
  check(key != nullptr, "OpenSSL makes keys");
  Dnskey dnskey = public_part(key.get(), number, flags);
  return SigningKey(std::move(dnskey), std::move(key));
}

Result<SigningKey, std::string> SigningKey::parse(std::string_view text, std::uint16_t flags) {
  if (text.size() > max_key_file_octets)
    return fail(std::string("too long for a file with a private key"));
  const auto version = take_line(text, "Private-key-format:");
  if (!version || (*version != "v1.2" && *version != "v1.3"))
    return fail(std::string("doesn't begin with \"Private-key-format: v1.3\""));
  const auto named = take_line(text, "Algorithm:");
  if (!named) return fail(std::string("the second line isn't \"Algorithm: NUMBER (NAME)\""));
  const auto number =
      parse_number<std::uint8_t>(named->substr(0, std::min(named->find(' '), named->size())));
  if (!number || !is_supported_algorithm(*number))
    return fail("signing with algorithm \"" + printable(*named, 40) + "\" isn't supported");
  auto key = private_key(*number, read_fields(text));
  if (!key) return fail(key.error());
  if (!*key) return fail("the fields are no key of " + algorithm_name(*number));
  Dnskey dnskey = public_part(key->get(), *number, flags);
  const auto public_key = VerifyingKey::parse(dnskey);
  if (!public_key) return fail(public_key.error());
  SigningKey signer(std::move(dnskey), std::move(*key));
  // Numbers of an RSA key can be at odds, and then nobody could verify what it signs.
  if (!public_key->verify("probe", signer.sign("probe")))
    return fail(std::string("its numbers don't belong together"));
  return signer;
}

Secret SigningKey::text() const {
  const AlgorithmTraits traits = traits_of(algorithm());
  Secret text(fmt::format("Private-key-format: v1.3\nAlgorithm: {} ({})\n", algorithm(),
                          algorithm_name(algorithm())));
  if (traits.family == Family::rsa) {
    for (const RsaField& field : rsa_fields)
      append_field(text, field.label,
                   Secret::take(octets_of(number_of(key_.get(), field.param).get())));
  } else if (traits.family == Family::ecdsa) {
    const Bignum secret = number_of(key_.get(), OSSL_PKEY_PARAM_PRIV_KEY);
    append_field(text, "PrivateKey", Secret::take(octets_of(secret.get(), traits.octets)));
  } else {
    std::array<unsigned char, 64> octets{};
    std::size_t length = octets.size();
    check(EVP_PKEY_get_raw_private_key(key_.get(), octets.data(), &length) == 1,
          "a key has its octets");
    append_field(text, "PrivateKey",
                 Secret(std::string_view(reinterpret_cast<const char*>(octets.data()), length)));
    OPENSSL_cleanse(octets.data(), octets.size());
  }
  return text;
}

std::string SigningKey::sign(std::string_view octets) const {
  const AlgorithmTraits traits = traits_of(algorithm());
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key_.get())), '\0');
  std::size_t length = signature.size();
  const bool is_signed =
      EVP_DigestSignInit_ex(context.get(), nullptr, traits.hash, nullptr, nullptr, key_.get(),
                            nullptr) == 1 &&
      EVP_DigestSign(context.get(), bytes(signature), &length, bytes(octets), octets.size()) == 1;
  ERR_clear_error();
  // An RSA file may hold numbers with which OpenSSL refuses to sign: parse() finds that out.
  if (!is_signed) return {};
  signature.resize(length);
  return traits.family == Family::ecdsa ? raw_of(signature, traits.octets) : signature;
}

}  // namespace posthorn::dns
