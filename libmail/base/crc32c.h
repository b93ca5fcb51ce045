// CRC-32C (Castagnoli), the check sum of queue records (RFC 3720 appendix B.4 has test vectors).
#pragma once

#include <cstdint>
#include <string_view>

namespace posthorn {

// Continues `crc` (0 at the start) over `octets`; crc32c(crc32c(0, a), b) == crc32c(0, a + b).
[[nodiscard]] std::uint32_t crc32c(std::uint32_t crc, std::string_view octets);

}  // namespace posthorn
