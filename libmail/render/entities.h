// The names of characters in HTML that mail uses: those of HTML 4 (W3C, 24 of its recommendation), and apos.
#pragma once

#include <cstddef>
#include <string_view>

namespace posthorn::render {

inline constexpr std::size_t longest_entity = 8;

// 0 for a name that isn't known. Case matters: Auml is not auml.
[[nodiscard]] char32_t find_entity(std::string_view name);

}  // namespace posthorn::render
