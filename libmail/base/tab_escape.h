// The escapes of Dovecot's lines, whose fields are parted by tabs.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace posthorn {

// \001 stands for an escape: 0 t r n 1 behind it mean NUL, tab, CR, LF and \001 itself.
[[nodiscard]] std::string tab_escape(std::string_view text);
// Any other octet behind \001 stands for itself, as in Dovecot; nothing if \001 comes last.
[[nodiscard]] std::optional<std::string> tab_unescape(std::string_view text);

}  // namespace posthorn
