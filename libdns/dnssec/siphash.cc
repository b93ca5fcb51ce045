// SipHash-2-4 (Aumasson and Bernstein): two rounds a word, four at the end.
#include <bit>

#include "libdns/dnssec/cookie.h"
#include "libmail/base/result.h"

namespace posthorn::dns {

namespace {

// Little-endian, up to eight octets.
std::uint64_t word(std::string_view octets) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < octets.size(); ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(octets[i])) << 8 * i;
  return value;
}

struct State {
  std::uint64_t v0, v1, v2, v3;

  void round() {
    v0 += v1, v2 += v3;
    v1 = std::rotl(v1, 13) ^ v0;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 = std::rotl(v0, 32);
    v2 += v1, v0 += v3;
    v1 = std::rotl(v1, 17) ^ v2;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 = std::rotl(v2, 32);
  }
  void take(std::uint64_t value) {
    v3 ^= value;
    round(), round();
    v0 ^= value;
  }
};

}  // namespace

std::uint64_t siphash24(std::string_view octets, std::string_view key) {
  check(key.size() == cookie_secret_octets, "a key of SipHash has 16 octets");
  const std::uint64_t k0 = word(key.substr(0, 8));
  const std::uint64_t k1 = word(key.substr(8));
  // The start values spell "somepseudorandomlygeneratedbytes".
  State state{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261,
              k1 ^ 0x7465646279746573};
  const std::uint64_t length = static_cast<std::uint64_t>(octets.size()) << 56;
  for (; octets.size() >= 8; octets.remove_prefix(8)) state.take(word(octets.substr(0, 8)));
  state.take(length | word(octets));
  state.v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) state.round();
  return state.v0 ^ state.v1 ^ state.v2 ^ state.v3;
}

}  // namespace posthorn::dns
