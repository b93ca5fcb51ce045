#include "libmail/sasl/scram.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "libmail/base/base64.h"
#include "libmail/base/text.h"

namespace posthorn::sasl {
namespace {

const unsigned char* octets_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

// The message's attributes, one after the other: "x=value", separated by commas.
struct Attributes {
  std::string_view rest;
  bool at_end = false;

  explicit Attributes(std::string_view message) : rest(message), at_end(message.empty()) {}
  // The value of the next attribute, which must be `name`.
  std::optional<std::string_view> take(char name) {
    if (at_end || rest.size() < 2 || rest[0] != name || rest[1] != '=') return std::nullopt;
    const std::size_t end = std::min(rest.find(','), rest.size());
    const std::string_view value = rest.substr(2, end - 2);
    at_end = end == rest.size();
    rest.remove_prefix(at_end ? end : end + 1);
    return value;
  }
  // Behind the ones that must be there, others may follow: a letter, "=" and text that is not
  // empty.
  bool skip_extension() {
    if (at_end || rest.size() < 3 || !is_alpha(rest[0]) || rest[1] != '=') return false;
    return take(rest[0]).has_value();
  }
};

// RFC 5802 section 7: printable except ",".
bool is_nonce(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return is_graph(c) && c != ','; });
}

bool is_binding_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](char c) { return is_alnum(c) || c == '.' || c == '-'; });
}

// Cuts `gs2-cbind-flag "," [authzid] ","` off the front of `message`.
Result<ClientFirst, std::string> parse_gs2_header(std::string_view message) {
  ClientFirst first;
  const std::size_t flag_end = message.find(',');
  if (flag_end == std::string_view::npos) return fail(std::string("other-error"));
  const std::string_view flag = message.substr(0, flag_end);
  if (flag == "n" || flag == "y") {
    first.binding = flag[0];
  } else if (flag.substr(0, 2) == "p=" && is_binding_name(flag.substr(2))) {
    first.binding = 'p';
    first.binding_name = std::string(flag.substr(2));
  } else {
    return fail(std::string("other-error"));
  }
  const std::size_t header_end = message.find(',', flag_end + 1);
  if (header_end == std::string_view::npos) return fail(std::string("other-error"));
  const std::string_view authorization = message.substr(flag_end + 1, header_end - flag_end - 1);
  if (!authorization.empty()) {
    if (authorization.substr(0, 2) != "a=" || authorization.size() == 2)
      return fail(std::string("other-error"));
    auto name = decode_saslname(authorization.substr(2));
    if (!name) return fail(std::string("invalid-username-encoding"));
    first.authorization = std::move(*name);
  }
  first.gs2_header = std::string(message.substr(0, header_end + 1));
  return first;
}

}  // namespace

std::string sha256(std::string_view octets) {
  std::string digest(scram_key_size, '\0');
  unsigned size = 0;
  const int done =
      EVP_Digest(octets.data(), octets.size(), reinterpret_cast<unsigned char*>(digest.data()),
                 &size, EVP_sha256(), nullptr);
  check(done == 1 && size == scram_key_size, "SHA-256 is not available");
  return digest;
}

std::string hmac_sha256(std::string_view key, std::string_view octets) {
  std::string digest(scram_key_size, '\0');
  unsigned size = 0;
  const unsigned char* done =
      HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), octets_of(octets), octets.size(),
           reinterpret_cast<unsigned char*>(digest.data()), &size);
  check(done != nullptr && size == scram_key_size, "HMAC-SHA-256 is not available");
  return digest;
}

std::string salted_password(std::string_view password, std::string_view salt,
                            std::uint32_t iterations) {
  std::string key(scram_key_size, '\0');
  const int done =
      PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), octets_of(salt),
                        static_cast<int>(salt.size()), static_cast<int>(iterations), EVP_sha256(),
                        static_cast<int>(key.size()), reinterpret_cast<unsigned char*>(key.data()));
  check(done == 1, "PBKDF2 is not available");
  return key;
}

ScramKeys scram_keys(std::string_view password, std::string salt, std::uint32_t iterations) {
  const std::string salted = salted_password(password, salt, iterations);
  ScramKeys keys;
  keys.iterations = iterations;
  keys.salt = std::move(salt);
  keys.stored_key = sha256(hmac_sha256(salted, "Client Key"));
  keys.server_key = hmac_sha256(salted, "Server Key");
  return keys;
}

