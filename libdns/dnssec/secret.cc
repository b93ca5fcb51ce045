#include "libdns/dnssec/secret.h"

#include <openssl/crypto.h>

#include <utility>

namespace posthorn::dns {

Secret::Secret(Secret&& other) noexcept : octets_(std::move(other.octets_)) {
  other.wipe();  // a short string leaves its octets behind when it is moved
}

Secret Secret::take(std::string&& octets) {
  Secret secret;
  secret.octets_ = std::move(octets);
  wipe(octets);
  return secret;
}

Secret& Secret::operator=(const Secret& other) {
  if (this == &other) return *this;
  wipe();
  octets_ = other.octets_;
  return *this;
}

Secret& Secret::operator=(Secret&& other) noexcept {
  if (this == &other) return *this;
  wipe();
  octets_ = std::move(other.octets_);
  other.wipe();
  return *this;
}

void Secret::append(std::string_view octets) {
  std::string longer;
  longer.reserve(octets_.size() + octets.size());
  longer += octets_;
  longer += octets;
  wipe();
  octets_ = std::move(longer);
}

bool Secret::operator==(const Secret& other) const {
  return equal_in_constant_time(octets_, other.octets_);
}

void Secret::wipe(std::string& octets) {
  // What stands behind the end counts, too; this takes no memory.
  octets.resize(octets.capacity());
  OPENSSL_cleanse(octets.data(), octets.size());
  octets.clear();
}

bool equal_in_constant_time(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace posthorn::dns
