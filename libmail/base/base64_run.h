// The inner loops of every base64 codec here: whole groups, as many as stand in a row. One truth that is
// plain C++ and, where the processor can, the same thing 16 or 32 characters at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace posthorn::base64 {

enum class Kernel : std::uint8_t { scalar, ssse3, avx2 };
// Those that this processor has, scalar first.
[[nodiscard]] const std::vector<Kernel>& kernels();

enum class LineEnds : std::uint8_t {
  stop,
  skip,  // CRLF or LF between two groups is passed over: MIME's lines hold whole groups
};

struct Run {
  std::size_t read = 0;
  std::size_t written = 0;
};

// A kernel may write this many octets behind those it reports.
inline constexpr std::size_t slack = 32;

// Decodes groups of four characters of the alphabet up to the first group that isn't one ('=' is none, either).
// `out` has text.size() / 4 * 3 + slack octets.
[[nodiscard]] Run decode_run(std::string_view text, char* out, LineEnds ends,
                             Kernel kernel = kernels().back());
// Encodes all whole groups of three octets. `out` has octets.size() / 3 * 4 + slack octets.
[[nodiscard]] Run encode_run(std::string_view octets, char* out, Kernel kernel = kernels().back());

// 0 to 63, or 0xff for a character outside the alphabet.
[[nodiscard]] std::uint8_t value_of(char c);
// The character of a value below 64.
[[nodiscard]] char character_of(std::uint32_t value);

}  // namespace posthorn::base64
