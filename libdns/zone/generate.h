// $GENERATE: one line of a zone file that stands for many, as BIND has it. Inside libdns/zone.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "libdns/wire/presentation.h"

namespace posthorn::dns {

// "1-10", "0-254/2".
struct GenerateRange {
  std::uint32_t start = 0;
  std::uint32_t stop = 0;  // included if a step meets it
  std::uint32_t step = 1;
  [[nodiscard]] std::uint64_t count() const { return (std::uint64_t{stop} - start) / step + 1; }
};
[[nodiscard]] Result<GenerateRange, std::string> parse_generate_range(std::string_view text);

// "host-$", "${-1,3,d}", "${0,2,x}", "${0,3,n}" for one number; "$$" and "\$" are a dollar.
[[nodiscard]] Result<std::string, std::string> expand_generated(std::string_view text,
                                                                std::uint32_t number);
// OWNER [TTL] [CLASS] TYPE DATA as a line of text, expanded. Data that is one quoted string loses its
// quotes, as BIND has it: TXT "a $" makes two strings, TXT "\"a $\"" one.
[[nodiscard]] Result<std::string, std::string> generated_line(std::span<const Token> tokens,
                                                              std::uint32_t number);

}  // namespace posthorn::dns
