// Unpredictable octets from the kernel.
#pragma once

#include <cstdint>
#include <string>

namespace posthorn {

[[nodiscard]] std::string random_octets(std::size_t count);
[[nodiscard]] std::uint64_t random_u64();

}  // namespace posthorn
