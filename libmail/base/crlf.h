// Line ends: what lies on disk with LF goes out with CRLF.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace posthorn {

// Appends `text` to `out` with every bare LF as CRLF. `after_cr`: whether the octet before `text` was a CR; updated, so that a text
// may be cut anywhere.
void append_crlf(std::string_view text, bool& after_cr, std::string& out);

// How many octets longer `text` becomes by that.
[[nodiscard]] std::size_t count_bare_lf(std::string_view text, bool& after_cr);

}  // namespace posthorn
