// METADATA (RFC 5464): which entries a GETMETADATA means, and the response.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "libmail/imap/command.h"

namespace posthorn::imap {

// Whether `entry` is `asked`, or as far below it as `depth` goes.
[[nodiscard]] bool is_within(std::string_view entry, std::string_view asked,
                             GetMetadata::Depth depth);

// "METADATA INBOX (/shared/comment "x" /private/comment NIL)" without CRLF; `mailbox` is as the wire has it, quoted if it must be.
using MetadataValue = std::pair<std::string, std::optional<std::string>>;
[[nodiscard]] std::string metadata_text(std::string_view mailbox,
                                        const std::vector<MetadataValue>& values, bool utf8);
// Unsolicited: "METADATA INBOX /shared/comment /private/comment".
[[nodiscard]] std::string metadata_names_text(std::string_view mailbox,
                                              const std::vector<std::string>& entries);

}  // namespace posthorn::imap
