// The names of characters in HTML (its section 13.5): all of Latin, Greek and Cyrillic letters, punctuation, signs and
// symbols, and of mathematics those that HTML 4 had. What nobody's mail uses stands in the text as it was written.
#pragma once

#include <cstddef>
#include <string_view>

namespace posthorn::render {

inline constexpr std::size_t longest_entity = 22;
inline constexpr std::size_t longest_open_entity = 6;

// Of a name with ';' behind it; 0 if it isn't known. Case matters: Auml is not auml.
[[nodiscard]] char32_t find_entity(std::string_view name);
// Of the longest beginning of `name` that needs no ';', which `name` is then; else 0.
[[nodiscard]] char32_t find_open_entity(std::string_view& name);

}  // namespace posthorn::render
