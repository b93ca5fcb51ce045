#include "libdns/dnssec/budget.h"

namespace posthorn::dns {

bool CryptoBudget::take_verification() {
  if (verifications_ == limits_.verifications) {
    is_exhausted_ = true;
    return false;
  }
  ++verifications_;
  return true;
}

bool CryptoBudget::take_nsec3_hash() {
  if (nsec3_hashes_ == limits_.nsec3_hashes) {
    is_exhausted_ = true;
    return false;
  }
  ++nsec3_hashes_;
  return true;
}

}  // namespace posthorn::dns
