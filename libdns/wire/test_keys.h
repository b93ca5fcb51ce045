// For tests: keys that have one tag, as KeyTrap's have.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include "libdns/wire/dnssec.h"

namespace posthorn::dns::test {

// `key` with `tag`: the pair of octets at `at`, which is even, makes up for what is missing, for the tag is a sum of
// pairs (RFC 4034 appendix B). Where the sum carries, it takes another round.
inline Dnskey with_tag(Dnskey key, std::uint16_t tag, std::size_t at) {
  for (int round = 0; key_tag(key) != tag && round < 8; ++round) {
    const unsigned pair = static_cast<unsigned char>(key.key[at]) * 256U +
                          static_cast<unsigned char>(key.key[at + 1]) + tag - key_tag(key);
    key.key[at] = static_cast<char>(pair >> 8U);
    key.key[at + 1] = static_cast<char>(pair);
  }
  return key;
}

}  // namespace posthorn::dns::test
