#include "libmail/sasl/password.h"

#include <crypt.h>

#include <array>
#include <cstring>
#include <memory>
#include <optional>

#include "libmail/base/base64.h"
#include "libmail/base/random.h"
#include "libmail/base/text.h"
#include "libmail/sasl/prep.h"
#include "libmail/sasl/scram.h"

namespace posthorn::sasl {
namespace {

constexpr PasswordLimits limits;
constexpr std::size_t salt_size = 16;

Result<StoredPassword, std::string> parse_scram(std::string_view value) {
  const auto parts = split(value, ',');
  if (parts.size() != 4)
    return fail(std::string("{SCRAM-SHA-256} needs iterations,salt,stored key,server key"));
  const auto iterations = parse_number<std::uint32_t>(parts[0]);
  auto salt = decode_base64(parts[1]);
  auto stored = decode_base64(parts[2]);
  auto server = decode_base64(parts[3]);
  if (!iterations || *iterations == 0 || *iterations > limits.most_iterations)
    return fail(std::string("{SCRAM-SHA-256} iterations are not 1 to 1000000"));
  if (!salt || salt->empty() || !stored || stored->size() != scram_key_size || !server ||
      server->size() != scram_key_size)
    return fail(std::string("{SCRAM-SHA-256} salt or keys are not base64 of the right length"));
  ScramKeys keys;
  keys.iterations = *iterations;
  keys.salt = std::move(*salt);
  keys.stored_key = std::move(*stored);
  keys.server_key = std::move(*server);
  return keys;
}

bool is_crypt_scheme(std::string_view scheme) {
  for (const auto* name :
       {"CRYPT", "SHA512-CRYPT", "SHA256-CRYPT", "BLF-CRYPT", "MD5-CRYPT", "DES-CRYPT"}) {
    if (iequals(scheme, name)) return true;
  }
  return false;
}

// crypt(password) under the settings in `hash`; "" if libcrypt refuses either.
std::string crypt_octets(const std::string& password, const std::string& hash) {
  if (password.find('\0') != std::string::npos) return {};
  auto data = std::make_unique<crypt_data>();  // 32 KiB: not for the stack of a pool thread
  const char* result = crypt_rn(password.c_str(), hash.c_str(), data.get(), sizeof(crypt_data));
  std::string text = result == nullptr ? std::string() : std::string(result);
  explicit_bzero(data.get(), sizeof(crypt_data));
  return text;
}

bool matches(const ScramKeys& keys, const std::string& password) {
  const ScramKeys made = scram_keys(password, keys.salt, keys.iterations);
  return equal_secrets(made.stored_key, keys.stored_key);
}
bool matches(const CryptHash& stored, const std::string& password) {
  const std::string made = crypt_octets(password, stored.hash);
  return !made.empty() && equal_secrets(made, stored.hash);
}
bool matches(const PlainPassword& stored, const std::string& password) {
  // Over digests, so that the length is no clue either.
  return equal_secrets(sha256(stored.password), sha256(password));
}

}  // namespace

Result<StoredPassword, std::string> parse_password(std::string_view field) {
  std::string_view scheme = "CRYPT";
  std::string_view value = field;
  if (!field.empty() && field.front() == '{') {
    const std::size_t close = field.find('}');
    if (close == std::string_view::npos) return fail(std::string("a scheme without \"}\""));
    scheme = field.substr(1, close - 1);
    value = field.substr(close + 1);
  }
  if (value.empty()) return fail(std::string("no password behind the scheme"));
  if (iequals(scheme, "SCRAM-SHA-256")) return parse_scram(value);
  if (is_crypt_scheme(scheme)) {
    // "!" and "*" in front is how passwd tools lock an account.
    if (value.front() == '!' || value.front() == '*')
      return fail(std::string("the account is locked"));
    return CryptHash{std::string(value)};
  }
  if (iequals(scheme, "PLAIN") || iequals(scheme, "CLEARTEXT") || iequals(scheme, "CLEAR"))
    return PlainPassword{std::string(value)};
  return fail("unknown scheme {" + printable(scheme, 40) + "}; known: SCRAM-SHA-256, CRYPT, PLAIN");
}

std::string format_password(const ScramKeys& keys) {
  return "{SCRAM-SHA-256}" + std::to_string(keys.iterations) + "," + encode_base64(keys.salt) +
         "," + encode_base64(keys.stored_key) + "," + encode_base64(keys.server_key);
}

Result<Scheme, std::string> parse_scheme(std::string_view name) {
  if (iequals(name, "SCRAM-SHA-256")) return Scheme::scram_sha_256;
  if (iequals(name, "CRYPT")) return Scheme::crypt;
  return fail("unknown scheme \"" + printable(name, 40) + "\"; can be made: SCRAM-SHA-256, CRYPT");
}

Result<std::string, std::string> make_password(std::string_view password, Scheme scheme,
                                               std::uint32_t iterations) {
  if (password.empty()) return fail(std::string("the password is empty"));
  if (password.size() > limits.password)
    return fail(std::string("the password is longer than 1024 octets"));
  const auto prepared = sasl_prep(password);
  if (!prepared)
    return fail(
        std::string("the password has control characters, is not UTF-8, or mixes directions"));
  if (scheme == Scheme::scram_sha_256) {
    if (iterations < limits.least_iterations || iterations > limits.most_iterations)
      return fail(std::string("iterations must be 4096 to 1000000"));
    return format_password(scram_keys(*prepared, random_octets(salt_size), iterations));
  }
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  if (crypt_gensalt_rn("$y$", 0, nullptr, 0, setting.data(), setting.size()) == nullptr)
    return fail(std::string("libcrypt can't make yescrypt hashes"));
  // The octets as typed, not as prepared: that is what other programs compare.
  const std::string hash = crypt_octets(std::string(password), setting.data());
  if (hash.empty() || hash.front() == '*')
    return fail(std::string("libcrypt refuses the password (more than 512 octets?)"));
  return "{CRYPT}" + hash;
}

bool verify_password(const StoredPassword& stored, std::string_view password) {
  if (password.size() > limits.password) return false;
  const std::string typed(password);
  const auto prepared = sasl_prep(password);
  bool good = false;
  if (prepared && *prepared != typed)
    good = std::visit([&](const auto& kind) { return matches(kind, *prepared); }, stored);
  const bool as_typed = std::visit([&](const auto& kind) { return matches(kind, typed); }, stored);
  return good || as_typed;
}

StoredPassword make_decoy(const StoredPassword& like) {
  if (const auto* keys = std::get_if<ScramKeys>(&like)) {
    ScramKeys decoy;
    decoy.iterations = keys->iterations;
    decoy.salt = random_octets(keys->salt.size());
    decoy.stored_key = random_octets(scram_key_size);
    decoy.server_key = random_octets(scram_key_size);
    return decoy;
  }
  if (const auto* crypt = std::get_if<CryptHash>(&like)) {
    // The settings in front decide what it costs; another last character makes it a hash of nothing
    // known.
    CryptHash decoy{crypt->hash};
    if (!decoy.hash.empty()) decoy.hash.back() = decoy.hash.back() == '.' ? '/' : '.';
    return decoy;
  }
  return PlainPassword{hex(random_octets(32))};
}

}  // namespace posthorn::sasl