bool equal_secrets(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string encode_saslname(std::string_view name) {
  std::string text;
  for (const char c : name) {
    if (c == ',') {
      text += "=2C";
    } else if (c == '=') {
      text += "=3D";
    } else {
      text.push_back(c);
    }
  }
  return text;
}

std::optional<std::string> decode_saslname(std::string_view text) {
  std::string name;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == ',' || text[i] == '\0') return std::nullopt;
    if (text[i] != '=') {
      name.push_back(text[i]);
      continue;
    }
    const std::string_view code = text.substr(i + 1, 2);
    if (code == "2C") {
      name.push_back(',');
    } else if (code == "3D") {
      name.push_back('=');
    } else {
      return std::nullopt;
    }
    i += 2;
  }
  if (name.empty() || !is_utf8(name)) return std::nullopt;
  return name;
}

Result<ClientFirst, std::string> parse_client_first(std::string_view message) {
  auto first = parse_gs2_header(message);
  if (!first) return first;
  const std::string_view bare = message.substr(first->gs2_header.size());
  // "m=" is reserved for extensions that must be understood.
  if (bare.substr(0, 2) == "m=") return fail(std::string("extensions-not-supported"));
  Attributes attributes(bare);
  const auto name = attributes.take('n');
  if (!name) return fail(std::string("other-error"));
  auto user = decode_saslname(*name);
  if (!user) return fail(std::string("invalid-username-encoding"));
  const auto nonce = attributes.take('r');
  if (!nonce || !is_nonce(*nonce)) return fail(std::string("other-error"));
  while (!attributes.at_end) {
    if (!attributes.skip_extension()) return fail(std::string("other-error"));
  }
  first->user = std::move(*user);
  first->nonce = std::string(*nonce);
  first->bare = std::string(bare);
  return first;
}

Result<ClientFinal, std::string> parse_client_final(std::string_view message) {
  Attributes attributes(message);
  const auto binding = attributes.take('c');
  if (!binding) return fail(std::string("other-error"));
  const auto nonce = attributes.take('r');
  if (!nonce || !is_nonce(*nonce)) return fail(std::string("other-error"));
  while (!attributes.at_end && attributes.rest.substr(0, 2) != "p=") {
    if (!attributes.skip_extension()) return fail(std::string("other-error"));
  }
  const std::size_t proof_begins = message.size() - attributes.rest.size();
  const auto proof = attributes.take('p');
  if (!proof || !attributes.at_end) return fail(std::string("other-error"));
  auto binding_octets = decode_base64(*binding);
  auto proof_octets = decode_base64(*proof);
  if (!binding_octets || !proof_octets) return fail(std::string("invalid-encoding"));
  ClientFinal final;
  final.binding = std::move(*binding_octets);
  final.nonce = std::string(*nonce);
  final.proof = std::move(*proof_octets);
  final.without_proof = std::string(message.substr(0, proof_begins - 1));
  return final;
}

Result<ServerFirst, std::string> parse_server_first(std::string_view message) {
  if (message.substr(0, 2) == "m=") return fail(std::string("extensions-not-supported"));
  Attributes attributes(message);
  const auto nonce = attributes.take('r');
  if (!nonce || !is_nonce(*nonce)) return fail(std::string("other-error"));
  const auto salt = attributes.take('s');
  const auto iterations = attributes.take('i');
  if (!salt || !iterations) return fail(std::string("other-error"));
  auto salt_octets = decode_base64(*salt);
  const auto count = parse_number<std::uint32_t>(*iterations);
  if (!salt_octets || salt_octets->empty() || !count || *count == 0)
    return fail(std::string("invalid-encoding"));
  ServerFirst first;
  first.nonce = std::string(*nonce);
  first.salt = std::move(*salt_octets);
  first.iterations = *count;
  return first;
}

std::string format_server_first(const ServerFirst& message) {
  return "r=" + message.nonce + ",s=" + encode_base64(message.salt) +
         ",i=" + std::to_string(message.iterations);
}

bool proof_is_good(const ScramKeys& keys, std::string_view auth_message, std::string_view proof) {
  if (proof.size() != scram_key_size) return false;
  std::string client_key = hmac_sha256(keys.stored_key, auth_message);
  for (std::size_t i = 0; i < client_key.size(); ++i)
    client_key[i] = static_cast<char>(client_key[i] ^ proof[i]);
  return equal_secrets(sha256(client_key), keys.stored_key);
}

}  // namespace posthorn::sasl
