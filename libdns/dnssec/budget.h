// How much computing one question of a client may cause, whatever strangers send (KeyTrap, CVE-2023-
// 50387; NSEC3 encloser storm, CVE-2023-50868).
#pragma once

#include <cstddef>
#include <cstdint>

#include "libdns/dnssec/keys.h"

namespace posthorn::dns {

struct CryptoLimits {
  std::size_t signatures_per_rrset = 8;  // tried
  std::size_t keys_per_tag = 2;          // of one algorithm; those behind are as if not there
  std::size_t keys_per_zone = 32;
  std::size_t ds_per_zone = 8;
  std::size_t verifications = 32;
  std::size_t nsec3_hashes = 200;       // enough for five proofs about a name of ip6.arpa
  std::size_t denial_records = 10;      // NSEC and NSEC3 looked at in one answer
  std::uint16_t nsec3_iterations = 50;  // more: the zone counts as unsigned (RFC 9276 3.2)
  Sha1 sha1 = Sha1::refused;
};

// Made once for a client's question and handed to everything that it sets off, restarts and
// look-ups of DS and DNSKEY included. What is spent stays spent.
class CryptoBudget {
 public:
  CryptoBudget() = default;
  explicit CryptoBudget(const CryptoLimits& limits) : limits_(limits) {}

  [[nodiscard]] const CryptoLimits& limits() const { return limits_; }
  // Takes one, or nothing is left.
  [[nodiscard]] bool take_verification();
  [[nodiscard]] bool take_nsec3_hash();
  // Something was refused: the verdict says more about us than about the zone, so don't cache it
  // for long.
  [[nodiscard]] bool is_exhausted() const { return is_exhausted_; }
  [[nodiscard]] std::size_t verifications() const { return verifications_; }
  [[nodiscard]] std::size_t nsec3_hashes() const { return nsec3_hashes_; }

 private:
  CryptoLimits limits_;
  std::size_t verifications_ = 0;
  std::size_t nsec3_hashes_ = 0;
  bool is_exhausted_ = false;
};

}  // namespace posthorn::dns
